/* A row of a suite: its inputs, and its function called on them. */
#include "ops/nn/check/suite_private.h"

#include "core/random.h"
#include "ops/rooms.h"

#include <math.h>
#include <stdarg.h>
#include <string.h>

/* ---- how a check ends ---- */

static void conclude(tg_trial *t, tg_check_outcome outcome, const char *format, va_list args) {
    if (t->result->outcome != TG_CHECK_PASSED) return;
    t->result->outcome = outcome;
    vsnprintf(t->result->message, sizeof t->result->message, format, args);
}

void tg_trial_fail(tg_trial *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    conclude(t, TG_CHECK_FAILED, format, args);
    va_end(args);
}

void tg_trial_skip(tg_trial *t, const char *format, ...) {
    va_list args;
    va_start(args, format);
    conclude(t, TG_CHECK_SKIPPED, format, args);
    va_end(args);
}

bool tg_trial_good(tg_trial *t, const char *doing) {
    if (tg_error_status() != TG_OK) {
        tg_trial_fail(t, "%s%s%s", doing ? doing : "", doing ? ": " : "", tg_error_message());
        tg_error_clear();
    }
    return t->result->outcome == TG_CHECK_PASSED;
}

/* ---- shapes ---- */

static bool is_letter(char c) { return c >= 'a' && c <= 'z'; }

static int64_t size_of(const tg_trial *t, char letter) {
    static const int64_t standard[] = {3, 4, 2, 5};
    const char *sizes = t->row->sizes;
    if (letter == t->letter || t->letter == '*') return t->size;
    for (; sizes && sizes[0] && sizes[1]; sizes += 2)
        if (sizes[0] == letter) return sizes[1] - '0';
    return letter - 'a' < 4 ? standard[letter - 'a'] : 3;
}

static bool read_shape(tg_trial *t, int i) {
    tg_shape *s = &t->shape[i];
    *s = (tg_shape){0, {0}};
    for (const char *p = t->row->in[i].shape; *p; p++) {
        bool letter = is_letter(*p);
        if ((!letter && (*p < '0' || *p > '9')) || s->rank == TG_MAX_RANK) {
            tg_trial_fail(t, "the shape \"%s\" of input %d is not of up to %d letters a to z and digits",
                          t->row->in[i].shape, i, TG_MAX_RANK);
            return false;
        }
        s->dim[s->rank++] = letter ? size_of(t, *p) : *p - '0';
    }
    return true;
}

bool tg_trial_shapes(tg_trial *t, char letter, int64_t size) {
    t->letter = letter, t->size = size;
    t->n = 0;
    while (t->n < TG_CHECK_MOST_INPUTS && t->row->in[t->n].shape)
        if (!read_shape(t, t->n++)) return false;
    return true;
}

int tg_trial_letters(const tg_trial *t, char letters[26]) {
    int n = 0;
    for (int i = 0; i < t->n; i++)
        for (const char *p = t->row->in[i].shape; *p; p++)
            if (is_letter(*p) && !memchr(letters, *p, (size_t)n)) letters[n++] = *p;
    return n;
}

/* ---- numbers ---- */

typedef struct domain {
    double low, high, apart;
} domain;

static domain domain_of(const tg_trial *t, const tg_check_input *in) {
    domain d = {in->low, in->high, in->apart};
    if (in->low == 0 && in->high == 0) d.low = -2, d.high = 2;
    if (in->dtype == TG_BOOL) d.low = 0, d.high = 2;
    if (in->index_of) d.low = 0, d.high = (double)size_of(t, in->index_of);
    if (d.apart == 0) d.apart = 0.01 * (d.high - d.low);
    return d;
}

static bool is_near_a_kink(const tg_check_input *in, double v, double apart) {
    for (int i = 0; i < in->n_kinks && i < 3; i++)
        if (fabs(v - in->kink[i]) <= apart) return true;
    return false;
}

/* One number; in cell k of n for inputs that are distinct. */
static double draw(const tg_check_input *in, domain d, int64_t k, int64_t n, tg_rng *rng) {
    double width = d.high - d.low, v = d.low;
    for (int tries = 0; tries < 1000; tries++) {
        double u = tg_rng_uniform(rng);
        if (in->distinct) u = ((double)k + 0.25 + 0.5 * u) / (double)n;
        v = d.low + width * u;
        v = in->dtype == TG_F32 || in->dtype == TG_F64 ? (double)(float)v : floor(v);
        if (!is_near_a_kink(in, v, d.apart)) return v;
    }
    tg_fail(TG_ERR_ARGUMENT, "tg_check_suite: the kinks leave no room in [%g, %g)", d.low, d.high);
    return v;
}

/* Distinct numbers come in random order. */
static void fill(const tg_trial *t, tg_tensor *x, const tg_check_input *in, tg_rng *rng) {
    const tg_array *a = tg_is_poison(x) ? NULL : tg_array_of(x);
    domain d = domain_of(t, in);
    if (!a) return;
    for (int64_t k = 0; k < a->numel; k++) tg_array_set(a, k, draw(in, d, k, a->numel, rng));
    for (int64_t k = a->numel - 1; in->distinct && k > 0; k--) {
        int64_t other = (int64_t)tg_rng_below(rng, (uint64_t)k + 1);
        double v = tg_array_get(a, k);
        tg_array_set(a, k, tg_array_get(a, other)), tg_array_set(a, other, v);
    }
}

bool tg_trial_takes_gradient(const tg_trial *t, int i) {
    const tg_check_input *in = &t->row->in[i];
    bool none = t->row->op && i < 16 && t->row->op->no_grad & TG_IN(i);
    return tg_dtype_is_float(in->dtype) && !in->constant && !none;
}

int tg_trial_inputs(tg_trial *t, tg_dtype f, int point, bool grad, tg_tensor *in[TG_CHECK_MOST_TENSORS]) {
    const tg_model *m = t->row->model;
    int n = t->n, parameters = m ? tg_model_count(m) : 0;
    for (int i = 0; i < n; i++) {
        const tg_check_input *of = &t->row->in[i];
        tg_rng rng = tg_rng_derive(t->seed, (uint64_t)point, (uint64_t)i);
        char name[3] = {'x', (char)('0' + i), 0};
        in[i] = tg_zeros_with(tg_dtype_is_float(of->dtype) ? f : of->dtype, t->shape[i]);
        fill(t, in[i], of, &rng);
        if (grad && tg_trial_takes_gradient(t, i)) tg_set_requires_grad(in[i], true);
        tg_set_name(in[i], name);
    }
    for (int i = 0; grad && i < parameters; i++, n++) {
        if (n == TG_CHECK_MOST_TENSORS) {
            tg_trial_fail(t, "the model has %d parameters; with the inputs there may be %d", parameters,
                          TG_CHECK_MOST_TENSORS);
            return -1;
        }
        in[n] = tg_model_at(m, i);
    }
    return tg_trial_good(t, "inputs") ? n : -1;
}

/* ---- calls ---- */

tg_tensor *tg_trial_run(tg_tensor *const *in, void *user) {
    const tg_trial *t = user;
    tg_tensor *given[TG_CHECK_MOST_INPUTS];
    for (int i = 0; i < t->n; i++) given[i] = t->fault && t->faulty == i ? tg_trial_plant(t, in[i]) : in[i];
    return t->row->f ? t->row->f(given, t->row->user) : tg_apply(t->row->op, given, t->n, t->row->attr);
}

tg_tensor *tg_trial_call(tg_trial *t, tg_tensor *const *in) {
    tg_callback inside = tg_callback_begin();
    tg_tensor *y = tg_trial_run(in, t);
    tg_callback_end(inside, tg_error_status(), t->row->name);
    if (tg_error_status() == TG_OK && !tg_check_argument(y, t->row->name, "the result")) y = NULL;
    return tg_trial_good(t, NULL) ? y : NULL;
}

tg_tensor *tg_trial_seed(const tg_trial *t, const tg_tensor *y, uint64_t salt) {
    tg_tensor *p = tg_zeros_like(y);
    const tg_array *a = tg_is_poison(p) ? NULL : tg_array_of(p);
    tg_rng rng = tg_rng_derive(t->seed, UINT64_C(0x5eed), salt);
    for (int64_t k = 0; a && k < a->numel; k++) {
        double u = (double)(float)tg_rng_uniform(&rng);
        tg_array_set(a, k, (double)(float)(u < 0.5 ? -0.5 - 2 * u : 2 * u - 0.5));
    }
    return p;
}

int tg_trial_gradients(tg_trial *t, int n, tg_tensor *const *in, bool record, tg_tensor **y, int *at,
                       tg_tensor **g) {
    tg_tensor *x[TG_CHECK_MOST_TENSORS];
    int wanted = 0;
    for (int i = 0; i < n; i++)
        if (tg_requires_grad(in[i])) x[wanted] = in[i], at[wanted++] = i;
    *y = tg_trial_call(t, in);
    if (!*y) return -1;
    if (!tg_requires_grad(*y)) return 0;
    tg_tensor *seed = tg_trial_seed(t, *y, 0);
    tg_grad_with(1, y, wanted, x, g,
                 (tg_grad_opts){.seeds = &seed, .create_graph = record, .allow_unused = true});
    return tg_trial_good(t, record ? "the recorded walk" : "the walk") ? wanted : -1;
}

/* ---- comparisons ---- */

static double largest(const tg_tensor *x) {
    double most = 0;
    for (int64_t k = 0; k < tg_numel(x); k++) most = fmax(most, fabs(tg_get(x, k)));
    return isfinite(most) ? most : 1;
}

static bool is_close(double a, double b, double allowed) {
    if (isnan(a) || isnan(b)) return isnan(a) && isnan(b);
    return a == b || fabs(a - b) <= allowed;
}

bool tg_trial_compare(tg_trial *t, const char *what, const tg_tensor *a, const tg_tensor *b, double rtol) {
    char is[80], should[80];
    if (!tg_shape_equal(tg_shape_of(a), tg_shape_of(b))) {
        tg_trial_fail(t, "%s: the shape is %s, and should be %s", what,
                      tg_shape_text(tg_shape_of(a), is, sizeof is),
                      tg_shape_text(tg_shape_of(b), should, sizeof should));
        return false;
    }
    double allowed = rtol * largest(b);
    for (int64_t k = 0; k < tg_numel(b); k++)
        if (!is_close(tg_get(a, k), tg_get(b, k), allowed)) {
            tg_trial_fail(t, "%s: element %lld is %.17g, and should be %.17g", what, (long long)k,
                          tg_get(a, k), tg_get(b, k));
            return false;
        }
    t->result->numbers += tg_numel(b);
    return tg_trial_good(t, what);
}
