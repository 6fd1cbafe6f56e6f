/* Private. The elementwise kernels as text: what a plan writes programs of (autograd/plan/emit.c), which the system's compiler
 * compiles while the library runs. The expressions are those of the table, so that the bits are the same. */
#ifndef TG_CORE_KERNELS_SIMD_TEXT_H
#define TG_CORE_KERNELS_SIMD_TEXT_H

#include "core/kernels/simd/table.h"

/* The operands of a kernel, in the order of core/kernels/map/map.c; p is what arg points to. */
typedef enum tg_expression_kind {
    TG_VALUE,    /* out = value_<name>(a, p0, p1) */
    TG_GRADIENT, /* out = gradient_<name>(a, b, c, p0, p1), a for what is not there */
    TG_BINARY,   /* out = binary_<name>(a, b, p0, p1) */
    TG_COMPARE,  /* out = a <name> b, truth values */
    TG_WHERE,    /* out = select(c, a, b) of truth values c */
    TG_AFFINE,   /* out = value_affine(a, p0, p1) */
    TG_AXPY,     /* out = value_axpy(a, b, p0, p1) */
    TG_FOLD      /* out = the sum of a, one number */
} tg_expression_kind;

typedef struct tg_expression {
    tg_expression_kind kind;
    const char *name; /* "TANH"; of a comparison the operator; of the last four "" */
    int dtype;        /* TG_F32 or TG_F64 */
} tg_expression;

/* What the kernel is. False: it is none of the table in use, or not an elementwise function. */
bool tg_expression_of(tg_run *run, tg_expression *e);

/* The text that all of these are defined in, for the instruction set in use: three pieces one after the other, behind a
 * definition of TG_REAL. */
void tg_kernel_text(const char *text[3]);

/* Words for the compiler, which make it use the instruction set: "-mavx2 -mfma". */
const char *tg_kernel_flags(void);

/* The shared library that has the functions which the text calls: a path, "" where the C library does. */
const char *tg_kernel_library(void);

#endif
