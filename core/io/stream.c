/* Reading and writing files, plain or compressed. zlib's own gzread would serve, but it says nothing about bytes after the
 * last member. A new file is written beside the old one, and replaces it when all of it is on disk.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_TMPFILE */
#endif
#include "core/io/stream.h"

#include "core/parallel.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Deflate cannot do better than 1032 to 1: zlib's technical details, "Maximum Compression Factor". */
#define DEFLATE_LIMIT 1032

enum {
    MOST_AT_ONCE = 1 << 30, /* bytes in one call to the system or zlib */
    READ_BLOCK = 4 << 20,   /* bytes that one of several threads reads */
    TRIES = 1000            /* names tried for a new file */
};

static tg_status fail_errno(const char *who, const char *what, const char *path) {
    return tg_fail(TG_ERR_IO, "%s: %s: %s: %s", who, what, strerror(errno), path);
}

/* ---- reading ---- */

/* As read(2), with an error raised where it fails. */
static int read_file(tg_reader *r, void *to, int64_t n) {
    ssize_t got;
    do got = read(r->fd, to, (size_t)n);
    while (got < 0 && errno == EINTR);
    if (got < 0) fail_errno(r->who, "the file cannot be read", r->path);
    return (int)got;
}

#if TG_HAVE_ZLIB
enum {
    GZIP_WINDOW = 15 + 16 /* for inflateInit2: any window, in gzip's wrapping */
};

/* Whether a member has ended and what was read after it has given no output yet. */
static bool is_behind(const tg_reader *r) { return r->whole && r->z.total_out == 0; }

static tg_status fail_inflate(const tg_reader *r, int code) {
    if (code == Z_MEM_ERROR)
        return tg_fail(TG_ERR_MEMORY, "%s: zlib could not allocate memory: %s", r->who, r->path);
    if (is_behind(r))
        return tg_fail(TG_ERR_FORMAT,
                       "%s: the file has trailing bytes: what follows the compressed data is not gzip: %s",
                       r->who, r->path);
    return tg_fail(TG_ERR_FORMAT, "%s: the compressed data are damaged: %s", r->who, r->path);
}

static tg_status start_reading(tg_reader *r) {
    const int code = r->compressed ? inflateInit2(&r->z, GZIP_WINDOW) : Z_OK;
    return code == Z_OK ? TG_OK : fail_inflate(r, code);
}

/* Reads at least one of the next n bytes and returns how many; 0 at the end, -1 with an error raised. */
static int read_packed(tg_reader *r, void *to, int64_t n) {
    z_stream *z = &r->z;
    z->next_out = to;
    z->avail_out = (unsigned)n;
    while (z->avail_out == (unsigned)n) {
        if (z->avail_in == 0) {
            const int got = read_file(r, r->packed, sizeof r->packed);
            if (got < 0) return -1;
            z->next_in = r->packed;
            z->avail_in = (unsigned)got;
            if (got == 0 && r->whole && z->total_in == 0) return 0;
        }
        int code = inflate(z, Z_NO_FLUSH);
        if (code == Z_STREAM_END) {
            r->whole = true;
            code = inflateReset(z);
        }
        r->cut_off = code == Z_BUF_ERROR && !is_behind(r); /* it needs more, and there is no more */
        if (r->cut_off) return 0;
        if (code != Z_OK) return fail_inflate(r, code), -1;
    }
    return (int)((unsigned)n - z->avail_out);
}

void tg_reader_close(tg_reader *r) {
    if (r->compressed) inflateEnd(&r->z);
    close(r->fd);
}
#else
static tg_status start_reading(tg_reader *r) {
    if (!r->compressed) return TG_OK;
    return tg_fail(TG_ERR_IO, "%s: the file is compressed, and this build of the library has no zlib: %s",
                   r->who, r->path);
}

static int read_packed(tg_reader *r, void *to, int64_t n) { return read_file(r, to, n); }

void tg_reader_close(tg_reader *r) { close(r->fd); }
#endif

/* O_NONBLOCK keeps open from waiting for the writer of a pipe; regular files ignore it. */
tg_status tg_reader_open(tg_reader *r, const char *who, const char *path, tg_packing packing) {
    *r = (tg_reader){.who = who, .path = path};
    r->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (r->fd < 0) return fail_errno(who, "the file cannot be opened", path);
    struct stat st;
    tg_status status = TG_OK;
    if (fstat(r->fd, &st) != 0) {
        status = fail_errno(who, "the file cannot be opened", path);
    } else if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        status = fail_errno(who, "the file cannot be read", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = tg_fail(TG_ERR_IO, "%s: this is not a regular file: %s", who, path);
    } else {
        unsigned char magic[2];
        r->size = st.st_size;
        r->compressed = packing == TG_MAYBE_GZIP && pread(r->fd, magic, 2, 0) == 2 && magic[0] == 0x1f &&
                        magic[1] == 0x8b;
        status = start_reading(r);
    }
    if (status != TG_OK) tg_reader_close(r);
    return status;
}

int64_t tg_reader_read(tg_reader *r, void *to, int64_t n) {
    int64_t total = 0;
    while (total < n) {
        const int64_t left = n - total < MOST_AT_ONCE ? n - total : MOST_AT_ONCE;
        char *at = (char *)to + total;
        const int got = r->compressed ? read_packed(r, at, left) : read_file(r, at, left);
        if (got < 0) return -1;
        if (got == 0) break;
        total += got;
    }
    r->done += total;
    return total;
}

/* A read that several threads share. */
typedef struct shared_read {
    int fd;
    int64_t offset;
    char *to;
    atomic_bool failed; /* some block was not read whole */
} shared_read;

static void read_block(void *context, int64_t begin, int64_t end) {
    shared_read *s = context;
    while (begin < end) {
        const ssize_t got = pread(s->fd, s->to + begin, (size_t)(end - begin), s->offset + begin);
        if (got < 0 && errno == EINTR) continue;
        if (got <= 0) {
            s->failed = true;
            return;
        }
        begin += got;
    }
}

/* Whether all was read. Half the time of a large read goes to the system's clearing of new pages, which it does for each
 * thread at once. */
static bool read_by_threads(const tg_reader *r, int64_t offset, void *to, int64_t n) {
    shared_read s = {.fd = r->fd, .offset = offset, .to = to};
    if (n < 4 * READ_BLOCK) return false;
    tg_parallel_for(n, READ_BLOCK, read_block, &s);
    return !s.failed;
}

tg_status tg_reader_at(tg_reader *r, int64_t offset, void *to, int64_t n) {
    if (read_by_threads(r, offset, to, n)) return TG_OK;
    for (char *p = to; n > 0;) {
        const ssize_t got = pread(r->fd, p, (size_t)(n < MOST_AT_ONCE ? n : MOST_AT_ONCE), offset);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return fail_errno(r->who, "the file cannot be read", r->path);
        if (got == 0)
            return tg_fail(TG_ERR_FORMAT, "%s: the file has become shorter since it was opened: %s", r->who,
                           r->path);
        p += got;
        offset += got;
        n -= got;
    }
    return TG_OK;
}

static tg_status fail_length(const tg_reader *r, const char *what, int64_t present) {
    return tg_fail(TG_ERR_FORMAT,
                   "%s: the file %s: its header declares %" PRId64 " bytes, and %" PRId64 " are present: %s",
                   r->who, what, r->declared, present, r->path);
}

/* Holds the declared length against that of a plain file, or against the most that a compressed one can hold. */
tg_status tg_reader_declare(tg_reader *r, int64_t bytes) {
    r->declared = bytes;
    if (!r->compressed) {
        if (r->size < bytes) return fail_length(r, "is truncated", r->size);
        if (r->size > bytes) return fail_length(r, "has trailing bytes", r->size);
    } else if (bytes / DEFLATE_LIMIT > r->size) {
        return tg_fail(TG_ERR_FORMAT,
                       "%s: the file is truncated: its header declares %" PRId64
                       " bytes, more than the %" PRId64 " present can hold compressed: %s",
                       r->who, bytes, r->size, r->path);
    }
    return TG_OK;
}

tg_status tg_reader_exactly(tg_reader *r, void *to, int64_t n) {
    const int64_t got = tg_reader_read(r, to, n);
    if (got < 0) return tg_error_status();
    return got < n ? fail_length(r, "is truncated", r->done) : TG_OK;
}

tg_status tg_reader_end(tg_reader *r) {
    unsigned char extra;
    const int64_t more = tg_reader_read(r, &extra, 1);
    if (more < 0) return tg_error_status();
    if (more > 0)
        return tg_fail(TG_ERR_FORMAT,
                       "%s: the file has trailing bytes: its header declares %" PRId64
                       " bytes, and more are present: %s",
                       r->who, r->declared, r->path);
    if (r->cut_off) return tg_fail(TG_ERR_FORMAT, "%s: the compressed data are cut off: %s", r->who, r->path);
    return TG_OK;
}

/* ---- writing ---- */

#if TG_HAVE_ZLIB
/* A descriptor of its own, so that the file can be flushed to disk after zlib has closed. */
static tg_status start_compression(tg_writer *w) {
    const int fd = fcntl(w->fd, F_DUPFD_CLOEXEC, 0);
    if (fd < 0) return fail_errno(w->who, "the file cannot be written", w->path);
    w->gz = gzdopen(fd, "wb");
    if (w->gz) return TG_OK;
    close(fd);
    return tg_fail(TG_ERR_MEMORY, "%s: zlib could not allocate memory: %s", w->who, w->path);
}

static tg_status end_compression(tg_writer *w) {
    if (!w->gz) return TG_OK;
    const int code = gzclose_w(w->gz);
    w->gz = NULL;
    if (code == Z_OK) return TG_OK;
    if (code == Z_ERRNO) return fail_errno(w->who, "the file cannot be written", w->path);
    return tg_fail(TG_ERR_IO, "%s: zlib failed with code %d: %s", w->who, code, w->path);
}

static int64_t write_some(tg_writer *w, const char *p, int64_t n) {
    if (!w->gz) return write(w->fd, p, (size_t)n);
    const int done = gzwrite(w->gz, p, (unsigned)n);
    return done > 0 ? done : -1;
}
#else
static tg_status start_compression(tg_writer *w) {
    return tg_fail(TG_ERR_IO, "%s: this build of the library has no zlib for .gz: %s", w->who, w->path);
}
static tg_status end_compression(tg_writer *w) { return (void)w, TG_OK; }
static int64_t write_some(tg_writer *w, const char *p, int64_t n) { return write(w->fd, p, (size_t)n); }
#endif

tg_status tg_writer_put(tg_writer *w, const void *bytes, int64_t n) {
    for (const char *p = bytes; n > 0;) {
        const int64_t done = write_some(w, p, n < MOST_AT_ONCE ? n : MOST_AT_ONCE);
        if (done < 0 && !w->compressed && errno == EINTR) continue;
        if (done < 0) return fail_errno(w->who, "the file cannot be written", w->path);
        p += done;
        n -= done;
    }
    return TG_OK;
}

tg_status tg_writer_seek(tg_writer *w, int64_t offset) {
    if (lseek(w->fd, (off_t)offset, SEEK_SET) == (off_t)offset) return TG_OK;
    return fail_errno(w->who, "the file cannot be written", w->path);
}

/* Makes a name in the folder of the file that no other save uses, so short that it fits wherever the file's own does. */
static void name_temporary(tg_writer *w) {
    static atomic_uint serial;
    const char *slash = strrchr(w->real, '/');
    int folder = slash ? (int)(slash - w->real) + 1 : 0;
    snprintf(w->temporary, sizeof w->temporary, "%.*s.tg-%ld-%u.tmp", folder, w->real, (long)getpid(),
             atomic_fetch_add(&serial, 1));
}

/* Opens the folder that the file is in; -1 where it cannot be opened with these flags. */
static int open_folder(const tg_writer *w, int flags) {
    char folder[PATH_MAX];
    memcpy(folder, w->real, sizeof folder);
    char *slash = strrchr(folder, '/');
    if (slash) slash[slash == folder] = '\0';
    return open(slash ? folder : ".", flags | O_CLOEXEC, 0666);
}

/* Opens a file without a name; false where the system has no such files. */
static bool open_nameless(tg_writer *w) {
#ifdef O_TMPFILE
    w->fd = open_folder(w, O_WRONLY | O_TMPFILE);
#endif
    return w->nameless = w->fd >= 0;
}

/* Creates the new file, with the mode of the old one. */
static tg_status create(tg_writer *w, const struct stat *old) {
    for (int i = 0; i < TRIES && w->fd < 0 && !open_nameless(w); i++) {
        name_temporary(w);
        w->fd = open(w->temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
        if (w->fd < 0 && errno != EEXIST) break;
    }
    if (w->fd < 0) return fail_errno(w->who, "the file cannot be created", w->path);
    tg_status status = TG_OK;
    if (old && fchmod(w->fd, old->st_mode & 0777) != 0)
        status = fail_errno(w->who, "the file cannot be created", w->path);
    if (status == TG_OK && w->compressed) status = start_compression(w);
    if (status == TG_OK) return TG_OK;
    (void)close(w->fd);
    if (!w->nameless) (void)unlink(w->temporary);
    return status;
}

/* Follows a link: it stays, and what it leads to is replaced. */
static tg_status find_target(tg_writer *w) {
    struct stat st;
    if (strlen(w->path) >= sizeof w->real) {
        errno = ENAMETOOLONG;
        return fail_errno(w->who, "the file cannot be written", w->path);
    }
    memcpy(w->real, w->path, strlen(w->path) + 1);
    if (lstat(w->path, &st) != 0 || !S_ISLNK(st.st_mode) || realpath(w->path, w->real)) return TG_OK;
    return fail_errno(w->who, "the link cannot be followed", w->path);
}

tg_status tg_writer_open(tg_writer *w, const char *who, const char *path, tg_packing packing) {
    const size_t length = strlen(path);
    *w = (tg_writer){.who = who, .path = path, .fd = -1};
    w->compressed = packing == TG_MAYBE_GZIP && length >= 3 && strcmp(path + length - 3, ".gz") == 0;
    tg_status status = find_target(w);
    if (status != TG_OK) return status;
    struct stat st;
    const bool old = stat(w->real, &st) == 0;
    if (old && S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        return fail_errno(who, "the file cannot be written", path);
    }
    if (old && !S_ISREG(st.st_mode))
        return tg_fail(TG_ERR_IO, "%s: this is not a regular file: %s", who, path);
    return create(w, old ? &st : NULL);
}

/* Gives a file without a name one that nobody has, so that a rename can replace the old file at once. */
static tg_status give_name(tg_writer *w) {
    if (!w->nameless) return TG_OK;
    char self[64];
    snprintf(self, sizeof self, "/proc/self/fd/%d", w->fd);
    for (int i = 0; i < TRIES; i++) {
        name_temporary(w);
        w->nameless = linkat(AT_FDCWD, self, AT_FDCWD, w->temporary, AT_SYMLINK_FOLLOW) != 0;
        if (!w->nameless) return TG_OK;
        if (errno != EEXIST) break;
    }
    return fail_errno(w->who, "the file cannot be created", w->path);
}

/* Flushes the folder, so that the new name outlasts a loss of power. A folder that may be written but not read cannot be flushed, and some
 * file systems flush none (EINVAL): the file itself is safe either way. */
static tg_status flush_folder(const tg_writer *w) {
    const int fd = open_folder(w, O_RDONLY | O_DIRECTORY);
    if (fd < 0) return TG_OK;
    const bool failed = fsync(fd) != 0 && errno != EINVAL;
    const tg_status status =
        failed ? fail_errno(w->who, "the file is there, but its folder cannot be flushed", w->path) : TG_OK;
    (void)close(fd);
    return status;
}

tg_status tg_writer_close(tg_writer *w, tg_status status) {
    const tg_status ended = end_compression(w);
    if (status == TG_OK) status = ended;
    if (status == TG_OK && fsync(w->fd) != 0)
        status = fail_errno(w->who, "the file cannot be written", w->path);
    if (status == TG_OK) status = give_name(w);
    if (close(w->fd) != 0 && status == TG_OK)
        status = fail_errno(w->who, "the file cannot be written", w->path);
    if (status == TG_OK && rename(w->temporary, w->real) != 0)
        status = fail_errno(w->who, "the file cannot be replaced", w->path);
    if (status != TG_OK && !w->nameless) (void)unlink(w->temporary);
    return status == TG_OK ? flush_folder(w) : status;
}
