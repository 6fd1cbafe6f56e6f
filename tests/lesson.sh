#!/bin/sh
# A lesson as its reader runs it: unsolved it fails and names the first gradient that is wrong; solved it is right. Both write the page,
# with the lesson's own lines in it.
# usage: lesson.sh PROGRAM BEGINNING TEXT; of the unsolved one a line begins so, and has that text in it.
set -eu
program=$1 begins=$2 says=$3
folder=$(mktemp -d) && trap 'rm -rf "$folder"' EXIT
fail() { printf 'lesson.sh: %s\n' "$1" >&2 && exit 1; }

run() { "$program" "$@" >"$folder/out" 2>"$folder/err"; }
run "$folder/unsolved.html" && fail "the exercise is solved already"
cat "$folder/out" "$folder/err"
sed 's/^ *//' "$folder/out" | awk -v begins="$begins" -v says="$says" \
    'index($0, begins) == 1 && index($0, says) { found = 1 } END { exit !found }' || fail "no line begins with \"$begins\" and has \"$says\""
run --solved "$folder/solved.html" || { cat "$folder/out" "$folder/err" && fail "the solution is wrong"; }
cat "$folder/out"
grep -q '^ *right: ' "$folder/out" || fail "it does not say that it is right"
[ ! -s "$folder/err" ] || fail "it writes errors"
run --solved || fail "it fails without a page"

for page in unsolved solved; do
    tail -n 1 "$folder/$page.html" | grep -q '</html>' || fail "$page.html is not whole"
    grep -q '"found":true,.*tg_tape_mark()' "$folder/$page.html" || fail "$page.html lacks the lines of the lesson"
done
[ "$(grep -c . "$folder/unsolved.html")" -gt 50 ] || fail "the page is empty"
