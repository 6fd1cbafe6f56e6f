/* Philox4x32-10 and what is drawn from it. A stream is the sequence of blocks philox(counter = (i, 0), key =
 * seed) for i = 0, 1, ...; every draw uses whole blocks, so its value depends on the seed and on the number
 * of blocks used before it, and on nothing else.
 */
#include "core/draw.h"
#include "core/parallel.h"
#include "core/slot.h"
#include "core/work.h"

#include <math.h>

enum { ROUNDS = 10, BLOCKS_PER_TASK = 2048 };
static const double TWO_PI = 6.283185307179586476925;

static uint32_t high_word(uint64_t x) { return (uint32_t)(x >> 32); }
static uint32_t low_word(uint64_t x) { return (uint32_t)x; }

static void philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    uint32_t c0 = counter[0], c1 = counter[1], c2 = counter[2], c3 = counter[3];
    uint32_t k0 = key[0], k1 = key[1];
    for (int round = 0; round < ROUNDS; round++) {
        const uint64_t a = UINT64_C(0xD2511F53) * c0, b = UINT64_C(0xCD9E8D57) * c2;
        c0 = high_word(b) ^ c1 ^ k0;
        c1 = low_word(b);
        c2 = high_word(a) ^ c3 ^ k1;
        c3 = low_word(a);
        k0 += UINT32_C(0x9E3779B9); /* the golden ratio and sqrt(3) - 1, as 32-bit fractions */
        k1 += UINT32_C(0xBB67AE85);
    }
    out[0] = c0, out[1] = c1, out[2] = c2, out[3] = c3;
}

void tg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]) {
    if (counter && key && out)
        philox(counter, key, out);
    else
        tg_fail(TG_ERR_ARGUMENT, "tg_philox: the counter, the key or the result is NULL");
}

typedef struct block {
    uint32_t word[4];
} block;

/* The block of the counter (a, b). */
static block block_of(uint64_t seed, uint64_t a, uint64_t b) {
    const uint32_t counter[4] = {low_word(a), high_word(a), low_word(b), high_word(b)};
    const uint32_t key[2] = {low_word(seed), high_word(seed)};
    block made;
    philox(counter, key, made.word);
    return made;
}

static block block_at(uint64_t seed, uint64_t index) { return block_of(seed, index, 0); }

/* The block as two 64-bit numbers, i = 0 or 1. */
static uint64_t wide(const block *b, int i) { return (uint64_t)b->word[2 * i + 1] << 32 | b->word[2 * i]; }

/* Multiples of 2^-53 in [0, 1), and in (0, 1] for what goes into a logarithm. */
static double unit53(uint64_t bits) { return (double)(bits >> 11) * 0x1p-53; }
static double positive53(uint64_t bits) { return (double)((bits >> 11) + 1) * 0x1p-53; }

/* Box-Muller: for u in (0, 1] and v in [0, 1) uniform, r cos(2 pi v) and r sin(2 pi v) with r = sqrt(-2 log
 * u) are two independent standard normals. */
static void box_muller(double u, double v, double z[2]) {
    const double r = sqrt(-2 * log(u));
    z[0] = r * cos(TWO_PI * v);
    z[1] = r * sin(TWO_PI * v);
}

/* ---- streams ---- */

static _Thread_local tg_rng default_rng;

tg_rng *tg_default_rng(void) { return &default_rng; }

void tg_seed(uint64_t seed) {
    if (tg_may_do("tg_seed")) default_rng = (tg_rng){seed, 0};
}

tg_rng tg_rng_derive(uint64_t seed, uint64_t a, uint64_t b) {
    const block made = block_of(seed, a, b);
    return (tg_rng){.seed = wide(&made, 0)};
}

static tg_status nothing(const tg_array *const *none, const void *drawn) {
    (void)none, (void)drawn;
    return TG_OK;
}

/* What a program draws for itself and does with it is not known, so it is told as data of a work: where it differs, so does the
 * work, and nobody does again what hung on it. */
static block next_block(tg_rng *rng) {
    if (!rng) rng = &default_rng;
    const block b = block_at(rng->seed, rng->next++);
    if (__builtin_expect(tg_listening != NULL, 0))
        tg_work_tell(
            &(tg_work){.name = "a random number on the host", .run = nothing, .data = &b, .size = sizeof b},
            NULL);
    return b;
}

uint64_t tg_rng_bits(tg_rng *rng) {
    const block b = next_block(rng);
    return wide(&b, 0);
}

double tg_rng_uniform(tg_rng *rng) { return unit53(tg_rng_bits(rng)); }

double tg_rng_normal(tg_rng *rng) {
    const block b = next_block(rng);
    double z[2];
    box_muller(positive53(wide(&b, 0)), unit53(wide(&b, 1)), z);
    return z[0];
}

/* The 128-bit product a * b from 32-bit halves. */
static void multiply(uint64_t a, uint64_t b, uint64_t *high, uint64_t *low) {
    const uint64_t a0 = low_word(a), a1 = high_word(a), b0 = low_word(b), b1 = high_word(b);
    const uint64_t p00 = a0 * b0, p01 = a0 * b1, p10 = a1 * b0, p11 = a1 * b1;
    const uint64_t middle = high_word(p00) + (uint64_t)low_word(p01) + low_word(p10);
    *high = p11 + high_word(p01) + high_word(p10) + high_word(middle);
    *low = middle << 32 | low_word(p00);
}

/* Lemire, "Fast random integer generation in an interval", TOMACS 2019. For x of 64 random bits, the upper
 * half of x * n lies in [0, n); it takes some values once more than others unless the 2^64 mod n products
 * with the smallest lower halves are refused. */
uint64_t tg_rng_below(tg_rng *rng, uint64_t n) {
    if (n == 0) return 0;
    const uint64_t refused = (0 - n) % n;
    uint64_t high, low;
    do multiply(tg_rng_bits(rng), n, &high, &low);
    while (low < refused);
    return high;
}

void tg_rng_shuffle(tg_rng *rng, int64_t *values, int64_t n) {
    if (!values && n > 0) tg_fail(TG_ERR_ARGUMENT, "tg_rng_shuffle: the values are NULL");
    if (!values || n < 2) return;
    for (int64_t i = n - 1; i > 0; i--) {
        const int64_t j = (int64_t)tg_rng_below(rng, (uint64_t)i + 1);
        const int64_t v = values[i];
        values[i] = values[j];
        values[j] = v;
    }
}

/* ---- tensors: block i of the draw fills elements [i * per_block, (i + 1) * per_block) ---- */

typedef struct filling {
    tg_rng start;
    void *data;
    int64_t n;
    double a, b; /* low and high, or mean and deviation */
} filling;

static int per_block(tg_dtype dtype) { return dtype == TG_F32 ? 4 : 2; }

static int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }

/* low + (high - low) u can round up to `high`, which is outside. */
static float between_f32(const filling *f, uint32_t bits) {
    const double u = (double)(bits >> 8) * 0x1p-24;
    const float low = (float)f->a, high = (float)f->b, x = (float)(f->a + (f->b - f->a) * u);
    return x < high || low >= high ? x : nextafterf(high, low);
}

static double between_f64(const filling *f, uint64_t bits) {
    const double x = f->a + (f->b - f->a) * unit53(bits);
    return x < f->b || f->a >= f->b ? x : nextafter(f->b, f->a);
}

static void uniform_f32(void *context, int64_t begin, int64_t end) {
    const filling *f = context;
    float *out = f->data;
    for (int64_t i = begin; i < end; i++) {
        const block b = block_at(f->start.seed, f->start.next + (uint64_t)i);
        const int64_t count = smaller(4, f->n - 4 * i);
        for (int64_t j = 0; j < count; j++) out[4 * i + j] = between_f32(f, b.word[j]);
    }
}

static void uniform_f64(void *context, int64_t begin, int64_t end) {
    const filling *f = context;
    double *out = f->data;
    for (int64_t i = begin; i < end; i++) {
        const block b = block_at(f->start.seed, f->start.next + (uint64_t)i);
        const int64_t count = smaller(2, f->n - 2 * i);
        for (int64_t j = 0; j < count; j++) out[2 * i + j] = between_f64(f, wide(&b, (int)j));
    }
}

/* 32 bits for each of u and v are enough for f32: |z| reaches sqrt(-2 log 2^-32) = 6.66. */
static void normal_f32(void *context, int64_t begin, int64_t end) {
    const filling *f = context;
    float *out = f->data;
    for (int64_t i = begin; i < end; i++) {
        const block b = block_at(f->start.seed, f->start.next + (uint64_t)i);
        double z[4];
        box_muller(((double)b.word[0] + 1) * 0x1p-32, (double)b.word[1] * 0x1p-32, z);
        box_muller(((double)b.word[2] + 1) * 0x1p-32, (double)b.word[3] * 0x1p-32, z + 2);
        const int64_t count = smaller(4, f->n - 4 * i);
        for (int64_t j = 0; j < count; j++) out[4 * i + j] = (float)(f->a + f->b * z[j]);
    }
}

static void normal_f64(void *context, int64_t begin, int64_t end) {
    const filling *f = context;
    double *out = f->data;
    for (int64_t i = begin; i < end; i++) {
        const block b = block_at(f->start.seed, f->start.next + (uint64_t)i);
        double z[2];
        box_muller(positive53(wide(&b, 0)), unit53(wide(&b, 1)), z);
        const int64_t count = smaller(2, f->n - 2 * i);
        for (int64_t j = 0; j < count; j++) out[2 * i + j] = f->a + f->b * z[j];
    }
}

typedef void filler(void *context, int64_t begin, int64_t end);

/* What a tensor is filled with; rng NULL is the default stream of the thread that does it. */
typedef struct law {
    double a, b;
    filler *fill;
    tg_rng *rng;
} law;

static tg_status draw_into(const tg_array *const *out, const void *data) {
    const law *l = data;
    tg_rng *rng = l->rng ? l->rng : &default_rng;
    filling f = {*rng, out[0]->data, out[0]->numel, l->a, l->b};
    const int n = per_block((tg_dtype)out[0]->dtype);
    const int64_t blocks = f.n / n + (f.n % n != 0);
    tg_parallel_for(blocks, BLOCKS_PER_TASK, l->fill, &f);
    rng->next += (uint64_t)blocks;
    return TG_OK;
}

/* The numbers of the law are arguments, since of two that are rounded to f32 as neighbours in a struct gcc 12 rounds neither. */
static tg_tensor *draw(const char *op, tg_dtype dtype, double a, double b, tg_shape shape, filler *fill,
                       tg_rng *rng) {
    tg_status before = tg_error_pending;
    tg_array array;
    if (!tg_may_point(rng, op)) return tg_poison();
    tg_slot *s = tg_array_alloc(&array, dtype, shape) == TG_OK ? tg_slot_new(op) : NULL;
    if (!s) {
        tg_array_drop(&array);
        tg_error_by(op, before);
        return tg_poison();
    }
    s->a = array;
    const tg_array *const out[] = {&s->a};
    const law l = {a, b, fill, rng};
    TG_WORK_DO(draw_into, out, &l, .name = op, .n = 1, .makes = 1u, .stream = rng, .size = sizeof l);
    return tg_handle(s);
}

/* Whether there are random numbers of this dtype and shape; if not, the error is raised. */
static bool check(const char *op, tg_dtype dtype, tg_shape shape) {
    if (!tg_dtype_is_float(dtype)) {
        tg_fail(TG_ERR_DTYPE, "%s: random numbers are f32 or f64, not %s", op, tg_dtype_name(dtype));
        return false;
    }
    tg_status before = tg_error_pending;
    return tg_shape_numel(shape) >= 0 || (tg_fail_layout(op, dtype, &shape), tg_error_by(op, before), false);
}

tg_tensor *tg_uniform_from(tg_rng *rng, tg_dtype dtype, double low, double high, tg_shape shape) {
    if (!check("uniform", dtype, shape)) return tg_poison();
    if (dtype == TG_F32) low = (float)low, high = (float)high;
    if (!(low <= high) || !isfinite(high - low)) {
        tg_fail(TG_ERR_ARGUMENT,
                "uniform: no number can be drawn from [%g, %g): low must not be above high, and their distance must be "
                "finite",
                low, high);
        return tg_poison();
    }
    return draw("uniform", dtype, low, high, shape, dtype == TG_F32 ? uniform_f32 : uniform_f64, rng);
}

tg_tensor *tg_uniform_with(tg_dtype dtype, double low, double high, tg_shape shape) {
    return tg_uniform_from(NULL, dtype, low, high, shape);
}

tg_tensor *tg_normal_with(tg_dtype dtype, double mean, double deviation, tg_shape shape) {
    if (!check("normal", dtype, shape)) return tg_poison();
    if (!isfinite(mean) || !(deviation >= 0) || isinf(deviation)) {
        tg_fail(TG_ERR_ARGUMENT,
                "normal: the mean %g must be finite, and the deviation %g finite and not below 0", mean,
                deviation);
        return tg_poison();
    }
    return draw("normal", dtype, mean, deviation, shape, dtype == TG_F32 ? normal_f32 : normal_f64, NULL);
}

/* Between 0 and 1, or with mean 0 and deviation 1. */
static tg_tensor *standard(const char *op, tg_dtype dtype, tg_shape shape, filler *f32, filler *f64) {
    if (!check(op, dtype, shape)) return tg_poison();
    return draw(op, dtype, 0, 1, shape, dtype == TG_F32 ? f32 : f64, NULL);
}

static tg_tensor *standard_like(const char *op, const tg_tensor *t, filler *f32, filler *f64) {
    const tg_slot *s = tg_slot_of(t, op);
    return s ? standard(op, (tg_dtype)s->a.dtype, tg_array_shape(&s->a), f32, f64) : tg_poison();
}

tg_tensor *tg_rand_with(tg_dtype dtype, tg_shape shape) {
    return standard("rand", dtype, shape, uniform_f32, uniform_f64);
}
tg_tensor *tg_randn_with(tg_dtype dtype, tg_shape shape) {
    return standard("randn", dtype, shape, normal_f32, normal_f64);
}
tg_tensor *tg_rand_like(const tg_tensor *t) {
    return standard_like("rand_like", t, uniform_f32, uniform_f64);
}
tg_tensor *tg_randn_like(const tg_tensor *t) {
    return standard_like("randn_like", t, normal_f32, normal_f64);
}
