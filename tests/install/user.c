#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

static tg_tensor *product(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sum(tg_mul(in[0], in[1]));
}

static tg_tensor *same(tg_tensor *grad, void *user) {
    *(int *)user += 1;
    return grad;
}

/* The same behind which named options may follow. */
static int functions(tg_tensor *m, tg_tensor *v) {
    tg_tensor *a = tg_set_requires_grad(tg_contiguous(m), true),
              *b = tg_set_requires_grad(tg_contiguous(v), true);
    tg_tensor *l[] = {tg_sum(tg_mul(a, b)), tg_sum(a)}, *g[2], *y;
    tg_gradcheck_report r;
    if (tg_grad(1, l, 2, (tg_tensor *[]){a, b}, g, .retain = true) != TG_OK || tg_get(g[1], 0) != 4)
        return 11;
    if (tg_grad(2, (tg_tensor *[]){l[0], l[1]}, 2, (tg_tensor *[]){a, b}, g, .allow_unused = true,
                .seeds = (tg_tensor *[]){tg_scalar(TG_F64, 1), NULL}) != TG_OK)
        return 12;
    if (tg_get(g[0], 0) != 6 || tg_get(g[1], 1) != 6) return 13;
    if (!tg_gradcheck(product, NULL, 2, (tg_tensor *[]){a, b}, &r)) return 14;
    if (!tg_gradcheck(product, NULL, 2, (tg_tensor *[2]){a, b}, &r, .order = 2, .seed = 7) || r.compared < 12)
        return 15;
    if (tg_vjp(product, NULL, 2, (tg_tensor *[]){m, v}, NULL, &y, g) != TG_OK || tg_get(g[1], 1) != 6)
        return 16;
    if (tg_jvp(product, NULL, 2, (tg_tensor *[]){m, v}, (tg_tensor *[]){m, v}, NULL, &y,
               .allow_unused = true) != TG_OK)
        return 17;
    if (tg_item(y) != 2 * tg_item(product((tg_tensor *[]){m, v}, NULL))) return 18;
    if (tg_jacobian(product, NULL, 2, (tg_tensor *[]){m, v}, (tg_tensor *[2]){NULL, NULL}) != TG_OK)
        return 19;
    if (tg_rank(tg_hessian(product, NULL, 2, (tg_tensor *[]){m, v}, .allow_unused = true)) != 4) return 20;
    if (tg_hvp(product, NULL, 2, (tg_tensor *[]){m, v}, (tg_tensor *[]){m, v}, g, .allow_unused = true) != TG_OK)
        return 21;
    return tg_get(g[1], 1) == 6 ? 0 : 22;
}

/* Compound literals as arguments of macros: their commas are not the macro's. */
static int literals(void) {
    tg_tensor *i = tg_from(TG_I32, (int32_t[]){1, 2}, 2),
              *m = tg_from(TG_F64, (double[]){1, 2, 3, 4}, 2, (int64_t)2);
    tg_tensor *s = tg_from(TG_U8, (uint8_t[1]){7}), *v = tg_from(TG_F64, ((double[]){5, 6}), 1, 2), *out[2];
    if (tg_rank(s) != 0 || tg_item(s) != 7 || tg_get(i, 1) != 2 || tg_size(m, 1) != 2 || tg_get(m, 3) != 4)
        return 1;
    if (tg_get(tg_sum_to(m, (tg_shape){2, {1, 2}}), 1) != 6) return 2;
    if (tg_vjp(product, NULL, 2, ((tg_tensor *[]){m, v}), tg_scalar(TG_F64, 1), NULL, out) != TG_OK) return 3;
    if (tg_get(out[1], 0) != 4) return 4;
    if (tg_hvp(product, NULL, 2, ((tg_tensor *[]){m, v}), ((tg_tensor *[]){m, v}), out) != TG_OK) return 5;
    if (tg_is_poison(tg_checkpoint(product, NULL, 2, (tg_tensor *[]){m, v}))) return 6;
    if (tg_get(tg_concat(0, m, tg_from(TG_F64, (double[]){8, 9}, 1, 2)), 5) != 9) return 7;
    tg_tensor *leaf = tg_set_requires_grad(tg_from(TG_F64, (double[]){1, 2}, 2), true);
    int seen[2] = {0, 0};
    if (tg_register_hook(leaf, same, (int *[]){&seen[0], &seen[1]}[1]) != TG_OK) return 8;
    if (tg_backward(tg_sum(tg_square(leaf))) != TG_OK || seen[1] != 1) return 9;
    return functions(m, v);
}

int main(void) {
    if (strcmp(tg_version(), TG_VERSION) != 0 || TG_VERSION_MAJOR < 0) return 30;
    tg_tensor *x = tg_param(tg_full(TG_F64, 3, 2));
    if (tg_backward(tg_sum(tg_mul(x, x))) != TG_OK) return fputs(tg_error_message(), stderr), 1;
    double slope = tg_get(tg_grad_of(x), 1);
    tg_free(x);
    tg_item(tg_zeros(TG_F64, 2)); /* an error, which knows this line */
    char here[32];
    snprintf(here, sizeof here, "user.c:%d)", __LINE__ - 2);
    if (!strstr(tg_error_message(), here)) return fputs(tg_error_message(), stderr), 31;
    tg_error_clear();
    int wrong = literals();
    if (wrong) return fprintf(stderr, "literals: %d: %s\n", wrong, tg_error_message()), 1;
    return slope == 6 ? 0 : 1;
}
