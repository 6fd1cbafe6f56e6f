/* Bad input. For each op by hand: shapes, dtypes, axes and indices that do not fit, with what the message
 * must say. For every row by itself: NULL, a stale handle, poison, mixed float types, and every allocation
 * failing in turn. Every message begins with the function called, and every failure leaves the state as it was. */
#include "tests/ops/cases.h"
#include "tests/ops/state.h"

#include <ctype.h>
#include <string.h>

#define BAD_AXES(name) \
    {name, ARG(0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}}, \
        {name, ARG(0, -3), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis -3", "left [2, 3]"}}, \
        {name, ARG(0, 1, -1), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 1", "twice", "left [2, 3]"}}
#define BAD_INDEX(name) \
    {name, ARG(2), {SHAPE(2, 3), SHAPE_OF(I64, 2, 3), SHAPE(2, 3)}, TG_ERR_ARGUMENT, \
     {"axis 2", "left [2, 3]"}}, \
        {name, ARG(0), {SHAPE(3), SHAPE(2), SHAPE(2)}, TG_ERR_DTYPE, {"right [2] f", "i64 or i32"}}, \
        {name, ARG(0), {SHAPE(3), SHAPE_OF(U8, 2), SHAPE(2)}, TG_ERR_DTYPE, {"right [2] u8"}}, \
        {name, ARG(0), {SHAPE(3), VECTOR_OF(I64, 0, 3), SHAPE(2)}, TG_ERR_ARGUMENT, \
         {"index 3", "axis 0", "left [3]"}}, \
        {name, ARG(0), {SHAPE(3), VECTOR_OF(I32, -4, 0), SHAPE(2)}, TG_ERR_ARGUMENT, \
         {"index -4", "left [3]"}}, \
        {name, ARG(0), {SHAPE(0), VECTOR_OF(I64, 0), SHAPE(1)}, TG_ERR_ARGUMENT, {"index 0", "left [0]"}}, \
        {name, ARG(0), {SCALAR(1), SHAPE_OF(I64, 1), SHAPE(1)}, TG_ERR_ARGUMENT, {"left [] f"}}

static const bad table[] = {
    BAD_PAIR("add"), BAD_PAIR("sub"), BAD_PAIR("mul"), BAD_PAIR("div"),
    BAD_PAIR("eq"), BAD_PAIR("ne"), BAD_PAIR("lt"), BAD_PAIR("le"), BAD_PAIR("gt"), BAD_PAIR("ge"),
    {"add", {0}, {SHAPE_OF(BOOL, 2), SHAPE_OF(BOOL, 2)}, TG_ERR_DTYPE, {"left [2] bool"}},
    {"mul", {0}, {SHAPE_OF(U8, 2), SHAPE_OF(U8, 2)}, TG_ERR_DTYPE, {"left [2] u8"}},
    {"add", {0}, {SHAPE(0), SHAPE(2)}, TG_ERR_SHAPE, {"left [0]", "right [2]"}},
    {"affine", ARG(2, 1), {SHAPE_OF(BOOL, 2)}, TG_ERR_DTYPE, {"left [2] bool"}},

    BAD_FLOAT("exp"), BAD_FLOAT("log"), BAD_FLOAT("sqrt"), BAD_FLOAT("square"), BAD_FLOAT("abs"),
    BAD_FLOAT("tanh"), BAD_FLOAT("sigmoid"), BAD_FLOAT("relu"), BAD_FLOAT("softplus"),
    BAD_FLOAT("logsigmoid"), BAD_FLOAT("sign"),

    {"matmul", {0}, {SHAPE(2, 3), SHAPE(2, 3)}, TG_ERR_SHAPE,
     {"inner sizes", "left [2, 3] f", "right [2, 3] f"}},
    {"matmul", {0}, {SHAPE(3), SHAPE(2)}, TG_ERR_SHAPE, {"inner sizes", "left [3]", "right [2]"}},
    {"matmul", {0}, {SHAPE(2, 3), SHAPE(2)}, TG_ERR_SHAPE, {"left [2, 3]", "right [2]"}},
    {"matmul", {0}, {SCALAR(1), SHAPE(2, 3)}, TG_ERR_SHAPE, {"left [] f", "right [2, 3]"}},
    {"matmul", {0}, {SHAPE(2, 3), SCALAR(1)}, TG_ERR_SHAPE, {"left [2, 3]", "right [] f"}},
    {"matmul", {0}, {SHAPE(2, 1, 3), SHAPE(3, 3, 1)}, TG_ERR_SHAPE,
     {"batch", "left [2, 1, 3]", "right [3, 3, 1]"}},
    {"matmul", {0}, {SHAPE_OF(I32, 2, 2), SHAPE_OF(I32, 2, 2)}, TG_ERR_DTYPE, {"left [2, 2] i32"}},
    {"matmul", {0}, {SHAPE(2, 2), SHAPE_OF(BOOL, 2, 2)}, TG_ERR_DTYPE, {"right [2, 2] bool"}},

    BAD_AXES("sum"), BAD_AXES("mean"), BAD_AXES("amax"),
    {"sum", ARG(0, 0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"mean", ARG(0), {SHAPE_OF(I64, 3)}, TG_ERR_DTYPE, {"left [3] i64"}},
    {"amax", ARG(0), {SHAPE_OF(I64, 3)}, TG_ERR_DTYPE, {"left [3] i64"}},
    {"amax", ARG(0), {SHAPE(0)}, TG_ERR_SHAPE, {"left [0]", "empty"}},
    {"amax", ARG(0, 1), {SHAPE(2, 0)}, TG_ERR_SHAPE, {"left [2, 0]", "axis 1"}},
    {"max", ARG(0, 1), {SHAPE(2, 0)}, TG_ERR_SHAPE, {"left [2, 0]", "axis 1"}},
    {"max", ARG(0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}},
    {"max", ARG(0, 0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"max", ARG(0, 0), {SHAPE_OF(BOOL, 3)}, TG_ERR_DTYPE, {"left [3] bool"}},
    {"argmax", ARG(0), {SHAPE(0)}, TG_ERR_SHAPE, {"left [0]"}},
    {"argmax", ARG(-2), {SHAPE(3)}, TG_ERR_ARGUMENT, {"axis -2", "left [3]"}},
    {"argmax", ARG(0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0"}},
    {"sum_to", ARG(2), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"[2]", "left [2, 3]"}},
    {"sum_to", ARG(2, 2, 3), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"[2, 2, 3]", "left [2, 3]"}},
    {"sum_to", ARG(2), {SHAPE_OF(I32, 2)}, TG_ERR_DTYPE, {"left [2] i32"}},

    {"reshape", ARG(4, 2), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "[4, 2]"}},
    {"reshape", ARG(-1, 4), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "[-1, 4]"}},
    {"reshape", ARG(-1, -1), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "[-1, -1]"}},
    {"reshape", ARG(-2, 3), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "[-2, 3]"}},
    {"reshape", ARG(0, -1), {SHAPE(0, 3)}, TG_ERR_SHAPE, {"left [0, 3]", "[0, -1]"}},
    {"reshape", ARG(4e9, 4e9, 4e9), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"left [2, 3]"}},
    {"squeeze", ARG(0), {SHAPE(2, 1)}, TG_ERR_SHAPE, {"squeeze", "axis 0", "left [2, 1]"}},
    {"squeeze", ARG(2), {SHAPE(2, 1)}, TG_ERR_ARGUMENT, {"squeeze", "axis 2", "left [2, 1]"}},
    {"unsqueeze", ARG(3), {SHAPE(2)}, TG_ERR_ARGUMENT, {"unsqueeze", "axis 3", "left [2]"}},
    {"permute", ARG(0), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"left [2, 3]"}},
    {"permute", ARG(0, 0), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"twice", "left [2, 3]"}},
    {"permute", ARG(0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}},
    {"transpose", ARG(0, 2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"transpose", "axis 2", "left [2, 3]"}},
    {"expand", ARG(2, 4), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "[2, 4]"}},
    {"expand", ARG(3), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "[3]"}},
    {"expand", ARG(-1, 2, 3), {SHAPE(2, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "[-1, 2, 3]"}},
    {"expand", ARG(4294967296., 4294967296.), {SHAPE(1)}, TG_ERR_SHAPE, {"more elements", "left [1] f"}},
    {"expand", ARG(1152921504606846976.), {SHAPE_OF(F64, 1)}, TG_ERR_MEMORY, {"bytes", "f64"}},
    {"to", ARG(17), {SHAPE(2)}, TG_ERR_ARGUMENT, {"17", "left [2]"}},

    {"slice", ARG(0, 0, 2, 0), {SHAPE(2)}, TG_ERR_ARGUMENT, {"step", "left [2]"}},
    {"slice", ARG(1, 0, 2, 1), {SHAPE(2)}, TG_ERR_ARGUMENT, {"axis 1", "left [2]"}},
    {"slice", ARG(0, 0, 1, 1), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"slice_scatter", ARG(0, 0, 2, 1), {SHAPE(3), SHAPE(3)}, TG_ERR_SHAPE, {"left [3]", "right [3]", "[2]"}},
    {"slice_scatter", ARG(0, 0, 2, 1), {SHAPE(3), SHAPE_OF(I32, 2)}, TG_ERR_DTYPE,
     {"left [3] f", "right [2] i32"}},
    {"slice_scatter", ARG(0, 0, 2, 0), {SHAPE(3), SHAPE(2)}, TG_ERR_ARGUMENT, {"step", "left [3]"}},
    {"slice_scatter", ARG(-1, 0, 1, 1), {SCALAR(1), SHAPE(1)}, TG_ERR_ARGUMENT, {"axis -1", "left [] f"}},

    {"softmax", ARG(2), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis 2", "left [2, 3]"}},
    {"softmax", ARG(0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"softmax", ARG(0), {SHAPE_OF(I64, 3)}, TG_ERR_DTYPE, {"left [3] i64"}},
    {"log_softmax", ARG(-3), {SHAPE(2, 3)}, TG_ERR_ARGUMENT, {"axis -3", "left [2, 3]"}},
    {"log_softmax", ARG(0), {SCALAR(1)}, TG_ERR_ARGUMENT, {"axis 0", "left [] f"}},
    {"log_softmax", ARG(0), {SHAPE_OF(BOOL, 3)}, TG_ERR_DTYPE, {"left [3] bool"}},
    {"softmax_cross_entropy", {0}, {SCALAR(1), SHAPE_OF(I64, 1)}, TG_ERR_SHAPE, {"left [] f", "right [1] i64"}},
    {"softmax_cross_entropy", {0}, {SHAPE(2, 3), SHAPE_OF(I64, 3)}, TG_ERR_SHAPE, {"left [2, 3]", "right [3] i64"}},
    {"softmax_cross_entropy", {0}, {SHAPE(2, 3), SHAPE(2)}, TG_ERR_DTYPE, {"i64 or i32", "right [2] f"}},
    {"softmax_cross_entropy", {0}, {SHAPE_OF(I64, 2, 3), SHAPE_OF(I64, 2)}, TG_ERR_DTYPE, {"left [2, 3] i64"}},
    {"softmax_cross_entropy", {0}, {SHAPE(2, 3), VECTOR_OF(I64, 0, 3)}, TG_ERR_ARGUMENT,
     {"row 1 has class 3", "left [2, 3]"}},
    {"softmax_cross_entropy", {0}, {SHAPE(2, 3), VECTOR_OF(I32, -4, 0)}, TG_ERR_ARGUMENT,
     {"row 0 has class -4", "left [2, 3]"}},

    BAD_INDEX("gather"), BAD_INDEX("scatter_add"), BAD_INDEX("index_select"),
    {"gather", ARG(0), {SHAPE(2, 3), SHAPE_OF(I64, 2)}, TG_ERR_SHAPE, {"left [2, 3]", "right [2] i64"}},
    {"gather", ARG(0), {SHAPE(2, 3), SHAPE_OF(I64, 2, 4)}, TG_ERR_SHAPE, {"left [2, 3]", "right [2, 4] i64"}},
    {"scatter_add", ARG(0), {SHAPE(3), SHAPE_OF(I64, 2), SHAPE(1)}, TG_ERR_SHAPE,
     {"right [2] i64", "third [1]"}},
    {"scatter_add", ARG(0), {SHAPE(2, 3), SHAPE_OF(I64, 2), SHAPE(2)}, TG_ERR_SHAPE,
     {"left [2, 3]", "right [2] i64"}},
    {"scatter_add", ARG(0), {SHAPE(3), SHAPE_OF(I64, 2), SHAPE_OF(I64, 2)}, TG_ERR_DTYPE,
     {"left [3] f", "third [2] i64"}},
    {"index_select", ARG(0), {SHAPE(2, 3), SHAPE_OF(I64, 2, 1)}, TG_ERR_SHAPE, {"right [2, 1] i64"}},

    {"where", {0}, {SHAPE(2), SHAPE(2), SHAPE(2)}, TG_ERR_DTYPE, {"left [2] f", "bool"}},
    {"where", {0}, {SHAPE_OF(BOOL, 2), SHAPE(2), SHAPE(3)}, TG_ERR_SHAPE, {"right [2] f", "third [3] f"}},
    {"where", {0}, {SHAPE_OF(BOOL, 3), SHAPE(2), SHAPE(2)}, TG_ERR_SHAPE, {"left [3] bool", "right [2] f"}},
    {"where", {0}, {SHAPE_OF(BOOL, 2), SHAPE(2), SHAPE_OF(I32, 2)}, TG_ERR_DTYPE,
     {"right [2] f", "third [2] i32"}},
    {"masked_fill", ARG(1), {SHAPE(2), SHAPE(2)}, TG_ERR_DTYPE, {"right [2] f", "bool"}},
    {"masked_fill", ARG(1), {SHAPE(2), SHAPE_OF(BOOL, 3)}, TG_ERR_SHAPE, {"left [2] f", "right [3] bool"}},
    {"masked_fill", ARG(1), {SHAPE(2), SHAPE_OF(BOOL, 3, 2)}, TG_ERR_SHAPE,
     {"left [2] f", "right [3, 2] bool"}},
};

/* The rooms' stand in tests/ops/<room>/errors.c. */
#define DECLARED(room) extern const bad_table errors_##room;
#define LISTED(room) &errors_##room,
ROOMS(DECLARED)
static const bad_table *const others[] = {ROOMS(LISTED)};

static int n_bad(void) {
    int n = COUNT(table);
    for (int t = 0; t < COUNT(others); t++) n += others[t]->n;
    return n;
}

static const bad *bad_at(int i) {
    if (i < COUNT(table)) return &table[i];
    i -= COUNT(table);
    int t = 0;
    while (i >= others[t]->n) i -= others[t++]->n;
    return &others[t]->rows[i];
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

START_TEST(bad_input_is_named) {
    static const char *const names[] = {"left", "right", "third"};
    const bad *b = bad_at(_i);
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
END_TEST

START_TEST(every_op_has_error_inputs) {
    static const char *const take_everything[] = {"contiguous", "logical_not", "isnan", "isfinite"};
    int n, found = 0;
    const tg_op *op = tg_op_table(&n)[_i].op;
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
    ck_assert_msg(tg_is_poison(y) == (tg_error_status() != TG_OK), "%s: allocation %lld fails, and the result says otherwise",
                  t->name, (long long)fail_at);
    if (tg_error_status() == TG_OK && n && tg_requires_grad(y)) {
        tg_tensor *p = (tg_ones)(tg_dtype_of(y), tg_shape_of(y));
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
        ck_assert_msg(s == TG_OK || s == TG_ERR_MEMORY, "%s: allocation %lld fails: %s", t->name, (long long)n,
                      tg_error_message());
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
    tcase_add_loop_test(t, every_op_has_error_inputs, 0, n);
    tcase_add_loop_test(t, null_is_refused, 0, n_samples());
    tcase_add_loop_test(t, stale_handles_are_refused, 0, n_samples());
    tcase_add_loop_test(t, poison_passes_through, 0, n_samples());
    tcase_add_loop_test(t, mixed_types_are_refused, 0, n_samples());
    tcase_add_loop_test(t, every_allocation_may_fail, 0, n_samples());
    return t;
}
