/* Bad input. For each op by hand (<room>/errors.c): shapes, dtypes, axes and indices that do not fit, with what the message
 * must say; an op of one tensor of floats needs no rows. For every row by itself: NULL, a stale handle, poison, mixed float types, and every allocation
 * failing in turn. Every message begins with the function called, and every failure leaves the state as it was. */
#include "tests/ops/cases.h"
#include "tests/ops/state.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define DECLARED(room) extern const bad_table errors_##room;
#define LISTED(room) &errors_##room,
ROOMS(DECLARED)
static const bad_table *const tables[] = {ROOMS(LISTED)};

static int n_bad(void) {
    int n = 0;
    for (int t = 0; t < COUNT(tables); t++) n += tables[t]->n;
    return n;
}

static const bad *bad_at(int i) {
    int t = 0;
    while (i >= tables[t]->n) i -= tables[t++]->n;
    return &tables[t]->rows[i];
}

static void expect_error(const char *what, tg_tensor *y, tg_status status) {
    ck_assert_msg(tg_error_status() == status, "%s: %s (%s), not %s", what, tg_status_name(tg_error_status()),
                  tg_error_message(), tg_status_name(status));
    ck_assert_msg(tg_is_poison(y), "%s: an error, but the result is not poison", what);
}

/* The message begins with the name of the public function: that of the call, without what tells its variants apart. */
static void expect_name(const call *c) {
    const char *message = tg_error_message(), *name = c->public_name ? c->public_name : c->name;
    size_t n = strcspn(message, ":");
    bool own = strncmp(message, c->name, strlen(c->name)) == 0; /* raised by the call, before it called */
    ck_assert_msg(own || (n > 0 && strncmp(message, name, n) == 0 && !islower((unsigned char)name[n])),
                  "%s: the message does not begin with it: %s", name, message);
}

static void expect_text(const char *what, const char *text) {
    ck_assert_msg(strstr(tg_error_message(), text), "%s: the message lacks \"%s\": %s", what, text,
                  tg_error_message());
}

static void refuse(const bad *b) {
    static const char *const names[] = {"left", "right", "third"};
    const call *c = find_call(b->call);
    tg_tensor *in[3] = {NULL};
    for (int i = 0; i < 3 && is_present(&b->in[i]); i++) {
        in[i] = tg_set_name(tensor_of(&b->in[i], TG_F32), names[i]);
        if (b->in[i].dtype == TG_F32) tg_set_requires_grad(in[i], true);
    }
    state before = state_of(3, in);
    tg_tensor *y = c->fn(in, &b->arg);
    expect_error(b->call, y, b->status);
    expect_name(c);
    for (int i = 0; i < COUNT(b->says) && b->says[i]; i++) expect_text(b->call, b->says[i]);
    expect_state(b->call, &before, 3, in);
    count_up(T_ERRORS, 1);
}

START_TEST(bad_input_is_named) { refuse(bad_at(_i)); }
END_TEST

/* An op of one tensor and no numbers, which takes its shape and dtype by tg_infer_same, has no other bad input than a dtype. */
static bool takes_any_float(const tg_op *op) {
    return op->infer == tg_infer_same && op->n_in == 1 && op->attr_size == 0 && find_call(op->name);
}

START_TEST(other_dtypes_are_refused) {
    int n;
    const tg_op *op = tg_op_table(&n)[_i].op;
    const bad wrong[] = {BAD_FLOAT(op->name)};
    for (int i = 0; takes_any_float(op) && i < COUNT(wrong); i++) refuse(&wrong[i]);
}
END_TEST

START_TEST(every_op_has_error_inputs) {
    static const char *const take_everything[] = {"contiguous", "logical_not", "isnan", "isfinite"};
    int n;
    const tg_op *op = tg_op_table(&n)[_i].op;
    int found = takes_any_float(op);
    for (int i = 0; i < COUNT(take_everything); i++) found += strcmp(op->name, take_everything[i]) == 0;
    for (int i = 0; i < n_bad(); i++) found += op_of(find_call(bad_at(i)->call)) == op;
    ck_assert_msg(found > 0, "%s has no error input", op->name);
}
END_TEST

/* ---- by row ---- */

static void row_inputs(int row, trial *t, tg_tensor **in) {
    ck_assert(trial_make(t, sample_at(row), sample_at(row)->kind, 0));
    trial_leaves(t, TG_F64, false, in);
}

/* Of several inputs the message says which, by its number or, of an option, by its name. The number is larger than the row's
 * where the row leaves out an optional input of the op. */
static void expect_which(const trial *t, int i) {
    const char *message = tg_error_message(), *number = strstr(message, ": input ");
    int n = number ? atoi(number + strlen(": input ")) : i;
    bool which = n == i || (n > i && t->op->n_in > t->n_in);
    ck_assert_msg(t->n_in < 2 || (which && !strstr(message, ": the input ")),
                  "%s: not input %d by number: %s", t->name, i, message);
}

START_TEST(null_is_refused) {
    trial t;
    tg_tensor *in[MAX_IN];
    row_inputs(_i, &t, in);
    for (int i = 0; i < t.n_in; i++) {
        tg_tensor *was = in[i];
        in[i] = NULL;
        state before = state_of(t.n_in, in);
        tg_tensor *y = t.call->fn(in, &t.arg);
        expect_error(t.name, y, TG_ERR_ARGUMENT);
        expect_name(t.call);
        expect_which(&t, i);
        expect_state(t.name, &before, t.n_in, in);
        in[i] = was;
    }
}
END_TEST

START_TEST(stale_handles_are_refused) {
    trial t;
    tg_tensor *in[MAX_IN], *late[MAX_IN];
    row_inputs(_i, &t, in);
    tg_mark mark = tg_tape_mark();
    trial_leaves(&t, TG_F64, false, late);
    tg_tape_rewind(mark);
    for (int i = 0; i < t.n_in; i++) {
        tg_tensor *was = in[i];
        in[i] = late[i];
        state before = state_of(t.n_in, in);
        tg_tensor *y = t.call->fn(in, &t.arg);
        expect_error(t.name, y, TG_ERR_LIFETIME);
        expect_name(t.call);
        expect_which(&t, i);
        expect_state(t.name, &before, t.n_in, in);
        in[i] = was;
    }
}
END_TEST

START_TEST(poison_passes_through) {
    trial t;
    tg_tensor *in[MAX_IN];
    row_inputs(_i, &t, in);
    tg_fail(TG_ERR_IO, "the first error");
    tg_tensor *poison = tg_relu(NULL);
    ck_assert(tg_is_poison(poison));
    for (int i = 0; i < t.n_in; i++) {
        tg_tensor *was = in[i];
        in[i] = poison;
        expect_error(t.name, t.call->fn(in, &t.arg), TG_ERR_IO);
        expect_text(t.name, "the first error");
        in[i] = was;
    }
}
END_TEST

/* f32 and f64 do not mix; integers do not either. */
START_TEST(mixed_types_are_refused) {
    trial t;
    tg_tensor *in[MAX_IN];
    row_inputs(_i, &t, in);
    int first = -1;
    for (int i = 0; i < t.n_in; i++) {
        if (t.row->in[i].dtype != TG_F32) continue;
        if (first < 0) {
            first = i;
            continue;
        }
        tg_tensor *was = in[i];
        in[i] = tg_to(in[i], TG_F32);
        state before = state_of(t.n_in, in);
        expect_error(t.name, t.call->fn(in, &t.arg), TG_ERR_DTYPE);
        expect_name(t.call);
        expect_text(t.name, "f32");
        expect_text(t.name, "f64");
        expect_state(t.name, &before, t.n_in, in);
        in[i] = was;
    }
}
END_TEST

/* ---- memory ---- */

/* One step on inputs that exist already: value, gradient, gradient recorded. */
static tg_status step(const trial *t, tg_tensor *const *leaf, int64_t fail_at) {
    tg_tensor *x[MAX_IN], *g[MAX_IN];
    int n = 0;
    for (int l = 0; l < t->n_leaves; l++)
        if (tg_requires_grad(leaf[l])) x[n++] = leaf[l];
    tg_memory_fail_at(fail_at);
    tg_tensor *y = trial_run(t, leaf);
    ck_assert_msg(tg_is_poison(y) == (tg_error_status() != TG_OK),
                  "%s: allocation %lld fails, and the result says otherwise", t->name, (long long)fail_at);
    if (tg_error_status() == TG_OK && n && tg_requires_grad(y)) {
        tg_tensor *p = tg_ones_with(tg_dtype_of(y), tg_shape_of(y));
        tg_grad(1, &y, n, x, g, .seeds = &p, .retain = true);
        tg_grad(1, &y, n, x, g, .seeds = &p, .create_graph = true);
    }
    tg_memory_fail_at(-1);
    return tg_error_status();
}

/* Leaks show under LeakSanitizer; a state left half changed shows in the step that follows. */
static void fail_each_allocation(const trial *t) {
    tg_tensor *leaf[MAX_IN];
    trial_leaves(t, TG_F64, true, leaf);
    tg_mark mark = tg_tape_mark();
    state before = state_of(t->n_leaves, leaf);
    tg_status s = TG_ERR_MEMORY;
    for (int64_t n = 1; s != TG_OK; n++) {
        ck_assert_msg(n < 10000, "%s: allocations without end", t->name);
        s = step(t, leaf, n);
        ck_assert_msg(s == TG_OK || s == TG_ERR_MEMORY, "%s: allocation %lld fails: %s", t->name,
                      (long long)n, tg_error_message());
        tg_error_clear();
        tg_tape_rewind(mark);
        before.rng = *tg_default_rng(); /* what succeeded before the failure may have drawn */
        expect_state(t->name, &before, t->n_leaves, leaf);
    }
}

/* The row as it stands, and one element of each: spreads of these are 0 and computed with care. */
START_TEST(every_allocation_may_fail) {
    trial t;
    ck_assert(trial_make(&t, sample_at(_i), sample_at(_i)->kind, 0));
    fail_each_allocation(&t);
    if (trial_make(&t, sample_at(_i), K_ONE, 0)) fail_each_allocation(&t);
}
END_TEST

static void clear(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
}

TCase *tcase_errors(void) {
    TCase *t = tcase_create("errors");
    int n;
    tg_op_table(&n);
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, bad_input_is_named, 0, n_bad());
    tcase_add_loop_test(t, other_dtypes_are_refused, 0, n);
    tcase_add_loop_test(t, every_op_has_error_inputs, 0, n);
    tcase_add_loop_test(t, null_is_refused, 0, n_samples());
    tcase_add_loop_test(t, stale_handles_are_refused, 0, n_samples());
    tcase_add_loop_test(t, poison_passes_through, 0, n_samples());
    tcase_add_loop_test(t, mixed_types_are_refused, 0, n_samples());
    tcase_add_loop_test(t, every_allocation_may_fail, 0, n_samples());
    return t;
}
