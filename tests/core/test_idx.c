#define _GNU_SOURCE /* O_TMPFILE */
#include "ops/tapegrad.h"
#include "core/io/idx.h"
#include "core/memory.h"
#include "tests/core/files.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TCase *tcase_idx(void);

static char plain[600], packed[600];

static void setup(void) {
    files_setup();
    snprintf(plain, sizeof plain, "%s/digits.idx", folder);
    snprintf(packed, sizeof packed, "%s/digits.idx.gz", folder);
}

static void expect_bad_file(const char *path, tg_status status, const char *says) {
    const size_t live = tg_memory_now().live_buffer_bytes;
    ck_assert(tg_is_poison(tg_load_idx(path)));
    expect_file_error(status, path, says);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
}

/* ---- what the format means, from bytes written out by hand ---- */

static const struct by_hand {
    const char *name;
    size_t n;
    unsigned char bytes[64];
    tg_dtype dtype;
    tg_shape shape;
    double value[4];
} by_hand[] = {
    {"u8", 12, {0, 0, 8, 1, 0, 0, 0, 4, 0, 1, 128, 255}, TG_U8, {1, {4}}, {0, 1, 128, 255}},
    {"i8", 12, {0, 0, 9, 1, 0, 0, 0, 4, 0, 127, 128, 255}, TG_I32, {1, {4}}, {0, 127, -128, -1}},
    {"i16",
     16,
     {0, 0, 11, 1, 0, 0, 0, 4, 1, 2, 0x7f, 0xff, 0x80, 0, 0xff, 0xfe},
     TG_I32,
     {1, {4}},
     {258, 32767, -32768, -2}},
    {"i32",
     28,
     {0, 0, 12,   2,    0,    0,    0,    2, 0, 0, 0,    2,    1,    2,
      3, 4, 0x7f, 0xff, 0xff, 0xff, 0x80, 0, 0, 0, 0xff, 0xff, 0xff, 0xff},
     TG_I32,
     {2, {2, 2}},
     {16909060, 2147483647, -2147483648.0, -1}},
    {"f32",
     24,
     {0, 0, 13, 1, 0, 0, 0, 4, 0x3f, 0x80, 0, 0, 0xc0, 0x20, 0, 0, 0, 0, 0, 0, 0x7f, 0x80, 0, 0},
     TG_F32,
     {1, {4}},
     {1, -2.5, 0, INFINITY}},
    {"f64",
     40,
     {0, 0, 14, 1, 0,    0,    0,    4,    0x3f, 0xf0, 0,    0,    0,    0,    0, 0, 0xc0, 4, 0, 0,
      0, 0, 0,  0, 0x3f, 0xb9, 0x99, 0x99, 0x99, 0x99, 0x99, 0x9a, 0xff, 0xf0, 0, 0, 0,    0, 0, 0},
     TG_F64,
     {1, {4}},
     {1, -2.5, 0.1, -INFINITY}},
    {"rank 8",
     38,
     {0, 0, 8, 8, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0,
      2, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 7, 9},
     TG_U8,
     {8, {1, 1, 1, 2, 1, 1, 1, 1}},
     {7, 9}},
    {"no elements", 12, {0, 0, 14, 2, 0, 0, 0, 0, 0, 0, 0, 3}, TG_F64, {2, {0, 3}}, {0}},
};

START_TEST(reads_by_hand) {
    const struct by_hand *h = &by_hand[_i];
    write_file(plain, h->bytes, h->n);
    const int before = open_descriptors();
    const tg_tensor *t = tg_load_idx(plain);
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s", h->name, tg_error_message());
    ck_assert_int_eq(open_descriptors(), before);
    ck_assert_int_eq(tg_dtype_of(t), h->dtype);
    ck_assert(tg_shape_equal(tg_shape_of(t), h->shape));
    for (int64_t i = 0; i < tg_numel(t); i++) ck_assert(tg_get(t, i) == h->value[i]);
}
END_TEST

/* Writing gives the same bytes back where the type is kept. */
START_TEST(writes_by_hand) {
    const struct by_hand *h = &by_hand[_i];
    if (h->bytes[2] == 9 || h->bytes[2] == 11) return;
    write_file(plain, h->bytes, h->n);
    const tg_tensor *t = tg_load_idx(plain);
    remove(plain);
    ck_assert_int_eq(tg_save_idx(t, plain), TG_OK);
    unsigned char bytes[128];
    ck_assert_uint_eq(read_file(plain, bytes, sizeof bytes), h->n);
    ck_assert_mem_eq(bytes, h->bytes, h->n);
    ck_assert_int_eq(files_in_folder(false), 1);
}
END_TEST

/* ---- round trips ---- */

static const tg_dtype written[] = {TG_U8, TG_BOOL, TG_I32, TG_F32, TG_F64};
static const tg_shape round_shapes[] = {{1, {1}},
                                        {1, {0}},
                                        {2, {3, 5}},
                                        {3, {7, 28, 28}},
                                        {4, {2, 0, 3, 1}},
                                        {1, {20000}},
                                        {8, {1, 2, 1, 3, 1, 2, 1, 2}}};
enum { WRITTEN = sizeof written / sizeof written[0], SHAPES = sizeof round_shapes / sizeof round_shapes[0] };

static tg_tensor *build(tg_dtype dtype, tg_shape shape) {
    tg_tensor *t = tg_zeros_with(dtype, shape);
    const tg_array *a = tg_array_of(t);
    for (int64_t i = 0; i < a->numel; i++)
        tg_array_set(a, i,
                     dtype == TG_BOOL || dtype == TG_U8 ? (double)(i * 7 % 256) : (double)i * 1234.567 - 9e4);
    return t;
}

static void round_trip(tg_dtype dtype, tg_shape shape, const char *path) {
    const tg_tensor *t = build(dtype, shape);
    ck_assert_msg(tg_save_idx(t, path) == TG_OK, "%s", tg_error_message());
    const tg_tensor *back = tg_load_idx(path);
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    ck_assert_int_eq(tg_dtype_of(back), dtype == TG_BOOL ? TG_U8 : dtype);
    ck_assert(tg_shape_equal(tg_shape_of(back), shape));
    if (tg_numel(t) > 0)
        ck_assert_mem_eq(tg_data(back), tg_data(t), (size_t)tg_numel(t) * tg_dtype_size(dtype));
}

START_TEST(round_trips) {
    const bool zlib = has_zlib();
    const int before = open_descriptors();
    for (int i = 0; i < WRITTEN; i++) {
        round_trip(written[i], round_shapes[_i], plain);
        if (zlib) round_trip(written[i], round_shapes[_i], packed);
    }
    ck_assert_int_eq(open_descriptors(), before);
    ck_assert_int_eq(files_in_folder(false), 1 + zlib);
}
END_TEST

START_TEST(saves_views) {
    const float v[6] = {1, 2, 3, 4, 5, 6};
    const int order[2] = {1, 0};
    tg_array view = {0};
    tg_array_permute(&view, tg_array_of(tg_from(TG_F32, v, 2, 3)), order);
    ck_assert_int_eq(tg_save_idx(tg_from_array(&view), plain), TG_OK);
    tg_array_drop(&view);
    const float expected[6] = {1, 4, 2, 5, 3, 6};
    const tg_tensor *back = tg_load_idx(plain);
    ck_assert(tg_shape_equal(tg_shape_of(back), TG_SHAPE(3, 2)));
    ck_assert_mem_eq(tg_data(back), expected, sizeof expected);
}
END_TEST

/* Content decides, not the name: gzip under a plain name, and the other way round. */
START_TEST(gzip_by_content) {
    if (!has_zlib()) return;
    const tg_tensor *t = build(TG_U8, TG_SHAPE(100, 100));
    unsigned char bytes[3] = {0};
    ck_assert_int_eq(tg_save_idx(t, packed), TG_OK);
    ck_assert_uint_eq(read_file(packed, bytes, 3), 3);
    ck_assert_uint_eq(bytes[0], 0x1f);
    ck_assert_uint_eq(bytes[1], 0x8b);
    ck_assert_int_eq(rename(packed, plain), 0);
    ck_assert_mem_eq(tg_data(tg_load_idx(plain)), tg_data(t), 10000);
    ck_assert_int_eq(tg_save_idx(t, plain), TG_OK);
    ck_assert_int_eq(rename(plain, packed), 0);
    ck_assert_mem_eq(tg_data(tg_load_idx(packed)), tg_data(t), 10000);
}
END_TEST

/* ---- bad files ---- */

static const struct bad_file {
    size_t n;
    unsigned char bytes[48];
    const char *says;
} bad_files[] = {
    {0, {0}, "the file is truncated: its header should have 4 bytes, and 0 are present"},
    {3, {0, 0, 8}, "the file is truncated: its header should have 4 bytes, and 3 are present"},
    {4, {1, 0, 8, 1}, "this is not an IDX file"},
    {4, {'P', 'K', 3, 4}, "504b0304"},
    {8, {0, 7, 8, 1, 0, 0, 0, 0}, "this is not an IDX file"},
    {8, {0, 0, 10, 1, 0, 0, 0, 0}, "IDX has no element type 0x0a"},
    {8, {0, 0, 0, 1, 0, 0, 0, 0}, "IDX has no element type 0x00"},
    {8, {0, 0, 15, 1, 0, 0, 0, 0}, "IDX has no element type 0x0f"},
    {5, {0, 0, 8, 0, 1}, "the rank must be 1 to 8, and is 0"},
    {40, {0, 0, 8, 9}, "the rank must be 1 to 8, and is 9"},
    {8, {0, 0, 8, 255, 0, 0, 0, 0}, "the rank must be 1 to 8, and is 255"},
    {4, {0, 0, 8, 2}, "the file is truncated: its header should have 12 bytes, and 4 are present"},
    {11,
     {0, 0, 8, 2, 0, 0, 0, 1, 0, 0, 0},
     "the file is truncated: its header should have 12 bytes, and 11 are present"},
    {11,
     {0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3},
     "the file is truncated: its header declares 12 bytes, and 11 are present"},
    {13,
     {0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4, 5},
     "the file has trailing bytes: its header declares 12 bytes, and 13 are present"},
    {15, {0, 0, 14, 1, 0, 0, 0, 1}, "the file is truncated: its header declares 16 bytes, and 15 are present"},
    {13,
     {0, 0, 8, 2, 0, 0, 0, 0, 0, 0, 0, 5, 1},
     "the file has trailing bytes: its header declares 12 bytes, and 13 are present"},
    /* a terabyte of f64 */
    {12,
     {0, 0, 14, 2, 0, 2, 0, 0, 0, 16, 0, 0},
     "the file is truncated: its header declares 1099511627788 bytes, and 12 are present"},
    /* four sizes of 2^32 - 1, one of 2^24, then zeros: the product of the others does not fit */
    {36,
     {0, 0, 14, 8, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1},
     "more bytes than can be counted"},
    /* 2^62 elements of 8 bytes; 2^128 of one */
    {16, {0, 0, 14, 2, 128, 0, 0, 0, 128, 0, 0, 0}, "more bytes than can be counted: [2147483648, 2147483648]"},
    {20,
     {0, 0, 8, 4, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255},
     "more bytes than can be counted"},
};

START_TEST(bad_content) {
    const struct bad_file *b = &bad_files[_i];
    write_file(plain, b->bytes, b->n);
    const int before = open_descriptors();
    const uint64_t mallocs = tg_memory_now().mallocs;
    expect_bad_file(plain, TG_ERR_FORMAT, b->says);
    ck_assert_uint_eq(tg_memory_now().mallocs, mallocs); /* refused before any memory is asked for */
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* Every prefix of a good file, and the file with a byte more. */
START_TEST(every_prefix) {
    ck_assert_int_eq(tg_save_idx(build(TG_I32, TG_SHAPE(2, 3)), plain), TG_OK);
    unsigned char bytes[64] = {0};
    const size_t n = read_file(plain, bytes, sizeof bytes);
    ck_assert_uint_eq(n, 36);
    for (size_t i = 0; i < n; i++) {
        write_file(plain, bytes, i);
        expect_bad_file(plain, TG_ERR_FORMAT, "truncated");
    }
    write_file(plain, bytes, n + 1);
    expect_bad_file(plain, TG_ERR_FORMAT, "trailing bytes");
}
END_TEST

/* Prefixes of a compressed file, and every byte of it damaged: gzip's check sum notices. */
static size_t compressed_sample(unsigned char *bytes, size_t room, tg_shape shape) {
    ck_assert_int_eq(tg_save_idx(build(TG_U8, shape), packed), TG_OK);
    const size_t n = read_file(packed, bytes, room);
    ck_assert_uint_lt(n, room);
    return n;
}

START_TEST(every_compressed_prefix) {
    if (!has_zlib()) return;
    static unsigned char bytes[4096];
    const size_t n = compressed_sample(bytes, sizeof bytes, TG_SHAPE(30, 30));
    for (size_t i = 0; i < n; i++) {
        write_file(packed, bytes, i);
        expect_bad_file(packed, TG_ERR_FORMAT, "load_idx");
    }
    write_file(packed, bytes, n);
    ck_assert_int_eq(tg_numel(tg_load_idx(packed)), 900);
}
END_TEST

START_TEST(every_compressed_byte) {
    if (!has_zlib()) return;
    static unsigned char bytes[4096];
    const size_t n = compressed_sample(bytes, sizeof bytes, TG_SHAPE(30, 30));
    for (size_t i = 10; i < n; i++) { /* after gzip's header of 10 bytes, most of which nobody checks */
        bytes[i] ^= 0x41;
        write_file(packed, bytes, n);
        expect_bad_file(packed, TG_ERR_FORMAT, "load_idx");
        bytes[i] ^= 0x41;
    }
}
END_TEST

/* gzip of up to 64 bytes by hand (RFC 1952, RFC 1951), n + 23 bytes: header, one stored block, CRC-32, length. */
static size_t pack(unsigned char *to, const unsigned char *content, size_t n) {
    const unsigned char start[15] = {
        0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255, 1, (unsigned char)n, 0, (unsigned char)~n, 255};
    size_t at = sizeof start;
    memcpy(to, start, at);
    uint32_t crc = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        to[at++] = content[i];
        crc ^= content[i];
        for (int k = 0; k < 8; k++) crc = crc >> 1 ^ (crc & 1 ? UINT32_C(0xedb88320) : 0);
    }
    for (int k = 0; k < 4; k++) to[at++] = (unsigned char)(~crc >> 8 * k);
    for (int k = 0; k < 4; k++) to[at++] = k == 0 ? (unsigned char)n : 0;
    return at;
}

static void write_packed(const unsigned char *content, size_t n) {
    unsigned char b[128];
    write_file(packed, b, pack(b, content, n));
}

START_TEST(reads_compressed_by_hand) {
    const struct by_hand *h = &by_hand[_i];
    const bool zlib = has_zlib();
    write_packed(h->bytes, h->n);
    if (!zlib) {
        expect_bad_file(packed, TG_ERR_IO, "no zlib");
        return;
    }
    const tg_tensor *t = tg_load_idx(packed);
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s", h->name, tg_error_message());
    ck_assert_int_eq(tg_dtype_of(t), h->dtype);
    ck_assert(tg_shape_equal(tg_shape_of(t), h->shape));
    for (int64_t i = 0; i < tg_numel(t); i++) ck_assert(tg_get(t, i) == h->value[i]);
}
END_TEST

static const struct bad_packed {
    size_t n;
    unsigned char bytes[24];
    const char *says;
} bad_packed[] = {
    {0, {0}, "the file is truncated: its header should have 4 bytes, and 0 are present"},
    {4, {9, 9, 9, 9}, "this is not an IDX file"},
    {6, {0, 0, 8, 1, 0, 0}, "the file is truncated: its header should have 8 bytes, and 6 are present"},
    {11,
     {0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3},
     "the file is truncated: its header declares 12 bytes, and 11 are present"},
    {13,
     {0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3, 4, 5},
     "the file has trailing bytes: its header declares 12 bytes, and more are present"},
    {12, {0, 0, 14, 2, 0, 2, 0, 0, 0, 16, 0, 0}, "declares 1099511627788 bytes, more than the"},
    /* 31 bytes hold 31 times 1032, and what that leaves of one more */
    {8, {0, 0, 8, 1, 0, 0, 0x80, 0xf8}, "declares 33024 bytes, more than the 31 present"},
    {8,
     {0, 0, 8, 1, 0, 0, 0x80, 0xf7},
     "the file is truncated: its header declares 33023 bytes, and 8 are present"},
};

START_TEST(bad_compressed_content) {
    if (!has_zlib()) return;
    const struct bad_packed *b = &bad_packed[_i];
    write_packed(b->bytes, b->n);
    const int before = open_descriptors();
    const size_t peak_before = tg_memory_now().system_bytes;
    expect_bad_file(packed, TG_ERR_FORMAT, b->says);
    ck_assert_uint_lt(tg_memory_now().system_bytes, peak_before + (1 << 20));
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* A file in two members, wherever it is divided, with empty members between; and each prefix of the second. */
START_TEST(several_members) {
    if (!has_zlib()) return;
    const struct by_hand *h = &by_hand[0];
    for (size_t first = 0; first <= h->n; first++) {
        unsigned char b[256];
        size_t n = pack(b, h->bytes, first);
        for (int empty = 0; empty < 3; empty++) n += pack(b + n, NULL, 0);
        const size_t last = n;
        n += pack(b + n, h->bytes + first, h->n - first);
        write_file(packed, b, n);
        const tg_tensor *t = tg_load_idx(packed);
        ck_assert_msg(tg_error_status() == TG_OK, "%zu: %s", first, tg_error_message());
        for (int64_t i = 0; i < 4; i++) ck_assert(tg_get(t, i) == h->value[i]);
        for (size_t cut = last + (first == h->n); cut < n; cut++) {
            write_file(packed, b, cut);
            expect_bad_file(packed, TG_ERR_FORMAT, "load_idx");
        }
    }
}
END_TEST

static const struct behind {
    size_t n;
    unsigned char bytes[24];
} behind[] = {
    {1, {0}},
    {1, {'x'}},
    {1, {0x1f}},
    {2, {0x1f, 0x8b}},
    {2, {0, 0}},
    {4, {1, 2, 3, 4}},
    {3, {0, 0x1f, 0x8b}},
    {18, {0}},
    {10, {0x1f, 0x8b, 9, 0}},
    {10, {0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255}},
};

/* Nothing may follow the last member: behind one, and behind two, and where zlib has read to the end of its buffer. */
START_TEST(bytes_behind_members) {
    if (!has_zlib()) return;
    const struct behind *e = &behind[_i];
    const struct by_hand *h = &by_hand[0];
    unsigned char b[256], big[20000];
    for (int members = 1; members <= 2; members++) {
        size_t n = pack(b, h->bytes, h->n);
        if (members == 2) n += pack(b + n, NULL, 0);
        memcpy(b + n, e->bytes, e->n);
        write_file(packed, b, n + e->n);
        expect_bad_file(packed, TG_ERR_FORMAT, "trailing bytes");
    }
    memset(big, 0, sizeof big);
    for (size_t room = 8160; room < 8200; room++) {
        size_t n = 0; /* a member whose header carries a comment of any length (RFC 1952, FCOMMENT) */
        unsigned char one[64];
        const size_t packed_n = pack(one, h->bytes, h->n);
        memcpy(big, one, 10);
        big[3] = 16;
        memset(big + 10, 'c', room);
        big[10 + room] = 0;
        n = 10 + room + 1;
        memcpy(big + n, one + 10, packed_n - 10);
        n += packed_n - 10;
        write_file(packed, big, n);
        ck_assert_int_eq(tg_numel(tg_load_idx(packed)), 4);
        memcpy(big + n, e->bytes, e->n);
        write_file(packed, big, n + e->n);
        expect_bad_file(packed, TG_ERR_FORMAT, "trailing bytes");
    }
}
END_TEST

START_TEST(not_a_readable_file) {
    const int before = open_descriptors();
    expect_bad_file(plain, TG_ERR_IO, strerror(ENOENT));
    expect_bad_file(folder, TG_ERR_IO, strerror(EISDIR));
    ck_assert_int_eq(mkfifo(plain, 0600), 0);
    expect_bad_file(plain, TG_ERR_IO, "this is not a regular file");
    remove(plain);
    write_file(plain, by_hand[0].bytes, by_hand[0].n);
    ck_assert_int_eq(chmod(plain, 0), 0);
    if (geteuid() != 0) expect_bad_file(plain, TG_ERR_IO, strerror(EACCES)); /* root may read everything */
    ck_assert(tg_is_poison(tg_load_idx(NULL)));
    expect_file_error(TG_ERR_ARGUMENT, "", "the path is NULL");
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* ---- what cannot be saved ---- */

START_TEST(bad_tensors) {
    ck_assert_int_eq(tg_save_idx(tg_zeros(TG_I64, 2), plain), TG_ERR_DTYPE);
    expect_file_error(TG_ERR_DTYPE, "", "[2] i64");
    ck_assert_int_eq(tg_save_idx(tg_scalar(TG_F32, 1), plain), TG_ERR_SHAPE);
    expect_file_error(TG_ERR_SHAPE, "", "IDX holds arrays of rank 1 to 8, and not the scalar");
    ck_assert_int_eq(tg_save_idx(tg_zeros(TG_U8, INT64_C(1) << 32, 0), plain), TG_ERR_SHAPE);
    expect_file_error(TG_ERR_SHAPE, "", "[4294967296, 0] u8");
    ck_assert_int_eq(tg_save_idx(NULL, plain), TG_ERR_ARGUMENT);
    expect_file_error(TG_ERR_ARGUMENT, "", "save_idx");
    ck_assert_int_eq(tg_save_idx(tg_zeros(TG_U8, 1), NULL), TG_ERR_ARGUMENT);
    expect_file_error(TG_ERR_ARGUMENT, "", "the path is NULL");
    ck_assert_int_eq(files_in_folder(false), 0);
}
END_TEST

START_TEST(bad_places) {
    const tg_tensor *t = tg_zeros(TG_U8, 4);
    char path[1024];
    snprintf(path, sizeof path, "%s/missing/x.idx", folder);
    ck_assert_int_eq(tg_save_idx(t, path), TG_ERR_IO);
    expect_file_error(TG_ERR_IO, path, strerror(ENOENT));
    ck_assert_int_eq(tg_save_idx(t, folder), TG_ERR_IO);
    expect_file_error(TG_ERR_IO, folder, strerror(EISDIR));
    ck_assert_int_eq(mkfifo(plain, 0600), 0);
    ck_assert_int_eq(tg_save_idx(t, plain), TG_ERR_IO);
    expect_file_error(TG_ERR_IO, plain, "this is not a regular file");
    ck_assert_int_eq(files_in_folder(false), 1);
}
END_TEST

/* While an error is pending neither starts. */
START_TEST(pending_error) {
    const tg_tensor *t = tg_zeros(TG_U8, 4);
    ck_assert_int_eq(tg_save_idx(t, plain), TG_OK);
    tg_fail(TG_ERR_TAPE, "earlier");
    ck_assert(tg_is_poison(tg_load_idx(plain)));
    remove(plain);
    ck_assert_int_eq(tg_save_idx(t, plain), TG_ERR_TAPE);
    ck_assert(!exists(plain));
    ck_assert_ptr_nonnull(strstr(tg_error_message(), "earlier"));
}
END_TEST

/* The disk "fills up" (a limit on file sizes): the old file stays, and no other is left behind. */
static void save_limited(const char *path, const tg_tensor *big) {
    fill_disk(true);
    const tg_status status = tg_save_idx(big, path);
    fill_disk(false);
    ck_assert_int_eq(status, TG_ERR_IO);
}

/* What is saved through a link lies where the link leads to, in another folder too. */
START_TEST(a_link_stays) {
    char inner[700], target[800], link[700], nowhere[700];
    struct stat st;
    snprintf(inner, sizeof inner, "%s/inner", folder);
    snprintf(target, sizeof target, "%s/real.idx", inner);
    snprintf(link, sizeof link, "%s/link.idx", folder);
    snprintf(nowhere, sizeof nowhere, "%s/nowhere.idx", folder);
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    write_file(target, "old", 3);
    ck_assert_int_eq(chmod(target, 0640), 0);
    ck_assert_int_eq(symlink("inner/real.idx", link), 0);
    ck_assert_int_eq(tg_save_idx(tg_full(TG_U8, 7, 5), link), TG_OK);
    ck_assert(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    ck_assert(lstat(target, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0640);
    ck_assert_int_eq((int)tg_get(tg_load_idx(target), 4), 7);
    ck_assert_int_eq(symlink("missing/x.idx", nowhere), 0);
    ck_assert_int_eq(tg_save_idx(tg_zeros(TG_U8, 5), nowhere), TG_ERR_IO);
    expect_file_error(TG_ERR_IO, nowhere, strerror(ENOENT));
    remove(target);
    ck_assert_int_eq(files_in_folder(false), 3);
}
END_TEST

START_TEST(names_of_every_length) {
    char path[900];
    for (int n = 200; n <= 256; n++) {
        snprintf(path, sizeof path, "%s/%0*d", folder, n, 0);
        const tg_status status = tg_save_idx(tg_full(TG_U8, 7, 5), path);
        ck_assert_int_eq(status, n <= 255 ? TG_OK : TG_ERR_IO);
        if (n > 255) expect_file_error(TG_ERR_IO, path, strerror(ENAMETOOLONG));
        ck_assert_int_eq(files_in_folder(true), n <= 255);
    }
}
END_TEST

/* SIGXFSZ ends the process in the middle of a save. */
START_TEST(a_killed_save_leaves_nothing) {
#ifdef O_TMPFILE
    const int fd = open(folder, O_WRONLY | O_TMPFILE, 0600);
    if (fd < 0) return; /* this file system has no files without names */
    close(fd);
    const tg_tensor *big = tg_zeros(TG_F64, 100000);
    const pid_t child = fork();
    if (child == 0) {
        setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
        signal(SIGXFSZ, SIG_DFL);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
        _exit((int)tg_save_idx(big, plain));
    }
    int status = 0;
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFSIGNALED(status) && WTERMSIG(status) == SIGXFSZ);
    ck_assert_int_eq(files_in_folder(false), 0);
#endif
}
END_TEST

START_TEST(failed_save_keeps_the_old_file) {
    const bool zlib = has_zlib();
    tg_tensor *big = tg_zeros(TG_F64, 100000);
    double *v = tg_data_mut(big);
    uint64_t x = 1;
    for (int i = 0; i < 100000; i++) { /* incompressible */
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        v[i] = (double)(x >> 11);
    }
    const int before = open_descriptors();
    for (int k = 0; k < 1 + zlib; k++) {
        const char *path = k == 0 ? plain : packed;
        ck_assert_int_eq(tg_save_idx(tg_ones(TG_U8, 3), path), TG_OK);
        save_limited(path, big);
        expect_file_error(TG_ERR_IO, path, strerror(EFBIG));
        ck_assert_int_eq(tg_numel(tg_load_idx(path)), 3);
    }
    ck_assert_int_eq(files_in_folder(false), 1 + zlib);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(keeps_the_mode) {
    const tg_tensor *t = tg_zeros(TG_U8, 4);
    struct stat st;
    ck_assert_int_eq(tg_save_idx(t, plain), TG_OK);
    ck_assert_int_eq(chmod(plain, 0640), 0);
    ck_assert_int_eq(tg_save_idx(t, plain), TG_OK);
    ck_assert_int_eq(stat(plain, &st), 0);
    ck_assert_uint_eq(st.st_mode & 0777, 0640);
}
END_TEST

/* Every allocation of the library in turn fails. */
START_TEST(no_memory) {
    const bool zlib = has_zlib();
    const char *path = _i == 0 ? plain : packed;
    if (_i == 1 && !zlib) return;
    const int order[2] = {1, 0};
    tg_array view = {0};
    tg_array_permute(&view, tg_array_of(build(TG_F64, TG_SHAPE(20, 30))), order);
    const tg_tensor *t = tg_from_array(&view);
    tg_array_drop(&view);
    const int before = open_descriptors();
    int save_failures = 0, load_failures = 0;
    for (int64_t n = 1;; n++, save_failures++) {
        tg_memory_fail_at(n);
        const tg_status status = tg_save_idx(t, path);
        tg_memory_fail_at(-1);
        if (status == TG_OK) break;
        ck_assert_int_eq(status, TG_ERR_MEMORY);
        ck_assert_int_eq(files_in_folder(false), 0);
        tg_error_clear();
    }
    for (int64_t n = 1;; n++, load_failures++) {
        tg_memory_fail_at(n);
        const tg_tensor *back = tg_load_idx(path);
        tg_memory_fail_at(-1);
        if (!tg_is_poison(back)) break;
        ck_assert_int_eq(tg_error_status(), TG_ERR_MEMORY);
        tg_error_clear();
    }
    ck_assert_int_ge(save_failures, 1); /* the contiguous copy */
    ck_assert_int_ge(load_failures, 1);
    ck_assert_int_eq(open_descriptors(), before);
    ck_assert_int_eq(files_in_folder(false), 1);
}
END_TEST

TCase *tcase_idx(void) {
    TCase *tc = tcase_create("idx");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, files_teardown);
    tcase_add_loop_test(tc, reads_by_hand, 0, sizeof by_hand / sizeof by_hand[0]);
    tcase_add_loop_test(tc, reads_compressed_by_hand, 0, sizeof by_hand / sizeof by_hand[0]);
    tcase_add_loop_test(tc, writes_by_hand, 0, sizeof by_hand / sizeof by_hand[0]);
    tcase_add_loop_test(tc, round_trips, 0, SHAPES);
    tcase_add_test(tc, saves_views);
    tcase_add_test(tc, gzip_by_content);
    tcase_add_loop_test(tc, bad_content, 0, sizeof bad_files / sizeof bad_files[0]);
    tcase_add_test(tc, every_prefix);
    tcase_add_test(tc, every_compressed_prefix);
    tcase_add_test(tc, every_compressed_byte);
    tcase_add_loop_test(tc, bad_compressed_content, 0, sizeof bad_packed / sizeof bad_packed[0]);
    tcase_add_test(tc, several_members);
    tcase_add_loop_test(tc, bytes_behind_members, 0, sizeof behind / sizeof behind[0]);
    tcase_add_test(tc, not_a_readable_file);
    tcase_add_test(tc, bad_tensors);
    tcase_add_test(tc, bad_places);
    tcase_add_test(tc, pending_error);
    tcase_add_test(tc, failed_save_keeps_the_old_file);
    tcase_add_test(tc, a_link_stays);
    tcase_add_test(tc, names_of_every_length);
    tcase_add_test(tc, a_killed_save_leaves_nothing);
    tcase_add_test(tc, keeps_the_mode);
    tcase_add_loop_test(tc, no_memory, 0, 2);
    return tc;
}
