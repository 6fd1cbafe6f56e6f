/* The check of scales: infinity minus infinity, 0 times infinity and overflow inside a rule. A row is run with all its
 * numbers 2^t->exponent times as large, about 1e-30 to 1e30, in f32 and in f64: where the value, gradient or second
 * derivative in f64 is a number that f32 can represent, that in f32 is this number. In f64 there is nothing wider, but a
 * function that is homogeneous in an input, f(s x) = s^d f(x), can be held to itself: with s a power of two, about 1e-300
 * to 1e300, the scaled result is exact. */
#include "tests/ops/harness.h"

/* A row leaves out what is as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#include <math.h>
#include <string.h>

/* ---- the degree d of a call in each of its inputs; other calls are not homogeneous, and those that are not listed at all
 * have tests/sweep alone in f64 ---- */

#define NOT (-99)

static const struct degrees {
    const char *call;
    int in[MAX_IN];
} degrees[] = {
    {"mul", {1, 1}},
    {"div", {1, -1}},
    {"neg", {1}},
    {"mul_scalar", {1}},
    {"square", {2}},
    {"abs", {1}},
    {"relu", {1}},
    {"leaky_relu", {1}},
    {"reciprocal", {-1}},
    {"matmul", {1, 1}},
    {"bmm", {1, 1}},
    {"dot", {1, 1}},
    {"outer", {1, 1}},
    {"linear", {1, 1}},
    {"einsum1", {1}},
    {"einsum2", {1, 1}},
    {"sum", {1}},
    {"mean", {1}},
    {"amax", {1}},
    {"amin", {1}},
    {"max", {1}},
    {"min", {1}},
    {"sum_to", {1}},
    {"cumsum", {1}},
    {"norm", {1}},
    {"std", {1}},
    {"var", {2}},
    {"reshape", {1}},
    {"permute", {1}},
    {"transpose", {1}},
    {"expand", {1}},
    {"slice", {1}},
    {"contiguous", {1}},
    {"squeeze", {1}},
    {"unsqueeze", {1}},
    {"gather", {1}},
    {"index_select", {1}},
    {"embedding", {1}},
    {"sort", {1}},
    {"diagonal", {1}},
    {"flip", {1}},
    {"conv2d", {1, 1}},
    {"conv1d", {1, 1}},
    {"conv2d_input", {1, 1}},
    {"conv2d_weight", {1, 1}},
    {"max_pool2d", {1}},
    {"avg_pool2d", {1}},
    {"avg_pool2d_input", {1}},
    {"unfold", {1}},
    {"rotary", {1}},
    {"fold", {1}},
    {"linear_scan", {NOT, 1}},
    {"solve", {-1, 1}},
    {"inverse", {-1}},
};

static int degree_of(const trial *t, int input) {
    for (int i = 0; i < COUNT(degrees); i++)
        if (strcmp(degrees[i].call, t->call->name) == 0) return degrees[i].in[input];
    return NOT;
}

/* ---- calls whose own intermediate results leave the range at the larger scales ---- */

#define SCORES "the scores, products of queries and keys, leave f32, and softmax is of them"
#define GATES "the sums in the gates, products of inputs and weights, leave f32 with both signs"
#define FACTORS "products of some elements leave f32, and others come of them in the same sum"

#define ROUNDED "slopes of f32 are made of the result, which near 0 has rounded to 1/2; the sweep holds f64"
#define DOMAIN "the larger scales are outside the domain"
static const struct beyond {
    const char *call, *why;
    bool small; /* the smaller scales are well */
} beyond[] = {
    {"sigmoid", ROUNDED},
    {"atanh", DOMAIN, true},
    {"attention", SCORES, true},
    {"attention_mask", SCORES, true},
    {"attention_logsumexp", SCORES, true},
    {"attention_both", SCORES, true},
    {"lstm_scan_all", GATES, true},
    {"gru_scan_all", GATES, true},
    {"gru_scan_states", GATES, true},
    {"rnn_scan", GATES, true},
    {"rnn_scan_state", GATES, true},
    {"det", FACTORS},
    {"cofactor", FACTORS},
    {"cholesky_of_product", FACTORS, true},
    {"triangular_solve", FACTORS, true},
    {"linear_scan", FACTORS, true},
};

const char *beyond_scales(const char *name, int exponent) {
    for (int i = 0; i < COUNT(beyond); i++)
        if (strcmp(beyond[i].call, name) == 0 && (exponent > 0 || !beyond[i].small)) return beyond[i].why;
    return NULL;
}

/* ---- value, gradient and second derivative ---- */

typedef struct orders {
    tg_tensor *value, *first[MAX_IN], *second[MAX_IN];
    int n;          /* leaves with a gradient: */
    int of[MAX_IN]; /* their inputs */
} orders;

static void scale_leaf(tg_tensor *x, int exponent) {
    for (int64_t k = 0; k < tg_numel(x); k++)
        tg_array_set(tg_array_of(x), k, ldexp(tg_array_get(tg_array_of(x), k), exponent));
}

static bool scales(const trial *t, int l) {
    const input_spec *in = &t->row->in[t->input_of[l]];
    return in->dtype == TG_F32 && !in->bounded;
}

/* Of p . f; the second order of the sum of q . gradient by input over the inputs that `among` has bits of. */
static orders derive(const trial *t, tg_dtype f, const int exponent[MAX_IN], unsigned among) {
    orders o = {.n = 0};
    tg_tensor *leaf[MAX_IN], *x[MAX_IN], *g[MAX_IN], *q[MAX_IN];
    trial_leaves(t, f, true, leaf);
    for (int l = 0; l < t->n_leaves; l++) {
        if (scales(t, l)) scale_leaf(leaf[l], exponent[l]);
        if (tg_requires_grad(leaf[l])) o.of[o.n] = t->input_of[l], x[o.n++] = leaf[l];
    }
    o.value = trial_run(t, leaf);
    fail_if_error(t, "value");
    if (o.n == 0 || !tg_requires_grad(o.value)) return o.n = 0, o;
    tg_tensor *p = signed_seed(o.value, tg_dtype_of(o.value), t->seed), *recorded[MAX_IN];
    tg_grad(1, &o.value, o.n, x, o.first, .seeds = &p, .retain = true, .allow_unused = true);
    tg_grad(1, &o.value, o.n, x, recorded, .seeds = &p, .create_graph = true, .allow_unused = true);
    int m = 0;
    for (int i = 0; i < o.n; i++) {
        if (!tg_requires_grad(recorded[i]) || !(among >> i & 1)) continue;
        q[m] = signed_seed(recorded[i], tg_dtype_of(recorded[i]), t->seed + 7);
        g[m++] = recorded[i];
    }
    if (m > 0) tg_grad(m, g, o.n, x, o.second, .seeds = q, .allow_unused = true);
    fail_if_error(t, "derivatives");
    return o;
}

/* ---- comparing ---- */

/* Well within the range: the partial sums and products that a result is made of may be larger than it. */
static bool fits(double v, tg_dtype f) { return fabs(v) < ldexp(1, f == TG_F64 ? 1000 : 120); }

static char wrong[300]; /* what the first wrong number is; "": none is */

/* a in dtype f against b times 2^k. Errors are relative to the element, or to the largest one that f can represent where
 * terms cancel in a sum. Returns how many. */
static int64_t agree(const trial *t, tg_dtype f, const char *what, const tg_tensor *a, const tg_tensor *b,
                     int k, double rtol) {
    double largest = 0, least = f == TG_F32 ? ldexp(1, -149) : ldexp(1, -1074);
    int64_t n = a && b ? tg_numel(a) : 0;
    for (int64_t e = 0; e < n; e++) {
        double want = ldexp(tg_get(b, e), k);
        if (fits(want, f)) largest = fmax(largest, fabs(want));
    }
    for (int64_t e = 0; e < n; e++) {
        double got = tg_get(a, e), want = ldexp(tg_get(b, e), k);
        if (fits(want, f) && !close_to(got, want, rtol, rtol * largest + 16 * least) && !*wrong)
            snprintf(wrong, sizeof wrong, "%s: %s, %s, element %lld: %.9g, exact %.9g", t->name,
                     tg_dtype_name(f), what, (long long)e, got, want);
    }
    return n;
}

static void cover_orders(const trial *t, tg_dtype f, const int64_t n[3]) {
    cover_dtype(t->op, f);
    cover(t->op, f, K_SCALED, C_VALUE, n[0]);
    if (n[1] > 0) cover(t->op, f, K_SCALED, f == TG_F32 ? C_F32_GRAD : C_FIRST, n[1]);
    if (n[2] > 0) cover(t->op, f, K_SCALED, C_SECOND, n[2]);
}

static double looser(const trial *t, double rtol) { return fmax(rtol, t->row->f32_rtol); }

static void check_f32(const trial *t) {
    int exponent[MAX_IN];
    int64_t n[3] = {0};
    for (int l = 0; l < t->n_leaves; l++) exponent[l] = t->exponent;
    orders a = derive(t, TG_F32, exponent, ~0u), b = derive(t, TG_F64, exponent, ~0u);
    n[0] = agree(t, TG_F32, "value", a.value, b.value, 0, looser(t, 1e-5));
    for (int i = 0; i < a.n; i++) {
        n[1] += agree(t, TG_F32, "gradient", a.first[i], b.first[i], 0, looser(t, 2e-5));
        n[2] += agree(t, TG_F32, "second derivative", a.second[i], b.second[i], 0, looser(t, 1e-4));
    }
    cover_orders(t, TG_F32, n);
}

/* Leaf l alone is scaled: of degree d, the gradient by it has one less, and the derivatives of that two less. */
static void check_homogeneous(const trial *t, int l, int64_t n[3]) {
    int d = degree_of(t, t->input_of[l]), k = 10 * t->exponent, exponent[MAX_IN] = {0};
    const int none[MAX_IN] = {0};
    exponent[l] = k;
    int me = -1;
    orders probe = derive(t, TG_F64, none, ~0u);
    for (int i = 0; i < probe.n; i++)
        if (probe.of[i] == t->input_of[l]) me = i;
    for (int own = 0; own < 2; own++) {
        unsigned among = me < 0 ? ~0u : own ? 1u << me : ~(1u << me);
        orders a = derive(t, TG_F64, exponent, among), b = derive(t, TG_F64, none, among);
        n[0] += agree(t, TG_F64, "value", a.value, b.value, d * k, 1e-11);
        for (int i = 0; i < a.n; i++) {
            int degree = d - (i == me);
            n[1] += agree(t, TG_F64, "gradient", a.first[i], b.first[i], degree * k, 1e-11);
            n[2] += agree(t, TG_F64, "second derivative", a.second[i], b.second[i], (degree - own) * k, 1e-10);
        }
    }
}

const char *wrong_at_scale(const trial *t) {
    wrong[0] = '\0';
    tg_mark mark = tg_tape_mark();
    check_f32(t);
    int64_t n[3] = {0};
    bool any = false;
    for (int l = 0; l < t->n_leaves; l++)
        if (scales(t, l) && degree_of(t, t->input_of[l]) != NOT) check_homogeneous(t, l, n), any = true;
    if (any) cover_orders(t, TG_F64, n);
    tg_tape_rewind(mark);
    return *wrong ? wrong : NULL;
}

void check_scaled(const trial *t) {
    bool any = false;
    for (int l = 0; l < t->n_leaves; l++) any |= scales(t, l);
    const char *what = any && !beyond_scales(t->call->name, t->exponent) ? wrong_at_scale(t) : NULL;
    if (what) ck_abort_msg("%s", what);
}
