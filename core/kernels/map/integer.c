/* Integer and bool runs: plain loops. Arithmetic wraps around, as two's complement has it. */
#include "core/kernels/simd/table.h"

#define ARITHMETIC(NAME, T, U, VALUE) \
    static void NAME(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) { \
        T *out = (T *)(void *)p->out; \
        const T *x = (const T *)(void *)p->a, *y = (const T *)(void *)p->b; \
        (void)arg; \
        for (int64_t i = 0; i < n; i++) { \
            T a = x[i * s->a], b = y[i * s->b]; \
            out[i * s->out] = (T)(VALUE); \
        } \
    }
#define ARITHMETICS(T, U, X) \
    ARITHMETIC(add_##X, T, U, (U)a + (U)b) \
    ARITHMETIC(sub_##X, T, U, (U)a - (U)b) \
    ARITHMETIC(mul_##X, T, U, ((U)a) * ((U)b)) \
    ARITHMETIC(div_##X, T, U, b == 0 ? 0 : b == -1 ? (T)(0 - (U)a) : a / b) \
    ARITHMETIC(max_##X, T, U, a > b ? a : b) \
    ARITHMETIC(min_##X, T, U, a < b ? a : b)
ARITHMETICS(int32_t, uint32_t, i32)
ARITHMETICS(int64_t, uint64_t, i64)

tg_run *tg_integer_binary(tg_binary f, int dtype) {
    static tg_run *const table[][2] = {
        [TG_BINARY_ADD] = {add_i32, add_i64},     [TG_BINARY_SUB] = {sub_i32, sub_i64},
        [TG_BINARY_MUL] = {mul_i32, mul_i64},     [TG_BINARY_DIV] = {div_i32, div_i64},
        [TG_BINARY_MAXIMUM] = {max_i32, max_i64}, [TG_BINARY_MINIMUM] = {min_i32, min_i64},
    };
    if (f > TG_BINARY_MINIMUM || (dtype != TG_I32 && dtype != TG_I64)) return NULL;
    return table[f][dtype == TG_I64];
}

#define COMPARE(NAME, T, OP) \
    static void NAME(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) { \
        unsigned char *out = (unsigned char *)p->out; \
        const T *a = (const T *)(void *)p->a, *b = (const T *)(void *)p->b; \
        (void)arg; \
        for (int64_t i = 0; i < n; i++) out[i * s->out] = a[i * s->a] OP b[i * s->b]; \
    }
#define COMPARES(T, X) \
    COMPARE(eq_##X, T, ==) \
    COMPARE(ne_##X, T, !=) \
    COMPARE(lt_##X, T, <) \
    COMPARE(le_##X, T, <=) \
    COMPARE(gt_##X, T, >) \
    COMPARE(ge_##X, T, >=)
COMPARES(int32_t, i32)
COMPARES(int64_t, i64)
COMPARES(unsigned char, u8)

tg_run *tg_integer_compare(tg_compare f, int dtype) {
    static tg_run *const table[][3] = {
        [TG_EQ] = {eq_i32, eq_i64, eq_u8}, [TG_NE] = {ne_i32, ne_i64, ne_u8},
        [TG_LT] = {lt_i32, lt_i64, lt_u8}, [TG_LE] = {le_i32, le_i64, le_u8},
        [TG_GT] = {gt_i32, gt_i64, gt_u8}, [TG_GE] = {ge_i32, ge_i64, ge_u8},
    };
    if (tg_dtype_is_float((tg_dtype)dtype)) return NULL;
    return table[f][dtype == TG_I32 ? 0 : dtype == TG_I64 ? 1 : 2];
}

/* Truncated; what int64 cannot hold becomes its lowest value, as tg_array_copy has it. */
static int64_t truncated(double v) { return v >= -0x1p63 && v < 0x1p63 ? (int64_t)v : INT64_MIN; }

#define AFFINE(NAME, T, U) \
    static void NAME(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) { \
        const double *number = arg; \
        U scale = (U)truncated(number[0]), shift = (U)truncated(number[1]); \
        T *out = (T *)(void *)p->out; \
        const T *x = (const T *)(void *)p->a; \
        for (int64_t i = 0; i < n; i++) out[i * s->out] = (T)((U)x[i * s->a] * scale + shift); \
    }
AFFINE(affine_i32, int32_t, uint32_t)
AFFINE(affine_i64, int64_t, uint64_t)

tg_run *tg_integer_affine(int dtype) {
    return dtype == TG_I32 ? affine_i32 : dtype == TG_I64 ? affine_i64 : NULL;
}

void tg_where_bytes(int64_t n, const tg_operands *p, const tg_strides *s, const void *arg) {
    (void)arg;
    for (int64_t i = 0; i < n; i++) p->out[i * s->out] = p->c[i * s->c] ? p->a[i * s->a] : p->b[i * s->b];
}
