#include "ops/nn/layers/recurrent.h"

#include "autograd/composed.h"
#include "ops/elementwise/arithmetic.h"
#include "ops/elementwise/compare.h"
#include "ops/nn/layers/init.h"
#include "ops/nn/layers/layer.h"
#include "ops/nn/layers/layers.h"
#include "ops/index/scatter.h"
#include "ops/products/matmul.h"
#include "ops/recurrent/recurrent.h"
#include "ops/shape/create.h"
#include "ops/shape/join.h"
#include "ops/shape/split.h"
#include "ops/shape/view.h"

#include <math.h>
#include <stdio.h>

enum { MOST_LAYERS = 100 };

/* The parameters of a layer and direction; the biases are NULL in one without. */
typedef struct weights {
    tg_tensor *w_ih, *w_hh, *b_ih, *b_hh;
} weights;

/* What one direction of a layer starts from and leaves: its states and cells, y and c after each step. */
typedef struct pass {
    tg_tensor *x, *h, *c;
    tg_tensor *y, *cells;
} pass;

typedef struct network network;

/* What tells the kinds of layer apart. `run` fills y of a pass, and its cells where they are wanted. */
typedef struct kind {
    const char *layer;
    int gates;
    void (*run)(const network *net, const weights *w, pass *p);
} kind;

/* A call of a layer, with the options of all kinds. With lengths, `padding` [n, t, 1] is true at steps that are not read, and
 * `backward` [n, t, 1] has the step that is read in place of each one when a sequence is turned round. */
struct network {
    const kind *kind;
    tg_model *model;
    const char *name;
    int64_t hidden;
    tg_tensor *h, *c, *lengths, *padding, *backward;
    tg_tensor **cells, **h_n, **c_n;
    int layers, directions;
    bool no_bias, relu;
    double dropout;
    tg_init init, init_bias;
};

/* ---- parameters ---- */

/* Finds or makes the parameters for input x; false with the error raised. */
static bool find_weights(weights *w, const network *net, const tg_tensor *x, int layer, int direction) {
    double bound = 1 / sqrt((double)net->hidden);
    int64_t rows = net->kind->gates * net->hidden;
    const struct {
        const char *part;
        tg_tensor **to;
        tg_shape shape;
        tg_init init;
    } all[] = {{"weight_ih", &w->w_ih, TG_SHAPE(rows, tg_size(x, 2)), net->init},
               {"weight_hh", &w->w_hh, TG_SHAPE(rows, net->hidden), net->init},
               {"bias_ih", &w->b_ih, TG_SHAPE(rows), net->init_bias},
               {"bias_hh", &w->b_hh, TG_SHAPE(rows), net->init_bias}};
    *w = (weights){0};
    for (int i = 0; i < (net->no_bias ? 2 : 4); i++) {
        char part[40];
        snprintf(part, sizeof part, "%s_l%d%s", all[i].part, layer, direction ? "_reverse" : "");
        *all[i].to = tg_layer_param(net->model, net->kind->layer, net->name, part, tg_dtype_of(x),
                                    all[i].shape, tg_init_option(all[i].init, tg_init_uniform(-bound, bound)));
        if (tg_is_poison(*all[i].to)) return false;
    }
    return true;
}

/* ---- the kinds ---- */

static tg_tensor *both_biases(const weights *w) { return w->b_ih ? tg_add(w->b_ih, w->b_hh) : NULL; }

/* No gradient reads the pre-activations. */
static void drop(tg_tensor *a, const tg_tensor *y) {
    if (!tg_is_poison(y)) tg_drop_elements(a);
}

/* relu has no bound, and what runs on behind the end could grow until 0 times it is NaN: a pre-activation of -inf stops it. */
static void run_rnn(const network *net, const weights *w, pass *p) {
    tg_tensor *a = tg_linear_with(p->x, w->w_ih, (tg_linear_opts){.bias = both_biases(w)});
    if (net->relu && net->padding) a = tg_masked_fill(a, net->padding, -INFINITY);
    p->y = tg_rnn_scan_with(a, w->w_hh, (tg_rnn_scan_opts){.h = p->h, .relu = net->relu});
    drop(a, p->y);
}

static void run_lstm(const network *net, const weights *w, pass *p) {
    bool wanted = net->cells || net->c_n;
    tg_tensor *a = tg_linear_with(p->x, w->w_ih, (tg_linear_opts){.bias = both_biases(w)});
    p->y = tg_lstm_scan_with(a, w->w_hh,
                             (tg_lstm_scan_opts){.h = p->h, .c = p->c, .cells = wanted ? &p->cells : NULL});
    drop(a, p->y);
}

static void run_gru(const network *net, const weights *w, pass *p) {
    (void)net;
    tg_tensor *a = tg_linear_with(p->x, w->w_ih, (tg_linear_opts){.bias = w->b_ih});
    p->y = tg_gru_scan_with(a, w->w_hh, (tg_gru_scan_opts){.b = w->b_hh, .h = p->h});
    drop(a, p->y);
}

static const kind rnn_kind = {"nn_rnn", 1, run_rnn}, lstm_kind = {"nn_lstm", 4, run_lstm},
                  gru_kind = {"nn_gru", 3, run_gru};

/* ---- checks ---- */

/* Whether a state is left out or has one of its shapes; raises the error otherwise. */
static bool check_state(const network *net, const tg_tensor *x, const char *what, const tg_tensor *state) {
    int64_t count = (int64_t)net->layers * net->directions;
    tg_shape want = TG_SHAPE(count, tg_size(x, 0), net->hidden);
    if (!state) return true;
    if (!tg_check_argument(state, net->kind->layer, what)) return false;
    if (tg_shape_equal(tg_shape_of(state), want)) return true;
    if (count == 1) want = TG_SHAPE(want.dim[1], want.dim[2]);
    if (tg_shape_equal(tg_shape_of(state), want)) return true;
    char is[160], text[96];
    tg_describe(state, is, sizeof is);
    tg_fail(TG_ERR_SHAPE, "%s: %s must have the shape %s, and is %s", net->kind->layer, what,
            tg_shape_text(want, text, sizeof text), is);
    return false;
}

static bool check(const network *net, tg_tensor *x) {
    const char *layer = net->kind->layer;
    if (!tg_layer_check(layer, x, 3, "[n, t, in]", net->hidden)) return false;
    if (net->layers < 1 || net->layers > MOST_LAYERS) {
        tg_fail(TG_ERR_ARGUMENT, "%s: %d layers are not in 1..%d", layer, net->layers, MOST_LAYERS);
        return false;
    }
    if (!(net->dropout >= 0 && net->dropout <= 1)) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the probability of dropout, %g, is not in 0..1", layer, net->dropout);
        return false;
    }
    if (net->hidden > INT64_MAX / net->kind->gates) {
        tg_fail(TG_ERR_SHAPE, "%s: the hidden size %lld is too large", layer, (long long)net->hidden);
        return false;
    }
    return check_state(net, x, "h", net->h) && check_state(net, x, "c", net->c) &&
           tg_layer_check_lengths(layer, net->lengths, tg_size(x, 0), tg_size(x, 1));
}

/* ---- sequences that end ---- */

/* Lengths [n, 1, 1] as i64. */
static tg_tensor *lengths_of(const network *net) {
    return tg_unsqueeze(tg_unsqueeze(tg_to(net->lengths, TG_I64), -1), -1);
}

static void find_ends(network *net, int64_t t) {
    if (!net->lengths) return;
    tg_tensor *step = tg_reshape_with(tg_arange(TG_I64, 0, (double)t, 1), TG_SHAPE(1, t, 1)),
              *length = lengths_of(net);
    net->padding = tg_ge(step, length);
    if (net->directions > 1)
        net->backward = tg_where(net->padding, step, tg_sub(tg_affine(length, 1, -1), step));
}

static tg_tensor *without_padding(const network *net, tg_tensor *x) {
    return net->padding && x ? tg_masked_fill(x, net->padding, 0) : x;
}

static tg_tensor *turned(const network *net, tg_tensor *x) {
    if (!x) return NULL;
    if (net->lengths) return tg_take_along_dim(x, net->backward, 1);
    return tg_flip_with(x, TG_SHAPE(1));
}

/* The state [n, hidden] after the last step of a pass whose states are y, from the first one. */
static tg_tensor *last_state(const network *net, tg_tensor *y, tg_tensor *first) {
    int64_t n = tg_size(y, 0), t = tg_size(y, 1);
    if (!net->lengths && t > 0) return tg_select(y, 1, -1);
    if (!first) first = tg_zeros_with(tg_dtype_of(y), TG_SHAPE(n, net->hidden));
    if (!net->lengths) return first;
    tg_tensor *states = tg_concat_with(1, 2, (tg_tensor *[]){tg_unsqueeze(first, 1), y});
    return tg_squeeze(tg_take_along_dim(states, lengths_of(net), 1), 1);
}

/* ---- the network ---- */

static tg_tensor *state_of(tg_tensor *state, int i) {
    return state && tg_rank(state) == 3 ? tg_select(state, 0, i) : state;
}

/* One direction of one layer over x. y and cells are in the order of x, and *h_n and *c_n where they are wanted. */
static pass run_direction(const network *net, tg_tensor *x, int layer, int direction, tg_tensor **h_n,
                          tg_tensor **c_n) {
    int at = layer * net->directions + direction;
    weights w;
    pass p = {.h = state_of(net->h, at), .c = state_of(net->c, at), .y = tg_poison()};
    if (!find_weights(&w, net, x, layer, direction)) return p;
    p.x = direction ? turned(net, x) : x;
    net->kind->run(net, &w, &p);
    if (tg_is_poison(p.y)) return p;
    if (net->h_n) *h_n = last_state(net, p.y, p.h);
    if (net->c_n) *c_n = last_state(net, p.cells, p.c);
    if (direction) p.y = turned(net, p.y), p.cells = turned(net, p.cells);
    p.y = without_padding(net, p.y), p.cells = without_padding(net, p.cells);
    return p;
}

/* y of both directions side by side. */
static tg_tensor *join(tg_tensor *const *y, int directions) {
    return directions > 1 ? tg_concat_with(-1, directions, y) : y[0];
}

static tg_tensor *run(network *net, tg_tensor *x) {
    tg_tensor *h_n[2 * MOST_LAYERS], *c_n[2 * MOST_LAYERS], *cells = NULL;
    find_ends(net, tg_size(x, 1));
    x = without_padding(net, x);
    for (int layer = 0; layer < net->layers; layer++) {
        tg_tensor *y[2] = {NULL}, *c[2] = {NULL};
        if (layer > 0 && net->dropout != 0)
            x = tg_nn_dropout_with(net->model, x, net->dropout, (tg_nn_dropout_opts){0});
        if (tg_is_poison(x)) return x;
        for (int d = 0; d < net->directions; d++) {
            int at = layer * net->directions + d;
            pass p = run_direction(net, x, layer, d, &h_n[at], &c_n[at]);
            if (tg_is_poison(p.y)) return p.y;
            y[d] = p.y, c[d] = p.cells;
        }
        x = join(y, net->directions);
        if (net->cells && layer == net->layers - 1) cells = join(c, net->directions);
    }
    int count = net->layers * net->directions;
    tg_tensor *last_h = net->h_n ? tg_stack_with(0, count, h_n) : NULL,
              *last_c = net->c_n ? tg_stack_with(0, count, c_n) : NULL;
    if (tg_error_status() != TG_OK) return tg_poison();
    if (net->h_n) *net->h_n = last_h;
    if (net->c_n) *net->c_n = last_c;
    if (net->cells) *net->cells = cells;
    return x;
}

static tg_tensor *call(network net, const char *name, tg_model *model, tg_tensor *x, int64_t hidden,
                       bool bidirectional) {
    TG_NAMED(net.kind->layer);
    tg_tensor **results[] = {net.cells, net.h_n, net.c_n};
    for (int i = 0; i < 3; i++)
        if (results[i]) *results[i] = tg_poison();
    net.model = model, net.name = name, net.hidden = hidden;
    net.directions = bidirectional ? 2 : 1;
    if (net.layers == 0) net.layers = 1;
    if (!check(&net, x)) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    return tg_layer_end(start, run(&net, x));
}

tg_tensor *tg_nn_rnn_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden, tg_nn_rnn_opts o) {
    network net = {.kind = &rnn_kind, .h = o.h, .lengths = o.lengths, .h_n = o.h_n, .layers = o.layers};
    net.init = o.init, net.init_bias = o.init_bias, net.no_bias = o.no_bias, net.relu = o.relu,
    net.dropout = o.dropout;
    return call(net, name, model, x, hidden, o.bidirectional);
}

tg_tensor *tg_nn_lstm_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden, tg_nn_lstm_opts o) {
    network net = {.kind = &lstm_kind, .h = o.h, .c = o.c, .lengths = o.lengths, .layers = o.layers};
    net.h_n = o.h_n, net.c_n = o.c_n, net.cells = o.cells;
    net.init = o.init, net.init_bias = o.init_bias, net.no_bias = o.no_bias, net.dropout = o.dropout;
    return call(net, name, model, x, hidden, o.bidirectional);
}

tg_tensor *tg_nn_gru_with(tg_model *model, const char *name, tg_tensor *x, int64_t hidden, tg_nn_gru_opts o) {
    network net = {.kind = &gru_kind, .h = o.h, .lengths = o.lengths, .h_n = o.h_n, .layers = o.layers};
    net.init = o.init, net.init_bias = o.init_bias, net.no_bias = o.no_bias, net.dropout = o.dropout;
    return call(net, name, model, x, hidden, o.bidirectional);
}
