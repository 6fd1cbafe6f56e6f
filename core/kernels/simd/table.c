#include "core/kernels/simd/table.h"

#include <stdlib.h>
#include <string.h>

#define SETS(isa) extern const tg_kernel_set tg_kernels_##isa##_f32, tg_kernels_##isa##_f64;
/* clang-format off */
#define TABLE(isa) {#isa, {&tg_kernels_##isa##_f32, &tg_kernels_##isa##_f64}}
/* clang-format on */

SETS(ref)
#if TG_BUILT_AVX2
SETS(avx2)
#endif
#if TG_BUILT_AVX512
SETS(avx512)
#endif
#if TG_BUILT_NEON
SETS(neon)
#endif

/* What was built, the best first. */
static const tg_kernels tables[] = {
#if TG_BUILT_AVX512
    TABLE(avx512),
#endif
#if TG_BUILT_AVX2
    TABLE(avx2),
#endif
#if TG_BUILT_NEON
    TABLE(neon),
#endif
    TABLE(ref),
};

_Atomic(const tg_kernels *) tg_kernels_current;

static bool machine_has(const char *isa) {
#if defined(__x86_64__)
    __builtin_cpu_init();
    bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (strcmp(isa, "avx2") == 0) return avx2;
    if (strcmp(isa, "avx512") == 0)
        return avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl");
#endif
    return strcmp(isa, "ref") == 0 || strcmp(isa, "neon") == 0; /* AArch64 always has Neon */
}

const tg_kernels *tg_kernels_of_isa(const char *isa) {
    for (size_t i = 0; i < sizeof tables / sizeof *tables; i++)
        if (strcmp(tables[i].isa, isa) == 0 && machine_has(isa)) return &tables[i];
    return NULL;
}

const tg_kernels *tg_kernels_choose(void) {
    const char *wish = getenv("TG_ISA");
    const tg_kernels *k = wish ? tg_kernels_of_isa(wish) : NULL;
    for (size_t i = 0; !k; i++)
        if (machine_has(tables[i].isa)) k = &tables[i];
    atomic_store_explicit(&tg_kernels_current, k, memory_order_release);
    return k;
}

bool tg_kernels_use(const char *isa) {
    const tg_kernels *k = tg_kernels_of_isa(isa);
    if (k) atomic_store_explicit(&tg_kernels_current, k, memory_order_release);
    return k != NULL;
}

const char *tg_isa(void) { return tg_kernels_get()->isa; }
