/* Headers of safetensors files: odd ones that are right, and all kinds of wrong ones. */
#include "ops/tapegrad.h"
#include "core/io/safetensors.h"
#include "core/memory.h"
#include "tests/core/files.h"

#include <stdlib.h>

TCase *tcase_safetensors_headers(void);

static char path[600];

static void setup(void) {
    files_setup();
    snprintf(path, sizeof path, "%s/set.safetensors", folder);
}

/* The length, this header, and n bytes 0, 1, 0, 1, .. */
static void write_set(const char *header, size_t length, size_t n) {
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    for (int i = 0; i < 8; i++) fputc((int)(length >> 8 * i & 255), f);
    fwrite(header, 1, length, f);
    for (size_t i = 0; i < n; i++) fputc(i % 2, f);
    ck_assert_int_eq(fclose(f), 0);
}

#if !TG_HAVE_JANSSON
START_TEST(says_what_is_missing) {
    write_set("{}", 2, 0);
    ck_assert_ptr_null(tg_safetensors_open(path));
    expect_file_error(TG_ERR_IO, path, "this build of the library has no jansson (Debian: libjansson-dev)");
}
END_TEST
#else
/* Twice: what the first time leaves in the cache does not hide what leaks the second. */
static void expect_bad_set(tg_status status, const char *says) {
    ck_assert_ptr_null(tg_safetensors_open(path));
    tg_error_clear();
    const size_t live = tg_memory_now().live_buffer_bytes, system = tg_memory_now().system_bytes;
    const int before = open_descriptors();
    tg_safetensors *set = tg_safetensors_open(path);
    ck_assert_msg(!set, "no error: %s", says);
    expect_file_error(status, path, says);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    ck_assert_uint_eq(tg_memory_now().system_bytes, system);
    ck_assert_int_eq(open_descriptors(), before);
}

#define X6 "\"x\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[0,6]}"
#define FIELDS "\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[0,6]"

static const char *const good_headers[] = {
    "{" X6 "}",
    "{" X6 "}   \n\t\r ",
    "{ \"x\" : { \"data_offsets\" : [ 0 , 6 ] , \"shape\" : [ 2 , 3 ] , \"dtype\" : \"U8\" } }",
    "{\"__metadata__\":{}," X6 "}",
    "{" X6 ",\"__metadata__\":{\"a\":\"{[,-\",\"b\":\"\\\"{[\"}}",
    "{\"\\u0078\":{\"dtype\":\"BOOL\",\"shape\":[6],\"data_offsets\":[0,6]}}",
    "{\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]},\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]}}",
    "{\"e\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[6,6]}," X6 "}",
    "{\"e\":{\"dtype\":\"F32\",\"shape\":[0,9223372036854775807],\"data_offsets\":[0,0]},\"f\":{\"dtype\":\"F32\",\"shape\":[0],"
    "\"data_offsets\":[2,2]},\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"y\":{\"dtype\":\"I32\",\"shape\":[],"
    "\"data_offsets\":[2,6]}}",
};

START_TEST(good_header) {
    write_set(good_headers[_i], strlen(good_headers[_i]), 6);
    tg_safetensors *set = tg_safetensors_open(path);
    ck_assert_msg(set != NULL, "%s", tg_error_message());
    ck_assert(tg_get(tg_safetensors_get(set, "x"), 1) == 1);
    tg_safetensors_free(set);
    expect_ok();
}
END_TEST

static const struct bad_header {
    const char *text, *says;
} bad_headers[] = {
    {"", "the header should begin with a brace"},
    {" {" X6 "}", "the header should begin with a brace"},
    {"[]", "the header should begin with a brace"},
    {"{", "is not proper JSON"},
    {"{" X6, "is not proper JSON"},
    {"{" X6 "}}", "is not proper JSON"},
    {"{" X6 "} x", "is not proper JSON"},
    {"{" X6 ",}", "is not proper JSON"},
    {"{'x':{" FIELDS "}}", "is not proper JSON"},
    {"{\"x\":{" FIELDS "}//\n}", "is not proper JSON"},
    {"{\"x\xff\":{" FIELDS "}}", "is not proper JSON: unable to decode byte 0xff"},
    {"{\"x\xed\xa0\x80\":{" FIELDS "}}", "is not proper JSON: unable to decode"},
    {"{\"x\\ud800\":{" FIELDS "}}", "is not proper JSON"},
    {"{\"x\\u0000\":{" FIELDS "}}", "is not proper JSON"},
    {"{\"x\n\":{" FIELDS "}}", "is not proper JSON"},
    {"{" X6 "," X6 "}", "is not proper JSON: duplicate object key"},
    {"{\"x\":{" FIELDS "},\"\\u0078\":{" FIELDS "}}", "is not proper JSON: duplicate object key"},
    {"{\"x\":{" FIELDS ",\"dtype\":\"U8\"}}", "is not proper JSON: duplicate object key"},
    {"{\"__metadata__\":{\"a\":\"1\",\"a\":\"1\"}," X6 "}", "is not proper JSON: duplicate object key"},
    {"{\"__metadata__\":[]," X6 "}", "has metadata that are no object"},
    {"{\"__metadata__\":\"a\"," X6 "}", "has metadata that are no object"},
    {"{\"__metadata__\":{\"a\":1}," X6 "}", "\"a\" of the metadata is no text"},
    {"{\"__metadata__\":{\"a\":null}," X6 "}", "\"a\" of the metadata is no text"},
    {"{\"__metadata__\":{\"a\":{\"b\":{\"c\":\"d\"}}}," X6 "}", "is nested deeper"},
    {"{\"x\":[[[[]]]]}", "is nested deeper"},
    {"{\"x\":1}", "\"x\" is no object with dtype"},
    {"{\"x\":[]}", "\"x\" is no object with dtype"},
    {"{\"x\":{}}", "\"x\" has no dtype"},
    {"{\"x\":{\"dtype\":\"U8\",\"data_offsets\":[0,6]}}", "\"x\" has no shape"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6]}}", "\"x\" has no data_offsets"},
    {"{\"x\":{" FIELDS ",\"more\":1}}", "\"x\" has more than dtype, shape and data_offsets"},
    {"{\"x\":{\"dtype\":8,\"shape\":[6],\"data_offsets\":[0,6]}}", "\"x\" has a dtype that is no text"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":6,\"data_offsets\":[0,6]}}", "\"x\" has a shape that is no array"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":{\"a\":6},\"data_offsets\":[0,6]}}",
     "\"x\" has a shape that is no array"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6.0],\"data_offsets\":[0,6]}}",
     "\"x\" has a size that is no whole number"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6e0],\"data_offsets\":[0,6]}}",
     "\"x\" has a size that is no whole number"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[\"6\"],\"data_offsets\":[0,6]}}",
     "\"x\" has a size that is no whole number"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[true],\"data_offsets\":[0,6]}}",
     "\"x\" has a size that is no whole number"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[-6],\"data_offsets\":[0,6]}}", "has a negative number"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[-0,6]}}", "has a negative number"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[06],\"data_offsets\":[0,6]}}", "is not proper JSON"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,6]}}",
     "is not proper JSON: too big integer"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,6],\"data_offsets\":[0,6]}}",
     "\"x\" has 9 sizes, and can have 8"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,6]}}",
     "\"x\" has more bytes than can be counted, [4294967296, 4294967296]"},
    {"{\"x\":{\"dtype\":\"F64\",\"shape\":[2305843009213693952],\"data_offsets\":[0,6]}}",
     "\"x\" has more bytes than can be counted"},
    {"{\"x\":{\"dtype\":\"F16\",\"shape\":[4611686018427387903],\"data_offsets\":[0,9223372036854775806]}}",
     "\"x\" has more bytes than can be counted"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[9223372036854775807],\"data_offsets\":[0,9223372036854775807]}}",
     "\"x\" goes past the end of the file, which is truncated: its 9223372036854775807 bytes begin at offset 0 of 6"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":6}}",
     "\"x\" has data_offsets that are not an array of two"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[6]}}",
     "\"x\" has data_offsets that are not an array of two"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[0,3,6]}}",
     "\"x\" has data_offsets that are not an array of two"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[0,6.5]}}",
     "\"x\" has an offset that is no whole number"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[6,0]}}",
     "\"x\" ends at offset 0, before it begins at 6"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[6],\"data_offsets\":[0,5]}}",
     "\"x\" has 5 bytes by its offsets, and 6 by its shape and dtype, [6] U8"},
    {"{\"x\":{\"dtype\":\"F32\",\"shape\":[6],\"data_offsets\":[0,6]}}",
     "\"x\" has 6 bytes by its offsets, and 24 by its shape and dtype, [6] F32"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[1,6]}}",
     "\"x\" begins at offset 1, and there is a gap: the one before it ends at 0"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[2],\"data_offsets\":[0,2]},\"y\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[3,6]}}",
     "\"y\" begins at offset 3, and there is a gap: the one before it ends at 2"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"y\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[3,6]}}",
     "\"y\" begins at offset 3, which it shares with others: the one before it ends at 4"},
    {"{" X6 ",\"y\":{" FIELDS "}}", "which it shares with others"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[5],\"data_offsets\":[0,5]}}", "the file has trailing bytes"},
    {"{\"x\":{\"dtype\":\"U8\",\"shape\":[7],\"data_offsets\":[0,7]}}",
     "\"x\" goes past the end of the file, which is truncated"},
    {"{}", "the file has trailing bytes"},
};

START_TEST(bad_header) {
    write_set(bad_headers[_i].text, strlen(bad_headers[_i].text), 6);
    expect_bad_set(TG_ERR_FORMAT, bad_headers[_i].says);
}
END_TEST

static const char *const dtypes[] = {"",        "I8",      "I16", "U16",  "U32",     "U64",
                                     "F8_E4M3", "F8_E5M2", "f32", "F32 ", "BOOLEAN", "C64"};

START_TEST(bad_dtype) {
    char text[200];
    snprintf(text, sizeof text, "{\"x\":{\"dtype\":\"%s\",\"shape\":[6],\"data_offsets\":[0,6]}}", dtypes[_i]);
    write_set(text, strlen(text), 6);
    snprintf(text, sizeof text, "\"x\" is of dtype %s, and can be F32, F64, I32, I64, U8, BOOL, F16 or BF16",
             dtypes[_i]);
    expect_bad_set(TG_ERR_DTYPE, text);
}
END_TEST

/* The length in front of the header. */
START_TEST(bad_length) {
    unsigned char b[16] = {0};
    for (size_t n = 0; n < 8; n++) {
        write_file(path, b, n);
        expect_bad_set(TG_ERR_FORMAT, "the file is truncated: it should begin with 8 bytes");
    }
    static const struct length {
        unsigned char bytes[8];
        const char *says;
    } lengths[] = {
        {{9}, "the file is truncated: its header has 9 bytes, and 8 are present"},
        {{0, 0xe1, 0xf5, 5}, "the file is truncated: its header has 100000000 bytes, and 8 are present"},
        {{1, 0xe1, 0xf5, 5}, "the header may have 100000000 bytes, and has 100000001"},
        {{255, 255, 255, 255, 255, 255, 255, 255},
         "the header may have 100000000 bytes, and has 18446744073709551615"},
        {{0, 0, 0, 0, 0, 0, 0, 128}, "the header may have 100000000 bytes, and has 9223372036854775808"},
    };
    for (int i = 0; i < COUNT(lengths); i++) {
        memcpy(b, lengths[i].bytes, 8);
        write_file(path, b, 16);
        expect_bad_set(TG_ERR_FORMAT, lengths[i].says);
    }
}
END_TEST

START_TEST(names_of_every_length) {
    static const char *const forms[] = {"{\"%s\":{" FIELDS "}}", "{\"__metadata__\":{\"%s\":\"\"}," X6 "}"};
    char name[1100], text[1300];
    for (int form = 0; form < 2; form++)
        for (int n = 1020; n <= 1030; n++) {
            memset(name, 'n', sizeof name);
            name[n] = '\0';
            snprintf(text, sizeof text, forms[form], name);
            write_set(text, strlen(text), 6);
            if (n <= 1024)
                tg_safetensors_free(tg_safetensors_open(path));
            else
                expect_bad_set(TG_ERR_FORMAT, "more than 1024 bytes");
            expect_ok();
        }
}
END_TEST

/* As many tensors as a set may have, named in falling order, and one more. */
START_TEST(many_tensors) {
    enum { MOST = 65536 };
    const size_t room = 100 * (size_t)(MOST + 1);
    char *text = malloc(room);
    ck_assert_ptr_nonnull(text);
    for (int count = MOST; count <= MOST + 1; count++) {
        size_t n = 0;
        for (int i = 0; i < count; i++)
            n += (size_t)snprintf(text + n, room - n,
                                  "%c\"%07d\":{\"dtype\":\"U8\",\"shape\":[0],\"data_offsets\":[0,0]}",
                                  i ? ',' : '{', count - i);
        text[n++] = '}';
        write_set(text, n, 0);
        if (count == MOST) {
            tg_safetensors *set = tg_safetensors_open(path);
            ck_assert_msg(set != NULL, "%s", tg_error_message());
            ck_assert_int_eq(tg_safetensors_count(set), MOST);
            ck_assert_str_eq(tg_safetensors_name(set, 0), "0000001");
            ck_assert_str_eq(tg_safetensors_name(set, MOST - 1), "0065536");
            ck_assert_int_eq(tg_safetensors_put(set, "more", tg_scalar(TG_F32, 1)), TG_ERR_ARGUMENT);
            expect_error(TG_ERR_ARGUMENT, "safetensors_put: a set has at most 65536 tensors");
            ck_assert_int_eq(tg_safetensors_put(set, "0000001", tg_scalar(TG_F32, 1)), TG_OK);
            tg_safetensors_free(set);
        } else {
            expect_bad_set(TG_ERR_FORMAT, "has more than 65536 tensors");
        }
    }
    free(text);
}
END_TEST

/* What the parser would allocate a lot for. */
START_TEST(many_values) {
    const size_t n = 3000000;
    char *text = malloc(n);
    ck_assert_ptr_nonnull(text);
    memset(text, '[', n);
    text[0] = '{';
    write_set(text, n, 0);
    expect_bad_set(TG_ERR_FORMAT, "is nested deeper");
    memcpy(text, "{\"x\":[", 6);
    for (size_t i = 6; i < n; i++) text[i] = i % 2 ? ',' : '1';
    write_set(text, n, 0);
    expect_bad_set(TG_ERR_FORMAT, "has more values than 65536 tensors have");
    free(text);
}
END_TEST

static size_t read_golden(const char *name, unsigned char *bytes, size_t room) {
    char inner[100];
    snprintf(inner, sizeof inner, "safetensors/%s.safetensors", name);
    return read_file(golden_file(inner), bytes, room);
}

START_TEST(every_prefix) {
    unsigned char b[2048];
    const size_t n = read_golden("all", b, sizeof b);
    for (size_t i = 0; i < n; i++) {
        write_file(path, b, i);
        expect_bad_set(TG_ERR_FORMAT, "truncated");
    }
    b[n] = 0;
    write_file(path, b, n + 1);
    expect_bad_set(TG_ERR_FORMAT, "the file has trailing bytes");
}
END_TEST

/* A flipped bit is noticed, or lies in a name or text, or makes another set of as many bytes, which can be read. */
START_TEST(every_header_bit) {
    unsigned char b[2048];
    const size_t n = read_golden("plain", b, sizeof b), header = 8 + (size_t)b[0];
    int accepted = 0;
    for (size_t i = 0; i < 8 * header; i++) {
        b[i / 8] ^= (unsigned char)(1 << i % 8);
        write_file(path, b, n);
        tg_safetensors *set = tg_safetensors_open(path);
        const tg_status status = tg_error_status();
        ck_assert_msg(set ? status == TG_OK : status == TG_ERR_FORMAT || status == TG_ERR_DTYPE, "%s",
                      tg_error_message());
        tg_error_clear();
        accepted += set != NULL;
        for (int64_t k = 0; set && k < tg_safetensors_count(set); k++)
            tg_safetensors_get(set, tg_safetensors_name(set, k));
        expect_ok();
        tg_safetensors_free(set);
        b[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    ck_assert_int_lt(accepted, 8 * (10 + 8 + 5 + 3) +
                                   8); /* the names have 23 bytes; dtypes of equal size differ in some bits */
}
END_TEST

START_TEST(bools_are_0_or_1) {
    const char *header = "{\"x\":{\"dtype\":\"BOOL\",\"shape\":[6],\"data_offsets\":[0,6]}}";
    unsigned char b[200];
    write_set(header, strlen(header), 6);
    const size_t n = read_file(path, b, sizeof b);
    b[n - 2] = 255;
    write_file(path, b, n);
    tg_safetensors *set = tg_safetensors_open(path);
    ck_assert_int_eq(tg_numel(tg_safetensors_get_rows(set, "x", 0, 4)), 4);
    ck_assert(tg_is_poison(tg_safetensors_get_rows(set, "x", 3, 3)));
    expect_file_error(TG_ERR_FORMAT, path,
                      "safetensors_get_rows: a bool is 0 or 1, and element 4 of \"x\" is 255");
    tg_safetensors_free(set);
}
END_TEST
#endif

TCase *tcase_safetensors_headers(void) {
    TCase *tc = tcase_create("safetensors_headers");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, files_teardown);
#if TG_HAVE_JANSSON
    tcase_add_loop_test(tc, good_header, 0, COUNT(good_headers));
    tcase_add_loop_test(tc, bad_header, 0, COUNT(bad_headers));
    tcase_add_loop_test(tc, bad_dtype, 0, COUNT(dtypes));
    tcase_add_test(tc, bad_length);
    tcase_add_test(tc, names_of_every_length);
    tcase_add_test(tc, many_tensors);
    tcase_add_test(tc, many_values);
    tcase_add_test(tc, every_prefix);
    tcase_add_test(tc, every_header_bit);
    tcase_add_test(tc, bools_are_0_or_1);
#else
    tcase_add_test(tc, says_what_is_missing);
#endif
    return tc;
}
