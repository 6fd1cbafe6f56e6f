#!/bin/sh
# Installs what is missing, builds with gcc and ASan, UBSan and LSan, and runs all tests. Then the same with clang, under
# Valgrind, and ShellCheck over the scripts. --fast: about a minute once it is built; the sanitizers only, without trainings, examples,
# the cases tagged "slow", the long tables of kernels ("table"), what starts other programs ("spawn") and the AVX-512
# kernels. The last line is "N passed, N failed". usage: sh tests/run.sh [--fast]
set -eu
cd "$(dirname "$0")/.."
fast=
case "${1-}" in
--fast) fast=yes ;;
'') ;;
*) echo "usage: sh tests/run.sh [--fast]" >&2 && exit 2 ;;
esac

sh .ci/install gcc g++ libc6-dev meson ninja-build pkg-config check libsleef-dev libopenblas-dev zlib1g-dev libjansson-dev libzip-dev libpng-dev libopenmpi-dev openmpi-bin
[ -n "$fast" ] || sh .ci/install clang clang-format-14 libomp-dev valgrind shellcheck

# configure FOLDER OPTION...: the first time only.
configure() {
    [ -f "$1/build.ninja" ] || meson setup -Dwerror=true "$@"
    ninja -C "$1"
}

# tally RESULT.json: adds a run's tests to `passed` and `failed`. A Check binary counts its own; any other test is one.
passed=0 failed=0
tally() {
    counts=$(awk '
        { ok = /"result": "(OK|EXPECTEDFAIL)"/; skipped = /"result": "SKIP"/ }
        !/"result": "EXPECTEDFAIL"/ && match($0, /Checks: [0-9]+, Failures: [0-9]+, Errors: [0-9]+/) {
            split(substr($0, RSTART, RLENGTH), n, /[^0-9]+/)
            bad = n[3] + n[4]
            passed += n[2] - bad
            failed += bad + (!ok && bad == 0)
            next
        }
        { passed += ok; failed += !ok && !skipped }
        END { print passed + 0, failed + 0 }' "$1")
    passed=$((passed + ${counts% *})) failed=$((failed + ${counts#* }))
}

# run_tests FOLDER LOG OPTION...
run_tests() {
    folder=$1 log=$1/meson-logs/$2.json
    shift 2
    rm -f "$log"
    meson test -C "$folder" --no-rebuild --print-errorlogs "$@" || [ -f "$log" ] || failed=$((failed + 1))
    [ ! -f "$log" ] || tally "$log"
}

sanitizers='-Doptimization=1 -Db_sanitize=address,undefined -Db_lundef=false'
# shellcheck disable=SC2086  # a list of options
if [ -n "$fast" ]; then
    export TG_FAST=1 CK_EXCLUDE_TAGS='slow table spawn' OMP_WAIT_POLICY=passive
    configure build/fast $sanitizers -Dkernels=avx2
    run_tests build/fast testlog --no-suite browser --no-suite install --no-suite trainings --no-suite examples
else
    echo '== gcc, sanitizers'
    configure build/asan $sanitizers
    run_tests build/asan testlog
    echo '== clang'
    CC=clang configure build/clang -Dc_args=-gdwarf-4 # Valgrind of Debian 12 reads no later one
    run_tests build/clang testlog
    echo '== valgrind'
    run_tests build/clang testlog-valgrind --setup valgrind
    echo '== format'
    status=0
    sh tests/format.sh || status=$?
    case $status in 0) passed=$((passed + 1)) ;; 77) ;; *) failed=$((failed + 1)) ;; esac
    echo '== shellcheck'
    if shellcheck .ci/* tests/*.sh tests/install/run.sh tests/faults/run.sh tests/autograd/trace/browser/page.sh tests/ops/nn/dist/mpi.sh examples/*.sh; then passed=$((passed + 1)); else failed=$((failed + 1)); fi
fi

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
