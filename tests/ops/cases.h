/* Tensors written out in tables: exact cases and error inputs. */
#ifndef TG_TESTS_OPS_CASES_H
#define TG_TESTS_OPS_CASES_H

#include "tests/ops/harness.h"

#include <math.h>

/* A case leaves out what is as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define MAX_VALUES 12

typedef struct values {
    int rank; /* ABSENT: no tensor */
    int64_t dim[4];
    double v[MAX_VALUES];
    tg_dtype dtype; /* TG_F32 stands for the float type under test */
} values;

#define ARG(...) \
    { \
        sizeof((double[]){__VA_ARGS__}) / sizeof(double), { __VA_ARGS__ } \
    }
#define SCALAR(x) \
    { \
        1 + 0, {0}, { x } \
    }
#define VECTOR(...) \
    { \
        1 + 1, {sizeof((double[]){__VA_ARGS__}) / sizeof(double)}, { __VA_ARGS__ } \
    }
#define MATRIX(m, n, ...) \
    { \
        1 + 2, {m, n}, { __VA_ARGS__ } \
    }
#define EMPTY(...) \
    { \
        1 + sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), { __VA_ARGS__ } \
    }
#define VECTOR_OF(type, ...) \
    { 1 + 1, {sizeof((double[]){__VA_ARGS__}) / sizeof(double)}, {__VA_ARGS__}, TG_##type }
#define MATRIX_OF(type, m, n, ...) \
    { 1 + 2, {m, n}, {__VA_ARGS__}, TG_##type }

#define SHAPE(...) \
    { \
        1 + sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), { __VA_ARGS__ } \
    }
#define SHAPE_OF(type, ...) \
    { 1 + sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}, .dtype = TG_##type }

/* An exact case: <room>/exact.c, listed in test_conventions.c. */
typedef struct convention {
    const char *what, *call;
    arguments arg;
    values in[3];
    values out;
    values grad[3];   /* of sum(seed * out); absent: not compared */
    values seed;      /* absent: ones */
    kind kind;        /* what it counts as, beside an exact case */
    double within[2]; /* f32, f64: relative, beside three of the least numbers; 0: exactly. SKIP: not in it */
    values second[2][2]; /* [i][j]: the derivative by input j of that by input i, summed over its elements */
    values second_seed; /* in place of that sum, with `seed` for the first; absent: ones, and ones for the first too */
} convention;

typedef struct convention_table {
    const convention *rows;
    int n;
} convention_table;

int n_conventions(void); /* rows of all tables, numbered through */
const convention *convention_at(int i);

#define SKIP (-1)
#define NAN_ NAN
#define INF INFINITY
#define AT_KINK .kind = K_KINK

/* Bad input: <room>/errors.c, listed in test_errors.c. */
typedef struct bad {
    const char *call;
    arguments arg;
    values in[3]; /* named left, right and third */
    tg_status status;
    const char *says[5]; /* beside the name of the op */
} bad;

typedef struct bad_table {
    const bad *rows;
    int n;
} bad_table;

#define BAD_PAIR(name) \
    {name, {0}, {SHAPE(2, 3), SHAPE(2, 2)}, TG_ERR_SHAPE, {"left [2, 3] f", "right [2, 2] f"}}, { \
        name, {0}, {SHAPE(2), SHAPE_OF(I32, 2)}, TG_ERR_DTYPE, { "left [2] f", "right [2] i32" } \
    }
#define BAD_FLOAT(name) \
    {name, {0}, {SHAPE_OF(I64, 4)}, TG_ERR_DTYPE, {"left [4] i64", "f32"}}, { \
        name, {0}, {SHAPE_OF(BOOL, 2, 2)}, TG_ERR_DTYPE, { "left [2, 2] bool" } \
    }

/* `rank` holds rank + 1, so that a field left out is no tensor. */
static inline bool is_present(const values *v) { return v->rank > 0; }

static inline tg_tensor *tensor_of(const values *v, tg_dtype f) {
    tg_shape s = {v->rank - 1, {v->dim[0], v->dim[1], v->dim[2], v->dim[3]}};
    tg_tensor *x = tg_zeros_with(v->dtype == TG_F32 ? f : v->dtype, s);
    for (int64_t k = 0, n = tg_numel(x); k < n && k < MAX_VALUES; k++)
        tg_array_set(tg_array_of(x), k, v->v[k]);
    return x;
}

#endif
