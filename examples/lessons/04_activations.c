/* Lesson 4: activations and their slopes.
 *
 *     relu     a = max(z, 0)          slope 1 where z > 0, else 0
 *     tanh     a = tanh(z)            slope 1 - a^2, at most 1
 *     sigmoid  a = 1 / (1 + e^-z)     slope a (1 - a), at most 1/4
 *     gelu     a = z Phi(z)           slope Phi(z) + z phi(z), of the normal distribution
 *
 * Backward, a layer multiplies by its slope. One slope of 1/4 does little; twenty leave 10^-12. So deep networks stand or fall by the
 * activation, and by how large the weights are at first. The page plots twenty layers of 64 for each, the weights having the standard
 * deviation g / sqrt(64): what vanishes, what explodes, and which units are dead, with slopes below 1/100 for the whole batch.
 *
 * Exercise: your rule takes the place of relu's. At z = 0 is a kink, of slopes 0 and 1; the library takes 0, as others do.
 *     04_activations [--solved] [page.html [plot.svg]]
 */
#include <stdio.h>
#include <string.h>
#include <tapegrad.h>

/* EXERCISE: dout goes on where z > 0, and nothing elsewhere. */
static void yours(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *z = node->in[0], *zero = tg_zeros_like(z);
    din[0] = tg_where(tg_ge(z, zero), dout[0], zero);
}
static void solution(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_tensor *z = node->in[0], *zero = tg_zeros_like(z);
    din[0] = tg_where(tg_gt(z, zero), dout[0], zero);
}

enum { LAYERS = 20, WIDTH = 64, F = 4, STARTS = 3 };
static tg_tensor *(*const f[F])(tg_tensor *) = {tg_sigmoid, tg_tanh, tg_relu, tg_gelu};
static const char *const name[F] = {"sigmoid", "tanh", "relu", "gelu"};
static const double gain[STARTS] = {1, 1.41421356, 2.5};
static const char *const title[STARTS] = {"g = 1 (Xavier)", "g = sqrt 2 (He)", "g = 2.5, too large"};

static tg_tensor *numbers(const double *v) { return tg_from(TG_F64, v, LAYERS); }
/* A number a layer: the standard deviations of a and of dL/da, and the share of dead units. */
static tg_trace_series flow(int k, double g) {
    tg_tensor *a[LAYERS], *z[LAYERS], *da[LAYERS], *dz[LAYERS];
    double act[LAYERS], grad[LAYERS], dead[LAYERS];
    tg_tensor *h = tg_set_requires_grad(tg_randn(TG_F64, WIDTH, WIDTH), true);
    for (int l = 0; l < LAYERS; l++) {
        z[l] = tg_matmul(h, tg_mul_scalar(tg_randn(TG_F64, WIDTH, WIDTH), g / 8));
        a[l] = h = f[k](z[l]);
    }
    tg_tensor *loss = tg_sum(tg_mul(h, tg_randn(TG_F64, WIDTH, WIDTH)));
    tg_grad(1, &loss, LAYERS, a, da, .retain = true);
    tg_grad(1, &loss, LAYERS, z, dz);
    for (int l = 0; l < LAYERS; l++) {
        tg_tensor *slope = tg_amax(tg_abs(tg_div(dz[l], da[l])), .axes = {1, {0}});
        act[l] = tg_item(tg_std(a[l])), grad[l] = tg_item(tg_std(da[l]));
        dead[l] = tg_item(tg_sum(tg_lt(slope, tg_full_like(slope, 0.01)))) / WIDTH;
    }
    return (tg_trace_series){name[k], numbers(act), numbers(grad), numbers(dead)};
}

int main(int argc, char **argv) {
    const int solved = argc > 1 && strcmp(argv[1], "--solved") == 0;
    const char *page = argv[1 + solved], *plot = page ? argv[2 + solved] : NULL;
    tg_trace_series series[STARTS][F];
    tg_trace_flow flows[STARTS];
    tg_series lines[F];
    for (int i = 0; i < STARTS; i++) {
        flows[i] = (tg_trace_flow){title[i], F, series[i]};
        printf("%-20s dL/da at layer 1:", title[i]);
        for (int k = 0; k < F; k++) {
            const tg_trace_series s = series[i][k] = flow(k, gain[i]);
            printf("  %s %.2g%s", name[k], tg_get(s.gradient, 0), k + 1 < F ? "" : "\n");
            if (i == 0) lines[k] = (tg_series){.name = name[k], .y = s.gradient};
        }
    }
    if (plot) tg_plot_lines(plot, F, lines, .title = "Gradients, g = 1", .x = "layer", .log_y = true);
    tg_mark step = tg_tape_mark();
    tg_tensor *z = tg_set_name(tg_set_requires_grad(tg_linspace(TG_F64, -1, 1, 5), true), "z");
    tg_tensor *loss = tg_sum(tg_mul(tg_add_scalar(z, 2), tg_relu(z)));
    if (page) tg_trace_html(page, step, .flows = flows, .n_flows = STARTS, .title = "Activations");
    tg_grade_report r;
    tg_grade_rule(loss, "relu", solved ? solution : yours, &r);
    puts(r.message);
    return !r.ok;
}
