/* Private. The stream under all file formats: a file read from its start to its end, or written whole or not at all.
 * Either may be gzip-compressed. Messages begin with `who`, the function that the user called.
 *
 *     tg_reader_open    tg_reader_read ..           tg_reader_close
 *                       once the header is read: tg_reader_declare, then tg_reader_exactly .., tg_reader_end
 *     tg_writer_open    tg_writer_put ..            tg_writer_close
 */
#ifndef TG_CORE_IO_STREAM_H
#define TG_CORE_IO_STREAM_H

#include "core/error.h"

#include <limits.h>
#include <stddef.h>
#include <stdint.h>
#if TG_HAVE_ZLIB
#include <zlib.h>
#endif

/* Whether the content may be compressed: a reader looks at the first two bytes, a writer at the name, which ends in
 * ".gz". */
typedef enum tg_packing { TG_MAYBE_GZIP, TG_NEVER_GZIP } tg_packing;

/* ---- reading ---- */

typedef struct tg_reader {
    const char *who, *path;
    int fd;
    int64_t size;     /* of the file */
    int64_t done;     /* bytes of content that were read */
    int64_t declared; /* bytes of content that the header speaks of, itself included */
    bool compressed;  /* the file starts with gzip's magic number */
    bool cut_off;     /* reading came to the end of the file inside a gzip member */
#if TG_HAVE_ZLIB
    z_stream z;
    bool whole; /* a member was read to its end, so the file may end here */
    unsigned char packed[1 << 13];
#endif
} tg_reader;

/* TG_ERR_IO is for a file that is missing, unreadable or not a regular file; nothing is open then. */
tg_status tg_reader_open(tg_reader *r, const char *who, const char *path, tg_packing packing);
void tg_reader_close(tg_reader *r);

/* Reads n bytes, or fewer at the end of the file, and returns how many; -1 with an error raised. The members of a gzip
 * file are one stream, and anything else after them is TG_ERR_FORMAT. */
int64_t tg_reader_read(tg_reader *r, void *to, int64_t n);

/* Reads n bytes of a plain file from `offset` on, wherever reading is; fewer being TG_ERR_FORMAT. */
tg_status tg_reader_at(tg_reader *r, int64_t offset, void *to, int64_t n);

/* Notes that the content has `bytes` in all, as its header says. TG_ERR_FORMAT when a plain file has another length, or a compressed
 * one cannot hold as much; so memory that is asked for after this is in proportion to the file. */
tg_status tg_reader_declare(tg_reader *r, int64_t bytes);

/* Reads n bytes, fewer being TG_ERR_FORMAT: "the file is truncated". */
tg_status tg_reader_exactly(tg_reader *r, void *to, int64_t n);

/* Checks that the content ends here, and that a compressed one is whole: TG_ERR_FORMAT otherwise. */
tg_status tg_reader_end(tg_reader *r);

/* ---- writing ---- */

typedef struct tg_writer {
    const char *who, *path;
    char real[PATH_MAX];           /* where a symbolic link leads to, or the path itself */
    char temporary[PATH_MAX + 64]; /* a name in the same folder */
    bool nameless;                 /* the new file has no name yet, so that it goes with the process */
    int fd;
    bool compressed;
#if TG_HAVE_ZLIB
    gzFile gz; /* with a descriptor of its own; NULL: not open */
#endif
} tg_writer;

/* Opens a new file in the folder of `path`, where nobody sees it yet. TG_ERR_IO where there can be none, or where `path` is
 * something else than a regular file or a link to one; nothing is open then. */
tg_status tg_writer_open(tg_writer *w, const char *who, const char *path, tg_packing packing);
tg_status tg_writer_put(tg_writer *w, const void *bytes, int64_t n);

/* What is put from then on goes to this place of a file that is not compressed. */
tg_status tg_writer_seek(tg_writer *w, int64_t offset);

/* With `status`, that of the writing so far, TG_OK: the file goes to disk, takes the name, with the mode of the old one,
 * and the folder goes to disk. Otherwise, and where one of these fails, it is removed and an old file stays as it was. */
tg_status tg_writer_close(tg_writer *w, tg_status status);

#endif
