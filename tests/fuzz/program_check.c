/* What two runs of a program must agree in. */
#include "core/kernels/simd/table.h"
#include "tests/fuzz/programs.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one run: the value, the gradients of all leaves one after the other, their elements as they are ---- */

typedef enum walk { NO_WALK, BACKWARD, RECORDED } walk;

typedef struct outcome {
    double y;
    double *g; /* n of them; free() */
    int64_t n;
    double slope;  /* g . direction */
    double second; /* d/dt of that, where it was asked for; else NaN */
} outcome;

static void collect(const program *p, outcome *o, int l, const tg_tensor *g) {
    int64_t n = tg_numel(g);
    tg_tensor *d = tg_zeros_with(TG_F64, tg_shape_of(g));
    direction_of(p, l, d);
    o->g = realloc(o->g, (size_t)(o->n + n + 1) * sizeof *o->g);
    if (!o->g) abort();
    for (int64_t i = 0; i < n; i++) {
        o->g[o->n++] = tg_get(g, i);
        o->slope += tg_get(g, i) * tg_get(d, i);
    }
}

static tg_tensor *dot_direction(const program *p, int l, tg_tensor *g) {
    tg_tensor *d = tg_zeros_with(p->dtype, tg_shape_of(g));
    direction_of(p, l, d);
    return tg_sum_with(tg_mul(g, d), (tg_reduce_opts){0});
}

/* The second derivative along the direction, from the recorded walk. */
static double second_order(const program *p, int n, tg_tensor *const *leaf, tg_tensor *const *g) {
    tg_tensor *s = NULL, *h[MOST_LEAVES];
    double sum = 0;
    for (int l = 0; l < n; l++) s = s ? tg_add(s, dot_direction(p, l, g[l])) : dot_direction(p, l, g[l]);
    if (!tg_requires_grad(s)) return 0;
    if (tg_grad(1, &s, n, leaf, h, .allow_unused = true) != TG_OK) return NAN;
    for (int l = 0; l < n; l++) sum += tg_item(dot_direction(p, l, h[l]));
    return sum;
}

static void walk_back(const program *p, walk how, tg_tensor *y, int n, tg_tensor *const *leaf, outcome *o) {
    tg_tensor *g[MOST_LEAVES];
    tg_status s = how == BACKWARD ? tg_backward(y)
                                  : tg_grad(1, &y, n, leaf, g, .create_graph = true, .allow_unused = true);
    for (int l = 0; l < n && s == TG_OK; l++) collect(p, o, l, how == BACKWARD ? tg_grad_of(leaf[l]) : g[l]);
    if (how == RECORDED && s == TG_OK) o->second = second_order(p, n, leaf, g);
    if (tg_error_status() != TG_OK) finding(p, "the walk fails: %s", tg_error_message());
    tg_error_clear();
}

static outcome run_once(const program *p, walk how) {
    tg_mark base = tg_tape_mark();
    size_t bytes = tg_memory_now().live_buffer_bytes;
    tg_tensor *leaf[MOST_LEAVES];
    int n;
    outcome o = {.y = NAN, .second = NAN};
    tg_tensor *y = run_program(p, leaf, &n);
    if (y) o.y = tg_item(y);
    if (y && how != NO_WALK) walk_back(p, how, y, n, leaf, &o);
    tg_error_clear();
    if (tg_tape_rewind(base) != TG_OK) finding(p, "cannot be rewound: %s", tg_error_message());
    free_kept();
    if (tg_memory_now().live_buffer_bytes != bytes)
        finding(p, "%zu bytes live afterwards, %zu before", tg_memory_now().live_buffer_bytes, bytes);
    return o;
}

/* ---- the same numbers ---- */

static bool close_enough(double a, double b, double rtol, double atol) {
    if (!isfinite(a) || !isfinite(b)) return a == b || (isnan(a) && isnan(b));
    return fabs(a - b) <= rtol * fabs(b) + atol;
}

static double largest(const outcome *o) {
    double most = 1;
    for (int64_t i = 0; i < o->n; i++)
        if (fabs(o->g[i]) > most) most = fabs(o->g[i]);
    return most;
}

/* To rounding where rtol > 0, else to the bit. */
static bool equal(double a, double b, double rtol, double scale) {
    if (rtol == 0) return memcmp(&a, &b, sizeof a) == 0 || (isnan(a) && isnan(b));
    return close_enough(a, b, rtol, rtol * scale);
}

static void compare(const program *p, const outcome *a, const outcome *b, double rtol, const char *what,
                    const char *detail) {
    double scale = largest(a);
    if (!equal(a->y, b->y, rtol, scale)) finding(p, "%s %s: value %.17g and %.17g", what, detail, a->y, b->y);
    if (a->n != b->n)
        finding(p, "%s %s: gradients of %lld and %lld elements", what, detail, (long long)a->n,
                (long long)b->n);
    for (int64_t i = 0; i < a->n && i < b->n; i++)
        if (!equal(a->g[i], b->g[i], rtol, scale)) {
            finding(p, "%s %s: gradient %lld is %.17g and %.17g", what, detail, (long long)i, a->g[i], b->g[i]);
            return;
        }
}

static void check_threads(const program *p) {
    tg_set_num_threads(1);
    outcome one = run_once(p, BACKWARD);
    for (int n = 2; n <= 4; n++) {
        char text[24];
        snprintf(text, sizeof text, "1 and %d", n);
        tg_set_num_threads(n);
        outcome many = run_once(p, BACKWARD);
        compare(p, &one, &many, 0, "threads", text);
        free(many.g);
    }
    free(one.g);
}

static void check_sets(const program *p, const outcome *usual) {
    for (int i = 0; tg_kernel_isas[i]; i++) {
        if (!tg_kernels_use(tg_kernel_isas[i])) continue;
        outcome o = run_once(p, BACKWARD);
        compare(p, usual, &o, 1e-8, "instruction sets: the usual and", tg_kernel_isas[i]);
        free(o.g);
    }
    tg_kernels_choose();
}

/* ---- one op under every instruction set, on the same inputs ---- */

static double magnitude(const tg_tensor *t) {
    double most = 1;
    for (int64_t i = 0, n = tg_numel(t); i < n; i++)
        if (isfinite(tg_get(t, i)) && fabs(tg_get(t, i)) > most) most = fabs(tg_get(t, i));
    return most;
}

/* The row's own tolerance of f32, 17 ulp where it has none, and as many ulp of f64. */
static void compare_op(const program *p, const trial *t, tg_tensor *const *leaf, const tg_tensor *y,
                       const char *set) {
    double unit = tg_dtype_of(y) == TG_F64 ? ldexp(1, -29) : 1, scale = 1;
    double rtol = (t->row->f32_rtol > 0 ? t->row->f32_rtol : 2e-6) * unit;
    for (int l = 0; l < t->n_leaves; l++) scale *= magnitude(leaf[l]);
    double atol = t->row->f32_atol > 0       ? fmax(t->row->f32_atol, 2e-6) * unit * scale
                  : tg_dtype_of(y) == TG_F64 ? 1e-300
                                             : 1e-37;
    tg_tensor *z = trial_run(t, leaf);
    for (int64_t i = 0, n = tg_numel(y); i < n; i++)
        if (!close_enough(tg_get(z, i), tg_get(y, i), rtol, atol)) {
            finding(p, "%s: element %lld is %.17g, with %s %.17g", t->name, (long long)i, tg_get(y, i), set,
                    tg_get(z, i));
            return;
        }
}

void compare_sets(const program *p, const trial *t, tg_tensor *const *leaf, const tg_tensor *y) {
    tg_mark mark = tg_tape_mark();
    bool was = tg_set_grad_enabled(false);
    for (int i = 0; tg_kernel_isas[i] && tg_dtype_is_float(tg_dtype_of(y)); i++)
        if (tg_kernels_use(tg_kernel_isas[i])) compare_op(p, t, leaf, y, tg_kernel_isas[i]);
    tg_kernels_choose();
    tg_set_grad_enabled(was);
    tg_tape_rewind(mark);
}

/* ---- differences along one direction, through all leaves at once ---- */

static double slope_at(program p, double at, double *second) {
    p.at = at;
    outcome o = run_once(&p, second ? BACKWARD : NO_WALK);
    if (second) *second = o.slope;
    free(o.g);
    return o.y;
}

/* Smooth: from both sides, and with twice the step, the slope is the same. */
static bool differences(const program *p, double y, double *slope, double *second) {
    const double h = 1e-5;
    double s1, s2, up = slope_at(*p, h, &s1), down = slope_at(*p, -h, &s2);
    double wide = (slope_at(*p, 2 * h, NULL) - slope_at(*p, -2 * h, NULL)) / (4 * h);
    *slope = (up - down) / (2 * h);
    *second = (s1 - s2) / (2 * h);
    double scale = 1 + fabs(*slope), sides = fabs((up - y) - (y - down)) / h;
    return fabs(y) < 1e6 && isfinite(*slope) && isfinite(*second) && sides < 1e-3 * scale &&
           fabs(wide - *slope) < 1e-5 * scale && fabs(*second) < 1e2 * scale;
}

static bool check_differences(const program *p, const outcome *plain, const outcome *recorded) {
    double slope, second;
    if (!differences(p, plain->y, &slope, &second)) return false;
    double scale = 1 + fabs(slope) + 1e-3 * fabs(plain->y);
    if (!(fabs(plain->slope - slope) <= 1e-4 * scale))
        finding(p, "slope %.12g, by differences %.12g", plain->slope, slope);
    if (!(fabs(recorded->second - second) <= 1e-3 * (scale + fabs(second))))
        finding(p, "second derivative %.12g, by differences %.12g", recorded->second, second);
    return true;
}

/* ---- all of it ---- */

static void check_large(uint64_t seed) {
    program p = {
        .seed = seed, .dtype = seed % 2 ? TG_F32 : TG_F64, .large = true, .compare = seed % 4 < 2, .steps = 3};
    check_threads(&p);
}

static bool check_small(uint64_t seed) {
    program p = {.seed = seed, .dtype = TG_F64, .compare = seed % 4 == 0, .steps = 4 + (int)(seed % 7)};
    outcome plain = run_once(&p, BACKWARD), recorded = run_once(&p, RECORDED);
    p.compare = false;
    compare(&p, &plain, &recorded, 1e-9, "the walk", "recorded or not");
    bool smooth = check_differences(&p, &plain, &recorded);
    if (smooth && seed % 4 == 1) check_sets(&p, &plain);
    if (seed % 4 == 2) check_threads(&p);
    if (seed % 4 == 3) {
        p.dtype = TG_F32, p.compare = true;
        check_threads(&p);
    }
    free(plain.g), free(recorded.g);
    return smooth;
}

bool check_program(uint64_t seed, bool large) {
    tg_set_num_threads(2);
    if (!large) return check_small(seed);
    check_large(seed);
    return false;
}
