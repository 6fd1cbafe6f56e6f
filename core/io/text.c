/* Bytes from and to files. */
#include "core/io/text.h"

#include "core/io/elements.h"
#include "core/slot.h"

#include <string.h>

/* A vector of `room` bytes that begins as *a does, of which n are used. */
static tg_status resize(tg_array *a, int64_t n, int64_t room) {
    tg_array other = {0};
    if (tg_array_alloc(&other, TG_U8, TG_SHAPE(room)) != TG_OK) return tg_error_status();
    if (n > 0) memcpy(other.data, a->data, (size_t)n);
    tg_array_drop(a);
    *a = other;
    return TG_OK;
}

/* How many bytes a compressed file holds is seen at their end, so room for them doubles; of a plain one the room is that of
 * all, and of one more, which is not there. */
static tg_status load(tg_reader *r, tg_array *a) {
    int64_t n = 0, room = 0;
    while (n == room) {
        room = room > 0 ? 2 * room : r->size + 1;
        if (resize(a, n, room) != TG_OK) return tg_error_status();
        const int64_t more = tg_reader_read(r, (char *)a->data + n, room - n);
        if (more < 0) return tg_error_status();
        n += more;
    }
    if (tg_reader_end(r) != TG_OK) return tg_error_status();
    if (room - n > n / 8 + 1) return resize(a, n, n);
    *a = tg_array_part(a, 0, 0, n);
    return TG_OK;
}

tg_tensor *tg_load_text(const char *path) {
    if (tg_error_status() != TG_OK) return tg_poison();
    if (!path) {
        tg_fail(TG_ERR_ARGUMENT, "load_text: the path is NULL");
        return tg_poison();
    }
    tg_reader r;
    if (tg_reader_open(&r, "load_text", path, TG_MAYBE_GZIP) != TG_OK) return tg_poison();
    tg_array a = {0};
    const tg_status status = load(&r, &a);
    tg_reader_close(&r);
    if (status == TG_OK) return tg_elements_tensor("load_text", &a);
    tg_array_drop(&a);
    tg_error_by("load_text", TG_OK);
    return tg_poison();
}

tg_status tg_save_text(const tg_tensor *t, const char *path) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!path) return tg_fail(TG_ERR_ARGUMENT, "save_text: the path is NULL");
    const tg_slot *s = tg_slot_with_data(t, "save_text");
    if (!s) return tg_error_status();
    if (s->a.dtype != TG_U8 || s->a.rank != 1) {
        char text[96];
        return tg_fail(s->a.dtype == TG_U8 ? TG_ERR_SHAPE : TG_ERR_DTYPE,
                       "save_text: bytes are u8 [n], not %s", tg_describe(t, text, sizeof text));
    }
    tg_array a = {0};
    if (tg_array_contiguous(&a, &s->a) != TG_OK) return tg_error_by("save_text", TG_OK);
    tg_writer w;
    tg_status status = tg_writer_open(&w, "save_text", path, TG_MAYBE_GZIP);
    if (status == TG_OK) status = tg_writer_close(&w, tg_writer_put(&w, a.data, a.numel));
    tg_array_drop(&a);
    return status;
}
