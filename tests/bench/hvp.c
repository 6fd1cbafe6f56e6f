/* hvp: the product of the Hessian with a vector, by differentiating gradient . vector. 64-64-1 with tanh, mean squared
 * error of 64 samples.
 * Floor: four products of 64 x 64 x 64: x W, dW of the first walk, x v in the walk of that, and dW of it. Nothing leaves the
 * cache. Nobody needs the numbers of the second, and a plan leaves it out. */
#include "bench.h"

#include <stdlib.h>

enum { SIZE = 64, PARAMETERS = 4 };

typedef struct hvp {
    tg_model *model;
    tg_tensor *x, *y, *v[PARAMETERS];
} hvp;

static tg_tensor *loss_of(hvp *s) {
    tg_tensor *h = tg_tanh(tg_nn_linear(s->model, "hidden", s->x, SIZE, .init = tg_init_xavier_uniform(1)));
    return tg_mse_loss(tg_nn_linear(s->model, "out", h, 1), s->y);
}

static void *make(void) {
    hvp *s = calloc(1, sizeof *s);
    if (!s) return NULL;
    s->model = tg_model_new(0);
    s->x = tg_keep(tg_normal(TG_F32, 0, 1, SIZE, SIZE));
    s->y = tg_keep(tg_normal(TG_F32, 0, 1, SIZE, 1));
    loss_of(s);
    for (int i = 0; i < PARAMETERS; i++)
        s->v[i] = tg_keep(tg_normal_with(TG_F32, 0, 1, tg_shape_of(tg_model_at(s->model, i))));
    return s;
}

static void step(void *state) {
    hvp *s = state;
    tg_mark m = tg_tape_mark();
    tg_tensor *p[PARAMETERS], *g[PARAMETERS], *dot = NULL, *loss = loss_of(s);
    for (int i = 0; i < PARAMETERS; i++) p[i] = tg_model_at(s->model, i);
    tg_grad(1, &loss, PARAMETERS, p, g, .create_graph = true);
    for (int i = 0; i < PARAMETERS; i++) {
        tg_tensor *term = tg_sum(tg_mul(g[i], s->v[i]));
        dot = dot ? tg_add(dot, term) : term;
    }
    tg_grad(1, &dot, PARAMETERS, p, g, .allow_unused = true);
    tg_tape_rewind(m);
}

static void end(void *state) {
    hvp *s = state;
    for (int i = 0; i < PARAMETERS; i++) tg_free(s->v[i]);
    tg_free(s->x);
    tg_free(s->y);
    tg_model_free(s->model);
    free(s);
}

static const workload rows[] = {{"hvp", make, step, end, 4 * 2.0 * SIZE *SIZE *SIZE, 0}};

extern const workload_table hvp_workloads;
WORKLOADS(hvp_workloads, rows);
