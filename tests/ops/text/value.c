/* Arrays of long doubles, one element after the other: slow, and with nothing of the library's loops. */
#include "tests/ops/text/text.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- storage ---- */

enum { BLOCKS = 65536 };
static void *block[BLOCKS];
static int blocks;
static const char *wrong;

const char *values_wrong(void) {
    const char *was = wrong;
    wrong = NULL;
    return was;
}

void values_forget(void) {
    while (blocks > 0) free(block[--blocks]);
}

value value_new(tg_shape shape) {
    int64_t n = tg_shape_numel(shape);
    ck_assert_msg(blocks < BLOCKS, "a text takes more than %d values", BLOCKS);
    real *v = calloc((size_t)n + 1, sizeof *v);
    ck_assert_ptr_nonnull(v);
    block[blocks++] = v;
    return (value){shape, v};
}

value value_scalar(real v) {
    value x = value_new(TG_SCALAR);
    x.v[0] = v;
    return x;
}

value value_of(const tg_array *a) {
    value x = value_new(tg_array_shape(a));
    for (int64_t i = 0; i < a->numel; i++) x.v[i] = tg_array_get(a, i);
    return x;
}

int64_t value_numel(value x) { return tg_shape_numel(x.shape); }

value value_shaped(value x, tg_shape shape) {
    ck_assert_int_eq(value_numel(x), tg_shape_numel(shape));
    return (value){shape, x.v};
}

/* ---- element by element ---- */

static bool common(tg_shape a, tg_shape b, tg_shape *out) {
    *out = TG_SCALAR;
    if (tg_shape_broadcast(a, b, out)) return true;
    wrong = "shapes that do not broadcast";
    return false;
}

/* Where element i of `shape` stands in a smaller shape that broadcasts to it. */
static int64_t place(tg_shape shape, int64_t i, tg_shape in) {
    int64_t at = 0, step = 1;
    for (int k = 1; k <= shape.rank; k++) {
        int64_t n = shape.dim[shape.rank - k], here = i % n;
        i /= n;
        if (k > in.rank) continue;
        if (in.dim[in.rank - k] != 1) at += here * step;
        step *= in.dim[in.rank - k];
    }
    return at;
}

value value_map(function_1 *f, value x) {
    value y = value_new(x.shape);
    for (int64_t i = 0; i < value_numel(x); i++) y.v[i] = f(x.v[i]);
    return y;
}

value value_map_2(function_2 *f, value a, value b) {
    tg_shape shape;
    if (!common(a.shape, b.shape, &shape)) return value_scalar(NAN);
    value y = value_new(shape);
    for (int64_t i = 0; i < value_numel(y); i++)
        y.v[i] = f(a.v[place(y.shape, i, a.shape)], b.v[place(y.shape, i, b.shape)]);
    return y;
}

value value_choose(value condition, value a, value b) {
    tg_shape shape;
    if (!common(a.shape, b.shape, &shape) || !common(condition.shape, shape, &shape)) return value_scalar(NAN);
    value y = value_new(shape);
    for (int64_t i = 0; i < value_numel(y); i++) {
        value from = condition.v[place(y.shape, i, condition.shape)] != 0 ? a : b;
        y.v[i] = from.v[place(y.shape, i, from.shape)];
    }
    return y;
}

/* ---- along axes ---- */

static tg_shape kept(tg_shape s, unsigned axes) {
    for (int k = 0; k < s.rank; k++)
        if (axes >> k & 1) s.dim[s.rank - 1 - k] = 1;
    return s;
}

value value_fold(function_2 *f, real start, unsigned axes, value x) {
    value y = value_new(kept(x.shape, axes));
    for (int64_t i = 0; i < value_numel(y); i++) y.v[i] = start;
    for (int64_t i = 0; i < value_numel(x); i++) {
        int64_t at = place(x.shape, i, y.shape);
        y.v[at] = f(y.v[at], x.v[i]);
    }
    return y;
}

value value_others(unsigned axes, value x) {
    tg_shape rows = kept(x.shape, axes);
    value y = value_new(x.shape);
    for (int64_t i = 0; i < value_numel(x); i++) {
        y.v[i] = 1;
        for (int64_t j = 0; j < value_numel(x); j++)
            if (i != j && place(x.shape, i, rows) == place(x.shape, j, rows)) y.v[i] *= x.v[j];
    }
    return y;
}

value value_first(unsigned axes, value x) {
    tg_shape rows = kept(x.shape, axes);
    value y = value_new(x.shape);
    for (int64_t i = 0; i < value_numel(x); i++) {
        y.v[i] = x.v[i];
        for (int64_t j = 0; j < i; j++)
            if (x.v[j] != 0 && place(x.shape, i, rows) == place(x.shape, j, rows)) y.v[i] = 0;
    }
    return y;
}

value value_fit(value x, tg_shape shape) {
    tg_shape all;
    value y = value_new(shape);
    if (!common(x.shape, shape, &all)) return y;
    for (int64_t i = 0; i < tg_shape_numel(all); i++) y.v[place(all, i, shape)] += x.v[place(all, i, x.shape)];
    return y;
}

value value_repeated(value x, tg_shape shape) {
    if (value_numel(x) == tg_shape_numel(shape)) return value_shaped(x, shape);
    value y = value_new(shape);
    tg_shape all;
    if (!common(x.shape, shape, &all) || !tg_shape_equal(all, shape)) {
        wrong = "more elements than the op has";
        return y;
    }
    for (int64_t i = 0; i < value_numel(y); i++) y.v[i] = x.v[place(shape, i, x.shape)];
    return y;
}

/* ---- matrices ---- */

static int64_t size(value x, int back) { return x.shape.dim[x.shape.rank - back]; }

static tg_shape with_matrix(tg_shape lead, int64_t rows, int64_t columns) {
    lead.dim[lead.rank++] = rows;
    lead.dim[lead.rank++] = columns;
    return lead;
}

/* Of a matrix. */
static tg_shape lead_of(value x) {
    tg_shape s = x.shape;
    s.rank -= 2;
    return s;
}

static bool is_matrix(value x) {
    if (x.shape.rank < 2) wrong = "a number or a vector in place of a matrix";
    return x.shape.rank >= 2;
}

value value_product(value a, value b) {
    if (!is_matrix(a) || !is_matrix(b)) return value_scalar(NAN);
    tg_shape la = lead_of(a), lb = lead_of(b), lead;
    int64_t m = size(a, 2), inner = size(a, 1), n = size(b, 1);
    if (inner != size(b, 2)) wrong = "a product of matrices whose inner sizes differ";
    if (inner != size(b, 2) || !common(la, lb, &lead)) return value_scalar(NAN);
    value y = value_new(with_matrix(lead, m, n));
    for (int64_t i = 0; i < value_numel(y); i++) {
        int64_t batch = i / (m * n), row = i / n % m, column = i % n;
        const real *p = a.v + (place(lead, batch, la) * m + row) * inner;
        const real *q = b.v + place(lead, batch, lb) * inner * n + column;
        for (int64_t k = 0; k < inner; k++) y.v[i] += p[k] * q[k * n];
    }
    return y;
}

value value_transposed(value a) {
    if (!is_matrix(a)) return value_scalar(NAN);
    int64_t m = size(a, 2), n = size(a, 1);
    value y = value_new(with_matrix(lead_of(a), n, m));
    for (int64_t i = 0; i < value_numel(y); i++) y.v[i] = a.v[i / (m * n) * m * n + i % m * n + i / m % n];
    return y;
}

value value_lower(value a, int offset) {
    if (!is_matrix(a)) return value_scalar(NAN);
    value y = value_new(a.shape);
    for (int64_t i = 0; i < value_numel(a); i++)
        if (i % size(a, 1) <= i / size(a, 1) % size(a, 2) + offset) y.v[i] = a.v[i];
    return y;
}

static void swap_rows(real *m, int64_t n, int64_t i, int64_t j) {
    for (int64_t k = 0; k < n; k++) {
        real v = m[i * n + k];
        m[i * n + k] = m[j * n + k], m[j * n + k] = v;
    }
}

/* Gauss and Jordan, the largest pivot of each column: m becomes 1, and y, which is 1, the inverse. Returns the determinant. */
static real invert(real *m, real *y, int64_t n) {
    real determinant = 1;
    for (int64_t c = 0; c < n; c++) {
        int64_t p = c;
        for (int64_t r = c; r < n; r++) p = fabsl(m[r * n + c]) > fabsl(m[p * n + c]) ? r : p;
        if (p != c) determinant = -determinant;
        swap_rows(m, n, c, p), swap_rows(y, n, c, p);
        real pivot = m[c * n + c];
        determinant *= pivot;
        for (int64_t k = 0; k < n; k++) m[c * n + k] /= pivot, y[c * n + k] /= pivot;
        for (int64_t r = 0; r < n; r++) {
            real f = m[r * n + c];
            for (int64_t k = 0; r != c && k < n; k++) m[r * n + k] -= f * m[c * n + k], y[r * n + k] -= f * y[c * n + k];
        }
    }
    return determinant;
}

value value_inverse(value a, value *determinant) {
    *determinant = value_scalar(NAN);
    if (!is_matrix(a)) return *determinant;
    int64_t n = size(a, 1), each = n * n;
    value m = value_new(a.shape), y = value_new(a.shape), d = value_new(with_matrix(lead_of(a), 1, 1));
    ck_assert_int_eq(size(a, 2), n);
    memcpy(m.v, a.v, sizeof *m.v * (size_t)value_numel(a));
    for (int64_t i = 0; i < value_numel(a); i++) y.v[i] = i % n == i / n % n;
    for (int64_t k = 0; k < value_numel(d); k++) d.v[k] = invert(m.v + k * each, y.v + k * each, n);
    *determinant = d;
    return y;
}

/* ---- the last axis ---- */

value value_part(value x, int64_t first, int64_t n) {
    tg_shape s = x.shape;
    s.dim[s.rank - 1] = n;
    value y = value_new(s);
    for (int64_t i = 0; i < value_numel(y); i++) y.v[i] = x.v[i / n * size(x, 1) + first + i % n];
    return y;
}

value value_joined(value a, value b) {
    tg_shape s = a.shape;
    int64_t m = size(a, 1), n = size(b, 1);
    s.dim[s.rank - 1] = m + n;
    value y = value_new(s);
    for (int64_t i = 0; i < value_numel(y); i++) {
        int64_t row = i / (m + n), k = i % (m + n);
        y.v[i] = k < m ? a.v[row * m + k] : b.v[row * n + k - m];
    }
    return y;
}

/* Indices below 0 count from the end. */
static int64_t from_start(real index, int64_t n) { return (int64_t)index + (index < 0 ? n : 0); }

value value_picked(value x, value index) {
    value y = value_new(kept(x.shape, 1));
    ck_assert_int_eq(value_numel(y), value_numel(index));
    for (int64_t i = 0; i < value_numel(y); i++) y.v[i] = x.v[i * size(x, 1) + from_start(index.v[i], size(x, 1))];
    return y;
}

value value_onehot(value index, int64_t n) {
    tg_shape s = index.shape;
    s.dim[s.rank - 1] = n;
    value y = value_new(s);
    for (int64_t i = 0; i < value_numel(index); i++) y.v[i * n + from_start(index.v[i], n)] = 1;
    return y;
}
