/* Views of views of rank up to 8, drawn at random, against a list of which element stands where: permuting, broadcasting,
 * reshaping, sharing, parts and overlapping windows; and what is said of them: contiguous, exclusive.
 */
#include "core/alloc.h"
#include "core/array.h"
#include "core/random.h"
#include "tests/core/helpers.h"

#include <stdlib.h>

TCase *tcase_views(void);

enum { MOST = 4096 };

/* A view, and the number of the base's element at each place in row-major order. */
typedef struct model {
    tg_array a;
    int64_t id[MOST];
    bool plain; /* made by views of a contiguous array alone: no overlapping windows */
} model;

static tg_rng rng;
static int64_t below(int64_t n) { return (int64_t)tg_rng_below(&rng, (uint64_t)n); }

static void agree(const model *m, const char *what) {
    for (int64_t i = 0; i < m->a.numel; i++)
        if (tg_array_get(&m->a, i) != (double)m->id[i])
            ck_abort_msg("%s: element %d of rank %d is %g, not %d", what, (int)i, m->a.rank,
                         tg_array_get(&m->a, i), (int)m->id[i]);
    const char *base = tg_buffer_data(m->a.buffer);
    int64_t first = ((const char *)m->a.data - base) / 4;
    bool dense = true, once = true;
    static bool seen[MOST];
    memset(seen, 0, sizeof seen);
    for (int64_t i = 0; i < m->a.numel; i++) {
        dense = dense && m->id[i] == first + i;
        once = once && !seen[m->id[i]];
        seen[m->id[i]] = true;
    }
    if (m->a.numel) ck_assert_msg(tg_array_is_contiguous(&m->a) == dense, "%s: contiguous: %d", what, dense);
    bool exclusive = tg_array_is_exclusive(&m->a);
    if (!once) ck_assert_msg(!exclusive, "%s: elements stand twice", what);
    if (once && m->plain) ck_assert_msg(exclusive, "%s: each element stands once", what);
}

static void odometer(const tg_shape *s, int64_t i, int64_t *at) {
    for (int d = s->rank - 1; d >= 0; d--) at[d] = i % s->dim[d], i /= s->dim[d];
}

/* The ids of a view whose element `at` is the old one at `from(at)`. */
static void draw_permute(model *m) {
    int order[TG_MAX_RANK];
    tg_shape was = tg_array_shape(&m->a), now = was;
    for (int i = 0; i < was.rank; i++) order[i] = i;
    for (int i = was.rank - 1; i > 0; i--) {
        int j = (int)below(i + 1), o = order[i];
        order[i] = order[j], order[j] = o;
    }
    for (int i = 0; i < was.rank; i++) now.dim[i] = was.dim[order[i]];
    static int64_t old[MOST];
    memcpy(old, m->id, sizeof old);
    for (int64_t i = 0; i < m->a.numel; i++) {
        int64_t at[TG_MAX_RANK], from[TG_MAX_RANK], place = 0;
        odometer(&now, i, at);
        for (int d = 0; d < now.rank; d++) from[order[d]] = at[d];
        for (int d = 0; d < was.rank; d++) place = place * was.dim[d] + from[d];
        m->id[i] = old[place];
    }
    tg_array_permute(&m->a, &m->a, order);
    agree(m, "permute");
}

static void draw_broadcast(model *m) {
    tg_shape was = tg_array_shape(&m->a), now = was;
    if (was.rank < TG_MAX_RANK && below(2)) {
        now.rank++;
        for (int i = was.rank; i > 0; i--) now.dim[i] = was.dim[i - 1];
        now.dim[0] = 1 + below(2);
    }
    for (int i = 0; i < was.rank; i++)
        if (was.dim[i] == 1 && below(2)) now.dim[now.rank - was.rank + i] = 1 + below(3);
    if (tg_shape_numel(now) > MOST) return;
    static int64_t old[MOST];
    memcpy(old, m->id, sizeof old);
    for (int64_t i = 0; i < tg_shape_numel(now); i++) {
        int64_t at[TG_MAX_RANK], place = 0;
        odometer(&now, i, at);
        for (int d = 0; d < was.rank; d++)
            place = place * was.dim[d] + (was.dim[d] == 1 ? 0 : at[now.rank - was.rank + d]);
        m->id[i] = old[place];
    }
    ck_assert_int_eq(tg_array_broadcast(&m->a, &m->a, now), TG_OK);
    ck_assert(tg_shape_equal(tg_array_shape(&m->a), now));
    agree(m, "broadcast");
}

/* The same number of elements in up to eight axes, some of size 1. */
static tg_shape draw_shape(int64_t numel) {
    tg_shape s = {0, {0}};
    while (s.rank < TG_MAX_RANK - 1 && (numel > 1 || below(3) == 0)) {
        int64_t factor = 1;
        if (below(4)) {
            for (factor = 2; factor <= numel && numel % factor; factor++) continue;
            if (below(3) == 0)
                while (numel % (2 * factor) == 0) factor *= 2;
            if (factor > numel) factor = 1;
        }
        s.dim[s.rank++] = factor;
        numel /= factor;
    }
    if (numel > 1) s.dim[s.rank++] = numel;
    return s;
}

/* Where the strides say no, a copy of the elements is what they are in the new shape. */
static bool draw_reshape(model *m) {
    tg_shape now = draw_shape(m->a.numel);
    tg_array v = {0}, dense = {0};
    if (tg_shape_numel(now) != m->a.numel) return true;
    bool viewed = tg_array_reshape(&v, &m->a, now);
    ck_assert(viewed || !tg_array_is_contiguous(&m->a));
    if (!viewed) {
        ck_assert_int_eq(tg_array_contiguous(&dense, &m->a), TG_OK);
        ck_assert(tg_array_reshape(&v, &dense, now));
        for (int64_t i = 0; i < v.numel; i++) ck_assert_double_eq(tg_array_get(&v, i), (double)m->id[i]);
        tg_array_drop(&v), tg_array_drop(&dense);
        return false;
    }
    ck_assert(tg_shape_equal(tg_array_shape(&v), now));
    tg_array_drop(&m->a);
    m->a = v;
    agree(m, "reshape");
    return true;
}

/* Every so many places of an axis from one on, maybe backwards. */
static void draw_part(model *m) {
    tg_shape was = tg_array_shape(&m->a), now = was;
    if (was.rank == 0) return;
    int axis = (int)below(was.rank);
    int64_t size = was.dim[axis], step = 1 + below(2), start = below(size),
            count = (size - 1 - start) / step + 1;
    bool back = below(2);
    if (back) count = start / step + 1, step = -step;
    static int64_t old[MOST];
    memcpy(old, m->id, sizeof old);
    now.dim[axis] = count;
    for (int64_t i = 0; i < tg_shape_numel(now); i++) {
        int64_t at[TG_MAX_RANK], place = 0;
        odometer(&now, i, at);
        at[axis] = start + at[axis] * step;
        for (int d = 0; d < was.rank; d++) place = place * was.dim[d] + at[d];
        m->id[i] = old[place];
    }
    m->a.data = (int32_t *)m->a.data + start * m->a.stride[axis];
    m->a.stride[axis] *= step, m->a.shape[axis] = count, m->a.numel = tg_shape_numel(now);
    agree(m, "part");
}

/* Windows of two or three along an axis, one place apart: [size - k + 1, k], which share elements. */
static void draw_windows(model *m) {
    tg_shape was = tg_array_shape(&m->a), now = was;
    int axis = (int)below(was.rank ? was.rank : 1);
    int64_t k = 2 + below(2);
    if (was.rank == 0 || was.rank == TG_MAX_RANK || was.dim[axis] < k || m->a.numel * k > MOST) return;
    now.dim[axis] = was.dim[axis] - k + 1, now.dim[now.rank++] = k;
    static int64_t old[MOST];
    memcpy(old, m->id, sizeof old);
    for (int64_t i = 0; i < tg_shape_numel(now); i++) {
        int64_t at[TG_MAX_RANK], place = 0;
        odometer(&now, i, at);
        at[axis] += at[now.rank - 1];
        for (int d = 0; d < was.rank; d++) place = place * was.dim[d] + at[d];
        m->id[i] = old[place];
    }
    int64_t step = m->a.stride[axis];
    m->a.shape[axis] = now.dim[axis], m->a.shape[m->a.rank] = k, m->a.stride[m->a.rank] = step, m->a.rank++;
    m->a.numel = tg_shape_numel(now), m->plain = false;
    agree(m, "windows");
}

static model m;

START_TEST(views_of_views) {
    rng = (tg_rng){.seed = 100 + (uint64_t)_i};
    for (int round = 0; round < 400; round++) {
        tg_shape s = draw_shape((const int64_t[]){24, 64, 36, 60, 210, 128, 1, 7}[below(8)]);
        ck_assert_int_eq(tg_array_alloc(&m.a, TG_I32, s), TG_OK);
        m.plain = true;
        for (int64_t i = 0; i < m.a.numel; i++) ((int32_t *)m.a.data)[i] = (int32_t)i, m.id[i] = i;
        agree(&m, "fresh");
        bool more = true;
        for (int k = 0; more && k < 7; k++) switch (below(7)) {
            case 0:
            case 1:
                draw_permute(&m);
                break;
            case 2:
                draw_broadcast(&m);
                break;
            case 3:
            case 4:
                more = draw_reshape(&m);
                break;
            case 5:
                draw_part(&m);
                break;
            default:
                draw_windows(&m);
            }
        tg_array other = {0};
        tg_array_share(&other, &m.a);
        ck_assert(!tg_array_is_exclusive(&m.a));
        for (int d = 0; d < other.rank; d++)
            ck_assert(other.shape[d] == m.a.shape[d] && other.stride[d] == m.a.stride[d]);
        ck_assert(other.rank == m.a.rank && other.numel == m.a.numel && other.data == m.a.data &&
                  other.dtype == m.a.dtype);
        tg_array_drop(&other), tg_array_drop(&m.a);
    }
}
END_TEST

/* An empty axis anywhere among eight: no elements, strides of what is around it. */
START_TEST(empty_axes) {
    for (int rank = 1; rank <= TG_MAX_RANK; rank++)
        for (int d = 0; d < rank; d++) {
            tg_shape s = {rank, {2, 3, 2, 1, 2, 3, 1, 2}};
            s.dim[d] = 0;
            tg_array a = {0}, v = {0};
            ck_assert_int_eq(tg_array_alloc(&a, TG_F64, s), TG_OK);
            ck_assert(a.numel == 0 && tg_array_is_contiguous(&a) && a.stride[rank - 1] == 1);
            ck_assert(tg_array_reshape(&v, &a, TG_SHAPE(0, 5)));
            ck_assert_int_eq(v.numel, 0);
            tg_array_drop(&v), tg_array_drop(&a);
        }
}
END_TEST

TCase *tcase_views(void) {
    TCase *tc = tcase_create("views");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, views_of_views, 0, 8);
    tcase_add_test(tc, empty_axes);
    return tc;
}
