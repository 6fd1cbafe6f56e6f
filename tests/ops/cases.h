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

#define ARG(...) {sizeof((double[]){__VA_ARGS__}) / sizeof(double), {__VA_ARGS__}}
#define SCALAR(x) {1 + 0, {0}, {x}}
#define VECTOR(...) {1 + 1, {sizeof((double[]){__VA_ARGS__}) / sizeof(double)}, {__VA_ARGS__}}
#define MATRIX(m, n, ...) {1 + 2, {m, n}, {__VA_ARGS__}}
#define EMPTY(...) {1 + sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}}
#define VECTOR_OF(type, ...) \
    {1 + 1, {sizeof((double[]){__VA_ARGS__}) / sizeof(double)}, {__VA_ARGS__}, TG_##type}
#define MATRIX_OF(type, m, n, ...) {1 + 2, {m, n}, {__VA_ARGS__}, TG_##type}

/* `rank` holds rank + 1, so that a field left out is no tensor. */
static inline bool is_present(const values *v) { return v->rank > 0; }

static inline tg_tensor *tensor_of(const values *v, tg_dtype f) {
    tg_shape s = {v->rank - 1, {v->dim[0], v->dim[1], v->dim[2], v->dim[3]}};
    tg_tensor *x = (tg_zeros)(v->dtype == TG_F32 ? f : v->dtype, s);
    for (int64_t k = 0, n = tg_numel(x); k < n; k++) tg_array_set(tg_array_of(x), k, v->v[k]);
    return x;
}

#endif
