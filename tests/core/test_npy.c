#include "ops/tapegrad.h"
#include "core/io/elements.h"
#include "core/io/npy.h"
#include "core/memory.h"
#include "tests/core/files.h"

TCase *tcase_npy(void);

static char plain[600], packed[600];

static void setup(void) {
    files_setup();
    snprintf(plain, sizeof plain, "%s/array.npy", folder);
    snprintf(packed, sizeof packed, "%s/array.npy.gz", folder);
}

static void expect_bad_file(const char *path, tg_status status, const char *says) {
    const size_t live = tg_memory_now().live_buffer_bytes;
    ck_assert(tg_is_poison(tg_load_npy(path)));
    expect_file_error(status, path, says);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
}

/* ---- files that NumPy wrote (tests/golden/make_npy.py) ---- */

static const struct golden {
    const char *name;
    tg_dtype dtype;
    tg_shape shape;
    bool same; /* saving it gives the same bytes */
} goldens[] = {
    {"f4_little", TG_F32, {2, {2, 3}}, true},
    {"f4_little_fortran", TG_F32, {2, {2, 3}}, false},
    {"f4_big", TG_F32, {2, {2, 3}}, false},
    {"f4_big_fortran", TG_F32, {2, {2, 3}}, false},
    {"f8_little", TG_F64, {2, {2, 3}}, true},
    {"f8_little_fortran", TG_F64, {2, {2, 3}}, false},
    {"f8_big", TG_F64, {2, {2, 3}}, false},
    {"f8_big_fortran", TG_F64, {2, {2, 3}}, false},
    {"i4_little", TG_I32, {2, {2, 3}}, true},
    {"i4_little_fortran", TG_I32, {2, {2, 3}}, false},
    {"i4_big", TG_I32, {2, {2, 3}}, false},
    {"i4_big_fortran", TG_I32, {2, {2, 3}}, false},
    {"i8_little", TG_I64, {2, {2, 3}}, true},
    {"i8_little_fortran", TG_I64, {2, {2, 3}}, false},
    {"i8_big", TG_I64, {2, {2, 3}}, false},
    {"i8_big_fortran", TG_I64, {2, {2, 3}}, false},
    {"u1", TG_U8, {2, {2, 3}}, true},
    {"u1_fortran", TG_U8, {2, {2, 3}}, false},
    {"b1", TG_BOOL, {2, {2, 3}}, true},
    {"b1_fortran", TG_BOOL, {2, {2, 3}}, false},
    {"scalar", TG_F64, {0, {0}}, true},
    {"empty", TG_F32, {2, {0, 3}}, true},
    {"empty_fortran", TG_F32, {3, {3, 0, 2}}, false},
    {"rank_1", TG_I32, {1, {5}}, true},
    {"rank_8", TG_I32, {8, {1, 2, 1, 3, 1, 2, 1, 2}}, true},
    {"rank_8_fortran", TG_I32, {8, {1, 2, 1, 3, 1, 2, 1, 2}}, false},
    {"version_2", TG_F32, {2, {2, 3}}, false},
    {"version_3", TG_F32, {2, {2, 3}}, false},
};

static double value_of(tg_dtype dtype, int64_t i) {
    switch (dtype) {
    case TG_BOOL:
        return i % 3 == 0;
    case TG_U8:
        return (double)(i * 37 % 256);
    case TG_I32:
    case TG_I64:
        return (double)(i * 1000003 - 5);
    default:
        return (double)i * 1.5 - 2;
    }
}

static char *golden_npy(const char *name) {
    char path[200];
    snprintf(path, sizeof path, "npy/%s.npy", name);
    return golden_file(path);
}

START_TEST(reads_what_numpy_wrote) {
    const struct golden *g = &goldens[_i];
    const int before = open_descriptors();
    const tg_tensor *t = tg_load_npy(golden_npy(g->name));
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s", g->name, tg_error_message());
    ck_assert_int_eq(open_descriptors(), before);
    ck_assert_int_eq(tg_dtype_of(t), g->dtype);
    ck_assert(tg_shape_equal(tg_shape_of(t), g->shape));
    ck_assert(tg_is_contiguous(t));
    for (int64_t i = 0; i < tg_numel(t); i++) ck_assert(tg_get(t, i) == value_of(g->dtype, i));
}
END_TEST

START_TEST(writes_as_numpy) {
    const struct golden *g = &goldens[_i];
    if (!g->same || TG_HOST_ORDER != TG_LITTLE_ENDIAN) return;
    unsigned char theirs[1024], ours[1024];
    ck_assert_int_eq(tg_save_npy(tg_load_npy(golden_npy(g->name)), plain), TG_OK);
    const size_t n = read_file(golden_npy(g->name), theirs, sizeof theirs);
    ck_assert_uint_eq(read_file(plain, ours, sizeof ours), n);
    ck_assert_mem_eq(ours, theirs, n);
}
END_TEST

static const struct refused {
    const char *name;
    tg_status status;
    const char *says;
} refused[] = {
    {"bad_rank_9", TG_ERR_FORMAT, "has more than 8 sizes"},
    {"bad_f2", TG_ERR_DTYPE, "of another type, and can be f4, f8, i4, i8, u1 or b1: dtype <f2"},
    {"bad_c8", TG_ERR_DTYPE, "dtype <c8"},
    {"bad_i2", TG_ERR_DTYPE, "dtype <i2"},
    {"bad_u4", TG_ERR_DTYPE, "dtype <u4"},
    {"bad_objects", TG_ERR_DTYPE,
     "Python objects, which are never loaded, and can be f4, f8, i4, i8, u1 or b1: dtype |O"},
    {"bad_fields", TG_ERR_DTYPE, "the elements have fields"},
    {"bad_text", TG_ERR_DTYPE, "dtype <U3"},
    {"bad_date", TG_ERR_DTYPE, "dtype <M8[D]"},
};

START_TEST(refuses_what_we_have_not) {
    expect_bad_file(golden_npy(refused[_i].name), refused[_i].status, refused[_i].says);
}
END_TEST

/* ---- headers written by hand ---- */

/* A file of version 1.0 with this header and n bytes 0, 1, 0, 1, .. behind it. */
static void write_npy(const char *path, const char *header, size_t n) {
    static unsigned char b[20000];
    const size_t length = strlen(header);
    memcpy(b, "\x93NUMPY\1", 8);
    b[8] = (unsigned char)length;
    b[9] = (unsigned char)(length >> 8);
    memcpy(b + 10, header, length);
    for (size_t i = 0; i < n; i++) b[10 + length + i] = i % 2;
    write_file(path, b, 10 + length + n);
}

static const char *const good_headers[] = {
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3)}",
    "{'descr': '|u1', 'fortran_order': False, 'shape': (2, 3,), }   \n",
    "{'shape': (2,3), 'descr': '|u1', 'fortran_order': True}",
    "{\"fortran_order\":False,\"shape\":(2,3),\"descr\":\"|u1\"}",
    " {\n'descr' : '|u1' , 'fortran_order' : False , 'shape' : ( 2 , 3 ) , } \n \n",
    "{'descr': '<u1', 'fortran_order': False, 'shape': (2L, 3L)}",
    "{'descr': '>u1', 'fortran_order': False, 'shape': (2, 3)}",
};

START_TEST(good_header) {
    write_npy(plain, good_headers[_i], 6);
    const tg_tensor *t = tg_load_npy(plain);
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s", good_headers[_i], tg_error_message());
    ck_assert_int_eq(tg_dtype_of(t), TG_U8);
    ck_assert(tg_shape_equal(tg_shape_of(t), TG_SHAPE(2, 3)));
}
END_TEST

#define U1 "'descr': '|u1'"
#define C_ORDER "'fortran_order': False"
static const struct bad_header {
    const char *text, *says;
} bad_headers[] = {
    {"", "should begin with a brace"},
    {"[]", "should begin with a brace"},
    {"{}", "has no key \"descr\""},
    {"{" U1 ", " C_ORDER "}", "has no key \"shape\""},
    {"{" U1 ", 'shape': (6,)}", "has no key \"fortran_order\""},
    {"{" U1 ", " U1 ", " C_ORDER ", 'shape': (6,)}", "has the key \"descr\" twice"},
    {"{" U1 ", " C_ORDER ", 'shape': (6,), 'shape': (6,)}", "has the key \"shape\" twice"},
    {"{" U1 ", " C_ORDER ", 'shape': (6,), 'more': 1}", "has an unknown key \"more\""},
    {"{" U1 ", " C_ORDER ", 'shape': (6,)", "should have a comma or the closing brace"},
    {"{" U1 " " C_ORDER ", 'shape': (6,)}", "should have a comma or the closing brace"},
    {"{" U1 ", " C_ORDER ", 'shape': (6,)} x", "goes on after its closing brace"},
    {"{" U1 ", " C_ORDER ", 'shape': (6,)}}", "goes on after its closing brace"},
    {"{, " U1 ", " C_ORDER ", 'shape': (6,)}", "should have a string"},
    {"{'descr' '|u1', " C_ORDER ", 'shape': (6,)}", "should have a colon"},
    {"{descr: '|u1', " C_ORDER ", 'shape': (6,)}", "should have a string"},
    {"{'descr: |u1, " C_ORDER ", ", "has an unknown key \"descr: |u1, \""},
    {"{'descr\\x20': '|u1', " C_ORDER ", 'shape': (6,)}", "is too long or does not end"},
    {"{'descr", "is too long or does not end"},
    {"{'0123456789012345678901234567890123456789012345678901234567890123': 1}", "is too long or does not end"},
    {"{" U1 ", 'fortran_order': 0, 'shape': (6,)}", "should have True or False"},
    {"{" U1 ", 'fortran_order': true, 'shape': (6,)}", "should have True or False"},
    {"{" U1 ", 'fortran_order': Falsely, 'shape': (6,)}", "should have a comma or the closing brace"},
    {"{" U1 ", " C_ORDER ", 'shape': 6}", "should have a tuple"},
    {"{" U1 ", " C_ORDER ", 'shape': [6]}", "should have a tuple"},
    {"{" U1 ", " C_ORDER ", 'shape': (6)}", "has a number in parentheses"},
    {"{" U1 ", " C_ORDER ", 'shape': (,)}", "should have a size"},
    {"{" U1 ", " C_ORDER ", 'shape': (6,,)}", "should have a size"},
    {"{" U1 ", " C_ORDER ", 'shape': (2 3)}", "should have a comma or the end of the tuple"},
    {"{" U1 ", " C_ORDER ", 'shape': (-6,)}", "should have a size"},
    {"{" U1 ", " C_ORDER ", 'shape': (+6,)}", "should have a size"},
    {"{" U1 ", " C_ORDER ", 'shape': (06,)}", "should have a size"},
    {"{" U1 ", " C_ORDER ", 'shape': (6.0,)}", "should have a comma or the end of the tuple"},
    {"{" U1 ", " C_ORDER ", 'shape': (0x6,)}", "should have a comma or the end of the tuple"},
    {"{" U1 ", " C_ORDER ", 'shape': (6_0,)}", "should have a comma or the end of the tuple"},
    {"{" U1 ", " C_ORDER ", 'shape': (True,)}", "should have a size"},
    {"{" U1 ", " C_ORDER ", 'shape': (9223372036854775808,)}", "has a size beyond 2^63"},
    {"{" U1 ", " C_ORDER ", 'shape': (99999999999999999999999999,)}", "has a size beyond 2^63"},
    {"{" U1 ", " C_ORDER ", 'shape': (9223372036854775807,)}", "more bytes than can be counted"},
    {"{" U1 ", " C_ORDER ", 'shape': (4294967296, 4294967296)}",
     "more bytes than can be counted: [4294967296, 4294967296]"},
    {"{" U1 ", " C_ORDER ", 'shape': (4294967296, 4294967296, 0)}", "more bytes than can be counted"},
    {"{" U1 ", " C_ORDER ", 'shape': (1099511627776,)}", "the file is truncated: its header declares 10995116"},
    {"{" U1 ", " C_ORDER ", 'shape': (1,1,1,1,1,1,1,1,6)}", "has more than 8 sizes"},
    {"{" U1 ", " C_ORDER ", 'shape': (7,)}", "the file is truncated"},
    {"{" U1 ", " C_ORDER ", 'shape': (5,)}", "the file has trailing bytes"},
    {"{" U1 ", " C_ORDER ", 'shape': ()}", "the file has trailing bytes"},
    {"{" U1 ", " C_ORDER ", 'shape': (6,)}\t", "0x09, which is not text in ASCII"},
    {"{'descr': '|\xc3\xa9', " C_ORDER ", 'shape': (6,)}", "0xc3, which is not text in ASCII"},
    {"{" U1 ", " C_ORDER ", 'shape': (6,)}\x7f", "0x7f, which is not text in ASCII"},
};

START_TEST(bad_header) {
    const uint64_t mallocs = tg_memory_now().mallocs;
    write_npy(plain, bad_headers[_i].text, 6);
    expect_bad_file(plain, TG_ERR_FORMAT, bad_headers[_i].says);
    ck_assert_uint_eq(tg_memory_now().mallocs, mallocs); /* refused before any memory is asked for */
}
END_TEST

static const char *const bad_dtypes[] = {"",    "<",   "f4",  "|f4", "=f4", "<f4 ", "<f16",
                                         "<u2", "|S1", "|V4", "?",   "|i1", "<i16", "<F4",
                                         "u1",  "=u1", "x1",  "O",   "<O8", "|O"};

START_TEST(bad_dtype) {
    char text[200];
    snprintf(text, sizeof text, "{'descr': '%s', " C_ORDER ", 'shape': (6,)}", bad_dtypes[_i]);
    write_npy(plain, text, 24);
    snprintf(text, sizeof text, "can be f4, f8, i4, i8, u1 or b1: dtype %s:", bad_dtypes[_i]);
    expect_bad_file(plain, TG_ERR_DTYPE, text);
}
END_TEST

START_TEST(bad_start) {
    unsigned char b[12] = "\x93NUMPY\1\0\xff\xff";
    write_file(plain, b, 10);
    expect_bad_file(plain, TG_ERR_FORMAT, "the header may have 10000 bytes, and has 65535");
    b[6] = 3;
    b[10] = b[11] = 0xff;
    write_file(plain, b, 12);
    expect_bad_file(plain, TG_ERR_FORMAT, "the header may have 10000 bytes, and has 4294967295");
    static const unsigned char versions[][2] = {{0, 0}, {4, 0}, {255, 0}, {1, 1}, {2, 255}};
    for (int i = 0; i < COUNT(versions); i++) {
        memcpy(b + 6, versions[i], 2);
        write_file(plain, b, 12);
        expect_bad_file(plain, TG_ERR_FORMAT, "the version must be 1.0, 2.0 or 3.0");
    }
    write_file(plain, "\x93NUMPX\1\0", 8);
    expect_bad_file(plain, TG_ERR_FORMAT, "this is not an npy file");
}
END_TEST

/* NumPy's longest header is read; of a longer one the length alone is. */
START_TEST(long_header) {
    char text[10002];
    memset(text, ' ', sizeof text);
    memcpy(text, "{" U1 ", " C_ORDER ", 'shape': (6,)}", strlen("{" U1 ", " C_ORDER ", 'shape': (6,)}"));
    text[10001] = '\0';
    write_npy(plain, text, 6);
    expect_bad_file(plain, TG_ERR_FORMAT, "the header may have 10000 bytes, and has 10001");
    text[10000] = '\0';
    write_npy(plain, text, 6);
    ck_assert_int_eq(tg_numel(tg_load_npy(plain)), 6);
}
END_TEST

START_TEST(bools_are_0_or_1) {
    unsigned char b[200];
    write_npy(plain, "{'descr': '|b1', " C_ORDER ", 'shape': (6,)}", 6);
    const size_t n = read_file(plain, b, sizeof b);
    ck_assert(tg_get(tg_load_npy(plain), 5) == 1);
    b[n - 2] = 2;
    write_file(plain, b, n);
    expect_bad_file(plain, TG_ERR_FORMAT, "a bool is 0 or 1, and element 4 is 2");
}
END_TEST

/* ---- damage ---- */

START_TEST(every_prefix) {
    const bool zlib = has_zlib();
    unsigned char b[1024];
    for (int k = 0; k < 1 + zlib; k++) {
        const char *path = k == 0 ? plain : packed;
        ck_assert_int_eq(tg_save_npy(tg_load_npy(golden_npy("i4_little")), path), TG_OK);
        const size_t n = read_file(path, b, sizeof b);
        for (size_t i = 0; i < n; i++) {
            write_file(path, b, i);
            expect_bad_file(path, TG_ERR_FORMAT, "load_npy: ");
        }
        b[n] = 0;
        write_file(path, b, n + 1);
        expect_bad_file(path, TG_ERR_FORMAT, "the file has trailing bytes");
    }
}
END_TEST

/* A flipped bit is noticed, or makes another array of as many bytes: '<' and '>' differ in one, and so do 2 and 3. */
START_TEST(every_header_bit) {
    unsigned char b[1024];
    const size_t n = read_file(golden_npy("i4_little"), b, sizeof b);
    int accepted = 0;
    for (size_t i = 0; i < 8 * 128; i++) {
        b[i / 8] ^= (unsigned char)(1 << i % 8);
        write_file(plain, b, n);
        const tg_tensor *t = tg_load_npy(plain);
        const tg_status status = tg_error_status();
        if (status == TG_OK) {
            accepted++;
            ck_assert_uint_eq((size_t)tg_numel(t) * tg_dtype_size(tg_dtype_of(t)), 24);
        } else {
            ck_assert_msg(status == TG_ERR_FORMAT || status == TG_ERR_DTYPE, "%s", tg_error_message());
        }
        tg_error_clear();
        b[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    ck_assert_int_le(accepted, 8);
}
END_TEST

/* ---- round trips ---- */

static const tg_shape shapes[] = {
    {0, {0}},         {1, {1}},     {1, {0}},          {2, {3, 5}},
    {3, {7, 28, 28}}, {1, {20000}}, {4, {2, 0, 3, 1}}, {8, {1, 2, 1, 3, 1, 2, 1, 2}}};

START_TEST(round_trips) {
    const bool zlib = has_zlib();
    const int before = open_descriptors();
    for (int dtype = 0; dtype < TG_DTYPES; dtype++)
        for (int k = 0; k < 1 + zlib; k++) {
            const char *path = k == 0 ? plain : packed;
            const tg_tensor *t = tg_zeros_with((tg_dtype)dtype, shapes[_i]);
            for (int64_t i = 0; i < tg_numel(t); i++)
                tg_array_set(tg_array_of(t), i, value_of((tg_dtype)dtype, i));
            ck_assert_msg(tg_save_npy(t, path) == TG_OK, "%s", tg_error_message());
            const tg_tensor *back = tg_load_npy(path);
            expect_ok();
            ck_assert_int_eq(tg_dtype_of(back), dtype);
            ck_assert(tg_shape_equal(tg_shape_of(back), shapes[_i]));
            if (tg_numel(t) > 0)
                ck_assert_mem_eq(tg_data(back), tg_data(t),
                                 (size_t)tg_numel(t) * tg_dtype_size((tg_dtype)dtype));
        }
    ck_assert_int_eq(open_descriptors(), before);
    ck_assert_int_eq(files_in_folder(false), 1 + zlib);
}
END_TEST

/* A view is written in row-major order, and a large array in column-major order read into it, by all ways of memory. */
START_TEST(saves_views) {
    const float v[6] = {1, 2, 3, 4, 5, 6}, expected[6] = {1, 4, 2, 5, 3, 6};
    const int order[2] = {1, 0};
    tg_array view = {0};
    tg_array_permute(&view, tg_array_of(tg_from(TG_F32, v, 2, 3)), order);
    ck_assert_int_eq(tg_save_npy(tg_from_array(&view), plain), TG_OK);
    tg_array_drop(&view);
    const tg_tensor *back = tg_load_npy(plain);
    ck_assert(tg_shape_equal(tg_shape_of(back), TG_SHAPE(3, 2)));
    ck_assert_mem_eq(tg_data(back), expected, sizeof expected);
}
END_TEST

START_TEST(arguments) {
    ck_assert_int_eq(tg_save_npy(NULL, plain), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "save_npy");
    ck_assert_int_eq(tg_save_npy(tg_zeros(TG_U8, 1), NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "save_npy: the path is NULL");
    ck_assert(tg_is_poison(tg_load_npy(NULL)));
    expect_error(TG_ERR_ARGUMENT, "load_npy: the path is NULL");
    ck_assert_int_eq(files_in_folder(false), 0);
}
END_TEST

/* Of a file in column-major order there are two arrays for a moment: none may leak when the second finds no memory. */
START_TEST(no_memory_for_the_second_copy) {
    const size_t live = tg_memory_now().live_buffer_bytes;
    int failures = 0;
    for (;; failures++) {
        tg_memory_fail_at(failures + 1);
        const tg_tensor *t = tg_load_npy(golden_npy("rank_8_fortran"));
        tg_memory_fail_at(-1);
        if (!tg_is_poison(t)) break;
        expect_error(TG_ERR_MEMORY, "load_npy: out of memory");
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    }
    ck_assert_int_ge(failures, 2);
}
END_TEST

TCase *tcase_npy(void) {
    TCase *tc = tcase_create("npy");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, files_teardown);
    tcase_add_loop_test(tc, reads_what_numpy_wrote, 0, COUNT(goldens));
    tcase_add_loop_test(tc, writes_as_numpy, 0, COUNT(goldens));
    tcase_add_loop_test(tc, refuses_what_we_have_not, 0, COUNT(refused));
    tcase_add_loop_test(tc, good_header, 0, COUNT(good_headers));
    tcase_add_loop_test(tc, bad_header, 0, COUNT(bad_headers));
    tcase_add_loop_test(tc, bad_dtype, 0, COUNT(bad_dtypes));
    tcase_add_test(tc, bad_start);
    tcase_add_test(tc, long_header);
    tcase_add_test(tc, bools_are_0_or_1);
    tcase_add_test(tc, every_prefix);
    tcase_add_test(tc, every_header_bit);
    tcase_add_loop_test(tc, round_trips, 0, COUNT(shapes));
    tcase_add_test(tc, saves_views);
    tcase_add_test(tc, arguments);
    tcase_add_test(tc, no_memory_for_the_second_copy);
    return tc;
}
