/* Reading IDX. The reader trusts nothing: before it allocates, it holds what the header declares against the
 * bytes that are there, or, for a compressed file, could be there. Writing is in idx_save.c.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "core/io/idx.h"
#include "core/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if TG_HAVE_ZLIB
#include <zlib.h>
#endif

enum {
    MOST_AT_ONCE = 1 << 30 /* bytes in one call to the system or zlib */
};

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

static tg_status fail_errno(const char *what, const char *path) {
    return tg_fail(TG_ERR_IO, "%s: %s: %s", what, strerror(errno), path);
}

static int64_t at_most(int64_t n, int64_t limit) { return n < limit ? n : limit; }

/* ---- reading ---- */

typedef struct source {
    const char *path;
    int fd;
    int64_t size; /* of the file */
    bool compressed;
#if TG_HAVE_ZLIB
    gzFile gz; /* owns fd once open */
#endif
} source;

#if TG_HAVE_ZLIB
static tg_status source_start(source *s) {
    s->gz = gzdopen(s->fd, "rb");
    if (!s->gz) return tg_fail(TG_ERR_MEMORY, "load_idx: zlib has no memory: %s", s->path);
    s->compressed = !gzdirect(s->gz);
    return TG_OK;
}

static void source_close(source *s) {
    if (s->gz)
        gzclose_r(s->gz);
    else
        close(s->fd);
}

static int read_some(source *s, void *to, int64_t n) { return gzread(s->gz, to, (unsigned)n); }

static tg_status fail_read(source *s) {
    int code = Z_OK;
    gzerror(s->gz, &code);
    if (code == Z_ERRNO) return fail_errno("load_idx: cannot read", s->path);
    if (code == Z_MEM_ERROR) return tg_fail(TG_ERR_MEMORY, "load_idx: zlib has no memory: %s", s->path);
    return tg_fail(TG_ERR_FORMAT, "load_idx: the compressed data are damaged: %s", s->path);
}

/* zlib reports a stream that stops before its end marker and check sum here, not as a failed read. */
static bool is_cut_off(const source *s) {
    int code = Z_OK;
    gzerror(s->gz, &code);
    return code != Z_OK;
}
#else
static tg_status source_start(source *s) {
    unsigned char magic[2] = {0, 0};
    if (pread(s->fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b)
        return tg_fail(TG_ERR_IO, "load_idx: compressed, and this build of the library has no zlib: %s",
                       s->path);
    return TG_OK;
}

static void source_close(source *s) { close(s->fd); }

static int read_some(source *s, void *to, int64_t n) {
    ssize_t got;
    do got = read(s->fd, to, (size_t)n);
    while (got < 0 && errno == EINTR);
    return (int)got;
}

static tg_status fail_read(source *s) { return fail_errno("load_idx: cannot read", s->path); }
static bool is_cut_off(const source *s) { return s->compressed; }
#endif

/* O_NONBLOCK keeps open from waiting for the writer of a pipe; regular files ignore it. */
static tg_status source_open(source *s, const char *path) {
    *s = (source){.path = path};
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0) return fail_errno("load_idx: cannot open", path);
    struct stat st;
    tg_status status = TG_OK;
    if (fstat(s->fd, &st) != 0) {
        status = fail_errno("load_idx: cannot open", path);
    } else if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        status = fail_errno("load_idx: cannot read", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = tg_fail(TG_ERR_IO, "load_idx: not a regular file: %s", path);
    } else {
        s->size = st.st_size;
        status = source_start(s);
    }
    if (status != TG_OK) source_close(s);
    return status;
}

/* Reads n bytes or up to the end; how many, or -1 with an error raised. */
static int64_t source_read(source *s, void *to, int64_t n) {
    int64_t total = 0;
    while (total < n) {
        const int got = read_some(s, (char *)to + total, at_most(n - total, MOST_AT_ONCE));
        if (got < 0) {
            fail_read(s);
            return -1;
        }
        if (got == 0) break;
        total += got;
    }
    return total;
}

typedef struct header {
    const idx_type *type;
    tg_shape shape;
    int64_t numel, bytes; /* bytes: of header and elements together */
} header;

static uint32_t get_word(const unsigned char *p) {
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static tg_status fail_short_header(const source *s, int64_t declared, int64_t present) {
    return tg_fail(TG_ERR_FORMAT,
                   "load_idx: truncated: a header of %" PRId64 " bytes, %" PRId64 " present: %s", declared,
                   present, s->path);
}

/* The four bytes that every IDX file starts with. */
static tg_status read_magic(source *s, header *h) {
    unsigned char b[4];
    const int64_t got = source_read(s, b, 4);
    if (got < 0) return tg_error_status();
    if (got < 4) return fail_short_header(s, 4, got);
    if (b[0] != 0 || b[1] != 0)
        return tg_fail(TG_ERR_FORMAT,
                       "load_idx: not an IDX file, which starts with two zero bytes: "
                       "the magic number is %02x%02x%02x%02x: %s",
                       b[0], b[1], b[2], b[3], s->path);
    for (int i = 0; i < N_TYPES; i++)
        if (types[i].code == b[2]) h->type = &types[i];
    if (!h->type) return tg_fail(TG_ERR_FORMAT, "load_idx: unknown element type 0x%02x: %s", b[2], s->path);
    if (b[3] < 1 || b[3] > TG_MAX_RANK)
        return tg_fail(TG_ERR_FORMAT, "load_idx: rank %d, must be 1 to %d: %s", b[3], TG_MAX_RANK, s->path);
    h->shape.rank = b[3];
    return TG_OK;
}

static tg_status read_sizes(source *s, header *h) {
    unsigned char b[4 * TG_MAX_RANK];
    const int rank = h->shape.rank;
    const int64_t got = source_read(s, b, 4 * rank);
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

static tg_status fail_length(const source *s, const header *h, const char *what, int64_t present) {
    return tg_fail(TG_ERR_FORMAT,
                   "load_idx: %s: the header declares %" PRId64 " bytes, %" PRId64 " present: %s", what,
                   h->bytes, present, s->path);
}

/* The length of a plain file is known; a compressed one has an upper bound. */
static tg_status check_length(const source *s, const header *h) {
    if (!s->compressed) {
        if (s->size < h->bytes) return fail_length(s, h, "truncated", s->size);
        if (s->size > h->bytes) return fail_length(s, h, "trailing bytes", s->size);
    } else if (h->bytes / DEFLATE_LIMIT > s->size) {
        return tg_fail(TG_ERR_FORMAT,
                       "load_idx: truncated: the header declares %" PRId64 " bytes, more than the %" PRId64
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

/* The elements, and that nothing follows them. */
static tg_status read_elements(source *s, const header *h, tg_array *a) {
    const int64_t width = (int64_t)tg_dtype_size((tg_dtype)h->type->dtype), size = h->numel * h->type->size;
    unsigned char *data = a->data, extra;
    const int64_t got = source_read(s, data + h->numel * width - size, size);
    if (got < 0) return tg_error_status();
    if (got < size) return fail_length(s, h, "truncated", h->bytes - size + got);
    const int64_t more = source_read(s, &extra, 1);
    if (more < 0) return tg_error_status();
    if (more > 0)
        return tg_fail(TG_ERR_FORMAT,
                       "load_idx: trailing bytes: the header declares %" PRId64
                       " bytes, more are present: %s",
                       h->bytes, s->path);
    if (is_cut_off(s))
        return tg_fail(TG_ERR_FORMAT, "load_idx: the compressed data are cut off: %s", s->path);
    decode(data, h->numel, h->type);
    return TG_OK;
}

static tg_status load(source *s, tg_array *a) {
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

tg_tensor *(tg_load_idx)(const char *path) {
    if (tg_error_status() != TG_OK) return tg_poison();
    if (!path) {
        tg_fail(TG_ERR_ARGUMENT, "load_idx: path is NULL");
        return tg_poison();
    }
    source s;
    if (source_open(&s, path) != TG_OK) return tg_poison();
    tg_array a = {0};
    const tg_status status = load(&s, &a);
    source_close(&s);
    if (status != TG_OK) return tg_poison();
    tg_slot *slot = tg_slot_new("load_idx");
    if (!slot) {
        tg_array_drop(&a);
        return tg_poison();
    }
    slot->a = a;
    return tg_handle(slot);
}
