#!/bin/sh
# Two examples under mpirun, with 1 to 4 processes: the same weights to the last bit; then one process is killed in the midst of a
# training, which ends the others, and another number of processes goes on from the checkpoint to the same weights.
# usage: mpi.sh FASHION_MNIST CHAR_GPT TEXT ADOPT
set -eu
fashion=$1 gpt=$2 text=$3 adopt=$4
command -v mpirun >/dev/null || { echo "skipped: there is no mpirun (Debian: openmpi-bin)" && exit 77; }
# Tests may run as root, on fewer cores than processes.
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_rmaps_base_oversubscribe=1
export OMPI_MCA_hwloc_base_binding_policy=none OMPI_MCA_btl_vader_single_copy_mechanism=none OMP_NUM_THREADS=1
timeout 60 mpirun -np 2 true >/dev/null 2>&1 || { echo "skipped: mpirun cannot start two processes here" && exit 77; }
# What MPI itself leaves behind is not ours.
export ASAN_OPTIONS="${ASAN_OPTIONS-}:detect_leaks=0"
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

say() { echo "mpi.sh: $*" >&2; }

# last COMMAND...: its last line, which tells the weights.
last() {
    timeout 250 "$@" >"$folder/out" 2>&1 || { say "$* failed:" && cat "$folder/out" >&2 && exit 1; }
    tail -n 1 "$folder/out"
}

# same NAME WANT IS
same() {
    case $2 in 'parameters 0x'????????????????) ;; *) say "$1: no hash, but $2" && exit 1 ;; esac
    [ "$2" = "$3" ] || { say "$1: $3, not $2" && exit 1; }
}

train() { # PROCESSES ARGUMENT...
    n=$1 && shift
    last mpirun -np "$n" "$fashion" --data drawn --train 1000 --test 300 --threads 1 --dist --hash "$@"
}

alone=$(last "$fashion" --data drawn --train 1000 --test 300 --threads 2 --dist --hash --epochs 2)
echo "fashion_mnist: $alone"
for n in 1 2 3 4; do same "fashion_mnist, $n processes" "$alone" "$(train $n --epochs 2)"; done

alone=$(last "$gpt" --text "$text" --steps 6 --every 3 --folder "$folder/gpt" --length 5 --dist --hash)
echo "char_gpt: $alone"
for n in 2 4; do
    same "char_gpt, $n processes" "$alone" \
        "$(last mpirun -np $n "$gpt" --text "$text" --steps 6 --every 3 --folder "$folder/gpt" --length 5 --dist --hash)"
done

# A program with MPI of its own, in two groups.
last mpirun -np 4 "$adopt"

# Killed after the first checkpoint, of many epochs: it cannot be through by then.
whole=$(train 2 --epochs 12 --folder "$folder/whole")
mkdir "$folder/killed"
mpirun -np 3 "$fashion" --data drawn --train 1000 --test 300 --threads 1 --dist --epochs 12 --folder "$folder/killed" \
    >"$folder/out" 2>&1 &
job=$!
tries=0
while [ ! -e "$folder/killed/latest.safetensors" ]; do
    tries=$((tries + 1))
    [ $tries -lt 1200 ] || { say "no checkpoint:" && cat "$folder/out" >&2 && exit 1; }
    sleep 0.05
done
rank=$(ps -o pid= --ppid $job | sed -n 2p)
kill -9 "$rank" 2>/dev/null || say "it was through before it was killed"
if wait $job; then say "a killed rank is no failure"; fi
same "goes on with 4 processes" "$whole" "$(train 4 --epochs 12 --folder "$folder/killed" --resume)"
echo "killed, and gone on with: $whole"
