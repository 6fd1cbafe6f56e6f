/* Tensors over memory that others own. */
#include "core/alloc.h"
#include "core/slot.h"

#include <stdint.h>

/* The buffer has no bytes of its own; where the elements lie is said beside it. */
typedef struct blob {
    tg_buffer buffer;
    void *data;
    size_t size;
    tg_release *release;
    void *context;
} blob;

void *tg_buffer_start(tg_buffer *b, size_t *size) {
    *size = tg_buffer_is_foreign(b) ? ((blob *)(void *)b)->size : b->asked;
    return tg_buffer_is_foreign(b) ? ((blob *)(void *)b)->data : tg_buffer_data(b);
}

tg_buffer *tg_buffer_of_blob(void *data, size_t size, bool read_only, tg_release *release, void *context) {
    blob *b = tg_sys_alloc(sizeof *b);
    if (!b) return NULL;
    *b = (blob){.buffer = {.shared = TG_FOREIGN, .read_only = read_only, .size_class = TG_UNCACHED},
                .data = data,
                .size = size,
                .release = release,
                .context = context};
    atomic_init(&b->buffer.refs, 2); /* the owner and the caller */
    return &b->buffer;
}

/* The function comes last, as it may free other buffers. */
void tg_buffer_free_blob(tg_buffer *buffer) {
    const blob b = {.release = ((blob *)(void *)buffer)->release, .context = ((blob *)(void *)buffer)->context};
    tg_sys_free(buffer, sizeof(blob));
    if (b.release) b.release(b.context);
}

/* The bytes from `data` that the elements lie in: [low, high); false where no memory can have them. */
static bool find_bytes(const tg_array *a, int64_t *low, int64_t *high) {
    const int64_t item = (int64_t)tg_dtype_size((tg_dtype)a->dtype);
    *low = 0, *high = a->numel > 0 ? item : 0;
    for (int i = 0; i < a->rank && a->numel > 0; i++) {
        int64_t span, *end = a->stride[i] < 0 ? low : high;
        if (__builtin_mul_overflow(a->stride[i], (a->shape[i] - 1) * item, &span) ||
            __builtin_add_overflow(*end, span, end) || *end > INTPTR_MAX / 2 || *end < -(INTPTR_MAX / 2))
            return false;
    }
    return true;
}

static tg_status lay_out(tg_array *a, tg_dtype dtype, void *data, const tg_shape *shape,
                         const tg_from_blob_opts *opts) {
    int64_t low, high;
    tg_status status = tg_array_layout(a, dtype, *shape);
    if (status != TG_OK) return status;
    for (int i = 0; i < a->rank && opts->strides; i++) a->stride[i] = opts->strides[i];
    if (!data && a->numel > 0) return tg_fail(TG_ERR_ARGUMENT, "from_blob: the data pointer is NULL");
    if ((uintptr_t)data % tg_dtype_size(dtype) != 0)
        return tg_fail(TG_ERR_ARGUMENT,
                       "from_blob: elements of %s lie at multiples of %zu bytes, and the address %p is none",
                       tg_dtype_name(dtype), tg_dtype_size(dtype), data);
    if (!find_bytes(a, &low, &high))
        return tg_fail(TG_ERR_ARGUMENT, "from_blob: the strides reach beyond what memory can hold");
    a->buffer = tg_buffer_of_blob((char *)data + low, (size_t)(high - low), opts->read_only, opts->release,
                                  opts->context ? opts->context : data);
    if (!a->buffer) return tg_fail_memory(sizeof(blob));
    a->data = data ? data : tg_buffer_data(a->buffer); /* of no elements */
    return TG_OK;
}

tg_tensor *tg_from_blob_with(tg_dtype dtype, void *data, tg_shape shape, tg_from_blob_opts opts) {
    const tg_status before = tg_error_status();
    tg_array a = {0};
    tg_slot *s = NULL;
    if (before == TG_OK && lay_out(&a, dtype, data, &shape, &opts) == TG_OK) s = tg_slot_new("from_blob");
    if (s) {
        s->a = a;
        return tg_handle(s);
    }
    if (a.buffer)
        tg_array_drop(&a);
    else if (opts.release)
        opts.release(opts.context ? opts.context : data);
    tg_error_by("from_blob", before);
    return tg_poison();
}

bool tg_is_read_only(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_is_read_only");
    return s && s->a.buffer && s->a.buffer->read_only;
}

tg_status tg_slot_check_writable(const tg_slot *s, const char *who) {
    char text[160];
    if (!s->a.buffer || !s->a.buffer->read_only) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT,
                   "%s: %s lies in memory that may only be read; tg_copy_ fills a tensor from it", who,
                   tg_describe(tg_handle(s), text, sizeof text));
}
