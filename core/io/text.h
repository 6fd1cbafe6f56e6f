/* Text files, or any others, as their bytes. ops/nn/data/vocab.h makes numbers of characters. */
#ifndef TG_CORE_IO_TEXT_H
#define TG_CORE_IO_TEXT_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The bytes of the file, u8 [n], on the current tape; of a gzip-compressed one, which is recognised by content, those that
 * it holds. Nothing is asked of them. TG_ERR_IO is for a file that is missing, unreadable or not a regular file,
 * TG_ERR_FORMAT for damage of the compression. While an error is pending the result is poison. */
TG_API tg_tensor *tg_load_text(const char *path);

/* The length in bytes of the UTF-8 character at s, of which n bytes are there, at least one; *code receives its code point.
 * 0 where there is none: NUL, and what Unicode's table 3-7 of well-formed sequences does not have; and
 * for NULL and n < 1, with TG_ERR_ARGUMENT. */
TG_API int tg_utf8_decode(const void *s, int64_t n, uint32_t *code);

/* Writes the bytes of t, u8 [n]. The file is compressed when the path ends in ".gz". It appears whole or not at all, and is
 * on disk when the call returns: a failure leaves an old file as it was. A symbolic link stays, and the file it leads to
 * is replaced. */
TG_API tg_status tg_save_text(const tg_tensor *t, const char *path);

#ifdef __cplusplus
}
#endif

#endif
