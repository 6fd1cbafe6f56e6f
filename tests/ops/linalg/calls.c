/* Calls on square matrices. */
#include "tests/ops/harness.h"

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { \
        (void)a; \
        return expression; \
    }

static bool flag(const arguments *a, int i) { return i < a->n && a->v[i] != 0; }

CALL(cholesky, tg_cholesky(in[0], .upper = flag(a, 0)))
/* upper, transpose, unit_diagonal */
CALL(triangular_solve, tg_triangular_solve(in[0], in[1], .upper = flag(a, 0), .transpose = flag(a, 1),
                                           .unit_diagonal = flag(a, 2)))
CALL(solve, tg_solve(in[0], in[1]))
CALL(inverse, tg_inverse(in[0]))
CALL(det, tg_det(in[0]))
CALL(cofactor, tg_cofactor(in[0]))
CALL(slogdet, tg_slogdet(in[0]))

static tg_tensor *call_slogdet_sign(tg_tensor *const *in, const arguments *a) {
    tg_tensor *sign = NULL;
    (void)a;
    tg_tensor *log = tg_slogdet(in[0], .sign = &sign);
    return sign ? sign : log;
}

/* From a factor, as users get theirs: the matrix x x^T + 1 is symmetric as a function of x, too. */
static tg_tensor *call_cholesky_of_product(tg_tensor *const *in, const arguments *a) {
    TG_COMPOSED("cholesky_of_product");
    if (tg_is_poison(in[0])) return in[0];
    tg_tensor *square = tg_matmul(in[0], tg_transpose(in[0], -1, -2));
    return tg_cholesky(tg_add(square, tg_eye(tg_dtype_of(square), tg_size(square, -1), tg_size(square, -1))),
                       .upper = flag(a, 0));
}

#define SELF(name) \
    { #name, #name, call_##name }
static const call calls[] = {
    SELF(cholesky), SELF(triangular_solve), SELF(solve), SELF(inverse), SELF(det), SELF(cofactor), SELF(slogdet),
    {"slogdet_sign", "slogdet", call_slogdet_sign},
    {"cholesky_of_product", "cholesky", call_cholesky_of_product, .composed = true},
};

extern const call_table calls_linalg;
const call_table calls_linalg = {calls, COUNT(calls)};
