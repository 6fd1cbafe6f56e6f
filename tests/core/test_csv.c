#include "ops/tapegrad.h"
#include "core/io/number.h"
#include "core/memory.h"
#include "tests/core/files.h"

#include <inttypes.h>
#include <locale.h>
#include <math.h>
#include <stdlib.h>

TCase *tcase_csv(void);

static char plain[600], packed[600];

static void setup(void) {
    files_setup();
    snprintf(plain, sizeof plain, "%s/table.csv", folder);
    snprintf(packed, sizeof packed, "%s/table.csv.gz", folder);
}

static void write_text(const char *text) { write_file(plain, text, strlen(text)); }

/* ---- what is read ---- */

#define NUMBERS(...) \
    { __VA_ARGS__ }
#define NAMES \
    { NULL, .header = true }

static const struct good {
    const char *text;
    tg_load_csv_opts opts;
    int64_t rows, columns;
    double numbers[6];
} goods[] = {
    {"1,2,3\n4,5,6\n", {0}, 2, 3, NUMBERS(1, 2, 3, 4, 5, 6)},
    {"1,2,3\n4,5,6", {0}, 2, 3, NUMBERS(1, 2, 3, 4, 5, 6)},
    {"1,2,3\r\n4,5,6\r\n", {0}, 2, 3, NUMBERS(1, 2, 3, 4, 5, 6)},
    {"\n\n1,2\r\n\r\n \t\n3,4\n\n\n", {0}, 2, 2, NUMBERS(1, 2, 3, 4)},
    {"\xef\xbb\xbf"
     "1,2\n",
     {0},
     1,
     2,
     NUMBERS(1, 2)},
    {"\xef\xbb\xbf\"a\",b\n1,2\n", {.header = true, .columns = "a"}, 1, 1, NUMBERS(1)},
    {" 1 ,\t2\t, 3\n", {0}, 1, 3, NUMBERS(1, 2, 3)},
    {"\"1\",\" 2 \" , \"3\"\n", {.columns = "0,2"}, 1, 2, NUMBERS(1, 3)},
    {"7\n8\n9\n", {0}, 3, 1, NUMBERS(7, 8, 9)},
    {"7", {0}, 1, 1, NUMBERS(7)},
    {"a,b\n1,2\n3,4\n", {.header = true}, 2, 2, NUMBERS(1, 2, 3, 4)},
    {"a,b\n", {.header = true}, 0, 2, {0}},
    {"a,b", {.header = true, .columns = "b"}, 0, 1, {0}},
    {"a,b,c\n1,2,3\n4,5,6\n", {.header = true, .columns = "c,a"}, 2, 2, NUMBERS(3, 1, 6, 4)},
    {"a,b,c\n1,2,3\n4,5,6\n", {.header = true, .columns = "c, 0"}, 2, 2, NUMBERS(3, 1, 6, 4)},
    {"2,1,0\n1,2,3\n", {.header = true, .columns = "0,1"}, 1, 2, NUMBERS(3, 2)}, /* names go first */
    {"1,2,3\n4,5,6\n", {.columns = "2,0"}, 2, 2, NUMBERS(3, 1, 6, 4)},
    {"1,two,3\n4,\"f\"\"i\nv,e\",6\n", {.columns = "2,0"}, 2, 2, NUMBERS(3, 1, 6, 4)},
    {"\"a \"\"b\"\"\",\"c\r\nd\",\"e,f\"\n1,2,3\n",
     {.header = true, .columns = "\"e,f\",\"a \"\"b\"\"\""},
     1,
     2,
     NUMBERS(3, 1)},
    {"1;2\n3;4\n", {.delimiter = ";"}, 2, 2, NUMBERS(1, 2, 3, 4)},
    {"1\t2\n3\t4\n", {.delimiter = "\t"}, 2, 2, NUMBERS(1, 2, 3, 4)},
    {"1 2\n3 4\n", {.delimiter = " "}, 2, 2, NUMBERS(1, 2, 3, 4)},
    {"1|2\n", {.delimiter = "|", .columns = "1|0"}, 1, 2, NUMBERS(2, 1)},
    {"1,NA,\n,\"\", 2\n", {.missing_as_nan = true}, 2, 3, NUMBERS(1, NAN, NAN, NAN, NAN, 2)},
    {"\"\"\nNA\n", {.missing_as_nan = true, .dtype = TG_F64}, 2, 1, NUMBERS(NAN, NAN)},
    {"b,a\na,NA\n", {.classes = "a,b,NA", .dtype = TG_I64}, 2, 2, NUMBERS(1, 0, 0, 2)},
    {"x,kind\n1,red\n2,\" blue\"\n",
     {.header = true, .columns = "kind", .classes = "red,\" blue\""},
     2,
     1,
     NUMBERS(0, 1)},
    {"1e3,-.5,+2.,0x,1E-2\n", {.columns = "0,1,2,4"}, 1, 4, NUMBERS(1000, -.5, 2, 0.01f)},
    {"inf,-Infinity,NaN,-nan,+INF\n", {0}, 1, 5, NUMBERS(INFINITY, -INFINITY, NAN, NAN, INFINITY)},
    {"0,1,true,FALSE,True\n", {.dtype = TG_BOOL}, 1, 5, NUMBERS(0, 1, 1, 0, 1)},
    {"-2147483648,+2147483647,007\n", {.dtype = TG_I32}, 1, 3, NUMBERS(-2147483648., 2147483647, 7)},
    {"0,255\n", {.dtype = TG_U8}, 1, 2, NUMBERS(0, 255)},
};

START_TEST(reads) {
    const struct good *g = &goods[_i];
    const int before = open_descriptors();
    write_text(g->text);
    const tg_tensor *t = tg_load_csv_with(plain, g->opts);
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s", g->text, tg_error_message());
    ck_assert_int_eq(open_descriptors(), before);
    ck_assert_int_eq(tg_dtype_of(t), g->opts.dtype);
    ck_assert(tg_shape_equal(tg_shape_of(t), TG_SHAPE(g->rows, g->columns)));
    for (int64_t i = 0; i < tg_numel(t); i++) {
        const double v = tg_get(t, i);
        ck_assert_msg(v == g->numbers[i] || (isnan(v) && isnan(g->numbers[i])), "%s: %" PRId64 ": %g",
                      g->text, i, v);
    }
}
END_TEST

/* ---- numbers, to the bit ---- */

static const struct exact {
    const char *text;
    double f64;
    float f32;
} exacts[] = {
    {"0.1", 0.1, 0.1f},
    {"-0", -0.0, -0.0f},
    {"123456789012345678", 123456789012345678., 123456789012345678.f},
    {"9007199254740993", 9007199254740992., 9007199254740993.f},
    {"9007199254740993.0000000000000000000000000000000000000000001", 9007199254740994., 9007199254740994.f},
    {"1.7976931348623157e308", 0x1.fffffffffffffp1023, 0},
    {"4.9e-324", 0x1p-1074, 0},
    {"2.4703282292062327e-324", 0, 0},
    {"2.4703282292062328e-324", 0x1p-1074, 0},
    {"2.2250738585072011e-308", 0x0.fffffffffffffp-1022, 0},
    {"1e-500", 0, 0},
    /* Halfway between two f32 but for what an f64 does not hold: rounding twice would go to even. */
    {"1.00000005960464477539062500000000000000001", 0x1.000001p0, 0x1.000002p0f},
    {"1.000000059604644775390625", 0x1.000001p0, 1},
    {"3.4028235e38", 3.4028235e38, 0x1.fffffep127f},
    {"1.4e-45", 1.4e-45, 0x1p-149f},
};

START_TEST(rounds_once) {
    const struct exact *e = &exacts[_i];
    write_text(e->text);
    const double wide = tg_item(tg_load_csv(plain, .dtype = TG_F64));
    ck_assert_msg(memcmp(&wide, &e->f64, sizeof wide) == 0, "%s: %a", e->text, wide);
    if (fabs(e->f64) < 0x1p128) {
        const float narrow = (float)tg_item(tg_load_csv(plain));
        ck_assert_msg(memcmp(&narrow, &e->f32, sizeof narrow) == 0, "%s: %a", e->text, (double)narrow);
    }
    expect_ok();
}
END_TEST

START_TEST(integers_are_exact) {
    static const int64_t numbers[] = {INT64_MAX, INT64_MIN, 9007199254740993, -9007199254740993};
    char text[200];
    snprintf(text, sizeof text, "%" PRId64 ",%" PRId64 ",%" PRId64 ",%" PRId64, numbers[0], numbers[1],
             numbers[2], numbers[3]);
    write_text(text);
    ck_assert_mem_eq(tg_data(tg_load_csv(plain, .dtype = TG_I64)), numbers, sizeof numbers);
}
END_TEST

/* ---- what is refused ---- */

static const struct bad {
    const char *text;
    tg_load_csv_opts opts;
    tg_status status;
    const char *says;
} bads[] = {
    {"", {0}, TG_ERR_FORMAT, "load_csv: the file is empty: "},
    {"\n \r\n\n", {0}, TG_ERR_FORMAT, "the file is empty"},
    {"", {.header = true}, TG_ERR_FORMAT, "the file is empty"},
    {"\xef\xbb\xbf", {0}, TG_ERR_FORMAT, "the file is empty"},
    {"a,b\n1,2\n", {0}, TG_ERR_FORMAT, "line 1, column 0: \"a\" is not a number"},
    {"1,2\n3,x\n", {0}, TG_ERR_FORMAT, "line 2, column 1: \"x\" is not a number"},
    {"\n\n1,2\n\n3,x\n", {0}, TG_ERR_FORMAT, "line 5, column 1: \"x\" is not a number"},
    {"1,\"a\nb\"\n3,x\n", {.columns = "0"}, TG_OK, ""},
    {"1,\"a\nb\"\ny,x\n", {.columns = "0"}, TG_ERR_FORMAT, "line 3, column 0: \"y\" is not a number"},
    {"1,2\n3,\n", {0}, TG_ERR_FORMAT, "line 2, column 1: the value is missing"},
    {"1,2\n\"\",3\n", {0}, TG_ERR_FORMAT, "line 2, column 0: the value is missing"},
    {"1,NA\n", {0}, TG_ERR_FORMAT, "line 1, column 1: the value is missing"},
    {"1,na\n", {.missing_as_nan = true}, TG_ERR_FORMAT, "\"na\" is not a number"},
    {"1,2,3\n4,5\n", {0}, TG_ERR_FORMAT, "line 2, column 2: the line has fewer fields than the 3 of line 1"},
    {"1,2\n3,4,5\n", {0}, TG_ERR_FORMAT, "line 2, column 2: the line has more fields than the 2 of line 1"},
    {"a,b\n3\n", {.header = true, .columns = "a"}, TG_ERR_FORMAT, "fewer fields than the 2 of line 1"},
    {"1,2\n3,4,\n", {0}, TG_ERR_FORMAT, "the line has more fields"},
    {"1\n,\n", {.missing_as_nan = true}, TG_ERR_FORMAT, "the line has more fields"},
    {"1,\"2\n", {0}, TG_ERR_FORMAT, "line 1, column 1: the field's quote is not closed"},
    {"1,\"2\"x\n", {0}, TG_ERR_FORMAT, "line 1, column 1: something follows the field's closing quote"},
    {"1,\"2\" \"3\"\n", {0}, TG_ERR_FORMAT, "something follows"},
    {"1,\"2\"\r3\n", {0}, TG_ERR_FORMAT, "something follows"},
    {"1,2\"\n", {0}, TG_ERR_FORMAT, "line 1, column 1: there is a quote inside of a field"},
    {"1,2\r3\n", {0}, TG_ERR_FORMAT, "\"2?3\" is not a number"},
    {"0x10\n", {0}, TG_ERR_FORMAT, "\"0x10\" is not a number"},
    {"0x1p3\n", {.dtype = TG_F64}, TG_ERR_FORMAT, "is not a number"},
    {"1_000\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"1.2.3\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"1e\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"1e+\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {".\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"-\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"--1\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"1 2\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"1f\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"nan(1)\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"infin\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"1;5\n", {0}, TG_ERR_FORMAT, "is not a number"},
    {"1e39\n", {0}, TG_ERR_FORMAT, "\"1e39\" is beyond the range of f32"},
    {"-1e309\n", {.dtype = TG_F64}, TG_ERR_FORMAT, "is beyond the range of f64"},
    {"1.0\n", {.dtype = TG_I64}, TG_ERR_FORMAT, "\"1.0\" is not a whole number"},
    {"1e3\n", {.dtype = TG_I32}, TG_ERR_FORMAT, "is not a whole number"},
    {"+\n", {.dtype = TG_I32}, TG_ERR_FORMAT, "is not a whole number"},
    {"9223372036854775808\n", {.dtype = TG_I64}, TG_ERR_FORMAT, "is beyond the range of i64"},
    {"-9223372036854775809\n", {.dtype = TG_I64}, TG_ERR_FORMAT, "is beyond the range of i64"},
    {"99999999999999999999999\n", {.dtype = TG_I64}, TG_ERR_FORMAT, "is beyond the range of i64"},
    {"2147483648\n", {.dtype = TG_I32}, TG_ERR_FORMAT, "is beyond the range of i32"},
    {"-2147483649\n", {.dtype = TG_I32}, TG_ERR_FORMAT, "is beyond the range of i32"},
    {"256\n", {.dtype = TG_U8}, TG_ERR_FORMAT, "is beyond the range of u8"},
    {"-1\n", {.dtype = TG_U8}, TG_ERR_FORMAT, "is beyond the range of u8"},
    {"2\n", {.dtype = TG_BOOL}, TG_ERR_FORMAT, "\"2\" is not 0, 1, true or false"},
    {"300\n", {.dtype = TG_U8, .classes = "300"}, TG_OK, ""},
    {"a\nc\n", {.classes = "a,b"}, TG_ERR_FORMAT, "line 2, column 0: \"c\" is none of the classes"},
    {"a,\n", {.classes = "a,b", .missing_as_nan = true}, TG_ERR_FORMAT, "\"\" is none of the classes"},
    {"c\n", {.dtype = TG_BOOL, .classes = "a,b,c"}, TG_ERR_FORMAT, "\"2\" is not 0, 1, true or false"},
    {"a,b\n1,2\n", {.header = true, .columns = "c"}, TG_ERR_FORMAT, "there is no column c in the header"},
    {"a,b\n1,2\n", {.header = true, .columns = "a,2"}, TG_ERR_FORMAT, "there is no column 2 in the header"},
    {"a,b\n1,2\n", {.header = true, .columns = "a,0"}, TG_ERR_ARGUMENT, "column 0 is to be loaded twice"},
    {"a,b,a\n1,2,3\n",
     {.header = true, .columns = "a"},
     TG_ERR_FORMAT,
     "line 1, column 2: a column of the name \"a\" is there twice"},
    {"a,b,a\n1,2,3\n", {.header = true, .columns = "b"}, TG_OK, ""},
    {"1,2\n", {.columns = "2"}, TG_ERR_FORMAT, "line 1: there is no column 2 among the 2"},
    {"1,2\n", {.columns = "x"}, TG_ERR_FORMAT, "there is no column x"},
    {"1,2\n", {.columns = "-1"}, TG_ERR_FORMAT, "there is no column -1"},
    {"1,2\n", {.columns = "1048576"}, TG_ERR_FORMAT, "there is no column 1048576"},
    {"1,2\n", {.columns = "99999999999999999999"}, TG_ERR_FORMAT, "there is no column 99999999999999999999"},
    {"1,2\n", {.columns = "1,01"}, TG_ERR_ARGUMENT, "column 1 is to be loaded twice"},
    {"1,2\n", {.columns = "1,1"}, TG_ERR_ARGUMENT, "column 1: \"1\" is there twice: the columns to load"},
    {"1,2\n", {.columns = ""}, TG_ERR_ARGUMENT, "there is no name: the columns to load"},
    {"1,2\n", {.columns = "0,"}, TG_ERR_ARGUMENT, "there is an empty name: the columns to load"},
    {"1,2\n", {.columns = "0\n1"}, TG_ERR_ARGUMENT, "there is more than one line: the columns to load"},
    {"1,2\n", {.columns = "\"0"}, TG_ERR_ARGUMENT, "quote is not closed: the columns to load"},
    {"a\n", {.classes = ""}, TG_ERR_ARGUMENT, "there is no name: the classes"},
    {"a\n", {.classes = "a,b,a"}, TG_ERR_ARGUMENT, "\"a\" is there twice: the classes"},
    {"1\n",
     {.delimiter = ""},
     TG_ERR_ARGUMENT,
     "the delimiter must be one character that no number has, and is \"\""},
    {"1\n", {.delimiter = ",,"}, TG_ERR_ARGUMENT, "the delimiter must be one character"},
    {"1\n", {.delimiter = "e"}, TG_ERR_ARGUMENT, "the delimiter must be one character"},
    {"1\n", {.delimiter = "-"}, TG_ERR_ARGUMENT, "the delimiter must be one character"},
    {"1\n", {.delimiter = "\""}, TG_ERR_ARGUMENT, "the delimiter must be one character"},
    {"1\n", {.delimiter = "\n"}, TG_ERR_ARGUMENT, "the delimiter must be one character"},
    {"1\n", {.delimiter = "\xc3\xa9"}, TG_ERR_ARGUMENT, "the delimiter must be one character"},
    {"1\n",
     {.dtype = TG_I64, .missing_as_nan = true},
     TG_ERR_ARGUMENT,
     "missing_as_nan needs a dtype with NaN, f32 or f64, not i64"},
    {"1\n", {.dtype = (tg_dtype)99}, TG_ERR_DTYPE, "there is no dtype 99"},
};

/* Where the options are wrong no file is named. */
START_TEST(refuses) {
    const struct bad *b = &bads[_i];
    const size_t live = tg_memory_now().live_buffer_bytes;
    const int before = open_descriptors();
    write_text(b->text);
    const tg_tensor *t = tg_load_csv_with(plain, b->opts);
    ck_assert_int_eq(open_descriptors(), before);
    if (b->status == TG_OK) {
        expect_ok();
        return;
    }
    ck_assert(tg_is_poison(t));
    ck_assert(strncmp(tg_error_message(), "load_csv: ", 10) == 0);
    if (b->status == TG_ERR_FORMAT)
        ck_assert_msg(strstr(tg_error_message(), plain) != NULL, "%s", tg_error_message());
    expect_error(b->status, b->says);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
}
END_TEST

/* Wherever it stands, in columns that are skipped too. */
START_TEST(a_byte_0) {
    static const char *const texts[] = {"3,~4",     "3,\"~4\"", "~3,4",       "3~,4",       "3,4\r~",
                                        "3,4\r~\n", "3,\"4\"~", "3,\"4\"\r~", "3,\"4\"\"~", "3, ~",
                                        "3,4\n~",   "~",        "3,4\n\r~"};
    for (int i = 0; i < COUNT(texts); i++)
        for (int skipped = 0; skipped < 2; skipped++) {
            char text[40] = "1,2\n";
            strcat(text, texts[i]);
            const size_t n = strlen(text);
            *strchr(text, '~') = '\0';
            write_file(plain, text, n);
            ck_assert(tg_is_poison(tg_load_csv(plain, .columns = skipped ? "0" : NULL)));
            expect_file_error(TG_ERR_FORMAT, plain, "the line has a byte 0");
        }
}
END_TEST

/* A field that is kept has a bound, one that is not has none: a line of 64 MiB is passed in pieces. */
START_TEST(long_fields) {
    const size_t n = (size_t)64 << 20;
    char *text = malloc(n + 8);
    ck_assert_ptr_nonnull(text);
    for (int quoted = 0; quoted < 2; quoted++) {
        memset(text, 'x', n);
        memcpy(text, "5,", 2);
        if (quoted) text[2] = text[n - 1] = '"';
        memcpy(text + n, ",6\n", 4);
        write_file(plain, text, n + 3);
        ck_assert(tg_is_poison(tg_load_csv(plain)));
        expect_file_error(TG_ERR_FORMAT, plain, "line 1, column 1: the field has more than 4095 bytes");
        const size_t before = tg_memory_now().system_bytes;
        tg_memory_reset_peak();
        const size_t live = tg_memory_now().live_buffer_bytes;
        const tg_tensor *t = tg_load_csv(plain, .columns = "0,2");
        expect_ok();
        ck_assert(tg_get(t, 0) == 5 && tg_get(t, 1) == 6);
        ck_assert_uint_le(tg_memory_now().peak_buffer_bytes - live, 16384);
        ck_assert_uint_le(tg_memory_now().system_bytes, before + (1 << 17));
    }
    memset(text, '0', 5000);
    text[4095] = '\n';
    write_file(plain, text, 4096);
    ck_assert(tg_item(tg_load_csv(plain)) == 0);
    text[4095] = '0', text[4096] = '\n';
    write_file(plain, text, 4097);
    ck_assert(tg_is_poison(tg_load_csv(plain)));
    expect_file_error(TG_ERR_FORMAT, plain, "the field has more than 4095 bytes");
    free(text);
}
END_TEST

/* The most columns, and one more; with a header and without. */
START_TEST(long_lines) {
    const size_t most = 1 << 20;
    char *text = malloc(2 * most + 8);
    ck_assert_ptr_nonnull(text);
    for (size_t i = 0; i < most; i++) memcpy(text + 2 * i, "1,", 2);
    text[2 * most - 1] = '\n';
    write_file(plain, text, 2 * most);
    ck_assert(tg_shape_equal(tg_shape_of(tg_load_csv(plain, .dtype = TG_U8)), TG_SHAPE(1, (int64_t)most)));
    ck_assert(tg_shape_equal(tg_shape_of(tg_load_csv(plain, .columns = "1048575,7", .header = true)),
                             TG_SHAPE(0, 2)));
    expect_ok();
    memcpy(text + 2 * most - 1, ",1\n", 3);
    write_file(plain, text, 2 * most + 2);
    for (int header = 0; header < 2; header++) {
        ck_assert(tg_is_poison(tg_load_csv(plain, .dtype = TG_U8, .header = header)));
        expect_file_error(TG_ERR_FORMAT, plain,
                          "line 1, column 1048576: the line has more than 1048576 fields");
    }
    free(text);
}
END_TEST

/* ---- damage ---- */

/* Every prefix is refused, or is a table with fewer rows or a number cut short; none crashes or leaks. */
START_TEST(every_prefix) {
    const char text[] = "a,\"b,c\"\n1.5,2\n\"-3\",4e1\n";
    int whole = 0;
    for (size_t i = 0; i < sizeof text; i++) {
        write_file(plain, text, i);
        const tg_tensor *t = tg_load_csv(plain, .header = true, .columns = "\"b,c\"");
        whole += tg_error_status() == TG_OK;
        if (tg_error_status() == TG_OK)
            ck_assert_int_eq(tg_size(t, 1), 1);
        else
            expect_file_error(TG_ERR_FORMAT, plain, "load_csv: ");
    }
    ck_assert_int_ge(whole, 3);
}
END_TEST

START_TEST(compressed) {
    if (!has_zlib()) return;
    unsigned char b[1024];
    const double v[6] = {1, -2.5, 1e300, 4, 0.1, 6};
    ck_assert_int_eq(tg_save_csv(tg_from(TG_F64, v, 3, 2), packed), TG_OK);
    ck_assert_mem_eq(tg_data(tg_load_csv(packed, .dtype = TG_F64)), v, sizeof v);
    const size_t n = read_file(packed, b, sizeof b);
    ck_assert(b[0] == 0x1f && b[1] == 0x8b);
    for (size_t i = 2; i < n; i++) {
        write_file(packed, b, i);
        ck_assert(tg_is_poison(tg_load_csv(packed, .dtype = TG_F64)));
        expect_file_error(TG_ERR_FORMAT, packed, "load_csv: the compressed data are cut off");
    }
    b[n] = 0;
    write_file(packed, b, n + 1);
    ck_assert(tg_is_poison(tg_load_csv(packed, .dtype = TG_F64)));
    expect_file_error(TG_ERR_FORMAT, packed, "the file has trailing bytes");
}
END_TEST

/* ---- writing ---- */

static void expect_text(const char *text) {
    char b[400];
    const size_t n = read_file(plain, b, sizeof b - 1);
    b[n] = '\0';
    ck_assert_str_eq(b, text);
}

START_TEST(writes) {
    const double d[6] = {1, 0.1, -0.0, INFINITY, -INFINITY, NAN};
    const float f[4] = {0.1f, 16777216, 1e-45f, 3.4028235e38f};
    ck_assert_int_eq(tg_save_csv(tg_from(TG_F64, d, 2, 3), plain), TG_OK);
    expect_text("1,0.1,-0\ninf,-inf,nan\n");
    ck_assert_int_eq(tg_save_csv(tg_from(TG_F32, f, 4), plain, .header = "x"), TG_OK);
    expect_text("x\n0.1\n16777216\n1.4013e-45\n3.4028235e+38\n");
    ck_assert_int_eq(tg_save_csv(tg_ones(TG_BOOL, 1, 2), plain, .header = "\"a;b\";c", .delimiter = ";"),
                     TG_OK);
    expect_text("\"a;b\";c\n1;1\n");
    ck_assert_int_eq(tg_save_csv(tg_full(TG_I32, INT32_MIN, 1, 1), plain), TG_OK);
    expect_text("-2147483648\n");
    ck_assert_int_eq(tg_save_csv(tg_from(TG_I64, (int64_t[]){INT64_MIN, INT64_MAX}, 1, 2), plain), TG_OK);
    expect_text("-9223372036854775808,9223372036854775807\n");
    ck_assert_int_eq(tg_save_csv(tg_full(TG_U8, 255, 1, 2), plain, .delimiter = "\t"), TG_OK);
    expect_text("255\t255\n");
    ck_assert_int_eq(tg_save_csv(tg_zeros(TG_F32, 0, 2), plain, .header = "a,b"), TG_OK);
    expect_text("a,b\n");
    ck_assert(tg_shape_equal(tg_shape_of(tg_load_csv(plain, .header = true)), TG_SHAPE(0, 2)));
}
END_TEST

static const struct unsaved {
    tg_shape shape;
    tg_save_csv_opts opts;
    tg_status status;
    const char *says;
} unsaved[] = {
    {{0, {0}}, {0}, TG_ERR_SHAPE, "save_csv: this is no matrix with columns, and no vector: [] f32"},
    {{3, {1, 2, 3}}, {0}, TG_ERR_SHAPE, "no matrix with columns"},
    {{2, {3, 0}}, {0}, TG_ERR_SHAPE, "no matrix with columns"},
    {{2, {3, 2}}, {.header = "a"}, TG_ERR_SHAPE, "the header has 1 names for 2 columns"},
    {{1, {3}}, {.header = "a,b"}, TG_ERR_SHAPE, "the header has 2 names for 1 columns"},
    {{1, {3}}, {.header = "\"a"}, TG_ERR_ARGUMENT, "the field's quote is not closed: the header"},
    {{2, {3, 2}}, {.header = "a,a"}, TG_ERR_ARGUMENT, "\"a\" is there twice: the header"},
    {{1, {3}}, {.header = "a\nb"}, TG_ERR_ARGUMENT, "there is more than one line: the header"},
    {{1, {3}}, {.delimiter = "."}, TG_ERR_ARGUMENT, "save_csv: the delimiter must be one character"},
};

START_TEST(refuses_to_write) {
    const struct unsaved *u = &unsaved[_i];
    ck_assert_int_eq(tg_save_csv_with(tg_zeros_with(TG_F32, u->shape), plain, u->opts), u->status);
    expect_error(u->status, u->says);
    ck_assert(!exists(plain));
}
END_TEST

/* Any bits of f64 and f32 come back, and other dtypes. */
START_TEST(round_trips) {
    uint64_t x = 1;
    for (int dtype = 0; dtype < TG_DTYPES; dtype++) {
        const tg_tensor *t = tg_zeros_with((tg_dtype)dtype, TG_SHAPE(500, 7));
        unsigned char *b = tg_data_mut((tg_tensor *)(uintptr_t)t);
        const size_t bytes = 3500 * tg_dtype_size((tg_dtype)dtype);
        for (size_t i = 0; i < bytes; i++) {
            x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
            b[i] = (unsigned char)(dtype == TG_BOOL ? x >> 63 : x >> 56);
        }
        for (int64_t i = 0; i < 3500 && tg_dtype_is_float((tg_dtype)dtype); i++)
            if (isnan(tg_get(t, i))) tg_array_set(tg_array_of(t), i, NAN);
        ck_assert_msg(tg_save_csv(t, plain) == TG_OK, "%s", tg_error_message());
        const tg_tensor *back = tg_load_csv(plain, .dtype = (tg_dtype)dtype);
        expect_ok();
        ck_assert(tg_shape_equal(tg_shape_of(back), TG_SHAPE(500, 7)));
        ck_assert_mem_eq(tg_data(back), b, bytes);
    }
}
END_TEST

START_TEST(any_locale) {
    static const char *const names[] = {"de_DE.UTF-8", "de_DE.utf8", "fr_FR.UTF-8", "fr_FR.utf8", "de_DE"};
    bool comma = false;
    for (int i = 0; i < COUNT(names) && !comma; i++) comma = setlocale(LC_ALL, names[i]) != NULL;
    const locale_t mine = uselocale((locale_t)0);
    ck_assert_int_eq(tg_save_csv(tg_full(TG_F64, 1.5, 1, 2), plain), TG_OK);
    expect_text("1.5,1.5\n");
    ck_assert(tg_get(tg_load_csv(plain), 1) == 1.5);
    ck_assert(uselocale((locale_t)0) == mine);
    write_text("1,x\n");
    ck_assert(tg_is_poison(tg_load_csv(plain)));
    tg_error_clear();
    ck_assert(uselocale((locale_t)0) == mine);
    setlocale(LC_ALL, "C");
}
END_TEST

/* ---- files that Python wrote (tests/golden/make_csv.py) ---- */

static const struct golden {
    const char *name;
    tg_load_csv_opts opts;
} goldens[] = {
    {"excel", {.dtype = TG_F64, .header = true, .columns = "x,\"y, z\",w"}},
    {"quoted", {.dtype = TG_F64, .header = true, .columns = "x,\"y, z\",w"}},
    {"semicolons", {.dtype = TG_F64, .header = true, .columns = "x;y, z;w", .delimiter = ";"}},
    {"tabs", {.dtype = TG_F64, .header = true, .columns = "1\t2\t3", .delimiter = "\t"}},
    {"savetxt", {.dtype = TG_F64}},
};

START_TEST(reads_what_python_wrote) {
    char path[200];
    snprintf(path, sizeof path, "csv/%s.csv", goldens[_i].name);
    const tg_tensor *t = tg_load_csv_with(golden_file(path), goldens[_i].opts);
    const tg_tensor *expected = tg_load_npy(golden_file("csv/values.npy"));
    expect_ok();
    ck_assert(tg_shape_equal(tg_shape_of(t), tg_shape_of(expected)));
    ck_assert_mem_eq(tg_data(t), tg_data(expected), (size_t)tg_numel(t) * sizeof(double));
}
END_TEST

/* ---- memory, arguments ---- */

/* Each allocation of a call with all options fails in turn. */
START_TEST(no_memory) {
    write_text("a,b,c\nx,1,y\ny,2,y\n");
    const size_t live = tg_memory_now().live_buffer_bytes;
    const int before = open_descriptors();
    int failures = 0;
    for (;; failures++) {
        tg_memory_fail_at(failures + 1);
        const tg_tensor *t =
            tg_load_csv(plain, .header = true, .columns = "a,c", .classes = "x,y", .dtype = TG_I64);
        tg_memory_fail_at(-1);
        if (!tg_is_poison(t)) break;
        expect_error(TG_ERR_MEMORY, "load_csv: ");
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    }
    ck_assert_int_ge(failures, 6);
    for (failures = 0;; failures++) {
        tg_memory_fail_at(failures + 1);
        const tg_status status = tg_save_csv(tg_zeros(TG_F32, 2), packed, .header = "a");
        tg_memory_fail_at(-1);
        if (status == TG_OK || status == TG_ERR_IO) break; /* without zlib */
        expect_error(TG_ERR_MEMORY, "");
    }
    tg_error_clear();
    ck_assert_int_ge(failures, 1);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(arguments) {
    ck_assert_int_eq(tg_save_csv(NULL, plain), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "save_csv");
    ck_assert_int_eq(tg_save_csv(tg_zeros(TG_U8, 1), NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "save_csv: the path is NULL");
    ck_assert(tg_is_poison(tg_load_csv(NULL)));
    expect_error(TG_ERR_ARGUMENT, "load_csv: the path is NULL");
    ck_assert_int_eq(files_in_folder(false), 0);
}
END_TEST

TCase *tcase_csv(void) {
    TCase *tc = tcase_create("csv");
    tcase_set_timeout(tc, 120);
    tcase_add_checked_fixture(tc, setup, files_teardown);
    tcase_add_loop_test(tc, reads, 0, COUNT(goods));
    tcase_add_loop_test(tc, rounds_once, 0, COUNT(exacts));
    tcase_add_test(tc, integers_are_exact);
    tcase_add_loop_test(tc, refuses, 0, COUNT(bads));
    tcase_add_test(tc, a_byte_0);
    tcase_add_test(tc, long_fields);
    tcase_add_test(tc, long_lines);
    tcase_add_test(tc, every_prefix);
    tcase_add_test(tc, compressed);
    tcase_add_test(tc, writes);
    tcase_add_loop_test(tc, refuses_to_write, 0, COUNT(unsaved));
    tcase_add_test(tc, round_trips);
    tcase_add_test(tc, any_locale);
    tcase_add_loop_test(tc, reads_what_python_wrote, 0, COUNT(goldens));
    tcase_add_test(tc, no_memory);
    tcase_add_test(tc, arguments);
    return tc;
}
