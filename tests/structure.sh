#!/bin/sh
# What the folders promise: who may include whom, which headers are public, how long files and functions get; and what pages
# say about where things stand.
# usage: structure.sh [SOURCE_ROOT]; prints each breach, and fails when there is one.
set -u
cd "${1:-.}" || exit 1
found=$(
    say() { sed "s|^|$1: |"; }

    # The arrows: core <- autograd <- ops.
    grep -rnE '#include *["<](autograd/|ops/|tapegrad\.h)' core | say 'core includes what is above it'
    grep -rnE '#include *["<](ops/|tapegrad\.h)' autograd | say 'autograd includes what is above it'
    grep -rnE '#include *["<]([^">]*\.\./|core/|autograd/|ops/)' examples | say 'examples include <tapegrad.h>, and each other'
    grep -rn '#include *"' core autograd ops | grep -E '#include *"[^/"]*"|#include *"[^"]*\.\./' |
        say 'not written from the root'

    # A header is private when its first line says so; the others are installed, by name in meson.build.
    for h in core/*.h core/io/*.h autograd/*.h ops/*.h ops/*/*.h ops/nn/*/*.h; do
        [ -e "$h" ] || continue
        folder=${h%%/*}
        listed() {
            case $h in
            ops/*/*)
                room=${h%/*} name=${h##*/}
                sed -n '/^room_headers/,/^}/p' ops/meson.build | tr -d '\n' | grep -q "'${room#ops/}': \[[^]]*'${name%.h}'"
                ;;
            core/io/*)
                grep -q "^#include \"$h\"" ops/tapegrad.h
                ;;
            *) grep -q "'${h#*/}'" "$folder/meson.build" ;;
            esac
        }
        if head -n 1 "$h" | grep -q '^/\* Private\.'; then
            ! listed || echo "$h is private, but installed"
            # ops/nn may have private headers of its own, since these include public ones alone, too; and core/work.h is how
            # a layer says what it does outside of ops.
            case $h in ops/nn/* | core/work.h) ;; *) grep -n "#include \"$h\"" -r ops/nn | say 'ops/nn includes a private header' ;; esac
        else
            listed || echo "$h: neither private nor installed"
            folder=${h%/*} name=${h##*/}
            case $h in ops/*/*) [ -e "${h%.h}.c" ] || [ "$name" = "${folder##*/}.h" ] ||
                echo "$h: neither beside a source of its name nor the room's one header" ;; esac
        fi
    done
    # A room never sees the layers and losses made of it.
    for room in ops/*/; do
        [ "$room" = ops/nn/ ] || grep -rnE '#include "ops/(nn/|tapegrad\.h)' "$room" | say 'a room includes ops/nn'
    done
    # The same rooms in ops/, tests/ops/ and tests/golden/, and the same files for each op.
    for room in ops/*/; do
        room=${room#ops/} room=${room%/}
        for f in "tests/ops/$room/calls.c" "tests/ops/$room/errors.c" "tests/ops/$room/exact.c" \
            "tests/golden/cases_$room.py" "tests/golden/$room.golden.gz"; do
            [ -e "$f" ] || echo "$f: missing, though there is the room ops/$room"
        done
    done
    sed -n 's/^OP([a-z0-9_]*, \([a-z_]*\), \([a-z_]*\))$/\1 \2/p' ops/ops.def | sort -u | while read -r room name; do
        [ -e "tests/ops/$room/$name.c" ] || echo "tests/ops/$room/$name.c: missing, though there is ops/$room/$name.c"
    done
    # A test of one room, or of one file of a room, stands in that room.
    for f in tests/ops/test_*.c; do
        about=${f##*/test_} about=${about%.c}
        for of in ops/"$about"/ ops/*/"$about".[ch]; do
            [ ! -e "$of" ] || echo "$f: about $of alone, so that its place is in that room"
        done
    done
    grep -rn '#include "core/kernels/' ops/nn | say 'ops/nn includes a private header'

    # What a call looks like is in one header, which the library does without.
    grep -rn '#include "ops/calls.h"' core autograd ops --include='*.[ch]' | grep -v '^ops/tapegrad.h:' | say 'the library includes ops/calls.h'
    grep -rnE '^#define tg_[a-z0-9_]+\(' core autograd ops --include='*.h' | grep -v '^ops/calls.h:' | say 'a macro over a function, which belongs in ops/calls.h'
    grep -rnE '\(tg_[a-z0-9_]+\)\([^)]*[,)] *[;,)]' core ops autograd examples docs README.md | grep -vE '\(tg_(tensor|dtype|shape|status|loss_reduction|pad_mode)\)' | say 'a call with its name in parentheses'
    sh tests/calls.sh --check
    sed -nE 's/.* \*?tg_([a-z0-9_]+)_with\(.*tg_([a-z0-9_]+)_opts opts\);$/\1 \2/p' docs/functions.md | awk '$1 != $2' |
        say 'options of another name than the function'

    # Every source is built: by name, or found by what a header declares or includes (core/meson.build, ops/meson.build).
    find core autograd ops tests -name '*.c' ! -path 'tests/install/*' | while read -r f; do
        name=${f##*/}
        grep -rqE --include=meson.build "['/]${name%.c}(\.c)?'" core autograd ops tests ||
            grep -q "^TG_API tg_optim \*tg_${name%.c}_with(" ops/nn/optim/optim.h ||
            grep -q "^#include \"${f%.c}.h\"" ops/tapegrad.h || echo "$f: in no meson.build"
    done

    # One version, in meson.build, in the header and in the wrap.
    version=$(sed -n "s/^project('tapegrad'.* version: '\\([0-9.]*\\)'.*/\\1/p" meson.build)
    grep -q "^revision = v$version$" ops/tapegrad.wrap || echo "ops/tapegrad.wrap: the revision is not v$version"
    grep -q "^#define TG_VERSION \"$version\"$" core/version.h || echo "core/version.h: TG_VERSION is not $version"
    numbers=$(sed -n 's/^#define TG_VERSION_[MP][A-Z]* //p' core/version.h | paste -sd. -)
    [ "$numbers" = "$version" ] || echo "core/version.h: the numbers are $numbers, not $version"

    # Whatever is not hidden, ignored or a build.
    for f in *; do
        case $f in
        core | autograd | ops | examples | tests | docs) ;;
        meson.build | meson_options.txt | README.md | LICENSE) ;;
        *) [ -d "$f/meson-private" ] || [ "$f" = build ] || echo "$f: not among the agreed names" ;;
        esac
    done

    find core autograd ops examples -name '*.[ch]' ! -path ops/calls.h | while read -r f; do
        awk -v most=400 'END { if (NR > most) print FILENAME ": " NR " lines, at most " most }' "$f"
        awk -v most=40 '
            /^[a-zA-Z_].*\) *\{ *$/ { start = FNR; name = $0 }
            /^\}/ {
                if (start && FNR - start + 1 > most)
                    print FILENAME ":" start ": " FNR - start + 1 " lines, at most " most ": " name
                start = 0
            }' "$f"
    done
    # What a page calls "`file`: `name`" stands in that file: a function's definition, or, in a header, a declaration or a type.
    stands_in() {
        case $1 in
        *.c) grep -qE "^[a-zA-Z][^;=]*[ *]$2\\([^;]*\$" "$1" ;;
        *.h) grep -qE "[ *]$2\\(|^\} $2;|^(typedef )?struct $2 \{" "$1" ;;
        esac
    }
    # shellcheck disable=SC2016  # backticks are Markdown's
    cat README.md docs/*.md | tr '\n' ' ' | tr -s ' ' | grep -oE '`[a-z_0-9/]+\.[ch]`: `[a-z_0-9]+`(, `[a-z_0-9]+`)*' |
        tr -d '`:,' | while read -r file names; do
        for name in $names; do
            [ -e "$file" ] && stands_in "$file" "$name" || echo "docs: $name does not stand in $file"
        done
    done

    # A file of the tree that a page names is there. (With <..> or * in it, it is the name of several.)
    grep -ohE '(^|[^a-zA-Z0-9_/.-]|\.\./)(core|autograd|ops|examples|tests|docs|\.ci)/[a-zA-Z0-9_/.-]*\.(c|h|def|md|sh|py|awk|build|wrap)\b' \
        README.md docs/*.md | sed 's|^\.\./||; s|^[^a-z.]||' | sort -u | while read -r f; do
        [ -e "$f" ] || echo "docs: there is no $f"
    done

    # docs/architecture.md is a trip through six files, by hops that are numbered and begin with a function of the file.
    # shellcheck disable=SC2016  # likewise
    [ "$(sed -n 's/^## [1-9]\. `\([^`]*\)`.*/\1/p' docs/architecture.md | paste -sd' ' -)" = \
        'core/array.h autograd/op.h autograd/apply.c autograd/walk.c autograd/backward.c ops/products/linear.c' ] ||
        echo 'docs/architecture.md: not the six files of the trip'
    awk '/^## / { file = $3; sub(/:$/, "", file) } /^# / { file = "" }
        file != "" && /^[0-9]+\. / {
            if ($1 != ++hop "." || $2 != file ":" || $3 !~ /^`[a-z_0-9]+`/)
                print FILENAME ":" FNR ": not hop " hop ", of " file ": " $0
        }
        END { if (!hop) print FILENAME ": no hops" }' docs/architecture.md

    grep -rnE 'TODO|FIXME|XXX|HACK' core autograd ops examples | say 'left open'
)
[ -z "$found" ] || { printf '%s\n' "$found" && exit 1; }
