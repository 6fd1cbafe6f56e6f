#include "core/dlpack.h"

#include "core/slot.h"
#include "core/work.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

static const DLDataType types[TG_DTYPES] = {
    [TG_F32] = {kDLFloat, 32, 1}, [TG_F64] = {kDLFloat, 64, 1}, [TG_I32] = {kDLInt, 32, 1},
    [TG_I64] = {kDLInt, 64, 1},   [TG_U8] = {kDLUInt, 8, 1},    [TG_BOOL] = {kDLBool, 8, 1},
};

/* ---- ours for others ---- */

typedef struct loan { /* one reference to the elements, in either form */
    DLManagedTensorVersioned versioned;
    DLManagedTensor plain;
    tg_buffer *buffer;
    int64_t shape[TG_MAX_RANK], strides[TG_MAX_RANK];
} loan;

static void end_loan(loan *l) {
    tg_buffer *buffer = l->buffer;
    tg_sys_free(l, sizeof *l);
    tg_buffer_unref(buffer);
}

static void delete_versioned(DLManagedTensorVersioned *m) { end_loan(m->manager_ctx); }
static void delete_plain(DLManagedTensor *m) { end_loan(m->manager_ctx); }

/* Whether the tensor may be given away; the error is raised if not. */
static bool check_export(const tg_slot *s, bool versioned, const char *who) {
    char text[160];
    tg_describe(tg_handle(s), text, sizeof text);
    if (s->requires_grad)
        tg_fail(TG_ERR_TAPE, "%s: %s requires a gradient, of which others know nothing; give tg_detach of it",
                who, text);
    else if (!s->a.buffer)
        tg_fail(TG_ERR_ARGUMENT, "%s: %s lies in memory whose owner is not known", who, text);
    else if (s->a.buffer->read_only && !versioned)
        tg_fail(TG_ERR_ARGUMENT,
                "%s: %s lies in memory that may only be read, which needs tg_to_dlpack to be said", who, text);
    else
        return true;
    return false;
}

static loan *lend(const tg_tensor *t, bool versioned, const char *who) {
    const tg_slot *s = tg_error_status() == TG_OK ? tg_slot_with_data(t, who) : NULL;
    if (!s || !check_export(s, versioned, who) || !tg_may_read(&s->a, who)) return NULL;
    loan *l = tg_sys_alloc(sizeof *l);
    if (!l) return tg_fail_memory(sizeof *l), tg_error_by(who, TG_OK), NULL;
    memset(l, 0, sizeof *l);
    for (int i = 0; i < s->a.rank; i++) l->shape[i] = s->a.shape[i], l->strides[i] = s->a.stride[i];
    tg_buffer_share(s->a.buffer);
    tg_buffer_ref(s->a.buffer);
    l->buffer = s->a.buffer;
    l->plain = (DLManagedTensor){.manager_ctx = l, .deleter = delete_plain};
    l->plain.dl_tensor = (DLTensor){.data = s->a.numel > 0 ? s->a.data : NULL,
                                    .device = {kDLCPU, 0},
                                    .ndim = s->a.rank,
                                    .dtype = types[s->a.dtype],
                                    .shape = l->shape,
                                    .strides = l->strides};
    l->versioned =
        (DLManagedTensorVersioned){.version = {1, 0},
                                   .manager_ctx = l,
                                   .deleter = delete_versioned,
                                   .flags = s->a.buffer->read_only ? DLPACK_FLAG_BITMASK_READ_ONLY : 0,
                                   .dl_tensor = l->plain.dl_tensor};
    return l;
}

DLManagedTensorVersioned *tg_to_dlpack(const tg_tensor *t) {
    loan *l = lend(t, true, "to_dlpack");
    return l ? &l->versioned : NULL;
}

DLManagedTensor *tg_to_dlpack_unversioned(const tg_tensor *t) {
    loan *l = lend(t, false, "to_dlpack_unversioned");
    return l ? &l->plain : NULL;
}

/* ---- theirs for us ---- */

static void release_versioned(void *context) {
    DLManagedTensorVersioned *m = context;
    if (m->deleter) m->deleter(m);
}

static void release_plain(void *context) {
    DLManagedTensor *m = context;
    if (m->deleter) m->deleter(m);
}

static tg_status find_dtype(const DLDataType *type, const char *who, tg_dtype *dtype) {
    for (int i = 0; i < TG_DTYPES; i++)
        if (types[i].code == type->code && types[i].bits == type->bits && type->lanes == 1)
            return *dtype = (tg_dtype)i, TG_OK;
    return tg_fail(
        TG_ERR_DTYPE,
        "%s: elements of type code %d, %d bits and %d lanes; taken are f32, f64, i32, i64, u8 and bool of "
        "one lane",
        who, type->code, type->bits, type->lanes);
}

static tg_status check_import(const DLTensor *d, const char *who, tg_dtype *dtype, tg_shape *shape) {
    if (d->device.device_type != kDLCPU)
        return tg_fail(TG_ERR_ARGUMENT, "%s: the elements lie on a device of type %d, which is not the CPU (1)",
                       who, (int)d->device.device_type);
    if (d->ndim < 0 || d->ndim > TG_MAX_RANK)
        return tg_fail(TG_ERR_SHAPE, "%s: a tensor has 0 to %d axes, not %d", who, TG_MAX_RANK, (int)d->ndim);
    if (d->ndim > 0 && !d->shape) return tg_fail(TG_ERR_ARGUMENT, "%s: the shape is NULL", who);
    shape->rank = d->ndim;
    for (int i = 0; i < d->ndim; i++) shape->dim[i] = d->shape[i];
    return find_dtype(&d->dtype, who, dtype);
}

static tg_tensor *borrow(const DLTensor *d, bool read_only, tg_release *release, void *m, const char *who) {
    TG_NAMED(who);
    tg_dtype dtype = TG_F32;
    tg_shape shape = {0};
    if (tg_error_status() != TG_OK || check_import(d, who, &dtype, &shape) != TG_OK) {
        release(m);
        return tg_poison();
    }
    char *data = d->data ? (char *)d->data + d->byte_offset : NULL;
    return tg_from_blob_with(
        dtype, data, shape,
        (tg_from_blob_opts){.strides = d->strides, .release = release, .context = m, .read_only = read_only});
}

tg_tensor *tg_from_dlpack(DLManagedTensorVersioned *m) {
    static const char who[] = "from_dlpack";
    if (m && m->version.major == 1)
        return borrow(&m->dl_tensor, m->flags & DLPACK_FLAG_BITMASK_READ_ONLY, release_versioned, m, who);
    if (!m)
        tg_fail(TG_ERR_ARGUMENT, "%s: the tensor is NULL", who);
    else
        tg_fail(TG_ERR_ARGUMENT,
                "%s: this is DLPack version %" PRIu32 ".%" PRIu32 ", and only version 1 is known", who,
                m->version.major, m->version.minor);
    if (m) release_versioned(m); /* the one thing that may be done with any version */
    return tg_poison();
}

tg_tensor *tg_from_dlpack_unversioned(DLManagedTensor *m) {
    static const char who[] = "from_dlpack_unversioned";
    if (m) return borrow(&m->dl_tensor, false, release_plain, m, who);
    tg_fail(TG_ERR_ARGUMENT, "%s: the tensor is NULL", who);
    return tg_poison();
}
