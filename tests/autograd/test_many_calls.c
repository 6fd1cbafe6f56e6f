/* What calls back, and what is called with several inputs: hooks, checkpoints, Jacobians, the gradient checker's edges; nodes as
 * text; tapes. */
#include "many.h"

/* ---- hooks ---- */

START_TEST(several_hooks) {
    double factor[5] = {2, 3, 5, 7, 11};
    size_t live = 0;
    for (int record = 0; record < 2; record++) {
        tg_tensor *x = leaf(2), *y = tg_square(x), *g;
        for (int i = 0; i < 5; i++) tg_register_hook(y, note, &factor[i]);
        tg_tensor *z = tg_mul_scalar(y, 1);
        n_hooked = 0;
        live = tg_memory_now().live_buffer_bytes;
        ck_assert_int_eq(tg_grad(1, &z, 1, &x, &g, .create_graph = record), TG_OK);
        ck_assert_int_eq(n_hooked, 5);
        EQUAL(hooked[0], 2.0 * 3 * 5 * 7); /* the fifth, and before it the others, in their order */
        EQUAL(hooked[1], 2);
        EQUAL(hooked[2], 6);
        EQUAL(hooked[3], 30);
        EQUAL(tg_item(g), 2310.0 * 4);
        if (!record) ck_assert_uint_le(tg_memory_now().live_buffer_bytes, live + 128); /* g and the seed */
    }
}
END_TEST

static tg_tensor *narrow_hook(tg_tensor *grad, void *user) { return (void)user, tg_to(grad, TG_F32); }
static tg_tensor *failing_hook(tg_tensor *grad, void *user) {
    return (void)user, tg_matmul(grad, tg_ones(TG_F64, 4, 4));
}

START_TEST(hooks_that_fail) {
    tg_hook const bad[] = {narrow_hook, failing_hook};
    begin_with_grad();
    for (int i = 0; i < 4; i++) {
        tg_tensor *x = leaf(2), *y = tg_square(x), *z = tg_add(tg_square(y), with_grad);
        tg_register_hook(i / 2 ? y : x, bad[i % 2], NULL);
        before was = look();
        ck_assert_int_ne(tg_backward(z, .retain = true), TG_OK);
        UNCHANGED(was, i % 2 ? "matmul" : "hook");
        ck_assert(!tg_has_grad(x));
        tg_remove_hooks(y), tg_remove_hooks(x);
        tg_tensor *g;
        ck_assert_int_eq(tg_grad(1, &z, 1, &x, &g), TG_OK);
        EQUAL(tg_item(g), 32);
    }
    tg_free(with_grad);
}
END_TEST

/* ---- after failures ---- */

/* After a failed walk a released tensor is still released, and recording as it was, whichever it was. */
START_TEST(modes_after_failures) {
    begin_with_grad();
    for (int off = 0; off < 2; off++) {
        tg_tensor *x = leaf(2), *gone = row_of(1, 2), *y = tg_apply(&mix, &x, 1, &once);
        tg_tensor *w = tg_set_requires_grad(row_of(1, 2), true), *saved = tg_apply(&mix, &w, 1, &once);
        tg_drop_elements(gone), tg_drop_elements(w);
        without = 0;
        tg_set_grad_enabled(!off);
        ck_assert_int_ne(tg_backward(y, .retain = true), TG_OK);
        tg_error_clear();
        ck_assert_int_eq(tg_grad_enabled(), !off);
        ck_assert(isnan(tg_get(gone, 0)) && isnan(tg_get(w, 0)));
        tg_error_clear();
        tg_set_grad_enabled(true);
        without = -1;
        ck_assert_int_eq(tg_backward(tg_sum(saved)), TG_OK);
    }
    tg_free(with_grad);
}
END_TEST

/* ---- checkpoints ---- */

static int runs, fails_at_run;
static tg_tensor *third_of; /* read by the third input of an inner op only */
static tg_tensor *noisy(tg_tensor *const *in, void *user) {
    (void)user;
    if (++runs == fails_at_run) tg_fail(TG_ERR_ARGUMENT, "noisy: cannot");
    tg_tensor *noise = tg_uniform(TG_F64, 0, 1, 3),
              *three[3] = {tg_scalar(TG_F64, 1), tg_scalar(TG_F64, 1), third_of};
    return tg_sum(tg_mul(tg_mul(in[0], noise), tg_apply(&mix, three, 3, &once)));
}

START_TEST(checkpoints_leave_the_stream) {
    for (int f = 0; f < 3; f++) {
        tg_tensor *x = tg_set_requires_grad(row_of(1, 3), true), *plain, *g[2], *in[3] = {x, x, x};
        third_of = leaf(2);
        tg_seed(7);
        runs = fails_at_run = 0;
        tg_tensor *y = noisy(&x, NULL);
        ck_assert_int_eq(tg_grad(1, &y, 1, &x, &plain), TG_OK);
        double want = tg_get(plain, 1), value = tg_item(y);
        tg_seed(7);
        y = tg_checkpoint(noisy, NULL, 1 + f, in);
        EQUAL(tg_item(y), value);
        tg_uniform(TG_F64, 0, 1, 5);
        tg_rng rng = *tg_default_rng();
        fails_at_run = runs + 1;
        ck_assert_int_ne(tg_grad(1, &y, 2, ((tg_tensor *[]){x, third_of}), g, .retain = true), TG_OK);
        expect_error(TG_ERR_ARGUMENT, "noisy");
        ck_assert(tg_grad_enabled() && memcmp(&rng, tg_default_rng(), sizeof rng) == 0);
        fails_at_run = 0;
        ck_assert_int_eq(tg_grad(1, &y, 2, ((tg_tensor *[]){x, third_of}), g, .retain = true), TG_OK);
        EQUAL(tg_get(g[0], 1), want);
        ck_assert_int_eq(tg_item(g[1]) != 0, 1);
        ck_assert_int_eq(memcmp(&rng, tg_default_rng(), sizeof rng), 0);
        bool was = tg_set_grad_enabled(false);
        ck_assert_int_eq(tg_backward(y), TG_OK);
        ck_assert(!tg_set_grad_enabled(was));
        EQUAL(tg_get(tg_grad_of(x), 1), want);
    }
}
END_TEST

static tg_tensor *four(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_apply(&mix, in, 4, &once);
}

START_TEST(checkpoints_of_several_inputs) {
    begin_with_grad();
    tg_tensor *x[4], *y[4];
    for (int i = 0; i < 4; i++) x[i] = leaf(i + 1), y[i] = tg_mul_scalar(x[i], 2);
    tg_tensor *z = tg_square(tg_checkpoint(four, NULL, 4, y));
    ck_assert_int_eq(tg_backward(z), TG_OK);
    double v = 1 * 4 + 2 * 16 + 3 * 36 + 4 * 64;
    for (int i = 0; i < 4; i++) EQUAL(tg_item(tg_grad_of(x[i])), 2 * v * 2 * (i + 1) * 2 * (i + 1) * 2);
    size_t system = 0;
    for (int round = 0; round < 4; round++) { /* what fails at any allocation leaves nothing */
        tg_mark mark = tg_tape_mark();
        for (int64_t n = 1; n < 40; n++) {
            before was = look();
            tg_memory_fail_at(n);
            tg_tensor *c = tg_checkpoint(four, NULL, 4, y);
            tg_memory_fail_at(-1);
            if (!tg_is_poison(c)) break;
            UNCHANGED(was, "memory");
        }
        tg_tape_rewind(mark);
        tg_memory_trim();
        if (round == 1) system = tg_memory_now().system_bytes;
    }
    ck_assert_uint_eq(tg_memory_now().system_bytes, system);
    tg_free(with_grad);
}
END_TEST

/* ---- functions of functions, of four inputs ---- */

static tg_tensor *product(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *p = tg_mul(tg_mul(in[0], in[1]), tg_mul(in[2], in[3]));
    return tg_sum(tg_mul(p, tg_square(in[3])));
}
static tg_tensor *table(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(tg_mul(in[0], tg_square(in[1])), tg_mul(in[2], in[3]));
}

/* f = a b c d^3 at (2, 3, 5, 7), in each of two elements. */
START_TEST(products_with_four_vectors) {
    static const double at[4] = {2, 3, 5, 7};
    tg_tensor *x[4], *v[4], *h[4], *y, *jv;
    double d[4], dd[4][4], f = 2.0 * 3 * 5 * 343;
    for (int i = 0; i < 4; i++)
        x[i] = tg_full(TG_F64, at[i], 2), v[i] = tg_full(TG_F64, 1 + i, 2), d[i] = (i == 3 ? 3 : 1) * f / at[i];
    for (int i = 0; i < 4; i++)
        for (int j = 0; j < 4; j++)
            dd[i][j] = i == j ? (i == 3 ? 6 * f / 49 : 0) : (i == 3 || j == 3 ? 3 : 1) * f / (at[i] * at[j]);
    ck_assert_int_eq(tg_hvp(product, NULL, 4, x, v, h), TG_OK);
    double along = 0;
    for (int i = 0; i < 4; i++) {
        double want = 0;
        for (int j = 0; j < 4; j++) want += dd[i][j] * (1 + j);
        EQUAL(tg_get(h[i], 1), want);
        along += 2 * d[i] * (1 + i);
    }
    ck_assert_int_eq(tg_jvp(product, NULL, 4, x, v, &y, &jv), TG_OK);
    EQUAL(tg_item(jv), along);
    ck_assert_int_eq(tg_vjp(product, NULL, 4, x, tg_scalar(TG_F64, 2), &y, h), TG_OK);
    for (int i = 0; i < 4; i++) EQUAL(tg_get(h[i], 0), 2 * d[i]);
}
END_TEST

START_TEST(rows_of_a_jacobian) {
    tg_tensor *x[4], *j[4];
    for (int i = 0; i < 4; i++) x[i] = row_of(1 + i, 9);
    tg_mark mark = tg_tape_mark();
    for (int64_t n = 3; n <= 9; n += 6) {
        tg_tensor *in[4];
        for (int i = 0; i < 4; i++) in[i] = tg_narrow(x[i], 0, 0, n);
        int64_t tensors = tg_tape_tensors();
        ck_assert_int_eq(tg_jacobian(table, NULL, 4, in, j), TG_OK);
        ck_assert_int_le(tg_tape_tensors() - tensors, 30); /* the rows' own are gone */
        for (int i = 0; i < 4; i++)
            for (int64_t r = 0; r < n; r++)
                for (int64_t c = 0; c < n; c++) {
                    double f = tg_get(x[0], r) * pow(tg_get(x[1], r), 2) * tg_get(x[2], r) * tg_get(x[3], r);
                    EQUAL(tg_get(j[i], r * n + c), r == c ? (i == 1 ? 2 : 1) * f / tg_get(x[i], r) : 0);
                }
    }
    tg_tape_rewind(mark);
}
END_TEST

/* ---- the gradient checker's edges ---- */

/* y = sum of (i + 1) x_i^2, whose gradient by one element of one input is off by so much. */
static struct {
    int input;
    int64_t element;
    double relative, value; /* value: in its place, where it is not 0 */
    bool second;            /* in the gradient of the gradient only */
} off;

static void off_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    mix_grad(n, dout, din);
    if (!tg_needs(n, off.input)) return;
    tg_tensor *g = din[off.input], *error = tg_zeros_with(TG_F64, tg_shape_of(g));
    double *e = tg_data_mut(error), is = tg_get(g, off.element);
    e[off.element] = off.value != 0 ? off.value : is * off.relative;
    din[off.input] = off.second ? tg_add(tg_detach(g), tg_mul(error, tg_scalar(TG_F64, 0))) : tg_add(g, error);
}
static tg_op wrong_mix;
static tg_tensor *call_wrong(tg_tensor *const *in, void *user) {
    return tg_apply(&wrong_mix, in, *(int *)user, &once);
}

START_TEST(checker_at_its_edges) {
    wrong_mix = mix;
    wrong_mix.grad = off_grad, wrong_mix.grad_kernel = NULL;
    int n = 5;
    tg_tensor *in[5];
    for (int i = 0; i < n; i++) in[i] = tg_set_requires_grad(row_of(1 + i, 3), true);
    tg_gradcheck_report r;
    for (int i = 0; i < n; i++)
        for (int64_t e = 0; e < 3; e++) {
            off.input = i, off.element = e, off.second = false;
            off.value = 0, off.relative = 0.97e-3; /* inside of rtol */
            ck_assert_msg(tg_gradcheck(call_wrong, &n, n, in, &r, .atol = 1e-12, .tolerances = true),
                          "input %d: %s", i, r.message);
            off.relative = 1.05e-3; /* and outside, to either side */
            ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r, .atol = 1e-12, .tolerances = true));
            ck_assert(r.input == i && r.element == e && r.order == 1 && r.worst > 1 && r.worst < 1.1);
            off.relative = -1.05e-3;
            ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r, .atol = 1e-12, .tolerances = true));
            ck_assert(r.input == i && r.element == e);
            static const double values[] = {NAN, INFINITY, -INFINITY};
            for (int k = 0; k < 3; k++) {
                off.value = values[k];
                ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r));
                ck_assert(r.input == i && r.element == e);
                expect_ok();
            }
            off.value = 0, off.relative = 0,
            off.second = true; /* the first order is right, the second has no history */
            ck_assert(tg_gradcheck(call_wrong, &n, n, in, &r));
            ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r, .order = 2));
            for (int64_t k = 0; k < 3; k++)
                EQUAL(tg_get(in[i], k), 1 + i + 0.25 * (double)k); /* inputs are what they were */
        }
    off.relative = 0, off.second = false;
    ck_assert(tg_gradcheck(call_wrong, &n, n, in, &r, .order = 2));
    bool was = tg_set_grad_enabled(false); /* it records for itself, and leaves the mode */
    ck_assert(tg_gradcheck(call_wrong, &n, n, in, &r));
    ck_assert(!tg_set_grad_enabled(was));
    tg_fail(TG_ERR_SHAPE, "an error of before");
    ck_assert(!tg_gradcheck(call_wrong, &n, n, in, &r));
    expect_error(TG_ERR_SHAPE, "an error of before");
}
END_TEST

static tg_tensor *steepest(tg_tensor *const *in, void *user) {
    return (void)user, tg_mul_scalar(tg_mul_scalar(in[0], 1e308), 1e10);
}
static tg_tensor *at_infinity(tg_tensor *const *in, void *user) { return (void)user, tg_log(in[0]); }

/* An infinite slope is none that agrees, however the numbers compare. */
START_TEST(checker_at_infinity) {
    tg_gradcheck_report r;
    tg_tensor *x = tg_set_requires_grad(row_of(0, 3), true);
    ck_assert(!tg_gradcheck(at_infinity, NULL, 1, &x, &r, .tolerances = true));
    ck_assert(r.element == 0 && r.worst == INFINITY);
    x = tg_set_requires_grad(tg_zeros(TG_F64, 1), true); /* both are infinite */
    ck_assert(!tg_gradcheck(steepest, NULL, 1, &x, &r, .tolerances = true));
    ck_assert(isinf(r.analytic) && r.analytic == r.numeric && r.worst == INFINITY);
}
END_TEST

/* ---- the tape as text ---- */

typedef struct many_attrs {
    int64_t a;
    double b;
    bool c;
    int64_t d;
    tg_dtype e;
} many_attrs;
static const tg_attr_field many_fields[] = {{"a", TG_ATTR_INT, offsetof(many_attrs, a)},
                                            {"b", TG_ATTR_REAL, offsetof(many_attrs, b)},
                                            {"c", TG_ATTR_BOOL, offsetof(many_attrs, c)},
                                            {"d", TG_ATTR_INT, offsetof(many_attrs, d)},
                                            {"e", TG_ATTR_DTYPE, offsetof(many_attrs, e)}};

/* Each attribute has its own value, and each output stands behind a comma. */
START_TEST(nodes_as_text) {
    tg_op op = powers;
    op.attrs = many_fields, op.attr_size = sizeof(many_attrs), op.n_attrs = 5;
    const many_attrs attr = {11, 2.5, true, 13, TG_I32};
    for (op.n_out = 1; op.n_out <= 3; op.n_out++) {
        tg_tensor *x = tg_set_requires_grad(row_of(1, 2), true), *out[3];
        tg_mark mark = tg_tape_mark();
        ck_assert_int_eq(tg_apply_multi(&op, &x, 1, &attr, out), TG_OK);
        for (int o = 0; o < op.n_out; o++)
            tg_set_name(out[o], (const char *[]){"first", "second", "third"}[o]);
        FILE *file = tmpfile();
        tg_tape_print(file, mark);
        rewind(file);
        char line[1000] = "";
        ck_assert_ptr_nonnull(fgets(line, sizeof line, file));
        fclose(file);
        ck_assert_msg(strstr(line, ", a=11, b=2.5, c=true, d=13, e=i32) -> "), "%s", line);
        const char *at = strstr(line, "->");
        for (int o = 0; o < op.n_out; o++) {
            ck_assert_msg((at = strstr(at, (const char *[]){"first", "second", "third"}[o])) != NULL, "%s",
                          line);
            const char *comma = strstr(at, ", ");
            ck_assert_msg(o == op.n_out - 1 || comma, "%s", line);
        }
        int commas = 0;
        for (const char *c = strstr(line, "->"); (c = strstr(c, "f64, ")); c++) commas++;
        ck_assert_msg(commas == op.n_out - 1, "%s", line);
    }
}
END_TEST

/* ---- tapes ---- */

/* Freed tapes give all back, however much was on them, and leave the current one. */
START_TEST(freed_tapes) {
    size_t bytes = 0;
    for (int round = 0; round < 5; round++) {
        tg_tape *a = tg_tape_new(), *b = tg_tape_new(), *mine = tg_tape_use(a);
        tg_tensor *x = leaf(1), *y = x;
        for (int i = 0; i < 3000; i++) y = tg_add(y, x);
        ck_assert_int_eq(tg_backward(y), TG_OK);
        EQUAL(tg_item(tg_grad_of(x)), 3001);
        tg_tape_free(b); /* not the current one */
        ck_assert_ptr_eq(tg_tape_current(), a);
        tg_tape_use(mine);
        tg_tape_free(a);
        ck_assert_ptr_eq(tg_tape_current(), mine);
        tg_memory_trim();
        if (round == 1) bytes = tg_memory_now().system_bytes;
    }
    ck_assert_uint_eq(tg_memory_now().system_bytes, bytes);
}
END_TEST

/* Rewinding nodes that nobody walked lets go of what they saved, the first of them too. */
START_TEST(rewound_nodes_let_go) {
    size_t live = tg_memory_now().live_buffer_bytes;
    for (int n = 1; n <= 3; n++) {
        tg_mark mark = tg_tape_mark();
        tg_tensor *x = tg_set_requires_grad(row_of(1, 500), true);
        tg_mark inner = tg_tape_mark();
        for (int i = 0; i < n; i++) tg_apply(&mix, &x, 1, &once);
        tg_tape_rewind(inner);
        size_t with = tg_memory_now().live_buffer_bytes;
        tg_drop_elements(x);
        ck_assert_uint_lt(tg_memory_now().live_buffer_bytes, with);
        tg_tape_rewind(mark);
    }
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
}
END_TEST

void calls_of_many(TCase *tc) {
    tcase_add_test(tc, several_hooks);
    tcase_add_test(tc, hooks_that_fail);
    tcase_add_test(tc, modes_after_failures);
    tcase_add_test(tc, checkpoints_leave_the_stream);
    tcase_add_test(tc, checkpoints_of_several_inputs);
    tcase_add_test(tc, products_with_four_vectors);
    tcase_add_test(tc, rows_of_a_jacobian);
    tcase_add_test(tc, checker_at_its_edges);
    tcase_add_test(tc, checker_at_infinity);
    tcase_add_test(tc, freed_tapes);
    tcase_add_test(tc, rewound_nodes_let_go);
    tcase_add_test(tc, nodes_as_text);
}
