/* A program as the step of a plan: recorded and replayed with other numbers each time, and held to the eager run of the same
 * to the bit. The even leaves are inputs, the odd ones parameters, whose gradients add up for some runs. */
#include "tests/fuzz/programs.h"

#include <string.h>

enum { RUNS = 4, MOST_REASONS = 24 };

typedef enum walk { NO_WALK, BACKWARD, RECORDED, TWICE, WALKS } walk;

typedef struct side { /* the planned one, or the eager one */
    program p;
    walk how;
    run begin;    /* after the leaves were made */
    int given_up; /* rows, by the first run */
    tg_tensor *leaf[MOST_LEAVES], *origin[MOST_LEAVES], *direction[MOST_LEAVES];
    int n;
} side;

static int64_t n_replayed, n_undone, n_refused, n_never, n_failed, n_groups, n_compiled, n_straight;
static struct reason {
    char text[120];
    int64_t n;
} reasons[MOST_REASONS];

static void count_reason(const char *text) {
    int i = 0;
    while (i < MOST_REASONS - 1 && reasons[i].n &&
           strncmp(reasons[i].text, text, sizeof reasons[i].text - 1) != 0)
        i++;
    if (!reasons[i].n)
        snprintf(reasons[i].text, sizeof reasons[i].text, "%s", i == MOST_REASONS - 1 ? "others" : text);
    reasons[i].n++;
}

/* The message from behind the name of the op on, without the place. */
static void count_refused(const char *message) {
    static const char *const why[] = {
        "was made outside", "used as another tensor",    "has hooks",  "cannot be recorded",
        "cannot be read",   "cannot be changed by hand", "in each of", "its infer makes"};
    n_refused++;
    for (size_t i = 0; i < COUNT(why); i++) {
        const char *at = strstr(message, why[i]);
        if (!at) continue;
        count_reason(strcmp(why[i], "in each of") == 0 ? at : why[i]);
        return;
    }
    count_reason(message);
}

void print_planned(void) {
    printf("%lld replayed, %lld undone, %lld refused, %lld never replayed, %lld fail eagerly too\n",
           (long long)n_replayed, (long long)n_undone, (long long)n_refused, (long long)n_never,
           (long long)n_failed);
    printf("%lld groups, %lld compiled; %lld straight parts\n", (long long)n_groups, (long long)n_compiled,
           (long long)n_straight);
    for (int i = 0; i < MOST_REASONS && reasons[i].n; i++)
        printf("  %lld: %s\n", (long long)reasons[i].n, reasons[i].text);
}

/* ---- the step ---- */

static tg_tensor *flat(tg_tensor *t) { return tg_reshape(t, -1); }

/* Of the gradients that a recorded walk gives, all elements, and those of the gradient of their squares. */
static tg_tensor *walk_recorded(const side *s, tg_tensor *y, tg_tensor *const *leaf) {
    tg_tensor *g[MOST_LEAVES], *h[MOST_LEAVES], *all[2 * MOST_LEAVES + 1] = {flat(y)}, *sum = NULL;
    int n = 1;
    if (tg_grad(1, &y, s->n, leaf, g, .create_graph = true) != TG_OK) return y;
    for (int l = 0; l < s->n; l++) {
        tg_tensor *square = tg_sum_with(tg_square(g[l]), (tg_reduce_opts){0});
        sum = sum ? tg_add(sum, square) : square;
        all[n++] = flat(g[l]);
    }
    if (tg_requires_grad(sum) && tg_grad(1, &sum, s->n, leaf, h, .allow_unused = true) == TG_OK)
        for (int l = 0; l < s->n; l++) all[n++] = flat(h[l]);
    return tg_concat_with(0, n, all);
}

static tg_tensor *step(tg_tensor *const *in, void *user) {
    const side *s = user;
    run r = s->begin;
    tg_tensor *leaf[MOST_LEAVES];
    for (int l = 0; l < s->n; l++) leaf[l] = r.value[l] = l % 2 ? s->leaf[l] : in[l / 2];
    tg_tensor *y = run_on_values(&r);
    if (!y || s->how == NO_WALK || !tg_requires_grad(y)) return y;
    if (s->how == RECORDED) return walk_recorded(s, y, leaf);
    tg_backward(y, .retain = s->how == TWICE);
    if (s->how == TWICE) tg_backward(y);
    return y;
}

/* ---- its leaves, in run number i ---- */

static void make_side(side *s, const program *p, walk how) {
    *s = (side){.p = *p, .how = how};
    s->begin = (run){.p = &s->p, .choice = p->seed};
    make_leaves(&s->begin, s->leaf, &s->n);
    for (int l = 0; l < s->n; l++) {
        tg_shape shape = tg_shape_of(s->leaf[l]);
        s->origin[l] = tg_keep(tg_mul_scalar(tg_detach(s->leaf[l]), 1));
        direction_of(p, l, s->direction[l] = tg_keep(tg_zeros_with(p->dtype, shape)));
    }
}

static void end_side(side *s) {
    for (int l = 0; l < s->n; l++) tg_free(s->origin[l]), tg_free(s->direction[l]);
    free_kept();
}

static tg_tensor *numbers(const side *s, int l, int i) {
    tg_tensor *x = tg_mul_scalar(s->origin[l], 1);
    tg_add_(x, s->direction[l], 1e-3 * i * (l + 1));
    return tg_detach(x);
}

static void fill_leaves(side *s, int i) {
    bool was = tg_set_grad_enabled(false);
    for (int l = 0; l < s->n; l++) {
        tg_tensor *x = numbers(s, l, i);
        if (l % 2)
            tg_copy_(s->leaf[l], x);
        else
            s->leaf[l] = tg_set_requires_grad(x, true);
    }
    tg_set_grad_enabled(was);
}

static tg_tensor *run_side(side *s, tg_plan *plan, int i) {
    tg_tensor *in[MOST_LEAVES];
    int n = 0;
    for (int l = 0; l < s->n; l += 2) in[n++] = s->leaf[l];
    tg_seed(s->p.seed + (uint64_t)i);
    return plan ? tg_plan_run_with(plan, n, in) : step(in, s);
}

/* ---- both ---- */

static bool same(const tg_tensor *a, const tg_tensor *b) {
    if (!tg_shape_equal(tg_shape_of(a), tg_shape_of(b)) || tg_dtype_of(a) != tg_dtype_of(b)) return false;
    for (int64_t i = 0, n = tg_numel(a); i < n; i++) {
        double x = tg_get(a, i), y = tg_get(b, i);
        if (memcmp(&x, &y, sizeof x) != 0 && !(x != x && y != y)) return false;
    }
    return true;
}

static void compare(const side *a, const side *b, const tg_tensor *y, const tg_tensor *z, int i) {
    if (!same(y, z)) finding(&a->p, "run %d of a plan: the value is another than eagerly", i);
    for (int l = 0; l < a->n; l++) {
        bool has = tg_has_grad(a->leaf[l]);
        if (has != tg_has_grad(b->leaf[l]))
            finding(&a->p, "run %d of a plan: leaf %d has %s gradient", i, l, has ? "a" : "no");
        else if (has && !same(tg_grad_of(a->leaf[l]), tg_grad_of(b->leaf[l])))
            finding(&a->p, "run %d of a plan: gradient %d is another than eagerly", i, l);
        if (has && (a->p.seed / 8 % 2 || i % 3 == 2) && l % 2)
            tg_zero_grad(a->leaf[l]), tg_zero_grad(b->leaf[l]);
    }
}

/* False where there is nothing more to be seen. */
static bool run_both(side *planned, side *eager, tg_plan *plan, int i) {
    char message[400] = "";
    tg_set_num_threads(planned->p.large ? 1 + i % 2 : 1);
    fill_leaves(planned, i), fill_leaves(eager, i);
    tg_tensor *y = run_side(planned, plan, i);
    tg_status s = tg_error_status();
    if (s != TG_OK) snprintf(message, sizeof message, "%s", tg_error_message());
    tg_error_clear();
    tg_rng after = *tg_default_rng();
    int before = rows_given_up;
    tg_tensor *z = run_side(eager, NULL, i);
    int given_up = rows_given_up - before;
    if (i == 0) eager->given_up = given_up;
    if (tg_error_status() != TG_OK) {
        if (s == TG_OK)
            finding(&planned->p, "run %d fails eagerly alone: %s", i, tg_error_message());
        else
            n_failed++, count_reason(tg_error_message());
        return tg_error_clear(), false;
    }
    if (s != TG_OK) {
        if (s == TG_ERR_TAPE || strstr(message, "in each of"))
            count_refused(message);
        else if (given_up != eager->given_up) /* the eager run met the same error, and went on without the row */
            n_failed++, count_reason("a row fails by its numbers");
        else
            finding(&planned->p, "run %d fails as a plan alone: %s", i, message);
        return false;
    }
    if (memcmp(&after, tg_default_rng(), sizeof after) != 0)
        finding(&planned->p, "run %d: the random stream differs", i);
    compare(planned, eager, y, z, i);
    return true;
}

static void check_plan_of(const program *p, walk how, bool compile) {
    tg_mark base = tg_tape_mark();
    size_t bytes = tg_memory_now().live_buffer_bytes;
    side planned, eager;
    make_side(&planned, p, how), make_side(&eager, p, how);
    tg_plan *plan = tg_plan_new(step, &planned, .compile = compile);
    bool goes = true;
    for (int i = 0; i < RUNS && goes; i++) {
        tg_mark mark = tg_tape_mark();
        goes = run_both(&planned, &eager, plan, i);
        if (tg_tape_rewind(mark) != TG_OK) finding(p, "cannot be rewound: %s", tg_error_message());
    }
    tg_plan_stats s = tg_plan_stats_of(plan);
    n_replayed += s.replayed > 0, n_undone += s.undone > 0, n_never += goes && s.replayed == 0;
    n_groups += s.groups, n_compiled += s.compiled, n_straight += s.straight;
    tg_plan_free(plan);
    end_side(&planned), end_side(&eager);
    tg_tape_rewind(base);
    if (tg_memory_now().live_buffer_bytes != bytes)
        finding(p, "%zu bytes live after a plan, %zu before", tg_memory_now().live_buffer_bytes, bytes);
}

void check_planned(uint64_t seed, bool large, bool compile) {
    program p = {.seed = seed,
                 .dtype = seed % 3 ? TG_F64 : TG_F32,
                 .large = large,
                 .planned = true,
                 .plain = seed % 16 != 0,
                 .steps = large ? 3 : 3 + (int)(seed % 7)};
    check_plan_of(&p, large && seed % 512 ? BACKWARD : (walk)(seed / 3 % WALKS), compile);
}
