#include "core/kernels/simd/strided.h"

void tg_collect_f32(float *to, const float *from, int64_t s, int64_t m) {
    for (int64_t i = 0; i < m; i++) to[i] = from[i * s];
}
void tg_collect_f64(double *to, const double *from, int64_t s, int64_t m) {
    for (int64_t i = 0; i < m; i++) to[i] = from[i * s];
}
void tg_spread_f32(float *to, const float *from, int64_t s, int64_t m) {
    for (int64_t i = 0; i < m; i++) to[i * s] = from[i];
}
void tg_spread_f64(double *to, const double *from, int64_t s, int64_t m) {
    for (int64_t i = 0; i < m; i++) to[i * s] = from[i];
}
