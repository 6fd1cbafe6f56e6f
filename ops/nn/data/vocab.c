#include "ops/nn/data/vocab.h"

#include "core/io/text.h"
#include "core/memory.h"
#include "core/work.h"
#include "ops/nn/model/object.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { CODES = 0x110000, MOST_BYTES = 4 }; /* code points there are; bytes of one */

typedef struct character {
    uint32_t code;
    int32_t id;
} character;

/* The object behind a handle tg_vocab *; its arrays are behind it in the same memory. */
typedef struct vocabulary {
    int64_t n;
    character *sorted; /* n of them, by code */
    int32_t *start;    /* character i is the bytes from start[i] to start[i + 1] of the text */
    char *text;        /* ends with a NUL */
} vocabulary;

static const char kind[] = "vocabulary";

static const vocabulary *vocab_of(const tg_vocab *handle, const char *who) {
    return tg_object_of(handle, kind, who);
}

/* ---- UTF-8 ---- */

static int encode(uint32_t code, char *to) {
    if (code < 0x80) return to[0] = (char)code, 1;
    const int length = code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
    for (int i = length - 1; i > 0; i--, code >>= 6) to[i] = (char)(0x80 | (code & 0x3f));
    to[0] = (char)(0xf00u >> length | code);
    return length;
}

/* Passes the character at *at of a text; false with an error raised where there is none. */
static bool pass(const char *who, const tg_array *text, int64_t *at, uint32_t *code) {
    const unsigned char *s = text->data;
    const int length = tg_utf8_decode(s + *at, text->numel - *at, code);
    if (length == 0)
        tg_fail(TG_ERR_FORMAT, "%s: byte %" PRId64 " of the text, 0x%02x, is not UTF-8%s", who, *at, s[*at],
                s[*at] ? "" : " or the end of a text");
    *at += length;
    return length > 0;
}

/* ---- making one ---- */

static int by_code(const void *a, const void *b) {
    const uint32_t x = ((const character *)a)->code, y = ((const character *)b)->code;
    return (x > y) - (x < y);
}

/* How many characters the text has; -1 with an error raised. */
static int64_t count(const char *who, const tg_array *text) {
    int64_t n = 0;
    uint32_t code;
    for (int64_t at = 0; at < text->numel; n++)
        if (!pass(who, text, &at, &code)) return -1;
    return n;
}

static vocabulary *new_object(const char *who, int64_t n, int64_t bytes, tg_vocab **handle) {
    *handle = tg_object_new(sizeof(vocabulary) + (size_t)n * sizeof(character) +
                                (size_t)(n + 1) * sizeof(int32_t) + (size_t)bytes + 1,
                            kind, who);
    vocabulary *v = *handle ? tg_object_of(*handle, kind, who) : NULL;
    if (!v) return NULL;
    v->n = n;
    v->sorted = (character *)(v + 1);
    v->start = (int32_t *)(v->sorted + n);
    v->text = (char *)(v->start + n + 1);
    return v;
}

/* Of a text that has each character once. */
static tg_vocab *make(const char *who, const tg_array *text) {
    const int64_t n = count(who, text);
    if (n > CODES) tg_fail(TG_ERR_ARGUMENT, "%s: there are more characters than Unicode has", who);
    if (n == 0) tg_fail(TG_ERR_ARGUMENT, "%s: there are no characters", who);
    if (n < 1 || n > CODES) return NULL;
    tg_vocab *handle;
    vocabulary *v = new_object(who, n, text->numel, &handle);
    if (!v) return NULL;
    memcpy(v->text, text->data, (size_t)text->numel);
    int64_t at = 0;
    for (int32_t i = 0; i < n; i++) {
        v->start[i] = (int32_t)at;
        v->sorted[i].id = i;
        pass(who, text, &at, &v->sorted[i].code);
    }
    v->start[n] = (int32_t)at;
    qsort(v->sorted, (size_t)n, sizeof *v->sorted, by_code);
    for (int64_t i = 1; i < n; i++)
        if (v->sorted[i].code == v->sorted[i - 1].code) {
            tg_fail(TG_ERR_ARGUMENT, "%s: character U+%04" PRIX32 " is there twice", who, v->sorted[i].code);
            tg_object_free(handle);
            return NULL;
        }
    return handle;
}

tg_vocab *tg_vocab_new(const char *characters) {
    TG_NAMED("tg_vocab_new");
    if (tg_error_status() != TG_OK) return NULL;
    if (!characters) {
        tg_fail(TG_ERR_ARGUMENT, "tg_vocab_new: the characters are NULL");
        return NULL;
    }
    const tg_array text = {.data = (void *)(uintptr_t)characters, .numel = (int64_t)strlen(characters)};
    return make("tg_vocab_new", &text);
}

/* The bytes of a text, contiguous; dropped by the caller. */
static tg_status text_of(const char *who, const tg_tensor *t, tg_array *out) {
    const tg_array *a = tg_array_within(t, "tg_array_of");
    if (!a || tg_error_status() != TG_OK || !tg_may_read(a, who)) return tg_error_status();
    if (a->dtype != TG_U8 || a->rank != 1) {
        char text[96];
        return tg_fail(a->dtype == TG_U8 ? TG_ERR_SHAPE : TG_ERR_DTYPE, "%s: a text is u8 [bytes], not %s",
                       who, tg_describe(t, text, sizeof text));
    }
    return tg_array_contiguous(out, a);
}

/* Writes the characters that the text has to `to`, in the order of their codes; returns how many bytes they take, -1 with
 * an error raised. With `to` NULL they are counted. seen: a bit a code. */
static int64_t write_seen(const uint64_t *seen, char *to) {
    char one[MOST_BYTES];
    int64_t bytes = 0;
    for (uint32_t word = 0; word < CODES / 64; word++)
        for (uint64_t left = seen[word]; left; left &= left - 1) {
            const int length = encode(word * 64 + (uint32_t)__builtin_ctzll(left), one);
            if (to) memcpy(to + bytes, one, (size_t)length);
            bytes += length;
        }
    return bytes;
}

static tg_vocab *make_of_seen(const uint64_t *seen) {
    tg_array text = {.numel = write_seen(seen, NULL)};
    const size_t room = (size_t)text.numel;
    text.data = tg_alloc(room);
    if (!text.data) {
        tg_fail(TG_ERR_MEMORY, "tg_vocab_of: no memory for the characters");
        return NULL;
    }
    write_seen(seen, text.data);
    tg_vocab *v = make("tg_vocab_of", &text);
    tg_dealloc(text.data, room);
    return v;
}

static tg_vocab *make_of_text(const tg_array *text) {
    const size_t bytes = CODES / 8;
    uint64_t *seen = tg_alloc(bytes);
    if (!seen) {
        tg_fail(TG_ERR_MEMORY, "tg_vocab_of: no memory for the characters");
        return NULL;
    }
    memset(seen, 0, bytes);
    uint32_t code;
    int64_t at = 0;
    while (at < text->numel && pass("tg_vocab_of", text, &at, &code))
        seen[code / 64] |= UINT64_C(1) << code % 64;
    tg_vocab *v = tg_error_status() == TG_OK ? make_of_seen(seen) : NULL;
    tg_dealloc(seen, bytes);
    return v;
}

tg_vocab *tg_vocab_of(const tg_tensor *t) {
    TG_NAMED("tg_vocab_of");
    tg_array text = {0};
    if (text_of("tg_vocab_of", t, &text) != TG_OK) return NULL;
    tg_vocab *v = NULL;
    if (text.numel == 0)
        tg_fail(TG_ERR_SHAPE, "tg_vocab_of: the text is empty");
    else
        v = make_of_text(&text);
    tg_array_drop(&text);
    return v;
}

void tg_vocab_free(tg_vocab *handle) {
    if (handle && vocab_of(handle, "tg_vocab_free")) tg_object_free(handle);
}

int64_t tg_vocab_size(const tg_vocab *handle) {
    const vocabulary *v = vocab_of(handle, "tg_vocab_size");
    return v ? v->n : 0;
}

const char *tg_vocab_text(const tg_vocab *handle) {
    const vocabulary *v = vocab_of(handle, "tg_vocab_text");
    return v ? v->text : NULL;
}

/* ---- using it ---- */

static int64_t id_of(const vocabulary *v, uint32_t code) {
    const character key = {.code = code};
    const character *found = bsearch(&key, v->sorted, (size_t)v->n, sizeof key, by_code);
    return found ? found->id : -1;
}

/* The number of the character that stands for the unknown; -1: none does. */
static tg_status find_unknown(const vocabulary *v, const char *unknown, int64_t *id) {
    *id = -1;
    if (!unknown) return TG_OK;
    const int64_t bytes = (int64_t)strlen(unknown);
    uint32_t code;
    if (bytes > 0 && tg_utf8_decode(unknown, bytes, &code) == bytes) *id = id_of(v, code);
    return *id >= 0
               ? TG_OK
               : tg_fail(TG_ERR_ARGUMENT,
                         "tg_vocab_encode: unknown is \"%.20s\", which is not one character of the vocabulary",
                         unknown);
}

/* Writes the numbers of all characters. */
static tg_status fill_ids(const vocabulary *v, const tg_array *text, int64_t unknown, int64_t *ids) {
    uint32_t code;
    for (int64_t at = 0, i = 0; at < text->numel; i++) {
        const int64_t start = at;
        if (!pass("tg_vocab_encode", text, &at, &code)) return tg_error_status();
        ids[i] = id_of(v, code);
        if (ids[i] < 0) ids[i] = unknown;
        if (ids[i] < 0)
            return tg_fail(TG_ERR_ARGUMENT,
                           "tg_vocab_encode: character %" PRId64 " of the text, U+%04" PRIX32
                           " \"%.*s\" at byte %" PRId64 ", is not in the vocabulary",
                           i, code, (int)(at - start), (const char *)text->data + start, start);
    }
    return TG_OK;
}

static tg_tensor *tensor_of(tg_array *a) {
    tg_tensor *t = tg_error_status() == TG_OK ? tg_from_array(a) : tg_poison();
    tg_array_drop(a);
    return t;
}

tg_tensor *tg_vocab_encode_with(const tg_vocab *handle, const tg_tensor *t, tg_vocab_encode_opts opts) {
    TG_NAMED("tg_vocab_encode");
    const vocabulary *v = vocab_of(handle, "tg_vocab_encode");
    tg_array text = {0}, ids = {0};
    int64_t unknown;
    if (!v || text_of("tg_vocab_encode", t, &text) != TG_OK) return tg_poison();
    const int64_t n = find_unknown(v, opts.unknown, &unknown) == TG_OK ? count("tg_vocab_encode", &text) : -1;
    if (n >= 0 && tg_array_alloc(&ids, TG_I64, TG_SHAPE(n)) == TG_OK) fill_ids(v, &text, unknown, ids.data);
    tg_array_drop(&text);
    return tensor_of(&ids);
}

/* How many bytes the text of these numbers has; -1 with an error raised. */
static int64_t count_bytes(const vocabulary *v, const int64_t *id, int64_t n) {
    int64_t bytes = 0;
    for (int64_t i = 0; i < n; i++) {
        if (id[i] < 0 || id[i] >= v->n) {
            tg_fail(TG_ERR_ARGUMENT,
                    "tg_vocab_decode: number %" PRId64 " is %" PRId64
                    ", outside of the vocabulary's [0, %" PRId64 ")",
                    i, id[i], v->n);
            return -1;
        }
        bytes += v->start[id[i] + 1] - v->start[id[i]];
    }
    return bytes;
}

/* The numbers as i64, contiguous; dropped by the caller. */
static tg_status ids_of(const tg_tensor *t, tg_array *out) {
    const tg_array *a = tg_array_within(t, "tg_array_of");
    if (!a || tg_error_status() != TG_OK || !tg_may_read(a, "tg_vocab_decode")) return tg_error_status();
    if (a->dtype == TG_I64) return tg_array_contiguous(out, a);
    if (a->dtype != TG_I32) {
        char text[96];
        return tg_fail(TG_ERR_DTYPE, "tg_vocab_decode: numbers are i64 or i32, not %s",
                       tg_describe(t, text, sizeof text));
    }
    const tg_status status = tg_array_alloc(out, TG_I64, tg_array_shape(a));
    if (status == TG_OK) tg_array_copy(out, a);
    return status;
}

tg_tensor *tg_vocab_decode(const tg_vocab *handle, const tg_tensor *t) {
    TG_NAMED("tg_vocab_decode");
    const vocabulary *v = vocab_of(handle, "tg_vocab_decode");
    tg_array ids = {0}, text = {0};
    if (!v || ids_of(t, &ids) != TG_OK) return tg_poison();
    const int64_t *id = ids.data, bytes = count_bytes(v, id, ids.numel);
    if (bytes >= 0 && tg_array_alloc(&text, TG_U8, TG_SHAPE(bytes)) == TG_OK) {
        char *to = text.data;
        for (int64_t i = 0; i < ids.numel; i++) {
            const size_t length = (size_t)(v->start[id[i] + 1] - v->start[id[i]]);
            memcpy(to, v->text + v->start[id[i]], length);
            to += length;
        }
    }
    tg_array_drop(&ids);
    return tensor_of(&text);
}
