/* From a set to a file: the header, as the reference library writes it, then the elements. */
#include "core/io/safetensors_private.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    PIECE = 1 << 16, /* bytes copied or converted at a time */
    ALIGN = 8        /* the header ends at a multiple of this */
};

/* ---- the header ---- */

typedef struct text {
    char *p;
    int64_t n, cap;
    bool failed; /* no memory: what is put then goes nowhere */
} text;

static void put(text *t, const char *bytes, size_t n) {
    t->failed = t->failed || !tg_grow((void **)&t->p, &t->cap, t->n, t->n + (int64_t)n, 1);
    if (t->failed) return;
    memcpy(t->p + t->n, bytes, n);
    t->n += (int64_t)n;
}

static void put_text(text *t, const char *string) { put(t, string, strlen(string)); }

static void put_number(text *t, int64_t v) {
    char digits[32];
    put(t, digits, (size_t)snprintf(digits, sizeof digits, "%" PRId64, v));
}

/* A string of JSON, in which quotes, backslashes and control characters are escaped. */
static void put_string(text *t, const char *string) {
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* each character before the letter of its escape */
    put(t, "\"", 1);
    for (const char *p = string; *p; p++) {
        const char *escape = NULL;
        for (size_t i = 0; i + 1 < sizeof named && !escape; i += 2)
            if (named[i] == *p) escape = &named[i + 1];
        char code[8];
        if (escape)
            put(t, (char[]){'\\', *escape}, 2);
        else if ((unsigned char)*p < 0x20)
            put(t, code, (size_t)snprintf(code, sizeof code, "\\u%04x", (unsigned)*p));
        else
            put(t, p, 1);
    }
    put(t, "\"", 1);
}

static void put_texts(text *t, const tg_named_list *texts) {
    put_string(t, TG_SAFETENSORS_METADATA);
    for (int64_t i = 0; i < texts->n; i++) {
        put_text(t, i == 0 ? ":{" : ",");
        put_string(t, texts->at[i].name);
        put_text(t, ":");
        put_string(t, texts->at[i].text);
    }
    put_text(t, "}");
}

static void put_tensor(text *t, const tg_named *e, int64_t offset) {
    put_string(t, e->name);
    put_text(t, ":{\"dtype\":\"");
    put_text(t, tg_stored_types[e->stored].name);
    put_text(t, "\",\"shape\":[");
    for (int i = 0; i < e->a.rank; i++) {
        if (i > 0) put_text(t, ",");
        put_number(t, e->a.shape[i]);
    }
    put_text(t, "],\"data_offsets\":[");
    put_number(t, offset);
    put_text(t, ",");
    put_number(t, offset + tg_named_bytes(e));
    put_text(t, "]}");
}

static int by_type(const void *a, const void *b) {
    const tg_named *x = *(const tg_named *const *)a, *y = *(const tg_named *const *)b;
    return x->stored != y->stored ? y->stored - x->stored : strcmp(x->name, y->name);
}

static tg_status make_header(const tg_set *set, tg_named *const *sorted, text *t) {
    size_t offset = 0;
    put_text(t, "{");
    if (set->texts.n > 0) put_texts(t, &set->texts);
    for (int64_t i = 0; i < set->tensors.n; i++) {
        if (i > 0 || set->texts.n > 0) put_text(t, ",");
        put_tensor(t, sorted[i], (int64_t)offset);
        if (!tg_size_add(offset, (size_t)tg_named_bytes(sorted[i]), &offset) || offset > INT64_MAX)
            return tg_fail(TG_ERR_SHAPE, "%s: the tensors have more bytes together than can be counted",
                           set->file.who);
    }
    put_text(t, "}");
    while (t->n % ALIGN != 0 && !t->failed) put_text(t, " ");
    if (t->failed) return tg_fail_memory((size_t)t->n);
    if (t->n > TG_SAFETENSORS_HEADER)
        return tg_fail(TG_ERR_ARGUMENT,
                       "%s: the header may have %d bytes, and these names and texts need %" PRId64,
                       set->file.who, TG_SAFETENSORS_HEADER, t->n);
    return TG_OK;
}

/* ---- elements ---- */

/* Those that are still in the file that the set was opened from go as they are there. */
static tg_status copy_elements(tg_set *set, const tg_named *e, tg_writer *w) {
    char piece[PIECE];
    const int64_t n = tg_named_bytes(e);
    tg_status status = TG_OK;
    for (int64_t i = 0; i < n && status == TG_OK; i += PIECE) {
        const int64_t count = n - i < PIECE ? n - i : PIECE;
        status = tg_reader_at(&set->file, e->offset + i, piece, count);
        if (status == TG_OK) status = tg_writer_put(w, piece, count);
    }
    return status;
}

static tg_status put_halves(tg_writer *w, const float *v, int64_t n, int stored) {
    uint16_t piece[PIECE / 2];
    tg_status status = TG_OK;
    for (int64_t i = 0; i < n && status == TG_OK; i += PIECE / 2) {
        const int64_t count = n - i < PIECE / 2 ? n - i : PIECE / 2;
        if (stored == TG_STORED_F16)
            tg_elements_to_f16(v + i, count, piece);
        else
            tg_elements_to_bf16(v + i, count, piece);
        status = tg_elements_put(w, piece, count, 2, TG_LITTLE_ENDIAN);
    }
    return status;
}

static tg_status put_elements(tg_set *set, const tg_named *e, tg_writer *w) {
    if (e->offset > 0) return copy_elements(set, e, w);
    tg_array a = {0};
    tg_status status = tg_array_contiguous(&a, &e->a);
    if (status != TG_OK) return status;
    if (e->stored == TG_STORED_F16 || e->stored == TG_STORED_BF16)
        status = put_halves(w, a.data, a.numel, e->stored);
    else
        status = tg_elements_put(w, a.data, a.numel, tg_stored_types[e->stored].width, TG_LITTLE_ENDIAN);
    tg_array_drop(&a);
    return status;
}

static tg_status write_file(tg_set *set, tg_named *const *sorted, const text *header, const char *path) {
    tg_writer w;
    unsigned char length[8];
    for (int i = 0; i < 8; i++) length[i] = (unsigned char)((uint64_t)header->n >> 8 * i);
    tg_status status = tg_writer_open(&w, set->file.who, path, TG_NEVER_GZIP);
    if (status != TG_OK) return status;
    status = tg_writer_put(&w, length, sizeof length);
    if (status == TG_OK) status = tg_writer_put(&w, header->p, header->n);
    for (int64_t i = 0; i < set->tensors.n && status == TG_OK; i++) status = put_elements(set, sorted[i], &w);
    return tg_writer_close(&w, status);
}

tg_status tg_set_write(tg_set *set, const char *path) {
    const size_t bytes = (size_t)set->tensors.n * sizeof(tg_named *);
    tg_named **sorted = tg_sys_alloc(bytes);
    if (!sorted) return tg_fail_memory(bytes);
    for (int64_t i = 0; i < set->tensors.n; i++) sorted[i] = &set->tensors.at[i];
    qsort(sorted, (size_t)set->tensors.n, sizeof *sorted, by_type);
    text header = {0};
    tg_status status = make_header(set, sorted, &header);
    if (status == TG_OK) status = write_file(set, sorted, &header, path);
    tg_sys_free(header.p, (size_t)header.cap);
    tg_sys_free(sorted, bytes);
    return status;
}
