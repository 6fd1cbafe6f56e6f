/* A suite for ops of your own: three of them, each a row, and all checks that the library makes of its own ops.
 *
 *     softsign   x / (1 + |x|)                      an op; right
 *     gated      x sigmoid(w y)                     a function made of ops; right
 *     bump       exp(-x^2 / 2)                      an op whose rule says -x y for recorded walks, and by mistake x y in the
 *                                                   kernel for the others
 *
 * The results go to stdout as TAP, which test runners read (in Meson: test(.., protocol: 'tap')), and, where a file is named, as
 * JUnit XML, which build servers read: check_suite results.xml. The program exits with 0 when bump alone is found wrong, by the
 * first derivative and by the comparison of its two forms.
 */
#include <tapegrad.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

/* ---- softsign: y' = 1 / (1 + |x|)^2 ---- */

static tg_status softsign_forward(const tg_call *call) {
    for (int64_t i = 0; i < call->out[0]->numel; i++) {
        double x = tg_array_get(call->in[0], i);
        tg_array_set(call->out[0], i, x / (1 + fabs(x)));
    }
    return TG_OK;
}

static void softsign_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_div(dout[0], tg_square(tg_affine(tg_abs(node->in[0]), 1, 1)));
}

static const tg_op softsign_op = {.name = "my_softsign",
                                  .n_in = 1,
                                  .save = TG_IN(0),
                                  .infer = tg_infer_same,
                                  .forward = softsign_forward,
                                  .grad = softsign_grad};

/* ---- gated: no rule is needed ---- */

static tg_tensor *gated(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(in[0], tg_sigmoid(tg_mul(in[1], in[2])));
}

/* ---- bump: y' = -x y, and y is saved ---- */

static tg_status bump_forward(const tg_call *call) {
    for (int64_t i = 0; i < call->out[0]->numel; i++) {
        double x = tg_array_get(call->in[0], i);
        tg_array_set(call->out[0], i, exp(-x * x / 2));
    }
    return TG_OK;
}

static void bump_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    din[0] = tg_mul(dout[0], tg_neg(tg_mul(node->in[0], node->out[0])));
}

/* The same on plain arrays, for walks that are not recorded. The sign is forgotten. */
static tg_status bump_kernel(const tg_node *node, const tg_array *const *dout, tg_array *din) {
    const tg_array *x = tg_node_in(node, 0), *y = tg_node_out(node, 0);
    tg_status s = tg_array_alloc(&din[0], (tg_dtype)x->dtype, tg_array_shape(x));
    for (int64_t i = 0; s == TG_OK && i < x->numel; i++)
        tg_array_set(&din[0], i, tg_array_get(dout[0], i) * tg_array_get(x, i) * tg_array_get(y, i));
    return s;
}

static const tg_op bump_op = {.name = "my_bump",
                              .n_in = 1,
                              .save = TG_IN(0) | TG_OUT(0),
                              .infer = tg_infer_same,
                              .forward = bump_forward,
                              .grad = bump_grad,
                              .grad_kernel = bump_kernel};

/* ---- the suite ---- */

static const tg_check_row rows[] = {
    {.name = "softsign", .op = &softsign_op, .in = {{.shape = "ab", .kink = {0}, .n_kinks = 1}}, .any_shape = true},
    {.name = "gated",
     .f = gated,
     .in = {{.shape = "ab"}, {.shape = "ab"}, {.shape = "ab", .low = 0.5, .high = 2}},
     .any_shape = true},
    {.name = "bump", .op = &bump_op, .in = {{.shape = "ab"}}, .any_shape = true},
};

/* Counts what is as it should be: of bump FIRST and KERNEL fail, of the others nothing. */
static void look(const tg_check_result *r, void *user) {
    bool bump = strcmp(r->row, "bump") == 0, tells = r->kind == TG_CHECK_FIRST || r->kind == TG_CHECK_KERNEL;
    bool failed = r->outcome == TG_CHECK_FAILED;
    if ((failed && !bump) || (bump && tells && !failed)) ++*(int *)user;
}

int main(int argc, char **argv) {
    FILE *xml = argc > 1 ? fopen(argv[1], "w") : NULL;
    int unexpected = 0;
    tg_check_report r;
    tg_check_suite("my ops", 3, rows, &r, .tap = stdout, .junit = xml, .each = look, .each_user = &unexpected);
    printf("# %s\n", r.message);
    if (xml && fclose(xml) != 0) return 1;
    return unexpected == 0 && r.rows_failed == 1 ? 0 : 1;
}
