#!/bin/sh
# The macros at the end of ops/calls.h, printed from the public headers: one for each function that takes or makes tensors,
# tapes, models or optimisers, in the order in which ops/tapegrad.h includes the headers.
# usage: calls.sh [--write | --check] [SOURCE_ROOT]; --write puts them there, --check fails when others stand there.
set -eu
mode=print
case ${1-} in --*) mode=${1#--} && shift ;; esac
cd "${1:-.}"

included() { sed -n 's/^#include "\([^"]*\)".*/\1/p' "$@"; }
headers() {
    included ops/tapegrad.h | while read -r header; do
        case $header in
        ops/rooms.h) included ops/rooms.h ;;
        # What cannot fail, what the library calls back, and what a function of the user's own calls on behalf of its caller.
        core/error.h | core/memory.h | core/parallel.h | core/update.h | core/version.h | autograd/composed.h | autograd/check/verdict.h | autograd/check/function.h | ops/calls.h) ;;
        ops/nn/train/interrupt.h | ops/nn/train/progress.h | ops/nn/dist/transport.h) ;;
        ops/nn/layers/layer.h | ops/nn/losses/loss_parts.h | ops/nn/model/object.h) ;;
        *) echo "$header" ;;
        esac
    done
}

print_calls() {
    # shellcheck disable=SC2046  # the names are separate words
    awk '
    BEGIN {
        n = split("at poison from_with from_sizes is_poison is_alive describe tape_mark tape_nodes tape_tensors tape_current " \
            "set_grad_enabled grad_enabled callback_begin callback_end default_rng seed philox rng_bits rng_uniform rng_normal " \
            "rng_below rng_shuffle rng_derive utf8_decode checkpoint_with plan_stats_of profile_stats_of dist_stats_of grad_with vjp_with jvp_with jacobian_with hessian_with hvp_with " \
            "gradcheck_with loader_new_with plot_lines_with plot_scatter_with no_grad out call_fail call_input infer_same infer_broadcast needs node_in node_out", word, " ")
        for (i = 1; i <= n; i++) plain["tg_" word[i]] = 1
    }
    function noted(result, call) {
        if (result == "tg_tensor *") return "TG_AT(" call ")"
        if (result == "tg_status") return "TG_STATUS_AT(" call ")"
        if (result == "void") return "TG_VOID_AT(" call ")"
        if (result ~ /\*$/) return "TG_POINTER_AT(" result ", " call ")"
        return "TG_VALUE_AT(" result ", " call ")"
    }
    function print_call(text,    result, name, form, n, part, last, from) {
        match(text, /tg_[a-z0-9_]+\(/)
        result = substr(text, 1, RSTART - 1)
        name = substr(text, RSTART, RLENGTH - 1)
        sub(/ $/, "", result)
        if (name in plain) return
        n = split(substr(text, RSTART + RLENGTH), part, ",")
        last = part[n]
        gsub(/^ | [a-z_]+\)$/, "", last)
        form = name
        from = "__VA_ARGS__"
        if (sub(/_with$/, "", form)) {
            if (last == "tg_shape") from = "TG_WITH_SHAPE(" n - 1 ", __VA_ARGS__)"
            else if (last ~ /_(opts|update)$/) from = "TG_WITH_OPTIONS(" n - 1 ", " last ", __VA_ARGS__)"
            else {
                gsub(/^const |(const )?\*[a-z_]+\)$/, "", last)
                sub(/ $/, "", last)
                from = "TG_WITH_LIST(" last ", __VA_ARGS__)"
            }
        }
        text = noted(result, name "(" from ")")
        if (length(form) + length(text) < 104) print "#define " form "(...) " text
        else print "#define " form "(...) \\\n    " text
    }
    FNR == 1 { text = ""; print "\n/* " FILENAME " */" }
    { gsub(/\/\*([^*]|\*[^\/])*\*\//, "") }
    /^TG_API / { text = "" ; open = 1 }
    open { line = $0; sub(/^ +/, " ", line); text = text line }
    open && /;/ {
        open = 0
        sub(/^TG_API /, "", text)
        sub(/;.*/, "", text)
        print_call(text)
    }' $(headers)
}

case $mode in
print) print_calls ;;
write | check)
    { sed '/^\/\* ---- all the others:/q' ops/calls.h && print_calls && printf '\n#endif\n'; } >calls.new || { rm -f calls.new && exit 1; }
    if [ "$mode" = write ]; then
        mv calls.new ops/calls.h
    else
        same=0
        cmp -s calls.new ops/calls.h || same=1
        rm -f calls.new
        [ "$same" = 0 ] || { echo "ops/calls.h is out of date: sh tests/calls.sh --write" && exit 1; }
    fi
    ;;
esac
