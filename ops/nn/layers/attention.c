#include "ops/nn/layers/attention_private.h"

#include "autograd/composed.h"
#include "ops/elementwise/arithmetic.h"
#include "ops/elementwise/compare.h"
#include "ops/elementwise/logical.h"
#include "ops/loss/softmax.h"
#include "ops/nn/layers/init.h"
#include "ops/nn/layers/layer.h"
#include "ops/nn/layers/layers.h"
#include "ops/products/matmul.h"
#include "ops/shape/create.h"
#include "ops/shape/split.h"
#include "ops/shape/view.h"
#include "ops/structured/attention.h"
#include "ops/structured/rotary.h"

#include <math.h>

static const char layer[] = "nn_multihead_attention";

enum { Q, K, V, MOST_DROPPED = 16 };

/* A call. `from` are what queries, keys and values are made of, `rows` their sizes; `past` is the number of steps in the cache. */
typedef struct attention {
    tg_model *model;
    const char *name;
    tg_nn_multihead_attention_opts o;
    tg_tensor *from[3];
    int64_t rows[3], heads, kv_heads, size, past;
    tg_tensor *in, *w[3], *b, *out, *out_b; /* the parameters: one of `in` and w, with b or not */
    tg_tensor *dropped[MOST_DROPPED];       /* temporaries, which only gradients read from the end on */
    int n_dropped;
} attention;

static tg_tensor *temporary(attention *a, tg_tensor *t) {
    a->dropped[a->n_dropped++] = t;
    return t;
}

/* ---- checks ---- */

/* Raises "nn_multihead_attention: <text>: <t>" and returns false. */
static bool refuse(tg_status status, const char *text, const tg_tensor *t) {
    char is[160];
    tg_fail(status, "%s: %s: %s", layer, text, tg_describe(t, is, sizeof is));
    return false;
}

static bool check_from(const attention *a, int i, const char *what) {
    const tg_tensor *x = a->from[Q], *t = a->from[i];
    if (t == x) return true;
    if (!tg_check_argument(t, layer, what)) return false;
    if (tg_dtype_of(t) != tg_dtype_of(x))
        return refuse(TG_ERR_DTYPE, "query, key and value must have one dtype", t);
    if (tg_rank(t) != 3 || tg_size(t, 0) != tg_size(x, 0))
        return refuse(TG_ERR_SHAPE, "key and value must be [n, s, size], with the n of the query", t);
    return tg_size(t, 1) == tg_size(a->from[K], 1) ||
           refuse(TG_ERR_SHAPE, "as many values as keys are needed", t);
}

static bool check_heads(const attention *a) {
    char text[160];
    tg_describe(a->from[Q], text, sizeof text);
    bool whole = a->size % a->heads == 0 && a->size <= INT64_MAX / 3;
    if (!whole)
        tg_fail(TG_ERR_SHAPE, "%s: %lld heads do not divide the last axis of %s", layer, (long long)a->heads,
                text);
    else if (a->kv_heads < 1 || a->heads % a->kv_heads != 0)
        tg_fail(TG_ERR_SHAPE, "%s: %lld heads of keys and values do not divide %lld heads: query %s", layer,
                (long long)a->kv_heads, (long long)a->heads, text);
    else if (a->o.rotary && a->size / a->heads % 2)
        tg_fail(TG_ERR_SHAPE, "%s: rotary positions need heads of an even size, not %lld: query %s", layer,
                (long long)(a->size / a->heads), text);
    return tg_error_status() == TG_OK;
}

static bool check_options(const attention *a) {
    const tg_nn_multihead_attention_opts *o = &a->o;
    if (!(o->dropout >= 0 && o->dropout <= 1)) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the probability of dropout, %g, is not in 0..1", layer, o->dropout);
        return false;
    }
    if ((o->key || o->value) && (o->cache || o->rotary))
        return refuse(TG_ERR_ARGUMENT, "a cache, and rotary positions, are for attention of x to itself",
                      a->from[o->key ? K : V]);
    if (o->rotary_offset > INT64_MAX / 2)
        return refuse(TG_ERR_ARGUMENT, "the rotary_offset is too large", a->from[Q]);
    return !o->mask || tg_check_argument(o->mask, layer, "the mask");
}

/* That a number of keys is right is seen when it is known, with those of the cache. */
static bool check_padding(const attention *a, int64_t keys) {
    const tg_tensor *p = a->o.key_padding_mask;
    int64_t n = tg_size(a->from[Q], 0);
    if (p && !tg_check_argument(p, layer, "the key_padding_mask")) return false;
    if (p && (tg_dtype_of(p) != TG_BOOL || !tg_shape_equal(tg_shape_of(p), TG_SHAPE(n, keys)))) {
        char is[160];
        tg_fail(tg_dtype_of(p) == TG_BOOL ? TG_ERR_SHAPE : TG_ERR_DTYPE,
                "%s: the key_padding_mask must be [%lld, %lld] bool, and is %s", layer, (long long)n,
                (long long)keys, tg_describe(p, is, sizeof is));
        return false;
    }
    return tg_layer_check_lengths(layer, a->o.lengths, n, keys);
}

/* ---- parameters ---- */

static tg_tensor *param(const attention *a, const char *part, tg_shape shape, tg_init given, tg_init standard) {
    return tg_layer_param(a->model, layer, a->name, part, tg_dtype_of(a->from[Q]), shape,
                          tg_init_option(given, standard));
}

static void find_weights(attention *a) {
    static const char *const names[] = {"q_proj_weight", "k_proj_weight", "v_proj_weight"};
    int64_t all = a->rows[Q] + a->rows[K] + a->rows[V];
    const tg_init xavier = tg_init_xavier_uniform(1), zeros = tg_init_zeros();
    bool separate = a->o.separate || tg_size(a->from[K], 2) != a->size || tg_size(a->from[V], 2) != a->size;
    if (!separate) a->in = param(a, "in_proj_weight", TG_SHAPE(all, a->size), a->o.init, xavier);
    for (int i = 0; i < 3 && separate; i++)
        a->w[i] = param(a, names[i], TG_SHAPE(a->rows[i], tg_size(a->from[i], 2)), a->o.init, xavier);
    if (!a->o.no_bias) a->b = param(a, "in_proj_bias", TG_SHAPE(all), a->o.init_bias, zeros);
    a->out = param(a, "out_proj.weight", TG_SHAPE(a->size, a->size), a->o.init_out,
                   tg_init_kaiming_uniform_with(sqrt(5), (tg_init_kaiming_uniform_opts){0}));
    if (!a->o.no_bias) a->out_b = param(a, "out_proj.bias", TG_SHAPE(a->size), a->o.init_out_bias, zeros);
}

/* ---- projections ---- */

static tg_tensor *linear(tg_tensor *x, tg_tensor *w, tg_tensor *b) {
    return tg_linear_with(x, w, (tg_linear_opts){.bias = b});
}

static tg_tensor *rows_of(tg_tensor *w, int64_t start, int64_t rows) {
    return w ? tg_narrow(w, 0, start, rows) : NULL;
}

/* The product of neighbours i..last, which are made of one tensor, as one; it is cut up after. */
static void project_together(attention *a, int i, int last, tg_tensor **part) {
    int64_t start = 0, rows = 0;
    for (int k = 0; k < i; k++) start += a->rows[k];
    for (int k = i; k <= last; k++) rows += a->rows[k];
    bool all = i == Q && last == V;
    tg_tensor *w = a->w[i] ? a->w[i] : all ? a->in : rows_of(a->in, start, rows);
    tg_tensor *y = temporary(a, linear(a->from[i], w, all ? a->b : rows_of(a->b, start, rows)));
    int64_t at = 0;
    for (int k = i; k <= last; at += a->rows[k++]) part[k] = i == last ? y : tg_narrow(y, 2, at, a->rows[k]);
}

/* Sets part[] to q, k and v, [n, t, rows]. */
static void project(attention *a, tg_tensor **part) {
    for (int i = Q, last; i <= V; i = last + 1) {
        for (last = i; a->in && last < V && a->from[last + 1] == a->from[i];) last++;
        project_together(a, i, last, part);
    }
}

/* ---- heads ---- */

/* split_heads makes [n, t, heads * d] [n, heads, t, d]; join_heads undoes it. */
static tg_tensor *split_heads(tg_tensor *x, int64_t heads) {
    tg_shape s = tg_shape_of(x);
    return tg_transpose(tg_reshape_with(x, TG_SHAPE(s.dim[0], s.dim[1], heads, s.dim[2] / heads)), 1, 2);
}
static tg_tensor *join_heads(tg_tensor *x) {
    tg_shape s = tg_shape_of(x);
    return tg_reshape_with(tg_transpose(x, 1, 2), TG_SHAPE(s.dim[0], s.dim[2], s.dim[1] * s.dim[3]));
}

static tg_tensor *turn(attention *a, tg_tensor *x) {
    tg_rotary_opts opts = {.offset = a->o.rotary_offset + a->past, .base = a->o.rotary_base};
    opts.interleaved = a->o.rotary_interleaved;
    return a->o.rotary ? temporary(a, tg_rotary_with(x, opts)) : x;
}

/* Axis `axis` of heads becomes two: groups of queries that share keys, and the queries of a group. */
static tg_tensor *grouped(attention *a, tg_tensor *x, int axis) {
    tg_shape s = tg_shape_of(x), out = s;
    bool one = s.dim[axis] == 1;
    if (s.rank > 4 || (!one && s.dim[axis] != a->heads)) {
        refuse(TG_ERR_SHAPE, "the mask does not broadcast to [n, heads, t, s]", x);
        return tg_poison();
    }
    out.rank = s.rank + 1;
    out.dim[axis] = one ? 1 : a->kv_heads, out.dim[axis + 1] = one ? 1 : s.dim[axis] / a->kv_heads;
    for (int i = axis + 1; i < s.rank; i++) out.dim[i + 1] = s.dim[i];
    return temporary(a, tg_reshape_with(x, out));
}

/* ---- what is seen ---- */

static tg_tensor *both(tg_tensor *a, tg_tensor *b) { return a && b ? tg_logical_and(a, b) : a ? a : b; }

/* The bool mask of all that does not come as a mask, [.., t, keys], or NULL: everything is seen. */
static tg_tensor *seen(const attention *a, int64_t keys, bool causal) {
    tg_tensor *keep = NULL, *at = tg_arange(TG_I64, 0, (double)keys, 1);
    if (causal) {
        tg_tensor *now = tg_arange(TG_I64, (double)a->past, (double)(a->past + tg_size(a->from[Q], 1)), 1);
        keep = tg_le(at, tg_unsqueeze(now, 1));
    }
    tg_shape by_sample = TG_SHAPE(tg_size(a->from[Q], 0), 1, 1, keys);
    if (a->o.key_padding_mask)
        keep = both(keep, tg_reshape_with(tg_logical_not(a->o.key_padding_mask), by_sample));
    by_sample.dim[3] = 1;
    if (a->o.lengths) keep = both(keep, tg_lt(at, tg_reshape_with(tg_to(a->o.lengths, TG_I64), by_sample)));
    return keep;
}

/* The mask of all that hides something. */
static tg_tensor *full_mask(const attention *a, int64_t keys, bool causal) {
    tg_tensor *mask = a->o.mask;
    if (!causal && !a->o.key_padding_mask && !a->o.lengths) return mask;
    tg_tensor *keep = seen(a, keys, causal);
    if (!mask || tg_dtype_of(mask) == TG_BOOL) return both(mask, keep);
    return tg_where(keep, mask, tg_scalar(tg_dtype_of(mask), -INFINITY));
}

/* softmax(q k^T / sqrt(d) + mask), with dropout, times v. softmax makes NaN of a row of -inf: its elements become 0, and pass
 * nothing on. */
static tg_tensor *with_dropout(const attention *a, tg_tensor *const part[3], tg_tensor *mask) {
    double scale = 1 / sqrt((double)tg_size(part[Q], -1));
    tg_tensor *score = tg_matmul(tg_mul_scalar(part[Q], scale), tg_transpose(part[K], -1, -2));
    tg_tensor *low = tg_scalar(tg_dtype_of(score), -INFINITY);
    if (mask) score = tg_dtype_of(mask) == TG_BOOL ? tg_where(mask, score, low) : tg_add(score, mask);
    tg_tensor *hidden = tg_eq(score, low);
    score = tg_masked_fill(tg_softmax(tg_masked_fill(score, hidden, -INFINITY), -1), hidden, 0);
    return tg_matmul(tg_nn_dropout_with(a->model, score, a->o.dropout, (tg_nn_dropout_opts){0}), part[V]);
}

/* ---- the layer ---- */

/* The heads' results [n, heads, t, d] of the parts [n, heads, .., d], for these keys. */
static tg_tensor *weighted_values(attention *a, tg_tensor **part) {
    int64_t keys = tg_size(part[K], 2), t = tg_size(part[Q], 2);
    if (!check_padding(a, keys)) return tg_poison();
    bool drops = a->o.dropout > 0 && tg_model_training(a->model);
    /* The last step sees all keys; and the op's own causal mask is of sequences without a past. */
    bool causal = a->o.causal && !(t == 1 && keys == a->past + 1), plain = causal && a->past == 0 && !drops;
    tg_tensor *mask = full_mask(a, keys, causal && !plain);
    if (a->kv_heads != a->heads) {
        if (mask && tg_rank(mask) > 2) mask = grouped(a, mask, tg_rank(mask) - 3);
        part[Q] = grouped(a, part[Q], 1);
        for (int i = K; i <= V; i++) part[i] = temporary(a, tg_unsqueeze(part[i], 2));
    }
    tg_scaled_dot_product_attention_opts opts = {.mask = mask, .causal = plain};
    tg_tensor *y = drops ? with_dropout(a, part, mask)
                         : tg_scaled_dot_product_attention_with(part[Q], part[K], part[V], opts);
    if (tg_is_poison(y) || a->kv_heads == a->heads) return temporary(a, y);
    temporary(a, y);
    return temporary(a, tg_reshape_with(y, TG_SHAPE(tg_size(y, 0), a->heads, t, a->size / a->heads)));
}

static tg_tensor *attend(attention *a, tg_kv_append *append) {
    tg_tensor *part[3];
    find_weights(a);
    project(a, part);
    if (tg_error_status() != TG_OK) return tg_poison();
    for (int i = 0; i < 3; i++) part[i] = temporary(a, split_heads(part[i], i == Q ? a->heads : a->kv_heads));
    part[Q] = turn(a, part[Q]), part[K] = turn(a, part[K]);
    if (tg_error_status() != TG_OK) return tg_poison();
    if (a->o.cache && tg_kv_append_begin(append, a->o.cache, a->name, &part[K], &part[K]) != TG_OK)
        return tg_poison();
    tg_tensor *y = weighted_values(a, part);
    if (tg_is_poison(y)) return y;
    tg_tensor *joined = temporary(a, join_heads(y)), *result = linear(joined, a->out, a->out_b);
    for (int i = 0; i < a->n_dropped && !tg_is_poison(result); i++) tg_drop_elements(a->dropped[i]);
    return result;
}

tg_tensor *tg_attention_begin(tg_model *model, const char *name, tg_tensor *x, int64_t heads,
                              tg_nn_multihead_attention_opts o, tg_kv_append *append) {
    TG_NAMED(layer);
    *append = (tg_kv_append){0};
    if (!tg_layer_check(layer, x, 3, "[n, t, size]", heads)) return tg_poison();
    tg_tensor *key = o.key ? o.key : x;
    attention a = {.model = model, .name = name, .o = o, .from = {x, key, o.value ? o.value : key}};
    a.heads = heads, a.kv_heads = o.kv_heads ? o.kv_heads : heads, a.size = tg_size(x, 2);
    if (!check_from(&a, K, "the key") || !check_from(&a, V, "the value")) return tg_poison();
    if (!check_heads(&a) || !check_options(&a)) return tg_poison();
    a.rows[Q] = a.size, a.rows[K] = a.rows[V] = a.size / heads * a.kv_heads;
    if (o.cache) a.past = tg_kv_cache_past(o.cache, name ? name : "");
    if (tg_error_status() != TG_OK) return tg_poison();
    tg_layer_start start = tg_layer_begin(model);
    return tg_layer_end(start, attend(&a, append));
}

tg_tensor *tg_nn_multihead_attention_with(tg_model *model, const char *name, tg_tensor *x, int64_t heads,
                                          tg_nn_multihead_attention_opts opts) {
    TG_NAMED(layer);
    tg_kv_append append;
    tg_layer_start start = tg_layer_begin(model);
    tg_tensor *y = tg_attention_begin(model, name, x, heads, opts, &append);
    return tg_layer_end(start, tg_kv_append_end(&append, !tg_is_poison(y)) == TG_OK ? y : tg_poison());
}
