/* Which elements are not finite, and where they stand. */
#include "autograd/blame/blame.h"

#include "core/kernels/kernels.h"
#include "core/kernels/simd/table.h"
#include "core/work.h"

#include <math.h>

/* In blocks, the last one first: what was written last is in the cache, and what whoever comes next reads first will be. */
#define BLOCK 8192

static bool run_is_finite(const tg_array *a, int64_t run) {
    const tg_kernel_set *set = tg_kernels_for(a->dtype);
    const int64_t size = a->dtype == TG_F32 ? 4 : 8;
    for (int64_t end = run, n; end > 0; end -= n) {
        n = (end - 1) % BLOCK + 1;
        if (!set->finite(n, (const char *)a->data + (end - n) * size)) return false;
    }
    return true;
}

/* How many elements lie side by side from `data` on and are all that there are, in whatever order the axes go through them; -1
 * where there are others between them. */
static int64_t run_of(const tg_array *a) {
    unsigned left = 0;
    int64_t n = 1;
    if (a->numel == 0) return 0;
    for (int k = 0; k < a->rank; k++)
        if (a->shape[k] > 1 && a->stride[k] != 0) left |= 1u << k;
    while (left) {
        int k = 0;
        while (k < a->rank && !(left >> k & 1 && a->stride[k] == n)) k++;
        if (k == a->rank) return -1;
        n *= a->shape[k], left &= ~(1u << k);
    }
    return n;
}

/* A sum that is finite has finite terms alone. One that is not may have such, too: then they are looked at. */
static bool sum_is_finite(const tg_array *a) {
    double sum = 0;
    tg_array out = *a;
    for (int k = 0; k < a->rank; k++) out.shape[k] = out.stride[k] = 1;
    out.numel = 1, out.data = &sum;
    tg_reduce(TG_SUM, a, (1u << a->rank) - 1, &out);
    return isfinite(tg_array_get(&out, 0));
}

/* Each element that a stride of 0 repeats is looked at once. */
int tg_kind_of_array(const tg_array *a) {
    int kind = TG_FINITE;
    if (a->dtype != TG_F32 && a->dtype != TG_F64) return TG_FINITE;
    const int64_t run = run_of(a);
    if (run >= 0 && run_is_finite(a, run)) return TG_FINITE;
    tg_array once = *a;
    for (int k = 0; a->numel > 0 && k < a->rank; k++)
        if (a->stride[k] == 0) once.numel /= once.shape[k], once.shape[k] = 1;
    if (run < 0 && sum_is_finite(&once)) return TG_FINITE;
    for (int64_t i = 0; i < once.numel; i++) {
        double x = tg_array_get(&once, i);
        if (!isfinite(x)) kind |= isnan(x) ? TG_NAN : TG_INFINITE;
    }
    return kind;
}

int64_t tg_first_of_kind(const tg_array *a, int kind) {
    for (int64_t i = 0; i < a->numel; i++) {
        double x = tg_array_get(a, i);
        if ((isnan(x) && kind & TG_NAN) || (isinf(x) && kind & TG_INFINITE)) return i;
    }
    return -1;
}

const tg_array *tg_elements_there(const tg_tensor *t) {
    const tg_slot *s = t ? tg_slot_peek(t) : NULL;
    return s && !s->poison && s->a.data ? &s->a : NULL;
}

int tg_kind_of_tensor(const tg_tensor *t) {
    const tg_array *a = tg_elements_there(t);
    return a ? tg_kind_of_array(a) : TG_FINITE;
}

void tg_range_add(tg_range *r, double v) {
    if (!isfinite(v)) return;
    if (!r->any || v < r->lo) r->lo = v;
    if (!r->any || v > r->hi) r->hi = v;
    r->any = true;
}

int64_t tg_broadcast_position(const tg_array *in, const tg_array *out, int64_t i) {
    int64_t at = 0, stride = 1;
    for (int k = out->rank - 1, j = in->rank - 1; k >= 0 && j >= 0; k--, j--) {
        at += in->shape[j] == 1 ? 0 : i % out->shape[k] * stride;
        stride *= in->shape[j], i /= out->shape[k];
    }
    return at;
}

bool tg_is_finite(const tg_tensor *t) {
    const tg_array *a =
        tg_check_argument(t, "tg_is_finite", "the tensor") ? tg_array_within(t, "tg_array_of") : NULL;
    return a && tg_may_read(a, "tg_is_finite") && tg_kind_of_array(a) == TG_FINITE;
}
