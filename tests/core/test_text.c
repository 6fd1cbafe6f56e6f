#include "core/io/text.h"
#include "core/memory.h"
#include "ops/tapegrad.h"
#include "tests/core/files.h"

#include <stdlib.h>

TCase *tcase_text(void);

static char plain[600], packed[600];

static void setup(void) {
    files_setup();
    snprintf(plain, sizeof plain, "%s/a.txt", folder);
    snprintf(packed, sizeof packed, "%s/a.txt.gz", folder);
}

/* Any bytes of any number, zeros among them, come back, by way of a plain file and of a compressed one. */
static const int64_t lengths[] = {0, 1, 2, 3, 8191, 8192, 8193, 300000};

START_TEST(round_trips) {
    const int64_t n = lengths[_i];
    tg_tensor *t = tg_zeros(TG_U8, n);
    unsigned char *b = tg_data_mut(t);
    for (int64_t i = 0; i < n; i++) b[i] = (unsigned char)(i * i >> 3);
    const bool zlib = has_zlib();
    const int before = open_descriptors();
    for (int k = 0; k < 1 + zlib; k++) {
        const char *path = k ? packed : plain;
        ck_assert_int_eq(tg_save_text(t, path), TG_OK);
        const tg_tensor *back = tg_load_text(path);
        expect_ok();
        ck_assert(tg_dtype_of(back) == TG_U8 && tg_shape_equal(tg_shape_of(back), TG_SHAPE(n)));
        if (n > 0) ck_assert_mem_eq(tg_data(back), b, (size_t)n);
    }
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* Very many equal bytes: the room grows with what is there, and what is too much of it goes back. */
START_TEST(well_compressed) {
    if (!has_zlib()) return;
    const int64_t n = 20000000;
    ck_assert_int_eq(tg_save_text(tg_full(TG_U8, 'x', n), packed), TG_OK);
    const size_t live = tg_memory_now().live_buffer_bytes;
    tg_memory_reset_peak();
    const tg_tensor *t = tg_load_text(packed);
    ck_assert_int_eq(tg_numel(t), n);
    ck_assert(tg_get(t, n - 1) == 'x');
    ck_assert_uint_le(tg_memory_now().live_buffer_bytes - live, (size_t)n + (size_t)n / 4);
    ck_assert_uint_le(tg_memory_now().peak_buffer_bytes - live, 4 * (size_t)n);
}
END_TEST

START_TEST(damaged) {
    if (!has_zlib()) return;
    unsigned char b[1024] = {0};
    ck_assert_int_eq(tg_save_text(tg_from(TG_U8, "to be or not to be", 18), packed), TG_OK);
    const size_t n = read_file(packed, b, sizeof b), live = tg_memory_now().live_buffer_bytes;
    for (size_t i = 2; i < n; i++) {
        write_file(packed, b, i);
        ck_assert(tg_is_poison(tg_load_text(packed)));
        expect_file_error(TG_ERR_FORMAT, packed, "load_text: the compressed data are cut off");
    }
    for (size_t i = 8 * 2; i < 8 * n; i++) {
        b[i / 8] ^= (unsigned char)(1 << i % 8);
        write_file(packed, b, n);
        const tg_tensor *t = tg_load_text(packed);
        if (tg_is_poison(t)) expect_file_error(TG_ERR_FORMAT, packed, "load_text: ");
        b[i / 8] ^= (unsigned char)(1 << i % 8);
    }
    write_file(packed, b, n + 1);
    ck_assert(tg_is_poison(tg_load_text(packed)));
    expect_file_error(TG_ERR_FORMAT, packed, "the file has trailing bytes");
    ck_assert_uint_le(tg_memory_now().live_buffer_bytes, live + (1 << 16));
}
END_TEST

START_TEST(arguments) {
    ck_assert_int_eq(tg_save_text(NULL, plain), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "save_text");
    ck_assert_int_eq(tg_save_text(tg_zeros(TG_U8, 1), NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "save_text: the path is NULL");
    ck_assert_int_eq(tg_save_text(tg_zeros(TG_F32, 1), plain), TG_ERR_DTYPE);
    expect_error(TG_ERR_DTYPE, "save_text: bytes are u8 [n], not [1] f32");
    ck_assert_int_eq(tg_save_text(tg_zeros(TG_U8, 1, 2), plain), TG_ERR_SHAPE);
    expect_error(TG_ERR_SHAPE, "save_text: bytes are u8 [n], not [1, 2] u8");
    ck_assert(tg_is_poison(tg_load_text(NULL)));
    expect_error(TG_ERR_ARGUMENT, "load_text: the path is NULL");
    ck_assert_int_eq(files_in_folder(false), 0);
}
END_TEST

TCase *tcase_text(void) {
    TCase *tc = tcase_create("text");
    tcase_set_timeout(tc, 60);
    tcase_add_checked_fixture(tc, setup, files_teardown);
    tcase_add_loop_test(tc, round_trips, 0, COUNT(lengths));
    tcase_add_test(tc, well_compressed);
    tcase_add_test(tc, damaged);
    tcase_add_test(tc, arguments);
    return tc;
}
