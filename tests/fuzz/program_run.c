/* A program as a chain of steps. */
#include "tests/fuzz/programs.h"

#include <string.h>

uint64_t random_bits(uint64_t *state) { /* splitmix64: the library's own numbers are under test */
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

int64_t below(run *r, int64_t n) { return n > 0 ? (int64_t)(random_bits(&r->choice) % (uint64_t)n) : 0; }
double between(run *r, double lo, double hi) {
    return lo + (hi - lo) * (double)below(r, 1 << 30) / (1 << 30);
}

/* ---- values ---- */

tg_tensor *any_value(run *r) { return r->value[below(r, r->n)]; }

void add_value(run *r, tg_tensor *t) {
    if (tg_dtype_of(t) != r->p->dtype || !tg_is_alive(t) || tg_numel(t) == 0) return;
    if (r->n < MOST_VALUES)
        r->value[r->n++] = t;
    else
        r->value[r->fixed + below(r, MOST_VALUES - r->fixed)] = t;
}

static tg_tensor *filled(tg_dtype dtype, tg_shape shape, uint64_t *state) {
    tg_tensor *t = tg_zeros_with(dtype, shape);
    const tg_array *a = tg_array_of(t);
    for (int64_t i = 0; a && i < a->numel; i++)
        tg_array_set(a, i, (double)(float)((double)(random_bits(state) % 4000001) / 1e6 - 2));
    return t;
}

tg_tensor *constant(run *r, tg_shape shape) { return filled(r->p->dtype, shape, &r->choice); }

/* The elements of v, as many as `like` has, in its shape. */
static tg_tensor *reshaped(tg_tensor *v, const tg_tensor *like) {
    int64_t n = tg_numel(like), m = tg_numel(v);
    tg_tensor *flat = tg_reshape(v, -1);
    if (m < n) flat = tg_tile(flat, (n + m - 1) / m);
    return tg_reshape_with(tg_slice(flat, 0, 0, n, 1), tg_shape_of(like));
}

/* A value brought to the shape and into the domain of an input. `like` is a sample of that domain and keeps elements apart. */
static tg_tensor *fit(run *r, tg_tensor *like, const trial *t, int input) {
    const input_spec *in = &t->row->in[input];
    tg_tensor *v = any_value(r);
    if (tg_numel(like) == 0) return like;
    if (tg_shape_equal(tg_shape_of(v), tg_shape_of(like)) && in->lo == 0 && in->hi == 0 && below(r, 4) == 0)
        return v;
    tg_tensor *bounded = tg_tanh(reshaped(v, like));
    if (in->dominant) return tg_add(like, tg_mul_scalar(bounded, 0.02));
    double half = (t->hi[input] - t->lo[input]) / 2, middle = (t->hi[input] + t->lo[input]) / 2;
    return tg_add(tg_mul_scalar(like, 0.5), tg_affine(bounded, half * 0.49, middle * 0.5));
}

/* ---- a row of the op suite as a step ---- */

/* Sizes for all letters, so that large programs have work for several threads. */
static void grow(run *r, sample *row, char *sizes) {
    static const char size[] = {1, 2, 5, 17, 33, 60, 79};
    for (int i = 0; i < 6; i++) {
        sizes[2 * i] = (char)('a' + i);
        sizes[2 * i + 1] = (char)('0' + (i < 3 ? size[below(r, COUNT(size))] : 1 + below(r, 3)));
    }
    sizes[12] = '\0';
    row->sizes = sizes;
}

static bool too_large(const trial *t) {
    double work = 1;
    for (int i = 0; i < t->n_in; i++) work *= (double)tg_shape_numel(t->shape[i]) + 1;
    return work > 1e11 || (t->n_in == 1 && work > 4e5);
}

static bool choose_trial(run *r, sample *row, char *sizes, trial *t) {
    static const kind kinds[] = {K_PLAIN,   K_PLAIN,   K_PLAIN,    K_LEFT,     K_RIGHT, K_BOTH,
                                 K_STRIDED, K_STRIDED, K_EXPANDED, K_REPEATED, K_ONE,   K_SCALAR};
    *row = *sample_at((int)below(r, n_samples()));
    if (row->in[0].grid > 0)
        return false; /* a step function, of which differences say nothing off its grid */
    if (r->p->large && below(r, 3)) grow(r, row, sizes);
    if (!trial_make(t, row, row->kind != K_PLAIN ? row->kind : kinds[below(r, COUNT(kinds))], (int)below(r, 3)))
        return false;
    t->seed = (uint64_t)below(r, INT64_MAX);
    return !too_large(t);
}

int rows_given_up;

static void step_row(run *r) {
    sample row;
    char sizes[16];
    trial t;
    tg_tensor *leaf[MAX_IN];
    if (!choose_trial(r, &row, sizes, &t)) return;
    trial_leaves(&t, r->p->dtype, false, leaf);
    for (int l = 0; l < t.n_leaves; l++)
        if (takes_gradient(&t, t.input_of[l])) leaf[l] = fit(r, leaf[l], &t, t.input_of[l]);
    tg_tensor *y = trial_run(&t, leaf);
    if (tg_error_status() != TG_OK) { /* sizes that do not suit the row, or what a plan refuses */
        rows_given_up++;
        if (!r->p->planned || tg_error_status() != TG_ERR_TAPE) tg_error_clear();
        return;
    }
    count_step(row.call);
    if (r->p->compare && r->depth == 0) compare_sets(r->p, &t, leaf, y);
    if (tg_numel(y) <= (r->p->large ? 300000 : 2000)) add_value(r, y);
}

void run_steps(run *r, int steps) {
    for (int i = 0; i < steps; i++)
        if (below(r, 4))
            step_row(r);
        else
            step_besides(r);
}

/* ---- a whole program ---- */

static tg_shape leaf_shape(run *r) {
    static const tg_shape small[] = {{2, {3, 4}},    {1, {5}},    {0, {0}},
                                     {3, {2, 3, 2}}, {2, {4, 4}}, {2, {1, 6}}};
    static const tg_shape wide[] = {{2, {300, 300}}, {3, {40, 50, 60}}, {2, {4, 32769}}, {1, {100001}}};
    return r->p->large ? wide[below(r, COUNT(wide))] : small[below(r, COUNT(small))];
}

void direction_of(const program *p, int l, tg_tensor *out) {
    uint64_t state = p->seed * 31 + (uint64_t)l;
    const tg_array *a = tg_array_of(out);
    for (int64_t i = 0; i < a->numel; i++) tg_array_set(a, i, (double)(random_bits(&state) % 2001) / 1e3 - 1);
}

static tg_tensor *kept[2 * MOST_LEAVES]; /* of two runs at once, at most */
static int n_kept;

void free_kept(void) {
    while (n_kept > 0) tg_free(kept[--n_kept]);
}

/* Every other one a parameter. */
static tg_tensor *make_leaf(run *r, int l) {
    tg_tensor *x = constant(r, leaf_shape(r));
    tg_tensor *d = tg_zeros_with(r->p->dtype, tg_shape_of(x));
    direction_of(r->p, l, d);
    tg_add_(x, d, r->p->at);
    return l % 2 ? (kept[n_kept++] = tg_param(x)) : tg_set_requires_grad(x, true);
}

/* The sum of all values, each times fixed numbers; every leaf is part of it. */
static tg_tensor *add_up(run *r) {
    tg_tensor *sum = NULL;
    for (int i = 0; i < r->n; i++) {
        tg_tensor *p = signed_seed(r->value[i], r->p->dtype, r->p->seed + (uint64_t)i);
        tg_tensor *term = tg_sum_with(tg_mul(r->value[i], p), (tg_reduce_opts){0});
        sum = sum ? tg_add(sum, term) : term;
    }
    return sum;
}

void make_leaves(run *r, tg_tensor **leaf, int *n_leaves) {
    *n_leaves = 1 + (int)below(r, MOST_LEAVES);
    for (int l = 0; l < *n_leaves; l++) add_value(r, leaf[l] = make_leaf(r, l));
    r->fixed = r->n;
}

tg_tensor *run_on_values(run *r) {
    forget_users();
    run_steps(r, r->p->steps);
    tg_tensor *y = add_up(r);
    return tg_error_status() == TG_OK ? y : NULL;
}

tg_tensor *run_program(const program *p, tg_tensor **leaf, int *n_leaves) {
    run r = {.p = p, .choice = p->seed};
    tg_seed(p->seed);
    make_leaves(&r, leaf, n_leaves);
    tg_tensor *y = run_on_values(&r);
    if (!y) finding(p, "a program fails: %s", tg_error_message());
    return y;
}
