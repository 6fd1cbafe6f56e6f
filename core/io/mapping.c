/* Memory-mapped elements. */
#ifndef _DEFAULT_SOURCE
#define _DEFAULT_SOURCE
#endif
#include "core/io/mapping.h"
#include "core/alloc.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

typedef struct pages {
    void *start;
    size_t bytes;
} pages;

static void unmap(void *context) {
    pages *p = context;
    munmap(p->start, p->bytes);
    tg_sys_free(p, sizeof *p);
}

static tg_status check(const tg_reader *r, int64_t offset, tg_byte_order order, const char *otherwise,
                       const tg_array *a) {
    const int64_t width = (int64_t)tg_dtype_size((tg_dtype)a->dtype);
    const char *what = r->compressed                         ? "it is compressed"
                       : order != TG_HOST_ORDER && width > 1 ? "its elements are in the other byte order"
                       : a->dtype == TG_BOOL                 ? "of bools each has to be looked at"
                       : offset % width != 0 && a->numel > 0
                           ? "its elements are not at a multiple of their size"
                           : NULL;
    if (!what) return TG_OK;
    return tg_fail(TG_ERR_FORMAT, "%s: the file cannot be mapped, as %s; %s reads it: %s", r->who, what,
                   otherwise, r->path);
}

static tg_status map_pages(const tg_reader *r, int64_t offset, tg_array *a) {
    const size_t bytes = (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype),
                 extra = (size_t)(offset % sysconf(_SC_PAGESIZE));
    pages *p = tg_sys_alloc(sizeof *p);
    if (!p) return tg_fail_memory(sizeof *p);
    p->bytes = bytes + extra;
    p->start = mmap(NULL, p->bytes, PROT_READ, MAP_PRIVATE, r->fd, (off_t)(offset - (int64_t)extra));
    if (p->start == MAP_FAILED) {
        tg_sys_free(p, sizeof *p);
        return tg_fail(TG_ERR_IO, "%s: the file cannot be mapped: %s: %s", r->who, strerror(errno), r->path);
    }
    a->buffer = tg_buffer_of_blob((char *)p->start + extra, bytes, true, unmap, p);
    if (a->buffer) {
        a->data = (char *)p->start + extra;
        return TG_OK;
    }
    unmap(p);
    return tg_fail_memory(bytes);
}

tg_status tg_map_elements(const tg_reader *r, int64_t offset, tg_byte_order order, const char *otherwise,
                          tg_array *a) {
    const tg_status status = check(r, offset, order, otherwise, a);
    if (status != TG_OK) return status;
    return a->numel > 0 ? map_pages(r, offset, a) : tg_array_alloc_like(a, a);
}
