#include "core/discrete.h"

#include "core/memory.h"
#include "core/work.h"

#include <math.h>
#include <string.h>

#define failed(...) (tg_fail(__VA_ARGS__), tg_poison())

/* ---- whole numbers ---- */

typedef struct whole_numbers { /* low to low + count - 1 */
    int64_t low;
    uint64_t count;
} whole_numbers;

static tg_status draw_whole(const tg_array *const *out, const void *data) {
    const tg_array *a = out[0];
    const whole_numbers *l = data;
    for (int64_t i = 0; i < a->numel; i++) {
        int64_t v = (int64_t)((uint64_t)l->low + tg_rng_below(NULL, l->count));
        if (a->dtype == TG_I64)
            ((int64_t *)a->data)[i] = v;
        else
            tg_array_set(a, i, (double)v);
    }
    return TG_OK;
}

tg_tensor *tg_randint_with(tg_dtype dtype, int64_t low, int64_t high, tg_shape shape) {
    TG_NAMED("randint");
    int64_t least = dtype == TG_I32  ? INT32_MIN
                    : dtype == TG_U8 ? 0
                                     : INT64_MIN,
            most = dtype == TG_I32  ? INT32_MAX
                   : dtype == TG_U8 ? UINT8_MAX
                                    : INT64_MAX;
    if (dtype != TG_I64 && dtype != TG_I32 && dtype != TG_U8)
        return failed(TG_ERR_DTYPE, "randint: whole numbers are i64, i32 or u8, not %s", tg_dtype_name(dtype));
    if (low >= high || low < least || high - 1 > most)
        return failed(TG_ERR_ARGUMENT,
                      "randint: there are no numbers in [%lld, %lld), or not all of them are %s",
                      (long long)low, (long long)high, tg_dtype_name(dtype));
    tg_tensor *t = tg_zeros_with(dtype, shape);
    if (tg_is_poison(t)) return t;
    const tg_array *const out[] = {tg_array_within(t, "randint")};
    const whole_numbers l = {low, (uint64_t)high - (uint64_t)low};
    TG_WORK_DO(draw_whole, out, &l, .name = "randint", .n = 1, .makes = 1u, .size = sizeof l);
    return t;
}

static tg_status draw_order(const tg_array *const *out, const void *rng) {
    int64_t *v = out[0]->data, n = out[0]->numel;
    for (int64_t i = 0; i < n; i++) v[i] = i;
    tg_rng_shuffle(*(tg_rng *const *)rng, v, n);
    return TG_OK;
}

tg_tensor *tg_randperm_with(int64_t n, tg_randperm_opts opts) {
    TG_NAMED("randperm");
    if (n < 0) return failed(TG_ERR_ARGUMENT, "randperm: %lld numbers are asked for", (long long)n);
    tg_tensor *t = tg_may_point(opts.rng, "randperm") ? tg_zeros_with(TG_I64, TG_SHAPE(n)) : tg_poison();
    if (tg_is_poison(t)) return t;
    const tg_array *const out[] = {tg_array_within(t, "randperm")};
    TG_WORK_DO(draw_order, out, &opts.rng, .name = "randperm", .n = 1, .makes = 1u, .stream = opts.rng,
               .size = sizeof opts.rng);
    return t;
}

/* ---- decisions ---- */

/* The array of t, f32 or f64; NULL with the error raised. */
static const tg_array *floats(const tg_tensor *t, const char *who) {
    if (!tg_check_argument(t, who, NULL)) return NULL;
    const tg_array *a = tg_array_within(t, "tg_array_of");
    char text[160];
    if (!a || tg_dtype_is_float((tg_dtype)a->dtype)) return a;
    tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, was given %s", who, tg_describe(t, text, sizeof text));
    return NULL;
}

static tg_status check_probabilities(const tg_array *const *a, const void *p) {
    char text[160];
    for (int64_t i = 0; i < a[0]->numel; i++) {
        double v = tg_array_get(a[0], i);
        if (!(v >= 0 && v <= 1))
            return tg_fail(TG_ERR_ARGUMENT, "bernoulli: element %lld, %g, is no probability: %s",
                           (long long)i, v, tg_described_in(p, text));
    }
    return TG_OK;
}

static tg_status draw_decisions(const tg_array *const *a, const void *rng) {
    tg_array_fill(a[0], 0);
    for (int64_t i = 0; i < a[1]->numel; i++)
        if (tg_rng_uniform(*(tg_rng *const *)rng) < tg_array_get(a[1], i)) tg_array_set(a[0], i, 1);
    return TG_OK;
}

tg_tensor *tg_bernoulli_with(const tg_tensor *p, tg_bernoulli_opts opts) {
    TG_NAMED("bernoulli");
    const tg_array *a = floats(p, "bernoulli");
    tg_described of;
    if (!a) return tg_poison();
    tg_describe_to(&of, p);
    if (TG_WORK_DO(check_probabilities, &a, &of, .name = "bernoulli", .n = 1, .size = sizeof of) != TG_OK)
        return tg_poison();
    tg_tensor *t = tg_may_point(opts.rng, "bernoulli") ? tg_zeros_like(p) : tg_poison();
    if (tg_is_poison(t)) return t;
    const tg_array *const both[] = {tg_array_within(t, "bernoulli"), a};
    TG_WORK_DO(draw_decisions, both, &opts.rng, .name = "bernoulli", .n = 2, .makes = 1u, .stream = opts.rng,
               .size = sizeof opts.rng);
    return t;
}

/* ---- categories ---- */

typedef struct category {
    double key;
    int64_t number;
} category;

/* Draws with replacement: with c_i the sum of the weights 0 to i, the first i with u c_last < c_i for u uniform in [0, 1).
 * Those of weight 0 add nothing and are never the first. u c_last may round to c_last: then it is the last that adds. */
static void draw_again(tg_rng *rng, category *c, int64_t k, int64_t n, int64_t *out) {
    double largest = 0, sum = 0;
    int64_t last = 0;
    for (int64_t i = 0; i < k; i++) largest = fmax(largest, c[i].key);
    for (int64_t i = 0; i < k; i++) {
        double before = sum;
        sum += c[i].key / largest;
        c[i].key = sum;
        if (sum > before) last = i;
    }
    for (int64_t j = 0; j < n; j++) {
        double at = tg_rng_uniform(rng) * sum;
        int64_t low = 0, high = last;
        while (low < high) {
            int64_t middle = low + (high - low) / 2;
            if (at < c[middle].key)
                high = middle;
            else
                low = middle + 1;
        }
        out[j] = low;
    }
}

static bool before(const category *a, const category *b) {
    return a->key < b->key || (a->key == b->key && a->number < b->number);
}

static void sift(category *heap, int64_t n, int64_t i) {
    for (int64_t child; (child = 2 * i + 1) < n; i = child) {
        if (child + 1 < n && before(&heap[child + 1], &heap[child])) child++;
        if (!before(&heap[child], &heap[i])) return;
        category moved = heap[i];
        heap[i] = heap[child], heap[child] = moved;
    }
}

/* Draws without replacement: of independent exponential times with the weights as rates, that of i is the first with
 * probability weight / sum, and without it the same holds for the rest. Their logarithms are in range at all weights. */
static void draw_once(tg_rng *rng, category *c, int64_t k, int64_t n, int64_t *out) {
    for (int64_t i = 0; i < k; i++) {
        double u = tg_rng_uniform(rng);
        c[i].key = c[i].key > 0 ? log(-log1p(-u)) - log(c[i].key) : INFINITY;
    }
    for (int64_t i = k / 2 - 1; i >= 0; i--) sift(c, k, i);
    for (int64_t j = 0; j < n; j++) {
        out[j] = c[0].number;
        c[0] = c[--k];
        sift(c, k, 0);
    }
}

typedef struct drawing {
    int64_t n;           /* of each row of weights */
    int64_t replacement; /* no bool, behind which there would be bytes without a value */
    tg_rng *rng;
    tg_described weights;
} drawing;

static int64_t rows_of(const tg_array *weights) { return weights->rank == 1 ? 1 : weights->shape[0]; }
static int64_t row_length(const tg_array *weights) { return weights->shape[weights->rank - 1]; }

/* Whether n can be drawn of each row; raises the error otherwise. */
static tg_status check_weights(const tg_array *const *weights, const void *data) {
    const tg_array *a = weights[0];
    const drawing *d = data;
    const int64_t rows = rows_of(a), k = row_length(a), n = d->n;
    char text[160];
    for (int64_t r = 0; r < rows; r++) {
        int64_t positive = 0;
        for (int64_t i = 0; i < k; i++) {
            double w = tg_array_get(a, r * k + i);
            if (!(w >= 0) || isinf(w))
                return tg_fail(TG_ERR_ARGUMENT,
                               "multinomial: weight %lld of row %lld, %g, is negative or not finite: %s",
                               (long long)i, (long long)r, w, tg_described_in(&d->weights, text));
            positive += w > 0;
        }
        if (positive < (d->replacement ? 1 : n))
            return tg_fail(TG_ERR_ARGUMENT,
                           "multinomial: row %lld has %lld weights above 0, of which %lld cannot be drawn%s: %s",
                           (long long)r, (long long)positive, (long long)n,
                           d->replacement ? "" : " without replacement", tg_described_in(&d->weights, text));
    }
    return TG_OK;
}

/* a[0] becomes the numbers drawn by the weights a[1], which have been checked. */
static tg_status draw_rows(const tg_array *const *a, const void *data) {
    const drawing *d = data;
    const int64_t rows = rows_of(a[1]), k = row_length(a[1]);
    int64_t *out = a[0]->data;
    size_t bytes;
    category *c = tg_size_mul((size_t)k + 1, sizeof *c, &bytes) ? tg_alloc(bytes) : NULL;
    if (!c)
        return tg_fail(TG_ERR_MEMORY, "multinomial: there is no memory for %lld categories", (long long)k);
    for (int64_t r = 0; r < rows; r++, out += d->n) {
        for (int64_t i = 0; i < k; i++) c[i] = (category){tg_array_get(a[1], r * k + i), i};
        if (d->replacement)
            draw_again(d->rng, c, k, d->n, out);
        else
            draw_once(d->rng, c, k, d->n, out);
    }
    tg_dealloc(c, bytes);
    return TG_OK;
}

tg_tensor *tg_multinomial_with(const tg_tensor *weights, int64_t n, tg_multinomial_opts o) {
    TG_NAMED("multinomial");
    const tg_array *a = floats(weights, "multinomial");
    if (!a) return tg_poison();
    char text[160];
    if (a->rank != 1 && a->rank != 2)
        return failed(TG_ERR_SHAPE, "multinomial: needs weights [k] or [rows, k], was given %s",
                      tg_describe(weights, text, sizeof text));
    if (n < 1) return failed(TG_ERR_ARGUMENT, "multinomial: %lld numbers are asked for", (long long)n);
    drawing d;
    memset(&d, 0, sizeof d); /* what lies between its fields is compared, too */
    d.n = n, d.replacement = o.replacement, d.rng = o.rng;
    tg_describe_to(&d.weights, weights);
    if (!tg_may_point(d.rng, "multinomial") ||
        TG_WORK_DO(check_weights, &a, &d, .name = "multinomial", .n = 1, .size = sizeof d) != TG_OK)
        return tg_poison();
    tg_tensor *t = tg_zeros_with(TG_I64, a->rank == 1 ? TG_SHAPE(n) : TG_SHAPE(rows_of(a), n));
    if (tg_is_poison(t)) return t;
    const tg_array *const both[] = {tg_array_within(t, "multinomial"), a};
    tg_status s = TG_WORK_DO(draw_rows, both, &d, .name = "multinomial", .n = 2, .makes = 1u, .stream = d.rng,
                             .size = sizeof d);
    return s == TG_OK ? t : tg_poison();
}
