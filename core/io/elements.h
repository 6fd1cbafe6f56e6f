/* Private. Elements as files hold them: in either byte order, and as yet unchecked. */
#ifndef TG_CORE_IO_ELEMENTS_H
#define TG_CORE_IO_ELEMENTS_H

#include "core/io/stream.h"
#include "core/tensor.h"

/* The order of bytes in an element of several: the least or the most significant first. */
typedef enum tg_byte_order { TG_LITTLE_ENDIAN, TG_BIG_ENDIAN } tg_byte_order;

#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define TG_HOST_ORDER TG_BIG_ENDIAN
#else
#define TG_HOST_ORDER TG_LITTLE_ENDIAN
#endif

/* A tensor on the current tape, made by `who`, which takes over the reference that *a holds; poison where there is no
 * memory for it. */
tg_tensor *tg_elements_tensor(const char *who, tg_array *a);

/* The tensor that `get` makes of a file, for `who`: get fills *a, or leaves what can be dropped. */
tg_tensor *tg_elements_of_file(const char *who, const char *path, tg_status (*get)(tg_reader *r, tg_array *a));

/* The first of n bytes that is neither 0 nor 1; -1: none. */
int64_t tg_elements_bad_bool(const void *elements, int64_t n);

/* Turns n elements of `width` bytes, 1, 2, 4 or 8, around, where they are not in the order of this machine. */
void tg_elements_to_host(void *elements, int64_t n, size_t width, tg_byte_order order);

/* Floats of two bytes: F16 has 5 bits of exponent and 10 of fraction (IEEE 754's binary16), BF16 is the upper half of an
 * f32. From: in place, n of them at the end of the room for n f32, in this machine's byte order; exact. To: rounded to
 * nearest, ties to even. */
void tg_elements_from_f16(void *elements, int64_t n);
void tg_elements_from_bf16(void *elements, int64_t n);
void tg_elements_to_f16(const float *from, int64_t n, uint16_t *to);
void tg_elements_to_bf16(const float *from, int64_t n, uint16_t *to);

/* Writes n elements of this machine in that order. */
tg_status tg_elements_put(tg_writer *w, const void *elements, int64_t n, size_t width, tg_byte_order order);

#endif
