/* safetensors files: any number of tensors under names, and texts under keys, as Python's safetensors library and with it
 * most published models have them.
 *
 *     byte 0 to 7   the length of the header, least significant byte first
 *     then          the header, in JSON, with blanks up to a multiple of 8:
 *                   {"__metadata__": {"epoch": "3"}, "fc1.weight": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}}
 *     then          the elements of all tensors, one after the other, in row-major order, least significant byte first
 *
 * A set is what is in such a file, or is to be. It is opened from a file, of which only the header is read then, or made
 * anew; tensors and texts are asked for and put in by name; it is saved as a whole.
 *
 *     tg_safetensors *s = tg_safetensors_open("model.safetensors");
 *     tg_tensor *w = tg_safetensors_get(s, "fc1.weight");
 *     tg_safetensors_put_text(s, "note", "seen");
 *     tg_safetensors_save(s, "model.safetensors");
 *     tg_safetensors_free(s);
 *
 * A set may be used by one thread at a time. To every function below a NULL set, and one that was freed, are an error
 * (TG_ERR_ARGUMENT), not a crash. So are names and keys that are NULL, longer than 1,024 bytes or not UTF-8.
 */
#ifndef TG_CORE_IO_SAFETENSORS_H
#define TG_CORE_IO_SAFETENSORS_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_safetensors tg_safetensors; /* opaque */

/* An empty set. NULL with an error raised where there is no memory. */
TG_API tg_safetensors *tg_safetensors_new(void);

/* The set in a file, which stays open for the elements until the set is freed. NULL with an error raised on failure, and
 * while an error is pending.
 *
 * Nothing in the file is trusted. TG_ERR_FORMAT, with a message that names the tensor and what is wrong with it, is for: a
 * file of fewer than 8 bytes; a header that is longer than 100,000,000 bytes or than the file, is not JSON in UTF-8, has a
 * key twice, more than 65,536 tensors and texts, or a name of more than 1,024 bytes; a tensor with anything else than
 * dtype, shape and data_offsets, of more than 8 sizes, or with sizes or offsets that are negative, not whole, or beyond
 * 2^63; a number of bytes that overflows or is not that of the offsets; offsets that do not begin at 0, leave gaps,
 * overlap, or end before or after the file does; and metadata other than text. TG_ERR_DTYPE is for a dtype that is not
 * F32, F64, I32, I64, U8, BOOL, F16 or BF16, TG_ERR_IO for a file that is missing, unreadable or not a regular file, and
 * for a build of the library without jansson, which reads the JSON. Memory is asked for in proportion to the header, and
 * to the number of tensors, alone. */
TG_API tg_safetensors *tg_safetensors_open(const char *path);

/* Closes the file and frees the set; tensors that it has given stay. NULL is ignored; a second free is an error. */
TG_API void tg_safetensors_free(tg_safetensors *set);

/* ---- tensors ---- */

/* How many there are, and the name of number i in the order of their bytes; NULL with an error when there is none. The
 * text is valid until the set is changed or freed. */
TG_API int64_t tg_safetensors_count(const tg_safetensors *set);
TG_API const char *tg_safetensors_name(const tg_safetensors *set, int64_t i);

/* Whether there is a tensor of this name; a missing one is no error here. */
TG_API bool tg_safetensors_has(const tg_safetensors *set, const char *name);

/* Its dtype, F16 and BF16 being TG_F32, and its shape, without reading it. Of a missing one TG_F32, a scalar's shape, and
 * TG_ERR_ARGUMENT. */
TG_API tg_dtype tg_safetensors_dtype(const tg_safetensors *set, const char *name);
TG_API tg_shape tg_safetensors_shape(const tg_safetensors *set, const char *name);

/* The tensor, on the current tape and without a history: read from the file, each time anew, or the one that was put in.
 * get_rows: the n places from `start` on along axis 0, of which no others are read. A missing one, a scalar that has no
 * rows, and rows outside of the tensor are TG_ERR_ARGUMENT; a bool in the file that is neither 0 nor 1, and a file that has
 * become shorter, TG_ERR_FORMAT. */
TG_API tg_tensor *tg_safetensors_get(const tg_safetensors *set, const char *name);
TG_API tg_tensor *tg_safetensors_get_rows(const tg_safetensors *set, const char *name, int64_t start,
                                          int64_t n);

/* As tg_safetensors_get without reading it: the elements stay in the file, and come to memory page by page when they are touched, so that
 * the file may be larger than memory. They may only be read (tg_is_read_only). The mapping ends with the last tensor that
 * refers to it.
 *
 * The file must not change meanwhile. One that is replaced (as savers do) or removed is safe, since the mapping keeps the old
 * one. What is written into the file itself may or may not be seen; and if somebody truncates it, the system ends a
 * program that touches what is gone (SIGBUS): map files that are yours, load others.
 *
 * TG_ERR_FORMAT, with a message that says which, is for a tensor that cannot be used as it lies in the file: F16, BF16, bools,
 * and elements that are not at a multiple of their size; the reference library and this one align all they write. A tensor that
 * was put in is given as tg_safetensors_get gives it. */
TG_API tg_tensor *tg_safetensors_map(const tg_safetensors *set, const char *name);

/* Puts t in under this name, in the place of one that has it. The set refers to t's elements and copies none: changes in
 * place until it is saved are saved with it. Any name but "__metadata__" will do. */
TG_API tg_status tg_safetensors_put(tg_safetensors *set, const char *name, const tg_tensor *t);

/* The same, rounded to nearest, ties to even, when it is saved; t must be TG_F32. */
typedef enum tg_half { TG_HALF_F16, TG_HALF_BF16 } tg_half;
TG_API tg_status tg_safetensors_put_half(tg_safetensors *set, const char *name, const tg_tensor *t,
                                         tg_half half);

/* ---- texts: the file's metadata ---- */

/* How many there are, and the key of number i in the order of their bytes; NULL with an error when there is none. */
TG_API int64_t tg_safetensors_text_count(const tg_safetensors *set);
TG_API const char *tg_safetensors_key(const tg_safetensors *set, int64_t i);

/* The text of this key; NULL, without an error, when there is none. It is valid until the set is changed or freed. */
TG_API const char *tg_safetensors_text(const tg_safetensors *set, const char *key);

/* Puts a text in, in UTF-8, in the place of one that has the key. It is copied. */
TG_API tg_status tg_safetensors_put_text(tg_safetensors *set, const char *key, const char *text);

/* ---- saving ---- */

/* Writes all tensors and texts. Equal sets give equal files: tensors stand in the order of falling element size and then of
 * their names, as the reference library has them, so that each begins at a multiple of its element size. The file
 * appears whole or not at all, and is on disk when the call returns: a failure leaves an old file as it was. A symbolic
 * link stays, and the file it leads to is replaced. It may be the file that the set was opened from. */
TG_API tg_status tg_safetensors_save(const tg_safetensors *set, const char *path);

#ifdef __cplusplus
}
#endif

#endif
