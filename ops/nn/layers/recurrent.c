#include "ops/nn/layers/recurrent.h"

#include "ops/elementwise/arithmetic.h"
#include "ops/nn/layers/init.h"
#include "ops/nn/layers/layer.h"
#include "ops/products/matmul.h"
#include "ops/recurrent/recurrent.h"

#include <math.h>

/* The parameters of a layer; the biases are NULL in one without. */
typedef struct weights {
    tg_tensor *w_ih, *w_hh, *b_ih, *b_hh;
} weights;

/* Finds or makes the parameters; false with the error raised. */
static bool find_weights(weights *w, tg_model *model, const char *layer, const char *name, tg_tensor *x,
                         int gates, int64_t hidden, bool bias, tg_init init, tg_init init_bias) {
    double bound = 1 / sqrt((double)hidden);
    if (hidden > INT64_MAX / gates) {
        tg_fail(TG_ERR_SHAPE, "%s: the hidden size %lld is too large", layer, (long long)hidden);
        return false;
    }
    int64_t rows = gates * hidden;
    const struct {
        const char *part;
        tg_tensor **to;
        tg_shape shape;
        tg_init init;
    } all[] = {{"weight_ih_l0", &w->w_ih, TG_SHAPE(rows, tg_size(x, 2)), init},
               {"weight_hh_l0", &w->w_hh, TG_SHAPE(rows, hidden), init},
               {"bias_ih_l0", &w->b_ih, TG_SHAPE(rows), init_bias},
               {"bias_hh_l0", &w->b_hh, TG_SHAPE(rows), init_bias}};
    *w = (weights){0};
    for (int i = 0; i < (bias ? 4 : 2); i++) {
        *all[i].to = tg_layer_param(model, layer, name, all[i].part, tg_dtype_of(x), all[i].shape,
                                    tg_init_option(all[i].init, tg_init_uniform(-bound, bound)));
        if (tg_is_poison(*all[i].to)) return false;
    }
    return true;
}

/* Whether a state is left out or a tensor; raises the error otherwise. */
static bool check_state(const char *layer, const char *what, const tg_tensor *state) {
    return !state || tg_check_argument(state, layer, what);
}

static tg_tensor *lstm(tg_model *model, const char *name, tg_tensor *x, int64_t hidden, tg_nn_lstm_opts o) {
    weights w;
    if (!find_weights(&w, model, "nn_lstm", name, x, 4, hidden, !o.no_bias, o.init, o.init_bias))
        return tg_poison();
    tg_tensor *b = w.b_ih ? tg_add(w.b_ih, w.b_hh) : NULL,
              *a = tg_linear_with(x, w.w_ih, (tg_linear_opts){.bias = b});
    tg_tensor *y = tg_lstm_scan_with(a, w.w_hh, (tg_lstm_scan_opts){.h = o.h, .c = o.c, .cells = o.cells});
    if (!tg_is_poison(a)) tg_drop_elements(a); /* no gradient reads it */
    return y;
}

tg_tensor *tg_nn_lstm_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden,
                           tg_nn_lstm_opts opts) {
    TG_NAMED("nn_lstm");
    if (opts.cells) *opts.cells = tg_poison();
    if (!tg_layer_check("nn_lstm", x, 3, "[n, t, in]", hidden)) return tg_poison();
    if (!check_state("nn_lstm", "h", opts.h) || !check_state("nn_lstm", "c", opts.c)) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    return tg_layer_end(start, lstm(model, name, x, hidden, opts));
}

static tg_tensor *gru(tg_model *model, const char *name, tg_tensor *x, int64_t hidden, tg_nn_gru_opts o) {
    weights w;
    if (!find_weights(&w, model, "nn_gru", name, x, 3, hidden, !o.no_bias, o.init, o.init_bias))
        return tg_poison();
    tg_tensor *a = tg_linear_with(x, w.w_ih, (tg_linear_opts){.bias = w.b_ih});
    tg_tensor *y = tg_gru_scan_with(a, w.w_hh, (tg_gru_scan_opts){.b = w.b_hh, .h = o.h});
    if (!tg_is_poison(a)) tg_drop_elements(a); /* no gradient reads it */
    return y;
}

tg_tensor *tg_nn_gru_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden, tg_nn_gru_opts opts) {
    TG_NAMED("nn_gru");
    if (!tg_layer_check("nn_gru", x, 3, "[n, t, in]", hidden) || !check_state("nn_gru", "h", opts.h))
        return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    return tg_layer_end(start, gru(model, name, x, hidden, opts));
}
