/* Private. What the tests of the matrix product turn: the largest size that goes to BLAS in one call. */
#ifndef TG_CORE_KERNELS_GEMM_H
#define TG_CORE_KERNELS_GEMM_H

#include "core/kernels/kernels.h"

extern int64_t tg_gemm_int_max;

#endif
