/* Private. The header of npy, which an npy file begins with, and so does each array of an npz file. */
#ifndef TG_CORE_IO_NPY_HEADER_H
#define TG_CORE_IO_NPY_HEADER_H

#include "core/array.h"
#include "core/io/elements.h"

enum { TG_NPY_HEADER = 512 }; /* bytes that any header of ours fits in */

typedef struct tg_npy_header {
    tg_dtype dtype;
    tg_byte_order order;
    bool fortran;
    tg_shape shape;
    int64_t numel, length; /* length: from the start to the elements */
    int64_t bytes;         /* of header and elements together */
} tg_npy_header;

/* Where it is read from. Messages begin with `who`, the function that the user called, and end with `where`. */
typedef struct tg_npy_source {
    const char *who, *where;
    int64_t (*read)(void *from, void *to, int64_t n); /* as tg_reader_read */
    void *from;
    int64_t done; /* bytes that were read */
} tg_npy_source;

/* Reads a header from its first byte to its last, and checks all that it says; nothing is allocated. */
tg_status tg_npy_read_header(tg_npy_source *s, tg_npy_header *h);

/* Lays *a out for the elements as they follow one another in the file, those of Fortran order being those of the axes in
 * reverse; finish turns the axes around, to a view. */
tg_status tg_npy_lay_out(const tg_npy_header *h, tg_array *a);
void tg_npy_finish(const tg_npy_header *h, tg_array *a);

/* Turns the elements, as they were read, to this machine's byte order, and checks bools. */
tg_status tg_npy_check(const tg_npy_source *s, const tg_npy_header *h, const tg_array *a);

/* Writes the header of a row-major array, with the very bytes of NumPy 1.23 and later, and returns its length. */
int tg_npy_make_header(const tg_array *a, char text[TG_NPY_HEADER]);

#endif
