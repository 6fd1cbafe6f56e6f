/* Tensors over memory that others own: what is released and when, what may not be changed, and that nothing outside of the
 * elements is touched. */
#define _GNU_SOURCE /* MAP_ANONYMOUS */
#include "tests/ops/harness.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int released;
static void *released_with;
static tg_mark mark;

static void setup(void) {
    tg_error_clear();
    mark = tg_tape_mark();
    released = 0;
    released_with = NULL;
}

static void teardown(void) {
    tg_error_clear();
    ck_assert_int_eq(tg_tape_rewind(mark), TG_OK);
}

static void count_release(void *context) {
    released++;
    released_with = context;
}

static void refused(tg_status status, const char *says) {
    ck_assert_msg(tg_error_status() == status, "no \"%s\": %s", says, tg_error_message());
    ck_assert_msg(strstr(tg_error_message(), says), "no \"%s\" in: %s", says, tg_error_message());
    tg_error_clear();
}

/* ---- release ---- */

START_TEST(shares_the_memory) {
    float v[6] = {1, 2, 3, 4, 5, 6};
    const size_t live = tg_memory_now().live_buffer_bytes;
    tg_tensor *x = tg_from_blob(TG_F32, v, TG_SHAPE(2, 3), .release = count_release);
    ck_assert_ptr_eq(tg_data(x), v);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    v[5] = 60;
    ck_assert(tg_get(x, 5) == 60);
    ck_assert_int_eq(tg_fill_(x, 7), TG_OK);
    ck_assert(v[0] == 7 && v[5] == 7);
    ck_assert(!tg_is_read_only(x));
    tg_tape_rewind(mark);
    ck_assert_int_eq(released, 1);
    ck_assert_ptr_eq(released_with, v);
}
END_TEST

START_TEST(released_with_the_last_reference) {
    double v[4] = {1, 2, 3, 4};
    tg_tensor *x = tg_from_blob(TG_F64, v, TG_SHAPE(4), .release = count_release, .context = &released);
    tg_tensor *kept = tg_keep(tg_slice(x, 0, 1, 3, 1)), *again = tg_keep(x);
    tg_tape_rewind(mark);
    tg_free(again);
    ck_assert_int_eq(released, 0);
    ck_assert(tg_get(kept, 0) == 2);
    tg_free(kept);
    ck_assert_int_eq(released, 1);
    ck_assert_ptr_eq(released_with, &released);
}
END_TEST

/* A node that saved the elements keeps them, although every handle gave them up. */
START_TEST(saved_by_a_node) {
    double v[2] = {3, 5};
    tg_tensor *w = tg_param(tg_ones(TG_F64, 2));
    tg_tensor *x = tg_from_blob(TG_F64, v, TG_SHAPE(2), .release = count_release);
    tg_tensor *y = tg_sum(tg_mul(x, w));
    tg_drop_elements(x);
    ck_assert_int_eq(released, 0);
    ck_assert_int_eq(tg_backward(y), TG_OK);
    ck_assert_int_eq(released, 1);
    ck_assert(tg_get(tg_grad_of(w), 1) == 5);
    tg_free(w);
}
END_TEST

START_TEST(released_on_failure_too) {
    float v[2] = {0};
    for (int64_t n = 1;; n++) {
        released = 0;
        tg_memory_fail_at(n);
        tg_tensor *x = tg_from_blob(TG_F32, v, TG_SHAPE(2), .release = count_release);
        tg_memory_fail_at(-1);
        ck_assert_int_eq(released, tg_is_poison(x));
        if (!tg_is_poison(x)) break;
        refused(TG_ERR_MEMORY, "from_blob: out of memory");
    }
    const struct {
        tg_dtype dtype;
        void *data;
        tg_shape shape;
        int64_t stride;
        tg_status status;
        const char *says;
    } bad[] = {
        {TG_F32, NULL, TG_SHAPE(2), 1, TG_ERR_ARGUMENT, "from_blob: the data pointer is NULL"},
        {TG_F32, (char *)v + 1, TG_SHAPE(1), 1, TG_ERR_ARGUMENT, "elements of f32 lie at multiples of 4 bytes"},
        {TG_F32, v, TG_SHAPE(3), INT64_MAX, TG_ERR_ARGUMENT, "the strides reach beyond what memory can hold"},
        {TG_F32, v, TG_SHAPE(3), INT64_MIN, TG_ERR_ARGUMENT, "the strides reach beyond what memory can hold"},
        {TG_F32, v, TG_SHAPE(-1), 1, TG_ERR_SHAPE, "from_blob: the shape [-1] has a negative size"},
        {(tg_dtype)77, v, TG_SHAPE(1), 1, TG_ERR_DTYPE, "from_blob: no dtype has the number 77"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        released = 0;
        ck_assert(tg_is_poison(tg_from_blob(bad[i].dtype, bad[i].data, bad[i].shape,
                                            .strides = &bad[i].stride, .release = count_release)));
        refused(bad[i].status, bad[i].says);
        ck_assert_int_eq(released, 1);
    }
    tg_fail(TG_ERR_TAPE, "earlier");
    ck_assert(tg_is_poison(tg_from_blob(TG_F32, v, TG_SHAPE(2), .release = count_release)));
    refused(TG_ERR_TAPE, "earlier");
    ck_assert_int_eq(released, 2);
    ck_assert_int_eq(tg_numel(tg_from_blob(TG_F32, NULL, TG_SHAPE(0))), 0);
    ck_assert_int_eq(tg_error_status(), TG_OK);
}
END_TEST

START_TEST(strides) {
    const int32_t v[6] = {0, 1, 2, 3, 4, 5};
    int32_t image[6];
    memcpy(image, v, sizeof v);
    const tg_tensor *t = tg_from_blob(TG_I32, image, TG_SHAPE(3, 2), .strides = (int64_t[]){1, 3}),
                    *back = tg_from_blob(TG_I32, image + 5, TG_SHAPE(6), .strides = (int64_t[]){-1}),
                    *same = tg_from_blob(TG_I32, image + 2, TG_SHAPE(4), .strides = (int64_t[]){0});
    for (int i = 0; i < 6; i++) ck_assert(tg_get(t, i) == i / 2 + 3 * (i % 2) && tg_get(back, i) == 5 - i);
    ck_assert(tg_item(tg_sum((tg_tensor *)(uintptr_t)same)) == 8);
    tg_array out_of_it = *tg_array_of(back); /* the bounds of the memory are known */
    out_of_it.data = (char *)out_of_it.data + 4;
    ck_assert(tg_is_poison(tg_from_array(&out_of_it)));
    refused(TG_ERR_ARGUMENT, "beyond its buffer");
}
END_TEST

/* ---- read-only memory ---- */

static tg_tensor *square_sum(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_sum(tg_square(in[0]));
}

static void *pages(size_t bytes) {
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(p, MAP_FAILED);
    return p;
}

/* The memory cannot be written: what tried would end the program. */
START_TEST(read_only) {
    static const char says[] = "[2, 2] f64 lies in memory that may only be read";
    double *v = pages(4096);
    for (int i = 0; i < 4; i++) v[i] = i;
    ck_assert_int_eq(mprotect(v, 4096, PROT_READ), 0);
    tg_tensor *x = tg_from_blob(TG_F64, v, TG_SHAPE(2, 2), .read_only = true), *y = tg_ones(TG_F64, 2, 2);
    tg_tensor *view = tg_transpose(x, 0, 1), *kept = tg_keep(x);
    ck_assert(tg_is_read_only(x) && tg_is_read_only(view) && tg_is_read_only(kept) && !tg_is_read_only(y));
    ck_assert_ptr_null(tg_data_mut(x));
    refused(TG_ERR_ARGUMENT, says);
    tg_zero_(x), refused(TG_ERR_ARGUMENT, says);
    tg_fill_(kept, 1), refused(TG_ERR_ARGUMENT, says);
    tg_add_(view, y, 1), refused(TG_ERR_ARGUMENT, says);
    tg_mul_(x, y), refused(TG_ERR_ARGUMENT, says);
    tg_copy_(x, y), refused(TG_ERR_ARGUMENT, says);
    ck_assert_ptr_null(tg_inplace(view, "own"));
    refused(TG_ERR_ARGUMENT, "own: [2, 2] f64 lies in memory that may only be read");
    ck_assert_int_eq(tg_copy_(y, x), TG_OK);
    tg_tensor *leaf = tg_set_requires_grad(x, true);
    ck_assert(tg_gradcheck(square_sum, NULL, 1, &leaf, NULL));
    tg_free(kept);
    munmap(v, 4096);
}
END_TEST

/* A walk adds to what it was given only where nobody else sees it. */
START_TEST(a_walk_leaves_it_alone) {
    double *v = pages(4096);
    v[0] = v[1] = 1;
    ck_assert_int_eq(mprotect(v, 4096, PROT_READ), 0);
    for (int writable = 0; writable < 2; writable++) {
        tg_tensor *w = tg_param(tg_ones(TG_F64, 2)),
                  *seed = tg_from_blob(TG_F64, v, TG_SHAPE(2), .read_only = !writable);
        tg_tensor *y = tg_add(tg_add(w, w), w);
        tg_drop_elements(seed);
        ck_assert_int_eq(tg_backward(y, .seed = tg_from_blob(TG_F64, v, TG_SHAPE(2))), TG_OK);
        ck_assert_int_eq(tg_backward(tg_add(w, w), .seed = tg_from_blob(TG_F64, v, TG_SHAPE(2))), TG_OK);
        ck_assert(tg_get(tg_grad_of(w), 0) == 5 && v[0] == 1);
        tg_free(w);
    }
    munmap(v, 4096);
}
END_TEST

/* ---- the end of the memory ---- */

/* n elements that end where the last readable page does, with nothing in front of them either if `before`. */
static tg_tensor *at_the_edge(tg_dtype dtype, int64_t n, bool before) {
    const size_t page = 4096, bytes = (size_t)n * tg_dtype_size(dtype), room = (bytes + page - 1) / page * page;
    char *p = pages(room + 2 * page);
    ck_assert_int_eq(mprotect(p, page, PROT_NONE), 0);
    ck_assert_int_eq(mprotect(p + page + room, page, PROT_NONE), 0);
    char *data = before ? p + page : p + page + room - bytes;
    tg_tensor *from = tg_zeros(dtype, n);
    for (int64_t i = 0; i < n; i++)
        tg_array_set(tg_array_of(from), i, dtype == TG_BOOL ? (double)(i % 2) : (double)(i % 7));
    tg_copy_out(from, data, bytes);
    return tg_from_blob(dtype, data, TG_SHAPE(n));
}

/* Sizes about the vector's and the tile's widths. (The memory stays mapped: a test makes some megabytes of it.) */
START_TEST(nothing_outside_is_read) {
    const tg_dtype dtype = (tg_dtype)(_i / 2);
    const bool before = _i % 2, real = tg_dtype_is_float(dtype);
    static const int sizes[] = {1, 2, 3, 7, 8, 9, 15, 16, 17, 31, 33, 64, 100};
    for (size_t k = 0; k < sizeof sizes / sizeof *sizes; k++) {
        const int n = sizes[k];
        tg_tensor *x = at_the_edge(dtype, n, before),
                  *m = tg_reshape(at_the_edge(dtype, (int64_t)n * n, before), n, n);
        tg_to(m, TG_F64), tg_to(x, TG_BOOL), tg_contiguous(tg_transpose(m, 0, 1)), tg_concat(0, x, x),
            tg_eq(m, x);
        if (dtype < TG_U8) tg_sum(m, .axes = TG_SHAPE(0)), tg_add(m, x);
        if (real) {
            tg_sort(x, -1), tg_amax(m, .axes = TG_SHAPE(1)), tg_cumsum(m, 0), tg_norm(m);
            tg_matmul(m, m), tg_matmul(m, tg_transpose(m, 0, 1)), tg_matmul(tg_transpose(m, 0, 1), m);
            tg_matmul(m, x), tg_softmax(m, -1), tg_softmax(m, 0), tg_layer_norm(m), tg_exp(m), tg_tanh(x);
            tg_tensor *image = tg_reshape(m, 1, 1, n, n);
            tg_conv2d(image, tg_ones(dtype, 3, 1, 3, 3), .padding = {1, 1}), tg_softplus(image);
        }
        ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    }
}
END_TEST

TCase *tcase_blobs(void) {
    TCase *t = tcase_create("blobs");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, shares_the_memory);
    tcase_add_test(t, released_with_the_last_reference);
    tcase_add_test(t, saved_by_a_node);
    tcase_add_test(t, released_on_failure_too);
    tcase_add_test(t, strides);
    tcase_add_test(t, read_only);
    tcase_add_test(t, a_walk_leaves_it_alone);
    tcase_add_loop_test(t, nothing_outside_is_read, 0, 2 * TG_DTYPES);
    return t;
}
