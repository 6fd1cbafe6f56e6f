/* Sets of arrays in zip archives: what NumPy wrote, asking, putting in, saving, and archives that are not to be trusted. */
#include "ops/tapegrad.h"
#include "core/io/npz.h"
#include "core/memory.h"
#include "core/slot.h"
#include "tests/core/files.h"

#include <stdlib.h>

TCase *tcase_npz(void);

#if TG_HAVE_LIBZIP
static const struct array {
    const char *name;
    tg_dtype dtype;
    tg_shape shape;
} all[] = {
    {"b1", TG_BOOL, {2, {2, 3}}},
    {"big", TG_F32, {2, {2, 3}}},
    {"empty", TG_F32, {2, {0, 3}}},
    {"f4", TG_F32, {2, {2, 3}}},
    {"f8", TG_F64, {2, {2, 3}}},
    {"fortran", TG_F64, {2, {2, 3}}},
    {"i4", TG_I32, {2, {2, 3}}},
    {"i8", TG_I64, {2, {2, 3}}},
    {"layer/weight", TG_F32, {2, {40, 50}}},
    {"scalar", TG_F64, {0, {0}}},
    {"u1", TG_U8, {2, {2, 3}}},
    {"\xc3\xa9\xe4\xb8\xad\xf0\x9f\x98\x80", TG_I32, {1, {5}}},
};

static double value_of(tg_dtype dtype, int64_t i) {
    if (dtype == TG_BOOL) return i % 3 == 0;
    if (dtype == TG_U8) return (double)(i * 37 % 256);
    return tg_dtype_is_float(dtype) ? (double)i * 1.5 - 2 : (double)(i * 1000003 - 5);
}

static const char *golden_npz(const char *name) {
    char inner[100];
    snprintf(inner, sizeof inner, "npz/%s.npz", name);
    return golden_file(inner);
}

/* All that make_npz.py writes is in the set. */
static void check_all(const char *path) {
    tg_npz *set = tg_npz_open(path);
    ck_assert_msg(set != NULL, "%s", tg_error_message());
    ck_assert_int_eq(tg_npz_count(set), COUNT(all));
    for (int k = 0; k < COUNT(all); k++) {
        ck_assert_str_eq(tg_npz_name(set, k), all[k].name);
        ck_assert(tg_npz_has(set, all[k].name));
        ck_assert_int_eq(tg_npz_dtype(set, all[k].name), all[k].dtype);
        ck_assert(tg_shape_equal(tg_npz_shape(set, all[k].name), all[k].shape));
        const tg_tensor *t = tg_npz_get(set, all[k].name);
        expect_ok();
        ck_assert(tg_dtype_of(t) == all[k].dtype && tg_shape_equal(tg_shape_of(t), all[k].shape));
        ck_assert(tg_is_contiguous(t));
        for (int64_t i = 0; i < tg_numel(t); i++) ck_assert(tg_get(t, i) == value_of(all[k].dtype, i));
    }
    tg_npz_free(set);
}

START_TEST(reads_what_numpy_wrote) {
    const int before = open_descriptors();
    check_all(golden_npz("stored"));
    check_all(golden_npz("compressed"));
    tg_npz *none = tg_npz_open(golden_npz("none"));
    ck_assert_msg(none && tg_npz_count(none) == 0, "%s", tg_error_message());
    tg_npz_free(none);
    expect_ok();
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* From one archive to another, each way of compression, and over itself: the same set; and equal sets are equal files. */
START_TEST(saves_what_it_has) {
    static unsigned char a[40000], b[40000];
    const char *path = in_folder("x.npz"), *other = in_folder("y.npz");
    tg_npz *set = tg_npz_open(golden_npz(_i ? "compressed" : "stored"));
    for (int compress = 0; compress < 2; compress++) {
        ck_assert_msg(tg_npz_save(set, path, .compress = compress) == TG_OK, "%s", tg_error_message());
        check_all(path);
        const size_t n = read_file(path, a, sizeof a);
        ck_assert(compress == (n < 9000));
        tg_npz *own = tg_npz_open(path);
        for (int k = 0; k < COUNT(all); k += 2) tg_npz_put(own, all[k].name, tg_npz_get(set, all[k].name));
        ck_assert_int_eq(tg_npz_save(own, other, .compress = compress), TG_OK);
        ck_assert_uint_eq(read_file(other, b, sizeof b), n);
        ck_assert_mem_eq(a, b, n);
        ck_assert_msg(tg_npz_save(own, path, .compress = !compress) == TG_OK, "%s", tg_error_message());
        tg_npz_free(own);
        check_all(path);
    }
    tg_npz_free(set);
}
END_TEST

START_TEST(puts_and_gets) {
    const char *path = in_folder("x.npz");
    tg_npz *set = tg_npz_new();
    ck_assert_int_eq(tg_npz_save(set, path), TG_OK);
    tg_npz *none = tg_npz_open(path);
    ck_assert_int_eq(tg_npz_count(none), 0);
    tg_npz_free(none);
    const int order[2] = {1, 0};
    tg_array view = {0};
    tg_array_permute(&view, tg_array_of(tg_from(TG_F32, ((float[]){1, 2, 3, 4, 5, 6}), 2, 3)), order);
    tg_tensor *t = tg_from_array(&view);
    tg_array_drop(&view);
    ck_assert_int_eq(tg_npz_put(set, "b", tg_zeros(TG_U8, 3)), TG_OK);
    ck_assert_int_eq(tg_npz_put(set, "a", t), TG_OK);
    ck_assert_int_eq(tg_npz_put(set, "b", tg_full(TG_I64, 9, 2)), TG_OK);
    ck_assert(tg_npz_count(set) == 2 && tg_get(tg_npz_get(set, "b"), 1) == 9 &&
              tg_get(tg_npz_get(set, "a"), 1) == 4);
    ck_assert_int_eq(tg_npz_save(set, path, .compress = true), TG_OK);
    tg_npz_free(set);
    set = tg_npz_open(path);
    ck_assert(tg_npz_count(set) == 2 && tg_get(tg_npz_get(set, "b"), 1) == 9 &&
              tg_get(tg_npz_get(set, "a"), 1) == 4);
    tg_npz_free(set);
    expect_ok();
}
END_TEST

START_TEST(arguments) {
    char name[1100];
    memset(name, 'n', sizeof name);
    name[1025] = '\0';
    tg_npz *set = tg_npz_new();
    const tg_tensor *t = tg_ones(TG_F32, 1);
    static const char *const bad[] = {"", "/a", "a/", "a//b", ".", "..", "../a", "a/../b", "a/.", "a\\b"};
    for (int i = 0; i < COUNT(bad); i++) {
        tg_npz_put(set, bad[i], t);
        expect_error(TG_ERR_ARGUMENT, "npz_put: the name ");
    }
    tg_npz_put(set, name, t), expect_error(TG_ERR_ARGUMENT, "npz_put: the name has more than 1024 bytes");
    tg_npz_put(set, "\xff", t), expect_error(TG_ERR_ARGUMENT, "npz_put: the name is not UTF-8");
    tg_npz_put(set, NULL, t), expect_error(TG_ERR_ARGUMENT, "npz_put: the name is NULL");
    tg_npz_put(set, "a", NULL), expect_error(TG_ERR_ARGUMENT, "npz_put: the input is NULL");
    ck_assert(!tg_npz_has(set, "a"));
    tg_npz_get(set, "a"), expect_error(TG_ERR_ARGUMENT, "npz_get: there is no array \"a\"");
    tg_npz_dtype(set, "a"), expect_error(TG_ERR_ARGUMENT, "npz_dtype: there is no array \"a\"");
    tg_npz_shape(set, "a"), expect_error(TG_ERR_ARGUMENT, "npz_shape: there is no array \"a\"");
    ck_assert_ptr_null(tg_npz_name(set, 0));
    expect_error(TG_ERR_ARGUMENT, "npz_name: there is no array number 0 among 0");
    tg_npz_save(set, NULL), expect_error(TG_ERR_ARGUMENT, "npz_save: the path is NULL");
    ck_assert_ptr_null(tg_npz_open(NULL));
    expect_error(TG_ERR_ARGUMENT, "npz_open: the path is NULL");
    ck_assert_int_eq(tg_npz_put(set, "a...b/..c", t), TG_OK);
    tg_npz_free(set);
    tg_npz_free(NULL);
    expect_ok();
    tg_npz_free(set), expect_error(TG_ERR_ARGUMENT, "npz_free: the set of arrays was freed");
    tg_npz_count(NULL), expect_error(TG_ERR_ARGUMENT, "npz_count: the set of arrays is NULL");
}
END_TEST

static const struct bad {
    const char *name;
    tg_status status;
    const char *says;
} bads[] = {
    {"bad_up", TG_ERR_FORMAT, "the name of entry \"../x.npy\" leads to another folder"},
    {"bad_absolute", TG_ERR_FORMAT, "the name of entry \"/etc/x.npy\" has an empty part"},
    {"bad_dot", TG_ERR_FORMAT, "leads to another folder"},
    {"bad_double", TG_ERR_FORMAT, "has an empty part"},
    {"bad_backslash", TG_ERR_FORMAT, "has a backslash"},
    {"bad_nameless", TG_ERR_FORMAT, "the name of entry \".npy\" is empty"},
    {"bad_text", TG_ERR_FORMAT, "entry \"README.txt\" is no array, which is called NAME.npy"},
    {"bad_long", TG_ERR_FORMAT, "has a name of more than 1024 bytes"},
    {"bad_twice", TG_ERR_FORMAT, "this is not a proper zip archive: File already exists"},
    {"bad_objects", TG_ERR_DTYPE, "npz_open: the elements are Python objects, which are never loaded"},
    {"bad_header", TG_ERR_FORMAT, "npz_open: the file is truncated: its header should have"},
    {"bad_short", TG_ERR_FORMAT, "entry \"a.npy\" has 151 bytes, and its header declares 152"},
    {"bad_extra", TG_ERR_FORMAT, "entry \"a.npy\" has 153 bytes, and its header declares 152"},
    {"bad_bzip2", TG_ERR_FORMAT, "is compressed by another method than deflate"},
    {"bad_encrypted", TG_ERR_FORMAT, "is encrypted"},
    {"bad_bomb", TG_ERR_FORMAT, "claims more bytes than deflate can make"},
};

START_TEST(refuses) {
    const struct bad *b = &bads[_i];
    const int before = open_descriptors();
    const size_t live = tg_memory_now().live_buffer_bytes;
    ck_assert_ptr_null(tg_npz_open(golden_npz(b->name)));
    expect_file_error(b->status, ".npz", b->says);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* What is seen only when all is read. */
START_TEST(damaged_elements) {
    static const struct bad those[] = {
        {"bad_crc", TG_ERR_FORMAT, "npz_get: the data of an entry are damaged: CRC error"},
        {"bad_bool", TG_ERR_FORMAT, "npz_get: a bool is 0 or 1, and element 1 is 2"}};
    for (int i = 0; i < COUNT(those); i++) {
        tg_npz *set = tg_npz_open(golden_npz(those[i].name));
        ck_assert_msg(set != NULL, "%s", tg_error_message());
        const size_t live = tg_memory_now().live_buffer_bytes;
        ck_assert(tg_is_poison(tg_npz_get(set, "a")));
        expect_file_error(those[i].status, ".npz", those[i].says);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        tg_npz_free(set);
    }
}
END_TEST

/* Cut off anywhere, it is no archive; with a bit changed it is none, or its arrays are as they were, or not to be read. */
START_TEST(damage) {
    static unsigned char b[4000];
    const char *path = in_folder("x.npz");
    const int before = open_descriptors();
    tg_npz *set = tg_npz_new();
    tg_npz_put(set, "a", tg_full(TG_F32, 3, 5));
    tg_npz_put(set, "b", tg_full(TG_I32, 4, 2));
    ck_assert_int_eq(tg_npz_save(set, path, .compress = _i), TG_OK);
    tg_npz_free(set);
    const size_t n = read_file(path, b, sizeof b);
    for (size_t i = 0; i < n; i++) {
        write_file(path, b, i);
        ck_assert_ptr_null(tg_npz_open(path));
        expect_file_error(TG_ERR_FORMAT, path, "npz_open: ");
    }
    for (size_t i = 0; i < 8 * n; i++) {
        b[i / 8] ^= (unsigned char)(1 << i % 8);
        write_file(path, b, n);
        set = tg_npz_open(path);
        for (int64_t k = 0; set && k < tg_npz_count(set); k++) {
            const tg_tensor *t = tg_npz_get(set, tg_npz_name(set, k));
            if (!tg_is_poison(t))
                ck_assert_msg(tg_get(t, 0) == 3 || tg_get(t, 0) == 4, "bit %zu of %zu bytes: %g", i, n,
                              tg_get(t, 0));
            ck_assert(tg_error_status() == TG_OK || tg_error_status() == TG_ERR_FORMAT);
            tg_error_clear();
        }
        tg_npz_free(set);
        ck_assert_msg(tg_error_status() == TG_OK || tg_error_status() == TG_ERR_FORMAT ||
                          tg_error_status() == TG_ERR_DTYPE,
                      "bit %zu: %s", i, tg_error_message());
        tg_error_clear();
        b[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST
#else
START_TEST(without_libzip) {
    ck_assert_ptr_null(tg_npz_open(golden_file("npz/stored.npz")));
    expect_error(TG_ERR_IO, "no libzip");
    tg_npz *set = tg_npz_new();
    ck_assert_int_eq(tg_npz_save(set, in_folder("x.npz")), TG_ERR_IO);
    expect_error(TG_ERR_IO, "no libzip");
    tg_npz_free(set);
}
END_TEST
#endif

TCase *tcase_npz(void) {
    TCase *tc = tcase_create("npz");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, files_setup, files_teardown);
#if TG_HAVE_LIBZIP
    tcase_add_test(tc, reads_what_numpy_wrote);
    tcase_add_loop_test(tc, saves_what_it_has, 0, 2);
    tcase_add_test(tc, puts_and_gets);
    tcase_add_test(tc, arguments);
    tcase_add_loop_test(tc, refuses, 0, COUNT(bads));
    tcase_add_test(tc, damaged_elements);
    tcase_add_loop_test(tc, damage, 0, 2);
#else
    tcase_add_test(tc, without_libzip);
#endif
    return tc;
}
