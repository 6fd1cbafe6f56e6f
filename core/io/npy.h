/* npy files, NumPy's format: one array of rank 0 to 8, plain or gzip-compressed.
 *
 *     byte 0 to 5   0x93 "NUMPY"
 *     byte 6, 7     version: 1.0, 2.0 or 3.0
 *     then          the length of the header, 2 bytes in version 1 and 4 in the others, least significant first
 *     then          the header, a Python literal: {'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }
 *     then          the elements
 */
#ifndef TG_CORE_IO_NPY_H
#define TG_CORE_IO_NPY_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The array in the file, on the current tape: f4 as TG_F32, f8 as TG_F64, i4 as TG_I32, i8 as TG_I64, u1 as TG_U8 and b1
 * as TG_BOOL, of either byte order. One in Fortran order (column-major) is turned into row-major order, for which it is
 * there twice for a moment. gzip is recognised by content, as np.save writes it through gzip.open.
 *
 * Nothing in the file is trusted or run. TG_ERR_DTYPE is for a dtype that is none of these, which the message names;
 * objects, which are Python's pickles, are among them. TG_ERR_FORMAT is for another version, for a header that is longer
 * than 10,000 bytes (NumPy's own limit), holds anything but ASCII or is not the literal above (its three keys once each,
 * in any order), for sizes that cannot be counted, for fewer or more bytes than the header declares, for a bool that is
 * neither 0 nor 1, and for anything after the last gzip member. TG_ERR_IO is for a file that is missing, unreadable or not a
 * regular file. The declared size is checked before memory is asked for. While an error is pending the result is
 * poison. */
TG_API tg_tensor *tg_load_npy(const char *path);

/* The same without reading it: the elements stay in the file, and come to memory page by page when they are touched, so that
 * the file may be larger than memory. They may only be read (tg_is_read_only). The mapping ends with the last tensor that
 * refers to it.
 *
 * The file must not change meanwhile. One that is replaced (as savers do) or removed is safe, since the mapping keeps the old
 * one. What is written into the file itself may or may not be seen; and if somebody truncates it, the system ends a
 * program that touches what is gone (SIGBUS): map files that are yours, load others.
 *
 * The header is checked as above; TG_ERR_FORMAT, with a message that says
 * which, is also for what cannot be used as it lies in the file: compressed, of the other byte order, bools, or elements that
 * are not at a multiple of their size, which NumPy has had since 1.14. Fortran order is a view with such strides. */
TG_API tg_tensor *tg_map_npy(const char *path);

/* Writes t in row-major order and this machine's byte order, with the very bytes that np.save writes of such an array
 * (version 1.0). The file is compressed when the path ends in ".gz". It appears whole or not at all, and is on disk when the
 * call returns: a failure leaves an old file as it was. A symbolic link stays, and the file it leads to is replaced. */
TG_API tg_status tg_save_npy(const tg_tensor *t, const char *path);

#ifdef __cplusplus
}
#endif

#endif
