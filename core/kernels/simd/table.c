#include "core/kernels/simd/table.h"

#include <stdlib.h>
#include <string.h>

/* The build (core/kernels/meson.build) says of each instruction set, the best first, what it is called and which features
 * a machine needs; TG_KERNEL_SETS are those that were built. */
const char *const tg_kernel_isas[] = {TG_KERNEL_ISAS, NULL};

#define SET(isa, machine_has_it, flags) \
    extern const tg_kernel_set tg_kernels_##isa##_f32, tg_kernels_##isa##_f64;
TG_KERNEL_SETS
#undef SET

#define SET(isa, machine_has_it, flags) {#isa, {&tg_kernels_##isa##_f32, &tg_kernels_##isa##_f64}},
static const tg_kernels tables[] = {TG_KERNEL_SETS};
#undef SET
enum { TABLES = sizeof tables / sizeof *tables };

_Atomic(const tg_kernels *) tg_kernels_current;

static bool machine_has(int table) {
#if defined(__x86_64__)
    __builtin_cpu_init();
#endif
#define HAS(feature) __builtin_cpu_supports(#feature)
#define SET(isa, machine_has_it, flags) machine_has_it,
    const bool has[TABLES] = {TG_KERNEL_SETS};
    return has[table];
}

const tg_kernels *tg_kernels_of_isa(const char *isa) {
    for (int i = 0; i < TABLES; i++)
        if (strcmp(tables[i].isa, isa) == 0 && machine_has(i)) return &tables[i];
    return NULL;
}

const tg_kernels *tg_kernels_choose(void) {
    const char *wish = getenv("TG_ISA");
    const tg_kernels *k = wish ? tg_kernels_of_isa(wish) : NULL;
    for (int i = 0; !k; i++)
        if (machine_has(i)) k = &tables[i];
    atomic_store_explicit(&tg_kernels_current, k, memory_order_release);
    return k;
}

bool tg_kernels_use(const char *isa) {
    const tg_kernels *k = tg_kernels_of_isa(isa);
    if (k) atomic_store_explicit(&tg_kernels_current, k, memory_order_release);
    return k != NULL;
}

const char *tg_isa(void) { return tg_kernels_get()->isa; }
