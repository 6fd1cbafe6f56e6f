/* Writing IDX: to a new file beside the old one, which takes the old one's name when all is on disk. */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE */
#endif
#include "core/io/idx.h"
#include "core/slot.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#if TG_HAVE_ZLIB
#include <zlib.h>
#endif

enum {
    PIECE = 1 << 13,        /* bytes converted at a time */
    MOST_AT_ONCE = 1 << 30, /* bytes in one call to the system or zlib */
    TRIES = 1000            /* names tried for the new file */
};

typedef struct target {
    const char *path;
    char real[PATH_MAX];           /* where a symbolic link leads to, or the path itself */
    char temporary[PATH_MAX + 64]; /* a name in the same folder */
    bool nameless;                 /* the new file has no name yet, so that it goes with the process */
    int fd;
    bool compressed;
#if TG_HAVE_ZLIB
    gzFile gz; /* with a descriptor of its own; NULL: not open */
#endif
} target;

static tg_status fail_errno(const char *what, const char *path) {
    return tg_fail(TG_ERR_IO, "save_idx: %s: %s: %s", what, strerror(errno), path);
}

#if TG_HAVE_ZLIB
/* A descriptor of its own, so that the file can be flushed to disk after zlib has closed. */
static tg_status start_compression(target *t) {
    const int fd = fcntl(t->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return fail_errno("the file cannot be written", t->path);
    t->gz = gzdopen(fd, "wb");
    if (t->gz) return TG_OK;
    close(fd);
    return tg_fail(TG_ERR_MEMORY, "save_idx: zlib could not allocate memory: %s", t->path);
}

static tg_status end_compression(target *t) {
    if (!t->gz) return TG_OK;
    const int code = gzclose_w(t->gz);
    t->gz = NULL;
    if (code == Z_OK) return TG_OK;
    if (code == Z_ERRNO) return fail_errno("the file cannot be written", t->path);
    return tg_fail(TG_ERR_IO, "save_idx: zlib failed with code %d: %s", code, t->path);
}

static int64_t write_some(target *t, const char *p, int64_t n) {
    if (!t->gz) return write(t->fd, p, (size_t)n);
    const int done = gzwrite(t->gz, p, (unsigned)n);
    return done > 0 ? done : -1;
}
#else
static tg_status start_compression(target *t) {
    return tg_fail(TG_ERR_IO, "save_idx: this build of the library has no zlib for .gz: %s", t->path);
}
static tg_status end_compression(target *t) { return (void)t, TG_OK; }
static int64_t write_some(target *t, const char *p, int64_t n) { return write(t->fd, p, (size_t)n); }
#endif

static tg_status put_bytes(target *t, const void *bytes, int64_t n) {
    for (const char *p = bytes; n > 0;) {
        const int64_t done = write_some(t, p, n < MOST_AT_ONCE ? n : MOST_AT_ONCE);
        if (done < 0 && !t->compressed && errno == EINTR) continue;
        if (done < 0) return fail_errno("the file cannot be written", t->path);
        p += done;
        n -= done;
    }
    return TG_OK;
}

/* Makes a name in the folder of the file that no other save uses, so short that it fits wherever the file's own does. */
static void name_temporary(target *t) {
    static atomic_uint serial;
    const char *slash = strrchr(t->real, '/');
    int folder = slash ? (int)(slash - t->real) + 1 : 0;
    snprintf(t->temporary, sizeof t->temporary, "%.*s.tg-%ld-%u.tmp", folder, t->real, (long)getpid(),
             atomic_fetch_add(&serial, 1));
}

/* Opens a file without a name; false where the system has no such files. */
static bool open_nameless(target *t) {
#ifdef O_TMPFILE
    char folder[PATH_MAX];
    snprintf(folder, sizeof folder, "%s", t->real);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    t->fd = open(slash ? folder : ".", O_WRONLY | O_TMPFILE | O_CLOEXEC, 0666);
#endif
    return t->nameless = t->fd >= 0;
}

/* Creates the new file, with the mode of the old one. */
static tg_status create(target *t, const struct stat *old) {
    for (int i = 0; i < TRIES && t->fd < 0 && !open_nameless(t); i++) {
        name_temporary(t);
        t->fd = open(t->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (t->fd < 0 && errno != EEXIST) break;
    }
    if (t->fd < 0) return fail_errno("the file cannot be created", t->path);
    tg_status status = TG_OK;
    if (old && fchmod(t->fd, old->st_mode & 0777) != 0) status = fail_errno("the file cannot be created", t->path);
    if (status == TG_OK && t->compressed) status = start_compression(t);
    if (status == TG_OK) return TG_OK;
    (void)close(t->fd);
    if (!t->nameless) (void)unlink(t->temporary);
    return status;
}

/* Follows a link: it stays, and what it leads to is replaced. */
static tg_status find_target(target *t) {
    struct stat st;
    if (strlen(t->path) >= sizeof t->real) {
        errno = ENAMETOOLONG;
        return fail_errno("the file cannot be written", t->path);
    }
    memcpy(t->real, t->path, strlen(t->path) + 1);
    if (lstat(t->path, &st) != 0 || !S_ISLNK(st.st_mode) || realpath(t->path, t->real)) return TG_OK;
    return fail_errno("the link cannot be followed", t->path);
}

static tg_status target_open(target *t, const char *path) {
    const size_t length = strlen(path);
    t->path = path;
    t->fd = -1;
    t->compressed = length >= 3 && strcmp(path + length - 3, ".gz") == 0;
#if TG_HAVE_ZLIB
    t->gz = NULL;
#endif
    tg_status status = find_target(t);
    if (status != TG_OK) return status;
    struct stat st;
    const bool old = stat(t->real, &st) == 0;
    if (old && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return fail_errno("the file cannot be written", path);
    }
    if (old && !S_ISREG(st.st_mode)) return tg_fail(TG_ERR_IO, "save_idx: this is not a regular file: %s", path);
    return create(t, old ? &st : NULL);
}

/* Gives a file without a name one that nobody has, so that a rename can replace the old file at once. */
static tg_status give_name(target *t) {
    if (!t->nameless) return TG_OK;
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", t->fd);
    for (int i = 0; i < TRIES; i++) {
        name_temporary(t);
        t->nameless = linkat(AT_FDCWD, self, AT_FDCWD, t->temporary, AT_SYMLINK_FOLLOW) != 0;
        if (!t->nameless) return TG_OK;
        if (errno != EEXIST) break;
    }
    return fail_errno("the file cannot be created", t->path);
}

/* Gives the new file the name when `status` is TG_OK so far, and removes it otherwise. */
static tg_status target_close(target *t, tg_status status) {
    const tg_status ended = end_compression(t);
    if (status == TG_OK) status = ended;
    if (status == TG_OK && fsync(t->fd) != 0) status = fail_errno("the file cannot be written", t->path);
    if (status == TG_OK) status = give_name(t);
    if (close(t->fd) != 0 && status == TG_OK) status = fail_errno("the file cannot be written", t->path);
    if (status == TG_OK && rename(t->temporary, t->real) != 0) status = fail_errno("the file cannot be replaced", t->path);
    if (status != TG_OK && !t->nameless) (void)unlink(t->temporary);
    return status;
}

/* The element type's code in the file; 0: IDX has none. */
static unsigned char code_of(tg_dtype dtype) {
    static const unsigned char code[TG_DTYPES] = {
        [TG_U8] = 0x08, [TG_BOOL] = 0x08, [TG_I32] = 0x0C, [TG_F32] = 0x0D, [TG_F64] = 0x0E};
    return code[dtype];
}

static void put_word(unsigned char *p, uint32_t v) {
    for (int i = 0; i < 4; i++) p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static tg_status put_header(target *t, const tg_array *a) {
    unsigned char b[4 + 4 * TG_MAX_RANK] = {0, 0, code_of((tg_dtype)a->dtype), a->rank};
    for (int i = 0; i < a->rank; i++) put_word(b + 4 + 4 * i, (uint32_t)a->shape[i]);
    return put_bytes(t, b, 4 + 4 * a->rank);
}

/* n elements of `width` bytes, most significant byte first. */
static void encode(const unsigned char *in, int64_t n, size_t width, unsigned char *out) {
    for (int64_t i = 0; i < n; i++, in += width, out += width) {
        uint32_t word;
        uint64_t v;
        if (width == 8) {
            memcpy(&v, in, 8);
            put_word(out, (uint32_t)(v >> 32));
            put_word(out + 4, (uint32_t)v);
        } else {
            memcpy(&word, in, 4);
            put_word(out, word);
        }
    }
}

static tg_status put_elements(target *t, const tg_array *a) {
    const size_t width = tg_dtype_size((tg_dtype)a->dtype);
    if (width == 1) return put_bytes(t, a->data, a->numel);
    unsigned char buf[PIECE];
    tg_status status = TG_OK;
    const int64_t step = PIECE / (int64_t)width;
    for (int64_t i = 0; i < a->numel && status == TG_OK; i += step) {
        const int64_t n = a->numel - i < step ? a->numel - i : step;
        encode((const unsigned char *)a->data + (size_t)i * width, n, width, buf);
        status = put_bytes(t, buf, n * (int64_t)width);
    }
    return status;
}

static tg_status save(const tg_array *a, const char *path) {
    target t;
    tg_status status = target_open(&t, path);
    if (status != TG_OK) return status;
    status = put_header(&t, a);
    if (status == TG_OK) status = put_elements(&t, a);
    return target_close(&t, status);
}

/* Whether the format can hold t; if not, the error is raised. */
static tg_status check(const tg_tensor *t, const tg_array *a) {
    char text[160];
    if (code_of((tg_dtype)a->dtype) == 0)
        return tg_fail(TG_ERR_DTYPE, "save_idx: IDX has no element type for %s",
                       tg_describe(t, text, sizeof text));
    if (a->rank == 0)
        return tg_fail(TG_ERR_SHAPE, "save_idx: IDX holds arrays of rank 1 to %d, and not the scalar %s", TG_MAX_RANK,
                       tg_describe(t, text, sizeof text));
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
    if (!s) return tg_error_status();
    tg_status status = check(t, &s->a);
    if (status != TG_OK) return status;
    tg_array a = {0};
    status = tg_array_contiguous(&a, &s->a);
    if (status != TG_OK) return status;
    status = save(&a, path);
    tg_array_drop(&a);
    return status;
}
