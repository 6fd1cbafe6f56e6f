#include "core/alloc.h"

void *tg_alloc(size_t size) { return tg_sys_alloc(size); }

void tg_dealloc(void *p, size_t size) {
    if (p) tg_sys_free(p, size);
}
