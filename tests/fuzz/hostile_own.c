/* Calls that need more than their types say. */
#include "tests/fuzz/hostile.h"

#include "autograd/composed.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

void own_tg_alloc(void) {
    size_t size = draw_size_t("size");
    call_begin();
    void *p = tg_alloc(size);
    end_void();
    if (p && size) memset(p, 1, 1);
    tg_dealloc(p, size);
}

tg_release *draw_tg_release_p(const char *name) {
    note(" %s=free", name);
    return free;
}

/* Whether elements lie further than CAPACITY from the first, and yet no further than memory could be. */
static bool is_out_of_reach(tg_shape shape, const int64_t *strides) {
    double reach = 0;
    for (int i = 0; i < shape.rank && i < TG_MAX_RANK; i++)
        if (shape.dim[i] > 1) reach += fabs((double)strides[i]) * (double)(shape.dim[i] - 1);
    return reach >= CAPACITY && reach < 0x1p62;
}

/* The memory is as large as the shape and strides say, to either side, where any can be; a sanitizer sees what is freed twice or
 * not. */
void own_tg_from_blob_with(void) {
    tg_dtype dtype = (tg_dtype)draw_enum("dtype", TG_DTYPES);
    tg_shape shape = draw_tg_shape("shape");
    int64_t n = tg_shape_numel(shape), strides[TG_MAX_RANK] = {0};
    if (n > CAPACITY) n = (shape = TG_SHAPE(CAPACITY)).dim[0];
    char *all = bad() ? NULL : calloc(2 * CAPACITY, 8), *data = all ? all + CAPACITY * 8 : NULL;
    tg_from_blob_opts opts = {.release = free, .context = all, .read_only = draw_bool("read_only")};
    if (one_in(4)) opts.strides = strides;
    for (int i = 0; i < TG_MAX_RANK && opts.strides && bad(); i++) strides[i] = monster();
    if (is_out_of_reach(shape, strides)) memset(strides, 0, sizeof strides);
    call_begin();
    end_tg_tensor_p(tg_from_blob_with(dtype, data && bad() ? data + 1 : data, shape, opts));
}

/* Of a tensor without elements there is no byte to be seen. */
static void look_at_elements(const void *(*data)(tg_tensor *t)) {
    tg_tensor *t = draw_tg_tensor_p("t");
    const bool none = tg_is_alive(t) && tg_numel(t) == 0;
    call_begin();
    const void *p = data(t);
    end_const_void_p(none ? NULL : p);
}

static const void *data(tg_tensor *t) { return tg_data(t); }
static const void *data_mut(tg_tensor *t) { return tg_data_mut(t); }
void own_tg_data(void) { look_at_elements(data); }
void own_tg_data_mut(void) { look_at_elements(data_mut); }

void own_tg_to_dlpack(void) {
    tg_tensor *t = draw_tg_tensor_p("t");
    call_begin();
    DLManagedTensorVersioned *m = tg_to_dlpack(t);
    end_bool_failed(!m, "NULL");
    if (m) m->deleter(m);
}

void own_tg_to_dlpack_unversioned(void) {
    tg_tensor *t = draw_tg_tensor_p("t");
    call_begin();
    DLManagedTensor *m = tg_to_dlpack_unversioned(t);
    end_bool_failed(!m, "NULL");
    if (m) m->deleter(m);
}

/* Theirs, with a field that is wrong in one of some ways, over as many elements as the shape says. */
typedef struct theirs {
    DLManagedTensorVersioned versioned;
    DLManagedTensor plain;
    int64_t shape[TG_MAX_RANK], strides[TG_MAX_RANK];
    double elements[];
} theirs;

static void free_versioned(DLManagedTensorVersioned *m) { free(m->manager_ctx); }
static void free_plain(DLManagedTensor *m) { free(m->manager_ctx); }

static theirs *draw_theirs(void) {
    theirs *t = calloc(1, sizeof *t + CAPACITY * sizeof(double));
    tg_shape shape = draw_tg_shape("shape");
    if (tg_shape_numel(shape) > CAPACITY) shape = TG_SHAPE(2, 3);
    DLTensor *d = &t->plain.dl_tensor;
    *d = (DLTensor){t->elements, {kDLCPU, 0}, shape.rank, {kDLFloat, 32, 1}, t->shape, NULL, 0};
    for (int i = 0; i < TG_MAX_RANK; i++) t->shape[i] = shape.dim[i];
    if (bad()) d->data = NULL;
    if (bad()) d->shape = NULL;
    if (bad()) d->device.device_type = (DLDeviceType)draw_int("device");
    if (bad()) d->dtype = (DLDataType){(uint8_t)below(8), (uint8_t)below(256), (uint16_t)below(3)};
    if (bad()) d->byte_offset = (uint64_t)below(16);
    if (one_in(4)) d->strides = t->strides;
    t->plain.manager_ctx = t->versioned.manager_ctx = t;
    t->plain.deleter = free_plain;
    t->versioned.deleter = free_versioned;
    t->versioned.version.major = bad() ? (uint32_t)below(3) : 1;
    t->versioned.flags = (uint64_t)below(4);
    t->versioned.dl_tensor = *d;
    return t;
}

void own_tg_from_dlpack(void) {
    theirs *t = draw_theirs();
    call_begin();
    end_tg_tensor_p(tg_from_dlpack(&t->versioned));
}

void own_tg_from_dlpack_unversioned(void) {
    theirs *t = draw_theirs();
    call_begin();
    end_tg_tensor_p(tg_from_dlpack_unversioned(&t->plain));
}

static void body(void *context, int64_t begin, int64_t end) { *(volatile int64_t *)context = end - begin; }

/* Many pieces of one element are many calls, which is what was asked for. */
void own_tg_parallel_for(void) {
    static int64_t sum;
    int64_t n = bad() ? draw_int64_t("n") : below(1000), grain = draw_int64_t("grain");
    if (n > 1000) n = 1000;
    bool none = bad();
    note(" n=%lld", (long long)n);
    call_begin();
    tg_parallel_for(n, grain, none ? NULL : body, &sum);
    end_void();
}

/* CAPACITY values, so n is no more. */
void own_tg_rng_shuffle(void) {
    int64_t *values = draw_int64_t_p("values"), n = draw_int64_t("n");
    tg_rng *rng = draw_tg_rng_p("rng");
    if (n > CAPACITY) n = CAPACITY;
    call_begin();
    tg_rng_shuffle(rng, values, n);
    end_void();
}

/* A composition of hostile calls. */
void own_tg_composed_begin(void) {
    for (int i = 0; i < hostile_depth; i++) hostile_frames[i].disturbed = true;
    call_begin();
    hostile_composed++;
    {
        TG_COMPOSED("hostile_composition");
        for (int64_t times = below(3); times > 0 && hostile_depth < MOST_NESTED; times--)
            make_call(&hostile_calls[below(n_hostile_calls)]);
    }
    hostile_composed--;
    end_void();
}

/* One that has ended, or whose fields are anything. */
static tg_callback forged_callback(tg_callback c) {
    if (one_in(2)) return c;
    if (one_in(2)) c.tape = draw_tg_tape_p("tape");
    if (one_in(2)) c.outer = one_in(2) ? random_bits() : c.outer + (uint64_t)below(5) - 2;
    if (one_in(3)) c.recording = !c.recording;
    return c;
}

static tg_callback ended[4]; /* of earlier sequences too */

void own_tg_callback_end(void) {
    tg_callback none = forged_callback(ended[below(COUNT(ended))]);
    call_begin();
    end_tg_status(tg_callback_end(none, TG_OK, "hostile_callback"));
}

/* A function of a user's own that takes functions, and calls one. */
void own_tg_callback_begin(void) {
    for (int i = 0; i < hostile_depth; i++) hostile_frames[i].disturbed = true;
    call_begin();
    tg_callback c = tg_callback_begin();
    for (int64_t times = below(3); times > 0 && hostile_depth < MOST_NESTED; times--)
        make_call(&hostile_calls[below(n_hostile_calls)]);
    ended[below(COUNT(ended))] = c;
    end_tg_status(tg_callback_end(c, tg_error_status(), "hostile_callback"));
}
