/* Private. A set of arrays, between npz.c (asking and putting in), npz_read.c (from an archive) and npz_write.c (to one). */
#ifndef TG_CORE_IO_NPZ_PRIVATE_H
#define TG_CORE_IO_NPZ_PRIVATE_H

#include "core/io/named.h"
#include "core/io/npy_header.h"
#include "core/io/npz.h"

#define TG_NPZ_SUFFIX ".npy"

/* An array in the file has offset 1, and is entry number `stored`. */
typedef struct tg_npz_set {
    const char *kind; /* says that this is one (tg_set_of) */
    tg_named_list arrays;
    bool open;       /* `file` is */
    tg_reader file;  /* its path is a copy of the set's */
    struct zip *zip; /* NULL: none */
} tg_npz_set;

/* What is wrong with a name; NULL: nothing. */
const char *tg_npz_name_fault(const char *name);

/* Fills an empty set from the file that it has open; closes the archive; reads an array. */
tg_status tg_npz_read(tg_npz_set *set);
void tg_npz_close(tg_npz_set *set);
tg_status tg_npz_read_array(tg_npz_set *set, const tg_named *e, tg_array *a);

tg_status tg_npz_write(tg_npz_set *set, const char *path, bool compress);

#endif
