#include "ops/nn/optim/lbfgs_private.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>

static const tg_hyper hypers[] = {
    {"max_iter", TG_ATTR_INT, offsetof(tg_lbfgs_opts, max_iter), .standard = 20, .least = 1},
    {.name = "max_eval", .type = TG_ATTR_INT, .offset = offsetof(tg_lbfgs_opts, max_eval)},
    {"history_size", TG_ATTR_INT, offsetof(tg_lbfgs_opts, history_size), .standard = 100, .least = 1},
    {"tolerance_grad", TG_ATTR_REAL, offsetof(tg_lbfgs_opts, tolerance_grad), .standard = 1e-7},
    {"tolerance_change", TG_ATTR_REAL, offsetof(tg_lbfgs_opts, tolerance_change), .standard = 1e-9},
    {.name = "strong_wolfe", .type = TG_ATTR_BOOL, .offset = offsetof(tg_lbfgs_opts, strong_wolfe)},
    {.name = "maximize", .type = TG_ATTR_BOOL, .offset = offsetof(tg_lbfgs_opts, maximize)},
};

/* Rows of the first two that are not used are zero; the last two are zero until the first iteration. */
enum { STEPS, CHANGES, MOVE, GRAD };
static const tg_optim_moment moments[] = {{.name = "old_stps", .rows = "history_size"},
                                          {.name = "old_dirs", .rows = "history_size"},
                                          {.name = "last_move"},
                                          {.name = "prev_flat_grad"}};

/* All parameters as one vector of n numbers, in f64. */
typedef struct work {
    tg_optim_search *s;
    const tg_lbfgs_opts *o;
    int64_t n, pairs, room;
    double *x, *g, *d, *before, *move, *line; /* where the line begins; line: three vectors */
    double *steps, *changes;                  /* pairs (s, y) of `room` rows, the oldest first */
    double *inverse, *weight;                 /* 1 / s y of each, and what the recursion needs */
    size_t size;                              /* of the memory at x */
} work;

/* ---- vectors and parameters ---- */

static void read_array(const tg_array *a, int64_t row, int64_t n, double *to) {
    for (int64_t i = 0; i < n; i++) to[i] = tg_array_get(a, row * n + i);
}

static void write_array(const tg_array *a, int64_t row, int64_t n, const double *from) {
    for (int64_t i = 0; i < n; i++) tg_array_set(a, row * n + i, from ? from[i] : 0);
}

static void read_moment(const work *w, int k, int64_t row, double *to) {
    for (int i = 0; i < w->s->n; to += w->s->calls[i++].param->numel)
        read_array(w->s->calls[i].moment[k], row, w->s->calls[i].param->numel, to);
}

static void write_moment(const work *w, int k, int64_t row, const double *from) {
    for (int i = 0; i < w->s->n; i++) {
        int64_t n = w->s->calls[i].param->numel;
        write_array(w->s->calls[i].moment[k], row, n, from);
        if (from) from += n;
    }
}

static void read_params(const work *w, double *to) {
    for (int i = 0; i < w->s->n; to += w->s->calls[i++].param->numel)
        read_array(w->s->calls[i].param, 0, w->s->calls[i].param->numel, to);
}

/* p = x + t d */
static void move_params(const work *w, double t) {
    int64_t at = 0;
    for (int i = 0; i < w->s->n; i++)
        for (int64_t k = 0; k < w->s->calls[i].param->numel; k++, at++)
            tg_array_set(w->s->calls[i].param, k, w->x[at] + t * w->d[at]);
}

static void read_loss(const work *w, double *f, double *g) {
    double sign = w->o->maximize ? -1 : 1;
    *f = sign * w->s->loss;
    double *to = g;
    for (int i = 0; i < w->s->n; to += w->s->calls[i++].param->numel)
        read_array(w->s->calls[i].grad, 0, w->s->calls[i].param->numel, to);
    for (int64_t i = 0; i < w->n && w->o->maximize; i++) g[i] = -g[i];
}

static tg_status evaluate(void *at, double t, double *f, double *g) {
    const work *w = at;
    move_params(w, t);
    tg_status s = tg_optim_evaluate(w->s);
    if (s == TG_OK) read_loss(w, f, g);
    return s;
}

/* ---- the direction ---- */

static void axpy(int64_t n, double a, const double *x, double *y) {
    for (int64_t i = 0; i < n; i++) y[i] += a * x[i];
}

static void add_pair(work *w, const double *s, const double *y) {
    double product = tg_line_dot(w->n, y, s);
    const size_t row = (size_t)w->n * sizeof *s;
    if (!(product > 1e-10)) return;
    if (w->pairs == w->room) {
        w->pairs--;
        memmove(w->steps, w->steps + w->n, (size_t)w->pairs * row);
        memmove(w->changes, w->changes + w->n, (size_t)w->pairs * row);
        memmove(w->inverse, w->inverse + 1, (size_t)w->pairs * sizeof *w->inverse);
    }
    memcpy(w->steps + w->pairs * w->n, s, row);
    memcpy(w->changes + w->pairs * w->n, y, row);
    w->inverse[w->pairs++] = 1 / product;
}

/* d = -H g by the two loops over the pairs (Nocedal and Wright 2006, algorithm 7.4). */
static void find_direction(const work *w) {
    const int64_t n = w->n;
    for (int64_t i = 0; i < n; i++) w->d[i] = -w->g[i];
    for (int64_t i = w->pairs - 1; i >= 0; i--) {
        w->weight[i] = tg_line_dot(n, w->steps + i * n, w->d) * w->inverse[i];
        axpy(n, -w->weight[i], w->changes + i * n, w->d);
    }
    if (!w->pairs) return;
    const double *y = w->changes + (w->pairs - 1) * n;
    double scale = 1 / w->inverse[w->pairs - 1] / tg_line_dot(n, y, y);
    for (int64_t i = 0; i < n; i++) w->d[i] *= scale;
    for (int64_t i = 0; i < w->pairs; i++) {
        double b = tg_line_dot(n, w->changes + i * n, w->d) * w->inverse[i];
        axpy(n, w->weight[i] - b, w->steps + i * n, w->d);
    }
}

/* ---- memory ---- */

static bool lay_out(work *w) {
    size_t vectors = 8 + 2 * (size_t)w->room, count;
    if (!tg_size_mul(vectors, (size_t)w->n, &count) || !tg_size_add(count, 2 * (size_t)w->room + 1, &count) ||
        !tg_size_mul(count, sizeof(double), &w->size))
        return false;
    w->x = tg_alloc(w->size);
    if (!w->x) return false;
    w->g = w->x + w->n, w->d = w->g + w->n, w->before = w->d + w->n, w->move = w->before + w->n;
    w->line = w->move + w->n, w->steps = w->line + 3 * w->n;
    w->changes = w->steps + w->room * w->n, w->inverse = w->changes + w->room * w->n;
    w->weight = w->inverse + w->room;
    return true;
}

/* The number of rows that steps before have filled. */
static int64_t used_rows(const work *w) {
    int64_t used = 0;
    for (int i = 0; i < w->s->n; i++) {
        const tg_array *y = w->s->calls[i].moment[CHANGES];
        int64_t n = w->s->calls[i].param->numel;
        for (int64_t k = w->o->history_size * n - 1; n && k >= used * n; k--)
            if (tg_array_get(y, k) != 0) used = k / n + 1;
    }
    return used;
}

static tg_status begin(work *w) {
    for (int i = 0; i < w->s->n; i++) w->n += w->s->calls[i].param->numel;
    int64_t used = used_rows(w), most = w->o->history_size;
    w->room = w->o->max_iter < most - used ? used + w->o->max_iter : most;
    if (!lay_out(w))
        return tg_fail(TG_ERR_MEMORY,
                       "tg_lbfgs: there is no memory for a history of %lld steps of %lld numbers",
                       (long long)w->room, (long long)w->n);
    for (int64_t i = 0; i < used; i++) {
        read_moment(w, STEPS, i, w->x), read_moment(w, CHANGES, i, w->d);
        add_pair(w, w->x, w->d);
    }
    read_moment(w, MOVE, 0, w->move), read_moment(w, GRAD, 0, w->before);
    return TG_OK;
}

static void commit(const work *w) {
    for (int64_t i = 0; i < w->o->history_size; i++) {
        write_moment(w, STEPS, i, i < w->pairs ? w->steps + i * w->n : NULL);
        write_moment(w, CHANGES, i, i < w->pairs ? w->changes + i * w->n : NULL);
    }
    write_moment(w, MOVE, 0, w->move), write_moment(w, GRAD, 0, w->before);
}

/* ---- iterations ---- */

/* Goes along d, and counts the losses. In the last iteration without a line search nobody asks for one. */
static tg_status go(work *w, double *t, double *f, double slope, bool last, int64_t *losses, int64_t most) {
    tg_line line = {.n = w->n, .d = w->d, .evaluate = evaluate, .at = w, .most = most - *losses};
    for (int i = 0; i < 3; i++) line.g[i] = w->line + i * w->n;
    read_params(w, w->x);
    tg_status s = TG_OK;
    if (w->o->strong_wolfe) {
        s = tg_line_strong_wolfe(&line, t, f, w->g, slope, w->o->tolerance_change);
        *losses += line.evaluations;
    } else if (!last) {
        s = evaluate(w, *t, f, w->g);
        ++*losses;
        if (s == TG_OK && !(isfinite(*f) && isfinite(tg_line_largest(w->n, w->g))))
            s = tg_fail(TG_ERR_ARGUMENT, "tg_lbfgs: the loss has become %g: strong_wolfe would turn back",
                        w->s->loss);
    }
    if (s == TG_OK) move_params(w, *t);
    return s;
}

static tg_status iterate(work *w, double f) {
    const tg_lbfgs_opts *o = w->o;
    const int64_t n = w->n, most = o->max_eval ? o->max_eval : o->max_iter * 5 / 4;
    const double lr = w->s->calls[0].lr;
    int64_t losses = 1;
    for (int64_t i = 1; i <= o->max_iter; i++) {
        bool first = tg_line_largest(n, w->before) == 0;
        if (!first) {
            for (int64_t k = 0; k < n; k++) w->line[k] = w->g[k] - w->before[k];
            add_pair(w, w->move, w->line);
        }
        find_direction(w);
        memcpy(w->before, w->g, (size_t)n * sizeof *w->g);
        double total = 0, was = f, slope = tg_line_dot(n, w->g, w->d);
        for (int64_t k = 0; k < n && first; k++) total += fabs(w->g[k]);
        double t = first ? (1 / total < 1 ? 1 / total : 1) * lr : lr;
        bool downhill = !(slope > -o->tolerance_change);
        if (downhill && go(w, &t, &f, slope, i == o->max_iter, &losses, most) != TG_OK)
            return tg_error_status();
        for (int64_t k = 0; k < n; k++) w->move[k] = t * w->d[k];
        if (!downhill || losses >= most || tg_line_largest(n, w->g) <= o->tolerance_grad) break;
        if (tg_line_largest(n, w->move) <= o->tolerance_change || fabs(f - was) < o->tolerance_change) break;
    }
    commit(w);
    return TG_OK;
}

static tg_status search(tg_optim_search *s) {
    work w = {.s = s, .o = s->calls[0].opts};
    double f;
    if (begin(&w) != TG_OK) return tg_error_status();
    read_loss(&w, &f, w.g);
    double largest = tg_line_largest(w.n, w.g);
    if (!isfinite(f) || !isfinite(largest))
        tg_fail(TG_ERR_ARGUMENT, "tg_lbfgs: before the step the loss is %g, and its gradient up to %g",
                s->loss, largest);
    else if (largest > w.o->tolerance_grad)
        iterate(&w, f);
    tg_dealloc(w.x, w.size);
    return tg_error_status();
}

static const tg_optim_rule rule = {
    .name = "lbfgs",
    .formula = "p += a d; d = -H g",
    .moments = moments,
    .n_moments = 4,
    .opts_size = sizeof(tg_lbfgs_opts),
    .hypers = hypers,
    .n_hypers = sizeof hypers / sizeof *hypers,
    .search = search,
};

tg_optim *tg_lbfgs_with(tg_model *model, double lr, tg_lbfgs_opts opts) {
    TG_NAMED("tg_lbfgs");
    return tg_optim_new(model, &rule, lr, &opts);
}
