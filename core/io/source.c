/* Reading a file, plain or compressed. zlib's own gzread would serve, but it says nothing about bytes after the last
 * member.
 */
#ifndef _POSIX_C_SOURCE
#define _POSIX_C_SOURCE 200809L
#endif
#include "core/io/source.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    MOST_AT_ONCE = 1 << 30 /* bytes in one call to the system or zlib */
};

static tg_status fail_errno(const char *what, const char *path) {
    return tg_fail(TG_ERR_IO, "load_idx: %s: %s: %s", what, strerror(errno), path);
}

/* As read(2), with an error raised where it fails. */
static int read_file(tg_source *s, void *to, int64_t n) {
    ssize_t got;
    do got = read(s->fd, to, (size_t)n);
    while (got < 0 && errno == EINTR);
    if (got < 0) fail_errno("the file cannot be read", s->path);
    return (int)got;
}

#if TG_HAVE_ZLIB
enum {
    GZIP_WINDOW = 15 + 16 /* for inflateInit2: any window, in gzip's wrapping */
};

/* Whether a member has ended and what was read after it has given no output yet. */
static bool is_behind(const tg_source *s) { return s->whole && s->z.total_out == 0; }

static tg_status fail_inflate(const tg_source *s, int code) {
    if (code == Z_MEM_ERROR) return tg_fail(TG_ERR_MEMORY, "load_idx: zlib could not allocate memory: %s", s->path);
    if (is_behind(s))
        return tg_fail(TG_ERR_FORMAT,
                       "load_idx: the file has trailing bytes: what follows the compressed data is not gzip: %s", s->path);
    return tg_fail(TG_ERR_FORMAT, "load_idx: the compressed data are damaged: %s", s->path);
}

static tg_status start(tg_source *s) {
    const int code = s->compressed ? inflateInit2(&s->z, GZIP_WINDOW) : Z_OK;
    return code == Z_OK ? TG_OK : fail_inflate(s, code);
}

/* Reads at least one of the next n bytes and returns how many; 0 at the end, -1 with an error raised. */
static int read_packed(tg_source *s, void *to, int64_t n) {
    z_stream *z = &s->z;
    z->next_out = to;
    z->avail_out = (unsigned)n;
    while (z->avail_out == (unsigned)n) {
        if (z->avail_in == 0) {
            const int got = read_file(s, s->packed, sizeof s->packed);
            if (got < 0) return -1;
            z->next_in = s->packed;
            z->avail_in = (unsigned)got;
            if (got == 0 && s->whole && z->total_in == 0) return 0;
        }
        int code = inflate(z, Z_NO_FLUSH);
        if (code == Z_STREAM_END) {
            s->whole = true;
            code = inflateReset(z);
        }
        s->cut_off = code == Z_BUF_ERROR && !is_behind(s); /* it needs more, and there is no more */
        if (s->cut_off) return 0;
        if (code != Z_OK) return fail_inflate(s, code), -1;
    }
    return (int)((unsigned)n - z->avail_out);
}

void tg_source_close(tg_source *s) {
    if (s->compressed) inflateEnd(&s->z);
    close(s->fd);
}
#else
static tg_status start(tg_source *s) {
    if (!s->compressed) return TG_OK;
    return tg_fail(TG_ERR_IO, "load_idx: the file is compressed, and this build of the library has no zlib: %s", s->path);
}

static int read_packed(tg_source *s, void *to, int64_t n) { return read_file(s, to, n); }

void tg_source_close(tg_source *s) { close(s->fd); }
#endif

/* O_NONBLOCK keeps open from waiting for the writer of a pipe; regular files ignore it. */
tg_status tg_source_open(tg_source *s, const char *path) {
    *s = (tg_source){.path = path};
    s->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (s->fd < 0) return fail_errno("the file cannot be opened", path);
    struct stat st;
    tg_status status = TG_OK;
    if (fstat(s->fd, &st) != 0) {
        status = fail_errno("the file cannot be opened", path);
    } else if (S_ISDIR(st.st_mode)) {
        errno = EISDIR;
        status = fail_errno("the file cannot be read", path);
    } else if (!S_ISREG(st.st_mode)) {
        status = tg_fail(TG_ERR_IO, "load_idx: this is not a regular file: %s", path);
    } else {
        unsigned char magic[2];
        s->size = st.st_size;
        s->compressed = pread(s->fd, magic, 2, 0) == 2 && magic[0] == 0x1f && magic[1] == 0x8b;
        status = start(s);
    }
    if (status != TG_OK) tg_source_close(s);
    return status;
}

int64_t tg_source_read(tg_source *s, void *to, int64_t n) {
    int64_t total = 0;
    while (total < n) {
        const int64_t left = n - total < MOST_AT_ONCE ? n - total : MOST_AT_ONCE;
        char *at = (char *)to + total;
        const int got = s->compressed ? read_packed(s, at, left) : read_file(s, at, left);
        if (got < 0) return -1;
        if (got == 0) break;
        total += got;
    }
    return total;
}
