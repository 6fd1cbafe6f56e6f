/* From an archive to a set, and the elements of its arrays. libzip reads the archive; what it says of an entry is held against
 * the length of the file before anything is allocated. */
#include "core/io/npz_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#if TG_HAVE_LIBZIP
#include <zip.h>

enum {
    SMALLEST = 22,       /* bytes of an archive without entries */
    DEFLATE_LIMIT = 1032 /* the most that deflate can do (core/io/stream.c) */
};

static tg_status fail_zip(const tg_reader *r, int code, const char *what, const char *text) {
    const tg_status status = code == ZIP_ER_MEMORY                        ? TG_ERR_MEMORY
                             : code == ZIP_ER_READ || code == ZIP_ER_SEEK ? TG_ERR_IO
                                                                          : TG_ERR_FORMAT;
    return tg_fail(status, "%s: %s: %s: %s", r->who, what, text, r->path);
}

/* Under ZIP_CHECKCONS the list of entries must agree with what stands before each, and no two have one name. */
static tg_status open_archive(tg_npz_set *set) {
    const tg_reader *r = &set->file;
    if (r->size < SMALLEST)
        return tg_fail(TG_ERR_FORMAT, "%s: the file is truncated: a zip archive has at least %d bytes: %s",
                       r->who, SMALLEST, r->path);
    const int fd = fcntl(r->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0)
        return tg_fail(TG_ERR_IO, "%s: the file cannot be read: %s: %s", r->who, strerror(errno), r->path);
    int code = 0;
    set->zip = zip_fdopen(fd, ZIP_CHECKCONS, &code);
    if (set->zip) return TG_OK;
    (void)close(fd);
    zip_error_t error;
    zip_error_init_with_code(&error, code);
    const tg_status status = fail_zip(r, code, "this is not a proper zip archive", zip_error_strerror(&error));
    zip_error_fini(&error);
    return status;
}

void tg_npz_close(tg_npz_set *set) {
    if (set->zip) zip_discard(set->zip);
    set->zip = NULL;
}

static tg_status fail_entry(const tg_reader *r, const char *name, const char *what) {
    return tg_fail(TG_ERR_FORMAT, "%s: entry \"%.100s\" %s: %s", r->who, name, what, r->path);
}

/* Takes the compressed bytes of the entry from those that entries may have together. */
static tg_status check_entry(const tg_reader *r, const zip_stat_t *st, const char *name, uint64_t *left) {
    const uint64_t all =
        ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_COMP_METHOD | ZIP_STAT_ENCRYPTION_METHOD | ZIP_STAT_CRC;
    if ((st->valid & all) != all) return fail_entry(r, name, "does not say how long it is");
    if (st->encryption_method != ZIP_EM_NONE) return fail_entry(r, name, "is encrypted");
    if (st->comp_method != ZIP_CM_STORE && st->comp_method != ZIP_CM_DEFLATE)
        return fail_entry(r, name, "is compressed by another method than deflate");
    if (st->comp_size > *left)
        return fail_entry(r, name, "overlaps others, or goes past the end of the file");
    *left -= st->comp_size;
    if (st->comp_method == ZIP_CM_STORE && st->size != st->comp_size)
        return fail_entry(r, name, "is stored, and has two lengths");
    if (st->size / DEFLATE_LIMIT > st->comp_size)
        return fail_entry(r, name, "claims more bytes than deflate can make");
    return TG_OK;
}

/* The name without its suffix, to *n bytes. */
static tg_status check_entry_name(const tg_reader *r, const char *name, size_t *n) {
    const size_t suffix = strlen(TG_NPZ_SUFFIX), length = strnlen(name, TG_NAME + suffix + 1);
    if (length > TG_NAME + suffix) return fail_entry(r, name, "has a name of more than 1024 bytes");
    if (!tg_text_is_utf8(name)) return fail_entry(r, name, "has a name that is not UTF-8");
    if (length < suffix || strcmp(name + length - suffix, TG_NPZ_SUFFIX) != 0)
        return fail_entry(r, name, "is no array, which is called NAME.npy");
    *n = length - suffix;
    return TG_OK;
}

/* ---- the bytes of an entry ---- */

typedef struct entry {
    const tg_reader *r;
    zip_file_t *file;
    char where[200]; /* its name and the path, for messages */
} entry;

/* As tg_reader_read. */
static int64_t read_entry(void *from, void *to, int64_t n) {
    entry *e = from;
    int64_t total = 0;
    while (total < n) {
        const int64_t got = zip_fread(e->file, (char *)to + total, (zip_uint64_t)(n - total));
        if (got < 0)
            return fail_zip(e->r, zip_error_code_zip(zip_file_get_error(e->file)),
                            "the data of an entry are damaged", zip_file_strerror(e->file)),
                   -1;
        if (got == 0) break;
        total += got;
    }
    return total;
}

static tg_status open_entry(tg_npz_set *set, uint64_t i, const char *name, entry *e, tg_npy_source *s) {
    e->r = &set->file;
    e->file = zip_fopen_index(set->zip, i, 0);
    const int n = snprintf(e->where, sizeof e->where, "%.80s: ", name);
    snprintf(e->where + n, sizeof e->where - (size_t)n, "%s", e->r->path);
    *s = (tg_npy_source){.who = e->r->who, .where = e->where, .read = read_entry, .from = e};
    if (e->file) return TG_OK;
    return fail_zip(e->r, zip_error_code_zip(zip_get_error(set->zip)), "an entry cannot be opened",
                    zip_strerror(set->zip));
}

static tg_status read_entry_header(tg_npz_set *set, uint64_t i, const char *name, uint64_t size, tg_array *a) {
    entry e;
    tg_npy_source s;
    tg_npy_header h;
    tg_status status = open_entry(set, i, name, &e, &s);
    if (status != TG_OK) return status;
    status = tg_npy_read_header(&s, &h);
    (void)zip_fclose(e.file);
    if (status != TG_OK) return status;
    if (size != (uint64_t)h.bytes)
        return tg_fail(TG_ERR_FORMAT,
                       "%s: entry \"%.100s\" has %" PRIu64 " bytes, and its header declares %" PRId64 ": %s",
                       set->file.who, name, size, h.bytes, set->file.path);
    return tg_array_layout(a, h.dtype, h.shape);
}

static tg_status read_elements(const tg_npy_source *s, const tg_npy_header *h, tg_array *a) {
    tg_status status = tg_npy_lay_out(h, a);
    if (status == TG_OK) status = tg_array_alloc_like(a, a);
    if (status != TG_OK) return status;
    char more; /* behind the end the checksum is looked at */
    const int64_t n = h->bytes - h->length, got = s->read(s->from, a->data, n),
                  extra = got == n ? s->read(s->from, &more, 1) : 0;
    if (got < 0 || extra < 0) return tg_error_status();
    if (got < n || extra > 0)
        return tg_fail(TG_ERR_FORMAT, "%s: the data of an entry are damaged: there are %s than it says: %s",
                       s->who, got < n ? "fewer" : "more", s->where);
    status = tg_npy_check(s, h, a);
    if (status != TG_OK) return status;
    tg_npy_finish(h, a);
    return tg_array_contiguous(a, a);
}

tg_status tg_npz_read_array(tg_npz_set *set, const tg_named *named, tg_array *a) {
    entry e;
    tg_npy_source s;
    tg_npy_header h;
    tg_status status = open_entry(set, (uint64_t)named->stored, named->name, &e, &s);
    if (status != TG_OK) return status;
    status = tg_npy_read_header(&s, &h);
    if (status == TG_OK && (h.dtype != (tg_dtype)named->a.dtype || h.numel != named->a.numel))
        status = fail_entry(&set->file, named->name, "has changed since it was opened");
    if (status == TG_OK) status = read_elements(&s, &h, a);
    (void)zip_fclose(e.file);
    return status;
}

/* ---- the set ---- */

static tg_status add_entry(tg_npz_set *set, uint64_t i, uint64_t *left) {
    const tg_reader *r = &set->file;
    zip_stat_t st;
    size_t n = 0;
    const char *name = zip_get_name(set->zip, i, ZIP_FL_ENC_RAW);
    if (!name || zip_stat_index(set->zip, i, 0, &st) != 0)
        return fail_zip(r, zip_error_code_zip(zip_get_error(set->zip)), "an entry cannot be found",
                        zip_strerror(set->zip));
    tg_status status = check_entry_name(r, name, &n);
    if (status == TG_OK) status = check_entry(r, &st, name, left);
    if (status != TG_OK) return status;
    tg_named e = {.name = tg_text_copy(name, n), .stored = (int)i, .offset = 1};
    if (!e.name) return tg_error_status();
    const char *fault = tg_npz_name_fault(e.name);
    status =
        fault ? tg_fail(TG_ERR_FORMAT, "%s: the name of entry \"%.100s\" %s: %s", r->who, name, fault, r->path)
              : read_entry_header(set, i, name, st.size, &e.a);
    if (status == TG_OK) status = tg_named_append(&set->arrays, &e);
    if (status != TG_OK) tg_named_drop(&e);
    return status;
}

tg_status tg_npz_read(tg_npz_set *set) {
    tg_status status = open_archive(set);
    if (status != TG_OK) return status;
    const int64_t n = zip_get_num_entries(set->zip, 0);
    uint64_t left = (uint64_t)set->file.size;
    if (n > TG_NAMED_MOST)
        return tg_fail(TG_ERR_FORMAT, "%s: the archive has more than %d entries: %s", set->file.who,
                       TG_NAMED_MOST, set->file.path);
    for (int64_t i = 0; i < n && status == TG_OK; i++) status = add_entry(set, (uint64_t)i, &left);
    tg_named_sort(&set->arrays);
    return status;
}
#else
tg_status tg_npz_read(tg_npz_set *set) {
    return tg_fail(TG_ERR_IO, "%s: this build of the library has no libzip (Debian: libzip-dev): %s",
                   set->file.who, set->file.path);
}

void tg_npz_close(tg_npz_set *set) { (void)set; }

tg_status tg_npz_read_array(tg_npz_set *set, const tg_named *e, tg_array *a) {
    return (void)e, (void)a, tg_npz_read(set);
}
#endif
