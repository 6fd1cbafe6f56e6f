/* Errors, shapes, sizes, random numbers and loops at all their edges, against what they are by definition. */
#include "ops/tapegrad.h"
#include "core/alloc.h"
#include "core/io/idx.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/slot.h"
#include "tests/core/helpers.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

TCase *tcase_edges(void);

__extension__ typedef unsigned __int128 uint128;

static void setup(void) { tg_error_clear(); }

/* ---- errors ---- */

/* Whatever comes first stays, with its text. */
START_TEST(the_first_failure_stays) {
    for (int a = TG_OK + 1; a <= TG_ERR_FORMAT; a++)
        for (int b = TG_OK; b <= TG_ERR_FORMAT; b++) {
            char text[64];
            snprintf(text, sizeof text, "failure %d", a);
            ck_assert_int_eq(tg_fail((tg_status)a, "failure %d", a), a);
            ck_assert_int_eq(tg_fail((tg_status)b, "another"), a);
            ck_assert_int_eq(tg_fail_memory(100), a);
            ck_assert_str_eq(tg_error_message(), text);
            ck_assert_int_eq(tg_error_status(), a);
            tg_error_clear();
            ck_assert_str_eq(tg_error_message(), "");
            ck_assert_int_eq(tg_error_status(), TG_OK);
        }
}
END_TEST

/* A message of any length takes one place, once, and ends with it. */
START_TEST(messages_of_all_lengths) {
    static char long_text[4300], file[200];
    memset(file, 'f', 150);
    for (size_t n = 0; n < 4240; n++) {
        memset(long_text, 'm', n), long_text[n] = '\0';
        tg_fail(TG_ERR_SHAPE, "%s", long_text);
        size_t cut = strlen(tg_error_message());
        ck_assert_uint_eq(cut, n < 4095 ? n : 4095);
        const char *name = n % 3 ? "src/train.c" : file;
        tg_error_stamp(name, (int)n);
        tg_error_stamp("other.c", 1);
        const char *m = tg_error_message();
        ck_assert_uint_le(strlen(m), 4095);
        char end[160];
        snprintf(end, sizeof end, "   (%.100s:%d)", n % 3 ? "train.c" : file, (int)n);
        ck_assert_msg(strlen(m) >= strlen(end) && strcmp(m + strlen(m) - strlen(end), end) == 0, "%d: %s",
                      (int)n, m);
        ck_assert_uint_eq(strlen(m), cut + strlen(end) < 4095 ? cut + strlen(end) : 4095);
        tg_error_clear();
    }
}
END_TEST

START_TEST(names) {
    static const int none[] = {-1, TG_ERR_PEER + 1, TG_ERR_PEER + 2, 1000};
    for (int i = 0; i < COUNT(none); i++)
        ck_assert_str_eq(tg_status_name((tg_status)none[i]), "unknown status");
    for (int s = TG_OK; s <= TG_ERR_PEER; s++)
        ck_assert(strncmp(tg_status_name((tg_status)s), "TG_", 3) == 0);
    ck_assert_str_eq(tg_base_name("/x"), "x");
    ck_assert_str_eq(tg_base_name("x"), "x");
    ck_assert_str_eq(tg_base_name("a/b/c.c"), "c.c");
    ck_assert_str_eq(tg_base_name(""), "");
}
END_TEST

/* ---- shapes and sizes ---- */

static tg_shape shape_of(int64_t code, int rank) {
    tg_shape s = {rank, {0}};
    for (int i = 0; i < rank; i++, code /= 4) s.dim[i] = code % 4;
    return s;
}

/* All pairs of up to three axes of 0 to 3. */
START_TEST(every_broadcast) {
    for (int ra = 0; ra <= 3; ra++)
        for (int rb = 0; rb <= 3; rb++)
            for (int64_t i = 0; i < 1 << 2 * ra; i++)
                for (int64_t j = 0; j < 1 << 2 * rb; j++) {
                    tg_shape a = shape_of(i, ra), b = shape_of(j, rb), want = {ra > rb ? ra : rb, {0}}, out;
                    bool fits = true;
                    for (int k = 0; k < want.rank; k++) {
                        int64_t m = k < want.rank - ra ? 1 : a.dim[k - want.rank + ra],
                                n = k < want.rank - rb ? 1 : b.dim[k - want.rank + rb];
                        fits = fits && (m == n || m == 1 || n == 1);
                        want.dim[k] = m == 1 ? n : m;
                    }
                    ck_assert_int_eq(tg_shape_broadcast(a, b, &out), fits);
                    if (fits) ck_assert(tg_shape_equal(out, want));
                    ck_assert_int_eq(tg_shape_equal(a, b), ra == rb && i == j);
                }
}
END_TEST

START_TEST(shapes_of_eight_axes) {
    tg_shape s = {TG_MAX_RANK, {2, 3, 1, 2, 1, 3, 2, 5}};
    char text[300], want[300] = "[";
    for (int i = 0; i < s.rank; i++) {
        tg_shape other = s;
        other.dim[i]++;
        ck_assert(!tg_shape_equal(s, other) && tg_shape_equal(s, s));
        other.dim[i] = 0;
        ck_assert_int_eq(tg_shape_numel(other), 0);
        other.dim[i] = -1;
        ck_assert_int_eq(tg_shape_numel(other), -1);
        for (int k = 0; k < s.rank; k++) { /* sizes that overflow do so wherever the empty axis is */
            other = (tg_shape){3, {INT64_MAX, INT64_MAX, INT64_MAX}};
            if (k < 3) other.dim[k] = 0;
            ck_assert_int_eq(tg_shape_numel(other), -1);
        }
    }
    for (int i = 0; i < s.rank; i++) {
        s.dim[i] = i % 2 ? INT64_MAX - i : s.dim[i];
        snprintf(want + strlen(want), 30, "%s%" PRId64, i ? ", " : "", s.dim[i]);
    }
    strcat(want, "]");
    ck_assert_str_eq(tg_shape_text(s, text, sizeof text), want);
    for (int rank = 0; rank <= TG_MAX_RANK; rank++)
        for (int axis = -10; axis <= 10; axis++)
            ck_assert_int_eq(tg_axis(axis, rank), axis < -rank || axis >= rank ? -1
                                                  : axis < 0                   ? axis + rank
                                                                               : axis);
}
END_TEST

/* Products, sums and paddings of sizes near the end of their range. */
START_TEST(sizes_near_the_end) {
    static const size_t sizes[] = {0,
                                   1,
                                   15,
                                   16,
                                   17,
                                   63,
                                   64,
                                   65,
                                   SIZE_MAX / 2,
                                   SIZE_MAX / 2 + 1,
                                   SIZE_MAX - 64,
                                   SIZE_MAX - 63,
                                   SIZE_MAX - 62,
                                   SIZE_MAX - 15,
                                   SIZE_MAX - 14,
                                   SIZE_MAX - 1,
                                   SIZE_MAX};
    static const size_t units[] = {1, 16, 64, 2 << 20};
    for (int i = 0; i < COUNT(sizes); i++) {
        size_t a = sizes[i], out;
        for (int k = 0; k < COUNT(sizes); k++) {
            size_t b = sizes[k];
            uint128 product = (uint128)a * b, sum = (uint128)a + b;
            ck_assert_int_eq(tg_size_mul(a, b, &out), product <= SIZE_MAX);
            if (product <= SIZE_MAX) ck_assert(out == (size_t)product);
            ck_assert_int_eq(tg_size_add(a, b, &out), sum <= SIZE_MAX);
            if (sum <= SIZE_MAX) ck_assert(out == (size_t)sum);
        }
        for (int u = 0; u < COUNT(units); u++) {
            uint128 padded = ((uint128)a + units[u] - 1) / units[u] * units[u];
            ck_assert_int_eq(tg_size_pad(a, units[u], &out), padded <= SIZE_MAX);
            if (padded <= SIZE_MAX) ck_assert(out == (size_t)padded);
        }
    }
}
END_TEST

/* ---- random numbers ---- */

/* Block `index` of a stream, from its definition. */
static void block(uint64_t seed, uint64_t index, uint32_t word[4]) {
    tg_philox((uint32_t[4]){(uint32_t)index, (uint32_t)(index >> 32), 0, 0},
              (uint32_t[2]){(uint32_t)seed, (uint32_t)(seed >> 32)}, word);
}
static uint64_t wide(const uint32_t word[4], int i) { return (uint64_t)word[2 * i + 1] << 32 | word[2 * i]; }

static void expect_normals(double u, double v, double z[2]) {
    double r = sqrt(-2 * log(u));
    z[0] = r * cos(6.283185307179586476925 * v), z[1] = r * sin(6.283185307179586476925 * v);
}

/* Single numbers of streams of all seeds, from any block on. */
START_TEST(numbers_of_streams) {
    for (int s = 0; s < 64; s++)
        for (int n = 0; n < 64; n += 7) {
            tg_rng r = {(UINT64_C(1) << s) + (uint64_t)s, (UINT64_C(1) << n) - 1}, start = r;
            uint32_t word[4];
            double z[2];
            block(r.seed, r.next, word);
            ck_assert(tg_rng_bits(&r) == wide(word, 0) && r.next == start.next + 1 && r.seed == start.seed);
            block(r.seed, r.next, word);
            ck_assert(tg_rng_uniform(&r) == (double)(wide(word, 0) >> 11) * 0x1p-53);
            block(r.seed, r.next, word);
            expect_normals((double)((wide(word, 0) >> 11) + 1) * 0x1p-53,
                           (double)(wide(word, 1) >> 11) * 0x1p-53, z);
            double is = tg_rng_normal(&r);
            ck_assert(is == z[0] && r.next == start.next + 3);
        }
}
END_TEST

/* The upper half of x n, where its lower half is not among the 2^64 mod n that are refused. */
START_TEST(numbers_below) {
    static const uint64_t ends[] = {1,
                                    2,
                                    3,
                                    7,
                                    1000,
                                    UINT64_C(1) << 31,
                                    UINT64_C(1) << 32,
                                    (UINT64_C(1) << 32) + 1,
                                    UINT64_C(3) << 62,
                                    (UINT64_C(1) << 63) + 1,
                                    UINT64_MAX,
                                    UINT64_C(0xfedcba9876543210)};
    for (int i = 0; i < COUNT(ends); i++) {
        tg_rng r = {.seed = 99}, copy = r;
        for (int k = 0; k < 200; k++) {
            uint128 product;
            do product = (uint128)tg_rng_bits(&copy) * ends[i];
            while ((uint64_t)product < (0 - ends[i]) % ends[i]);
            ck_assert(tg_rng_below(&r, ends[i]) == (uint64_t)(product >> 64));
            ck_assert(r.next == copy.next);
        }
    }
    int64_t v[50], w[50];
    for (int n = 0; n <= 50; n++) { /* Fisher and Yates, from the end */
        tg_rng r = {.seed = 5}, copy = r;
        for (int i = 0; i < n; i++) v[i] = w[i] = i;
        tg_rng_shuffle(&r, v, n);
        for (int i = n - 1; i > 0; i--) {
            int64_t j = (int64_t)tg_rng_below(&copy, (uint64_t)i + 1), t = w[i];
            w[i] = w[j], w[j] = t;
        }
        for (int i = 0; i < n; i++) ck_assert_int_eq(v[i], w[i]);
    }
}
END_TEST

/* Element i of a draw, by its block; the stream moves by whole blocks, whatever the length and the number of threads. */
START_TEST(tensors_of_random_numbers) {
    static const int64_t lengths[] = {0, 1, 2, 3, 4, 5, 7, 8, 9, 8191, 8192, 8193, 8195, 40001};
    int64_t count = tg_region_current()->count;
    int threads = tg_num_threads();
    for (int i = 0; i < COUNT(lengths); i++)
        for (int form = 0; form < 4; form++) {
            tg_set_num_threads(1 + i % 4);
            int64_t n = lengths[i], per = form / 2 ? 2 : 4;
            tg_rng start = {.seed = 77 + (uint64_t)form, .next = (UINT64_C(1) << 32) - 2};
            *tg_default_rng() = start;
            tg_tensor *t = form % 2 ? tg_normal_with(form / 2 ? TG_F64 : TG_F32, 1, 2, TG_SHAPE(n))
                                    : tg_uniform_with(form / 2 ? TG_F64 : TG_F32, -1, 3, TG_SHAPE(n));
            ck_assert(tg_default_rng()->next == start.next + (uint64_t)((n + per - 1) / per));
            for (int64_t k = 0; k < n; k++) {
                uint32_t word[4];
                double z[2], want;
                block(start.seed, start.next + (uint64_t)(k / per), word);
                if (form == 0) want = (double)(float)(-1 + 4 * ((double)(word[k % 4] >> 8) * 0x1p-24));
                if (form == 2) want = -1 + 4 * ((double)(wide(word, (int)(k % 2)) >> 11) * 0x1p-53);
                if (form == 1)
                    expect_normals(((double)word[k % 4 / 2 * 2] + 1) * 0x1p-32,
                                   (double)word[k % 4 / 2 * 2 + 1] * 0x1p-32, z),
                        want = (double)(float)(1 + 2 * z[k % 2]);
                if (form == 3)
                    expect_normals((double)((wide(word, 0) >> 11) + 1) * 0x1p-53,
                                   (double)(wide(word, 1) >> 11) * 0x1p-53, z),
                        want = 1 + 2 * z[k % 2];
                if (tg_get(t, k) != want)
                    ck_abort_msg("form %d, element %d of %d: %.17g, not %.17g", form, (int)k, (int)n,
                                 tg_get(t, k), want);
            }
            tg_region_rewind(tg_region_current(), count);
        }
    tg_set_num_threads(threads);
}
END_TEST

/* ---- elements ---- */

/* Every element of any rank can be read, and no more; copies take exactly the bytes that there are. */
START_TEST(elements_and_their_bytes) {
    for (int rank = 0; rank <= TG_MAX_RANK; rank++) {
        tg_shape s = {rank, {2, 1, 3, 2, 1, 2, 1, 2}};
        tg_tensor *t = tg_zeros_with(TG_F32, s);
        int64_t n = tg_numel(t);
        for (int64_t i = 0; i < n; i++) ((float *)tg_data_mut(t))[i] = (float)i;
        for (int64_t i = 0; i < n; i++) ck_assert(tg_get(t, i) == (double)i);
        for (int64_t i = -2; i < n + 2; i += i == -1 ? n + 1 : 1) {
            ck_assert(isnan(tg_get(t, i)));
            expect_error(TG_ERR_ARGUMENT, " is out of range for ");
        }
        float out[64] = {0};
        for (size_t bytes = 0; bytes < 4 * (size_t)n + 3; bytes++) {
            if (bytes == 4 * (size_t)n) continue;
            ck_assert_int_eq(tg_copy_out(t, out, bytes), TG_ERR_ARGUMENT);
            expect_error(TG_ERR_ARGUMENT, "bytes");
            ck_assert(out[0] == 0 && out[n - 1] == 0);
        }
        ck_assert_int_eq(tg_copy_out(t, out, 4 * (size_t)n), TG_OK);
        ck_assert(out[n - 1] == (float)(n - 1));
    }
    for (int64_t n = 1; n < 70; n += 3) { /* any byte but 0 is true */
        unsigned char bytes[70];
        for (int64_t i = 0; i < n; i++) bytes[i] = (unsigned char)(i * 37 % 5 * 60);
        tg_tensor *t = tg_from_with(TG_BOOL, bytes, TG_SHAPE(n));
        for (int64_t i = 0; i < n; i++)
            ck_assert_uint_eq(((const unsigned char *)tg_data(t))[i], bytes[i] != 0);
    }
}
END_TEST

/* ---- files ---- */

static bool same_elements(const tg_tensor *t, const tg_tensor *u) {
    const tg_array *a = tg_array_of(t), *b = tg_array_of(u);
    return a && b && a->dtype == b->dtype && tg_shape_equal(tg_array_shape(a), tg_array_shape(b)) &&
           memcmp(a->data, b->data, (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype)) == 0;
}

/* What is written comes back to the bit: lengths around a piece of 8 KiB, plain and compressed. */
START_TEST(files_of_all_lengths) {
    static const tg_dtype dtypes[] = {TG_U8, TG_I32, TG_F32, TG_F64};
    static const int64_t lengths[] = {1,    2,    1023, 1024, 1025, 2047,  2048, 2049,
                                      3073, 4097, 8191, 8192, 8193, 10241, 20481};
    char path[64];
    int64_t count = tg_region_current()->count;
    for (int gz = 0; gz < 2; gz++)
        for (int i = 0; i < COUNT(lengths) * COUNT(dtypes); i++) {
            snprintf(path, sizeof path, "edges-%ld.idx%s", (long)getpid(), gz ? ".gz" : "");
            tg_tensor *t = tg_zeros_with(dtypes[i % COUNT(dtypes)], TG_SHAPE(lengths[i / COUNT(dtypes)]));
            for (int64_t k = 0; k < tg_numel(t); k++)
                tg_array_set(tg_array_of(t), k, (double)((k * 2654435761) % 251) - (i % 2 ? 100 : 0));
            if (tg_save_idx(t, path) != TG_OK && gz) { /* no zlib */
                expect_error(TG_ERR_IO, "zlib");
                return;
            }
            expect_ok();
            ck_assert_msg(same_elements(t, tg_load_idx(path)), "%d of %s", (int)tg_numel(t),
                          tg_dtype_name(tg_dtype_of(t)));
            unlink(path);
            tg_region_rewind(tg_region_current(), count);
        }
}
END_TEST

/* Zeros compress better than 1000 to 1. */
START_TEST(files_that_compress_well) {
    char path[64];
    snprintf(path, sizeof path, "zeros-%ld.idx.gz", (long)getpid());
    int64_t count = tg_region_current()->count;
    tg_tensor *t = tg_zeros_with(TG_U8, TG_SHAPE(1, 1, 2, 1, 5, 1, 1000, 1200));
    if (tg_save_idx(t, path) == TG_OK)
        ck_assert_msg(same_elements(t, tg_load_idx(path)), "%s", tg_error_message());
    else
        expect_error(TG_ERR_IO, "zlib");
    unlink(path);
    tg_region_rewind(tg_region_current(), count);
}
END_TEST

/* ---- loops ---- */

enum { PLACES = 230 };
static atomic_int visits[PLACES], beyond;
static void visit(void *n, int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; i++)
        if (i < *(int64_t *)n)
            atomic_fetch_add(&visits[i], 1);
        else
            atomic_fetch_add(&beyond, 1);
}

START_TEST(loops_of_all_lengths) {
    int threads = tg_num_threads();
    for (int64_t n = 0; n < PLACES; n += n < 40 ? 1 : 13)
        for (int64_t grain = 1; grain < 12; grain += 3)
            for (int t = 1; t <= 5; t += 2) {
                for (int i = 0; i < PLACES; i++) atomic_store(&visits[i], 0);
                tg_set_num_threads(t);
                tg_parallel_for(n, grain, visit, &n);
                for (int i = 0; i < PLACES; i++) ck_assert_int_eq(atomic_load(&visits[i]), i < n);
                ck_assert_int_eq(atomic_load(&beyond), 0);
            }
    tg_set_num_threads(threads);
}
END_TEST

TCase *tcase_edges(void) {
    TCase *tc = tcase_create("edges");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, setup);
    tcase_add_test(tc, the_first_failure_stays);
    tcase_add_test(tc, messages_of_all_lengths);
    tcase_add_test(tc, names);
    tcase_add_test(tc, every_broadcast);
    tcase_add_test(tc, shapes_of_eight_axes);
    tcase_add_test(tc, sizes_near_the_end);
    tcase_add_test(tc, numbers_of_streams);
    tcase_add_test(tc, numbers_below);
    tcase_add_test(tc, tensors_of_random_numbers);
    tcase_add_test(tc, elements_and_their_bytes);
    tcase_add_test(tc, files_of_all_lengths);
    tcase_add_test(tc, files_that_compress_well);
    tcase_add_test(tc, loops_of_all_lengths);
    return tc;
}
