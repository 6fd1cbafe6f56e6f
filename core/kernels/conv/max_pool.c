#include "core/kernels/conv/max_pool.h"
#include "core/kernels/simd/table.h"
#include "core/parallel.h"

#include <stdatomic.h>
#include <string.h>

typedef struct pool {
    tg_window y, x;
    char *image, *windows; /* planes of each */
    int64_t *index;
    int dtype;
    bool by_two; /* windows of 2 by 2, side by side: the kernel of the table */
    bool grad;
    atomic_bool *outside; /* whether a position of the gradient is */
} pool;

/* The part [*from, *to) of the kernel's elements that lies inside the image, for the window at o. */
static void kernel_inside(const tg_window *w, int64_t o, int64_t *from, int64_t *to) {
    int64_t start = o * w->stride - w->padding;
    *from = start < 0 ? (-start + w->dilation - 1) / w->dilation : 0;
    *to = (w->in - start + w->dilation - 1) / w->dilation;
    if (*to > w->kernel) *to = w->kernel;
}

/* The position in the plane of the largest element of window (i, j). */
#define LARGEST(T) \
    const tg_window *y = &p->y, *x = &p->x; \
    int64_t top, bottom, left, right, best = -1; \
    T most = 0; \
    kernel_inside(y, i, &top, &bottom); \
    kernel_inside(x, j, &left, &right); \
    for (int64_t k = top; k < bottom; k++) \
        for (int64_t l = left; l < right; l++) { \
            int64_t row = i * y->stride - y->padding + k * y->dilation; \
            int64_t at = row * x->in + j * x->stride - x->padding + l * x->dilation; \
            T v = plane[at]; \
            if (best >= 0 && !(v > most) && !(v != v && most == most)) continue; \
            best = at, most = v; \
        } \
    return best;
static int64_t largest_f32(const pool *p, const float *plane, int64_t i, int64_t j) { LARGEST(float) }
static int64_t largest_f64(const pool *p, const double *plane, int64_t i, int64_t j) { LARGEST(double) }

#define PLANE(T, largest) \
    T *image = (T *)(void *)p->image + c * p->y.in * p->x.in, \
      *window = (T *)(void *)p->windows + c * p->y.out * p->x.out; \
    int64_t *index = p->index + c * p->y.out * p->x.out; \
    for (int64_t i = 0; i < p->y.out; i++) \
        for (int64_t j = 0; j < p->x.out; j++, window++, index++) \
            *index = largest(p, image, i, j), *window = image[*index];
static void plane_f32(const pool *p, int64_t c) { PLANE(float, largest_f32) }
static void plane_f64(const pool *p, int64_t c) { PLANE(double, largest_f64) }

/* The plane is set to 0 where it is added to next, in the cache. */
#define PLANE_GRAD(T) \
    uint64_t size = (uint64_t)(p->y.in * p->x.in); \
    int64_t windows = p->y.out * p->x.out; \
    T *image = (T *)(void *)p->image + c * (int64_t)size; \
    const T *window = (const T *)(const void *)p->windows + c * windows; \
    const int64_t *index = p->index + c * windows; \
    bool outside = false; \
    memset(image, 0, size * sizeof(T)); \
    for (int64_t i = 0; i < windows; i++) { \
        uint64_t at = (uint64_t)index[i]; \
        if (at < size) \
            image[at] += window[i]; \
        else \
            outside = true; \
    } \
    if (outside) atomic_store(p->outside, true);
static void plane_grad_f32(const pool *p, int64_t c) { PLANE_GRAD(float) }
static void plane_grad_f64(const pool *p, int64_t c) { PLANE_GRAD(double) }

static void plane_by_two(const pool *p, int64_t c) {
    const tg_kernel_set *k = tg_kernels_for(p->dtype);
    size_t size = tg_dtype_size((tg_dtype)p->dtype);
    char *image = p->image + (size_t)(c * p->y.in * p->x.in) * size;
    int64_t at = c * p->y.out * p->x.out;
    k->max_two(&(tg_max_two){p->y.in, p->x.in, image, p->windows + (size_t)at * size, p->index + at});
}

typedef void plane_fn(const pool *p, int64_t c);

static void planes(void *context, int64_t begin, int64_t end) {
    const pool *p = context;
    plane_fn *forward = p->by_two ? plane_by_two : p->dtype == TG_F32 ? plane_f32 : plane_f64;
    plane_fn *f = !p->grad ? forward : p->dtype == TG_F32 ? plane_grad_f32 : plane_grad_f64;
    for (int64_t c = begin; c < end; c++) f(p, c);
}

static bool is_two(const tg_window *w) {
    return w->kernel == 2 && w->stride == 2 && w->padding == 0 && w->dilation == 1 && w->in < 1 << 24;
}

enum { GRAIN = 65536 /* elements of windows worth a thread */ };

/* False where a position of the gradient is outside. */
static bool run(const tg_window w[2], const tg_array *image, const tg_array *windows, const tg_array *index,
                bool grad) {
    atomic_bool outside = false;
    pool p = {.y = w[0], .x = w[1], .image = image->data, .windows = windows->data, .index = index->data};
    p.dtype = image->dtype, p.by_two = is_two(&w[0]) && is_two(&w[1]);
    p.grad = grad, p.outside = &outside;
    int64_t work = w[0].out * w[1].out * w[0].kernel * w[1].kernel;
    tg_parallel_for(windows->numel / (w[0].out * w[1].out), work >= GRAIN ? 1 : GRAIN / work, planes, &p);
    return !atomic_load(&outside);
}

void tg_max_pool(const tg_window window[2], const tg_array *x, const tg_array *out, const tg_array *index) {
    run(window, x, out, index, false);
}

bool tg_max_pool_grad(const tg_window window[2], const tg_array *g, const tg_array *index, const tg_array *dx) {
    return run(window, dx, g, index, true);
}
