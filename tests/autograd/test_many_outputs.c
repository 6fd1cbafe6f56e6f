/* Nodes of several outputs, and walks from several: every set of them, each in turn hooked, retained, saved or wrong. */
#include "many.h"

/* Each set of outputs that the result depends on, by backward, grad and twice. */
START_TEST(each_set_of_outputs) {
    powers.grad_kernel = _i % 2 ? powers_kernel : NULL;
    powers.n_out = 2 + _i / 2;
    for (int set = 1; set < 1 << powers.n_out; set++) {
        tg_tensor *x = tg_set_requires_grad(row_of(2, 3), true), *out[3], *y = tg_scalar(TG_F64, 0), *g, *h;
        double first = 0, second = 0;
        ck_assert_int_eq(tg_apply_multi(&powers, &x, 1, NULL, out), TG_OK);
        for (int o = powers.n_out - 1; o >= 0; o--) {
            if (!(set >> o & 1)) continue;
            y = tg_add(y, tg_mul_scalar(tg_sum(out[o]), weight_of(o)));
            first += weight_of(o) * (o + 1) * pow(2.25, o);
            second += o ? weight_of(o) * (o + 1) * o * pow(2.25, o - 1) : 0;
        }
        ck_assert_int_eq(tg_grad(1, &y, 1, &x, &g, .create_graph = true), TG_OK);
        ck_assert_int_eq(seen_pattern, set);
        EQUAL(tg_get(g, 1), first);
        ck_assert_int_eq(tg_backward(y, .retain = true), TG_OK);
        ck_assert_int_eq(seen_pattern, set);
        EQUAL(tg_get(tg_grad_of(x), 1), first);
        if (set == 1) continue; /* a constant gradient */
        tg_tensor *z = tg_sum(tg_square(g));
        ck_assert_int_eq(tg_grad(1, &z, 1, &x, &h), TG_OK);
        EQUAL(tg_get(h, 1), 2 * first * second);
    }
    powers.grad_kernel = powers_kernel, powers.n_out = 3;
}
END_TEST

/* Retained, hooked, asked for: each output alone and all at once. */
START_TEST(each_output_retained_and_hooked) {
    for (int one = 0; one < 3; one++)
        for (int way = 0; way < 2; way++) {
            tg_tensor *x = leaf(2), *out[3], *g[3];
            double factor = way ? 10 : 1, want = 0;
            powers.grad_kernel = way ? powers_kernel : NULL;
            tg_apply_multi(&powers, &x, 1, NULL, out);
            tg_tensor *y =
                tg_add(tg_add(tg_mul_scalar(out[0], 2), tg_mul_scalar(out[1], -3)), tg_mul_scalar(out[2], 5));
            for (int o = 0; o < 3; o++) want += weight_of(o) * (o == one ? factor : 1) * (o + 1) * pow(2, o);
            n_hooked = 0;
            ck_assert_int_eq(tg_register_hook(out[one], note, &factor), TG_OK);
            ck_assert_int_eq(tg_retain_grad(out[one]), TG_OK);
            ck_assert_int_eq(tg_backward(y, .retain = true), TG_OK);
            ck_assert_int_eq(n_hooked, 1);
            EQUAL(hooked[0], weight_of(one));
            EQUAL(tg_item(tg_grad_of(x)), want);
            for (int o = 0; o < 3; o++) ck_assert_int_eq(tg_has_grad(out[o]), o == one);
            EQUAL(tg_item(tg_grad_of(out[one])), weight_of(one) * factor);
            tg_remove_hooks(out[one]);
            for (int record = 0; record < 2; record++) {
                ck_assert_int_eq(tg_grad(1, &y, 3, out, g, .create_graph = record, .retain = true), TG_OK);
                for (int o = 0; o < 3; o++) EQUAL(tg_item(g[o]), weight_of(o));
            }
        }
    powers.grad_kernel = powers_kernel;
}
END_TEST

/* Each saved output released after the forward pass is still there for the rule; each changed in place is noticed. */
START_TEST(each_output_saved) {
    begin_with_grad();
    for (int one = 0; one < 3; one++) {
        tg_tensor *x = tg_set_requires_grad(row_of(2, 200), true), *out[3];
        tg_apply_multi(&powers, &x, 1, NULL, out);
        tg_tensor *y = tg_sum(tg_add(out[one == 0], out[2 - (one == 2)]));
        size_t live = tg_memory_now().live_buffer_bytes;
        tg_drop_elements(out[one]);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live); /* pinned */
        ck_assert(isnan(tg_get(out[one], 0)));
        expect_error(TG_ERR_LIFETIME, "dropped");
        ck_assert_int_eq(tg_backward(y), TG_OK);
        ck_assert_uint_lt(tg_memory_now().live_buffer_bytes,
                          live + 1600); /* x's gradient came, the output's elements went */
        tg_tensor *w = tg_set_requires_grad(row_of(2, 2), true);
        tg_apply_multi(&powers, &w, 1, NULL, out);
        y = tg_sum(tg_add(tg_add(out[0], out[1]), out[2]));
        before was = look();
        ((double *)tg_data_mut(out[one]))[0] = 1;
        ck_assert_int_eq(tg_backward(y), TG_ERR_TAPE);
        UNCHANGED(was, "powers", "changed");
    }
    tg_free(with_grad);
}
END_TEST

/* An output of integers requires no gradient, wherever it stands among the others. */
static int whole_output;
static tg_status mixed_infer(const tg_call *c) {
    tg_status s = TG_OK;
    for (int o = 0; s == TG_OK && o < c->n_out; o++)
        s = tg_out(c, o, o == whole_output ? TG_I64 : TG_F64, tg_array_shape(c->in[0]));
    return s;
}

START_TEST(outputs_of_integers) {
    for (whole_output = 0; whole_output < 3; whole_output++) {
        tg_op op = powers;
        op.infer = mixed_infer;
        tg_tensor *x = leaf(2), *out[3];
        ck_assert_int_eq(tg_apply_multi(&op, &x, 1, NULL, out), TG_OK);
        for (int o = 0; o < 3; o++) ck_assert_int_eq(tg_requires_grad(out[o]), o != whole_output);
    }
}
END_TEST

/* All outputs are poison when one cannot be made, and none of them is on the tape. */
static tg_status half_infer(const tg_call *c) {
    tg_status s = powers_infer(c);
    return s == TG_OK ? tg_call_fail(c, TG_ERR_SHAPE, "no: %s, %s, %s, %s", tg_call_input(c, 0),
                                     tg_call_input(c, 1), tg_call_input(c, 2), tg_call_input(c, 3))
                      : s;
}

START_TEST(outputs_of_a_failed_op) {
    begin_with_grad();
    for (int n = 1; n <= 3; n++) {
        tg_op op = powers;
        op.n_out = n, op.n_in = 4, op.infer = half_infer;
        tg_tensor *x[4], *out[3];
        for (int i = 0; i < 4; i++) x[i] = row_of(1, 1 + i);
        before was = look();
        ck_assert_int_eq(tg_apply_multi(&op, x, 4, NULL, out), TG_ERR_SHAPE);
        for (int o = 0; o < n; o++) ck_assert(tg_is_poison(out[o]));
        UNCHANGED(was, "powers: no: [1] f64, [2] f64, [3] f64, [4] f64");
        for (int64_t k = 1; k < 5; k++) { /* no memory for one of them */
            tg_memory_fail_at(k);
            tg_status s = tg_apply_multi(&powers, x, 1, NULL, out);
            tg_memory_fail_at(-1);
            if (s == TG_OK) break;
            for (int o = 0; o < 3; o++) ck_assert(tg_is_poison(out[o]));
            UNCHANGED(was, "memory");
        }
    }
    tg_free(with_grad);
}
END_TEST

/* Sixteen inputs, of which any may be left out that the op says may. */
static tg_status first_infer(const tg_call *c) { return tg_out(c, 0, TG_F64, TG_SCALAR); }
static tg_status first_forward(const tg_call *c) {
    double sum = 0;
    for (int i = 0; i < c->n_in; i++) sum += c->in[i] ? (i + 1) * tg_array_get(c->in[i], 0) : 0;
    tg_array_set(c->out[0], 0, sum);
    return TG_OK;
}
static void first_grad(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i] && tg_needs(n, i)) din[i] = tg_mul_scalar(dout[0], i + 1);
}

START_TEST(inputs_left_out) {
    for (int i = 0; i < 16; i++)
        for (int k = 0; k < 16; k++) {
            tg_op op = {.name = "first",
                        .formula = "out = sum of (i + 1) x_i",
                        .n_in = 16,
                        .optional = TG_IN(i),
                        .no_grad = TG_IN((i + 1) % 16),
                        .infer = first_infer,
                        .forward = first_forward,
                        .grad = first_grad};
            tg_tensor *x[16], *y;
            double sum = 0;
            for (int j = 0; j < 16; j++)
                x[j] = j == k ? NULL : leaf(1 + j), sum += j == k ? 0 : (j + 1) * (j + 1);
            y = tg_apply(&op, x, 16, NULL);
            if (i != k) {
                ck_assert(tg_is_poison(y));
                expect_error(TG_ERR_ARGUMENT, "first", "NULL");
                continue;
            }
            EQUAL(tg_item(y), sum);
            ck_assert_int_eq(tg_backward(y), TG_OK);
            for (int j = 0; j < 16; j++) {
                if (j == k) continue;
                ck_assert_int_eq(tg_has_grad(x[j]), j != (i + 1) % 16);
                if (tg_has_grad(x[j])) EQUAL(tg_item(tg_grad_of(x[j])), j + 1);
            }
        }
}
END_TEST

/* ---- several outputs of the walk ---- */

/* tg_grad of one to six outputs recorded in any order, some of them twice; seeds for all. */
START_TEST(walks_from_several_outputs) {
    for (int n = 1; n <= 6; n++)
        for (int turn = 0; turn < 6; turn++)
            for (int record = 0; record < 2; record++) {
                tg_tensor *x = leaf(1.5), *w = leaf(0.5), *y[6], *out[6], *seed[6], *g[2];
                double by_x = 0, by_w = 0;
                for (int k = 0; k < 6; k++) y[k] = tg_mul(k % 2 ? tg_square(x) : x, tg_mul_scalar(w, k + 1));
                for (int k = 0; k < n; k++) {
                    int of = (k * 5 + turn) % 6;
                    if (k == 3) of = turn; /* which is the first again */
                    out[k] = y[of], seed[k] = tg_scalar(TG_F64, 1 + k);
                    by_x += (1 + k) * (of + 1) * 0.5 * (of % 2 ? 3 : 1);
                    by_w += (1 + k) * (of + 1) * (of % 2 ? 2.25 : 1.5);
                }
                ck_assert_int_eq(
                    tg_grad(n, out, 2, ((tg_tensor *[]){x, w}), g, .seeds = seed, .create_graph = record),
                    TG_OK);
                EQUAL(tg_item(g[0]), by_x);
                EQUAL(tg_item(g[1]), by_w);
            }
}
END_TEST

/* More leaves than a table of the walk has room for at first; with no memory for it, at each allocation. */
START_TEST(hundreds_of_leaves) {
    enum { MANY = 300 };
    static tg_tensor *w[MANY], *g[MANY];
    for (int i = 0; i < MANY; i++) w[i] = tg_param(row_of(i, 2));
    int failures = 0;
    double had[MANY] = {0};
    for (int round = 0; round < 3; round++) { /* the second time there are gradients to add to, the third some */
        for (int i = 1; round == 2 && i < MANY; i += 2)
            tg_zero_grad(w[i]), had[i] = 0; /* each needs a copy */
        for (int64_t n = 1;; n += 1 + n / 3) {
            tg_mark mark = tg_tape_mark();
            tg_tensor *sum = tg_scalar(TG_F64, 0);
            for (int i = 0; i < MANY; i++)
                sum = tg_add(sum, tg_mul_scalar(tg_sum(i % 2 ? w[i] : tg_square(w[i])), i % 7));
            size_t live = tg_memory_now().live_buffer_bytes;
            int64_t slots = tg_slots_alive(NULL, 0);
            tg_memory_fail_at(n);
            tg_status s = tg_backward(sum, .retain = true);
            tg_memory_fail_at(-1);
            if (s != TG_OK) {
                failures++;
                expect_error(TG_ERR_MEMORY, "memory");
                ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
                ck_assert_int_eq(tg_slots_alive(NULL, 0), slots);
            }
            for (int i = 0; i < MANY; i++) {
                had[i] += s == TG_OK;
                ck_assert_int_eq(tg_has_grad(w[i]), had[i] > 0);
                if (tg_has_grad(w[i]))
                    EQUAL(tg_get(tg_grad_of(w[i]), 1), had[i] * (i % 7) * (i % 2 ? 1 : 2 * (i + 0.25)));
            }
            if (s == TG_OK) {
                ck_assert_int_eq(tg_grad(1, &sum, MANY, w, g), TG_OK);
                for (int i = 0; i < MANY; i++) EQUAL(tg_get(g[i], 0), (i % 7) * (i % 2 ? 1 : 2.0 * i));
                tg_tape_rewind(mark);
                break;
            }
            tg_tape_rewind(mark);
        }
    }
    ck_assert_int_gt(failures, 3);
    size_t with = tg_memory_now().live_buffer_bytes;
    for (int i = 0; i < MANY; i++)
        tg_free(w[i]); /* and their gradients; the elements are the tape's as well */
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, with - MANY * 64);
}
END_TEST

/* What accumulation adds to is changed: a node that saved the gradient so far refuses. Several shapes, for zero_grad too. */
START_TEST(accumulation_raises_the_version) {
    for (int rank = 0; rank <= 4; rank++) {
        tg_shape s = {rank, {2, 1, 2, 3}};
        tg_tensor *w = tg_param(tg_ones_with(TG_F64, s)),
                  *x = tg_set_requires_grad(tg_ones_with(TG_F64, s), true);
        size_t live = tg_memory_now().live_buffer_bytes;
        tg_mark mark = tg_tape_mark();
        ck_assert_int_eq(tg_backward(tg_sum(tg_square(w))), TG_OK);
        tg_tensor *y = tg_sum(tg_mul(x, tg_grad_of(w)));
        ck_assert_int_eq(tg_backward(tg_sum(tg_square(w))), TG_OK);
        ck_assert_int_eq(tg_backward(y), TG_ERR_TAPE);
        expect_error(TG_ERR_TAPE, "mul", "changed");
        EQUAL(tg_get(tg_grad_of(w), 0), 4);
        tg_tape_rewind(mark);
        tg_zero_grad(w);
        ck_assert(!tg_has_grad(w));
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
        tg_free(w);
    }
}
END_TEST

/* A leaf's gradient is its own: neither the seed, nor another leaf's, nor a view. */
START_TEST(gradients_share_nothing) {
    tg_tensor *a = tg_set_requires_grad(row_of(1, 4), true), *b = tg_set_requires_grad(row_of(2, 4), true),
              *c = leaf(3), *seed = row_of(5, 4);
    tg_tensor *y = tg_add(tg_add(a, b), tg_expand(c, 4)), *all[] = {a, b, c};
    ck_assert_int_eq(tg_backward(y, .seed = seed, .retain = true), TG_OK);
    ck_assert_int_eq(tg_backward(y, .seed = seed), TG_OK);
    EQUAL(tg_get(seed, 1), 5.25);
    EQUAL(tg_get(tg_grad_of(a), 1), 10.5);
    EQUAL(tg_item(tg_grad_of(c)), 2 * (5 + 5.25 + 5.5 + 5.75));
    for (int i = 0; i < 3; i++)
        for (int k = 0; k < 3; k++)
            ck_assert_int_eq(
                tg_array_of(tg_grad_of(all[i]))->buffer == tg_array_of(tg_grad_of(all[k]))->buffer, i == k);
    tg_tensor *x = tg_set_requires_grad(tg_ones_with(TG_F64, TG_SHAPE(3, 4)),
                                        true); /* its gradient comes repeated, and turned */
    ck_assert_int_eq(tg_backward(tg_sum(tg_transpose(x, 0, 1))), TG_OK);
    ck_assert(tg_is_contiguous(tg_grad_of(x)));
    ck_assert_int_eq(tg_backward(tg_sum(tg_mul(tg_transpose(x, 0, 1), tg_transpose(x, 0, 1)))), TG_OK);
    ((double *)tg_data_mut(tg_grad_of(x)))[0] = 100;
    EQUAL(tg_get(tg_grad_of(x), 0), 100);
    for (int i = 1; i < 12; i++) EQUAL(tg_get(tg_grad_of(x), i), 3);
    tg_tensor *r =
        tg_set_requires_grad(tg_ones_with(TG_F64, TG_SHAPE(3, 4)), true); /* repeated, in memory of its own */
    for (int round = 1; round <= 3; round++) {
        ck_assert_int_eq(tg_backward(tg_mul_scalar(tg_sum(r), 2)), TG_OK);
        ck_assert_int_eq(tg_backward(tg_mul_scalar(tg_sum(tg_mul_scalar(r, 1)), 3)), TG_OK);
        ck_assert(tg_is_contiguous(tg_grad_of(r)));
        for (int i = 0; i < 12; i++) EQUAL(tg_get(tg_grad_of(r), i), 5 * round);
    }
    for (int form = 0; form < 6; form++) { /* a view of what the rule behind it made, or repeated */
        tg_tensor *v = tg_set_requires_grad(tg_ones_with(TG_F64, TG_SHAPE(3, 4)), true), *turned = v;
        if (form == 0) turned = tg_transpose(v, 0, 1);
        if (form == 1) turned = tg_permute(tg_reshape(v, 3, 2, 2), 2, 0, 1);
        if (form == 2) turned = tg_flip(v, 0);
        if (form == 3) turned = tg_sum(v, .axes = TG_SHAPE(1));
        if (form == 4) turned = tg_sum(v, .axes = TG_SHAPE(0));
        if (form == 5) turned = tg_mul_scalar(tg_sum(v), 1);
        for (int round = 1; round <= 2; round++) {
            double e = tg_get(turned, 0);
            ck_assert_int_eq(tg_backward(tg_sum(tg_square(turned)), .retain = true), TG_OK);
            ck_assert(tg_is_contiguous(tg_grad_of(v)));
            for (int k = 0; k < 12; k++) EQUAL(tg_get(tg_grad_of(v), k), 2 * e * round);
        }
    }
}
END_TEST

void outputs_of_many(TCase *tc) {
    tcase_add_test(tc, outputs_of_integers);
    tcase_add_loop_test(tc, each_set_of_outputs, 0, 4);
    tcase_add_test(tc, each_output_retained_and_hooked);
    tcase_add_test(tc, each_output_saved);
    tcase_add_test(tc, outputs_of_a_failed_op);
    tcase_add_test(tc, inputs_left_out);
    tcase_add_test(tc, walks_from_several_outputs);
    tcase_add_test(tc, hundreds_of_leaves);
    tcase_add_test(tc, accumulation_raises_the_version);
    tcase_add_test(tc, gradients_share_nothing);
}
