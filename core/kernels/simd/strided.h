/* Private. Elements that are s apart in memory, to and from m neighbours. In a file of their own for the reason
 * that core/kernels/simd/vector.h gives beside INLINE.
 */
#ifndef TG_CORE_KERNELS_SIMD_STRIDED_H
#define TG_CORE_KERNELS_SIMD_STRIDED_H

#include <stdint.h>

void tg_collect_f32(float *to, const float *from, int64_t s, int64_t m);
void tg_collect_f64(double *to, const double *from, int64_t s, int64_t m);
void tg_spread_f32(float *to, const float *from, int64_t s, int64_t m);
void tg_spread_f64(double *to, const double *from, int64_t s, int64_t m);

#endif
