/* Products of tensors of fixed ranks, declared in ops/products/matmul.h. All are compositions. */
#include "ops/shared.h"

/* The array of operand i when it has `rank` axes, else NULL with the error raised. */
static const tg_array *of_rank(const char *who, const tg_tensor *x, int i, int rank, const char *kind) {
    char text[160];
    const tg_array *a = tg_operand(x, who, i);
    if (!a || a->rank == rank) return a;
    tg_fail(TG_ERR_SHAPE, "%s: needs %s, was given %s", who, kind, tg_describe(x, text, sizeof text));
    return NULL;
}

static tg_tensor *fail_pair(const char *who, const char *what, const tg_tensor *a, const tg_tensor *b) {
    char ta[160], tb[160];
    tg_fail(TG_ERR_SHAPE, "%s: %s: %s and %s", who, what, tg_describe(a, ta, sizeof ta),
            tg_describe(b, tb, sizeof tb));
    return tg_poison();
}

tg_tensor *tg_dot(tg_tensor *a, tg_tensor *b) {
    TG_NAMED("dot");
    const tg_array *x = of_rank("dot", a, 0, 1, "two vectors"), *y = of_rank("dot", b, 1, 1, "two vectors");
    if (!x || !y) return tg_poison();
    if (x->numel != y->numel) return fail_pair("dot", "lengths differ", a, b);
    return tg_matmul(a, b);
}

tg_tensor *tg_outer(tg_tensor *a, tg_tensor *b) {
    TG_COMPOSED("outer");
    if (!of_rank("outer", a, 0, 1, "two vectors") || !of_rank("outer", b, 1, 1, "two vectors"))
        return tg_poison();
    tg_tensor *column = tg_unsqueeze(a, 1), *out = tg_mul(column, b);
    tg_drop_elements(column);
    return out;
}

tg_tensor *tg_bmm(tg_tensor *a, tg_tensor *b) {
    TG_NAMED("bmm");
    const tg_array *x = of_rank("bmm", a, 0, 3, "[n, i, k]"), *y = of_rank("bmm", b, 1, 3, "[n, k, j]");
    if (!x || !y) return tg_poison();
    if (x->shape[0] != y->shape[0]) return fail_pair("bmm", "numbers of matrices differ", a, b);
    if (x->shape[2] != y->shape[1]) return fail_pair("bmm", "inner sizes differ", a, b);
    return tg_matmul(a, b);
}

/* scale t, for an intermediate t, whose elements are dropped where the result is another tensor. */
static tg_tensor *scaled(tg_tensor *t, double scale) {
    if (scale == 1) return t;
    tg_tensor *out = tg_mul_scalar(t, scale);
    tg_drop_elements(t);
    return out;
}

/* Zeros with the shape and history of c, whatever its elements are. */
static tg_tensor *without_value(tg_tensor *c) {
    tg_tensor *everywhere = tg_ones_with(TG_BOOL, TG_SCALAR);
    return tg_masked_fill(c, everywhere, 0);
}

tg_tensor *tg_addmm(tg_tensor *c, tg_tensor *a, tg_tensor *b, double beta, double alpha) {
    TG_COMPOSED("addmm");
    const tg_array *z = tg_operand(c, "addmm", 0);
    const tg_array *x = of_rank("addmm", a, 1, 2, "two matrices"),
                   *y = of_rank("addmm", b, 2, 2, "two matrices");
    if (!z || !x || !y) return tg_poison();
    if (x->shape[1] != y->shape[0]) return fail_pair("addmm", "inner sizes differ", a, b);
    tg_shape out = TG_SHAPE(x->shape[0], y->shape[1]), both;
    if (!tg_shape_broadcast(out, tg_array_shape(z), &both) || !tg_shape_equal(both, out)) {
        char text[3][160];
        tg_fail(TG_ERR_SHAPE, "addmm: %s does not broadcast to the product of %s and %s",
                tg_describe(c, text[0], sizeof text[0]), tg_describe(a, text[1], sizeof text[1]),
                tg_describe(b, text[2], sizeof text[2]));
        return tg_poison();
    }
    tg_tensor *product = scaled(tg_matmul(a, b), alpha);
    tg_tensor *base = beta == 0 ? without_value(c) : beta == 1 ? c : tg_mul_scalar(c, beta);
    tg_tensor *sum = tg_add(base, product);
    tg_drop_elements(product);
    if (base != c) tg_drop_elements(base);
    return sum;
}
