/* Means of windows, and their transpose. Both ops are linear in their input, and each is the gradient of
 * the other. */
#include "core/parallel.h"
#include "ops/structured/windows.h"

#include <math.h>
#include <string.h>

typedef struct avg_attr {
    tg_shape kernel, stride, padding; /* unused by an adaptive pool */
    tg_shape size;                    /* of the image */
    tg_shape windows;                 /* the number of windows along each axis */
    bool exclude_padding, adaptive;
} avg_attr;

static const tg_attr_field fields[] = {
    {"kernel", TG_ATTR_DIMS, offsetof(avg_attr, kernel)},
    {"stride", TG_ATTR_DIMS, offsetof(avg_attr, stride)},
    {"padding", TG_ATTR_DIMS, offsetof(avg_attr, padding)},
    {"size", TG_ATTR_DIMS, offsetof(avg_attr, size)},
    {"windows", TG_ATTR_DIMS, offsetof(avg_attr, windows)},
    {"exclude_padding", TG_ATTR_BOOL, offsetof(avg_attr, exclude_padding)},
    {"adaptive", TG_ATTR_BOOL, offsetof(avg_attr, adaptive)},
};

/* ---- windows ---- */

/* Sets [*from, *to) to what window i covers along an axis of the image; returns the divisor of its mean. */
static int64_t cover(const avg_attr *a, int axis, int64_t i, int64_t *from, int64_t *to) {
    int64_t in = a->size.dim[axis], out = a->windows.dim[axis];
    if (a->adaptive) {
        *from = i * in / out;
        *to = ((i + 1) * in + out - 1) / out;
        return *to - *from;
    }
    int64_t start = i * a->stride.dim[axis] - a->padding.dim[axis], kernel = a->kernel.dim[axis];
    *from = start < 0 ? 0 : start;
    *to = start + kernel < in ? start + kernel : in;
    return a->exclude_padding ? *to - *from : kernel;
}

typedef struct pool {
    const avg_attr *attr;
    char *image, *means; /* contiguous planes */
    tg_dtype dtype;
} pool;

static double get(const pool *p, const char *plane, int64_t i) {
    return p->dtype == TG_F64 ? ((const double *)(const void *)plane)[i]
                              : (double)((const float *)(const void *)plane)[i];
}

static void add(const pool *p, char *plane, int64_t i, double v) {
    if (p->dtype == TG_F64)
        ((double *)(void *)plane)[i] += v;
    else
        ((float *)(void *)plane)[i] += (float)v;
}

static void gather_plane(const pool *p, const char *image, char *means) {
    const avg_attr *a = p->attr;
    int64_t width = a->size.dim[1], top, bottom, left, right;
    for (int64_t i = 0; i < a->windows.dim[0]; i++) {
        double rows = (double)cover(a, 0, i, &top, &bottom);
        for (int64_t j = 0; j < a->windows.dim[1]; j++) {
            double n = rows * (double)cover(a, 1, j, &left, &right), sum = 0;
            for (int64_t y = top; y < bottom; y++)
                for (int64_t x = left; x < right; x++) sum += get(p, image, y * width + x);
            add(p, means, i * a->windows.dim[1] + j, sum / n);
        }
    }
}

/* Means whose sum may have left the range, which only one of f64 can: in units of a power of two, which no sum of less than
 * 2^63 elements leaves. Apart, so that the loop of planes keeps its registers. */
__attribute__((noinline)) static void mend_plane(const double *image, const avg_attr *a, double *means) {
    int64_t width = a->size.dim[1], top, bottom, left, right;
    int64_t count = a->windows.dim[0] * a->windows.dim[1];
    if (tg_all_finite(&(tg_array){.data = means, .numel = count, .dtype = TG_F64}, false)) return;
    for (int64_t k = 0; k < count; k++) {
        if (isfinite(means[k])) continue;
        double n = (double)cover(a, 0, k / a->windows.dim[1], &top, &bottom), sum = 0;
        n *= (double)cover(a, 1, k % a->windows.dim[1], &left, &right);
        for (int64_t y = top; y < bottom; y++)
            for (int64_t x = left; x < right; x++) sum += image[y * width + x] * 0x1p-64;
        means[k] = sum / n * 0x1p64;
    }
}

static void spread_plane(const pool *p, char *image, const char *means) {
    const avg_attr *a = p->attr;
    int64_t width = a->size.dim[1], top, bottom, left, right;
    for (int64_t i = 0; i < a->windows.dim[0]; i++) {
        double rows = (double)cover(a, 0, i, &top, &bottom);
        for (int64_t j = 0; j < a->windows.dim[1]; j++) {
            double n = rows * (double)cover(a, 1, j, &left, &right);
            double v = get(p, means, i * a->windows.dim[1] + j) / n;
            for (int64_t y = top; y < bottom; y++)
                for (int64_t x = left; x < right; x++) add(p, image, y * width + x, v);
        }
    }
}

static size_t plane_size(const pool *p, const tg_shape *s) {
    return (size_t)(s->dim[0] * s->dim[1]) * tg_dtype_size(p->dtype);
}

static void gather_planes(void *context, int64_t begin, int64_t end) {
    const pool *p = context;
    size_t image = plane_size(p, &p->attr->size), means = plane_size(p, &p->attr->windows);
    for (int64_t c = begin; c < end; c++) {
        memset(p->means + (size_t)c * means, 0, means);
        gather_plane(p, p->image + (size_t)c * image, p->means + (size_t)c * means);
        if (p->dtype != TG_F64) continue;
        mend_plane((const void *)(p->image + (size_t)c * image), p->attr,
                   (void *)(p->means + (size_t)c * means));
    }
}

static void spread_planes(void *context, int64_t begin, int64_t end) {
    const pool *p = context;
    size_t image = plane_size(p, &p->attr->size), means = plane_size(p, &p->attr->windows);
    for (int64_t c = begin; c < end; c++) {
        memset(p->image + (size_t)c * image, 0, image);
        spread_plane(p, p->image + (size_t)c * image, p->means + (size_t)c * means);
    }
}

/* ---- the ops ---- */

/* Checks that the last two of four axes of input 0 have the sizes `want`, and lays out the output with the sizes `out` there. */
static tg_status infer(const tg_call *call, tg_shape want, tg_shape out) {
    const tg_array *x = call->in[0];
    tg_status s = tg_call_float(call, 0);
    if (s != TG_OK) return s;
    if (x->rank != 4)
        return tg_call_fail(call, TG_ERR_SHAPE, "needs four axes, was given %s", tg_call_input(call, 0));
    if (x->shape[2] != want.dim[0] || x->shape[3] != want.dim[1])
        return tg_call_fail(call, TG_ERR_SHAPE, "needs [images, channels, %lld, %lld], was given %s",
                            (long long)want.dim[0], (long long)want.dim[1], tg_call_input(call, 0));
    for (int i = 0; i < 2; i++)
        if (out.dim[i] < 1 || want.dim[i] < 1)
            return tg_call_fail(call, TG_ERR_SHAPE, "%lld by %lld elements cannot become %lld by %lld: %s",
                                (long long)want.dim[0], (long long)want.dim[1], (long long)out.dim[0],
                                (long long)out.dim[1], tg_call_input(call, 0));
    return tg_out(call, 0, (tg_dtype)x->dtype, TG_SHAPE(x->shape[0], x->shape[1], out.dim[0], out.dim[1]));
}

static tg_status run(const tg_call *call, bool gather) {
    const tg_array *x = call->in[0];
    tg_array dense = {0};
    tg_status s = tg_array_contiguous(&dense, x);
    if (s != TG_OK) return s;
    pool p = {.attr = call->attr, .dtype = (tg_dtype)x->dtype};
    p.image = gather ? dense.data : call->out[0]->data;
    p.means = gather ? call->out[0]->data : dense.data;
    int64_t plane = p.attr->size.dim[0] * p.attr->size.dim[1];
    tg_parallel_for(x->shape[0] * x->shape[1], plane >= 16384 ? 1 : 16384 / (plane ? plane : 1),
                    gather ? gather_planes : spread_planes, &p);
    tg_array_drop(&dense);
    return TG_OK;
}

static tg_status pool_infer(const tg_call *call) {
    const avg_attr *a = call->attr;
    return infer(call, a->size, a->windows);
}
static tg_status input_infer(const tg_call *call) {
    const avg_attr *a = call->attr;
    return infer(call, a->windows, a->size);
}
static tg_status pool_forward(const tg_call *call) { return run(call, true); }
static tg_status input_forward(const tg_call *call) { return run(call, false); }

static void pool_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_apply1(&tg_op_avg_pool2d_input, dout[0], n->attr);
}
static void input_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_apply1(&tg_op_avg_pool2d, dout[0], n->attr);
}

const tg_op tg_op_avg_pool2d = {
    .name = "avg_pool2d",
    .formula = "out = mean of x in each window",
    .rule = "dx = each element of dout, divided by its window's size, added to all of the window",
    .n_in = 1,
    TG_ATTRS(avg_attr, fields),
    .infer = pool_infer,
    .forward = pool_forward,
    .grad = pool_grad,
};

const tg_op tg_op_avg_pool2d_input = {
    .name = "avg_pool2d_input",
    .formula = "out = each element of g, divided by its window's size, added to all of the window",
    .rule = "dg = mean of dout in each window",
    .n_in = 1,
    TG_ATTRS(avg_attr, fields),
    .infer = input_infer,
    .forward = input_forward,
    .grad = input_grad,
};

/* ---- public functions ---- */

/* The size of the image, for tensors with four axes; infer refuses others. */
static tg_shape image_size(const tg_tensor *x) {
    if (!tg_is_alive(x) || tg_rank(x) != 4) return TG_SHAPE(0, 0);
    return TG_SHAPE(tg_size(x, 2), tg_size(x, 3));
}

static bool within(const char *name, int64_t value, int64_t least, int64_t most) {
    if (value >= least && value <= most) return true;
    tg_fail(TG_ERR_ARGUMENT, "avg_pool2d: %s is %lld, outside [%lld, %lld]", name, (long long)value,
            (long long)least, (long long)most);
    return false;
}

static bool check(const avg_attr *a, int i) {
    return within("the kernel's size", a->kernel.dim[i], 1, INT32_MAX) &&
           within("stride", a->stride.dim[i], 1, INT32_MAX) &&
           within("padding, at most half the kernel,", a->padding.dim[i], 0, a->kernel.dim[i] / 2);
}

/* The attributes for an image of this size; false with the error raised. */
static bool attributes(tg_shape size, tg_avg_pool2d_opts o, avg_attr *a) {
    *a = (avg_attr){.size = size,
                    .windows = TG_SHAPE(0, 0),
                    .kernel = tg_pair(o.kernel),
                    .stride = tg_pair(o.stride),
                    .padding = tg_padding_pair(o.padding),
                    .exclude_padding = o.exclude_padding};
    for (int i = 0; i < 2; i++) {
        if (a->stride.dim[i] == 0) a->stride.dim[i] = a->kernel.dim[i];
        if (!check(a, i)) return false;
        bool counts = size.dim[i] >= 0 && size.dim[i] <= INT64_MAX / 4;
        int64_t room = counts ? size.dim[i] + 2 * a->padding.dim[i] - a->kernel.dim[i] : -1;
        a->windows.dim[i] = room < 0 ? 0 : room / a->stride.dim[i] + 1;
    }
    return true;
}

tg_tensor *tg_avg_pool2d_with(tg_tensor *x, tg_avg_pool2d_opts o) {
    avg_attr a;
    return attributes(image_size(x), o, &a) ? tg_apply1(&tg_op_avg_pool2d, x, &a) : tg_poison();
}

tg_tensor *tg_avg_pool2d_input_with(tg_tensor *g, int64_t height, int64_t width, tg_avg_pool2d_input_opts o) {
    TG_NAMED("avg_pool2d_input");
    avg_attr a;
    return attributes(TG_SHAPE(height, width), o, &a) ? tg_apply1(&tg_op_avg_pool2d_input, g, &a) : tg_poison();
}

tg_tensor *tg_adaptive_avg_pool2d(tg_tensor *x, int64_t height, int64_t width) {
    TG_NAMED("adaptive_avg_pool2d");
    avg_attr a = {.size = image_size(x), .windows = TG_SHAPE(height, width), .adaptive = true};
    for (int i = 0; i < 2; i++) {
        int64_t most = INT64_C(1) << 31; /* so that the product of the two sizes fits */
        if (a.size.dim[i] < most && a.windows.dim[i] < most) continue;
        tg_fail(TG_ERR_SHAPE, "adaptive_avg_pool2d: %lld means of %lld elements are too many",
                (long long)a.windows.dim[i], (long long)a.size.dim[i]);
        return tg_poison();
    }
    return tg_apply1(&tg_op_avg_pool2d, x, &a);
}
