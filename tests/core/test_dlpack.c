/* Tensors handed to others and taken from them. */
#include "ops/tapegrad.h"
#include "core/dlpack.h"
#include "core/memory.h"
#include "core/slot.h"
#include "tests/core/helpers.h"

#include <pthread.h>

TCase *tcase_dlpack(void);

static int64_t tensors_before;
static size_t live_before;
static int deleted;

static void setup(void) {
    tg_error_clear();
    tensors_before = tg_region_current()->count;
    live_before = tg_memory_now().live_buffer_bytes;
    deleted = 0;
}

static void teardown(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
    tg_region_rewind(tg_region_current(), tensors_before);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live_before);
}

static void count_deletion(DLManagedTensorVersioned *m) { deleted += m->manager_ctx == &deleted; }
static void count_plain_deletion(DLManagedTensor *m) { deleted += m->manager_ctx == &deleted; }

/* ---- ours for others ---- */

static const DLDataType types[TG_DTYPES] = {{kDLFloat, 32, 1}, {kDLFloat, 64, 1}, {kDLInt, 32, 1},
                                            {kDLInt, 64, 1},   {kDLUInt, 8, 1},   {kDLBool, 8, 1}};

START_TEST(exports_every_dtype) {
    tg_tensor *x = tg_ones((tg_dtype)_i, 2, 3);
    DLManagedTensorVersioned *m = tg_to_dlpack(x);
    DLManagedTensor *p = tg_to_dlpack_unversioned(x);
    ck_assert(m && p);
    const DLTensor *both[] = {&m->dl_tensor, &p->dl_tensor};
    for (int i = 0; i < 2; i++) {
        const DLTensor *d = both[i];
        ck_assert(d->data == tg_data(x) && d->byte_offset == 0 && d->ndim == 2);
        ck_assert(d->device.device_type == kDLCPU && d->device.device_id == 0);
        ck_assert(memcmp(&d->dtype, &types[_i], sizeof types[_i]) == 0);
        ck_assert(d->shape[0] == 2 && d->shape[1] == 3 && d->strides[0] == 3 && d->strides[1] == 1);
    }
    ck_assert(m->version.major == 1 && m->flags == 0);
    m->deleter(m);
    p->deleter(p);
    ck_assert(tg_get(x, 5) == 1);
}
END_TEST

static void *delete_it(void *m) {
    ((DLManagedTensorVersioned *)m)->deleter(m);
    return NULL;
}

/* The elements outlive the tensor, and go with the deleter, on whatever thread. */
START_TEST(outlives_the_tape) {
    tg_tensor *x = tg_full(TG_F64, 2.5, 3, 4);
    tg_array v = {0};
    tg_array_permute(&v, tg_array_of(x), (int[]){1, 0});
    DLManagedTensorVersioned *m = tg_to_dlpack(tg_from_array(&v));
    tg_array_drop(&v);
    tg_region_rewind(tg_region_current(), tensors_before);
    ck_assert_uint_gt(tg_memory_now().live_buffer_bytes, live_before);
    tg_full(TG_F64, 7, 3, 4); /* would take the memory */
    ck_assert(m->dl_tensor.shape[0] == 4 && m->dl_tensor.strides[0] == 1 && m->dl_tensor.strides[1] == 4);
    for (int i = 0; i < 12; i++) ck_assert(((double *)m->dl_tensor.data)[i] == 2.5);
    tg_region_rewind(tg_region_current(), tensors_before);
    pthread_t thread;
    ck_assert_int_eq(pthread_create(&thread, NULL, delete_it, m), 0);
    pthread_join(thread, NULL);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live_before);
}
END_TEST

START_TEST(what_is_not_exported) {
    tg_tensor *x = tg_ones(TG_F32, 2);
    float v[2] = {1, 2};
    ck_assert_ptr_null(tg_to_dlpack(NULL));
    expect_error(TG_ERR_ARGUMENT, "to_dlpack: the input is NULL");
    tg_array bare = *tg_array_of(x);
    bare.buffer = NULL, bare.data = v;
    ck_assert_ptr_null(tg_to_dlpack(tg_from_array(&bare)));
    expect_error(TG_ERR_ARGUMENT, "to_dlpack: [2] f32 lies in memory whose owner is not known");
    tg_slot_peek(x)->requires_grad = true;
    ck_assert_ptr_null(tg_to_dlpack_unversioned(x));
    expect_error(TG_ERR_TAPE, "to_dlpack_unversioned: [2] f32 requires a gradient");
    tg_tensor *fixed = tg_from_blob(TG_F32, v, TG_SHAPE(2), .read_only = true);
    ck_assert_ptr_null(tg_to_dlpack_unversioned(fixed));
    expect_error(TG_ERR_ARGUMENT, "may only be read, which needs tg_to_dlpack to be said");
    DLManagedTensorVersioned *m = tg_to_dlpack(fixed);
    ck_assert_uint_eq(m->flags, DLPACK_FLAG_BITMASK_READ_ONLY);
    m->deleter(m);
    tg_memory_fail_at(1);
    ck_assert_ptr_null(tg_to_dlpack(fixed));
    tg_memory_fail_at(-1);
    expect_error(TG_ERR_MEMORY, "to_dlpack: out of memory");
    tg_fail(TG_ERR_TAPE, "earlier");
    ck_assert_ptr_null(tg_to_dlpack(fixed));
    expect_error(TG_ERR_TAPE, "earlier");
}
END_TEST

/* There and back, it is the same memory, with the same bounds. */
START_TEST(there_and_back) {
    tg_tensor *x = tg_from(TG_I64, ((int64_t[]){1, 2, 3, 4, 5, 6}), 2, 3);
    tg_tensor *y = tg_from_dlpack(tg_to_dlpack(x)),
              *z = tg_from_dlpack_unversioned(tg_to_dlpack_unversioned(y));
    ck_assert(tg_data(z) == tg_data(x) && tg_shape_equal(tg_shape_of(z), TG_SHAPE(2, 3)));
    ck_assert_int_eq(tg_numel(tg_from_dlpack(tg_to_dlpack(tg_zeros(TG_F32, 0, 3)))), 0);
    ck_assert_int_eq(tg_rank(tg_from_dlpack(tg_to_dlpack(tg_scalar(TG_F32, 3)))), 0);
    float v[2] = {1, 2};
    ck_assert(tg_is_read_only(
        tg_from_dlpack(tg_to_dlpack(tg_from_blob(TG_F32, v, TG_SHAPE(2), .read_only = true)))));
    expect_ok();
}
END_TEST

/* ---- theirs for us ---- */

static double numbers[8] = {0, 1, 2, 3, 4, 5, 6, 7};
static int64_t sizes[9] = {2, 3}, steps[9] = {4, 1};

static DLManagedTensorVersioned theirs(void) {
    sizes[0] = 2, sizes[1] = 3;
    return (DLManagedTensorVersioned){.version = {1, 3},
                                      .manager_ctx = &deleted,
                                      .deleter = count_deletion,
                                      .dl_tensor = {.data = numbers,
                                                    .device = {kDLCPU, 0},
                                                    .ndim = 2,
                                                    .dtype = {kDLFloat, 64, 1},
                                                    .shape = sizes,
                                                    .strides = steps,
                                                    .byte_offset = 8}};
}

START_TEST(takes_strides_and_offsets) {
    DLManagedTensorVersioned m = theirs();
    tg_tensor *x = tg_from_dlpack(&m);
    ck_assert(tg_data(x) == NULL);
    expect_error(TG_ERR_ARGUMENT, "row-major");
    ck_assert(tg_get(x, 0) == 1 && tg_get(x, 2) == 3 && tg_get(x, 3) == 5 && tg_get(x, 5) == 7);
    tg_tensor *kept = tg_keep(x);
    tg_region_rewind(tg_region_current(), tensors_before);
    ck_assert_int_eq(deleted, 0);
    tg_free(kept);
    ck_assert_int_eq(deleted, 1);
    DLManagedTensor p = {.dl_tensor = m.dl_tensor, .manager_ctx = &deleted, .deleter = count_plain_deletion};
    p.dl_tensor.strides = NULL;
    x = tg_from_dlpack_unversioned(&p);
    ck_assert(tg_data(x) == numbers + 1 && !tg_is_read_only(x));
    tg_region_rewind(tg_region_current(), tensors_before);
    ck_assert_int_eq(deleted, 2);
    m.deleter = NULL; /* nobody needs to know */
    m.flags = DLPACK_FLAG_BITMASK_READ_ONLY;
    ck_assert(tg_is_read_only(tg_from_dlpack(&m)));
    tg_region_rewind(tg_region_current(), tensors_before);
    expect_ok();
}
END_TEST

static const struct refusal {
    const char *what;
    tg_status status;
    const char *says;
} refusals[] = {
    {"version", TG_ERR_ARGUMENT, "from_dlpack: this is DLPack version 2.3, and only version 1 is known"},
    {"device", TG_ERR_ARGUMENT, "from_dlpack: the elements lie on a device of type 2, which is not the CPU (1)"},
    {"lanes", TG_ERR_DTYPE, "from_dlpack: elements of type code 2, 64 bits and 4 lanes"},
    {"f16", TG_ERR_DTYPE, "from_dlpack: elements of type code 2, 16 bits and 1 lanes; taken are f32, f64, i32"},
    {"bf16", TG_ERR_DTYPE, "from_dlpack: elements of type code 4, 16 bits"},
    {"complex", TG_ERR_DTYPE, "from_dlpack: elements of type code 5, 64 bits"},
    {"u32", TG_ERR_DTYPE, "from_dlpack: elements of type code 1, 32 bits"},
    {"axes", TG_ERR_SHAPE, "from_dlpack: a tensor has 0 to 8 axes, not 9"},
    {"no axes", TG_ERR_SHAPE, "from_dlpack: a tensor has 0 to 8 axes, not -1"},
    {"negative", TG_ERR_SHAPE, "from_dlpack: the shape [-2, 3] has a negative size"},
    {"shape", TG_ERR_ARGUMENT, "from_dlpack: the shape is NULL"},
    {"data", TG_ERR_ARGUMENT, "from_dlpack: the data pointer is NULL"},
    {"offset", TG_ERR_ARGUMENT, "from_dlpack: elements of f64 lie at multiples of 8 bytes"},
    {"memory", TG_ERR_MEMORY, "from_dlpack: out of memory"},
    {"pending", TG_ERR_TAPE, "earlier"},
};

START_TEST(refuses) {
    const struct refusal *r = &refusals[_i];
    DLManagedTensorVersioned m = theirs();
    DLTensor *d = &m.dl_tensor;
    if (strcmp(r->what, "version") == 0) m.version.major = 2;
    if (strcmp(r->what, "device") == 0) d->device.device_type = kDLCUDA;
    if (strcmp(r->what, "lanes") == 0) d->dtype.lanes = 4;
    if (strcmp(r->what, "f16") == 0) d->dtype.bits = 16;
    if (strcmp(r->what, "bf16") == 0) d->dtype = (DLDataType){kDLBfloat, 16, 1};
    if (strcmp(r->what, "complex") == 0) d->dtype.code = kDLComplex;
    if (strcmp(r->what, "u32") == 0) d->dtype = (DLDataType){kDLUInt, 32, 1};
    if (strcmp(r->what, "axes") == 0) d->ndim = 9;
    if (strcmp(r->what, "no axes") == 0) d->ndim = -1;
    if (strcmp(r->what, "negative") == 0) sizes[0] = -2;
    if (strcmp(r->what, "shape") == 0) d->shape = NULL;
    if (strcmp(r->what, "data") == 0) d->data = NULL;
    if (strcmp(r->what, "offset") == 0) d->byte_offset = 4;
    if (strcmp(r->what, "memory") == 0) tg_memory_fail_at(1);
    if (strcmp(r->what, "pending") == 0) tg_fail(TG_ERR_TAPE, "earlier");
    ck_assert(tg_is_poison(tg_from_dlpack(&m)));
    tg_memory_fail_at(-1);
    expect_error(r->status, r->says);
    ck_assert_int_eq(deleted, 1);
}
END_TEST

START_TEST(refuses_nothing) {
    ck_assert(tg_is_poison(tg_from_dlpack(NULL)));
    expect_error(TG_ERR_ARGUMENT, "from_dlpack: the tensor is NULL");
    ck_assert(tg_is_poison(tg_from_dlpack_unversioned(NULL)));
    expect_error(TG_ERR_ARGUMENT, "from_dlpack_unversioned: the tensor is NULL");
}
END_TEST

TCase *tcase_dlpack(void) {
    TCase *tc = tcase_create("dlpack");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, exports_every_dtype, 0, TG_DTYPES);
    tcase_add_test(tc, outlives_the_tape);
    tcase_add_test(tc, what_is_not_exported);
    tcase_add_test(tc, there_and_back);
    tcase_add_test(tc, takes_strides_and_offsets);
    tcase_add_loop_test(tc, refuses, 0, COUNT(refusals));
    tcase_add_test(tc, refuses_nothing);
    return tc;
}
