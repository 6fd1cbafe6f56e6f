/* Loops over instruction sets. Those that this build or this machine lacks are in the list, too: a test passes over them. */
#ifndef TG_TESTS_CORE_KERNELS_ISAS_H
#define TG_TESTS_CORE_KERNELS_ISAS_H

#include "core/kernels/simd/table.h"

static inline int isa_count(void) {
    int n = 0;
    while (tg_kernel_isas[n]) n++;
    return n;
}

#endif
