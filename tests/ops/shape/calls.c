/* Calls of views, slices, joining, splitting, padding and diagonals. */
#include "tests/ops/harness.h"

#include <math.h>

/* A call is no composition unless it says so. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* The n numbers from position `from` on, or as many as there are, as a shape or list of axes. */
static tg_shape list(const arguments *a, int from, int n) {
    tg_shape s = {0, {0}};
    for (int i = from; i < a->n && s.rank < n; i++) s.dim[s.rank++] = (int64_t)a->v[i];
    return s;
}

static tg_shape dims(const arguments *a) { return list(a, 0, TG_MAX_RANK); }
static int axis(const arguments *a, int i) { return (int)a->v[i]; }
static int64_t whole(const arguments *a, int i) { return (int64_t)a->v[i]; }
static int64_t bound(const arguments *a, int i) { return isinf(a->v[i]) ? TG_END : whole(a, i); }

#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { return expression; }

CALL(reshape, tg_reshape_with(in[0], dims(a)))
CALL(permute, tg_permute_with(in[0], dims(a)))
CALL(transpose, tg_transpose(in[0], axis(a, 0), axis(a, 1)))
CALL(expand, tg_expand_with(in[0], dims(a)))
CALL(squeeze, tg_squeeze(in[0], axis(a, 0)))
CALL(unsqueeze, tg_unsqueeze(in[0], axis(a, 0)))
CALL(to, tg_to(in[0], (tg_dtype)axis(a, 0)))
CALL(slice, tg_slice(in[0], axis(a, 0), bound(a, 1), bound(a, 2), bound(a, 3))) /* axis, start, stop, step */
/* the same, after x and src */
CALL(slice_scatter, tg_slice_scatter(in[0], in[1], axis(a, 0), bound(a, 1), bound(a, 2), bound(a, 3)))
CALL(concat, tg_concat_with(axis(a, 0), 2, in)) /* axis */
CALL(concat_1, tg_concat_with(axis(a, 0), 1, in))
CALL(concat_3, tg_concat_with(axis(a, 0), 3, in))
CALL(stack, tg_stack_with(axis(a, 0), 2, in)) /* axis */
CALL(stack_3, tg_stack_with(axis(a, 0), 3, in))
CALL(tile, tg_tile_with(in[0], dims(a)))
CALL(repeat, tg_repeat_with(in[0], dims(a)))
CALL(flip, tg_flip_with(in[0], dims(a)))
CALL(roll, tg_roll(in[0], whole(a, 0), axis(a, 1)))                     /* shift, axis */
CALL(flatten, tg_flatten(in[0], axis(a, 0), axis(a, 1)))                /* first, last */
CALL(select, tg_select(in[0], axis(a, 0), whole(a, 1)))                 /* axis, index */
CALL(narrow, tg_narrow(in[0], axis(a, 0), whole(a, 1), whole(a, 2)))    /* axis, start, length */
CALL(diagonal, tg_diagonal(in[0], whole(a, 0), axis(a, 1), axis(a, 2))) /* offset, axes */
CALL(diagonal_scatter, tg_diagonal_scatter(in[0], in[1], whole(a, 0), axis(a, 1), axis(a, 2)))
CALL(diag_embed, tg_diag_embed(in[0], whole(a, 0))) /* offset */
CALL(diag, tg_diag(in[0], whole(a, 0)))
CALL(tril, tg_tril(in[0], whole(a, 0)))
CALL(triu, tg_triu(in[0], whole(a, 0)))

static tg_tensor *call_contiguous(tg_tensor *const *in, const arguments *a) {
    (void)a;
    return tg_contiguous(in[0]);
}

/* x through the other float type and back, so that `to` can be held against differences in f64. */
static tg_tensor *call_to_and_back(tg_tensor *const *in, const arguments *a) {
    (void)a;
    tg_dtype f = tg_dtype_of(in[0]);
    return tg_to(tg_to(in[0], f == TG_F64 ? TG_F32 : TG_F64), f);
}

/* mode, value, n, then n numbers before and n after */
static tg_tensor *call_pad(tg_tensor *const *in, const arguments *a) {
    int n = axis(a, 2);
    return tg_pad(in[0], .mode = (tg_pad_mode)axis(a, 0), .value = a->v[1], .before = list(a, 3, n),
                  .after = list(a, 3 + n, n));
}

/* which piece, axis, sizes */
static tg_tensor *call_split(tg_tensor *const *in, const arguments *a) {
    int64_t sizes[MAX_ARG] = {0};
    tg_tensor *out[MAX_ARG];
    for (int i = 2; i < a->n; i++) sizes[i - 2] = whole(a, i);
    tg_split(in[0], axis(a, 1), a->n - 2, sizes, out);
    return out[axis(a, 0)];
}

/* which piece, axis, how many */
static tg_tensor *call_chunk(tg_tensor *const *in, const arguments *a) {
    tg_tensor *out[MAX_ARG];
    int n = axis(a, 2), got = tg_chunk(in[0], axis(a, 1), n, out);
    for (int i = 0; i < n; i++) ck_assert_int_eq(tg_is_poison(out[i]), i >= got);
    return n > 0 ? out[axis(a, 0)] : tg_poison();
}

CALL(pixel_shuffle, tg_pixel_shuffle(in[0], whole(a, 0))) /* the factor */
CALL(pixel_unshuffle, tg_pixel_unshuffle(in[0], whole(a, 0)))

#define SELF(name) \
    { #name, #name, call_##name }
#define OF(op, name) \
    { #name, #op, call_##name, .composed = true }
static const call calls[] = {
    SELF(reshape),
    SELF(permute),
    SELF(expand),
    SELF(contiguous),
    SELF(to),
    {"to_and_back", "to", call_to_and_back, false, "tg_dtype_of"},
    SELF(slice),
    SELF(slice_scatter),
    {"transpose", "permute", call_transpose},
    {"squeeze", "reshape", call_squeeze},
    {"unsqueeze", "reshape", call_unsqueeze},
    SELF(concat),
    {"concat_1", "concat", call_concat_1},
    {"concat_3", "concat", call_concat_3},
    OF(concat, stack),
    OF(concat, stack_3),
    OF(expand, tile),
    OF(expand, repeat),
    OF(slice, flip),
    OF(concat, roll),
    OF(reshape, flatten),
    OF(slice, select),
    OF(slice, narrow),
    OF(slice, split),
    OF(slice, chunk),
    SELF(pad),
    SELF(diagonal),
    SELF(diagonal_scatter),
    OF(diagonal_scatter, diag_embed),
    {"diag", "diagonal", call_diag, .composed = true},
    OF(masked_fill, tril),
    OF(masked_fill, triu),
    OF(permute, pixel_shuffle),
    OF(permute, pixel_unshuffle),
    {"pad_index", "index_select", call_pad, .composed = true},
};

extern const call_table calls_shape;
const call_table calls_shape = {calls, COUNT(calls)};
