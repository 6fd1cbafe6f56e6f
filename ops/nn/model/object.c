#include "ops/nn/model/object.h"

#include "autograd/tape.h"
#include "core/work.h"

/* It stands at the start of the elements, and the object follows. */
typedef struct header {
    _Alignas(16) const char *kind;
} header;

void *tg_object_new(size_t bytes, const char *kind, const char *who) {
    TG_NAMED(who);
    size_t all;
    if (!tg_size_add(bytes, sizeof(header), &all) || all > INT64_MAX) {
        tg_fail(TG_ERR_MEMORY, "%s: a %s of %zu bytes is too large", who, kind, bytes);
        return NULL;
    }
    tg_mark before = tg_tape_mark();
    tg_tensor *kept = tg_keep(tg_zeros_with(TG_U8, TG_SHAPE((int64_t)all)));
    tg_tape_rewind(before);
    if (tg_is_poison(kept)) return NULL;
    ((header *)tg_array_within(kept, who)->data)->kind = kind;
    return kept;
}

void *tg_object_of(const void *handle, const char *kind, const char *who) {
    const tg_tensor *kept = handle;
    const tg_array *a = tg_is_alive(kept) ? tg_array_within(kept, "tg_array_of") : NULL;
    if (a && a->dtype == TG_U8 && a->numel >= (int64_t)sizeof(header) && ((const header *)a->data)->kind == kind)
        return (header *)a->data + 1;
    if (!handle)
        tg_fail(TG_ERR_ARGUMENT, "%s: the %s is NULL", who, kind);
    else
        tg_fail(TG_ERR_ARGUMENT, "%s: the %s %s", who, kind,
                a ? "is the handle of something else" : "was freed");
    return NULL;
}

void tg_object_free(void *handle) { tg_free(handle); }
