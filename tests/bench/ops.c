/* usage: bench_ops THREADS [OP ...]
 * Each op forward, and its gradient alone, at three sizes: "name<TAB>n<TAB>forward<TAB>backward" in microseconds.
 * peer_torch.py has the same rows for PyTorch. n is the number of elements of the first input. */
#include "bench.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const int64_t sizes[] = {1 << 10, 1 << 15, 1 << 20};

/* How the first two inputs look, for n elements. */
typedef enum form {
    FLAT,   /* a [n], b [n] */
    ROWS,   /* [n / 256, 256] */
    SQUARE, /* [r, r], r^2 = n, to the nearest power of two below */
    NARROW, /* [n / 16, 16], and a row [16] */
    COLUMN, /* [n / 16, 16], and a number a row [n / 16, 1] */
    IMAGES  /* [n / 1024, 4, 16, 16], kernels [8, 4, 3, 3] */
} form;

typedef tg_tensor *op_fn(tg_tensor *a, tg_tensor *b);
typedef struct row {
    const char *name;
    op_fn *f;
    form form;
    bool binary, positive; /* positive: the domain is [0.5, 1.5), not a normal distribution */
} row;

#define UNARY(NAME) \
    static tg_tensor *f_##NAME(tg_tensor *a, tg_tensor *b) { return (void)b, tg_##NAME(a); }
#define BINARY(NAME) \
    static tg_tensor *f_##NAME(tg_tensor *a, tg_tensor *b) { return tg_##NAME(a, b); }
#define AS(NAME, ...) \
    static tg_tensor *f_##NAME(tg_tensor *a, tg_tensor *b) { return (void)b, __VA_ARGS__; }

UNARY(exp)
UNARY(expm1)
UNARY(log)
UNARY(log1p)
UNARY(sqrt)
UNARY(rsqrt)
UNARY(square)
UNARY(abs)
UNARY(sin)
UNARY(cos)
UNARY(tan)
UNARY(atan)
UNARY(sinh)
UNARY(tanh)
UNARY(sigmoid)
UNARY(logsigmoid)
UNARY(softplus)
UNARY(relu)
UNARY(gelu)
UNARY(silu)
UNARY(mish)
UNARY(selu)
UNARY(hardswish)
UNARY(erf)
UNARY(lgamma)
UNARY(reciprocal)
BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(pow)
BINARY(maximum)
BINARY(atan2)
BINARY(hypot)
BINARY(logaddexp)
BINARY(matmul)
AS(clamp, tg_clamp(a, -1, 1))
AS(leaky_relu, tg_leaky_relu(a, 0.01))
AS(elu, tg_elu(a, 1))
AS(pow_scalar, tg_pow_scalar(a, 3))
AS(sum, tg_sum(a, .axes = TG_SHAPE(-1)))
AS(mean, tg_mean(a, .axes = TG_SHAPE(-1)))
AS(sum_columns, tg_sum(a, .axes = TG_SHAPE(0)))
AS(amax, tg_amax(a, .axes = TG_SHAPE(-1)))
AS(prod, tg_prod(a, .axes = TG_SHAPE(-1)))
AS(logsumexp, tg_logsumexp(a, .axes = TG_SHAPE(-1)))
AS(var, tg_var(a, .axes = TG_SHAPE(-1)))
AS(softmax, tg_softmax(a, -1))
AS(log_softmax, tg_log_softmax(a, -1))
AS(layer_norm, tg_layer_norm(a))
AS(rms_norm, tg_rms_norm(a))
AS(cumsum, tg_cumsum(a, -1))
AS(sort, tg_sort(a, -1))
AS(transpose, tg_contiguous(tg_transpose(a, 0, 1)))
AS(add_turned, tg_add(a, tg_transpose(b, 0, 1)))
AS(exp_turned, tg_exp(tg_transpose(a, 0, 1)))
AS(concat, tg_concat(0, a, b))
AS(conv2d, tg_conv2d(a, b, .padding = {1, 1}))
AS(max_pool2d, tg_max_pool2d(a, .kernel = {2, 2}))
AS(avg_pool2d, tg_avg_pool2d(a, .kernel = {2, 2}))

#define ONE(NAME) \
    { #NAME, f_##NAME, FLAT, false, false }
#define POSITIVE(NAME) \
    { #NAME, f_##NAME, FLAT, false, true }
#define TWO(NAME) \
    { #NAME, f_##NAME, FLAT, true, false }
#define OVER(NAME) \
    { #NAME, f_##NAME, ROWS, false, false }

static const row rows[] = {
    ONE(exp),
    ONE(expm1),
    POSITIVE(log),
    POSITIVE(log1p),
    POSITIVE(sqrt),
    POSITIVE(rsqrt),
    ONE(square),
    ONE(abs),
    ONE(sin),
    ONE(cos),
    POSITIVE(tan),
    ONE(atan),
    ONE(sinh),
    ONE(tanh),
    ONE(sigmoid),
    ONE(logsigmoid),
    ONE(softplus),
    ONE(relu),
    ONE(gelu),
    ONE(silu),
    ONE(mish),
    ONE(selu),
    ONE(hardswish),
    ONE(erf),
    POSITIVE(lgamma),
    POSITIVE(reciprocal),
    ONE(clamp),
    ONE(leaky_relu),
    ONE(elu),
    ONE(pow_scalar),
    TWO(add),
    TWO(sub),
    TWO(mul),
    {"div", f_div, FLAT, true, true},
    {"pow", f_pow, FLAT, true, true},
    TWO(maximum),
    TWO(atan2),
    TWO(hypot),
    TWO(logaddexp),
    TWO(concat),
    OVER(sum),
    OVER(mean),
    OVER(sum_columns),
    OVER(amax),
    {"prod", f_prod, ROWS, false, true},
    OVER(logsumexp),
    OVER(var),
    OVER(softmax),
    OVER(log_softmax),
    OVER(layer_norm),
    OVER(rms_norm),
    OVER(cumsum),
    OVER(sort),
    OVER(transpose),
    {"matmul", f_matmul, SQUARE, true, false},
    {"add_turned", f_add_turned, SQUARE, true, false},
    {"exp_turned", f_exp_turned, SQUARE, false, false},
    {"add_row", f_add, NARROW, true, false},
    {"add_column", f_add, COLUMN, true, false},
    {"conv2d", f_conv2d, IMAGES, true, false},
    {"max_pool2d", f_max_pool2d, IMAGES, false, false},
    {"avg_pool2d", f_avg_pool2d, IMAGES, false, false},
};
enum { N_ROWS = sizeof rows / sizeof *rows };

static tg_shape shape_of(const row *r, int64_t n, int input) {
    int64_t side = 1;
    while (4 * side * side <= n) side *= 2;
    if (r->form == FLAT) return TG_SHAPE(n);
    if (r->form == ROWS) return TG_SHAPE(n / 256, 256);
    if (r->form == SQUARE) return TG_SHAPE(side, side);
    if (r->form == NARROW && input) return TG_SHAPE(16);
    if (r->form == NARROW || r->form == COLUMN) return TG_SHAPE(n / 16, input ? 1 : 16);
    return input ? TG_SHAPE(8, 4, 3, 3) : TG_SHAPE(n / 1024, 4, 16, 16);
}

typedef struct state {
    const row *row;
    tg_tensor *in[2], *y, *dy;
} state;

static void forward(void *p) {
    state *s = p;
    tg_mark m = tg_tape_mark();
    s->row->f(s->in[0], s->in[1]);
    tg_tape_rewind(m);
}

static void backward(void *p) {
    state *s = p;
    tg_tensor *g[2];
    tg_mark m = tg_tape_mark();
    tg_grad(1, &s->y, s->row->binary ? 2 : 1, s->in, g, .seeds = &s->dy, .retain = true);
    tg_tape_rewind(m);
}

static int measure(const row *r, int64_t n) {
    tg_mark m = tg_tape_mark();
    state s = {.row = r};
    for (int i = 0; i < (r->binary ? 2 : 1); i++) {
        tg_shape shape = shape_of(r, n, i);
        tg_tensor *x =
            r->positive ? tg_uniform_with(TG_F32, 0.5, 1.5, shape) : tg_normal_with(TG_F32, 0, 1, shape);
        s.in[i] = tg_set_requires_grad(x, true);
    }
    double ahead = seconds_a_step(forward, &s, 0.09);
    s.y = r->f(s.in[0], s.in[1]);
    s.dy = tg_normal_with(TG_F32, 0, 1, tg_shape_of(s.y));
    double back = seconds_a_step(backward, &s, 0.09);
    if (tg_error_status() != TG_OK) {
        fprintf(stderr, "%s: %s\n", r->name, tg_error_message());
        return 1;
    }
    printf("%s\t%lld\t%.2f\t%.2f\n", r->name, (long long)n, ahead * 1e6, back * 1e6);
    fflush(stdout);
    tg_tape_rewind(m);
    return 0;
}

int main(int argc, char **argv) {
    int threads = argc > 1 ? atoi(argv[1]) : 0;
    if (threads < 1) {
        fprintf(stderr, "usage: %s THREADS [OP ...]\n", argv[0]);
        return 2;
    }
    tg_set_num_threads(threads);
    tg_seed(0);
    for (int i = 0; i < N_ROWS; i++) {
        bool chosen = argc == 2;
        for (int k = 2; k < argc; k++) chosen = chosen || strcmp(argv[k], rows[i].name) == 0;
        for (size_t k = 0; chosen && k < sizeof sizes / sizeof *sizes; k++)
            if (measure(&rows[i], sizes[k])) return 1;
    }
    return 0;
}
