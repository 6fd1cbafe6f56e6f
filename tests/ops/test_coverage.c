/* The meta-test: no op without samples, no kind that applies and was not exercised, no row without its
 * reasons. */
#include "tests/ops/harness.h"

#include <string.h>

static const tg_op_entry *entry(int i) {
    int n;
    return &tg_op_table(&n)[i];
}

/* Rows of the op that set its attributes differently. */
static int options_of(const tg_op *op) {
    int n = 0;
    for (int i = 0; i < n_samples(); i++) {
        const sample *a = sample_at(i);
        if (op_of(find_call(a->call)) != op) continue;
        bool fresh = true;
        for (int j = 0; j < i && fresh; j++) {
            const sample *b = sample_at(j);
            fresh = strcmp(a->call, b->call) != 0 || memcmp(&a->arg, &b->arg, sizeof a->arg) != 0;
        }
        n += fresh;
    }
    return n;
}

START_TEST(every_op_has_samples) {
    const tg_op *op = entry(_i)->op;
    const sample_set *const *all;
    int n = sample_sets(&all), rows = 0;
    for (int f = 0; f < n; f++)
        for (int i = 0; i < all[f]->n_rows; i++) {
            if (strcmp(find_call(all[f]->rows[i].call)->op, op->name) != 0) continue;
            if (find_call(all[f]->rows[i].call)->composed) continue;
            ck_assert_msg(strcmp(all[f]->name, entry(_i)->file) == 0,
                          "%s stands in %s.c; its row in the set %s", op->name, entry(_i)->file, all[f]->name);
            rows++;
        }
    ck_assert_msg(rows > 0, "%s has no samples: add rows to tests/ops/samples_%s.c", op->name, entry(_i)->file);
}
END_TEST

START_TEST(every_kind_is_exercised) {
    const tg_op *op = entry(_i)->op;
    for (int k = 0; k < N_KINDS; k++) {
        if (not_applicable(op, (kind)k)) continue;
        if (k == K_OPTIONS)
            for (int n = options_of(op); n > 0; n--) cover_case(op, K_OPTIONS);
        int64_t least = k == K_OPTIONS ? 2 : 1;
        ck_assert_msg(covered(op, (kind)k) >= least, "%s: no sample of kind %s, and no reason given why not",
                      op->name, kind_name((kind)k));
    }
}
END_TEST

/* NaN and infinities are values only. */
START_TEST(every_order_is_checked) {
    static const struct {
        check c;
        tg_dtype d;
        const char *name;
    } orders[] = {{C_FIRST, TG_F64, "first order"},
                  {C_SECOND, TG_F64, "second order"},
                  {C_KERNEL, TG_F64, "grad_kernel"},
                  {C_ADJOINT, TG_F64, "adjoint identity"},
                  {C_F32_GRAD, TG_F32, "f32 gradient"}};
    const tg_op *op = entry(_i)->op;
    for (int k = 0; has_gradient(op) && k <= K_SIZES; k++)
        for (int c = 0; c < COUNT(orders); c++) {
            if (not_applicable(op, (kind)k)) continue;
            if (fast_mode() && k == K_SIZES && orders[c].c == C_SECOND) continue;
            ck_assert_msg(covered_by(op, orders[c].d, (kind)k, orders[c].c) > 0, "%s: kind %s: no %s",
                          op->name, kind_name((kind)k), orders[c].name);
        }
}
END_TEST

/* What an op takes in one trial of it, it must have been given in every kind. */
START_TEST(every_dtype_is_exercised) {
    const tg_op *op = entry(_i)->op;
    for (int d = 0; d < TG_DTYPES; d++)
        for (int k = 0; k < N_KINDS; k++)
            ck_assert_msg(not_in_dtype(op, (tg_dtype)d, (kind)k) ||
                              covered_by(op, (tg_dtype)d, (kind)k, C_VALUE) > 0,
                          "%s takes %s, but has no sample of it of kind %s", op->name,
                          tg_dtype_name((tg_dtype)d), kind_name((kind)k));
}
END_TEST

/* An exemption that covers a kind after all, or names no op, is a reason for nothing. */
START_TEST(exemptions_are_needed) {
    const sample_set *const *all;
    sample_sets(&all);
    for (int i = 0; i < all[_i]->n_exempt; i++) {
        const exemption *e = &all[_i]->exempt[i];
        const tg_op *op = tg_op_find(e->op);
        ck_assert_msg(op && e->why, "samples_%s.c: exemption %d", all[_i]->name, i);
        for (int k = 0; k < N_KINDS; k++)
            ck_assert_msg(!(e->kinds & KIND(k)) || covered(op, (kind)k) == 0,
                          "%s has samples of kind %s: drop the exemption", e->op, kind_name((kind)k));
    }
}
END_TEST

START_TEST(rows_give_reasons) {
    const sample *s = sample_at(_i);
    const char *label = s->label ? s->label : "";
    ck_assert_msg(find_call(s->call), "%s: no such call", s->call);
    ck_assert_msg(!(s->skip || s->frozen || s->nonempty) || s->why,
                  "%s[%s] leaves kinds out without a reason", s->call, label);
    ck_assert_msg(!(s->f32_rtol > 0 || s->f32_atol > 0 || s->eps > 0) || s->reason,
                  "%s[%s] has tolerances of its own without a reason", s->call, label);
    for (int i = 0; i < _i; i++) {
        const sample *o = sample_at(i);
        ck_assert_msg(strcmp(o->call, s->call) != 0 || strcmp(o->label ? o->label : "", label) != 0,
                      "two rows are called %s[%s]", s->call, label);
    }
}
END_TEST

TCase *tcase_coverage(void) {
    TCase *t = tcase_create("coverage");
    tcase_set_tags(t, "slow");
    const sample_set *const *all;
    int n;
    tg_op_table(&n);
    tcase_add_loop_test(t, every_op_has_samples, 0, n);
    tcase_add_loop_test(t, every_kind_is_exercised, 0, n);
    tcase_add_loop_test(t, every_order_is_checked, 0, n);
    tcase_add_loop_test(t, every_dtype_is_exercised, 0, n);
    tcase_add_loop_test(t, exemptions_are_needed, 0, sample_sets(&all));
    tcase_add_loop_test(t, rows_give_reasons, 0, n_samples());
    return t;
}
