// The header and its macros, as C++17 sees them.
#include <cstdlib>
#include <cstring>
#include <tapegrad.h>

struct pair {
    float v[2];
};

static tg_tensor *product(tg_tensor *const *in, void *) { return tg_sum(tg_mul(in[0], in[1])); }

// Named options, in the order of their struct.
static int options(tg_tensor *m) {
    tg_tensor *s = tg_sum(m, .axes = TG_SHAPE(-1), .keepdim = true);
    if (tg_rank(s) != 2 || tg_get(s, 1) != 7) return 1;
    tg_tensor *w = tg_ones(TG_F64, 5, 2), *b = tg_full(TG_F64, 1, 5);
    return tg_get(tg_linear(m, w, .bias = b), 9) == 8 && tg_item(tg_mean(tg_full(TG_F64, 3))) == 3 ? 0 : 2;
}

static int lists(tg_tensor *m) {
    tg_tensor *c = tg_concat(1, m, tg_zeros(TG_F64, 2, 1)), *s = tg_stack(0, m, m, m);
    if (tg_size(c, 1) != 3 || tg_get(c, 5) != 0 || tg_size(s, 0) != 3) return 1;
    return tg_get(tg_einsum("ij,jk->ik", m, m), 3) == 22 && tg_item(tg_einsum("ii->", m)) == 5 ? 0 : 2;
}

static int schedules() {
    tg_model *m = tg_model_new(1);
    tg_optim *sgd = tg_sgd(m, 0.5);
    const tg_lr warm_up = tg_lr_linear(10, .start_factor = 0.5);
    tg_schedule *s = tg_schedule_new(sgd, warm_up, tg_lr_cosine(10, .eta_min = 0.125));
    const bool right = tg_optim_lr(sgd) == 0.25 && tg_schedule_at(s, 10) == 0.5 && tg_schedule_at(s, 20) == 0.125;
    tg_schedule_free(s), tg_optim_free(sgd), tg_model_free(m);
    return right ? 0 : 1;
}

static int functions(tg_tensor *m) {
    tg_tensor *in[] = {tg_set_requires_grad(m, true), tg_set_requires_grad(tg_mul_scalar(tg_detach(m), 1), true)}, *g[2], *y;
    tg_tensor *l = product(in, nullptr), *v[] = {m, m};
    tg_gradcheck_report r;
    if (tg_grad(1, &l, 2, in, g, .allow_unused = true) != TG_OK || tg_get(g[1], 3) != 4) return 1;
    if (!tg_gradcheck(product, nullptr, 2, in, &r) || !tg_gradcheck(product, nullptr, 2, in, &r, .order = 2)) return 2;
    if (tg_vjp(product, nullptr, 2, in, nullptr, &y, g) != TG_OK || tg_item(y) != 30) return 3;
    if (tg_jvp(product, nullptr, 2, in, v, nullptr, &y) != TG_OK || tg_item(y) != 60) return 4;
    if (tg_jacobian(product, nullptr, 2, in, g, .allow_unused = true) != TG_OK) return 5;
    if (tg_rank(tg_hessian(product, nullptr, 2, in)) != 4 || tg_hvp(product, nullptr, 2, in, v, g) != TG_OK) return 6;
    return tg_item(tg_checkpoint(product, nullptr, 2, in)) == 30 ? 0 : 7;
}

int main() {
    tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F32, 2, 3), true);
    tg_tensor *y = tg_sum(tg_relu(tg_reshape(x, 3, 2)));
    if (tg_backward(y) != TG_OK || tg_item(y) != 6) return 1;
    const double four[] = {1, 2, 3, 4};
    tg_tensor *m = tg_from(TG_F64, four, 2, 2), *p = tg_from(TG_F32, (pair{5, 6}).v, 2);
    if (tg_get(tg_sum_to(m, tg_shape{2, {1, 2}}), 1) != 6 || tg_get(p, 1) != 6) return 2;
    tg_item(m); // an error, which knows this line
    const int here = __LINE__ - 1;
    const char *site = strrchr(tg_error_message(), ':');
    if (!site || atoi(site + 1) != here) return 3;
    tg_error_clear();
    const int wrong = 10 * options(m) + 20 * lists(m) + 30 * functions(m) + 40 * schedules();
    return wrong ? (fprintf(stderr, "%d: %s\n", wrong, tg_error_message()), wrong) : 0;
}
