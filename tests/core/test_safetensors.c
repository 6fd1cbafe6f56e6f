/* Sets of tensors: what the reference library wrote, asking, putting in, saving, halves of floats. */
#include "ops/tapegrad.h"
#include "core/io/elements.h"
#include "core/io/safetensors.h"
#include "core/memory.h"
#include "core/slot.h"
#include "tests/core/files.h"

#include <math.h>
#include <stdlib.h>
#include <unistd.h>

TCase *tcase_safetensors(void);

static char path[600], other[600];

static void setup(void) {
    files_setup();
    snprintf(path, sizeof path, "%s/set.safetensors", folder);
    snprintf(other, sizeof other, "%s/other.safetensors", folder);
}

#if TG_HAVE_JANSSON
static const char odd_name[] = "a \"name\" in \\ \xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80\n";

/* ---- files that the reference library wrote (tests/golden/make_safetensors.py) ---- */

static const struct tensor {
    const char *name;
    tg_dtype dtype;
    tg_shape shape;
} all[] = {
    {odd_name, TG_U8, {1, {1}}},    {"bf16", TG_F32, {2, {2, 3}}},
    {"bool", TG_BOOL, {2, {2, 3}}}, {"empty", TG_F32, {2, {0, 3}}},
    {"f16", TG_F32, {2, {2, 3}}},   {"f32", TG_F32, {2, {2, 3}}},
    {"f64", TG_F64, {2, {2, 3}}},   {"i32", TG_I32, {2, {2, 3}}},
    {"i64", TG_I64, {2, {2, 3}}},   {"rank 8", TG_I32, {8, {1, 2, 1, 3, 1, 2, 1, 2}}},
    {"scalar", TG_F64, {0, {0}}},   {"u8", TG_U8, {2, {2, 3}}},
};

static double value_of(tg_dtype dtype, int64_t i) {
    if (dtype == TG_BOOL) return i % 3 == 0;
    if (dtype == TG_U8) return (double)(i * 37 % 256);
    return tg_dtype_is_float(dtype) ? (double)i * 1.5 - 2 : (double)(i * 1000003 - 5);
}

static tg_safetensors *open_golden(const char *name) {
    char inner[100];
    snprintf(inner, sizeof inner, "safetensors/%s.safetensors", name);
    tg_safetensors *set = tg_safetensors_open(golden_file(inner));
    ck_assert_msg(set != NULL, "%s", tg_error_message());
    return set;
}

START_TEST(reads_what_the_library_wrote) {
    const int before = open_descriptors();
    tg_safetensors *set = open_golden("all");
    ck_assert_int_eq(tg_safetensors_count(set), COUNT(all));
    for (int k = 0; k < COUNT(all); k++) {
        ck_assert_str_eq(tg_safetensors_name(set, k), all[k].name);
        ck_assert(tg_safetensors_has(set, all[k].name));
        ck_assert_int_eq(tg_safetensors_dtype(set, all[k].name), all[k].dtype);
        ck_assert(tg_shape_equal(tg_safetensors_shape(set, all[k].name), all[k].shape));
        const tg_tensor *t = tg_safetensors_get(set, all[k].name);
        expect_ok();
        ck_assert_int_eq(tg_dtype_of(t), all[k].dtype);
        ck_assert(tg_shape_equal(tg_shape_of(t), all[k].shape));
        for (int64_t i = 0; i < tg_numel(t); i++) ck_assert(tg_get(t, i) == value_of(all[k].dtype, i));
    }
    ck_assert_int_eq(tg_safetensors_text_count(set), 1);
    ck_assert_str_eq(tg_safetensors_key(set, 0), "format");
    ck_assert_str_eq(tg_safetensors_text(set, "format"), "pt \xc3\xa9 \"quoted\" \\ \n\t\x01");
    tg_safetensors_free(set);
    expect_ok();
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

static const char *const goldens[] = {"all", "plain", "nothing", "texts"};

/* The same bytes: from the file as it is, and from tensors in memory, put in the other way round. */
START_TEST(writes_as_the_library) {
    unsigned char theirs[2048], ours[2048];
    char inner[100];
    snprintf(inner, sizeof inner, "safetensors/%s.safetensors", goldens[_i]);
    const size_t n = read_file(golden_file(inner), theirs, sizeof theirs);
    tg_safetensors *set = open_golden(goldens[_i]), *again = tg_safetensors_new();
    ck_assert_int_eq(tg_safetensors_save(set, path), TG_OK);
    ck_assert_uint_eq(read_file(path, ours, sizeof ours), n);
    ck_assert_mem_eq(ours, theirs, n);
    for (int64_t i = tg_safetensors_count(set) - 1; i >= 0; i--) {
        const char *name = tg_safetensors_name(set, i);
        const bool half = strstr(name, "f16");
        if (half)
            tg_safetensors_put_half(again, name, tg_safetensors_get(set, name),
                                    name[0] == 'b' ? TG_HALF_BF16 : TG_HALF_F16);
        else
            tg_safetensors_put(again, name, tg_safetensors_get(set, name));
    }
    for (int64_t i = 0; i < tg_safetensors_text_count(set); i++)
        tg_safetensors_put_text(again, tg_safetensors_key(set, i),
                                tg_safetensors_text(set, tg_safetensors_key(set, i)));
    ck_assert_int_eq(tg_safetensors_save(again, path), TG_OK);
    ck_assert_uint_eq(read_file(path, ours, sizeof ours), n);
    ck_assert_mem_eq(ours, theirs, n);
    tg_safetensors_free(set);
    tg_safetensors_free(again);
    expect_ok();
}
END_TEST

START_TEST(saves_over_its_own_file) {
    tg_safetensors *first = open_golden("all");
    ck_assert_int_eq(tg_safetensors_save(first, path), TG_OK);
    tg_safetensors_free(first);
    for (int k = 0; k < 3; k++) {
        tg_safetensors *set = tg_safetensors_open(path);
        char key[20];
        snprintf(key, sizeof key, "pass %d", k);
        tg_safetensors_put_text(set, key, "");
        tg_safetensors_put(set, "f32", tg_full(TG_F32, k, 2, 3));
        ck_assert_int_eq(tg_safetensors_save(set, path), TG_OK);
        ck_assert(tg_get(tg_safetensors_get(set, "f64"), 1) == -.5); /* of the old file, which is open still */
        tg_safetensors_free(set);
    }
    tg_safetensors *set = tg_safetensors_open(path);
    ck_assert_int_eq(tg_safetensors_count(set), COUNT(all));
    ck_assert_int_eq(tg_safetensors_text_count(set), 4);
    ck_assert(tg_get(tg_safetensors_get(set, "f32"), 5) == 2);
    ck_assert(tg_get(tg_safetensors_get(set, "f64"), 5) == 5.5);
    tg_safetensors_free(set);
    expect_ok();
}
END_TEST

/* Rows of a tensor, from the file and from memory. */
START_TEST(rows) {
    tg_safetensors *memory = tg_safetensors_new();
    const int32_t v[12] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
    tg_tensor *t = tg_from(TG_I32, v, 6, 2);
    ck_assert_int_eq(tg_safetensors_put(memory, "x", t), TG_OK);
    ck_assert_int_eq(tg_safetensors_put(memory, "scalar", tg_scalar(TG_F32, 1)), TG_OK);
    ck_assert_int_eq(tg_safetensors_put(memory, "empty", tg_zeros(TG_F32, 0, 3)), TG_OK);
    ck_assert_int_eq(tg_safetensors_put_half(memory, "half", tg_full(TG_F32, 1.5, 5, 7), TG_HALF_F16), TG_OK);
    ck_assert_int_eq(tg_safetensors_save(memory, path), TG_OK);
    tg_safetensors *file = tg_safetensors_open(path);
    for (int k = 0; k < 2; k++) {
        tg_safetensors *set = k == 0 ? memory : file;
        for (int64_t start = 0; start <= 6; start++)
            for (int64_t n = 0; n <= 6 - start; n++) {
                const tg_tensor *part = tg_safetensors_get_rows(set, "x", start, n);
                expect_ok();
                ck_assert(tg_shape_equal(tg_shape_of(part), TG_SHAPE(n, 2)));
                for (int64_t i = 0; i < 2 * n; i++) ck_assert(tg_get(part, i) == (double)(2 * start + i));
            }
        ck_assert(tg_get(tg_safetensors_get_rows(set, "half", 4, 1), 6) == 1.5);
        ck_assert(tg_shape_equal(tg_shape_of(tg_safetensors_get_rows(set, "empty", 0, 0)), TG_SHAPE(0, 3)));
        static const int64_t bad[][2] = {{-1, 1}, {0, 7},         {7, 0},         {6, 1},
                                         {0, -1}, {1, INT64_MAX}, {INT64_MAX, 1}, {INT64_MIN, 1}};
        for (int i = 0; i < COUNT(bad); i++) {
            ck_assert(tg_is_poison(tg_safetensors_get_rows(set, "x", bad[i][0], bad[i][1])));
            expect_error(TG_ERR_ARGUMENT, "are not in \"x\" [6, 2]");
        }
        ck_assert(tg_is_poison(tg_safetensors_get_rows(set, "scalar", 0, 1)));
        expect_error(TG_ERR_ARGUMENT, "safetensors_get_rows: 1 rows from number 0 on are not in \"scalar\" []");
        ck_assert(tg_is_poison(tg_safetensors_get(set, "y")));
        expect_error(TG_ERR_ARGUMENT, "safetensors_get: there is no tensor \"y\"");
    }
    tg_safetensors_free(memory);
    tg_safetensors_free(file);
}
END_TEST

/* More than one piece of everything: converted, copied from a file, and read. */
START_TEST(large_tensors) {
    enum { N = 100003 };
    tg_tensor *t = tg_zeros(TG_F32, N), *b = tg_zeros(TG_BOOL, N);
    for (int i = 0; i < N; i++) {
        ((float *)tg_data_mut(t))[i] = (float)(i % 251) - 100; /* exact in both halves */
        ((uint8_t *)tg_data_mut(b))[i] = i % 7 == 0;
    }
    tg_safetensors *set = tg_safetensors_new();
    tg_safetensors_put(set, "f32", t);
    tg_safetensors_put_half(set, "f16", t, TG_HALF_F16);
    tg_safetensors_put_half(set, "bf16", t, TG_HALF_BF16);
    tg_safetensors_put(set, "bool", b);
    ck_assert_int_eq(tg_safetensors_save(set, path), TG_OK);
    tg_safetensors_free(set);
    for (int pass = 0; pass < 2; pass++) {
        set = tg_safetensors_open(path);
        static const char *const names[] = {"f32", "f16", "bf16"};
        for (int k = 0; k < 3; k++)
            ck_assert_mem_eq(tg_data(tg_safetensors_get(set, names[k])), tg_data(t), N * sizeof(float));
        ck_assert_mem_eq(tg_data(tg_safetensors_get(set, "bool")), tg_data(b), N);
        ck_assert_int_eq(tg_safetensors_save(set, path), TG_OK);
        tg_safetensors_free(set);
    }
    expect_ok();
}
END_TEST

/* So large that several threads share the read; and cut off in the middle of it. */
START_TEST(shared_reads) {
    enum { N = 20 * 1000 * 1000 + 3 };
    const int threads = tg_num_threads();
    tg_tensor *t = tg_zeros(TG_U8, N);
    for (int i = 0; i < N; i++) ((uint8_t *)tg_data_mut(t))[i] = (uint8_t)(i % 251 + i / 65536);
    tg_safetensors *set = tg_safetensors_new();
    tg_safetensors_put(set, "a", tg_zeros(TG_U8, 5)); /* moves the start off a page */
    tg_safetensors_put(set, "large", t);
    ck_assert_int_eq(tg_safetensors_save(set, path), TG_OK);
    tg_safetensors_free(set);
    set = tg_safetensors_open(path);
    for (int n = 1; n <= 3; n++) {
        tg_set_num_threads(n);
        ck_assert_mem_eq(tg_data(tg_safetensors_get(set, "large")), tg_data(t), N);
    }
    expect_ok();
    FILE *f = fopen(path, "r+b");
    ck_assert(f && ftruncate(fileno(f), N / 2) == 0 && fclose(f) == 0);
    ck_assert(tg_is_poison(tg_safetensors_get(set, "large")));
    expect_file_error(TG_ERR_FORMAT, path, "safetensors_get: the file has become shorter");
    tg_set_num_threads(threads);
    tg_safetensors_free(set);
}
END_TEST

START_TEST(a_file_that_shrinks) {
    tg_safetensors *set = open_golden("all");
    ck_assert_int_eq(tg_safetensors_save(set, path), TG_OK);
    tg_safetensors_free(set);
    set = tg_safetensors_open(path);
    write_file(path, "", 0); /* not replaced, as savers do it */
    const size_t live = tg_memory_now().live_buffer_bytes;
    ck_assert(tg_is_poison(tg_safetensors_get(set, "f32")));
    expect_file_error(TG_ERR_FORMAT, path, "safetensors_get: the file has become shorter");
    ck_assert_int_eq(tg_safetensors_save(set, other), TG_ERR_FORMAT);
    expect_file_error(TG_ERR_FORMAT, path, "safetensors_save: the file has become shorter");
    ck_assert(!exists(other));
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    tg_safetensors_free(set);
}
END_TEST

/* Every allocation of opening, reading, putting in and saving fails in turn: nothing leaks, the set stays as it was. */
static tg_status one_of_each(void) {
    tg_safetensors *set = tg_safetensors_open(golden_file("safetensors/all.safetensors"));
    tg_status status = tg_error_status();
    if (status == TG_OK) status = tg_safetensors_put(set, "f32", tg_safetensors_get(set, "f16"));
    if (status == TG_OK)
        status = tg_safetensors_put_half(set, "new", tg_safetensors_get_rows(set, "bf16", 1, 1), TG_HALF_BF16);
    if (status == TG_OK) status = tg_safetensors_put_text(set, "format", "other");
    if (status == TG_OK) status = tg_safetensors_put_text(set, "more", "text");
    if (status == TG_OK) status = tg_safetensors_save(set, path);
    tg_safetensors_free(set);
    return status;
}

START_TEST(no_memory) {
    const int before = open_descriptors();
    int64_t failures = 0;
    ck_assert_int_eq(one_of_each(), TG_OK);
    remove(path);
    const int64_t tensors = tg_region_current()->count;
    for (;; failures++) {
        const size_t live = tg_memory_now().live_buffer_bytes;
        tg_memory_fail_at(failures + 1);
        const tg_status status = one_of_each();
        tg_memory_fail_at(-1);
        if (status == TG_OK) break;
        expect_error(TG_ERR_MEMORY, "safetensors_");
        tg_region_rewind(tg_region_current(), tensors);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        ck_assert_int_eq(files_in_folder(false), 0);
        ck_assert_int_eq(open_descriptors(), before);
    }
    ck_assert_int_ge(failures, 20);
}
END_TEST
#endif

/* ---- sets in memory ---- */

START_TEST(names_are_in_order) {
    static const char *const names[] = {"b", "a.10", "a.2", "", "Z", "\xc3\xa9", "a", "c"},
                             *const sorted[] = {"", "Z", "a", "a.10", "a.2", "b", "c", "\xc3\xa9"};
    tg_safetensors *set = tg_safetensors_new();
    for (int i = 0; i < COUNT(names); i++) {
        ck_assert_int_eq(tg_safetensors_put(set, names[i], tg_scalar(TG_I32, i)), TG_OK);
        ck_assert_int_eq(tg_safetensors_put_text(set, names[COUNT(names) - 1 - i], "x"), TG_OK);
    }
    ck_assert_int_eq(tg_safetensors_count(set), COUNT(names));
    ck_assert_int_eq(tg_safetensors_text_count(set), COUNT(names));
    for (int i = 0; i < COUNT(names); i++) {
        ck_assert_str_eq(tg_safetensors_name(set, i), sorted[i]);
        ck_assert_str_eq(tg_safetensors_key(set, i), sorted[i]);
        ck_assert(tg_item(tg_safetensors_get(set, names[i])) == i);
        ck_assert_int_eq(tg_safetensors_put(set, names[i], tg_scalar(TG_F64, i + .5)), TG_OK);
        ck_assert_int_eq(tg_safetensors_put_text(set, names[i], names[i]), TG_OK);
        ck_assert(tg_item(tg_safetensors_get(set, names[i])) == i + .5);
        ck_assert_str_eq(tg_safetensors_text(set, names[i]), names[i]);
    }
    ck_assert_int_eq(tg_safetensors_count(set), COUNT(names));
    ck_assert(!tg_safetensors_has(set, "d"));
    ck_assert_ptr_null(tg_safetensors_text(set, "d"));
    expect_ok();
    tg_safetensors_free(set);
}
END_TEST

/* The elements are the tensor's own, and outlive its handle. */
START_TEST(refers_to_elements) {
    tg_safetensors *set = tg_safetensors_new();
    tg_tensor *t = tg_keep(tg_zeros(TG_F32, 3));
    ck_assert_int_eq(tg_safetensors_put(set, "x", t), TG_OK);
    ((float *)tg_data_mut(t))[1] = 7;
    ck_assert(tg_get(tg_safetensors_get(set, "x"), 1) == 7);
    tg_free(t);
    ck_assert(tg_get(tg_safetensors_get(set, "x"), 1) == 7);
    const tg_tensor *stays = tg_safetensors_get(set, "x");
    tg_safetensors_free(set);
    ck_assert(tg_get(stays, 1) == 7);
}
END_TEST

START_TEST(arguments) {
    tg_safetensors *set = tg_safetensors_new(), *none = NULL;
    tg_tensor *t = tg_zeros(TG_F64, 2);
    char longest[1026];
    memset(longest, 'n', 1025);
    longest[1025] = '\0';
    ck_assert_int_eq(tg_safetensors_put(set, longest, t), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "safetensors_put: the name has more than 1024 bytes: \"nnn");
    longest[1024] = '\0';
    ck_assert_int_eq(tg_safetensors_put(set, longest, t), TG_OK);
    static const char *const not_utf8[] = {
        "\x80", "a\xc3",        "\xc0\x80",         "\xed\xa0\x80", "\xf4\x90\x80\x80",
        "\xff", "\xe0\x9f\xbf", "\xf0\x8f\xbf\xbf", "\xe4\xb8z",    "\xf5\x80\x80\x80"};
    for (int i = 0; i < COUNT(not_utf8); i++) {
        ck_assert_int_eq(tg_safetensors_put(set, not_utf8[i], t), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "the name is not UTF-8");
        ck_assert_int_eq(tg_safetensors_put_text(set, "x", not_utf8[i]), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "the text of \"x\" is not UTF-8");
    }
    ck_assert_int_eq(tg_safetensors_put(set, "__metadata__", t), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "no tensor may be called \"__metadata__\"");
    ck_assert_int_eq(tg_safetensors_put(set, NULL, t), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "safetensors_put: the name is NULL");
    ck_assert_int_eq(tg_safetensors_put(set, "x", NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "safetensors_put");
    ck_assert_int_eq(tg_safetensors_put_half(set, "x", t, TG_HALF_F16), TG_ERR_DTYPE);
    expect_error(TG_ERR_DTYPE, "safetensors_put_half: only f32 is saved as F16 or BF16, and this is [2] f64");
    ck_assert_int_eq(tg_safetensors_put_half(set, "x", t, (tg_half)2), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "safetensors_put_half: half is neither");
    ck_assert_int_eq(tg_safetensors_put_text(set, "x", NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "safetensors_put_text: the text is NULL");
    ck_assert_ptr_null(tg_safetensors_name(set, 1));
    expect_error(TG_ERR_ARGUMENT, "there is no tensor number 1 among 1");
    ck_assert_ptr_null(tg_safetensors_key(set, -1));
    expect_error(TG_ERR_ARGUMENT, "there is no text number -1 among 0");
    ck_assert_int_eq(tg_safetensors_save(set, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "safetensors_save: the path is NULL");
    ck_assert_ptr_null(tg_safetensors_open(NULL));
    expect_error(TG_ERR_ARGUMENT, "safetensors_open: the path is NULL");
    ck_assert_int_eq(tg_safetensors_count(none), 0);
    expect_error(TG_ERR_ARGUMENT, "safetensors_count: the set of tensors is NULL");
    ck_assert_int_eq(tg_safetensors_count((tg_safetensors *)t), 0);
    expect_error(TG_ERR_ARGUMENT, "safetensors_count: the set of tensors is the handle of something else");
    tg_safetensors_free(none);
    expect_ok();
    tg_safetensors_free(set);
    expect_ok();
    tg_safetensors_free(set);
    expect_error(TG_ERR_ARGUMENT, "safetensors_free: the set of tensors was freed");
    ck_assert(!tg_safetensors_has(set, "x"));
    expect_error(TG_ERR_ARGUMENT, "safetensors_has: the set of tensors was freed");
}
END_TEST

/* ---- halves of floats ---- */

static float float_of(uint32_t bits) {
    float f;
    memcpy(&f, &bits, 4);
    return f;
}

static void widen_one(uint16_t half, bool bf16, float *out) {
    memcpy((char *)out + 2, &half, 2);
    if (bf16)
        tg_elements_from_bf16(out, 1);
    else
        tg_elements_from_f16(out, 1);
}

static uint16_t narrow_one(float f, bool bf16) {
    uint16_t half;
    if (bf16)
        tg_elements_to_bf16(&f, 1, &half);
    else
        tg_elements_to_f16(&f, 1, &half);
    return half;
}

/* Each of the 65,536 as its definition says, and back; between neighbours the nearest, at the middle the even one. */
START_TEST(every_half) {
    const bool bf16 = _i == 1;
    const int fraction_bits = bf16 ? 7 : 10, bias = bf16 ? 127 : 15, top = bf16 ? 255 : 31;
    for (uint32_t h = 0; h < 65536; h++) {
        const int exponent = (int)(h >> fraction_bits) & top, fraction = (int)h & ((1 << fraction_bits) - 1);
        float f;
        widen_one((uint16_t)h, bf16, &f);
        if (exponent == top) {
            ck_assert(fraction ? isnan(f) : isinf(f));
        } else {
            const double v = exponent ? ldexp(1 + ldexp(fraction, -fraction_bits), exponent - bias)
                                      : ldexp(fraction, 1 - bias - fraction_bits);
            ck_assert(f == (h >> 15 ? -v : v) && (bool)signbit(f) == (h >> 15 == 1));
        }
        const uint16_t back = narrow_one(f, bf16);
        ck_assert_msg(isnan(f) ? (back | 1u << (fraction_bits - 1)) == (h | 1u << (fraction_bits - 1))
                               : back == h,
                      "%x %x", h, back);
        if (exponent == top || (h & 0x7fff) == 0) continue;
        float below;
        widen_one((uint16_t)(h - 1), bf16, &below);
        const float middle = (float)(((double)f + below) / 2);
        ck_assert_uint_eq(narrow_one(middle, bf16), h - h % 2);
        ck_assert_uint_eq(narrow_one(nextafterf(middle, f), bf16), h);
        ck_assert_uint_eq(narrow_one(nextafterf(middle, below), bf16), h - 1);
    }
    ck_assert_uint_eq(narrow_one(INFINITY, bf16), bf16 ? 0x7f80 : 0x7c00);
    ck_assert_uint_eq(narrow_one(-INFINITY, bf16), bf16 ? 0xff80 : 0xfc00);
    ck_assert_uint_eq(narrow_one(0x1.fffffep127f, bf16), bf16 ? 0x7f80 : 0x7c00);
    ck_assert_uint_eq(narrow_one(float_of(1), bf16), 0);
    ck_assert(isnan(float_of((uint32_t)narrow_one(float_of(0x7f800001), true) << 16)));
    if (bf16) return;
    ck_assert_uint_eq(narrow_one(65519.996f, false), 0x7bff); /* 65504, the largest; from 65520 on infinity */
    ck_assert_uint_eq(narrow_one(65520, false), 0x7c00);
    ck_assert_uint_eq(narrow_one(0x1p-25f, false), 0);
    ck_assert_uint_eq(narrow_one(-0x1.000002p-25f, false), 0x8001);
}
END_TEST

TCase *tcase_safetensors(void) {
    TCase *tc = tcase_create("safetensors");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, files_teardown);
#if TG_HAVE_JANSSON
    tcase_add_test(tc, reads_what_the_library_wrote);
    tcase_add_loop_test(tc, writes_as_the_library, 0, COUNT(goldens));
    tcase_add_test(tc, saves_over_its_own_file);
    tcase_add_test(tc, rows);
    tcase_add_test(tc, large_tensors);
    tcase_add_test(tc, shared_reads);
    tcase_add_test(tc, a_file_that_shrinks);
    tcase_add_test(tc, no_memory);
#endif
    tcase_add_test(tc, names_are_in_order);
    tcase_add_test(tc, refers_to_elements);
    tcase_add_test(tc, arguments);
    tcase_add_loop_test(tc, every_half, 0, 2);
    return tc;
}
