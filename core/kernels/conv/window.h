/* Private. Sliding windows along one axis. */
#ifndef TG_CORE_KERNELS_CONV_WINDOW_H
#define TG_CORE_KERNELS_CONV_WINDOW_H

#include <stdint.h>

/* Window o sees the positions o * stride - padding + k * dilation for k in [0, kernel); those outside [0, in)
 * hold zeros. */
typedef struct tg_window {
    int64_t in, kernel, out, stride, padding, dilation;
} tg_window;

#endif
