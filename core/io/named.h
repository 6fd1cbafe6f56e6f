/* Private. Arrays and texts under names, which a file of several holds, and the handles of the sets of them. */
#ifndef TG_CORE_IO_NAMED_H
#define TG_CORE_IO_NAMED_H

#include "core/alloc.h"
#include "core/tensor.h"

enum {
    TG_NAMED_MOST = 65536, /* arrays of a set, and texts */
    TG_NAME = 1024         /* bytes of a name or key */
};

typedef struct tg_named { /* an array or a text; the strings are its own */
    char *name, *text;    /* text: NULL of an array */
    tg_array a;           /* an array; without data where its elements are in the file */
    int stored;           /* what the format notes of an array in its file: its type, or its number */
    int64_t offset;       /* from the start of the file to the elements; 0: they are in memory */
} tg_named;

typedef struct tg_named_list { /* in the order of the names' bytes */
    tg_named *at;
    int64_t n, cap;
} tg_named_list;

/* A copy of n bytes and a NUL; NULL with TG_ERR_MEMORY raised. Freed by tg_text_free. */
char *tg_text_copy(const char *text, size_t n);
void tg_text_free(char *text);

/* TG_ERR_ARGUMENT for a name that is NULL, too long or not UTF-8. */
bool tg_text_is_utf8(const char *text);
tg_status tg_name_check(const char *name, const char *what, const char *who);

/* NULL: there is none of this name. */
tg_named *tg_named_find(const tg_named_list *list, const char *name);

/* Put *e at the end, or in its place, where it drops one of the same name; they take over what it holds, which the caller
 * keeps on failure. After the last of several appended, whose names differ, sort puts the list in order. */
tg_status tg_named_append(tg_named_list *list, const tg_named *e);
tg_status tg_named_put(tg_named_list *list, const tg_named *e);
void tg_named_sort(tg_named_list *list);
void tg_named_drop(tg_named *e);
void tg_named_list_drop(tg_named_list *list);

/* Number i of the list; NULL with TG_ERR_ARGUMENT raised where there is none: "there is no tensor number 7 among 3". */
const char *tg_named_at(const tg_named_list *list, int64_t i, const char *what, const char *who);

/* A set is a struct of `size` bytes that begins with a `const char *`, its kind, and its handle is that of a kept tensor with
 * it for elements, which tells whether it is alive. of: the set; NULL with TG_ERR_ARGUMENT raised for what is none. new: the
 * set, zeros but for its kind; NULL with an error raised. end: after which the handle is stale. */
void *tg_set_of(const void *handle, const char *kind, size_t size, const char *who);
void *tg_set_new(const char *kind, size_t size, const char *who, void **handle);
void tg_set_end(void *handle);

#endif
