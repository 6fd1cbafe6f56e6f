#!/bin/sh
# The first losses of examples/char_gpt.c against those of PyTorch from the same weights, to 1e-4 of themselves.
# usage: char_gpt.sh CHAR_GPT TEXT LOSSES, the last as char_gpt.py has written them
set -eu
folder=$(mktemp -d)
trap 'rm -r "$folder"' EXIT
"$1" --text "$2" --steps 50 --every 1 --lr 0.001 --dropout 0 --length 50 --folder "$folder" >"$folder/said" || {
    cat "$folder/said"
    exit 1
}
awk -F, 'NR == FNR { want[NR] = $1; next }
    FNR > 1 { n++; d = $6 / want[n] - 1; if (d < 0) d = -d; if (!(d <= worst)) worst = d }
    END { printf "%d losses, the worst relative difference is %.2g\n", n, worst; exit !(n == 50 && worst <= 1e-4) }' \
    "$3" "$folder/log.csv"
