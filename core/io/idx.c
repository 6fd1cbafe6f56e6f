/* Reading IDX. The reader trusts nothing: before it allocates, it holds what the header declares against the
 * bytes that are there, or, for a compressed file, could be there. Writing is in idx_save.c, the file itself in source.c.
 */
#include "core/io/idx.h"
#include "core/io/source.h"
#include "core/slot.h"

#include <inttypes.h>
#include <string.h>

/* Deflate cannot do better than 1032 to 1: zlib's technical details, "Maximum Compression Factor". */
#define DEFLATE_LIMIT 1032

typedef struct idx_type {
    uint8_t code, size; /* in the file */
    uint8_t dtype;      /* in memory */
} idx_type;

static const idx_type types[] = {
    {0x08, 1, TG_U8},  {0x09, 1, TG_I32}, {0x0B, 2, TG_I32},
    {0x0C, 4, TG_I32}, {0x0D, 4, TG_F32}, {0x0E, 8, TG_F64},
};
enum { N_TYPES = sizeof types / sizeof types[0] };

typedef struct header {
    const idx_type *type;
    tg_shape shape;
    int64_t numel, bytes; /* bytes: of header and elements together */
} header;

static uint32_t get_word(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static tg_status fail_short_header(const tg_source *s, int64_t declared, int64_t present) {
    return tg_fail(TG_ERR_FORMAT,
                   "load_idx: the file is truncated: its header should have %" PRId64 " bytes, and %" PRId64
                   " are present: %s", declared, present, s->path);
}

/* Reads the four bytes that every IDX file starts with. */
static tg_status read_magic(tg_source *s, header *h) {
    unsigned char b[4];
    const int64_t got = tg_source_read(s, b, 4);
    if (got < 0) return tg_error_status();
    if (got < 4) return fail_short_header(s, 4, got);
    if (b[0] != 0 || b[1] != 0)
        return tg_fail(TG_ERR_FORMAT,
                       "load_idx: this is not an IDX file, which starts with two zero bytes: "
                       "the magic number is %02x%02x%02x%02x: %s",
                       b[0], b[1], b[2], b[3], s->path);
    for (int i = 0; i < N_TYPES; i++)
        if (types[i].code == b[2]) h->type = &types[i];
    if (!h->type) return tg_fail(TG_ERR_FORMAT, "load_idx: IDX has no element type 0x%02x: %s", b[2], s->path);
    if (b[3] < 1 || b[3] > TG_MAX_RANK)
        return tg_fail(TG_ERR_FORMAT, "load_idx: the rank must be 1 to %d, and is %d: %s", TG_MAX_RANK, b[3], s->path);
    h->shape.rank = b[3];
    return TG_OK;
}

static tg_status read_sizes(tg_source *s, header *h) {
    unsigned char b[4 * TG_MAX_RANK];
    const int rank = h->shape.rank;
    const int64_t got = tg_source_read(s, b, 4 * rank);
    if (got < 0) return tg_error_status();
    if (got < 4 * rank) return fail_short_header(s, 4 + 4 * rank, 4 + got);
    for (int i = 0; i < rank; i++) h->shape.dim[i] = get_word(b + 4 * i);
    h->numel = tg_shape_numel(h->shape);
    size_t bytes = 0;
    if (h->numel < 0 || !tg_size_mul((size_t)h->numel, h->type->size, &bytes) ||
        !tg_size_add(bytes, 4 + 4 * (size_t)rank, &bytes) || bytes > INT64_MAX) {
        char text[160];
        return tg_fail(TG_ERR_FORMAT, "load_idx: the header declares more bytes than can be counted: %s: %s",
                       tg_shape_text(h->shape, text, sizeof text), s->path);
    }
    h->bytes = (int64_t)bytes;
    return TG_OK;
}

static tg_status fail_length(const tg_source *s, const header *h, const char *what, int64_t present) {
    return tg_fail(TG_ERR_FORMAT,
                   "load_idx: the file %s: its header declares %" PRId64 " bytes, and %" PRId64 " are present: %s", what,
                   h->bytes, present, s->path);
}

/* Holds the declared length against that of a plain file, or against the most that a compressed one can hold. */
static tg_status check_length(const tg_source *s, const header *h) {
    if (!s->compressed) {
        if (s->size < h->bytes) return fail_length(s, h, "is truncated", s->size);
        if (s->size > h->bytes) return fail_length(s, h, "has trailing bytes", s->size);
    } else if (h->bytes / DEFLATE_LIMIT > s->size) {
        return tg_fail(TG_ERR_FORMAT,
                       "load_idx: the file is truncated: its header declares %" PRId64 " bytes, more than the %" PRId64
                       " present can hold compressed: %s",
                       h->bytes, s->size, s->path);
    }
    return TG_OK;
}

/* n big-endian elements, which lie at the end of the room for the n results, in place: result i ends no later
 * than element i + 1 starts, because results are at least as wide. */
static void decode(unsigned char *data, int64_t n, const idx_type *type) {
    const int64_t width = (int64_t)tg_dtype_size((tg_dtype)type->dtype);
    const unsigned char *in = data + n * (width - type->size);
    const uint64_t sign = type->dtype == TG_I32 ? UINT64_C(1) << (8 * type->size - 1) : 0;
    if (width == 1) return;
    for (int64_t i = 0; i < n; i++) {
        uint64_t v = 0;
        for (int j = 0; j < type->size; j++) v = v << 8 | *in++;
        v = (v ^ sign) - sign; /* extends the sign */
        const uint32_t word = (uint32_t)v;
        if (width == 4)
            memcpy(data + 4 * i, &word, 4);
        else
            memcpy(data + 8 * i, &v, 8);
    }
}

/* Reads the elements, and checks that nothing follows them. */
static tg_status read_elements(tg_source *s, const header *h, tg_array *a) {
    const int64_t width = (int64_t)tg_dtype_size((tg_dtype)h->type->dtype), size = h->numel * h->type->size;
    unsigned char *data = a->data, extra;
    const int64_t got = tg_source_read(s, data + h->numel * width - size, size);
    if (got < 0) return tg_error_status();
    if (got < size) return fail_length(s, h, "is truncated", h->bytes - size + got);
    const int64_t more = tg_source_read(s, &extra, 1);
    if (more < 0) return tg_error_status();
    if (more > 0)
        return tg_fail(TG_ERR_FORMAT,
                       "load_idx: the file has trailing bytes: its header declares %" PRId64
                       " bytes, and more are present: %s",
                       h->bytes, s->path);
    if (s->cut_off) return tg_fail(TG_ERR_FORMAT, "load_idx: the compressed data are cut off: %s", s->path);
    decode(data, h->numel, h->type);
    return TG_OK;
}

static tg_status load(tg_source *s, tg_array *a) {
    header h = {0};
    tg_status status = read_magic(s, &h);
    if (status == TG_OK) status = read_sizes(s, &h);
    if (status == TG_OK) status = check_length(s, &h);
    if (status == TG_OK) status = tg_array_alloc(a, (tg_dtype)h.type->dtype, h.shape);
    if (status != TG_OK) return status;
    status = read_elements(s, &h, a);
    if (status != TG_OK) tg_array_drop(a);
    return status;
}

tg_tensor *tg_load_idx(const char *path) {
    if (tg_error_status() != TG_OK) return tg_poison();
    if (!path) {
        tg_fail(TG_ERR_ARGUMENT, "load_idx: the path is NULL");
        return tg_poison();
    }
    tg_source s;
    if (tg_source_open(&s, path) != TG_OK) return tg_poison();
    tg_array a = {0};
    const tg_status status = load(&s, &a);
    tg_source_close(&s);
    if (status != TG_OK) return tg_poison();
    tg_slot *slot = tg_slot_new("load_idx");
    if (!slot) {
        tg_array_drop(&a);
        return tg_poison();
    }
    slot->a = a;
    return tg_handle(slot);
}
