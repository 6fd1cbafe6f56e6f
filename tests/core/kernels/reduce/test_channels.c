/* batch_norm's kernels on arrays [images, channels, places], against the formulas in long double: in every instruction set,
 * with channels that lie where they are and such that are brought together, parts around a vector's and a block's length, and
 * to the bit at 1, 3 and 4 threads. */
#include "core/kernels/kernels.h"
#include "tests/core/kernels/isas.h"
#include "tests/core/layouts.h"

TCase *tcase_channels(void);

enum { MOST = 40000, CHANNELS = 40 };

/* What the elements are: about 0; far from it, so that the mean must be more exact than the type can hold it; of one size
 * but for one, negative, which has nearly all of the squares. */
typedef enum values { PLAIN, FAR, SPIKE, VALUES } values;

typedef enum { X_, G_, W_, B_, MEAN_, VAR_, Y_, DX_, DW_, DB_, OPERANDS } operand;
static double raw[OPERANDS][MOST + 1], first[OPERANDS][MOST + 1];
static long double v[OPERANDS][MOST];

static size_t size_of(tg_dtype dtype) { return dtype == TG_F32 ? 4 : 8; }
static long double get(tg_dtype dtype, operand o, int64_t i) {
    return dtype == TG_F32 ? (long double)((float *)(void *)raw[o])[i] : (long double)raw[o][i];
}
static void set(tg_dtype dtype, operand o, int64_t i, double value) {
    if (dtype == TG_F32)
        ((float *)(void *)raw[o])[i] = (float)value;
    else
        raw[o][i] = value;
    v[o][i] = get(dtype, o, i);
}

static void fill(const tg_channel_norm *f, tg_dtype dtype, values as) {
    int64_t n = f->images * f->channels * f->places;
    for (int64_t i = 0; i < n; i++) {
        double noise = (double)(mixed((uint64_t)i) % 1009) / 504 - 1;
        set(dtype, X_, i, as == FAR ? 4096 + noise / 8 : noise);
        set(dtype, G_, i, (double)(mixed((uint64_t)(i + n)) % 1013) / 506 - 0.75);
    }
    int64_t one = ((f->images - 1) / 2 * f->channels + f->channels / 2) * f->places + f->places / 3;
    if (as == SPIKE) set(dtype, X_, one, -1000);
    for (int64_t c = 0; c < f->channels; c++) {
        set(dtype, W_, c, 0.5 + (double)(c % 5) / 3), set(dtype, B_, c, (double)(c % 7) / 3 - 1);
        set(dtype, MEAN_, c, (as == FAR ? 4096 : 0) + (double)(c % 3) / 8),
            set(dtype, VAR_, c, 0.5 + (double)c / 8);
    }
}

/* Element i of channel c. */
static int64_t place(const tg_channel_norm *f, int64_t c, int64_t i) {
    return (i / f->places * f->channels + c) * f->places + i % f->places;
}

/* All is less the first element, so that long double has digits enough. */
static void expect_channel(const tg_channel_norm *f, int64_t c, bool affine) {
    int64_t count = f->images * f->places;
    long double mean = 0, square = 0, n = (long double)count, gz = 0, sum = 0, base = v[X_][place(f, c, 0)];
    for (int64_t i = 0; i < count; i++) mean += (v[X_][place(f, c, i)] - base) / n;
    for (int64_t i = 0; i < count; i++) square += powl(v[X_][place(f, c, i)] - base - mean, 2) / n;
    if (f->given)
        mean = v[MEAN_][c] - base, square = v[VAR_][c];
    else
        v[MEAN_][c] = mean + base, v[VAR_][c] = square;
    long double scale = 1 / sqrtl(square + (long double)f->eps), w = affine ? v[W_][c] : 1;
    for (int64_t i = 0; i < count; i++) {
        long double z = (v[X_][place(f, c, i)] - base - mean) * scale, g = v[G_][place(f, c, i)];
        gz += g * z, sum += g;
        v[Y_][place(f, c, i)] = z * w + (affine ? v[B_][c] : 0);
    }
    v[DW_][c] = gz, v[DB_][c] = sum;
    for (int64_t i = 0; i < count; i++) {
        long double z = (v[X_][place(f, c, i)] - base - mean) * scale, g = v[G_][place(f, c, i)];
        v[DX_][place(f, c, i)] = (f->given ? g : g - sum / n - z * gz / n) * scale * w;
    }
}

/* n elements within `ulp` units of `large`, or of themselves where they are larger; nothing written behind. */
static void near_all(const char *what, tg_dtype dtype, operand o, int64_t n, double ulp, double large) {
    double unit = dtype == TG_F32 ? 0x1p-23 : 0x1p-52;
    for (int64_t i = 0; i < n; i++) {
        double want = (double)v[o][i], got = (double)get(dtype, o, i);
        REQUIRE(fabs(got - want) <= ulp * unit * fmax(large, fabs(want)),
                "%s, %s f%d: %.17g at %d of %d, not %.17g", what, tg_isa(), dtype ? 64 : 32, got, (int)i,
                (int)n, want);
    }
    REQUIRE(((unsigned char *)raw[o])[(size_t)n * size_of(dtype)] == 0x5a, "%s writes behind its end", what);
}

static tg_array array_of(tg_dtype dtype, operand o, int64_t n) {
    tg_array a = {.dtype = (uint8_t)dtype, .rank = 1, .numel = n, .data = raw[o]};
    a.shape[0] = n, a.stride[0] = 1;
    return a;
}

/* The outputs, all bits of them those of one thread. */
static void same_bits(int threads, bool given) {
    for (int o = given ? Y_ : MEAN_; o < OPERANDS; o++) {
        if (threads == 1) memcpy(first[o], raw[o], sizeof raw[o]);
        REQUIRE(memcmp(first[o], raw[o], sizeof raw[o]) == 0, "result %d differs at %d threads", o, threads);
    }
}

static void check_channels(tg_channel_norm f, tg_dtype dtype, values as, unsigned wanted, bool affine) {
    int64_t n = f.images * f.channels * f.places;
    tg_array a[OPERANDS];
    for (int o = 0; o < OPERANDS; o++)
        a[o] = array_of(dtype, (operand)o, o < W_ || o == Y_ || o == DX_ ? n : f.channels);
    fill(&f, dtype, as);
    for (int64_t c = 0; c < f.channels; c++) expect_channel(&f, c, affine);
    double terms = sqrt((double)(f.images * f.places)), rough = as == SPIKE ? 8 : 1;
    for (int t = 1; t <= 4; t += t == 1 ? 2 : 1) {
        const tg_array *w = affine ? &a[W_] : NULL, *b = affine ? &a[B_] : NULL;
        tg_set_num_threads(t);
        for (int o = f.given ? Y_ : MEAN_; o < OPERANDS; o++) memset(raw[o], 0x5a, sizeof raw[o]);
        ck_assert_int_eq(tg_map_channel_norm(&f, &a[X_], w, b, &a[MEAN_], &a[VAR_], &a[Y_]), TG_OK);
        ck_assert_int_eq(tg_map_channel_norm_grad(&f, &a[G_], &a[X_], w, &a[MEAN_], &a[VAR_],
                                                  wanted & 1 ? &a[DX_] : NULL, wanted & 2 ? &a[DW_] : NULL,
                                                  wanted & 4 ? &a[DB_] : NULL),
                         TG_OK);
        same_bits(t, f.given);
    }
    near_all("y", dtype, Y_, n, 16 * rough, 1);
    if (!f.given)
        near_all("mean", dtype, MEAN_, f.channels, 2, 0.25), near_all("var", dtype, VAR_, f.channels, 8, 0);
    if (wanted & 1) near_all("dx", dtype, DX_, n, 32, as == SPIKE ? 0.05 : 4);
    if (wanted & 2) near_all("dw", dtype, DW_, f.channels, 16 * rough, terms);
    if (wanted & 4) near_all("db", dtype, DB_, f.channels, 16, terms);
}

static const int64_t sizes[][3] = {{2, 1, 1},    {33, 40, 1},   {100, 17, 2}, {5, 3, 63},   {4, 5, 64},
                                   {3, 33, 65},  {9, 16, 7},    {7, 2, 1024}, {2, 3, 1025}, {1, 4, 2100},
                                   {40, 33, 30}, {1100, 2, 16}, {200, 20, 8}, {3, 1, 257},  {129, 3, 100}};
enum { SIZES = sizeof sizes / sizeof *sizes };

START_TEST(channels_of_all_sizes) {
    if (!tg_kernels_use(tg_kernel_isas[_i])) return;
    for (unsigned k = 0; k < SIZES; k++)
        for (unsigned form = 0; form < 2 * VALUES * 2 * 2; form++) {
            tg_channel_norm f = {sizes[k][0], sizes[k][1], sizes[k][2], 0.01, form / 2 % 2};
            values as = (values)(form / 4 % VALUES);
            if (as == SPIKE && f.images * f.places < 32) continue;
            check_channels(f, (tg_dtype)(form % 2), as, 1 + (form + k) % 7, form / (4 * VALUES));
        }
}
END_TEST

START_TEST(channels_without_memory) {
    tg_channel_norm f = {3, 2, 5, 0.01, false};
    tg_array a = array_of(TG_F32, X_, 30), c = array_of(TG_F32, MEAN_, 2);
    fill(&f, TG_F32, PLAIN);
    tg_memory_fail_at(1);
    ck_assert_int_eq(tg_map_channel_norm(&f, &a, NULL, NULL, &c, &c, &a), TG_ERR_MEMORY);
    tg_memory_fail_at(-1);
    tg_error_clear();
}
END_TEST

TCase *tcase_channels(void) {
    TCase *tc = tcase_create("channels");
    tcase_set_timeout(tc, 60);
    tcase_set_tags(tc, "long-double"); /* Valgrind computes long double in 64 bits */
    tcase_add_checked_fixture(tc, keep_setting, restore_setting);
    tcase_add_loop_test(tc, channels_of_all_sizes, 0, isa_count());
    tcase_add_test(tc, channels_without_memory);
    return tc;
}
