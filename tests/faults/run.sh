#!/bin/sh
# Plants faults in the source, one at a time, and sees which the tests notice. The lists are tests/faults/*.def; what
# they hold and what this prints is in docs/testing.md.
#   usage: sh tests/faults/run.sh [--check | --list] [--first] [--plain] [-j N] [-o FOLDER] [AREA | AREA.NUMBER]...
#   --check  only finds each old text in its file   --list  only prints the faults
#   --first  runs only the suites that the lists name for a fault, not all others after them
#   --plain  what no plain build notices is not tried under the sanitizers and at all sizes
#   -j N     N at a time, each with a copy of the source and a build folder of its own in FOLDER (build/faults)
set -eu
tree=$(cd "$(dirname "$0")/../.." && pwd)
lists="$tree/tests/faults"
folder="$tree/build/faults" jobs=1 first="" plain=""
usage() { sed -n 's/^# *\(usage.*\)/\1/p' "$0" >&2 && exit 2; }

faults() { awk -v root="$1" -v mode="$2" -v name="${3-}" -f "$lists/faults.awk" "$lists"/*.def; }

while [ $# -gt 0 ]; do
    case $1 in
    --check) faults "$tree" check && exit 0 || exit 1 ;;
    --list) faults "$tree" list && exit 0 ;;
    --first) first=yes plain=yes ;;
    --plain) plain=yes ;;
    -j) [ $# -gt 1 ] || usage && jobs=$2 && shift ;;
    -o) [ $# -gt 1 ] || usage && folder=$2 && shift ;;
    -*) usage ;;
    *) break ;;
    esac
    shift
done

# ---- one copy of the source, and its builds ----

# configure COPY BUILD OPTION...
configure() {
    copy=$1 build=$2
    shift 2
    [ -f "$copy/$build/build.ninja" ] || meson setup "$copy/$build" "$copy" -Doptimization=1 -Ddebug=false -Dkernels=avx2 \
        -Dexamples=false -Dbench=false "$@" >"$copy/$build.log" 2>&1
}

prepare() {
    copy=$folder/$1
    mkdir -p "$copy"
    for part in core autograd ops tests examples docs README.md LICENSE meson.build meson_options.txt; do
        (cd "$tree" && find "$part" -type f) | while read -r file; do
            mkdir -p "$copy/$(dirname "$file")"
            cmp -s "$tree/$file" "$copy/$file" || cp "$tree/$file" "$copy/$file"
        done
    done
    configure "$copy" plain
    [ -n "$plain" ] || configure "$copy" checked -Db_sanitize=address,undefined -Db_lundef=false
}

binary() {
    case $1 in
    nn) echo tests/test_ops_nn ;;
    *) echo "tests/test_$1" ;;
    esac
}

# suite COPY BUILD NAME: 0 when it passes. NAME may be core/case, for one case of a binary, or ops:op,op. One that hangs, as
# where a lock stays taken, is ended and has failed; the limit is several times what the longest takes.
suite() {
    copy=$1 build=$2 binary=$3 case="" ops=""
    case $binary in
    */*) case=${binary#*/} binary=${binary%%/*} ;;
    *:*) ops=${binary#*:} binary=${binary%%:*} ;;
    esac
    target=$(binary "$binary")
    nice ninja -C "$copy/$build" "$target" >"$copy/build.out" 2>&1 || return 3
    [ -z "$case" ] || export CK_RUN_CASE="$case"
    [ -z "$ops" ] || export TG_OP="$ops"
    status=0
    (
        cd "$copy/$build"
        export TG_SOURCE_ROOT="$copy" OMP_WAIT_POLICY=passive
        if [ "$build" = plain ]; then
            export TG_FAST=1
            limit=600
        else
            export CK_FORK=no UBSAN_OPTIONS=halt_on_error=1
            limit=1800
        fi
        nice timeout -k 10 $limit "$target" >"$copy/test.out" 2>&1
    ) || status=1
    unset CK_RUN_CASE TG_OP
    return $status
}

all='core autograd check nn sweep ops'

# verdict COPY BUILD SUITE...: who notices, "nobody", or "unbuilt"
verdict() {
    copy=$1 build=$2
    shift 2
    for name in "$@"; do
        status=0
        suite "$copy" "$build" "$name" || status=$?
        case $status in
        3) echo unbuilt && return ;;
        1) echo "$name" && return ;;
        esac
    done
    echo nobody
}

# one COPY NAME FILE SUITES: plants, asks, restores.
one() {
    copy=$1 name=$2 file=$3 suites=$4
    order=$suites
    for other in $all; do
        case "$first $suites " in yes* | *" $other "*) ;; *) order="$order $other" ;; esac
    done
    faults "$tree" plant "$name" >"$copy/planted" || { echo broken && return; }
    cp "$copy/planted" "$copy/$file"
    # shellcheck disable=SC2086  # a list of suites
    by=$(verdict "$copy" plain $order)
    # shellcheck disable=SC2086
    [ "$by" != nobody ] || [ -n "$plain" ] || by=$(verdict "$copy" checked $order)
    cp "$tree/$file" "$copy/$file"
    echo "$by"
}

# ---- all of them ----

chosen() {
    [ $# -gt 0 ] || { cat && return; }
    wanted=" $* "
    awk -F '\t' -v wanted="$wanted" '{ area = $1; sub(/\..*/, "", area) }
        index(wanted, " " area " ") || index(wanted, " " $1 " ")'
}

# worker NUMBER: every jobs-th of the chosen faults, to results.NUMBER
worker() {
    copy=$folder/$1
    : >"$folder/results.$1"
    awk -v n="$jobs" -v i="$1" 'NR % n == i % n' "$folder/chosen" | while IFS='	' read -r name file suites equal what; do
        by=$(one "$copy" "$name" "$file" "$suites" </dev/null)
        printf '%s\t%s\t%s\t%s\n' "$name" "$by" "$equal" "$what" >>"$folder/results.$1"
        echo "$name: $by   ($what)"
    done
}

faults "$tree" check || exit 1
mkdir -p "$folder"
faults "$tree" list | chosen "$@" >"$folder/chosen"
for i in $(seq "$jobs"); do prepare "$i"; done

[ -z "$first" ] || all=$(cut -f 3 "$folder/chosen" | tr ' ' '\n' | sort -u | tr '\n' ' ')
echo "without a fault: $all"
# shellcheck disable=SC2086  # a list of suites
by=$(verdict "$folder/1" plain $all)
[ "$by" = nobody ] || { echo "the suite $by fails as it is" >&2 && exit 1; }

for i in $(seq "$jobs"); do worker "$i" & done
wait

cat "$folder"/results.[0-9]* | sort -t . -k 1,1 -k 2,2n >"$folder/results"
awk -F '\t' '
    { area = $1; sub(/\..*/, "", area); if (!(area in planted)) order[++n] = area; planted[area] += 0 }
    $2 == "broken" || $2 == "unbuilt" { wrong = wrong "\n    " $1 ": " $2; next }
    $3 != "-" { equal[area]++; same = same "\n    " $1 ": " $4 ": " substr($3, 13); if ($2 != "nobody") wrong = wrong "\n    " $1 ": not equivalent"; next }
    { planted[area]++ }
    $2 != "nobody" { caught[area]++; next }
    { left = left "\n    " $1 ": " $4 }
    END {
        printf "\n%-12s %8s %8s %8s %11s %6s\n", "area", "planted", "caught", "escaped", "equivalent", "share"
        for (i = 1; i <= n; i++) {
            a = order[i]
            line(a, planted[a], caught[a] + 0, equal[a] + 0)
            p += planted[a]; c += caught[a]; e += equal[a]
        }
        line("all", p, c + 0, e + 0)
        if (left != "") print "\nescaped:" left
        if (same != "") print "\nequivalent:" same
        if (wrong != "") print "\nwrong entries:" wrong
        exit wrong != "" || c < 0.95 * p
    }
    function line(name, p, c, e) {
        printf "%-12s %8d %8d %8d %11d %5.1f%%\n", name, p, c, p - c, e, p ? 100 * c / p : 100
    }' "$folder/results"
