/* Private. Raw numeric loops on arrays: no names, no gradients, no errors. Callers have checked shapes and
 * dtypes; outputs are allocated. Unless said otherwise every operand has the output's shape (broadcast
 * operands come with stride 0), any strides, and f32 or f64 throughout. An output may be one of the inputs,
 * element for element, in the elementwise functions (tg_map_unary to tg_map_axpy); nowhere else may they
 * overlap.
 *
 * The functions here walk the arrays; the work on each innermost run is done by a kernel from the tables
 * in core/kernels/simd/table.h, of which the first use picks the best that the machine can run (TG_ISA=ref,
 * avx2, avx512 or neon picks another; one that the machine lacks is ignored).
 */
#ifndef TG_CORE_KERNELS_H
#define TG_CORE_KERNELS_H

#include "core/array.h"

/* Elementwise functions of one argument, with up to two parameters p: rows of core/kernels/map/unary.def. */
typedef enum tg_unary {
#define TG_UNARY(NAME, ...) TG_UNARY_##NAME,
#include "core/kernels/map/unary.def"
#undef TG_UNARY
    TG_UNARY_COUNT
} tg_unary;

/* out = f(x), and dx = g * f'(x), where f' may use y = f(x). x or y is NULL where f' does not use it. */
void tg_map_unary(tg_unary f, const tg_array *x, const tg_array *out, const double p[2]);
void tg_map_unary_grad(tg_unary f, const tg_array *g, const tg_array *x, const tg_array *y,
                       const tg_array *dx, const double p[2]);

/* What unary.def says of x and y, and with it what an op has to save: f' does not read it (0), reads it (1), or reads
 * it in one dtype alone. */
enum { TG_USED_F32 = 2, TG_USED_F64 = 4 };
#define TG_USED_IN(dtype, uses) (((uses) & (1 | ((dtype) == TG_F32 ? TG_USED_F32 : TG_USED_F64))) != 0)

/* Elementwise functions of two arguments: rows of core/kernels/map/binary.def. */
typedef enum tg_binary {
#define TG_BINARY(NAME, ...) TG_BINARY_##NAME,
#include "core/kernels/map/binary.def"
#undef TG_BINARY
    TG_BINARY_COUNT
} tg_binary;

/* out = f(a, b). ADD SUB MUL DIV MAXIMUM MINIMUM also for i32 and i64 (division truncates; by zero gives
 * 0). */
void tg_map_binary(tg_binary f, const tg_array *a, const tg_array *b, const tg_array *out);

/* Comparisons, any dtype, out is bool: EQ NE LT LE GT GE. */
typedef enum tg_compare { TG_EQ, TG_NE, TG_LT, TG_LE, TG_GT, TG_GE } tg_compare;
void tg_map_compare(tg_compare f, const tg_array *a, const tg_array *b, const tg_array *out);

/* out = condition ? a : b, any dtype; condition is bool or u8. */
void tg_map_where(const tg_array *condition, const tg_array *a, const tg_array *b, const tg_array *out);

/* out = scale * x + shift, f32, f64, and i32/i64 (scale and shift truncated). */
void tg_map_affine(const tg_array *x, double scale, double shift, const tg_array *out);

/* y += alpha * x, in place. */
void tg_map_axpy(double alpha, const tg_array *x, const tg_array *y);

/* Reductions over the axes in the bit set `axes`; out has size 1 along them. Sums are pairwise (f32 and
 * f64): error grows with log n. SUM and PROD of i32, i64, u8 or bool have an i64 out; MAX and MIN of them
 * keep the dtype. MAX and MIN propagate NaN. AND, OR: any x, out is bool. Empty SUM is 0, PROD 1. */
typedef enum tg_reduction { TG_SUM, TG_PROD, TG_MAX, TG_MIN, TG_AND, TG_OR } tg_reduction;
void tg_reduce(tg_reduction f, const tg_array *x, unsigned axes, const tg_array *out);

/* Along one axis: y = softmax(x), y = log_softmax(x), both shifted by the maximum; a row of all -inf
 * gives NaN (as PyTorch); elements that are +inf share the probability. Gradients: dx = y * (g - sum(g*y)); dx = g - exp(y) * sum(g). */
void tg_map_softmax(const tg_array *x, int axis, const tg_array *y);
void tg_map_softmax_grad(const tg_array *g, const tg_array *y, int axis, const tg_array *dx);
void tg_map_log_softmax(const tg_array *x, int axis, const tg_array *y);
void tg_map_log_softmax_grad(const tg_array *g, const tg_array *y, int axis, const tg_array *dx);

/* Rows of n elements of x, and for each row one class (i64 or i32 in [-n, n), a negative one counted from the end) and
 * one loss or g; all contiguous. loss = log sum e^x - x[class]; dx = g * (softmax(x) - onehot(class)), which is 0 where
 * g is, whatever x holds. */
void tg_map_cross_entropy(const tg_array *x, int64_t n, const tg_array *classes, const tg_array *loss);
void tg_map_cross_entropy_grad(const tg_array *g, const tg_array *x, int64_t n, const tg_array *classes,
                               const tg_array *dx);

/* Rows of n elements, all arrays contiguous: z = x / sqrt(mean(x^2) + eps), of x less its mean where `centred`;
 * y = z * w + b. w and b, of n elements, may be NULL. The gradients dx, dw = sum over rows of g * z and db = sum of g
 * are NULL where they are not wanted; TG_ERR_MEMORY when partial sums find no room. */
typedef struct tg_row_norm {
    int64_t n;
    double eps;
    bool centred;
} tg_row_norm;
void tg_map_norm(const tg_row_norm *f, const tg_array *x, const tg_array *w, const tg_array *b,
                 const tg_array *y);
tg_status tg_map_norm_grad(const tg_row_norm *f, const tg_array *g, const tg_array *x, const tg_array *w,
                           const tg_array *dx, const tg_array *dw, const tg_array *db);

/* x [images, channels, places], all arrays contiguous: each channel less its mean, over sqrt(variance + eps), times w, plus b;
 * w and b, one number a channel, may be NULL. Mean and biased variance of x are outputs, [channels]; where they are
 * `given` they are inputs. Gradients as above: dx, dw and db are NULL where they are not wanted, and given moments have none.
 * A mean of no elements is not asked for. TG_ERR_MEMORY, when there is no room to bring channels together. */
typedef struct tg_channel_norm {
    int64_t images, channels, places;
    double eps;
    bool given;
} tg_channel_norm;
tg_status tg_map_channel_norm(const tg_channel_norm *f, const tg_array *x, const tg_array *w,
                              const tg_array *b, const tg_array *mean, const tg_array *var, const tg_array *y);
tg_status tg_map_channel_norm_grad(const tg_channel_norm *f, const tg_array *g, const tg_array *x,
                                   const tg_array *w, const tg_array *mean, const tg_array *var,
                                   const tg_array *dx, const tg_array *dw, const tg_array *db);

/* Position of the first maximum (minimum) along an axis, as i64; NaN counts as the extreme. out has size
 * 1 along it. */
void tg_arg_extreme(bool maximum, const tg_array *x, int axis, const tg_array *out);

/* map_gather: out[.., j, ..] = x[.., index[.., j, ..], ..] along axis; index (i64 or i32) has out's
 * shape; x agrees with it on the other axes or is larger. Any dtype. map_scatter_add: x[.., index[.., j,
 * ..], ..] += src[.., j, ..]. Equal indices add up in row-major order, in double where many meet; TG_ERR_MEMORY, with x
 * unchanged, when there is no room for that. Indices have been checked; an axis
 * of a scalar is 0. */
void tg_map_gather(const tg_array *x, int axis, const tg_array *index, const tg_array *out);
tg_status tg_map_scatter_add(const tg_array *x, int axis, const tg_array *index, const tg_array *src);

/* out[.., index[.., j, ..], ..] = the sum of src[.., j, ..], 0 where no index leads, along axis: of a permutation, its inverse.
 * index is i64; all have one shape. f32 and f64, added in their own dtype. False if an index is outside of the axis. */
bool tg_map_put_back(const tg_array *src, int axis, const tg_array *index, const tg_array *out);

/* C = alpha * A B + beta * C, for A [.., m, k], B [.., k, n], C [.., m, n] with equal leading (batch)
 * axes (broadcast ones by stride 0). beta = 0 ignores what C held. C's last axis has stride 1; A and B
 * may have any strides (a copy is made only when neither of the two last axes has stride 1 and the
 * product is not small). k = 0 gives beta * C. TG_ERR_MEMORY, with C unchanged, when a copy cannot be
 * made. f32 and f64. */
tg_status tg_gemm(double alpha, const tg_array *a, const tg_array *b, double beta, const tg_array *c);

/* C = A B with bias [n] added to each row; the rest as tg_gemm, but after a failure C may hold anything. */
tg_status tg_gemm_bias(const tg_array *a, const tg_array *b, const tg_array *bias, const tg_array *c);

/* The instruction set in use: "ref", "avx2", "avx512", "neon". */
const char *tg_isa(void);

#endif
