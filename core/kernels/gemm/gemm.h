/* Private. A matrix product in pieces of C: core/kernels/gemm/split_k.c cuts the inner axis, core/kernels/gemm/gemm.c
 * divides C, core/kernels/gemm/tile.c computes one piece. */
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
    bool f64;
    bool direct, blocks; /* not for BLAS: by plain loops, or by core/kernels/gemm/macro_kernel.h */
    int64_t size;        /* bytes an element */
    int64_t m, n, k;
    double alpha, beta;
    tg_gemm_matrix a, b, c;
    const char *bias; /* [n], what every row of C starts from, or NULL; only with blocks */
    int rank;         /* of the batch axes */
    int64_t shape[TG_MAX_RANK], stride[3][TG_MAX_RANK];
    int64_t tile_m, tile_n, tiles_m, tiles_n;
} tg_gemm_problem;

/* tg_gemm in one go, whatever the inner size, or with a bias (else NULL) tg_gemm_bias; c has elements. */
tg_status tg_gemm_once(double alpha, const tg_array *a, const tg_array *b, const tg_array *bias, double beta,
                       const tg_array *c);

/* Products with k * n up to TG_SMALL_GEMM and others that BLAS cannot take; no batch. */
void tg_gemm_direct(const tg_gemm_problem *p);

/* One product by the way that p names; scratch is for blocks. */
void tg_gemm_piece(const tg_gemm_problem *p, void *scratch);

#endif
