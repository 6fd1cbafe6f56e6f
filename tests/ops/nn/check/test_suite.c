/* Suites: each kind of fault is found by the check that is for it, and what is written can be read. */
#include "tests/ops/nn/helpers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A row leaves out what is as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* ---- an op, y = x^3 + 2 x, and faults of it ---- */

static tg_status forward(const tg_call *call) {
    for (int64_t i = 0; i < call->out[0]->numel; i++) {
        double x = tg_array_get(call->in[0], i);
        tg_array_set(call->out[0], i, x * x * x + 2 * x);
    }
    return TG_OK;
}
static tg_tensor *slope(tg_tensor *x) { return tg_affine(tg_square(x), 3, 2); }
static void grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], slope(node->in[0]));
}
static tg_status kernel_times(const tg_node *node, const tg_array *const *dout, tg_array *din, double factor) {
    const tg_array *x = tg_node_in(node, 0);
    tg_status s = tg_array_alloc(&din[0], (tg_dtype)x->dtype, tg_array_shape(x));
    for (int64_t i = 0; s == TG_OK && i < x->numel; i++) {
        double v = tg_array_get(x, i);
        tg_array_set(&din[0], i, factor * tg_array_get(dout[0], i) * (3 * v * v + 2));
    }
    return s;
}
static tg_status kernel(const tg_node *node, const tg_array *const *dout, tg_array *din) {
    return kernel_times(node, dout, din, 1);
}

static void grad_without_a_term(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_mul_scalar(tg_square(node->in[0]), 3));
}
static void grad_detached(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], slope(tg_detach(node->in[0])));
}
static tg_status kernel_a_little_off(const tg_node *node, const tg_array *const *dout, tg_array *din) {
    return kernel_times(node, dout, din, 1 + 1e-8);
}
static tg_status crude_in_f32(const tg_call *call) {
    tg_status s = forward(call);
    for (int64_t i = 0; call->in[0]->dtype == TG_F32 && i < call->out[0]->numel; i++)
        tg_array_set(call->out[0], i, floor(1024 * tg_array_get(call->out[0], i)) / 1024);
    return s;
}
static tg_status always_f64(const tg_call *call) {
    return tg_out(call, 0, TG_F64, tg_array_shape(call->in[0]));
}
static tg_status without_strides(const tg_call *call) {
    const double *x = call->in[0]->data;
    if (call->in[0]->dtype != TG_F64) return forward(call);
    for (int64_t i = 0; i < call->out[0]->numel; i++)
        tg_array_set(call->out[0], i, x[i] * x[i] * x[i] + 2 * x[i]);
    return TG_OK;
}
static void grad_wrong_of_scalars(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    grad(node, dout, din);
    if (tg_rank(node->in[0]) == 0) din[0] = tg_mul_scalar(din[0], 2);
}
static tg_status refuses_nothing(const tg_call *call) {
    return call->in[0]->numel == 0 ? tg_call_fail(call, TG_ERR_SHAPE, "there is nothing") : tg_infer_same(call);
}
static tg_status swallows_nan(const tg_call *call) {
    tg_status s = forward(call);
    for (int64_t i = 0; i < call->out[0]->numel; i++)
        if (isnan(tg_array_get(call->in[0], i))) tg_array_set(call->out[0], i, 0);
    return s;
}

#define OP .name = "cubic", .n_in = 1, .save = TG_IN(0)
static const tg_op right = {OP, .infer = tg_infer_same, .forward = forward, .grad = grad,
                            .grad_kernel = kernel};
static const struct {
    tg_op op;
    unsigned found_by; /* all of these, and no other */
    const char *says;
} faults[] = {
    {{OP, .infer = tg_infer_same, .forward = forward, .grad = grad_without_a_term},
     TG_CHECK_BIT(TG_CHECK_FIRST) | TG_CHECK_BIT(TG_CHECK_SECOND) | TG_CHECK_BIT(TG_CHECK_SHAPES),
     "WRONG: input 0, x0 [3, 4] f64"},
    {{OP, .infer = tg_infer_same, .forward = forward, .grad = grad_detached, .grad_kernel = kernel},
     TG_CHECK_BIT(TG_CHECK_SECOND),
     "order 2"},
    {{OP, .infer = tg_infer_same, .forward = forward, .grad = grad, .grad_kernel = kernel_a_little_off},
     TG_CHECK_BIT(TG_CHECK_KERNEL) | TG_CHECK_BIT(TG_CHECK_ADJOINT),
     "walk not recorded"},
    {{OP, .infer = tg_infer_same, .forward = crude_in_f32, .grad = grad},
     TG_CHECK_BIT(TG_CHECK_F32),
     "the value in f32"},
    {{OP, .infer = always_f64, .forward = forward, .grad = grad}, TG_CHECK_BIT(TG_CHECK_F32), "f64"},
    {{OP, .infer = tg_infer_same, .forward = without_strides, .grad = grad},
     TG_CHECK_BIT(TG_CHECK_LAYOUT),
     "inputs with column order: the value: element 1"},
    {{OP, .infer = tg_infer_same, .forward = forward, .grad = grad_wrong_of_scalars},
     TG_CHECK_BIT(TG_CHECK_SHAPES),
     "scalars, point 0: WRONG"},
    {{OP, .infer = refuses_nothing, .forward = forward, .grad = grad},
     TG_CHECK_BIT(TG_CHECK_EMPTY),
     "with a = 0: cubic: there is nothing"},
    {{OP, .infer = tg_infer_same, .forward = swallows_nan, .grad = grad},
     TG_CHECK_BIT(TG_CHECK_NAN),
     "NaN at element 0 of input 0"},
};

typedef struct seen {
    unsigned passed, failed, skipped;
    char first[512];
    char skip[TG_CHECK_KINDS][160];
    int n;
} seen;
static void see(const tg_check_result *r, void *user) {
    seen *s = user;
    unsigned *where[] = {&s->passed, &s->failed, &s->skipped};
    *where[r->outcome] |= TG_CHECK_BIT(r->kind);
    if (r->outcome == TG_CHECK_FAILED && !s->first[0]) snprintf(s->first, sizeof s->first, "%s", r->message);
    if (r->outcome == TG_CHECK_SKIPPED) snprintf(s->skip[r->kind], sizeof s->skip[0], "%.150s", r->message);
    ck_assert(r->outcome == TG_CHECK_PASSED || r->message[0]);
    s->n++;
}

static seen run(const tg_check_row *row, tg_check_report *r) {
    seen s = {0};
    int64_t tensors = tg_tape_tensors(), nodes = tg_tape_nodes();
    bool ok = tg_check_suite("test", 1, row, r, .each = see, .each_user = &s);
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    ck_assert(ok == r->ok && ok == (s.failed == 0) && s.n == TG_CHECK_KINDS);
    ck_assert(tg_tape_tensors() == tensors && tg_tape_nodes() == nodes && tg_grad_enabled());
    return s;
}

static const unsigned every = TG_CHECK_BIT(TG_CHECK_KINDS) - 1;

START_TEST(each_fault_is_found_by_its_check) {
    tg_check_row row = {.name = "cubic", .op = &faults[_i].op, .in = {{"ab"}}, .any_shape = true};
    tg_check_report r;
    seen s = run(&row, &r);
    ck_assert_msg(s.failed == faults[_i].found_by, "failed %x, and should %x: %s", s.failed,
                  faults[_i].found_by, s.first);
    ck_assert_msg(strstr(s.first, faults[_i].says), "no \"%s\" in: %s", faults[_i].says, s.first);
    ck_assert_msg(strstr(r.message, "cubic: ") && r.rows_failed == 1, "%s", r.message);
}
END_TEST

/* ---- what is right passes every check ---- */

static tg_tensor *product(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_matmul(in[0], in[1]);
}
static tg_tensor *looked_up(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_index_select(in[0], 0, in[1]);
}
static tg_tensor *mean_of_max(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mean(tg_amax(in[0], .axes = TG_SHAPE(1)));
}
static tg_tensor *gated(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(tg_log(in[0]), tg_sigmoid(in[1]));
}
static tg_tensor *layer(tg_tensor *const *in, void *user) {
    return tg_tanh(tg_nn_linear(user, "fc", in[0], 2));
}
static tg_tensor *less(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_lt(in[0], in[1]);
}

static const tg_check_row good[] = {
    {.name = "cubic", .op = &right, .in = {{"ab"}}, .any_shape = true},
    {.name = "product", .f = product, .in = {{"ab"}, {"bc"}}, .sizes = "a2b5"},
    {.name = "looked up",
     .f = looked_up,
     .in = {{"ab"}, {"5", .dtype = TG_I64, .index_of = 'a'}},
     .nonempty = "a",
     .why = "no row to look up"},
    {.name = "mean of max",
     .f = mean_of_max,
     .in = {{"ab", .distinct = true}},
     .nonempty = "ab",
     .why = "of nothing there is no largest"},
    {.name = "gated", .f = gated, .in = {{"ab", .low = 0.1, .high = 3}, {"ab"}}, .any_shape = true, .order = 3},
};

START_TEST(what_is_right_passes) {
    tg_check_report r;
    seen s = run(&good[_i], &r);
    ck_assert_msg(r.ok, "%s", r.message);
    unsigned skipped = good[_i].nonempty && strlen(good[_i].nonempty) == 2 ? TG_CHECK_BIT(TG_CHECK_EMPTY) : 0;
    ck_assert_msg(s.passed == (every & ~skipped) && s.skipped == skipped, "skipped %x: %s", s.skipped,
                  s.skip[TG_CHECK_EMPTY]);
    ck_assert(r.planted >= 3 && r.caught == r.planted && r.numbers > 100);
    ck_assert_msg(strstr(r.message, "ok: 1 rows"), "%s", r.message);
}
END_TEST

START_TEST(a_layer_with_its_parameters) {
    tg_model *m = tg_model_new(1);
    tg_check_row row = {.name = "layer", .f = layer, .user = m, .model = m, .in = {{"ab"}}};
    tg_check_report r;
    seen s = run(&row, &r);
    ck_assert_msg(r.ok && tg_model_count(m) == 2, "%s", r.message);
    ck_assert(s.skipped == (TG_CHECK_BIT(TG_CHECK_F32) | TG_CHECK_BIT(TG_CHECK_SHAPES) |
                            TG_CHECK_BIT(TG_CHECK_EMPTY) | TG_CHECK_BIT(TG_CHECK_PLAN)));
    ck_assert(r.numbers > 2 * (12 + 8 + 2) && strstr(s.skip[TG_CHECK_F32], "parameters"));
    tg_model_free(m);
}
END_TEST

static tg_tensor *layer_without_bias(tg_tensor *const *in, void *user) {
    tg_tensor *y = tg_nn_linear(user, "fc", in[0], 2);
    return tg_sub(y, tg_detach(tg_model_find(user, "fc.bias")));
}
START_TEST(a_parameter_whose_gradient_is_wrong) {
    tg_model *m = tg_model_new(1);
    tg_check_row row = {.name = "layer", .f = layer_without_bias, .user = m, .model = m, .in = {{"ab"}}};
    tg_check_report r;
    seen s = run(&row, &r);
    ck_assert_msg(s.failed & TG_CHECK_BIT(TG_CHECK_FIRST) && strstr(s.first, "fc.bias [2] f64"), "%s", s.first);
    tg_model_free(m);
}
END_TEST

/* ---- functions that are none ---- */

static int calls;
static tg_tensor *fickle(tg_tensor *const *in,
                         void *user) { /* from call number *user on it has a gradient, or had one before */
    const int *from = user;
    bool has = calls++ < abs(*from);
    return has == (*from > 0) ? tg_detach(in[0]) : tg_exp(in[0]);
}

START_TEST(what_has_gradients_at_times) {
    for (int from = -40; from <= 40; from++) {
        tg_check_row row = {.name = "fickle", .f = fickle, .user = &from, .in = {{"ab"}, {"ab"}}};
        tg_check_report r;
        calls = 0;
        run(&row, &r);
        ck_assert_msg(!r.ok, "%d: %s", from, r.message);
    }
    int from = 2; /* the first call makes parameters, and is not looked at */
    tg_check_row row = {.name = "fickle", .f = fickle, .user = &from, .in = {{"ab"}}};
    row.skip = every & ~TG_CHECK_BIT(TG_CHECK_KERNEL), row.why = "this one alone";
    for (; from >= -2; from -= 4) {
        tg_check_report r;
        seen s = {0};
        calls = 0;
        tg_check_suite("test", 1, &row, &r, .each = see, .each_user = &s);
        ck_assert_msg(strstr(s.first, "called twice"), "%d: %s", from, s.first);
    }
}
END_TEST

/* ---- skipped, or not exercised ---- */

static tg_tensor *reads(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul_scalar(in[0], 1 + fabs(tg_item(tg_sum(tg_detach(tg_sin(in[0]))))) * 0);
}
static tg_tensor *kinked(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_abs(tg_affine(in[0], 1, -1));
}
static tg_tensor *flat(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_relu(in[0]);
}

START_TEST(skipped_with_reasons) {
    tg_check_report r;
    tg_check_row host = {.name = "reads",
                         .f = reads,
                         .in = {{"ab"}},
                         .order = 1,
                         .skip = TG_CHECK_BIT(TG_CHECK_NAN),
                         .why = "because"};
    seen s = run(&host, &r);
    ck_assert_msg(r.ok && strstr(s.skip[TG_CHECK_PLAN], "tg_item"), "%s %s", r.message, s.skip[TG_CHECK_PLAN]);
    ck_assert(strstr(s.skip[TG_CHECK_SECOND], "order 1") && strcmp(s.skip[TG_CHECK_NAN], "because") == 0);
    tg_check_row none = {.name = "less", .f = less, .in = {{"ab"}, {"ab"}}, .any_shape = true};
    s = run(&none, &r);
    ck_assert_msg(s.failed == TG_CHECK_BIT(TG_CHECK_FIRST) || s.failed, "%s",
                  s.first); /* takes a gradient, gives none */
    none.in[0].constant = none.in[1].constant = true;
    s = run(&none, &r);
    ck_assert_msg(r.ok && strstr(s.skip[TG_CHECK_FIRST], "no input takes a gradient"), "%s", r.message);
    ck_assert(strstr(s.skip[TG_CHECK_NAN], "no float"));
}
END_TEST

START_TEST(domains_that_show_nothing) {
    tg_check_report r;
    tg_check_row at_kink = {.name = "kinked", .f = kinked, .in = {{"ab", .low = 1, .high = 1}}, .order = 1};
    seen s = run(&at_kink, &r);
    ck_assert_msg(s.failed == TG_CHECK_BIT(TG_CHECK_PLANTED) && strstr(s.first, "NOT-EXERCISED"), "%x %s",
                  s.failed, s.first);
    tg_check_row dead = {.name = "dead", .f = flat, .in = {{"ab", .low = -2, .high = -1}}};
    s = run(&dead, &r);
    ck_assert_msg(s.failed & TG_CHECK_BIT(TG_CHECK_FIRST) && strstr(s.first, "NOT-EXERCISED"), "%s", s.first);
    dead.allow_zero = true;
    s = run(&dead, &r);
    ck_assert_msg(r.ok && strstr(s.skip[TG_CHECK_PLANTED], "every gradient is 0"), "%s", r.message);
}
END_TEST

/* ---- what is written ---- */

typedef struct written {
    char *text;
    size_t size;
    FILE *file;
} written;
static FILE *open_text(written *w) { return w->file = open_memstream(&w->text, &w->size); }

static const char odd[] = "a<b> & \"c\" 'd' #e \\f \n\x01 \xff \xc3\xa4";

static void run_odd(FILE *tap, FILE *junit, tg_check_report *r) {
    const tg_check_row rows[] = {
        {.name = odd, .op = &faults[0].op, .in = {{"ab"}}},
        {.name = "right", .op = &right, .in = {{"ab"}}, .skip = TG_CHECK_BIT(TG_CHECK_PLAN), .why = odd},
    };
    tg_check_suite(odd, 2, rows, r, .tap = tap, .junit = junit);
}

static int count_lines(const char *text, const char *begin) {
    int n = 0;
    for (const char *p = text; *p; p = strchr(p, '\n') + 1) n += strncmp(p, begin, strlen(begin)) == 0;
    return n;
}

START_TEST(tap) {
    written w = {0};
    tg_check_report r;
    run_odd(open_text(&w), NULL, &r);
    fclose(w.file);
    ck_assert(strncmp(w.text, "TAP version 13\n1..22\n", 21) == 0);
    ck_assert_int_eq(count_lines(w.text, "ok "), r.passed + r.skipped);
    ck_assert_int_eq(count_lines(w.text, "not ok "), r.failed);
    ck_assert_int_eq(count_lines(w.text, "  ---"), r.failed);
    ck_assert_int_eq(count_lines(w.text, "  ..."), r.failed);
    ck_assert_int_eq(count_lines(w.text, "#"), 1 + TG_CHECK_KINDS);
    ck_assert(strstr(w.text, "not ok 1 - a<b> & \"c\" 'd' \\#e \\\\f    \xef\xbf\xbd \xc3\xa4: first\n"));
    ck_assert(strstr(w.text, ": plan # SKIP a<b>"));
    for (const char *p = w.text; *p; p++) ck_assert((unsigned char)*p >= 0x20 || *p == '\n');
    free(w.text);
}
END_TEST

/* Elements are closed in order, attributes quoted, and no bare < or & left. Returns the number of elements. */
static int read_xml(const char *p) {
    char open[8][32];
    int depth = 0, elements = 0;
    while ((p = strchr(p, '<'))) {
        if (p[1] == '?') {
            p = strstr(p, "?>");
            continue;
        }
        const char *name = p + 1 + (p[1] == '/');
        size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyz");
        ck_assert(n > 0 && n < 32);
        if (p[1] == '/') {
            ck_assert(depth > 0 && strncmp(open[--depth], name, n) == 0 && open[depth][n] == 0 &&
                      name[n] == '>');
            p = name + n;
            continue;
        }
        elements++;
        for (p = name + n; *p == ' ';) { /* name="value" */
            p += 1 + strcspn(p + 1, "=");
            ck_assert(p[1] == '"');
            size_t value = strcspn(p + 2, "\"<&");
            while (p[2 + value] == '&') {
                ck_assert(p[3 + value] == '#' && strchr(p + 2 + value, ';') - (p + 2 + value) < 6);
                value += 1 + strcspn(p + 3 + value, "\"<&");
            }
            ck_assert(p[2 + value] == '"');
            p += 3 + value;
        }
        ck_assert(*p == '>' || (p[0] == '/' && p[1] == '>'));
        if (*p == '/') continue;
        ck_assert_int_lt(depth, 8);
        memcpy(open[depth], name, n), open[depth++][n] = 0;
    }
    ck_assert_int_eq(depth, 0);
    return elements;
}

START_TEST(junit) {
    written w = {0};
    char counts[64];
    tg_check_report r;
    run_odd(NULL, open_text(&w), &r);
    fclose(w.file);
    ck_assert_int_eq(read_xml(w.text), 2 + 22 + r.failed + r.skipped);
    snprintf(counts, sizeof counts, " tests=\"22\" failures=\"%d\" errors=\"0\" skipped=\"%d\"", r.failed,
             r.skipped);
    ck_assert(strstr(w.text, counts) &&
              strstr(w.text, "classname=\"a&#60;b&#62; &#38; &#34;c&#34; &#39;d&#39; #e \\f &#10;\xef\xbf\xbd"));
    free(w.text);
}
END_TEST

START_TEST(a_full_disk) {
    FILE *full = fopen("/dev/full", "w");
    tg_check_report r;
    if (!full) return;
    ck_assert(!tg_check_suite("test", 1, good, &r, .tap = full));
    ck_assert_msg(!r.ok && strstr(r.message, "the TAP could not be written") && r.failed == 0, "%s", r.message);
    fclose(full);
}
END_TEST

/* ---- bad input ---- */

static tg_tensor *gives_null(tg_tensor *const *in, void *user) {
    return (void)in, (void)user, (tg_tensor *)NULL;
}
static tg_tensor *raises(tg_tensor *const *in, void *user) {
    (void)user;
    tg_fail(TG_ERR_ARGUMENT, "raises: not today");
    return in[0];
}
static tg_tensor *random_part(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_add(in[0], tg_rand_like(in[0]));
}

static const struct {
    tg_check_row row;
    const char *says;
} bad_rows[] = {
    {{.op = &right, .in = {{"ab"}}}, "it has no name"},
    {{.name = "x", .in = {{"ab"}}}, "either .f or .op"},
    {{.name = "x", .f = flat, .op = &right, .in = {{"ab"}}}, "either .f or .op"},
    {{.name = "x", .f = flat}, "no input with a shape"},
    {{.name = "x", .f = flat, .in = {{"aB"}}}, "\"aB\""},
    {{.name = "x", .f = flat, .in = {{"abcdefghi"}}}, "\"abcdefghi\""},
    {{.name = "x", .f = flat, .in = {{"ab"}}, .order = 9}, ".order"},
    {{.name = "x", .f = flat, .in = {{"ab"}}, .skip = 1}, ".why"},
    {{.name = "x", .f = flat, .in = {{"ab"}}, .nonempty = "a"}, ".why"},
    {{.name = "x", .f = flat, .in = {{"ab"}}, .sizes = "a33"}, ".sizes"},
    {{.name = "x", .f = flat, .in = {{"ab", .low = 2, .high = 1}}}, "domain"},
    {{.name = "x", .f = flat, .in = {{"ab", .low = NAN, .high = 1}}}, "domain"},
    {{.name = "x", .f = flat, .in = {{"ab", .n_kinks = 4}}}, "kinks"},
    {{.name = "x", .f = flat, .in = {{"ab", .dtype = (tg_dtype)77}}}, "dtype"},
    {{.name = "x", .f = flat, .in = {{"ab", .index_of = '3'}}}, ".index_of"},
    {{.name = "x", .f = flat, .in = {{"ab", .n_kinks = 1, .apart = 9}}}, "the kinks leave no room"},
    {{.name = "x", .f = flat, .in = {{"ab"}}, .f32_tolerance = NAN}, ".f32_tolerance"},
    {{.name = "x", .f = gives_null, .in = {{"ab"}}}, "NULL"},
    {{.name = "x", .f = raises, .in = {{"ab"}}}, "raises: not today"},
    {{.name = "x", .f = random_part, .in = {{"ab"}}}, "not deterministic"},
    {{.name = "x", .op = &right, .in = {{"ab"}, {"ab"}}}, "cubic"},
};

START_TEST(bad_row) {
    tg_check_report r;
    seen s = run(&bad_rows[_i].row, &r);
    ck_assert_msg(!r.ok && s.failed & 1 && strstr(s.first, bad_rows[_i].says), "no \"%s\" in: %s",
                  bad_rows[_i].says, s.first);
}
END_TEST

START_TEST(bad_calls) {
    tg_check_report r;
    ck_assert(!tg_check_suite(NULL, 1, good, &r) && strstr(r.message, "tg_check_suite: a name"));
    ck_assert(!tg_check_suite("x", 0, good, &r) && strstr(r.message, "0 rows"));
    ck_assert(!tg_check_suite("x", -3, good, &r) && strstr(r.message, "-3 rows"));
    ck_assert(!tg_check_suite("x", 1, NULL, &r) && strstr(r.message, "rows must be given"));
    ck_assert(!tg_check_suite("x", 1, good, &r, .points = -1) && strstr(r.message, ".points is -1"));
    ck_assert(!tg_check_suite("x", 1, good, &r, .only = "none such") && strstr(r.message, "none such"));
    ck_assert(!tg_check_suite("x", 0, NULL, NULL));
    ck_assert(tg_check_suite("x", 5, good, &r, .only = "gated") && r.rows == 1);
    ck_assert(tg_error_status() == TG_OK);
    tg_fail(TG_ERR_IO, "before: something");
    ck_assert(!tg_check_suite("x", 1, good, &r) && strstr(r.message, "before: something") && r.rows == 0);
    expect_error(TG_ERR_IO, "before: something");
    ck_assert_str_eq(tg_check_kind_name((tg_check_kind)99), "");
}
END_TEST

/* An allocation that fails is the failure of a check, or of the whole; nothing is lost, and nothing passes that did not run. */
START_TEST(failing_allocations) {
    tg_check_report r;
    tg_check_suite("test", 1, good, &r); /* what is made once */
    size_t before = tg_memory_now().live_buffer_bytes;
    int64_t tensors = tg_tape_tensors();
    int failed = 0;
    for (int64_t at = 1; at < 60000; at += 1 + at / 6) {
        tg_memory_fail_at(at);
        bool ok = tg_check_suite("test", 1, good, &r);
        tg_memory_fail_at(-1);
        ck_assert_msg(tg_error_status() == TG_OK && tg_tape_tensors() == tensors, "at %lld", (long long)at);
        ck_assert_msg(tg_memory_now().live_buffer_bytes == before, "at %lld: %zu bytes", (long long)at,
                      tg_memory_now().live_buffer_bytes - before);
        ck_assert_msg(ok || strstr(r.message, "memory"), "%s", r.message);
        failed += !ok;
    }
    ck_assert_int_ge(failed, 10);
}
END_TEST

/* ---- one gradient ---- */

static tg_tensor *wrong(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_apply(&faults[0].op, in, 1, NULL);
}
static tg_tensor *fine(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_apply(&right, in, 1, NULL);
}

START_TEST(as_a_status) {
    tg_tensor *x = tg_set_requires_grad(tg_full(TG_F64, 0.7, 2), true);
    ck_assert(tg_require_gradient(fine, NULL, 1, &x, .order = 2) == TG_OK);
    ck_assert(tg_require_gradient(wrong, NULL, 1, &x) == TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_require_gradient: WRONG: input 0");
    tg_fail(TG_ERR_IO, "before: something");
    ck_assert(tg_require_gradient(fine, NULL, 1, &x) == TG_ERR_IO);
    expect_error(TG_ERR_IO, "before");
}
END_TEST

START_TEST(in_check) {
    tg_tensor *x = tg_set_requires_grad(tg_full(TG_F64, 0.7, 2), true);
    tg_ck_assert_gradient(fine, NULL, 1, &x);
    tg_ck_assert_gradient(fine, NULL, 1, (tg_tensor *[]){x}, .order = 2);
}
END_TEST

/* That the macro fails a test: by a runner of its own, so that its failure is counted here and not among ours. */
START_TEST(macro_of_a_wrong_gradient) {
    tg_tensor *x = tg_set_requires_grad(tg_full(TG_F64, 0.7, 2), true);
    tg_ck_assert_gradient(wrong, NULL, 1, &x);
}
END_TEST
START_TEST(in_check_fails) {
    Suite *suite = suite_create("inner");
    TCase *tc = tcase_create("inner");
    tcase_add_test(tc, macro_of_a_wrong_gradient);
    suite_add_tcase(suite, tc);
    SRunner *runner = srunner_create(suite);
    srunner_set_fork_status(runner, CK_NOFORK);
    srunner_run(runner, NULL, "inner", CK_SILENT);
    ck_assert_int_eq(srunner_ntests_run(runner), 1);
    ck_assert_int_eq(srunner_ntests_failed(runner), 1);
    srunner_free(runner);
}
END_TEST

TCase *tcase_check_suite(void) {
    TCase *tc = tcase_create("check_suite");
    tcase_set_timeout(tc, 120);
    tcase_add_loop_test(tc, each_fault_is_found_by_its_check, 0, (int)(sizeof faults / sizeof *faults));
    tcase_add_loop_test(tc, what_is_right_passes, 0, (int)(sizeof good / sizeof *good));
    tcase_add_test(tc, a_layer_with_its_parameters);
    tcase_add_test(tc, a_parameter_whose_gradient_is_wrong);
    tcase_add_test(tc, what_has_gradients_at_times);
    tcase_add_test(tc, skipped_with_reasons);
    tcase_add_test(tc, domains_that_show_nothing);
    tcase_add_test(tc, tap);
    tcase_add_test(tc, junit);
    tcase_add_test(tc, a_full_disk);
    tcase_add_loop_test(tc, bad_row, 0, (int)(sizeof bad_rows / sizeof *bad_rows));
    tcase_add_test(tc, bad_calls);
    tcase_add_test(tc, failing_allocations);
    tcase_add_test(tc, as_a_status);
    tcase_add_test(tc, in_check);
    tcase_add_test(tc, in_check_fails);
    return tc;
}
