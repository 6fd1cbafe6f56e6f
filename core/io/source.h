/* Private. A file to be read from its start to its end, whose content may be gzip-compressed. */
#ifndef TG_CORE_IO_SOURCE_H
#define TG_CORE_IO_SOURCE_H

#include "core/error.h"

#include <stdint.h>
#if TG_HAVE_ZLIB
#include <zlib.h>
#endif

typedef struct tg_source {
    const char *path;
    int fd;
    int64_t size;    /* of the file */
    bool compressed; /* it starts with gzip's magic number */
    bool cut_off;    /* reading came to the end of the file inside a gzip member */
#if TG_HAVE_ZLIB
    z_stream z;
    bool whole; /* a member was read to its end, so the file may end here */
    unsigned char packed[1 << 13];
#endif
} tg_source;

/* TG_ERR_IO is for a file that is missing, unreadable or not a regular file; nothing is open then. */
tg_status tg_source_open(tg_source *s, const char *path);
void tg_source_close(tg_source *s);

/* Reads n bytes, or fewer at the end of the file, and returns how many; -1 with an error raised. The members of a gzip
 * file are one stream, and anything else after them is TG_ERR_FORMAT. */
int64_t tg_source_read(tg_source *s, void *to, int64_t n);

#endif
