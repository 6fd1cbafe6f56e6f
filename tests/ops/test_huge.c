/* Shapes such as [2^60, 0]: no elements, but an axis that no loop may run along, and sizes whose sums and products do not
 * fit. Each row of the samples with one letter 0 and another one huge: value and gradients, or an error, at once. */
#include "tests/ops/harness.h"
#include "tests/ops/state.h"

#include <unistd.h>

/* Whether all inputs can be made: whatever has the huge letter has the empty one. */
static bool can_be(const trial *t) {
    for (int i = 0; i < t->n_in; i++)
        if (tg_shape_numel(t->shape[i]) > 1 << 16 || tg_shape_numel(t->shape[i]) < 0) return false;
    return true;
}

static void differentiate(const trial *t, tg_tensor *const *leaf, tg_tensor *y) {
    tg_tensor *x[MAX_IN], *g[MAX_IN];
    int n = 0;
    for (int l = 0; l < t->n_leaves; l++)
        if (tg_requires_grad(leaf[l])) x[n++] = leaf[l];
    if (n == 0 || !tg_requires_grad(y) || tg_numel(y) > 1 << 16) return;
    tg_tensor *p = tg_ones_with(tg_dtype_of(y), tg_shape_of(y));
    tg_grad(1, &y, n, x, g, .seeds = &p, .retain = true);
    tg_error_clear();
    tg_grad(1, &y, n, x, g, .seeds = &p, .create_graph = true);
}

static void run(const sample *row, const int64_t *size) {
    trial t;
    tg_tensor *leaf[MAX_IN];
    if (!trial_make_sized(&t, row, size) || !can_be(&t)) return;
    tg_mark mark = tg_tape_mark();
    trial_leaves(&t, TG_F64, true, leaf);
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s", t.name, tg_error_message());
    state before = state_of(t.n_leaves, leaf);
    alarm(20); /* SIGALRM ends a loop without end */
    tg_tensor *y = trial_run(&t, leaf);
    if (tg_error_status() == TG_OK)
        differentiate(&t, leaf, y);
    else
        expect_state(t.name, &before, t.n_leaves, leaf);
    alarm(0);
    tg_error_clear();
    tg_tape_rewind(mark);
}

static bool has_letter(const sample *row, char letter) {
    bool found = false;
    for (int i = 0; i < MAX_IN && row->in[i].shape; i++) found |= strchr(row->in[i].shape, letter) != NULL;
    return found;
}

START_TEST(no_loop_follows_an_empty_axis) {
    static const int64_t huge[] = {INT64_C(1) << 60, INT64_MAX}; /* memory for which there is not */
    const sample *row = sample_at(_i);
    if (row->frozen) return;
    for (int empty = 0; empty < 6; empty++)
        for (int large = 0; large < 6; large++)
            for (int h = 0; h < COUNT(huge) && large != empty; h++) {
                if (!has_letter(row, (char)('a' + empty)) || !has_letter(row, (char)('a' + large))) continue;
                int64_t size[26];
                for (int i = 0; i < 26; i++) size[i] = i == empty ? 0 : i == large ? huge[h] : -1;
                run(row, size);
            }
}
END_TEST

TCase *tcase_huge(void) {
    TCase *t = tcase_create("huge");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, no_loop_follows_an_empty_axis, 0, n_samples());
    return t;
}
