#include "ops/structured/windows.h"

#include "core/parallel.h"

#include <string.h>

const tg_attr_field tg_window_fields[TG_WINDOW_FIELDS] = {
    {"stride", TG_ATTR_DIMS, offsetof(tg_window_attr, stride)},
    {"padding", TG_ATTR_DIMS, offsetof(tg_window_attr, padding)},
    {"dilation", TG_ATTR_DIMS, offsetof(tg_window_attr, dilation)},
    {"groups", TG_ATTR_INT, offsetof(tg_window_attr, groups)},
    {"size", TG_ATTR_DIMS, offsetof(tg_window_attr, size)},
};

static int64_t or_one(int64_t n) { return n ? n : 1; }

tg_window_attr tg_window_options(const int64_t stride[2], const int64_t padding[2], const int64_t dilation[2],
                                 int64_t groups) {
    tg_shape steps = tg_pair(stride), gaps = tg_pair(dilation);
    return (tg_window_attr){
        .stride = TG_SHAPE(or_one(steps.dim[0]), or_one(steps.dim[1])),
        .padding = tg_padding_pair(padding),
        .dilation = TG_SHAPE(or_one(gaps.dim[0]), or_one(gaps.dim[1])),
        .groups = or_one(groups),
    };
}

/* ---- shape rule ---- */

void tg_window_of(const tg_window_attr *attr, const int64_t in[2], const int64_t kernel[2],
                  tg_window windows[2]) {
    for (int i = 0; i < 2; i++) {
        tg_window w = {in[i], kernel[i], 0, attr->stride.dim[i], attr->padding.dim[i], attr->dilation.dim[i]};
        int64_t room = w.in + 2 * w.padding - w.dilation * (w.kernel - 1) - 1;
        w.out = room < 0 ? 0 : room / w.stride + 1;
        windows[i] = w;
    }
}

static tg_status check_option(const tg_call *call, const char *name, int64_t value, int64_t least) {
    if (value >= least && value <= INT32_MAX) return TG_OK;
    return tg_call_fail(call, TG_ERR_ARGUMENT, "%s is %lld, outside [%lld, %d]: %s", name, (long long)value,
                        (long long)least, INT32_MAX, tg_call_input(call, 0));
}

tg_status tg_window_infer(const tg_call *call, const int64_t in[2], const int64_t kernel[2],
                          tg_window windows[2]) {
    const tg_window_attr *a = call->attr;
    tg_status s = check_option(call, "groups", a->groups, 1);
    for (int i = 0; s == TG_OK && i < 2; i++) {
        s = check_option(call, "stride", a->stride.dim[i], 1);
        if (s == TG_OK) s = check_option(call, "padding", a->padding.dim[i], 0);
        if (s == TG_OK) s = check_option(call, "dilation", a->dilation.dim[i], 1);
        if (s == TG_OK) s = check_option(call, "the kernel's size", kernel[i], 1);
        if (s == TG_OK && in[i] > INT64_MAX / 4)
            s = tg_call_fail(call, TG_ERR_SHAPE, "an image of height or width %lld is too large: %s",
                             (long long)in[i], tg_call_input(call, 0));
    }
    if (s != TG_OK) return s;
    tg_window_of(a, in, kernel, windows);
    if (windows[0].out > 0 && windows[1].out > 0) return TG_OK;
    return tg_call_fail(
        call, TG_ERR_SHAPE,
        "a window of [%lld, %lld] with dilation [%lld, %lld] does not fit into an image of %lld by %lld with padding "
        "[%lld, %lld]: %s",
        (long long)kernel[0], (long long)kernel[1], (long long)a->dilation.dim[0],
        (long long)a->dilation.dim[1], (long long)in[0], (long long)in[1], (long long)a->padding.dim[0],
        (long long)a->padding.dim[1], tg_call_input(call, 0));
}

/* ---- columns ---- */

typedef struct transfer {
    tg_dtype dtype;
    char *image, *columns;
    tg_window y, x;
} transfer;

static int64_t clip(int64_t v, int64_t high) { return v < 0 ? 0 : v > high ? high : v; }

/* Sets [*from, *to) to the windows whose row or column k lies inside the image. */
static void inside(const tg_window *w, int64_t k, int64_t *from, int64_t *to) {
    int64_t base = k * w->dilation - w->padding;
    *from = base >= 0 ? 0 : clip((-base + w->stride - 1) / w->stride, w->out);
    *to = base >= w->in ? 0 : clip((w->in - base + w->stride - 1) / w->stride, w->out);
    if (*to < *from) *to = *from;
}

static void copy_row(char *out, const char *in, int64_t n, int64_t stride, size_t size) {
    if (stride == 1) {
        memcpy(out, in, (size_t)n * size);
    } else if (size == 4) {
        for (int64_t i = 0; i < n; i++)
            ((uint32_t *)(void *)out)[i] = ((const uint32_t *)(const void *)in)[i * stride];
    } else {
        for (int64_t i = 0; i < n; i++)
            ((uint64_t *)(void *)out)[i] = ((const uint64_t *)(const void *)in)[i * stride];
    }
}

static void add_row(tg_dtype dtype, char *out, const char *in, int64_t n, int64_t stride) {
    if (dtype == TG_F32) {
        float *to = (float *)(void *)out;
        const float *from = (const float *)(const void *)in;
        for (int64_t i = 0; i < n; i++) to[i * stride] += from[i];
    } else {
        double *to = (double *)(void *)out;
        const double *from = (const double *)(const void *)in;
        for (int64_t i = 0; i < n; i++) to[i * stride] += from[i];
    }
}

/* Writes the row of columns of kernel position (k, l) and one channel, [y.out, x.out]. */
static void plane_to_columns(const transfer *t, const char *plane, int64_t k, int64_t l, char *out) {
    size_t size = tg_dtype_size(t->dtype), row = (size_t)t->x.out * size;
    int64_t top, bottom, left, right;
    inside(&t->y, k, &top, &bottom);
    inside(&t->x, l, &left, &right);
    memset(out, 0, (size_t)top * row);
    for (int64_t i = top; i < bottom; i++) {
        int64_t y = i * t->y.stride - t->y.padding + k * t->y.dilation;
        int64_t x = left * t->x.stride - t->x.padding + l * t->x.dilation;
        char *to = out + (size_t)i * row;
        memset(to, 0, (size_t)left * size);
        if (right > left)
            copy_row(to + (size_t)left * size, plane + (size_t)(y * t->x.in + x) * size, right - left,
                     t->x.stride, size);
        memset(to + (size_t)right * size, 0, (size_t)(t->x.out - right) * size);
    }
    memset(out + (size_t)bottom * row, 0, (size_t)(t->y.out - bottom) * row);
}

static void plane_from_columns(const transfer *t, char *plane, int64_t k, int64_t l, const char *in) {
    size_t size = tg_dtype_size(t->dtype), row = (size_t)t->x.out * size;
    int64_t top, bottom, left, right;
    inside(&t->y, k, &top, &bottom);
    inside(&t->x, l, &left, &right);
    for (int64_t i = top; i < bottom && right > left; i++) {
        int64_t y = i * t->y.stride - t->y.padding + k * t->y.dilation;
        int64_t x = left * t->x.stride - t->x.padding + l * t->x.dilation;
        add_row(t->dtype, plane + (size_t)(y * t->x.in + x) * size,
                in + (size_t)i * row + (size_t)left * size, right - left, t->x.stride);
    }
}

static void channels_to_columns(void *context, int64_t begin, int64_t end) {
    const transfer *t = context;
    size_t size = tg_dtype_size(t->dtype), out = (size_t)(t->y.out * t->x.out) * size;
    size_t in = (size_t)(t->y.in * t->x.in) * size;
    for (int64_t c = begin; c < end; c++)
        for (int64_t k = 0; k < t->y.kernel; k++)
            for (int64_t l = 0; l < t->x.kernel; l++)
                plane_to_columns(t, t->image + (size_t)c * in, k, l,
                                 t->columns + (size_t)((c * t->y.kernel + k) * t->x.kernel + l) * out);
}

static void channels_from_columns(void *context, int64_t begin, int64_t end) {
    const transfer *t = context;
    size_t size = tg_dtype_size(t->dtype), out = (size_t)(t->y.out * t->x.out) * size;
    size_t in = (size_t)(t->y.in * t->x.in) * size;
    for (int64_t c = begin; c < end; c++) {
        memset(t->image + (size_t)c * in, 0, in);
        for (int64_t k = 0; k < t->y.kernel; k++)
            for (int64_t l = 0; l < t->x.kernel; l++)
                plane_from_columns(t, t->image + (size_t)c * in, k, l,
                                   t->columns + (size_t)((c * t->y.kernel + k) * t->x.kernel + l) * out);
    }
}

#define GRAIN 32768 /* elements of columns in a block of work */

static int64_t grain(const tg_window w[2]) {
    int64_t one = w[0].kernel * w[1].kernel * w[0].out * w[1].out;
    return one >= GRAIN ? 1 : GRAIN / (one ? one : 1);
}

void tg_to_columns(tg_dtype dtype, const void *image, int64_t channels, const tg_window windows[2],
                   void *columns) {
    transfer t = {dtype, (char *)(uintptr_t)image, columns, windows[0], windows[1]};
    tg_parallel_for(channels, grain(windows), channels_to_columns, &t);
}

void tg_from_columns(tg_dtype dtype, const void *columns, int64_t channels, const tg_window windows[2],
                     void *image) {
    transfer t = {dtype, image, (char *)(uintptr_t)columns, windows[0], windows[1]};
    tg_parallel_for(channels, grain(windows), channels_from_columns, &t);
}
