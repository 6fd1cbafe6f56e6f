/* Elements on their way between files and arrays. */
#include "core/io/elements.h"
#include "core/slot.h"

#include <string.h>

enum {
    PIECE = 1 << 13 /* bytes turned around at a time */
};

tg_tensor *tg_elements_tensor(const char *who, tg_array *a) {
    tg_slot *slot = tg_slot_new(who);
    if (!slot) {
        tg_array_drop(a);
        tg_error_by(who, TG_OK);
        return tg_poison();
    }
    slot->a = *a;
    return tg_handle(slot);
}

tg_tensor *tg_elements_of_file(const char *who, const char *path, tg_status (*get)(tg_reader *r, tg_array *a)) {
    if (tg_error_status() != TG_OK) return tg_poison();
    if (!path) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the path is NULL", who);
        return tg_poison();
    }
    tg_reader r;
    if (tg_reader_open(&r, who, path, TG_MAYBE_GZIP) != TG_OK) return tg_poison();
    tg_array a = {0};
    const tg_status status = get(&r, &a);
    tg_reader_close(&r);
    if (status == TG_OK) return tg_elements_tensor(who, &a);
    tg_array_drop(&a);
    tg_error_by(who, TG_OK);
    return tg_poison();
}

int64_t tg_elements_bad_bool(const void *elements, int64_t n) {
    const unsigned char *p = elements;
    for (int64_t i = 0; i < n; i++)
        if (p[i] > 1) return i;
    return -1;
}

static void swap(unsigned char *p, size_t width) {
    for (size_t i = 0, j = width - 1; i < j; i++, j--) {
        const unsigned char byte = p[i];
        p[i] = p[j];
        p[j] = byte;
    }
}

void tg_elements_to_host(void *elements, int64_t n, size_t width, tg_byte_order order) {
    if (order == TG_HOST_ORDER || width == 1) return;
    for (int64_t i = 0; i < n; i++) swap((unsigned char *)elements + (size_t)i * width, width);
}

tg_status tg_elements_put(tg_writer *w, const void *elements, int64_t n, size_t width, tg_byte_order order) {
    if (order == TG_HOST_ORDER || width == 1) return tg_writer_put(w, elements, n * (int64_t)width);
    unsigned char piece[PIECE];
    tg_status status = TG_OK;
    const int64_t step = PIECE / (int64_t)width;
    for (int64_t i = 0; i < n && status == TG_OK; i += step) {
        const int64_t count = n - i < step ? n - i : step;
        memcpy(piece, (const unsigned char *)elements + (size_t)i * width, (size_t)count * width);
        tg_elements_to_host(piece, count, width, order);
        status = tg_writer_put(w, piece, count * (int64_t)width);
    }
    return status;
}
