/* IDX files, the format of MNIST: one array of rank 1 to 8, big-endian, plain or gzip-compressed.
 *
 *     byte 0, 1   zero
 *     byte 2      element type: 0x08 u8, 0x09 i8, 0x0B i16, 0x0C i32, 0x0D f32, 0x0E f64
 *     byte 3      rank
 *     then        the sizes, 4 bytes each, and the elements in row-major order
 */
#ifndef TG_CORE_IO_IDX_H
#define TG_CORE_IO_IDX_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The array in the file, on the current tape: u8 as TG_U8; i8, i16 and i32 as TG_I32; f32 and f64 as they
 * are. gzip is recognised by content, not by name; several members in a row are one stream. TG_ERR_IO is for a file that
 * is missing, unreadable or not a regular file; TG_ERR_FORMAT for a wrong magic number, type or rank, for fewer or more
 * bytes than the header declares, and for anything after the last gzip member, be it zeros. The declared size is checked
 * before memory is asked for. While an error is pending the result is poison. */
TG_API tg_tensor *tg_load_idx(const char *path);

/* The same without reading it: the elements stay in the file, and come to memory page by page when they are touched, so that
 * the file may be larger than memory. They may only be read (tg_is_read_only). The mapping ends with the last tensor that
 * refers to it.
 *
 * The file must not change meanwhile. One that is replaced (as savers do) or removed is safe, since the mapping keeps the old
 * one. What is written into the file itself may or may not be seen; and if somebody truncates it, the system ends a
 * program that touches what is gone (SIGBUS): map files that are yours, load others.
 *
 * The header is checked as above. TG_ERR_DTYPE is for elements other than u8, whose bytes are in another order than those of
 * most machines, and TG_ERR_FORMAT also for a compressed file. */
TG_API tg_tensor *tg_map_idx(const char *path);

/* Writes t, which is u8, bool (written as u8), i32, f32 or f64, of rank 1 to 8 with sizes below 2^32. The file is
 * compressed when the path ends in ".gz". It appears whole or not at all, and is on
 * disk when the call returns: a failure leaves an old file as it was. A symbolic link stays, and the file it leads to is
 * replaced. */
TG_API tg_status tg_save_idx(const tg_tensor *t, const char *path);

#ifdef __cplusplus
}
#endif

#endif
