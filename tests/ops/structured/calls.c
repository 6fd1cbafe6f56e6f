/* Calls of the structured ops: normalisation, convolution, pooling, attention. */
#include "tests/ops/harness.h"

#include <string.h>

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { return expression; }

static int64_t at(const arguments *a, int i) { return i < a->n ? (int64_t)a->v[i] : 0; }

/* An input that an option may leave out, but a row does not: NULL is refused as for the others. */
static tg_tensor *given_to(const char *op, tg_tensor *t) {
    if (!t) tg_fail(TG_ERR_ARGUMENT, "%s: an input of the row is missing", op);
    return t ? t : tg_poison();
}
#define given(t) given_to(__func__ + strlen("call_"), (t))

#define STRIDE \
    { at(a, 0), at(a, 1) }
#define PADDING \
    { at(a, 2), at(a, 3) ? at(a, 3) : TG_NONE }
#define DILATION \
    { at(a, 4), at(a, 5) }
#define WINDOW .stride = STRIDE, .padding = PADDING, .dilation = DILATION, .groups = at(a, 6)

CALL(conv2d, tg_conv2d(in[0], in[1], WINDOW))
CALL(conv2d_bias, tg_conv2d(in[0], in[1], WINDOW, .bias = given(in[2])))
CALL(conv1d, tg_conv1d(in[0], in[1], .stride = at(a, 0), .padding = at(a, 1), .dilation = at(a, 2),
                       .groups = at(a, 3)))
CALL(conv_transpose1d, tg_conv_transpose1d(in[0], in[1], .stride = at(a, 0), .padding = at(a, 1), .dilation = at(a, 2),
                                           .groups = at(a, 3), .output_padding = at(a, 4)))
CALL(conv_transpose1d_bias,
     tg_conv_transpose1d(in[0], in[1], .stride = at(a, 0), .padding = at(a, 1), .bias = given(in[2])))
CALL(conv2d_input, tg_conv2d_input(in[0], in[1], at(a, 7), at(a, 8), WINDOW))
CALL(conv2d_weight, tg_conv2d_weight(in[0], in[1], at(a, 7), at(a, 8), WINDOW))
CALL(conv_transpose2d, tg_conv_transpose2d(in[0], in[1], WINDOW, .output_padding = {at(a, 7), at(a, 8) ? at(a, 8) : TG_NONE}))
CALL(conv_transpose2d_bias,
     tg_conv_transpose2d(in[0], in[1], WINDOW, .output_padding = {at(a, 7), at(a, 8) ? at(a, 8) : TG_NONE}, .bias = given(in[2])))

/* axes, eps */
CALL(layer_norm, tg_layer_norm(in[0], .axes = (int)a->v[0], .eps = a->v[1]))
CALL(layer_norm_affine,
     tg_layer_norm(in[0], .axes = (int)a->v[0], .eps = a->v[1], .weight = given(in[1]), .bias = given(in[2])))
CALL(rms_norm, tg_rms_norm(in[0], .axes = (int)a->v[0], .eps = a->v[1]))
CALL(rms_norm_weight, tg_rms_norm(in[0], .axes = (int)a->v[0], .eps = a->v[1], .weight = given(in[1])))
/* groups, eps */
CALL(group_norm, tg_group_norm(in[0], at(a, 0), .eps = a->v[1], .weight = given(in[1]), .bias = given(in[2])))
/* eps */
CALL(instance_norm, tg_instance_norm(in[0], .eps = a->v[0]))
CALL(instance_norm_affine, tg_instance_norm(in[0], .eps = a->v[0], .weight = given(in[1]), .bias = given(in[2])))
/* eps */
CALL(batch_norm,
     tg_batch_norm(in[0], .training = true, .eps = a->v[0], .weight = given(in[1]), .bias = given(in[2])))
/* without weight and bias */
CALL(group_norm_alone, tg_group_norm(in[0], at(a, 0), .eps = a->v[1]))
CALL(batch_norm_alone, tg_batch_norm(in[0], .training = true, .eps = a->v[0]))
/* after x: running mean, running variance */
CALL(batch_norm_eval,
     tg_batch_norm(in[0], .running_mean = given(in[1]), .running_var = given(in[2]), .eps = a->v[0]))
CALL(batch_norm_eval_weight, tg_batch_norm(in[0], .running_mean = given(in[1]), .running_var = given(in[2]),
                                           .weight = given(in[3]), .eps = a->v[0]))

/* stride, padding, kernel, dilation; size of the image */
#define KERNEL \
    { at(a, 4), at(a, 5) }
#define SLIDING .kernel = KERNEL, .stride = STRIDE, .padding = PADDING, .dilation = {at(a, 6), at(a, 7)}
CALL(max_pool2d, tg_max_pool2d(in[0], SLIDING))
CALL(unfold, tg_unfold(in[0], SLIDING))
CALL(fold, tg_fold(in[0], at(a, 8), at(a, 9), SLIDING))
/* stride, padding, kernel, exclude_padding; size of the image */
#define MEANS .kernel = KERNEL, .stride = STRIDE, .padding = PADDING, .exclude_padding = a->v[6] != 0
CALL(avg_pool2d, tg_avg_pool2d(in[0], MEANS))
CALL(avg_pool2d_input, tg_avg_pool2d_input(in[0], at(a, 7), at(a, 8), MEANS))
/* kernel, stride, padding, dilation; or exclude_padding */
#define ALONG .kernel = at(a, 0), .stride = at(a, 1), .padding = at(a, 2)
CALL(max_pool1d, tg_max_pool1d(in[0], ALONG, .dilation = at(a, 3)))
CALL(avg_pool1d, tg_avg_pool1d(in[0], ALONG, .exclude_padding = a->v[3] != 0))
CALL(adaptive_avg_pool1d, tg_adaptive_avg_pool1d(in[0], at(a, 0)))
CALL(adaptive_avg_pool2d, tg_adaptive_avg_pool2d(in[0], at(a, 0), at(a, 1)))

static tg_tensor *call_max_pool2d_index(tg_tensor *const *in, const arguments *a) {
    tg_tensor *index = NULL, *value = tg_max_pool2d(in[0], SLIDING, .index = &index);
    return index ? index : value;
}

static tg_tensor *call_max_pool1d_index(tg_tensor *const *in, const arguments *a) {
    tg_tensor *index = NULL;
    tg_max_pool1d(in[0], ALONG, .dilation = at(a, 3), .index = &index);
    return index;
}

/* causal, scale */
CALL(attention,
     tg_scaled_dot_product_attention(in[0], in[1], in[2], .causal = a->v[0] != 0, .scale = a->v[1]))
CALL(attention_mask, tg_scaled_dot_product_attention(in[0], in[1], in[2], .causal = a->v[0] != 0,
                                                     .scale = a->v[1], .mask = given(in[3])))
static tg_tensor *call_attention_logsumexp(tg_tensor *const *in, const arguments *a) {
    tg_tensor *lse = NULL, *y = tg_scaled_dot_product_attention(in[0], in[1], in[2], .causal = a->v[0] != 0,
                                                                .scale = a->v[1], .logsumexp = &lse);
    return tg_is_poison(y) ? y : lse;
}
/* x with itself, and a mask */
CALL(attention_self_mask,
     tg_scaled_dot_product_attention(in[0], in[0], in[0], .causal = a->v[0] != 0, .mask = given(in[1])))
/* both outputs: out + logsumexp */
static tg_tensor *call_attention_both(tg_tensor *const *in, const arguments *a) {
    tg_tensor *lse = NULL, *y = tg_scaled_dot_product_attention(in[0], in[1], in[2], .causal = a->v[0] != 0,
                                                                .scale = a->v[1], .logsumexp = &lse);
    return tg_add(y, tg_unsqueeze(lse, -1));
}
/* with a mask that hides all */
CALL(attention_hidden, tg_scaled_dot_product_attention(in[0], in[1], in[2], .causal = a->n > 0,
                                                       .mask = tg_zeros(TG_BOOL, 1, 1)))
/* offset, base, interleaved */
CALL(rotary, tg_rotary(in[0], .offset = at(a, 0), .base = a->v[1], .interleaved = a->v[2] != 0))

/* size, align_corners; or scale */
CALL(nearest, tg_interpolate(in[0], .size = {at(a, 0), at(a, 1)}))
CALL(nearest_scale, tg_interpolate(in[0], .scale = {a->v[0], a->v[1]}))
CALL(bilinear,
     tg_interpolate(in[0], .size = {at(a, 0), at(a, 1)}, .align_corners = a->v[2] != 0, .mode = TG_BILINEAR))
CALL(bilinear_scale, tg_interpolate(in[0], .scale = {a->v[0], a->v[1]}, .mode = TG_BILINEAR))

#define SELF(name) \
    { #name, #name, call_##name }
#define WITH(name, op) \
    { #name, #op, call_##name }
#define MADE_OF(name, op) \
    { #name, #op, call_##name, .composed = true }
static const call calls[] = {
    SELF(conv2d),
    SELF(conv2d_input),
    SELF(conv2d_weight),
    SELF(layer_norm),
    SELF(rms_norm),
    SELF(batch_norm),
    SELF(max_pool2d),
    SELF(avg_pool2d),
    SELF(avg_pool2d_input),
    SELF(unfold),
    SELF(fold),
    SELF(rotary),
    {"max_pool2d_index", "max_pool2d", call_max_pool2d_index},
    {"adaptive_avg_pool2d", "avg_pool2d", call_adaptive_avg_pool2d},
    /* the same ops with their optional inputs */
    WITH(conv2d_bias, conv2d),
    WITH(layer_norm_affine, layer_norm),
    WITH(batch_norm_alone, batch_norm),
    WITH(batch_norm_eval, batch_norm),
    WITH(batch_norm_eval_weight, batch_norm),
    WITH(rms_norm_weight, rms_norm),
    {"attention", "scaled_dot_product_attention", call_attention, false, "scaled_dot_product_attention"},
    {"attention_mask", "scaled_dot_product_attention", call_attention_mask, false, "scaled_dot_product_attention"},
    {"attention_hidden", "scaled_dot_product_attention", call_attention_hidden, false, "scaled_dot_product_attention"},
    {"attention_logsumexp", "scaled_dot_product_attention", call_attention_logsumexp, false, "scaled_dot_product_attention"},
    {"attention_self_mask", "scaled_dot_product_attention", call_attention_self_mask, false, "scaled_dot_product_attention"},
    {"attention_both", "scaled_dot_product_attention", call_attention_both, true, "scaled_dot_product_attention"},
    MADE_OF(conv1d, conv2d),
    MADE_OF(conv_transpose1d, conv2d_input),
    MADE_OF(conv_transpose1d_bias, conv2d_input),
    MADE_OF(instance_norm, layer_norm),
    MADE_OF(instance_norm_affine, layer_norm),
    MADE_OF(max_pool1d, max_pool2d),
    MADE_OF(max_pool1d_index, max_pool2d),
    MADE_OF(avg_pool1d, avg_pool2d),
    MADE_OF(adaptive_avg_pool1d, avg_pool2d),
    MADE_OF(conv_transpose2d, conv2d_input),
    MADE_OF(conv_transpose2d_bias, conv2d_input),
    MADE_OF(group_norm, layer_norm),
    MADE_OF(group_norm_alone, layer_norm),
    {"nearest", "index_select", call_nearest, true, "interpolate"},
    {"nearest_scale", "index_select", call_nearest_scale, true, "interpolate"},
    {"bilinear", "index_select", call_bilinear, true, "interpolate"},
    {"bilinear_scale", "index_select", call_bilinear_scale, true, "interpolate"},
};

extern const call_table calls_structured;
const call_table calls_structured = {calls, COUNT(calls)};
