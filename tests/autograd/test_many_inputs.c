/* Nodes of many inputs: every one in turn is the one that is missing, changed, freed, released or wrong, and what its contribution
 * may be written to. After a failure all is as it was: gradients, elements, tensors and nodes on the tape, bytes, the recording
 * mode. */
#include "many.h"

START_TEST(each_of_many_inputs) {
    tg_tensor *x[MOST] = {NULL}, *g[MOST], *h[MOST];
    int n = counts[_i / 2];
    mix.grad_kernel = _i % 2 ? mix_kernel : NULL;
    make_inputs(n, x);
    tg_tensor *y = tg_sum(tg_apply(&mix, x, n, &once));
    ck_assert_int_eq(tg_backward(y, .retain = true), TG_OK);
    for (int i = 0; i < n; i++) {
        ck_assert_int_eq(tg_has_grad(x[i]), i % 5 != 4);
        for (int64_t e = 0; tg_has_grad(x[i]) && e < tg_numel(x[i]); e++)
            EQUAL(tg_get(tg_grad_of(x[i]), e), slope_of(i, x[i], n, e));
        tg_tensor *one;
        if (i % 5 == 4) continue;
        ck_assert_int_eq(tg_grad(1, &y, 1, &x[i], &one, .retain = true), TG_OK);
        EQUAL(tg_get(one, 0), slope_of(i, x[i], n, 0));
    }
    int used = 0;
    tg_tensor *in[MOST];
    for (int i = n - 1; i >= 0; i--)
        if (i % 5 != 4) in[used++] = x[i];
    ck_assert_int_eq(tg_grad(1, &y, used, in, g, .create_graph = true), TG_OK);
    tg_tensor *sum = tg_scalar(TG_F64, 0);
    for (int k = 0; k < used; k++) sum = tg_add(sum, tg_sum(tg_square(g[k])));
    ck_assert_int_eq(tg_grad(1, &sum, used, in, h), TG_OK); /* d/dx of (c x)^2 = 2 c^2 x */
    for (int k = 0, i = n - 1; k < used; k++, i--) {
        if (i % 5 == 4) i--;
        double c = slope_of(i, x[i], n, 0) / tg_get(x[i], 0);
        EQUAL(tg_get(h[k], 0), 2 * c * c * tg_get(x[i], 0));
    }
    mix.grad_kernel = mix_kernel;
}
END_TEST

/* One tensor at every place, then at two of them. */
START_TEST(one_tensor_many_times) {
    for (int c = 0; c < COUNTS; c++)
        for (int record = 0; record < 2; record++) {
            int n = counts[c];
            tg_tensor *x = leaf(3), *other = leaf(2), *in[MOST], *g[2];
            double total = 0;
            for (int i = 0; i < n; i++)
                in[i] = i % 4 == 1 ? other : x, total += i % 4 == 1 ? 0 : 2 * (i + 1) * 3;
            tg_tensor *y = tg_apply(&mix, in, n, &once);
            ck_assert_int_eq(tg_grad(1, &y, 2, ((tg_tensor *[]){x, other}), g, .create_graph = record,
                                     .retain = true, .allow_unused = true),
                             TG_OK);
            EQUAL(tg_item(g[0]), total);
            ck_assert_int_eq(tg_backward(y), TG_OK);
            EQUAL(tg_item(tg_grad_of(x)), total);
        }
}
END_TEST

/* ---- what is wrong with one of the inputs ---- */

START_TEST(rules_that_fail_at_one_input) {
    int *const fault[] = {&without, &too_wide, &too_narrow, &failing};
    begin_with_grad();
    for (int f = 0; f < 4; f++)
        for (int c = 0; c < COUNTS; c++)
            for (int kernel = 0; kernel < 2; kernel++)
                for (int i = 0; i<counts[c]; i += counts[c]> 20 ? 5 : 1) {
                    tg_tensor *x[MOST] = {NULL}, *g[MOST], *y;
                    char number[32];
                    int n = counts[c];
                    tg_mark mark = tg_tape_mark();
                    some_inputs(n, x);
                    mix.grad_kernel = kernel ? mix_kernel : NULL;
                    y = tg_sum(tg_apply(&mix, x, n, &once));
                    before was = look();
                    if (f == 1 && tg_numel(x[i]) == 1) continue; /* anything sums down to one element */
                    *fault[f] = i;
                    snprintf(number, sizeof number, "input %d", i);
                    ck_assert_int_ne(tg_backward(y, .retain = true), TG_OK);
                    UNCHANGED(was, "mix", f < 3 ? number : "mix");
                    was = look();
                    tg_mark walk = tg_tape_mark();
                    ck_assert_int_ne(tg_grad(1, &y, n, x, g, .retain = true), TG_OK);
                    for (int k = 0; k < n; k++) ck_assert(tg_is_poison(g[k]));
                    tg_tape_rewind(walk); /* the seed */
                    UNCHANGED(was, "mix", f < 3 ? number : "mix");
                    *fault[f] = -1;
                    ck_assert_int_eq(tg_grad(1, &y, n, x, g), TG_OK); /* now it goes */
                    EQUAL(tg_get(g[n - 1], 0),
                          2.0 * n * tg_get(x[n - 1], 0) * (tg_numel(x[n - 1]) == 1 && n > 1 ? 2 : 1));
                    tg_tape_rewind(mark);
                }
    mix.grad_kernel = mix_kernel;
    tg_free(with_grad);
}
END_TEST

/* Each saved input in turn is changed in place, or freed, before the walk. */
START_TEST(saved_inputs_that_change) {
    begin_with_grad();
    for (int c = 1; c < COUNTS; c++)
        for (int i = 1; i<counts[c]; i += counts[c]> 20 ? 3 : 1)
            for (int way = 0; way < 4; way++) {
                int n = counts[c];
                tg_tensor *x[MOST] = {NULL}, *g[MOST], *kept = tg_param(tg_ones(TG_F64, 2));
                tg_mark mark = tg_tape_mark();
                some_inputs(n, x);
                x[i] = kept;
                tg_tensor *y = tg_sum(tg_apply(&mix, x, n, &once));
                before was = look();
                if (way % 2) {
                    tg_free(kept);
                    was = look();
                } else {
                    ((double *)tg_data_mut(kept))[1] = 7;
                }
                tg_mark walk = tg_tape_mark();
                tg_status s =
                    way < 2 ? tg_backward(y, .retain = true) : tg_grad(1, &y, 1, x, g, .create_graph = true);
                ck_assert_int_ne(s, TG_OK);
                if (way >= 2) tg_tape_rewind(walk); /* what it recorded so far */
                UNCHANGED(was, "mix", way % 2 ? "freed" : "changed");
                if (way % 2 == 0) tg_free(kept);
                tg_tape_rewind(mark);
            }
    tg_free(with_grad);
}
END_TEST

/* A released input is refused wherever it stands; so are NULL and poison; one that is saved by a node stays for it. */
START_TEST(inputs_that_cannot_be_read) {
    begin_with_grad();
    for (int c = 0; c < COUNTS; c++)
        for (int i = 0; i < counts[c]; i++) {
            int n = counts[c];
            tg_tensor *x[MOST] = {NULL};
            tg_mark mark = tg_tape_mark();
            some_inputs(n, x);
            tg_tensor *was_x = x[i], *gone = row_of(1, 2), *saved = tg_set_requires_grad(row_of(1, 2), true);
            tg_tensor *twice = tg_add(tg_apply(&mix, &saved, 1, &once), tg_apply(&mix, &saved, 1, &once));
            tg_drop_elements(gone), tg_drop_elements(saved);
            before was = look();
            tg_tensor *const bad[] = {gone, saved, NULL};
            for (int k = 0; k < 3; k++) {
                x[i] = bad[k];
                ck_assert(tg_is_poison(tg_apply(&mix, x, n, &once)));
                UNCHANGED(was, "mix", k < 2 ? "dropped" : "NULL");
            }
            x[i] = was_x;
            ck_assert_int_eq(tg_backward(tg_sum(twice)), TG_OK); /* which may read what it saved */
            EQUAL(tg_get(tg_grad_of(saved), 1), 4 * 1.25);
            tg_tape_rewind(mark);
        }
    tg_free(with_grad);
}
END_TEST

/* Only the last input requires a gradient. */
START_TEST(the_last_input_alone) {
    for (int c = 0; c < COUNTS; c++) {
        int n = counts[c];
        tg_tensor *x[MOST] = {NULL}, *g;
        for (int i = 0; i < n; i++) x[i] = tg_scalar(TG_F64, 2);
        tg_set_requires_grad(x[n - 1], true);
        tg_tensor *y = tg_apply(&mix, x, n, &once), *z = tg_square(y);
        ck_assert(tg_requires_grad(y));
        ck_assert_int_eq(tg_grad(1, &z, 1, &x[n - 1], &g), TG_OK);
        EQUAL(tg_item(g), 2 * tg_item(y) * 2 * n * 2);
    }
}
END_TEST

/* Of all inputs only one comes from an earlier node, from far back. */
START_TEST(one_input_with_a_history) {
    for (int c = 0; c < COUNTS; c++)
        for (int i = 0; i < counts[c]; i++)
            for (int way = 0; way < 3; way++) {
                int n = counts[c];
                tg_tensor *x[MOST] = {NULL}, *far = leaf(3), *result = tg_square(far), *g;
                for (int k = 0; k < 3; k++) tg_square(leaf(1)); /* other nodes between */
                for (int k = 0; k < n; k++) x[k] = k == i ? result : leaf(2);
                tg_tensor *y = tg_apply(&mix, x, n, &once);
                double want = 2 * (i + 1) * 9 * 2 * 3;
                if (way % 3 == 0) {
                    ck_assert_int_eq(tg_backward(y), TG_OK);
                    EQUAL(tg_item(tg_grad_of(far)), want);
                } else {
                    ck_assert_int_eq(tg_grad(1, &y, 1, &far, &g, .create_graph = way == 2), TG_OK);
                    EQUAL(tg_item(g), want);
                }
            }
}
END_TEST

/* ---- sharing: what one contribution may be written to ---- */

/* a is used by three ops, whose gradients of it come shared with others, in every order; of every rank. */
START_TEST(shared_contributions) {
    for (int rank = 0; rank <= 6; rank++)
        for (int order = 0; order < 27; order++) {
            tg_shape s = {rank, {2, 1, 3, 2, 1, 2}};
            tg_mark mark = tg_tape_mark();
            size_t live = tg_memory_now().live_buffer_bytes;
            tg_tensor *in[3], *sum = NULL, *g[3];
            for (int i = 0; i < 3; i++) in[i] = tg_set_requires_grad(tg_full_with(TG_F64, 2 + i, s), true);
            tg_tensor *a = in[0], *b = in[1], *c = in[2];
            double want[3] = {0};
            for (int k = 0, o = order; k < 3; k++, o /= 3) {
                tg_tensor *y = o % 3 == 0   ? tg_add(a, b)
                               : o % 3 == 1 ? tg_mul(a, c)
                                            : tg_sub(tg_add(a, c), b);
                want[0] += o % 3 == 1 ? 4 : 1,
                    want[1] += o % 3 == 0   ? 1
                               : o % 3 == 1 ? 0
                                            : -1,
                    want[2] += o % 3 == 0   ? 0
                               : o % 3 == 1 ? 2
                                            : 1;
                sum = sum ? tg_add(sum, y) : y;
            }
            tg_tensor *seed = tg_ones_with(TG_F64, s);
            for (int record = 0; record < 2; record++) {
                ck_assert_int_eq(tg_grad(1, &sum, 3, in, g, .seeds = &seed, .retain = true,
                                         .create_graph = record, .allow_unused = true),
                                 TG_OK);
                for (int i = 0; i < 3; i++)
                    for (int64_t e = 0; e < tg_numel(g[i]); e++) EQUAL(tg_get(g[i], e), want[i]);
            }
            ck_assert_int_eq(tg_backward(sum, .seed = seed), TG_OK);
            for (int i = 0; i < 3; i++)
                for (int64_t e = 0; tg_has_grad(in[i]) && e < tg_numel(a); e++)
                    EQUAL(tg_get(tg_grad_of(in[i]), e), want[i]);
            tg_tape_rewind(mark);
            ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        }
}
END_TEST

/* Gradients summed down along leading axes and axes of size 1, of every rank, leave nothing behind. */
START_TEST(sums_down_of_every_rank) {
    for (int rank = 0; rank <= 5; rank++)
        for (int extra = 0; rank + extra <= 6; extra++)
            for (int way = 0; way < 6;
                 way++) { /* backward, grad, recorded; axes of size 1 against 3, against none */
                tg_mark mark = tg_tape_mark();
                size_t live = tg_memory_now().live_buffer_bytes;
                tg_shape s = {rank, {1, 2, 1, 3, 1}}, full = {rank + extra, {0}};
                int64_t times = 1;
                for (int i = 0; i < full.rank; i++) {
                    full.dim[i] = i < extra               ? 2
                                  : s.dim[i - extra] == 1 ? (way < 3 ? 3 : 0)
                                                          : s.dim[i - extra];
                    times *= i < extra || s.dim[i - extra] == 1 ? full.dim[i] : 1;
                }
                tg_tensor *x = tg_set_requires_grad(tg_full_with(TG_F64, 2, s), true),
                          *c = tg_full_with(TG_F64, 3, full), *y = tg_sum(tg_add(tg_mul(x, c), tg_mul(c, x))),
                          *g;
                if (way % 3 == 0) {
                    ck_assert_int_eq(tg_backward(y), TG_OK);
                    g = tg_grad_of(x);
                } else {
                    ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .create_graph = way % 3 == 2), TG_OK);
                }
                ck_assert(tg_shape_equal(tg_shape_of(g), s));
                for (int64_t e = 0; e < tg_numel(g); e++) EQUAL(tg_get(g, e), 6.0 * (double)times);
                tg_tape_rewind(mark);
                ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
            }
}
END_TEST

/* What cannot be a parameter leaves nothing; a detached tensor of any rank has no history. */
START_TEST(parameters_and_detached) {
    begin_with_grad();
    for (int rank = 0; rank <= 6; rank++) {
        tg_shape s = {rank, {2, 1, 3, 2, 1, 2}};
        tg_tensor *i64 = tg_zeros_with(TG_I64, s), *x = tg_set_requires_grad(tg_ones_with(TG_F64, s), true),
                  *y = tg_square(x);
        before was = look();
        ck_assert(tg_is_poison(tg_param(i64)));
        UNCHANGED(was, "i64");
        tg_mark mark = tg_tape_mark();
        tg_tensor *d = tg_detach(y), *e = tg_detach(x);
        ck_assert(!tg_requires_grad(d) && !tg_requires_grad(e) && !tg_node_of(d));
        ck_assert(!tg_requires_grad(tg_square(d)));
        tg_tape_rewind(mark);
    }
    tg_free(with_grad);
}
END_TEST

void inputs_of_many(TCase *tc) {
    tcase_add_loop_test(tc, each_of_many_inputs, 0, 2 * COUNTS);
    tcase_add_test(tc, one_tensor_many_times);
    tcase_add_test(tc, rules_that_fail_at_one_input);
    tcase_add_test(tc, saved_inputs_that_change);
    tcase_add_test(tc, inputs_that_cannot_be_read);
    tcase_add_test(tc, the_last_input_alone);
    tcase_add_test(tc, one_input_with_a_history);
    tcase_add_test(tc, shared_contributions);
    tcase_add_test(tc, sums_down_of_every_rank);
    tcase_add_test(tc, parameters_and_detached);
}
