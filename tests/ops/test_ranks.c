/* Ops along each axis of tensors of seven and eight axes, against the same along the middle one of three; over each set of
 * axes, against the last of two; broadcasting both ways, against expanded copies; products of many batch axes. Values are
 * the same to the bit (whole numbers where there are sums), gradients too.
 */
#include "tests/ops/harness.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

static tg_mark start;
static void setup(void) {
    tg_error_clear();
    start = tg_tape_mark();
}
static void teardown(void) {
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    tg_tape_rewind(start);
}

/* Whole numbers of which many are equal; `salt` tells operands apart. */
static tg_tensor *numbers(tg_dtype dtype, tg_shape shape, int salt) {
    tg_tensor *x = tg_zeros_with(dtype, shape);
    for (int64_t i = 0; i < tg_numel(x); i++)
        tg_array_set(tg_array_of(x), i, (double)((i * 7919 + salt * 104729) % 13 + (i + salt) % 3) - 6);
    return x;
}

/* The same elements lying in another order: axes turned around in memory. */
static tg_tensor *turned(tg_tensor *x) {
    tg_shape s = tg_shape_of(x), order = s, back = s;
    for (int i = 0; i < s.rank; i++) order.dim[i] = s.rank - 1 - i, back.dim[s.rank - 1 - i] = i;
    return tg_permute_with(tg_contiguous(tg_permute_with(x, order)), back);
}

static void same_elements(const char *what, int axis, const tg_tensor *a, const tg_tensor *b) {
    ck_assert_msg(tg_error_status() == TG_OK, "%s, axis %d: %s", what, axis, tg_error_message());
    ck_assert_msg(tg_numel(a) == tg_numel(b) && tg_dtype_of(a) == tg_dtype_of(b),
                  "%s, axis %d: %d elements, not %d", what, axis, (int)tg_numel(a), (int)tg_numel(b));
    for (int64_t i = 0; i < tg_numel(a); i++) {
        double x = tg_get(a, i), y = tg_get(b, i);
        if (x != y && !(isnan(x) && isnan(y)) && !(fabs(x - y) <= 1e-12 * fmax(1, fabs(y))))
            ck_abort_msg("%s, axis %d: element %d is %.17g, not %.17g", what, axis, (int)i, x, y);
    }
}

/* ---- along an axis ---- */

typedef tg_tensor *along(tg_tensor *x, int axis);

static tg_shape one_axis(int axis) { return TG_SHAPE(axis); }
static tg_shape padded(const tg_tensor *x, int axis, int64_t n) {
    tg_shape s = {tg_rank(x), {0}};
    s.dim[tg_axis(axis, s.rank)] = n;
    return s;
}
static tg_tensor *positions(const tg_tensor *x, int axis, int64_t n, bool all) {
    tg_shape s = tg_shape_of(x);
    int at = tg_axis(axis, s.rank);
    int64_t size = s.dim[at];
    s.dim[at] = n;
    tg_tensor *index = tg_zeros_with(TG_I64, all ? s : TG_SHAPE(n));
    for (int64_t i = 0; i < tg_numel(index); i++)
        tg_array_set(tg_array_of(index), i, (double)(i * 5 % 7 % (2 * size) - size));
    return index;
}

#define ALONG(NAME, VALUE) \
    static tg_tensor *along_##NAME(tg_tensor *x, int axis) { return VALUE; }
ALONG(sum, tg_sum(x, .axes = one_axis(axis)))
ALONG(mean, tg_mean(x, .axes = one_axis(axis), .keepdim = true))
ALONG(prod, tg_prod(x, .axes = one_axis(axis)))
ALONG(amax, tg_amax(x, .axes = one_axis(axis)))
ALONG(amin, tg_amin(x, .axes = one_axis(axis), .keepdim = true))
ALONG(logsumexp, tg_logsumexp(x, .axes = one_axis(axis)))
ALONG(var, tg_var(x, .axes = one_axis(axis)))
ALONG(norm, tg_norm(x, .axes = one_axis(axis)))
ALONG(max, tg_max(x, axis))
ALONG(min, tg_min(x, axis, .keepdim = true))
ALONG(argmax, tg_argmax(x, axis))
ALONG(argmin, tg_argmin(x, axis))
ALONG(any, tg_any(x, .axes = one_axis(axis)))
ALONG(all, tg_all(x, .axes = one_axis(axis)))
ALONG(softmax, tg_softmax(x, axis))
ALONG(log_softmax, tg_log_softmax(x, axis))
ALONG(cumsum, tg_cumsum(x, axis))
ALONG(cumsum_back, tg_cumsum(x, axis, .reverse = true, .exclusive = true))
ALONG(cumprod, tg_cumprod(x, axis))
ALONG(cumprod_back, tg_cumprod(x, axis, .reverse = true))
ALONG(linear_scan, tg_linear_scan(x, x, axis, false))
ALONG(sort, tg_sort(x, axis))
ALONG(sort_down, tg_sort(x, axis, .descending = true))
ALONG(topk, tg_topk(x, 1, axis))
ALONG(flip, tg_flip_with(x, one_axis(axis)))
ALONG(roll, tg_roll(x, 1, axis))
ALONG(slice, tg_slice(x, axis, 1, TG_END, 1))
ALONG(slice_two, tg_slice(x, axis, 0, TG_END, 2))
ALONG(slice_back, tg_slice(x, axis, TG_END, TG_END, -1))
ALONG(slice_back_two, tg_slice(x, axis, TG_END, TG_END, -2))
ALONG(slice_lowest, tg_slice(x, axis, TG_END, TG_END, INT64_MIN))
ALONG(narrow, tg_narrow(x, axis, -1, 1))
ALONG(select, tg_select(x, axis, -1))
ALONG(concat, tg_concat(axis, x, x, x))
ALONG(pad, tg_pad(x, .before = padded(x, axis, 2), .after = padded(x, axis, 1), .value = 3))
ALONG(cut, tg_pad(x, .before = padded(x, axis, 1), .after = padded(x, axis, -1)))
ALONG(replicate, tg_pad(x, .before = padded(x, axis, 2), .after = padded(x, axis, 3), .mode = TG_PAD_REPLICATE))
ALONG(index_select, tg_index_select(x, axis, positions(x, axis, 5, false)))
ALONG(gather, tg_gather(x, axis, positions(x, axis, 5, true)))
ALONG(scatter_add,
      tg_scatter_add(x, axis, positions(x, axis, 5, true), tg_gather(x, axis, positions(x, axis, 5, true))))
ALONG(scatter,
      tg_scatter(x, axis, positions(x, axis, 3, true), tg_gather(x, axis, positions(x, axis, 3, true))))
ALONG(slice_scatter, tg_slice_scatter(x, tg_slice(x, axis, 0, 1, 1), axis, -1, TG_END, 1))

static const struct {
    const char *name;
    along *f;
    bool derived; /* has a gradient */
} alongs[] = {
#define A(NAME) \
    { #NAME, along_##NAME, true }
    A(sum),
    A(mean),
    A(prod),
    A(amax),
    A(amin),
    A(logsumexp),
    A(var),
    A(norm),
    A(max),
    A(min),
    {"argmax", along_argmax, false},
    {"argmin", along_argmin, false},
    {"any", along_any, false},
    {"all", along_all, false},
    A(softmax),
    A(log_softmax),
    A(cumsum),
    A(cumsum_back),
    A(cumprod),
    A(cumprod_back),
    A(linear_scan),
    A(sort),
    A(sort_down),
    A(topk),
    A(flip),
    A(roll),
    A(slice),
    A(slice_two),
    A(slice_back),
    A(slice_back_two),
    A(slice_lowest),
    A(narrow),
    A(select),
    A(concat),
    A(pad),
    A(cut),
    A(replicate),
    A(index_select),
    A(gather),
    A(scatter_add),
    A(scatter),
    A(slice_scatter),
};
enum { ALONGS = sizeof alongs / sizeof *alongs };

static void check_along(int which, tg_shape s, int axis, bool odd) {
    int at = tg_axis(axis, s.rank);
    int64_t outer = 1, inner = 1;
    for (int i = 0; i < s.rank; i++) *(i < at ? &outer : &inner) *= i == at ? 1 : s.dim[i];
    tg_tensor *x = tg_set_requires_grad(numbers(TG_F64, s, 1), true),
              *three = tg_set_requires_grad(numbers(TG_F64, TG_SHAPE(outer, s.dim[at], inner), 1), true);
    tg_tensor *y = alongs[which].f(odd ? turned(x) : x, axis), *want = alongs[which].f(three, 1), *g, *h;
    same_elements(alongs[which].name, axis, y, want);
    if (!alongs[which].derived) return;
    tg_tensor *seed = numbers(TG_F64, tg_shape_of(y), 2), *flat = tg_reshape_with(seed, tg_shape_of(want));
    for (int record = 0; record < 2; record++) {
        tg_grad(1, &y, 1, &x, &g, .seeds = &seed, .retain = true, .create_graph = record);
        tg_grad(1, &want, 1, &three, &h, .seeds = &flat, .retain = true);
        same_elements(alongs[which].name, axis, g, h);
    }
}

START_TEST(along_each_axis) {
    static const tg_shape shapes[] = {
        {7, {2, 3, 1, 2, 4, 2, 3}}, {8, {2, 1, 3, 2, 2, 3, 2, 2}}, {6, {3, 2, 3, 2, 2, 3}}};
    for (int k = 0; k < 3; k++)
        for (int axis = 0; axis < shapes[k].rank; axis++) {
            if (_i >= ALONGS) continue;
            tg_mark mark = tg_tape_mark();
            check_along(_i, shapes[k], (axis + k) % 2 ? axis : axis - shapes[k].rank, k % 2 == 0);
            check_along(_i, shapes[k], axis, k % 2 == 1);
            tg_tape_rewind(mark);
        }
}
END_TEST

/* ---- over a set of axes ---- */

typedef tg_tensor *over(tg_tensor *x, tg_reduce_opts opts);
static tg_tensor *over_var(tg_tensor *x, tg_reduce_opts o) {
    return tg_var(x, .axes = o.axes, .keepdim = o.keepdim, .biased = true);
}
static tg_tensor *over_norm(tg_tensor *x, tg_reduce_opts o) {
    return tg_norm(x, .axes = o.axes, .keepdim = o.keepdim);
}
static over *const overs[] = {tg_sum_with,       tg_mean_with, tg_amax_with, tg_amin_with,
                              tg_logsumexp_with, tg_any_with,  tg_all_with,  tg_count_nonzero_with,
                              over_var,          over_norm};

/* All sets of the axes of a tensor, in the order of memory or turned: the kept ones first, then the others as one. */
START_TEST(over_each_set_of_axes) {
    tg_shape s = {7, {2, 3, 1, 2, 3, 2, 2}};
    for (unsigned set = 1; set < 1u << s.rank; set++) {
        tg_mark mark = tg_tape_mark();
        tg_shape order = {0}, axes = {0};
        int64_t kept = 1, gone = 1;
        for (int pass = 0; pass < 2; pass++)
            for (int i = 0; i < s.rank; i++)
                if ((int)(set >> i & 1) == pass)
                    order.dim[order.rank++] = i, *(pass ? &gone : &kept) *= s.dim[i];
        for (int i = s.rank - 1; i >= 0; i--)
            if (set >> i & 1) axes.dim[axes.rank++] = (set + (unsigned)i) % 2 ? i : i - s.rank;
        for (size_t k = 0; k < sizeof overs / sizeof *overs; k++) {
            tg_tensor *x = tg_set_requires_grad(numbers(TG_F64, s, 3), true),
                      *two = tg_reshape(tg_permute_with(x, order), kept, gone), *g, *h;
            bool keep = (set + k) % 2;
            tg_tensor *y = overs[k](set % 3 ? x : turned(x), (tg_reduce_opts){.axes = axes, .keepdim = keep}),
                      *want = overs[k](two, (tg_reduce_opts){.axes = TG_SHAPE(1)});
            same_elements("a set of axes", (int)set, y, want);
            ck_assert_int_eq(tg_rank(y), keep ? s.rank : s.rank - axes.rank);
            if (!tg_requires_grad(y)) continue;
            tg_tensor *seed = numbers(TG_F64, tg_shape_of(y), 2),
                      *flat = tg_reshape_with(seed, tg_shape_of(want));
            tg_grad(1, &y, 1, &x, &g, .seeds = &seed, .retain = true);
            tg_grad(1, &want, 1, &x, &h, .seeds = &flat, .retain = true);
            same_elements("the gradient over a set of axes", (int)set, g, h);
        }
        tg_tape_rewind(mark);
    }
}
END_TEST

/* ---- two operands ---- */

typedef tg_tensor *binary(tg_tensor *a, tg_tensor *b);
static tg_tensor *chosen_by_sign(tg_tensor *a, tg_tensor *b) {
    return tg_where(tg_gt(a, tg_scalar(TG_F64, 0)), a, b);
}
static tg_tensor *filled_by_sign(tg_tensor *a, tg_tensor *b) {
    return tg_masked_fill(tg_add(a, b), tg_lt(b, tg_scalar(TG_F64, 0)), 2);
}
static binary *const binaries[] = {
    tg_add,        tg_sub,         tg_mul,         tg_maximum,     tg_minimum,   tg_hypot,   tg_atan2,
    tg_eq,         tg_ne,          tg_lt,          tg_le,          tg_gt,        tg_ge,      tg_logical_and,
    tg_logical_or, tg_logical_xor, chosen_by_sign, filled_by_sign, tg_logaddexp, tg_copysign};

START_TEST(broadcast_both_ways) {
    tg_shape full = {7, {2, 3, 2, 2, 3, 1, 2}};
    for (unsigned set = 0; set < 1u << full.rank; set++) {
        tg_mark mark = tg_tape_mark();
        tg_shape sa = full, sb = full;
        for (int i = 0; i < full.rank; i++)
            *(set >> i & 1 ? &sa.dim[i]
              : i % 3      ? &sb.dim[i]
                           : &sa.dim[6]) = set >> i & 1 || i % 3 ? 1 : sa.dim[6];
        for (int cut = (int)(set % 3); cut > 0 && sb.dim[0] == 1 && sb.rank > 4;
             cut--) { /* missing axes repeat as well */
            for (int i = 1; i < sb.rank; i++) sb.dim[i - 1] = sb.dim[i];
            sb.rank--;
        }
        for (size_t k = 0; k < sizeof binaries / sizeof *binaries; k++) {
            tg_tensor *a = tg_set_requires_grad(numbers(TG_F64, sa, 1), true),
                      *b = tg_set_requires_grad(numbers(TG_F64, sb, 4), true);
            tg_shape both;
            ck_assert(tg_shape_broadcast(sa, sb, &both));
            tg_tensor *wide_a = tg_contiguous(tg_expand_with(a, both)),
                      *wide_b = tg_contiguous(tg_expand_with(b, both));
            tg_tensor *y = binaries[k](set % 2 ? a : turned(a), b), *want = binaries[k](wide_a, wide_b),
                      *g[2], *h[2], *in[2] = {a, b};
            same_elements("broadcast", (int)set, y, want);
            if (!tg_requires_grad(y)) continue;
            tg_tensor *seed = numbers(TG_F64, both, 2);
            tg_grad(1, &y, 2, in, g, .seeds = &seed, .retain = true, .allow_unused = true);
            tg_grad(1, &want, 2, in, h, .seeds = &seed, .retain = true, .allow_unused = true);
            for (int i = 0; i < 2; i++) same_elements("the gradient of broadcast", (int)k, g[i], h[i]);
        }
        tg_tape_rewind(mark);
    }
}
END_TEST

/* ---- products and layers ---- */

/* Batches of several axes, some repeated on either side, and vectors, against one product a matrix. */
START_TEST(products_of_many_batch_axes) {
    static const tg_shape as[] = {
        {6, {2, 1, 3, 2, 4, 5}},    {5, {3, 1, 2, 4, 5}}, {3, {2, 4, 5}}, {2, {4, 5}}, {1, {5}},
        {7, {2, 1, 1, 2, 1, 4, 5}}, {4, {1, 3, 4, 5}}};
    static const tg_shape bs[] = {
        {6, {2, 3, 3, 1, 5, 3}}, {4, {3, 2, 5, 3}},          {2, {5, 3}},   {1, {5}},
        {5, {3, 3, 2, 5, 3}},    {7, {1, 3, 1, 2, 2, 5, 3}}, {3, {2, 5, 3}}};
    for (int i = 0; i < 7; i++)
        for (int j = 0; j < 7; j++)
            for (int odd = 0; odd < 2; odd++) {
                tg_mark mark = tg_tape_mark();
                tg_shape la = as[i], lb = bs[j], lead;
                la.rank = la.rank > 2 ? la.rank - 2 : 0, lb.rank = lb.rank > 2 ? lb.rank - 2 : 0;
                if (!tg_shape_broadcast(la, lb, &lead)) continue;
                tg_tensor *a = tg_set_requires_grad(numbers(TG_F64, as[i], 1), true),
                          *b = tg_set_requires_grad(numbers(TG_F64, bs[j], 5), true), *in[2] = {a, b}, *g[2],
                          *h[2];
                tg_tensor *y = tg_matmul(odd ? turned(a) : a, odd ? turned(b) : b), *p = a, *q = b;
                if (as[i].rank == 1)
                    p = tg_unsqueeze(a, 0); /* [.., m, k, 1] times [.., 1, k, n], summed over k */
                if (bs[j].rank == 1) q = tg_unsqueeze(b, 1);
                if (tg_rank(p) == TG_MAX_RANK || tg_rank(q) == TG_MAX_RANK) continue;
                tg_tensor *want =
                    tg_sum(tg_mul(tg_unsqueeze(p, -1), tg_unsqueeze(q, -3)), .axes = TG_SHAPE(-2));
                same_elements("matmul", i * 10 + j, y, want);
                tg_tensor *seed = numbers(TG_F64, tg_shape_of(y), 2),
                          *flat = tg_reshape_with(seed, tg_shape_of(want));
                for (int record = 0; record < 2; record++) {
                    tg_grad(1, &y, 2, in, g, .seeds = &seed, .retain = true, .create_graph = record);
                    tg_grad(1, &want, 2, in, h, .seeds = &flat, .retain = true);
                    for (int k = 0; k < 2; k++)
                        same_elements("the gradient of matmul", i * 10 + j, g[k], h[k]);
                }
                ck_assert_int_eq(tg_backward(tg_sum(y), .retain = true),
                                 TG_OK); /* twice: the second adds to what is there */
                ck_assert_int_eq(tg_backward(tg_add(tg_sum(y), tg_sum(tg_matmul(a, b)))), TG_OK);
                tg_grad(1, (tg_tensor *[]){tg_sum(want)}, 2, in, h);
                for (int k = 0; k < 2; k++)
                    same_elements("three gradients", k, tg_grad_of(in[k]), tg_mul_scalar(h[k], 3));
                tg_tape_rewind(mark);
            }
}
END_TEST

/* Rows of many leading axes. */
START_TEST(rows_of_many_axes) {
    tg_shape s = {6, {2, 1, 3, 2, 2, 5}};
    for (int odd = 0; odd < 2; odd++) {
        tg_tensor *x = tg_set_requires_grad(numbers(TG_F64, s, 1), true),
                  *w = tg_set_requires_grad(numbers(TG_F64, TG_SHAPE(3, 5), 2), true),
                  *b = tg_set_requires_grad(numbers(TG_F64, TG_SHAPE(3), 3), true);
        tg_tensor *in[3] = {x, w, b}, *g[3], *h[3], *rows = tg_reshape(x, 24, 5), *from = odd ? turned(x) : x;
        tg_tensor *y = tg_linear(from, w, .bias = b), *want = tg_add(tg_matmul(rows, tg_transpose(w, 0, 1)), b);
        same_elements("linear", odd, y, want);
        tg_tensor *seed = numbers(TG_F64, tg_shape_of(y), 2), *flat = tg_reshape_with(seed, tg_shape_of(want));
        tg_grad(1, &y, 3, in, g, .seeds = &seed, .retain = true);
        tg_grad(1, &want, 3, in, h, .seeds = &flat, .retain = true);
        for (int k = 0; k < 3; k++) same_elements("the gradient of linear", k, g[k], h[k]);
        tg_tensor *scale = tg_set_requires_grad(numbers(TG_F64, TG_SHAPE(2, 5), 7), true),
                  *z = tg_layer_norm(from, .axes = 2, .weight = scale), *v[2] = {x, scale};
        tg_tensor *one = tg_layer_norm(tg_reshape(x, 12, 10), .weight = tg_reshape(scale, 10));
        same_elements("layer_norm", odd, z, one);
        seed = numbers(TG_F64, s, 2), flat = tg_reshape(seed, 12, 10);
        tg_grad(1, &z, 2, v, g, .seeds = &seed);
        tg_grad(1, &one, 2, v, h, .seeds = &flat);
        for (int k = 0; k < 2; k++) same_elements("the gradient of layer_norm", k, g[k], h[k]);
    }
}
END_TEST

/* ---- matrices in batches ---- */

enum { ORDER = 4, MATRICES = 12 };

static tg_tensor *matrices(void) { /* symmetric, positive definite, no two alike */
    tg_tensor *a = tg_zeros(TG_F64, 2, 1, 2, 3, ORDER, ORDER);
    for (int i = 0; i < MATRICES; i++)
        for (int r = 0; r < ORDER; r++)
            for (int c = 0; c < ORDER; c++)
                tg_array_set(tg_array_of(a), (i * ORDER + r) * ORDER + c,
                             r == c ? 6 + i : (double)((r + c) * (i + 1) % 3) / 2);
    return a;
}
static tg_tensor *cholesky_of(tg_tensor *a) { return tg_cholesky(a); }
static tg_tensor *inverse_of(tg_tensor *a) { return tg_inverse(a); }
static tg_tensor *det_of(tg_tensor *a) { return tg_det(a); }
static tg_tensor *solve_of(tg_tensor *a) { return tg_solve(a, tg_narrow(a, -1, 0, 2)); }

/* Each of many batch axes as by itself; of several that fail the first is named. */
START_TEST(matrices_in_batches) {
    static tg_tensor *(*const calls[])(tg_tensor *) = {cholesky_of, inverse_of, det_of, solve_of};
    for (int k = 0; k < 4; k++)
        for (int odd = 0; odd < 2; odd++) {
            tg_mark mark = tg_tape_mark();
            tg_tensor *a = matrices(),
                      *y = calls[k](odd ? tg_transpose(tg_transpose(turned(a), 0, 3), 0, 3) : a);
            int64_t each = tg_numel(y) / MATRICES;
            for (int i = 0; i < MATRICES; i++) {
                tg_tensor *one = calls[k](tg_narrow(tg_reshape(a, MATRICES, ORDER, ORDER), 0, i, 1));
                for (int64_t e = 0; e < each; e++)
                    ck_assert(fabs(tg_get(one, e) - tg_get(y, i * each + e)) <=
                              1e-13 * fmax(1, fabs(tg_get(one, e))));
            }
            tg_tape_rewind(mark);
        }
    for (int first = 0; first < MATRICES; first++)
        for (int second = first; second < MATRICES; second++)
            for (int zero = 0; zero < 2; zero++) {
                tg_mark mark = tg_tape_mark();
                static char message[1000];
                tg_tensor *a = matrices();
                for (int m = 0; m < 2; m++) { /* the last pivot, negative or 0 */
                    int64_t i = m ? second : first;
                    for (int c = 0; c < ORDER; c++) {
                        tg_array_set(tg_array_of(a), i * 16 + 12 + c, 0);
                        tg_array_set(tg_array_of(a), i * 16 + 4 * c + 3, 0);
                    }
                    tg_array_set(tg_array_of(a), i * 16 + 15, zero ? 0 : -1);
                    ck_assert(tg_is_poison(tg_cholesky(a)));
                    if (m == 0) snprintf(message, sizeof message, "%s", tg_error_message());
                    ck_assert_msg(m == 0 || strncmp(message, tg_error_message(), strcspn(message, "(")) == 0,
                                  "%s, then %s", message, tg_error_message());
                    tg_error_clear();
                }
                tg_tape_rewind(mark);
            }
}
END_TEST

/* ---- slices, permutations, empty axes, scalars ---- */

static int64_t bound(int64_t v, int64_t n, int64_t low, int64_t high) {
    if (v == TG_END) return high;
    if (v < 0) v += n;
    return v < low ? low : v > high ? high : v;
}

/* Every start, stop and step of short axes, as Python has them; and the steps at both ends of their type. */
START_TEST(every_slice) {
    static const int64_t steps[] = {1, 2, 3, 4, -1, -2, -3, -4, INT64_MAX, INT64_MIN, INT64_MIN + 1, 7, -7};
    for (int64_t n = 0; n <= 7; n++)
        for (int k = 0; k < 13; k++)
            for (int64_t a = -n - 2; a <= n + 2; a++)
                for (int64_t b = -n - 2; b <= n + 2; b++) {
                    tg_mark mark = tg_tape_mark();
                    int64_t step = steps[k], from = a == n + 2 ? TG_END : a, to = b == n + 2 ? TG_END : b,
                            count = 0;
                    tg_tensor *x = tg_arange(TG_F64, 0, (double)n, 1), *y = tg_slice(x, 0, from, to, step);
                    ck_assert_msg(tg_is_alive(y), "%s", tg_error_message());
                    int64_t low = step < 0 ? -1 : 0, high = step < 0 ? n - 1 : n;
                    int64_t i = bound(from, n, low, high),
                            stop = to == TG_END && step < 0 ? -1 : bound(to, n, low, high);
                    while (step > 0 ? i < stop : i > stop) {
                        ck_assert_msg(count < tg_numel(y) && tg_get(y, count) == (double)i, "%d[%d:%d:%d]",
                                      (int)n, (int)a, (int)b, (int)step);
                        count++;
                        if (step > n || step < -n) break;
                        i += step;
                    }
                    ck_assert_msg(tg_numel(y) == count, "%d[%d:%d:%d]: %d", (int)n, (int)a, (int)b, (int)step,
                                  (int)tg_numel(y));
                    tg_tape_rewind(mark);
                }
}
END_TEST

/* Axes counted from either end, in an order that is not its own inverse: the gradient goes back. */
START_TEST(permutations_and_back) {
    for (int rank = 3; rank <= 8; rank++)
        for (int by = 1; by < rank; by++)
            for (unsigned set = 0; set < 1u << rank; set += 1 + set / 8) {
                tg_mark mark = tg_tape_mark();
                tg_shape s = {.rank = rank}, order = {.rank = rank};
                for (int i = 0; i < rank; i++)
                    s.dim[i] = 1 + (i + by) % 3, order.dim[i] = (i + by) % rank - (set >> i & 1 ? rank : 0);
                tg_tensor *x = tg_set_requires_grad(numbers(TG_F64, s, 1), true),
                          *y = tg_permute_with(x, order), *g, *back,
                          *seed = numbers(TG_F64, tg_shape_of(y), 2);
                ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .seeds = &seed), TG_OK);
                tg_shape inverse = {.rank = rank};
                for (int i = 0; i < rank; i++) inverse.dim[(i + by) % rank] = i;
                back = tg_permute_with(seed, inverse);
                same_elements("the gradient of a permutation", rank * 100 + by, g, back);
                tg_tape_rewind(mark);
            }
}
END_TEST

/* Shapes that differ along one axis: they join along that one alone. */
START_TEST(joined_along_each_axis) {
    for (int rank = 1; rank <= 8; rank++)
        for (int differs = 0; differs < rank; differs++)
            for (int axis = 0; axis < rank; axis++)
                for (int place = 0; place < 3; place++) {
                    tg_mark mark = tg_tape_mark();
                    tg_shape s = {.rank = rank}, other;
                    for (int i = 0; i < rank; i++) s.dim[i] = 1 + i % 3;
                    other = s, other.dim[differs]++;
                    tg_tensor *x[3];
                    for (int i = 0; i < 3; i++) x[i] = tg_ones_with(TG_F64, i == place ? other : s);
                    ck_assert_int_eq(tg_is_alive(tg_concat_with(axis, 3, x)), axis == differs);
                    ck_assert_int_eq(tg_error_status(), axis == differs ? TG_OK : TG_ERR_SHAPE);
                    tg_error_clear();
                    tg_tape_rewind(mark);
                }
}
END_TEST

/* The largest of nothing is an error, along whichever axis it is nothing; of the others it is an empty result. */
START_TEST(empty_axes) {
    for (int rank = 1; rank <= 8; rank++)
        for (int empty = 0; empty < rank; empty++)
            for (unsigned set = 1; set < 1u << rank; set++) {
                tg_mark mark = tg_tape_mark();
                tg_shape s = {.rank = rank}, axes = {.rank = 0};
                for (int i = 0; i < rank; i++) {
                    s.dim[i] = i == empty ? 0 : 1 + i % 2;
                    if (set >> i & 1) axes.dim[axes.rank++] = i;
                }
                tg_tensor *y = tg_amax(tg_zeros_with(TG_F64, s), .axes = axes);
                ck_assert_int_eq(tg_is_alive(y), !(set >> empty & 1));
                ck_assert_int_eq(tg_error_status() == TG_OK, !(set >> empty & 1));
                tg_error_clear();
                tg_tape_rewind(mark);
            }
}
END_TEST

/* An axis named twice, at whichever two places of the list, is an error. */
START_TEST(axes_named_twice) {
    for (int rank = 2; rank <= 8; rank++)
        for (int i = 0; i < rank; i++)
            for (int j = 0; j < rank; j++) {
                tg_shape s = {.rank = rank}, axes = {.rank = rank};
                for (int k = 0; k < rank; k++)
                    s.dim[k] = 2, axes.dim[k] = k == j ? i - (j % 2 ? rank : 0) : k;
                ck_assert_int_eq(tg_is_alive(tg_sum(tg_ones_with(TG_F64, s), .axes = axes)), i == j);
                ck_assert_int_eq(tg_error_status() == TG_OK, i == j);
                tg_error_clear();
            }
}
END_TEST

/* Whole numbers take whole scalars that fit. */
START_TEST(scalars_of_whole_tensors) {
    static const double numbers_of[] = {0,      1,       -3,      0.5,        -0.25, 1e-300,   0x1p31,
                                        0x1p63, -0x1p31, -0x1p63, 0x1p31 - 1, NAN,   INFINITY, 1.0000001};
    for (tg_dtype dtype = TG_I32; dtype <= TG_I64; dtype++)
        for (int i = 0; i < 14; i++)
            for (int j = 0; j < 14; j++) {
                double end = dtype == TG_I32 ? 0x1p31 : 0x1p63, a = numbers_of[i], b = numbers_of[j];
                bool fits = a == trunc(a) && b == trunc(b) && a >= -end && a < end && b >= -end && b < end;
                tg_tensor *x = tg_ones(dtype, 3);
                ck_assert_msg(tg_is_alive(tg_affine(x, a, b)) == fits, "%s: %g, %g: %s", tg_dtype_name(dtype),
                              a, b, tg_error_message());
                tg_error_clear();
            }
}
END_TEST

/* log(sum exp) of many rows, any of which is infinite one way or the other. */
START_TEST(logsumexp_of_infinite_rows) {
    enum { ROWS = 12, N = 5 };
    for (int axis = 0; axis < 2; axis++)
        for (int which = 0; which < ROWS; which++)
            for (int form = 0; form < 3; form++) {
                tg_mark mark = tg_tape_mark();
                tg_tensor *x = axis ? tg_zeros(TG_F64, ROWS, N) : tg_zeros(TG_F64, N, ROWS);
                for (int i = 0; i < ROWS * N; i++) {
                    int row = axis ? i / N : i % ROWS, k = axis ? i % N : i / ROWS;
                    double v = row == which && form == 0 ? -INFINITY
                               : row == which && k == 3  ? (form == 1 ? INFINITY : -INFINITY)
                                                         : k / 4.0 + row;
                    tg_array_set(tg_array_of(x), i, v);
                }
                tg_tensor *y = tg_logsumexp(x, .axes = TG_SHAPE(axis));
                for (int row = 0; row < ROWS; row++) {
                    double sum = 0;
                    for (int k = 0; k < N; k++) sum += exp(tg_get(x, axis ? row * N + k : k * ROWS + row));
                    double want = log(sum), is = tg_get(y, row);
                    ck_assert_msg(is == want || fabs(is - want) < 1e-12, "row %d: %g, not %g", row, is, want);
                }
                tg_tape_rewind(mark);
            }
}
END_TEST

TCase *tcase_ranks(void) {
    TCase *t = tcase_create("ranks");
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_loop_test(t, along_each_axis, 0, ALONGS);
    tcase_add_test(t, over_each_set_of_axes);
    tcase_add_test(t, broadcast_both_ways);
    tcase_add_test(t, products_of_many_batch_axes);
    tcase_add_test(t, rows_of_many_axes);
    tcase_add_test(t, matrices_in_batches);
    tcase_add_test(t, every_slice);
    tcase_add_test(t, permutations_and_back);
    tcase_add_test(t, joined_along_each_axis);
    tcase_add_test(t, empty_axes);
    tcase_add_test(t, axes_named_twice);
    tcase_add_test(t, scalars_of_whole_tensors);
    tcase_add_test(t, logsumexp_of_infinite_rows);
    return t;
}
