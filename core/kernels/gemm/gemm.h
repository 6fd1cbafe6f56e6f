/* Private. Matrix products, from the whole to the registers:
 *
 *     split_k.c              a long k of f32 is summed pairwise over stretches of it
 *     gemm.c                 C is cut into tiles of tile_m x tile_n, which the threads share
 *     tile.c                 one tile: by plain loops, by BLAS, or by
 *     macro_kernel.c         for jc in steps of NC over n     columns of B and C
 *                              for pc in steps of KC over k     B [KC, NC] is packed, into panels of NR columns
 *                                for ic in steps of MC over m     a block of A [MC, KC] stays in the second cache
 *                                  for jr in steps of NR over NC    a panel of B [KC, NR] in the first
 *     micro_kernel.h                 for ir in steps of MR over MC
 *                                        C [MR, NR] += A [MR, KC] B [KC, NR], its sums in registers
 *
 * The five loops are those of K. Goto and R. van de Geijn, "Anatomy of high-performance matrix multiplication" (2008), with
 * BLIS's names. One half of its packing is missing: A is read where it lies, as each of its numbers is broadcast. */
#ifndef TG_CORE_KERNELS_GEMM_GEMM_H
#define TG_CORE_KERNELS_GEMM_GEMM_H

#include "core/kernels/kernels.h"

/* The largest size that goes to BLAS in one call; tests turn it down. */
extern int64_t tg_gemm_int_max;

/* Around calls of BLAS and LAPACK: they are to run on the calling thread. begin's result goes to end. */
int tg_blas_begin(void);
void tg_blas_end(int threads);

/* A matrix inside an array: element (i, j) at data + i*rs + j*cs. */
typedef struct tg_gemm_matrix {
    char *data;
    int64_t rs, cs;
    bool transposed; /* for BLAS: rs is 1, and cs its leading dimension */
} tg_gemm_matrix;

/* C = alpha A B + beta C. */
typedef struct tg_gemm_problem {
    struct tg_looker *looker; /* of C, or NULL */
    bool f64;
    bool direct, macro; /* not for BLAS: by plain loops, or by core/kernels/gemm/macro_kernel.h */
    int64_t size;       /* bytes an element */
    int64_t m, n, k;
    double alpha, beta;
    tg_gemm_matrix a, b, c;
    const char *bias; /* [n], what every row of C starts from, or NULL; only with macro */
    int rank;         /* of the batch axes */
    int64_t shape[TG_MAX_RANK], stride[3][TG_MAX_RANK];
    int64_t tile_m, tile_n, tiles_m, tiles_n;
} tg_gemm_problem;

/* tg_gemm in one go, whatever the inner size, or with a bias (else NULL) tg_gemm_bias; c has elements. */
tg_status tg_gemm_once(double alpha, const tg_array *a, const tg_array *b, const tg_array *bias, double beta,
                       const tg_array *c);

/* Products with k * n up to TG_SMALL_GEMM and others that BLAS cannot take; no batch. */
#define TG_SMALL_GEMM 1024
void tg_gemm_direct(const tg_gemm_problem *p);

/* One tile by the way that p names; scratch is for the macro-kernel. */
void tg_gemm_tile(const tg_gemm_problem *p, void *scratch);

#endif
