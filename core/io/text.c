/* Bytes from and to files. */
#include "core/io/text.h"

#include "core/io/elements.h"
#include "core/slot.h"
#include "core/work.h"

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
    if (!s || !tg_may_read(&s->a, "tg_save_text")) return tg_error_status();
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

int tg_utf8_decode(const void *bytes, int64_t n, uint32_t *code) {
    const unsigned char *s = bytes;
    if (!s || n < 1 || !code) {
        tg_fail(TG_ERR_ARGUMENT,
                "tg_utf8_decode: the bytes or the place of the code point are NULL, or there is no byte");
        return 0;
    }
    if (s[0] > 0 && s[0] < 0x80) return *code = s[0], 1;
    const int length = s[0] >= 0xc2 && s[0] < 0xe0   ? 2
                       : s[0] >= 0xe0 && s[0] < 0xf0 ? 3
                       : s[0] >= 0xf0 && s[0] < 0xf5 ? 4
                                                     : 0;
    const unsigned char low = s[0] == 0xe0 ? 0xa0 : s[0] == 0xf0 ? 0x90 : 0x80;
    const unsigned char high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
    if (length == 0 || length > n || s[1] < low || s[1] > high) return 0;
    *code = s[0] & (0xffu >> (length + 1));
    for (int i = 1; i < length; i++) {
        if ((s[i] & 0xc0) != 0x80) return 0;
        *code = *code << 6 | (s[i] & 0x3fu);
    }
    return length;
}
