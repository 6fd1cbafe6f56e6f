#!/bin/sh
# Whether the C sources look as clang-format 14 would have them, tables excepted: the calls, rows and cases of tests/ops/<room>/ have
# columns that it does not know, and ops/calls.h is printed. usage: format.sh [--fix]; without clang-format 14 it says so and skips (exit status 77).
set -eu
cd "$(dirname "$0")/.."
format=
for name in clang-format-14 clang-format; do
    [ -n "$format" ] || ! "$name" --version 2>/dev/null | grep -q 'version 14\.' || format=$name
done
[ -n "$format" ] || { echo 'clang-format 14 is not installed: the format was not checked' && exit 77; }
case "${1-}" in
--fix) set -- -i ;;
'') set -- --dry-run --Werror ;;
*) echo 'usage: format.sh [--fix]' >&2 && exit 2 ;;
esac
find core autograd ops examples tests -name '*.[ch]' ! -path ops/calls.h \( ! -path 'tests/ops/*/*' -o -path 'tests/ops/nn/*' \) -exec "$format" "$@" {} +
