/* The public functions of core/tensor.h, but for printing. */
#include "ops/tapegrad.h"
#include "core/tensor.h"

#include "core/memory.h"
#include "core/slot.h"
#include "tests/core/helpers.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

TCase *tcase_tensor(void);

static int64_t tensors_before;
static size_t live_before;

static void setup(void) {
    tg_error_clear();
    tensors_before = tg_region_current()->count;
    live_before = tg_memory_now().live_buffer_bytes;
}

static void teardown(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
    tg_region_rewind(tg_region_current(), tensors_before);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live_before);
}

static void rewind_all(void) { tg_region_rewind(tg_region_current(), tensors_before); }

/* [[0, 3], [1, 4], [2, 5]] as a transposed view. */
static tg_tensor *transposed(void) {
    tg_array v = {0};
    tg_tensor *x = tg_from(TG_F32, ((float[]){0, 1, 2, 3, 4, 5}), 2, 3);
    tg_array_permute(&v, tg_array_of(x), (int[]){1, 0});
    tg_tensor *t = tg_from_array(&v);
    tg_array_drop(&v);
    return t;
}

/* ---- creation ---- */

START_TEST(creation_in_every_dtype) {
    tg_dtype dtype = (tg_dtype)_i;
    tg_tensor *z = tg_zeros(dtype, 2, 3), *o = tg_ones(dtype, 4), *f = tg_full(dtype, 2, 1, 2),
              *s = tg_scalar(dtype, 1);
    ck_assert(tg_shape_equal(tg_shape_of(z), TG_SHAPE(2, 3)) && tg_rank(z) == 2 && tg_numel(z) == 6);
    ck_assert(tg_rank(s) == 0 && tg_numel(s) == 1 && tg_item(s) == 1);
    ck_assert(tg_dtype_of(z) == dtype && tg_dtype_of(s) == dtype);
    for (int i = 0; i < 6; i++) ck_assert(tg_get(z, i) == 0);
    for (int i = 0; i < 4; i++) ck_assert(tg_get(o, i) == 1);
    for (int i = 0; i < 2; i++) ck_assert(tg_get(f, i) == (dtype == TG_BOOL ? 1 : 2));
    ck_assert_int_eq(tg_numel(tg_zeros(dtype, 3, 0)), 0);
    ck_assert_int_eq(tg_rank(tg_ones(dtype, 1, 1, 1, 1, 1, 1, 1, 2)), 8);
    ck_assert(tg_rank(tg_full_with(dtype, 1, TG_SCALAR)) == 0);
    expect_ok();
}
END_TEST

START_TEST(creation_from_memory) {
    tg_tensor *x = tg_from(TG_F64, ((double[]){1.5, -2, NAN}), 3);
    ck_assert(tg_get(x, 0) == 1.5 && tg_get(x, 1) == -2 && isnan(tg_get(x, 2)));
    tg_tensor *i = tg_from(TG_I64, ((int64_t[]){INT64_MIN, 7}), 2, 1);
    ck_assert_int_eq(((const int64_t *)tg_data(i))[0], INT64_MIN);
    tg_tensor *b = tg_from(TG_BOOL, ((unsigned char[]){0, 1, 7, 255}), 4);
    ck_assert_int_eq(memcmp(tg_data(b), "\0\1\1\1", 4), 0);
    ck_assert_int_eq(tg_numel(tg_from(TG_F32, NULL, 0)), 0);
    expect_ok();
    ck_assert(tg_is_poison(tg_from(TG_F32, NULL, 2)));
    expect_error(TG_ERR_ARGUMENT, "from: the data pointer is NULL   (test_tensor.c:");
}
END_TEST

START_TEST(creation_from_an_array) {
    tg_tensor *t = transposed();
    ck_assert(tg_shape_equal(tg_shape_of(t), TG_SHAPE(3, 2)) && !tg_is_contiguous(t));
    ck_assert(tg_get(t, 1) == 3 && tg_get(t, 4) == 2);
    tg_array none = {0};
    ck_assert(tg_is_poison(tg_from_array(NULL)));
    expect_error(TG_ERR_ARGUMENT, "from_array");
    ck_assert(tg_is_poison(tg_from_array(&none)));
    expect_error(TG_ERR_ARGUMENT, "from_array");
    const tg_array sound = *tg_array_of(t);
    tg_array bad[] = {sound, sound, sound, sound, sound, sound, sound, sound, sound, sound, sound, sound};
    bad[0].dtype = TG_DTYPES;
    bad[1].dtype = 255;
    bad[2].rank = TG_MAX_RANK + 1;
    bad[3].rank = 255;
    bad[4].numel = 7;
    bad[5].numel = -6;
    bad[6].shape[0] = -3, bad[6].shape[1] = -2;
    bad[7].shape[0] = INT64_MAX;
    bad[8].stride[0] = 20; /* behind the buffer, before it, and where nothing can be */
    bad[9].stride[1] = -1;
    bad[10].stride[0] = INT64_MIN;
    bad[11].data = (char *)bad[11].data + 64;
    for (int i = 0; i < COUNT(bad); i++) {
        const int64_t count = tg_region_current()->count;
        ck_assert(tg_is_poison(tg_from_array(&bad[i])));
        expect_error(TG_ERR_ARGUMENT,
                     "from_array: the array is malformed: its dtype, rank, sizes and numel contradict");
        ck_assert_int_eq(tg_region_current()->count, count);
    }
}
END_TEST

static const struct {
    tg_dtype dtype;
    tg_shape shape;
    tg_status status;
    const char *text;
} bad[] = {
    {TG_F32, {2, {3, -1}}, TG_ERR_SHAPE, "zeros: the shape [3, -1] has a negative size"},
    {TG_F32, {2, {0, -1}}, TG_ERR_SHAPE, "zeros: the shape [0, -1] has a negative size"},
    {TG_F32, {9, {1}}, TG_ERR_SHAPE, "zeros: a tensor has 0 to 8 axes, not 9"},
    {TG_F32, {-2, {1}}, TG_ERR_SHAPE, "zeros: a tensor has 0 to 8 axes, not -2"},
    {TG_F32,
     {2, {INT64_MAX, 2}},
     TG_ERR_SHAPE,
     "zeros: the shape [9223372036854775807, 2] has more elements than can be counted"},
    {TG_F64,
     {1, {INT64_MAX / 8 + 1}},
     TG_ERR_MEMORY,
     "zeros: out of memory: [1152921504606846976] f64 has more bytes than can be counted"},
    {TG_U8,
     {1, {INT64_MAX}},
     TG_ERR_MEMORY,
     "zeros: out of memory: 9223372036854775807 bytes could not be allocated"},
    {(tg_dtype)6, {1, {1}}, TG_ERR_DTYPE, "zeros: no dtype has the number 6"},
};

START_TEST(impossible_tensors) {
    int64_t count = tg_region_current()->count;
    ck_assert(tg_is_poison(tg_zeros_with(bad[_i].dtype, bad[_i].shape)));
    expect_message(bad[_i].status, bad[_i].text);
    ck_assert_int_eq(tg_region_current()->count, count);
}
END_TEST

/* Of any dtype, without elements read: those of t may be gone. */
START_TEST(created_like_another) {
    for (tg_dtype dtype = TG_F32; dtype <= TG_BOOL; dtype++) {
        tg_tensor *t = tg_full(dtype, 1, 3, 2, 1);
        tg_drop_elements(t);
        tg_tensor *like[] = {tg_zeros_like(t), tg_ones_like(t), tg_full_like(t, 7.5)};
        const double want[] = {0, 1, dtype <= TG_F64 ? 7.5 : dtype == TG_BOOL ? 1 : 7};
        for (int i = 0; i < 3; i++) {
            ck_assert(tg_dtype_of(like[i]) == dtype && tg_shape_equal(tg_shape_of(like[i]), TG_SHAPE(3, 2, 1)));
            for (int64_t j = 0; j < 6; j++) ck_assert_double_eq(tg_get(like[i], j), want[i]);
        }
    }
    expect_ok();
}
END_TEST

START_TEST(creation_names_its_line) {
    char want[100];
    snprintf(want, sizeof want, "negative size   (test_tensor.c:%d)", __LINE__ + 1);
    ck_assert(tg_is_poison(tg_ones(TG_F32, 2, -3)));
    expect_error(TG_ERR_SHAPE, want);
    tg_tensor *x = tg_full(TG_F32, 1, 2);
    snprintf(want, sizeof want, "tg_item: the input was made by full (test_tensor.c:%d), and", __LINE__ - 1);
    rewind_all();
    ck_assert(isnan(tg_item(x)));
    expect_error(TG_ERR_LIFETIME, want);
}
END_TEST

/* ---- questions ---- */

START_TEST(sizes_and_axes) {
    tg_tensor *t = tg_set_name(tg_zeros(TG_I32, 4, 5, 6), "x");
    ck_assert(tg_size(t, 0) == 4 && tg_size(t, 2) == 6 && tg_size(t, -1) == 6 && tg_size(t, -3) == 4);
    expect_ok();
    ck_assert_int_eq(tg_size(t, 3), 0);
    expect_message(TG_ERR_ARGUMENT, "tg_size: axis 3 is out of range for x [4, 5, 6] i32");
    ck_assert_int_eq(tg_size(t, -4), 0);
    expect_message(TG_ERR_ARGUMENT, "tg_size: axis -4 is out of range for x [4, 5, 6] i32");
}
END_TEST

/* Every function on a handle: what it answers for a bad one. */
static void ask_all(tg_tensor *t, int which) {
    char buf[8];
    switch (which) {
    case 0:
        ck_assert_int_eq(tg_rank(t), 0);
        break;
    case 1:
        ck_assert_int_eq(tg_numel(t), 0);
        break;
    case 2:
        ck_assert_int_eq(tg_size(t, 0), 0);
        break;
    case 3:
        ck_assert(tg_shape_equal(tg_shape_of(t), TG_SCALAR));
        break;
    case 4:
        ck_assert_int_eq(tg_dtype_of(t), TG_F32);
        break;
    case 5:
        ck_assert(!tg_is_contiguous(t));
        break;
    case 6:
        ck_assert(tg_is_poison(tg_set_name(t, "y")));
        break;
    case 7:
        ck_assert_str_eq(tg_name(t), "");
        break;
    case 8:
        ck_assert(isnan(tg_item(t)));
        break;
    case 9:
        ck_assert(isnan(tg_get(t, 0)));
        break;
    case 10:
        ck_assert_ptr_null(tg_data(t));
        break;
    case 11:
        ck_assert_ptr_null(tg_data_mut(t));
        break;
    case 12:
        ck_assert_int_ne(tg_copy_out(t, buf, sizeof buf), TG_OK);
        break;
    case 13:
        ck_assert_ptr_null(tg_array_of(t));
        break;
    case 14:
        ck_assert(tg_is_poison(tg_keep(t)));
        break;
    case 15:
        tg_drop_elements(t);
        break;
    case 16:
        ck_assert(tg_is_poison(tg_zeros_like(t)));
        break;
    case 17:
        ck_assert(tg_is_poison(tg_ones_like(t)));
        break;
    case 18:
        ck_assert(tg_is_poison(tg_full_like(t, 2)));
        break;
    case 19:
        ck_assert(tg_is_poison(tg_rand_like(t)));
        break;
    case 20:
        ck_assert(tg_is_poison(tg_randn_like(t)));
        break;
    default:
        break;
    }
}
#define QUESTIONS 21

static const char *const who[QUESTIONS] = {
    "tg_rank",     "tg_numel",    "tg_size",   "tg_shape_of",      "tg_dtype_of", "tg_is_contiguous",
    "tg_set_name", "tg_name",     "tg_item",   "tg_get",           "tg_data",     "tg_data_mut",
    "tg_copy_out", "tg_array_of", "tg_keep",   "tg_drop_elements", "zeros_like",  "ones_like",
    "full_like",   "rand_like",   "randn_like"};

START_TEST(bad_handles_everywhere) {
    char want[200];
    tg_tensor *rewound = tg_zeros(TG_F64, 1), *freed = tg_keep(rewound);
    rewind_all();
    tg_free(freed);
    expect_ok();
    ask_all(NULL, _i);
    snprintf(want, sizeof want, "%s: the input is NULL", who[_i]);
    expect_error(TG_ERR_ARGUMENT, want);
    ask_all(rewound, _i);
    snprintf(want, sizeof want, "%s: the input was made by zeros (test_tensor.c:", who[_i]);
    expect_error(TG_ERR_LIFETIME, want);
    ask_all(freed, _i);
    snprintf(want, sizeof want, "%s: the input was made by keep (test_tensor.c:", who[_i]);
    expect_error(TG_ERR_LIFETIME, want);
    ask_all(tg_poison(), _i);
    expect_error(TG_ERR_LIFETIME, "failed op");
    tg_fail(TG_ERR_IO, "before");
    ask_all(tg_poison(), _i);
    expect_error(TG_ERR_IO, "before");
}
END_TEST

START_TEST(alive_or_not) {
    tg_tensor *x = tg_zeros(TG_F32, 1), *kept = tg_keep(x);
    ck_assert(tg_is_alive(x) && tg_is_alive(kept));
    ck_assert(!tg_is_alive(NULL) && !tg_is_alive(tg_poison()));
    ck_assert(tg_is_poison(tg_poison()) && !tg_is_poison(x) && !tg_is_poison(NULL));
    rewind_all();
    ck_assert(!tg_is_alive(x) && tg_is_alive(kept));
    tg_free(kept);
    ck_assert(!tg_is_alive(kept));
    expect_ok();
}
END_TEST

START_TEST(names_and_descriptions) {
    char text[200], small[8];
    char name[] = "fc1.weight";
    tg_tensor *x = tg_zeros(TG_F32, 784, 256);
    ck_assert_str_eq(tg_name(x), "");
    ck_assert_str_eq(tg_describe(x, text, sizeof text), "[784, 256] f32");
    ck_assert_ptr_eq(tg_set_name(x, name), x);
    name[0] = 'X'; /* it was copied */
    ck_assert_str_eq(tg_name(x), "fc1.weight");
    ck_assert_str_eq(tg_describe(x, text, sizeof text), "fc1.weight [784, 256] f32");
    ck_assert_str_eq(tg_describe(x, small, sizeof small), "fc1.wei");
    char twenty_nine[29];
    tg_set_name(x, "two\nlines\x7f");
    ck_assert_str_eq(tg_describe(x, text, sizeof text), "two?lines? [784, 256] f32");
    tg_set_name(x, "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4"); /* of two bytes each */
    ck_assert_str_eq(tg_describe(x, twenty_nine, sizeof twenty_nine),
                     "\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4\xc3\xa4 [784, 256] f32");
    tg_set_name(x, "fc1.weight");
    tg_memory_fail_at(1);
    ck_assert(tg_is_poison(tg_set_name(x, "another")));
    expect_error(TG_ERR_MEMORY, "8 bytes");
    ck_assert_str_eq(tg_name(x), "fc1.weight");
    tg_memory_fail_at(-1);
    tg_tensor *kept = tg_keep(x);
    tg_memory_fail_at(1);
    ck_assert_ptr_eq(tg_set_name(kept, "another"), kept); /* its owner has it still */
    tg_memory_fail_at(-1);
    expect_error(TG_ERR_MEMORY, "8 bytes");
    ck_assert_str_eq(tg_name(kept), "fc1.weight");
    tg_free(kept);
    tg_set_name(x, tg_name(x));
    ck_assert_str_eq(tg_name(x), "fc1.weight");
    tg_set_name(x, "");
    ck_assert_str_eq(tg_name(x), "");
    tg_set_name(tg_set_name(x, "b"), NULL);
    ck_assert_str_eq(tg_describe(tg_scalar(TG_BOOL, 1), text, sizeof text), "[] bool");
    ck_assert_str_eq(tg_describe(NULL, text, sizeof text), "NULL");
    ck_assert_str_eq(tg_describe(tg_poison(), text, sizeof text), "the result of a failed op");
    tg_set_name(x, "y");
    rewind_all();
    ck_assert_str_eq(tg_describe(x, text, sizeof text), "a dead tensor");
    expect_ok();
}
END_TEST

/* ---- elements ---- */

START_TEST(single_elements) {
    tg_tensor *t = tg_set_name(transposed(), "x");
    ck_assert(tg_get(t, 5) == 5 && tg_get(t, 3) == 4);
    ck_assert(isnan(tg_get(t, 6)));
    expect_message(TG_ERR_ARGUMENT, "tg_get: element 6 is out of range for x [3, 2] f32, which has 6");
    ck_assert(isnan(tg_get(t, -1)));
    expect_message(TG_ERR_ARGUMENT, "tg_get: element -1 is out of range for x [3, 2] f32, which has 6");
    ck_assert(isnan(tg_item(t)));
    expect_message(TG_ERR_SHAPE, "tg_item: x [3, 2] f32 has 6 elements, not one");
    ck_assert(isnan(tg_item(tg_zeros(TG_F32, 0))));
    expect_error(TG_ERR_SHAPE, "has 0 elements");
    ck_assert(tg_item(tg_full(TG_I32, -3, 1, 1, 1)) == -3);
}
END_TEST

START_TEST(elements_in_place) {
    tg_tensor *x = tg_set_name(tg_zeros(TG_F32, 2, 2), "x");
    const float *read = tg_data(x);
    uint64_t version = tg_array_of(x)->buffer->version;
    tg_array_of(x)->buffer->changed_by = "add_";
    float *write = tg_data_mut(x);
    write[3] = 7;
    ck_assert(read == write && tg_get(x, 3) == 7);
    ck_assert_uint_eq(tg_array_of(x)->buffer->version, version + 1);
    ck_assert_ptr_null(tg_array_of(x)->buffer->changed_by);
    ck_assert_ptr_nonnull(tg_data(tg_zeros(TG_F32, 0, 3)));
    expect_ok();
    tg_tensor *t = transposed();
    ck_assert_ptr_null(tg_data(t));
    expect_error(TG_ERR_ARGUMENT, "tg_data: the elements of [3, 2] f32 do not lie in row-major order");
    version = tg_array_of(t)->buffer->version;
    ck_assert_ptr_null(tg_data_mut(t));
    expect_error(TG_ERR_ARGUMENT, "tg_data_mut");
    ck_assert_uint_eq(tg_array_of(t)->buffer->version, version);
}
END_TEST

START_TEST(copies_out) {
    float out[6] = {0};
    tg_tensor *t = transposed();
    ck_assert_int_eq(tg_copy_out(t, out, sizeof out), TG_OK);
    for (int i = 0; i < 6; i++) ck_assert(out[i] == (float)(i / 2 + i % 2 * 3));
    ck_assert_int_eq(tg_copy_out(t, out, 20), TG_ERR_ARGUMENT);
    expect_message(TG_ERR_ARGUMENT, "tg_copy_out: [3, 2] f32 has 24 bytes, and the output is said to have 20");
    ck_assert_int_eq(tg_copy_out(t, NULL, 24), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert_int_eq(tg_copy_out(tg_zeros(TG_F32, 0), NULL, 0), TG_OK);
}
END_TEST

/* ---- how long it lives ---- */

START_TEST(kept_tensors) {
    tg_tensor *x = tg_set_name(transposed(), "w");
    tg_slot_peek(x)->requires_grad = true;
    tg_tensor *k = tg_keep(x);
    ck_assert(k != x && tg_slot_peek(k)->requires_grad && !tg_slot_peek(k)->node && !tg_slot_peek(k)->grad);
    ck_assert_str_eq(tg_name(k), "w");
    ck_assert(tg_array_of(k)->data == tg_array_of(x)->data && !tg_is_contiguous(k));
    tg_set_name(x, "other");
    ck_assert_str_eq(tg_name(k), "w");
    rewind_all();
    ck_assert(tg_get(k, 1) == 3);
    tg_tensor *second = tg_keep(k);
    tg_free(k);
    ck_assert(tg_get(second, 1) == 3);
    tg_free(second);
    expect_ok();
}
END_TEST

START_TEST(wrong_frees) {
    tg_tensor *x = tg_set_name(tg_zeros(TG_F32, 2), "x"), *k = tg_keep(x);
    tg_free(NULL);
    tg_free(tg_poison());
    expect_ok();
    tg_free(x);
    expect_message(TG_ERR_ARGUMENT, "tg_free: x [2] f32 belongs to the tape; only kept tensors are freed");
    ck_assert(tg_is_alive(x));
    tg_free(k);
    expect_ok();
    tg_free(k);
    expect_error(TG_ERR_LIFETIME, "tg_free: the input was made by keep (test_tensor.c:");
    tg_fail(TG_ERR_IO, "before");
    tg_tensor *other = tg_keep(x);
    tg_free(other); /* freeing works while an error is pending */
    ck_assert(!tg_is_alive(other));
    expect_message(TG_ERR_IO, "before");
}
END_TEST

START_TEST(released_tensors) {
    tg_tensor *x = tg_set_name(tg_zeros(TG_F32, 64, 10), "x");
    size_t live = tg_memory_now().live_buffer_bytes;
    tg_drop_elements(x);
    ck_assert_uint_ge(live - tg_memory_now().live_buffer_bytes, 64 * 10 * 4);
    ck_assert(tg_is_alive(x) && tg_size(x, 0) == 64);
    ck_assert_str_eq(tg_name(x), "x");
    expect_ok();
    for (int i = 8; i <= 14; i++) { /* all that read elements */
        ask_all(x, i);
        expect_error(TG_ERR_LIFETIME, "the elements of x [64, 10] f32, made by zeros (test_tensor.c:");
    }
    tg_drop_elements(x);
    tg_tensor *k = tg_keep(tg_ones(TG_F32, 2));
    tg_drop_elements(k); /* ignored */
    ck_assert(tg_get(k, 1) == 1);
    tg_free(k);
    expect_ok();
}
END_TEST

/* ---- every allocation fails in turn ---- */

static tg_tensor *all_kinds(void) {
    tg_tensor *x = tg_set_name(tg_full(TG_F32, 3, 10, 10), "x");
    tg_tensor *k = tg_keep(x);
    tg_tensor *y = tg_from_array(tg_is_alive(k) ? tg_array_of(k) : NULL);
    tg_tensor *last = tg_keep(tg_set_name(y, "y"));
    tg_set_name(last, "z");
    tg_free(k);
    return last;
}

START_TEST(failure_at_every_allocation) {
    tg_free(all_kinds()); /* afterwards all slots are there */
    rewind_all();
    tg_memory_trim();
    size_t owned = tg_memory_now().system_bytes;
    int n = 1;
    for (;; n++) {
        tg_memory_fail_at(n);
        tg_tensor *t = all_kinds();
        tg_memory_fail_at(-1);
        bool failed = tg_error_status() != TG_OK;
        if (failed) expect_error(TG_ERR_MEMORY, "out of memory");
        tg_free(t);
        rewind_all();
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live_before);
        if (!failed) break;
    }
    ck_assert_int_gt(n, 5);
    tg_memory_trim();
    ck_assert_uint_eq(tg_memory_now().system_bytes, owned);
}
END_TEST

TCase *tcase_tensor(void) {
    TCase *tc = tcase_create("tensor");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, creation_in_every_dtype, 0, TG_DTYPES);
    tcase_add_test(tc, creation_from_memory);
    tcase_add_test(tc, creation_from_an_array);
    tcase_add_loop_test(tc, impossible_tensors, 0, COUNT(bad));
    tcase_add_test(tc, creation_names_its_line);
    tcase_add_test(tc, created_like_another);
    tcase_add_test(tc, sizes_and_axes);
    tcase_add_loop_test(tc, bad_handles_everywhere, 0, QUESTIONS);
    tcase_add_test(tc, alive_or_not);
    tcase_add_test(tc, names_and_descriptions);
    tcase_add_test(tc, single_elements);
    tcase_add_test(tc, elements_in_place);
    tcase_add_test(tc, copies_out);
    tcase_add_test(tc, kept_tensors);
    tcase_add_test(tc, wrong_frees);
    tcase_add_test(tc, released_tensors);
    tcase_add_test(tc, failure_at_every_allocation);
    return tc;
}
