/* Private. A set of tensors and texts under names, between safetensors.c (asking and putting in), safetensors_read.c (from a
 * header in JSON) and safetensors_write.c (to a file).
 */
#ifndef TG_CORE_IO_SAFETENSORS_PRIVATE_H
#define TG_CORE_IO_SAFETENSORS_PRIVATE_H

#include "core/io/elements.h"
#include "core/io/named.h"
#include "core/io/safetensors.h"

enum {
    TG_SAFETENSORS_HEADER = 100000000 /* bytes of a header, as in the reference library */
};

#define TG_SAFETENSORS_METADATA "__metadata__" /* the one name that is no tensor's */

/* What a file calls its dtypes. In the file tensors stand by this order, the last first. */
enum {
    TG_STORED_BOOL,
    TG_STORED_U8,
    TG_STORED_F16,
    TG_STORED_BF16,
    TG_STORED_I32,
    TG_STORED_F32,
    TG_STORED_F64,
    TG_STORED_I64,
    TG_STORED /* how many */
};

typedef struct tg_stored_type {
    char name[5];
    uint8_t width;  /* bytes an element in the file */
    tg_dtype dtype; /* in memory */
} tg_stored_type;
extern const tg_stored_type tg_stored_types[TG_STORED];

typedef struct tg_set {
    const char *kind; /* says that this is one (tg_set_of) */
    tg_named_list tensors, texts;
    bool open;      /* `file` is */
    tg_reader file; /* its path is a copy of the set's */
} tg_set;

/* The bytes of a tensor's elements in the file, which were counted when it came into the set. */
static inline int64_t tg_named_bytes(const tg_named *e) {
    return e->a.numel * tg_stored_types[e->stored].width;
}

void tg_set_drop(tg_set *set); /* all that it holds; it is none then */

/* Fills an empty set from the file that it has open. */
tg_status tg_set_read(tg_set *set);
tg_status tg_set_write(tg_set *set, const char *path);

/* Reads the n elements from number `start` on of a tensor that is in the file to `a`, as they are in memory. */
tg_status tg_set_read_elements(tg_set *set, const tg_named *e, int64_t start, const tg_array *a);

/* Fills *a, which is laid out, with all elements of a tensor that is in the file, mapped. */
tg_status tg_set_map_elements(tg_set *set, const tg_named *e, tg_array *a);

#endif
