#include "core/update.h"
#include "ops/elementwise/arithmetic.h"
#include "ops/elementwise/binary.h"
#include "ops/nn/optim/optim.h"
#include "ops/products/matmul.h"
#include "ops/reduce/vector_norm.h"
#include "ops/shape/view.h"

#include <math.h>
#include <string.h>

static const tg_hyper hypers[] = {
    {"momentum", TG_ATTR_REAL, offsetof(tg_muon_opts, momentum), .standard = 0.95},
    {"weight_decay", TG_ATTR_REAL, offsetof(tg_muon_opts, weight_decay), .standard = 0.1},
    {"eps", TG_ATTR_REAL, offsetof(tg_muon_opts, eps), .standard = 1e-7},
    {"ns_a", TG_ATTR_REAL, offsetof(tg_muon_opts, ns_a), .standard = 3.4445, .least = -INFINITY},
    {"ns_b", TG_ATTR_REAL, offsetof(tg_muon_opts, ns_b), .standard = -4.775, .least = -INFINITY},
    {"ns_c", TG_ATTR_REAL, offsetof(tg_muon_opts, ns_c), .standard = 2.0315, .least = -INFINITY},
    {"ns_steps", TG_ATTR_INT, offsetof(tg_muon_opts, ns_steps), .standard = 5, .below = 100},
    {.name = "plain_momentum", .type = TG_ATTR_BOOL, .offset = offsetof(tg_muon_opts, plain_momentum)},
    {.name = "match_rms_adamw", .type = TG_ATTR_BOOL, .offset = offsetof(tg_muon_opts, match_rms_adamw)},
};

static const tg_optim_moment moments[] = {{.name = "momentum_buffer"}};

/* Near to the orthogonal matrix that is nearest to x: the polynomial a s + b s^3 + c s^5 of each singular value s, several
 * times. The products are of the shorter side. */
static tg_tensor *orthogonalise(tg_tensor *x, const tg_muon_opts *o) {
    bool tall = tg_shape_of(x).dim[0] > tg_shape_of(x).dim[1];
    double norm = tg_item(tg_norm_with(x, (tg_norm_opts){0}));
    if (tall) x = tg_transpose(x, 0, 1);
    x = tg_mul_scalar(x, 1 / (norm < o->eps ? o->eps : norm));
    for (int64_t i = 0; i < o->ns_steps; i++) {
        tg_tensor *a = tg_matmul(x, tg_transpose(x, 0, 1));
        x = tg_addmm(x, tg_addmm(a, a, a, o->ns_b, o->ns_c), x, o->ns_a, 1);
    }
    return tall ? tg_transpose(x, 0, 1) : x;
}

/* work[0] is the momentum to be, work[1] the direction. */
static tg_status prepare(tg_optim_call *calls, int n) {
    for (int i = 0; i < n; i++) {
        const tg_muon_opts *o = calls[i].opts;
        char text[160];
        if (calls[i].param->rank != 2)
            return tg_fail(
                TG_ERR_SHAPE,
                "tg_muon: %s is no matrix: tg_optim_group(optim, \"%.100s\", .skip = true) leaves it to another "
                "optimiser",
                tg_describe(calls[i].handle, text, sizeof text), tg_name(calls[i].handle));
        tg_tensor *g = tg_from_array(calls[i].grad), *m = tg_from_array(calls[i].moment[0]);
        m = tg_add(tg_mul_scalar(m, o->momentum), tg_mul_scalar(g, 1 - o->momentum));
        tg_tensor *along =
            o->plain_momentum ? m : tg_add(tg_mul_scalar(g, 1 - o->momentum), tg_mul_scalar(m, o->momentum));
        calls[i].work[0] = tg_array_of(m);
        calls[i].work[1] = tg_array_of(orthogonalise(along, o));
    }
    return tg_error_status();
}

/* p (1 - lr decay) - r O = p - r (O + (lr decay / r) p) */
static void step(const tg_optim_call *call) {
    const tg_muon_opts *o = call->opts;
    const tg_array *p = call->param, *m = call->moment[0];
    double rows = (double)p->shape[0], columns = (double)p->shape[1];
    double ratio = o->match_rms_adamw ? 0.2 * sqrt(fmax(rows, columns)) : sqrt(fmax(1, rows / columns));
    tg_sgd_step c = {.lr = call->lr * ratio, .decay = o->weight_decay / ratio};
    if (p->numel) memcpy(m->data, call->work[0]->data, (size_t)p->numel * tg_dtype_size((tg_dtype)p->dtype));
    tg_update_sgd(&c, call->work[1], p);
}

static const tg_optim_rule rule = {
    .name = "muon",
    .formula = "m = momentum m + (1 - momentum) g; p -= lr (orthogonal m + weight_decay p)",
    .moments = moments,
    .n_moments = 1,
    .opts_size = sizeof(tg_muon_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .prepare = prepare,
    .step = step,
};

tg_optim *tg_muon_with(tg_model *model, double lr, tg_muon_opts opts) {
    TG_NAMED("tg_muon");
    return tg_optim_new(model, &rule, lr, &opts);
}
