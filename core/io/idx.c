/* Reading and writing IDX. The reader trusts nothing: before it allocates, the stream holds what the header declares
 * against the bytes that are there, or, in a compressed file, could be there.
 */
#include "core/io/elements.h"
#include "core/io/idx.h"
#include "core/io/mapping.h"
#include "core/slot.h"
#include "core/work.h"

#include <inttypes.h>
#include <string.h>

/* ---- reading ---- */

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

static tg_status fail_short_header(const tg_reader *r, int64_t declared, int64_t present) {
    return tg_fail(TG_ERR_FORMAT,
                   "%s: the file is truncated: its header should have %" PRId64 " bytes, and %" PRId64
                   " are present: %s",
                   r->who, declared, present, r->path);
}

/* Reads the four bytes that every IDX file starts with. */
static tg_status read_magic(tg_reader *r, header *h) {
    unsigned char b[4];
    const int64_t got = tg_reader_read(r, b, 4);
    if (got < 0) return tg_error_status();
    if (got < 4) return fail_short_header(r, 4, got);
    if (b[0] != 0 || b[1] != 0)
        return tg_fail(TG_ERR_FORMAT,
                       "%s: this is not an IDX file, which starts with two zero bytes: "
                       "the magic number is %02x%02x%02x%02x: %s",
                       r->who, b[0], b[1], b[2], b[3], r->path);
    for (int i = 0; i < N_TYPES; i++)
        if (types[i].code == b[2]) h->type = &types[i];
    if (!h->type)
        return tg_fail(TG_ERR_FORMAT, "%s: IDX has no element type 0x%02x: %s", r->who, b[2], r->path);
    if (b[3] < 1 || b[3] > TG_MAX_RANK)
        return tg_fail(TG_ERR_FORMAT, "%s: the rank must be 1 to %d, and is %d: %s", r->who, TG_MAX_RANK,
                       b[3], r->path);
    h->shape.rank = b[3];
    return TG_OK;
}

static tg_status read_sizes(tg_reader *r, header *h) {
    unsigned char b[4 * TG_MAX_RANK];
    const int rank = h->shape.rank;
    const int64_t got = tg_reader_read(r, b, 4 * rank);
    if (got < 0) return tg_error_status();
    if (got < 4 * rank) return fail_short_header(r, 4 + 4 * rank, 4 + got);
    for (int i = 0; i < rank; i++) h->shape.dim[i] = get_word(b + 4 * i);
    h->numel = tg_shape_numel(h->shape);
    size_t bytes = 0;
    if (h->numel < 0 || !tg_size_mul((size_t)h->numel, h->type->size, &bytes) ||
        !tg_size_add(bytes, 4 + 4 * (size_t)rank, &bytes) || bytes > INT64_MAX) {
        char text[160];
        return tg_fail(TG_ERR_FORMAT, "%s: the header declares more bytes than can be counted: %s: %s",
                       r->who, tg_shape_text(h->shape, text, sizeof text), r->path);
    }
    h->bytes = (int64_t)bytes;
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
static tg_status read_elements(tg_reader *r, const header *h, tg_array *a) {
    const int64_t width = (int64_t)tg_dtype_size((tg_dtype)h->type->dtype), size = h->numel * h->type->size;
    unsigned char *data = a->data;
    tg_status status = tg_reader_exactly(r, data + h->numel * width - size, size);
    if (status == TG_OK) status = tg_reader_end(r);
    if (status == TG_OK) decode(data, h->numel, h->type);
    return status;
}

/* Reads the header and holds the length of the file against it. */
static tg_status open_array(tg_reader *r, header *h, tg_array *a) {
    tg_status status = read_magic(r, h);
    if (status == TG_OK) status = read_sizes(r, h);
    if (status == TG_OK) status = tg_reader_declare(r, h->bytes);
    return status == TG_OK ? tg_array_layout(a, (tg_dtype)h->type->dtype, h->shape) : status;
}

static tg_status load(tg_reader *r, tg_array *a) {
    header h = {0};
    tg_status status = open_array(r, &h, a);
    if (status == TG_OK) status = tg_array_alloc_like(a, a);
    return status == TG_OK ? read_elements(r, &h, a) : status;
}

static tg_status map(tg_reader *r, tg_array *a) {
    header h = {0};
    const tg_status status = open_array(r, &h, a);
    if (status != TG_OK) return status;
    if (h.type->dtype == TG_U8)
        return tg_map_elements(r, 4 + 4 * h.shape.rank, TG_HOST_ORDER, "tg_load_idx", a);
    return tg_fail(TG_ERR_DTYPE,
                   "%s: only u8 can be mapped, others are in big-endian order; tg_load_idx reads them: %s",
                   r->who, r->path);
}

tg_tensor *tg_load_idx(const char *path) { return tg_elements_of_file("load_idx", path, load); }
tg_tensor *tg_map_idx(const char *path) { return tg_elements_of_file("map_idx", path, map); }

/* ---- writing ---- */

/* The element type's code in the file; 0: IDX has none. */
static unsigned char code_of(tg_dtype dtype) {
    static const unsigned char code[TG_DTYPES] = {
        [TG_U8] = 0x08, [TG_BOOL] = 0x08, [TG_I32] = 0x0C, [TG_F32] = 0x0D, [TG_F64] = 0x0E};
    return code[dtype];
}

static void put_word(unsigned char *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static tg_status put_header(tg_writer *w, const tg_array *a) {
    unsigned char b[4 + 4 * TG_MAX_RANK] = {0, 0, code_of((tg_dtype)a->dtype), a->rank};
    for (int i = 0; i < a->rank; i++) put_word(b + 4 + 4 * i, (uint32_t)a->shape[i]);
    return tg_writer_put(w, b, 4 + 4 * a->rank);
}

static tg_status save(const tg_array *a, const char *path) {
    tg_writer w;
    tg_status status = tg_writer_open(&w, "save_idx", path, TG_MAYBE_GZIP);
    if (status != TG_OK) return status;
    status = put_header(&w, a);
    if (status == TG_OK)
        status = tg_elements_put(&w, a->data, a->numel, tg_dtype_size((tg_dtype)a->dtype), TG_BIG_ENDIAN);
    return tg_writer_close(&w, status);
}

/* Whether the format can hold t; if not, the error is raised. */
static tg_status check(const tg_tensor *t, const tg_array *a) {
    char text[160];
    if (code_of((tg_dtype)a->dtype) == 0)
        return tg_fail(TG_ERR_DTYPE, "save_idx: IDX has no element type for %s",
                       tg_describe(t, text, sizeof text));
    if (a->rank == 0)
        return tg_fail(TG_ERR_SHAPE, "save_idx: IDX holds arrays of rank 1 to %d, and not the scalar %s",
                       TG_MAX_RANK, tg_describe(t, text, sizeof text));
    for (int i = 0; i < a->rank; i++)
        if (a->shape[i] > UINT32_MAX)
            return tg_fail(TG_ERR_SHAPE, "save_idx: IDX holds sizes below 2^32, and one is larger: %s",
                           tg_describe(t, text, sizeof text));
    return TG_OK;
}

tg_status tg_save_idx(const tg_tensor *t, const char *path) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!path) return tg_fail(TG_ERR_ARGUMENT, "save_idx: the path is NULL");
    const tg_slot *s = tg_slot_with_data(t, "save_idx");
    if (!s || !tg_may_read(&s->a, "tg_save_idx")) return tg_error_status();
    tg_status status = check(t, &s->a);
    if (status != TG_OK) return status;
    tg_array a = {0};
    status = tg_array_contiguous(&a, &s->a);
    if (status != TG_OK) return tg_error_by("save_idx", TG_OK);
    status = save(&a, path);
    tg_array_drop(&a);
    return status;
}
