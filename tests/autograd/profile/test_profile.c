/* Profiles: what is measured, where it is said to be, and what bad use meets. */
#include "tests/autograd/helpers.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

enum { MOST = 256 };

/* The next line of *rest; NULL: there is none. */
static char *next_line(char **rest) {
    char *line = **rest ? *rest : NULL, *end = strchr(*rest, '\n');
    *rest = end ? end + 1 : *rest + strlen(*rest);
    if (end) *end = '\0';
    return line;
}

static tg_profile_row rows[MOST];

/* Ends the profile and has its rows in `rows`; returns how many. */
static int64_t end_and_look(tg_profile *p) {
    ck_assert_int_eq(tg_profile_end(p), TG_OK);
    int64_t n = tg_profile_rows(p, rows, MOST);
    ck_assert_int_ge(n, 0);
    ck_assert_int_le(n, MOST);
    return n;
}

static const tg_profile_row *find(int64_t n, const char *op, bool rule, int line) {
    for (int64_t i = 0; i < n; i++)
        if (strcmp(rows[i].op, op) == 0 && rows[i].rule == rule && (line < 0 || rows[i].line == line))
            return &rows[i];
    ck_abort_msg("no row for %s%s at line %d", op, rule ? " backward" : "", line);
}

/* ---- rows ---- */

START_TEST(test_each_op_has_its_line_bytes_and_flops) {
    tg_tensor *w = param(TG_SHAPE(3, 5));
    tg_profile *p = tg_profile_begin(0);
    tg_tensor *x = tg_full(TG_F64, 0.5, 4, 3), *y = NULL;
    int product = 0, sum = 0, walk = 0, change = 0;
    for (int i = 0; i < 2; i++) {
        y = tg_matmul(x, w), product = __LINE__;
        y = tg_sum(tg_tanh(y)), sum = __LINE__;
        tg_backward(y), walk = __LINE__;
        tg_zero_grad(w), change = __LINE__;
    }
    int64_t n = end_and_look(p);
    const tg_profile_row *r = find(n, "matmul", false, product);
    ck_assert(r->file && strstr(r->file, "test_profile.c"));
    ck_assert_int_eq(r->count, 2);
    ck_assert_int_eq(r->last, product);
    ck_assert_int_eq(r->phase, TG_PHASE_FORWARD);
    ck_assert(!r->replayed && r->calls == 0 && r->seconds > 0 && r->within == r->seconds);
    ck_assert(r->bytes == 2 * 8 * (12 + 15 + 20) && r->flops == 2 * 2 * 4 * 3 * 5);
    r = find(n, "matmul", true, product);
    ck_assert_int_eq(r->phase, TG_PHASE_BACKWARD);
    ck_assert(r->flops == 2 * 2 * 4 * 3 * 5); /* of w alone */
    ck_assert(r->bytes == 2 * 8 * (12 + 15 + 20 + 15));
    r = find(n, "tanh", false, sum);
    ck_assert(r->bytes == 2 * 8 * 40 && r->flops == 2 * 20);
    r = find(n, "tanh", true, sum);
    ck_assert(r->bytes == 2 * 8 * (20 + 1 + 20) && r->flops == 2 * 20); /* the gradient of a sum is one number */
    ck_assert(find(n, "sum", false, sum)->flops == 0);
    r = find(n, "backward", false, walk);
    ck_assert(r->phase == TG_PHASE_BACKWARD && r->within > r->seconds);
    ck_assert_int_eq(find(n, "zero_grad", false, change)->phase, TG_PHASE_UPDATE);
    tg_profile_free(p);
    tg_free(w);
}
END_TEST

START_TEST(test_shares_add_up) {
    tg_tensor *w = param(TG_SHAPE(3, 5));
    tg_profile *p = tg_profile_begin(0);
    for (int i = 0; i < 50; i++) tg_backward(tg_sum(tg_gelu(tg_matmul(tg_full(TG_F64, 0.5, 4, 3), w))));
    int64_t n = end_and_look(p), count = 0;
    tg_profile_stats s = tg_profile_stats_of(p);
    double sum = 0;
    for (int64_t i = 0; i < n; i++) {
        sum += rows[i].seconds, count += rows[i].count;
        ck_assert(rows[i].seconds >= 0 && rows[i].within >= rows[i].seconds);
        ck_assert(i == 0 || rows[i].seconds <= rows[i - 1].seconds);
    }
    ck_assert_msg(fabs(sum - s.measured) < 1e-9, "%g instead of %g", sum, s.measured);
    ck_assert(s.measured > 0 && s.measured <= s.seconds && s.lost == 0 && s.dropped == 0);
    ck_assert_int_eq(count, s.events);
    tg_profile_free(p);
    tg_free(w);
}
END_TEST

/* Its rule is made of ops. */
static tg_status copy_forward(const tg_call *call) { return tg_array_copy(call->out[0], call->in[0]), TG_OK; }
static void copy_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    (void)n;
    din[0] = tg_mul_scalar(tg_exp(dout[0]), 2);
}
static const tg_op op_copy = {.name = "copy",
                              .n_in = 1,
                              .elementwise = true,
                              .infer = tg_infer_same,
                              .forward = copy_forward,
                              .grad = copy_grad};

START_TEST(test_what_runs_inside_of_a_rule_is_at_its_line) {
    tg_tensor *x = tg_set_requires_grad(tg_full(TG_F64, 1, 7), true);
    tg_profile *p = tg_profile_begin(0);
    tg_tensor *y = tg_at(tg_apply(&op_copy, &x, 1, NULL), __FILE__, __LINE__);
    int line = __LINE__ - 1;
    tg_backward(tg_sum(y));
    int64_t n = end_and_look(p);
    const tg_profile_row *rule = find(n, "copy", true, line), *inside = find(n, "exp", false, line);
    ck_assert(rule->bytes == 0 && rule->flops == 0 && rule->within > rule->seconds);
    ck_assert(inside->phase == TG_PHASE_BACKWARD && inside->bytes == 8 * 8 && inside->flops == 7);
    tg_profile_free(p);
}
END_TEST

START_TEST(test_an_op_its_rule_and_itself_in_a_rule_are_three_rows) {
    tg_op op = op_copy;
    op.name = "exp"; /* the rule calls tg_exp */
    tg_tensor *x = tg_set_requires_grad(tg_full(TG_F64, 1, 7), true);
    tg_profile *p = tg_profile_begin(0);
    tg_tensor *y = tg_apply(&op, &x, 1, NULL);
    tg_backward(tg_sum(y));
    int64_t n = end_and_look(p);
    int found = 0;
    for (int64_t i = 0; i < n; i++) found += strcmp(rows[i].op, "exp") == 0 && rows[i].count == 1;
    ck_assert_int_eq(found, 3);
    tg_profile_free(p);
}
END_TEST

START_TEST(test_views_and_axes_of_stride_0_move_nothing) {
    tg_profile *p = tg_profile_begin(0);
    tg_tensor *x = tg_expand(tg_full(TG_F32, 1, 1, 5), 1000, 5);
    tg_exp(tg_transpose(x, 0, 1));
    tg_reshape(tg_full(TG_F32, 1, 6), 2, 3);
    int64_t n = end_and_look(p);
    ck_assert(find(n, "expand", false, -1)->bytes == 0);
    ck_assert(find(n, "permute", false, -1)->bytes == 0);
    ck_assert(find(n, "reshape", false, -1)->bytes == 0);
    ck_assert(find(n, "exp", false, -1)->bytes == 4 * (5 + 5000));
    tg_profile_free(p);
}
END_TEST

/* Sizes that no product of others gives. */
static tg_tensor *rand_of(int64_t a, int64_t b, int64_t c, int64_t d) {
    return tg_set_requires_grad(tg_randn(TG_F64, a, b, c, d), true);
}
static tg_tensor *use_linear(void) {
    return tg_linear(rand_of(1, 1, 3, 5), tg_reshape(rand_of(1, 1, 7, 5), 7, 5), .bias = tg_zeros(TG_F64, 7));
}
static tg_tensor *use_matmul(void) { return tg_matmul(rand_of(2, 1, 3, 5), rand_of(2, 1, 5, 7)); }
static tg_tensor *use_conv2d(void) { return tg_conv2d(rand_of(2, 3, 9, 9), rand_of(5, 3, 2, 4)); }
static tg_tensor *use_grouped(void) {
    return tg_conv2d(rand_of(2, 4, 9, 9), rand_of(6, 2, 2, 4), .groups = 2, .stride = {2, 1});
}
static tg_tensor *use_attention(void) {
    return tg_scaled_dot_product_attention(rand_of(2, 3, 5, 7), rand_of(2, 3, 11, 7), rand_of(2, 3, 11, 13));
}
static tg_tensor *use_add(void) { return tg_add(rand_of(2, 3, 1, 7), rand_of(2, 1, 5, 7)); }
static tg_tensor *use_exp(void) { return tg_exp(rand_of(2, 3, 5, 7)); }
static tg_tensor *use_softmax(void) { return tg_softmax(rand_of(2, 3, 5, 7), -1); }

static const struct flops_row {
    const char *op;
    tg_tensor *(*use)(void);
    double forward, backward; /* where all gradients are asked for */
} flops_rows[] = {
    {"linear", use_linear, 2 * 3 * 5 * 7, 2 * 2 * 3 * 5 * 7},
    {"matmul", use_matmul, 2 * 2 * 3 * 5 * 7, 2 * 2 * 2 * 3 * 5 * 7},
    {"conv2d", use_conv2d, 2.0 * 2 * 5 * 8 * 6 * 3 * 2 * 4, 2 * 2.0 * 2 * 5 * 8 * 6 * 3 * 2 * 4},
    {"conv2d", use_grouped, 2.0 * 2 * 6 * 4 * 6 * 2 * 2 * 4, 2 * 2.0 * 2 * 6 * 4 * 6 * 2 * 2 * 4},
    {"scaled_dot_product_attention", use_attention, 2.0 * 6 * 5 * 11 * (7 + 13),
     2.0 * 6 * 5 * 11 * (3 * 7 + 2 * 13)},
    {"add", use_add, 2 * 3 * 5 * 7, 2 * 3 * 7 + 2 * 5 * 7},
    {"exp", use_exp, 2 * 3 * 5 * 7, 2 * 3 * 5 * 7},
    {"softmax", use_softmax, 0, 0},
};

START_TEST(test_flops) {
    const struct flops_row *row = &flops_rows[_i];
    tg_profile *p = tg_profile_begin(0);
    tg_backward(tg_sum(row->use()));
    int64_t n = end_and_look(p);
    const tg_profile_row *f = find(n, row->op, false, -1), *b = find(n, row->op, true, -1);
    ck_assert_msg(f->flops == row->forward, "%s: %g", row->op, f->flops);
    ck_assert_msg(b->flops == row->backward, "%s backward: %g", row->op, b->flops);
    tg_profile_free(p);
}
END_TEST

START_TEST(test_flops_of_recurrent_networks) {
    const char *const op[] = {"lstm_scan", "gru_scan", "rnn_scan"};
    const double gates[] = {4, 3, 1};
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_randn(TG_F32, 2, 5, 3);
    tg_profile *p = tg_profile_begin(0);
    tg_tensor *y = _i == 0   ? tg_nn_lstm(m, "l", x, 7)
                   : _i == 1 ? tg_nn_gru(m, "l", x, 7)
                             : tg_nn_rnn(m, "l", x, 7);
    tg_backward(tg_sum(y));
    int64_t n = end_and_look(p);
    double product = 2.0 * 2 * 5 * gates[_i] * 7 * 7;
    ck_assert(find(n, op[_i], false, -1)->flops == product);
    ck_assert(find(n, op[_i], true, -1)->flops == 2 * product);
    tg_profile_free(p);
    tg_model_free(m);
}
END_TEST

START_TEST(test_steps_of_optimisers_count_what_they_move) {
    tg_model *m = tg_model_new(1);
    tg_optim *adam = tg_adam(m, 0.1);
    tg_tensor *x = tg_randn(TG_F32, 2, 5);
    tg_sum(tg_nn_linear(m, "l", x, 7));
    tg_profile *p = tg_profile_begin(0);
    tg_backward(tg_sum(tg_nn_linear(m, "l", x, 7)));
    tg_optim_step(adam);
    const tg_profile_row *r = find(end_and_look(p), "optim_step", false, __LINE__ - 1);
    ck_assert_int_eq(r->phase, TG_PHASE_UPDATE);
    ck_assert_int_eq(r->count, 1);
    ck_assert(r->bytes == 4 * (35 + 7) * 7.0); /* p, m and v are read and written, g is read */
    tg_profile_free(p);
    tg_optim_free(adam);
    tg_model_free(m);
}
END_TEST

/* ---- plans ---- */

static int first_line, last_line, loss_line;

static tg_tensor *step(tg_tensor *const *in, void *user) {
    tg_tensor *y = tg_exp(in[0]);
    first_line = __LINE__ - 1;
    y = tg_mul(y, in[1]);
    y = tg_tanh(y);
    last_line = __LINE__ - 1;
    tg_tensor *loss = tg_sum(tg_matmul(tg_reshape(y, 64, 64), user));
    loss_line = __LINE__ - 1;
    tg_backward(loss);
    return loss;
}

static void run(tg_plan *plan, int times) {
    for (int i = 0; i < times; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *in[2] = {tg_full(TG_F32, 0.5, 4096), tg_full(TG_F32, 0.25, 4096)};
        tg_plan_run_with(plan, 2, in);
        tg_tape_rewind(before);
    }
    expect_ok();
}

static char *print_of(const tg_plan *plan, const tg_profile *p, tg_profile_print_opts opts) {
    static char *text; /* gcc believes that the caller's pointer into it were one to this variable */
    static size_t size;
    FILE *file = open_memstream(&text, &size);
    if (plan)
        tg_plan_print(file, plan);
    else
        tg_profile_print_with(file, p, opts);
    fclose(file);
    return text;
}

START_TEST(test_a_replayed_plan_has_rows_of_its_pieces) {
    tg_tensor *w = tg_keep(tg_set_requires_grad(tg_randn(TG_F32, 64, 8), true));
    tg_plan *plan = tg_plan_new(step, w);
    run(plan, 3);
    char *text = print_of(plan, NULL, (tg_profile_print_opts){0});
    ck_assert(strstr(text, "3 calls, fused, block by block") && !strstr(text, "us a run"));
    free(text);
    tg_profile *p = tg_profile_begin(0);
    run(plan, 4);
    int64_t n = end_and_look(p);
    const tg_profile_row *r = find(n, "fused 3: exp, mul, tanh", false, first_line);
    ck_assert_int_eq(r->last, last_line);
    ck_assert(r->replayed && r->calls == 3 && r->count == 4 && r->phase == TG_PHASE_FORWARD);
    ck_assert(r->bytes == 4 * 4 * 3 * 4096.0 && r->flops == 4 * 3 * 4096.0); /* two inputs, one result */
    r = find(n, "matmul", false, loss_line);
    ck_assert(r->replayed && r->flops == 4 * 2 * 64.0 * 64 * 8);
    r = find(n, "matmul", true, loss_line);
    ck_assert(r->replayed && r->phase == TG_PHASE_BACKWARD && r->flops == 4 * 2 * 64.0 * 64 * 8);
    ck_assert_int_eq(find(n, "store gradient", false, loss_line + 2)->phase, TG_PHASE_BACKWARD);
    ck_assert_int_eq(find(n, "plan_run", false, -1)->count, 4);
    text = print_of(plan, NULL, (tg_profile_print_opts){0});
    ck_assert(strstr(text, "us a run") && strstr(text, "100.0 %  in all"));
    free(text);
    tg_profile_free(p);
    tg_plan_free(plan);
    tg_free(w);
}
END_TEST

/* Without places: of calls that no macro notes, as a library's own are. */
static tg_tensor *step_without_lines(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *y = (tg_tanh)((tg_mul)((tg_exp)(in[0]), in[1]));
    return (tg_reshape_with)(y, TG_SHAPE(64, 64));
}

static void run_without_lines(int times) {
    tg_plan *plan = (tg_plan_new_with)(step_without_lines, NULL, (tg_plan_new_opts){0});
    for (int i = 0; i < times; i++) {
        tg_tensor *in[2] = {(tg_full_with)(TG_F32, 0.5, TG_SHAPE(4096)),
                            (tg_full_with)(TG_F32, 0.25, TG_SHAPE(4096))};
        (tg_plan_run_with)(plan, 2, in);
    }
    (tg_plan_free)(plan);
}

START_TEST(test_names_outlive_their_plan) {
    tg_profile *p = tg_profile_begin(0);
    run_without_lines(7);
    run_without_lines(6); /* in the memory of the first */
    (tg_zeros_with)(TG_F32, TG_SHAPE(2));
    int64_t n = end_and_look(p);
    const tg_profile_row *r = find(n, "fused 3: exp, mul, tanh", false, -1);
    ck_assert_msg(r->replayed && r->count == 5 + 4, "%d", (int)r->count);
    tg_profile_free(p);
}
END_TEST

static tg_tensor *reads_again(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *y = tg_add(tg_exp(in[0]), in[1]), *z = tg_sub(in[0], in[1]);
    return tg_mul(y, z);
}

START_TEST(test_a_group_moves_each_piece_once) {
    tg_plan *plan = tg_plan_new(reads_again, NULL);
    run(plan, 3);
    tg_profile *p = tg_profile_begin(0);
    run(plan, 1);
    int64_t n = end_and_look(p);
    const tg_profile_row *r = find(n, "fused 4: exp, add, sub, mul", false, -1);
    ck_assert_msg(r->bytes == 4 * 3 * 4096.0, "%g", r->bytes);
    tg_profile_free(p);
    tg_plan_free(plan);
}
END_TEST

START_TEST(test_a_run_that_is_recorded_is_measured) {
    tg_tensor *w = tg_keep(tg_set_requires_grad(tg_randn(TG_F32, 64, 8), true));
    tg_plan *plan = tg_plan_new(step, w);
    tg_profile *p = tg_profile_begin(0);
    run(plan, 3);
    int64_t n = end_and_look(p);
    ck_assert_int_eq(find(n, "exp", false, first_line)->count, 2);
    ck_assert_int_eq(find(n, "fused 3: exp, mul, tanh", false, first_line)->count, 1);
    ck_assert_int_eq(tg_plan_stats_of(plan).replayed, 1);
    tg_profile_free(p);
    tg_plan_free(plan);
    tg_free(w);
}
END_TEST

/* ---- tables ---- */

static tg_status named_infer(const tg_call *call) { return tg_infer_same(call); }

static void apply_named(const char *name, const char *file) {
    tg_op *op = calloc(1, sizeof *op);
    *op = op_copy;
    op->name = name, op->infer = named_infer;
    tg_tensor *x = tg_full(TG_F32, 1, 3);
    tg_at((tg_apply)(op, &x, 1, NULL), file, 7);
    free(op);
}

static const char long_name[] =
    "a_name_of_many_characters_that_goes_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_"
    "and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on_and_on";

/* Every row has the same columns: the text of its last one begins where that of the header does. */
START_TEST(test_columns_are_in_line) {
    tg_profile *p = tg_profile_begin(0);
    for (int i = 0; i < 3; i++) tg_exp(tg_full(TG_F32, 1, 1000));
    apply_named("one\nname\t\x7f", "folder/a\tfile.c");
    apply_named(long_name, "folder/a_file_whose_name_has_more_characters_than_the_column_has.c");
    tg_profile_end(p);
    tg_profile_table table = _i ? TG_PROFILE_BY_LINE : TG_PROFILE_BY_OP;
    char *text = print_of(NULL, p, (tg_profile_print_opts){.table = table}), *rest = text;
    const char *header = next_line(&rest), *last = strstr(header, _i ? "  ops" : "  op");
    ck_assert(last);
    int n = 0;
    for (char *line; (line = next_line(&rest)) && !strstr(line, "outside of ops"); n++) {
        ck_assert_msg((ptrdiff_t)strlen(line) > last - header + 2, "%s", line);
        ck_assert_msg(line[last - header] == ' ' && line[last - header + 1] == ' ' &&
                          line[last - header + 2] != ' ',
                      "%s", line);
        ck_assert_int_lt((int)strlen(line), 300);
        for (const char *c = line; *c; c++) ck_assert_int_ge(*c, ' ');
    }
    ck_assert_int_eq(n, 3);
    ck_assert(strstr(rest, "100.0 %  in all\n"));
    free(text);
    tg_profile_free(p);
}
END_TEST

START_TEST(test_rows_beyond_the_most_are_one) {
    tg_profile *p = tg_profile_begin(0);
    tg_exp(tg_zeros(TG_F32, 1000)), tg_sin(tg_zeros(TG_F32, 10)), tg_cos(tg_zeros(TG_F32, 10));
    tg_profile_end(p);
    char *text = print_of(NULL, p, (tg_profile_print_opts){.table = TG_PROFILE_BY_OP, .rows = 1});
    ck_assert(strstr(text, "others: 2 rows") &&
              (!strstr(text, "  sin") + !strstr(text, "  cos\n") + !strstr(text, "  exp\n")) == 2);
    free(text);
    text = print_of(NULL, p, (tg_profile_print_opts){0});
    ck_assert(strstr(text, "  op\n") && strstr(text, "  ops\n") && !strstr(text, "others"));
    free(text);
    tg_profile_free(p);
}
END_TEST

/* ---- the file ---- */

static char folder[] = "/tmp/tg_profile_XXXXXX", path[64];

static char *load(void) {
    FILE *file = fopen(path, "rb");
    ck_assert(file);
    char *text = calloc(1, 1 << 20);
    ck_assert_uint_lt(fread(text, 1, (1 << 20) - 1, file), (1 << 20) - 1);
    fclose(file);
    return text;
}

static void make_folder(void) {
    begin_test();
    strcpy(folder, "/tmp/tg_profile_XXXXXX");
    ck_assert(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/t.json", folder);
}

static void remove_folder(void) {
    unlink(path);
    ck_assert_int_eq(rmdir(folder), 0);
    end_test();
}

static int count_of(const char *text, const char *part) {
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) n++;
    return n;
}

static const struct name_row {
    const char *name, *written;
} name_rows[] = {
    {"plain", "\"plain\""},
    {"a \"quoted\" \\ name", "\"a \\\"quoted\\\" \\\\ name\""},
    {"line\nbreak\ttab\x01\x7f", "\"line\\u000abreak\\u0009tab\\u0001\\u007f\""},
    {"gr\xc3\xbc\xc3\x9f \xe2\x88\x82 \xf0\x9f\x99\x82", "\"gr\xc3\xbc\xc3\x9f \xe2\x88\x82 \xf0\x9f\x99\x82\""},
    {"cut \xe2\x88", "\"cut \\ufffd\\ufffd\""},
    {"\xff\xc0\x80\xed\xa0\x80!", "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd!\""},
};

START_TEST(test_texts_are_escaped) {
    const struct name_row *row = &name_rows[_i];
    char expected[200];
    tg_profile *p = tg_profile_begin(0);
    apply_named(row->name, row->name);
    tg_profile_end(p);
    ck_assert_int_eq(tg_profile_save_trace(p, path), TG_OK);
    char *text = load();
    snprintf(expected, sizeof expected, "\"name\":%s,", row->written);
    ck_assert_msg(strstr(text, expected), "%s", text);
    snprintf(expected, sizeof expected, "\"line\":7,\"file\":%s}}", row->written);
    ck_assert_msg(strstr(text, expected), "%s", text);
    free(text);
    tg_profile_free(p);
}
END_TEST

/* In the order of the file: one object, its events each inside of the one around it. */
START_TEST(test_events_nest) {
    tg_tensor *x = tg_set_requires_grad(tg_full(TG_F64, 1, 7), true);
    tg_profile *p = tg_profile_begin(0);
    tg_backward(tg_sum(tg_exp(x)));
    tg_profile_end(p);
    ck_assert_int_eq(tg_profile_save_trace(p, path), TG_OK);
    char *text = load();
    ck_assert(strncmp(text, "{\"displayTimeUnit\":\"ms\"", 23) == 0 &&
              strcmp(text + strlen(text) - 5, "}\n]}\n") == 0);
    ck_assert_int_eq(count_of(text, "\"ph\":\"X\""), (int)tg_profile_stats_of(p).events);
    ck_assert_int_eq(count_of(text, "{"), count_of(text, "}"));
    double began[2], took[2];
    const char *const name[2] = {"\"name\":\"backward\"", "\"name\":\"exp backward\""};
    for (int i = 0; i < 2; i++) {
        const char *at = strstr(text, name[i]);
        ck_assert(at);
        while (strncmp(at, "\"ts\":", 5) != 0) at--;
        ck_assert_int_eq(sscanf(at, "\"ts\":%lf,\"dur\":%lf", &began[i], &took[i]), 2);
    }
    ck_assert(began[0] <= began[1] && began[0] + took[0] >= began[1] + took[1] - 1e-3);
    ck_assert(began[0] + took[0] <= tg_profile_stats_of(p).seconds * 1e6);
    free(text);
    tg_profile_free(p);
}
END_TEST

START_TEST(test_no_more_events_are_kept_than_asked_for) {
    const int64_t asked[] = {1, 1024, 1025, -1}, most = asked[_i] < 0 ? 0 : asked[_i];
    tg_profile *p = tg_profile_begin(asked[_i]);
    for (int i = 0; i < 1500; i++) {
        tg_mark before = tg_tape_mark();
        tg_exp(tg_zeros(TG_F32, 1));
        tg_tape_rewind(before);
    }
    int64_t n = end_and_look(p);
    tg_profile_stats s = tg_profile_stats_of(p);
    ck_assert_int_eq(find(n, "exp", false, -1)->count, 1500);
    ck_assert_int_eq(s.events, 1500);
    ck_assert_int_eq(s.dropped, 1500 - most);
    ck_assert_int_eq(s.lost, 0);
    ck_assert_int_eq(tg_profile_save_trace(p, path), TG_OK);
    char *text = load(), dropped[32];
    snprintf(dropped, sizeof dropped, "\"dropped\":%d", (int)s.dropped);
    ck_assert_int_eq(count_of(text, "\"ph\":\"X\""), (int)most);
    ck_assert(strstr(text, dropped));
    free(text);
    tg_profile_free(p);
}
END_TEST

static void fill_disk(bool full) {
    struct rlimit limit;
    signal(SIGXFSZ, full ? SIG_IGN : SIG_DFL);
    ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = full ? 4096 : limit.rlim_max;
    ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

START_TEST(test_a_file_is_written_whole_or_not_at_all) {
    tg_profile *p = tg_profile_begin(0);
    tg_exp(tg_zeros(TG_F32, 1));
    tg_profile_end(p);
    ck_assert_int_eq(tg_profile_save_trace(p, path), TG_OK);
    char *before = load();
    tg_profile_free(p);
    p = tg_profile_begin(0);
    for (int i = 0; i < 200; i++) tg_exp(tg_zeros(TG_F32, 1));
    tg_profile_end(p);
    fill_disk(true);
    ck_assert_int_eq(tg_profile_save_trace(p, path), TG_ERR_IO);
    fill_disk(false);
    expect_error(TG_ERR_IO, "tg_profile_save_trace: ", "t.json", "test_profile.c:");
    char *after = load();
    ck_assert_str_eq(before, after);
    free(before), free(after);
    ck_assert_int_eq(tg_profile_save_trace(p, "/tmp/no/such/folder.json"), TG_ERR_IO);
    expect_error(TG_ERR_IO, "tg_profile_save_trace: ", "/tmp/no/such/folder.json");
    ck_assert_int_eq(tg_profile_save_trace(p, folder), TG_ERR_IO);
    expect_error(TG_ERR_IO, "tg_profile_save_trace: ", folder);
    ck_assert_int_eq(tg_profile_save_trace(p, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "the path is NULL");
    tg_profile_free(p);
}
END_TEST

/* ---- bad use ---- */

START_TEST(test_one_profile_at_a_time) {
    tg_profile *p = tg_profile_begin(0);
    ck_assert_ptr_null(tg_profile_begin(0));
    expect_error(TG_ERR_ARGUMENT, "tg_profile_begin: a profile measures this thread already",
                 "test_profile.c:");
    ck_assert_int_eq(tg_profile_end(p), TG_OK);
    tg_profile *q = tg_profile_begin(0);
    ck_assert_ptr_nonnull(q);
    ck_assert_int_eq(tg_profile_end(p), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_end: the profile has ended already");
    tg_profile_free(p);
    tg_exp(tg_zeros(TG_F32, 1));
    ck_assert_int_eq(find(end_and_look(q), "exp", false, -1)->count, 1);
    tg_profile_free(q);
}
END_TEST

START_TEST(test_what_measures_cannot_be_looked_at) {
    tg_profile *p = tg_profile_begin(0);
    tg_profile_print(stdout, p);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_print: the profile still measures: tg_profile_end comes first");
    ck_assert_int_eq(tg_profile_rows(p, rows, MOST), -1);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_rows: the profile still measures");
    ck_assert_int_eq(tg_profile_save_trace(p, "x"), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_save_trace: the profile still measures");
    tg_profile_stats_of(p);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_stats_of: the profile still measures");
    tg_profile_end(p);
    ck_assert_int_eq(tg_profile_rows(p, NULL, 0), 0);
    ck_assert_int_eq(tg_profile_rows(p, NULL, 1), -1);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_rows: the array of rows is NULL");
    tg_profile_print(NULL, p);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_print: the file is NULL");
    tg_profile_print(stdout, p, .rows = -1);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_print: .rows is below 0");
    tg_profile_print(stdout, p, .table = (tg_profile_table)3);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_print: .table is none");
    tg_profile_free(p);
}
END_TEST

START_TEST(test_bad_handles) {
    tg_profile *p = tg_profile_begin(0);
    tg_profile_free(p); /* ends it */
    tg_model *m = tg_model_new(1);
    tg_profile *const bad[] = {NULL, p, (tg_profile *)(void *)m};
    const char *const says[] = {"tg_profile_end: the profile is NULL", "tg_profile_end: the profile was freed",
                                "tg_profile_end: the profile is the handle of something else"};
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(tg_profile_end(bad[i]), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, says[i]);
        tg_profile_free(bad[i]);
        if (bad[i])
            expect_error(TG_ERR_ARGUMENT, "tg_profile_free: the profile ");
        else
            expect_ok();
    }
    tg_model_free(m);
}
END_TEST

static void *misuse(void *profile) {
    tg_profile_end(profile);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_end: the profile measures another thread, which has to end it");
    tg_profile_free(profile);
    expect_error(TG_ERR_ARGUMENT, "tg_profile_free: the profile measures another thread");
    tg_exp(tg_zeros(TG_F32, 1)); /* which nobody measures */
    return NULL;
}

static void *measure(void *profile) {
    *(tg_profile **)profile = tg_profile_begin(0);
    tg_exp(tg_zeros(TG_F32, 1));
    return NULL;
}

START_TEST(test_threads) {
    pthread_t thread;
    tg_profile *p = tg_profile_begin(0), *q = NULL;
    ck_assert_int_eq(pthread_create(&thread, NULL, misuse, p), 0);
    pthread_join(thread, NULL);
    ck_assert_int_eq(pthread_create(&thread, NULL, measure, &q), 0); /* ends without ending it */
    pthread_join(thread, NULL);
    ck_assert_int_eq(tg_profile_rows(q, rows, MOST), 1);
    ck_assert_int_eq(end_and_look(p), 0);
    tg_profile_free(p), tg_profile_free(q);
}
END_TEST

static tg_profile *of_callbacks;

static tg_status ending_forward(const tg_call *call) {
    tg_profile_end(of_callbacks);
    tg_profile_free(of_callbacks);
    of_callbacks = tg_profile_begin(0);
    return copy_forward(call);
}

START_TEST(test_a_profile_ends_inside_of_an_op) {
    tg_op op = op_copy;
    op.forward = ending_forward;
    tg_tensor *x = tg_full(TG_F32, 1, 3);
    of_callbacks = tg_profile_begin(0);
    tg_apply(&op, &x, 1, NULL);
    expect_ok();
    tg_exp(x);
    ck_assert_int_eq(end_and_look(of_callbacks), 1);
    ck_assert_str_eq(rows[0].op, "exp");
    tg_profile_free(of_callbacks);
}
END_TEST

static tg_tensor *profiling_step(tg_tensor *const *in, void *user) {
    of_callbacks = tg_profile_begin(0);
    return user ? in[0] : tg_exp(in[0]);
}

START_TEST(test_a_step_cannot_begin_one) {
    tg_plan *plan = tg_plan_new(profiling_step, NULL);
    tg_plan_run(plan, tg_zeros(TG_F32, 3));
    expect_error(TG_ERR_TAPE, "tg_profile_begin", "cannot be recorded: call it outside of the step of a plan");
    ck_assert_ptr_null(of_callbacks);
    tg_plan_free(plan);
}
END_TEST

START_TEST(test_errors_are_no_events) {
    tg_profile *p = tg_profile_begin(0);
    tg_tensor *bad = tg_matmul(tg_zeros(TG_F32, 2, 3), tg_zeros(TG_F32, 2, 3));
    expect_error(TG_ERR_SHAPE, "matmul: ");
    tg_exp(bad);
    tg_error_clear();
    ck_assert_int_eq(end_and_look(p), 0);
    tg_profile_free(p);
}
END_TEST

/* Whatever allocation fails, the step gives what it gives without a profile, and each event is in a row or counted as lost. */
START_TEST(test_allocation_fails_at_each_point) {
    uint64_t before = tg_memory_now().live_buffer_bytes;
    int lost = 0, dropped = 0;
    for (int64_t n = 1; n < 200; n++) {
        tg_memory_fail_at(n);
        tg_profile *p = tg_profile_begin(0);
        if (!p) {
            tg_memory_fail_at(-1);
            expect_error(TG_ERR_MEMORY, "tg_");
            continue;
        }
        bool op_failed = false;
        for (int i = 0; i < 40; i++) {
            tg_mark mark = tg_tape_mark();
            tg_at((tg_exp)(tg_full_with(TG_F32, 1, TG_SCALAR)), __FILE__, 1000 + i);
            op_failed = op_failed || tg_error_status() != TG_OK;
            tg_error_clear();
            tg_tape_rewind(mark);
        }
        tg_memory_fail_at(-1);
        ck_assert_int_eq(tg_profile_end(p), TG_OK);
        tg_profile_stats s = tg_profile_stats_of(p);
        ck_assert_int_eq(s.events + s.lost, op_failed ? 39 : 40);
        lost += s.lost > 0, dropped += s.dropped > 0;
        tg_profile_free(p);
    }
    ck_assert(lost > 1 && dropped > 0);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, before);
}
END_TEST

START_TEST(test_looking_without_memory) {
    tg_profile *p = tg_profile_begin(0);
    tg_exp(tg_zeros(TG_F32, 1));
    tg_profile_end(p);
    tg_memory_fail_at(1);
    char *text = print_of(NULL, p, (tg_profile_print_opts){.table = TG_PROFILE_BY_OP});
    expect_error(TG_ERR_MEMORY, "tg_profile_print: there is no memory for 1 rows");
    ck_assert_str_eq(text, "");
    free(text);
    tg_memory_fail_at(1);
    ck_assert_int_eq(tg_profile_rows(p, rows, 1), -1);
    expect_error(TG_ERR_MEMORY, "tg_profile_rows: there is no memory for 1 rows");
    tg_memory_fail_at(-1);
    tg_profile_free(p);
}
END_TEST

TCase *tcase_profile(void) {
    TCase *t = tcase_create("profile");
    tcase_add_checked_fixture(t, make_folder, remove_folder);
    tcase_add_test(t, test_each_op_has_its_line_bytes_and_flops);
    tcase_add_test(t, test_shares_add_up);
    tcase_add_test(t, test_what_runs_inside_of_a_rule_is_at_its_line);
    tcase_add_test(t, test_an_op_its_rule_and_itself_in_a_rule_are_three_rows);
    tcase_add_test(t, test_views_and_axes_of_stride_0_move_nothing);
    tcase_add_loop_test(t, test_flops, 0, (int)(sizeof flops_rows / sizeof *flops_rows));
    tcase_add_loop_test(t, test_flops_of_recurrent_networks, 0, 3);
    tcase_add_test(t, test_steps_of_optimisers_count_what_they_move);
    tcase_add_test(t, test_a_replayed_plan_has_rows_of_its_pieces);
    tcase_add_test(t, test_names_outlive_their_plan);
    tcase_add_test(t, test_a_group_moves_each_piece_once);
    tcase_add_test(t, test_a_run_that_is_recorded_is_measured);
    tcase_add_loop_test(t, test_columns_are_in_line, 0, 2);
    tcase_add_test(t, test_rows_beyond_the_most_are_one);
    tcase_add_loop_test(t, test_texts_are_escaped, 0, (int)(sizeof name_rows / sizeof *name_rows));
    tcase_add_test(t, test_events_nest);
    tcase_add_loop_test(t, test_no_more_events_are_kept_than_asked_for, 0, 4);
    tcase_add_test(t, test_a_file_is_written_whole_or_not_at_all);
    tcase_add_test(t, test_one_profile_at_a_time);
    tcase_add_test(t, test_what_measures_cannot_be_looked_at);
    tcase_add_test(t, test_bad_handles);
    tcase_add_test(t, test_threads);
    tcase_add_test(t, test_a_profile_ends_inside_of_an_op);
    tcase_add_test(t, test_a_step_cannot_begin_one);
    tcase_add_test(t, test_errors_are_no_events);
    tcase_add_test(t, test_allocation_fails_at_each_point);
    tcase_add_test(t, test_looking_without_memory);
    return t;
}
