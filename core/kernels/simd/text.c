#define _GNU_SOURCE /* dladdr */
#include "core/kernels/simd/text.h"

#include <dlfcn.h>
#include <string.h>

/* The build prints these from the sources (core/kernels/simd/text.awk). */
static const char expressions[] =
#include "core/kernels/expressions.inc"
    ;
#define SET(isa, machine_has_it, flags) static const char text_##isa[] =
#define END ;
#include "core/kernels/instruction_sets.inc"
#undef SET
#undef END

#if TG_HAVE_SLEEF
#define SLEEF "#define TG_HAVE_SLEEF 1\n"
#else
#define SLEEF ""
#endif

static const struct instruction_set {
    const char *isa, *text, *flags;
} sets[] = {
#define SET(isa, machine_has_it, flags) {#isa, text_##isa, flags},
    TG_KERNEL_SETS
#undef SET
};

static const struct instruction_set *in_use(void) {
    const struct instruction_set *s = sets;
    while (strcmp(s->isa, tg_isa()) != 0) s++;
    return s;
}

void tg_kernel_text(const char *text[3]) {
    text[0] = "#define _POSIX_C_SOURCE 200809L\n#define TG_COMPILED 1\n" SLEEF;
    text[1] = in_use()->text, text[2] = expressions;
}
const char *tg_kernel_flags(void) { return in_use()->flags; }

#if TG_HAVE_SLEEF
double Sleef_exp_u10(double x);
const char *tg_kernel_library(void) {
    Dl_info info;
    union {
        double (*function)(double);
        void *address;
    } in = {Sleef_exp_u10};
    bool shared = dladdr(in.address, &info) && info.dli_fname && strstr(info.dli_fname, "libsleef");
    return shared ? info.dli_fname : "";
}
#else
const char *tg_kernel_library(void) { return ""; }
#endif

static const char *const unary_names[TG_UNARY_COUNT] = {
#define TG_UNARY(NAME, ...) [TG_UNARY_##NAME] = #NAME,
#include "core/kernels/map/unary.def"
#undef TG_UNARY
};
static const char *const binary_names[TG_BINARY_COUNT] = {
#define TG_BINARY(NAME, ...) [TG_BINARY_##NAME] = #NAME,
#include "core/kernels/map/binary.def"
#undef TG_BINARY
};
static const char *const comparisons[] = {
    [TG_EQ] = "==", [TG_NE] = "!=", [TG_LT] = "<", [TG_LE] = "<=", [TG_GT] = ">", [TG_GE] = ">="};

static bool find(const tg_kernel_set *set, tg_run *run, tg_expression *e) {
    for (int i = 0; i < TG_UNARY_COUNT; i++) {
        e->name = unary_names[i];
        if (set->unary[i] == run) return e->kind = TG_VALUE, true;
        if (set->unary_grad[i] == run) return e->kind = TG_GRADIENT, true;
    }
    for (int i = 0; i < TG_BINARY_COUNT; i++)
        if (set->binary[i] == run) return e->kind = TG_BINARY, e->name = binary_names[i], true;
    for (int i = TG_EQ; i <= TG_GE; i++)
        if (set->compare[i] == run) return e->kind = TG_COMPARE, e->name = comparisons[i], true;
    e->name = "";
    e->kind = run == set->where    ? TG_WHERE
              : run == set->affine ? TG_AFFINE
              : run == set->axpy   ? TG_AXPY
                                   : TG_FOLD;
    return e->kind != TG_FOLD || run == set->sum;
}

bool tg_expression_of(tg_run *run, tg_expression *e) {
    for (e->dtype = TG_F32; e->dtype <= TG_F64; e->dtype++)
        if (find(tg_kernels_for(e->dtype), run, e)) return true;
    return false;
}
