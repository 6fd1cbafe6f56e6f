#include "core/discrete.h"

#include "core/memory.h"

#include <math.h>

#define failed(...) (tg_fail(__VA_ARGS__), tg_poison())

/* ---- whole numbers ---- */

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
    const tg_array *a = tg_array_of(t);
    uint64_t count = (uint64_t)high - (uint64_t)low;
    for (int64_t i = 0; i < a->numel; i++) {
        int64_t v = (int64_t)((uint64_t)low + tg_rng_below(NULL, count));
        if (dtype == TG_I64)
            ((int64_t *)a->data)[i] = v;
        else
            tg_array_set(a, i, (double)v);
    }
    return t;
}

tg_tensor *tg_randperm_with(int64_t n, tg_randperm_opts opts) {
    TG_NAMED("randperm");
    if (n < 0) return failed(TG_ERR_ARGUMENT, "randperm: %lld numbers are asked for", (long long)n);
    tg_tensor *t = tg_zeros_with(TG_I64, TG_SHAPE(n));
    if (tg_is_poison(t)) return t;
    int64_t *v = tg_array_of(t)->data;
    for (int64_t i = 0; i < n; i++) v[i] = i;
    tg_rng_shuffle(opts.rng, v, n);
    return t;
}

/* ---- decisions ---- */

/* The array of t, f32 or f64; NULL with the error raised. */
static const tg_array *floats(const tg_tensor *t, const char *who) {
    if (!tg_check_argument(t, who, NULL)) return NULL;
    const tg_array *a = tg_array_of(t);
    char text[160];
    if (!a || tg_dtype_is_float((tg_dtype)a->dtype)) return a;
    tg_fail(TG_ERR_DTYPE, "%s: takes f32 or f64, was given %s", who, tg_describe(t, text, sizeof text));
    return NULL;
}

tg_tensor *tg_bernoulli_with(const tg_tensor *p, tg_bernoulli_opts opts) {
    TG_NAMED("bernoulli");
    const tg_array *a = floats(p, "bernoulli");
    char text[160];
    for (int64_t i = 0; a && i < a->numel; i++) {
        double v = tg_array_get(a, i);
        if (!(v >= 0 && v <= 1))
            return failed(TG_ERR_ARGUMENT, "bernoulli: element %lld, %g, is no probability: %s", (long long)i,
                          v, tg_describe(p, text, sizeof text));
    }
    tg_tensor *t = a ? tg_zeros_like(p) : tg_poison();
    if (tg_is_poison(t)) return t;
    for (int64_t i = 0; i < a->numel; i++)
        if (tg_rng_uniform(opts.rng) < tg_array_get(a, i)) tg_array_set(tg_array_of(t), i, 1);
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

/* Whether n can be drawn of each row; raises the error otherwise. */
static bool check_weights(const tg_tensor *t, const tg_array *a, int64_t rows, int64_t k, int64_t n,
                          bool replacement) {
    char text[160];
    tg_describe(t, text, sizeof text);
    for (int64_t r = 0; r < rows; r++) {
        int64_t positive = 0;
        for (int64_t i = 0; i < k; i++) {
            double w = tg_array_get(a, r * k + i);
            if (!(w >= 0) || isinf(w)) {
                tg_fail(TG_ERR_ARGUMENT,
                        "multinomial: weight %lld of row %lld, %g, is negative or not finite: %s",
                        (long long)i, (long long)r, w, text);
                return false;
            }
            positive += w > 0;
        }
        if (positive >= (replacement ? 1 : n)) continue;
        tg_fail(TG_ERR_ARGUMENT,
                "multinomial: row %lld has %lld weights above 0, of which %lld cannot be drawn%s: %s",
                (long long)r, (long long)positive, (long long)n, replacement ? "" : " without replacement",
                text);
        return false;
    }
    return true;
}

/* The result for weights that have been checked, with room for the categories of a row. */
static tg_tensor *draw_rows(const tg_array *a, int64_t rows, int64_t k, int64_t n, tg_multinomial_opts o,
                            category *c) {
    tg_tensor *t = tg_zeros_with(TG_I64, a->rank == 1 ? TG_SHAPE(n) : TG_SHAPE(rows, n));
    if (tg_is_poison(t)) return t;
    int64_t *out = tg_array_of(t)->data;
    for (int64_t r = 0; r < rows; r++, out += n) {
        for (int64_t i = 0; i < k; i++) c[i] = (category){tg_array_get(a, r * k + i), i};
        if (o.replacement)
            draw_again(o.rng, c, k, n, out);
        else
            draw_once(o.rng, c, k, n, out);
    }
    return t;
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
    int64_t k = a->shape[a->rank - 1], rows = a->rank == 1 ? 1 : a->shape[0];
    if (!check_weights(weights, a, rows, k, n, o.replacement)) return tg_poison();
    size_t bytes;
    category *c = tg_size_mul((size_t)k + 1, sizeof *c, &bytes) ? tg_alloc(bytes) : NULL;
    if (!c) return failed(TG_ERR_MEMORY, "multinomial: there is no memory for %lld categories", (long long)k);
    tg_tensor *t = draw_rows(a, rows, k, n, o, c);
    tg_dealloc(c, bytes);
    return t;
}
