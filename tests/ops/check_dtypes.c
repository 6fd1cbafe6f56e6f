/* Values in the other dtypes. Integers must give what the same numbers give in f64, converted to the result's
 * dtype (a quotient truncated, a fill value rounded), and a mask or an index must mean the same in each dtype it
 * may have. What an op takes is found by trying: TG_ERR_DTYPE says no. */
#include "tests/ops/harness.h"

static tg_tensor *run(const trial *t, tg_dtype f, tg_dtype ints) {
    trial copy = *t;
    tg_tensor *leaf[MAX_IN];
    copy.ints = ints;
    trial_leaves(&copy, f, false, leaf);
    return trial_run(&copy, leaf);
}

static int64_t compare(const trial *t, tg_dtype d, const tg_tensor *got, const tg_tensor *want) {
    ck_assert_msg(tg_shape_equal(tg_shape_of(got), tg_shape_of(want)), "%s: %s gives another shape", t->name,
                  tg_dtype_name(d));
    int64_t n = tg_numel(got);
    for (int64_t k = 0; k < n; k++)
        if (!close_to(tg_get(got, k), tg_get(want, k), 0, 0))
            ck_abort_msg("%s: element %lld: %s gives %.17g, not %.17g", t->name, (long long)k,
                         tg_dtype_name(d), tg_get(got, k), tg_get(want, k));
    return n;
}

/* d in place of the floats, or of the integers, where the op takes it. */
static void in_place(const trial *t, tg_dtype d, bool of_floats) {
    trial copy = *t;
    copy.fan_out = false; /* integers have no gradient to add up */
    for (int i = 0; i < t->n_in; i++)
        if ((t->row->in[i].dtype == TG_F32) == of_floats) copy.held[i] = d;
    tg_mark mark = tg_tape_mark();
    tg_tensor *y = of_floats ? run(&copy, d, TG_F32) : run(&copy, TG_F64, d);
    if (tg_error_status() == TG_ERR_DTYPE) {
        tg_error_clear();
    } else {
        fail_if_error(t, tg_dtype_name(d));
        tg_tensor *want = tg_to(run(&copy, TG_F64, TG_F32), tg_dtype_of(y));
        fail_if_error(t, "f64");
        cover_dtype(t->op, d);
        cover(t->op, d, t->kind, C_VALUE, compare(t, d, y, want));
    }
    tg_tape_rewind(mark);
}

void check_dtypes(const trial *t) {
    bool floats = false, ints = false;
    for (int i = 0; i < t->n_in; i++) {
        floats |= t->row->in[i].dtype == TG_F32;
        ints |= t->row->in[i].dtype != TG_F32;
    }
    for (int d = TG_I32; d < TG_DTYPES; d++) {
        if (floats) in_place(t, (tg_dtype)d, true);
        if (ints) in_place(t, (tg_dtype)d, false);
    }
}
