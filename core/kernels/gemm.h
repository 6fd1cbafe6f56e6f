/* Private. What the matrix product shares with its tests and with what else calls BLAS. */
#ifndef TG_CORE_KERNELS_GEMM_H
#define TG_CORE_KERNELS_GEMM_H

#include "core/kernels/kernels.h"

/* The largest size that goes to BLAS in one call; tests turn it down. */
extern int64_t tg_gemm_int_max;

/* Before the first call of BLAS or LAPACK: it is to run on the calling thread. */
void tg_blas_single_threaded(void);

#endif
