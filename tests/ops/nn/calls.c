/* Calls of the losses, which are compositions: the first number of these is the reduction. */
#include "tests/ops/harness.h"

#include <string.h>

/* Options that a call leaves out are as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* Numbers that a row leaves out are 0, the default. */
/* A weight that may not be left out here. */
static tg_tensor *given_to(const char *name, tg_tensor *weight) {
    if (!weight) tg_fail(TG_ERR_ARGUMENT, "%s: an input of the row is missing", name);
    return weight ? weight : tg_poison();
}
#define GIVEN(weight) given_to(__func__ + strlen("call_"), (weight))
#define R .reduction = (tg_loss_reduction)(int)a->v[0]
#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { return expression; }

CALL(mse_loss, tg_mse_loss(in[0], in[1], R))
CALL(l1_loss, tg_l1_loss(in[0], in[1], R))
CALL(huber_loss, tg_huber_loss(in[0], in[1], R, .delta = a->v[1]))                      /* delta */
CALL(smooth_l1_loss, tg_smooth_l1_loss(in[0], in[1], R, .beta = a->v[1]))               /* beta */
CALL(kl_div, tg_kl_div(in[0], in[1], R, .log_target = a->v[1] != 0))                    /* log_target */
CALL(hinge_embedding_loss, tg_hinge_embedding_loss(in[0], in[1], R, .margin = a->v[1])) /* margin */
CALL(hinge_loss, tg_hinge_loss(in[0], in[1], R, .margin = a->v[1]))
CALL(gaussian_nll_loss,
     tg_gaussian_nll_loss(in[0], in[1], in[2], R, .full = a->v[1] != 0, .eps = a->v[2]))  /* full, eps */
CALL(cosine_similarity, tg_cosine_similarity(in[0], in[1], (int)a->v[0], .eps = a->v[1])) /* axis, eps */
CALL(binary_cross_entropy, tg_binary_cross_entropy(in[0], in[1], R))
CALL(binary_cross_entropy_weight, tg_binary_cross_entropy(in[0], in[1], R, .weight = GIVEN(in[2])))
CALL(bce_with_logits, tg_binary_cross_entropy_with_logits(in[0], in[1], R))
CALL(bce_pos_weight, tg_binary_cross_entropy_with_logits(in[0], in[1], R, .pos_weight = GIVEN(in[2])))
CALL(bce_weight, tg_binary_cross_entropy_with_logits(in[0], in[1], R, .weight = GIVEN(in[2])))

/* label_smoothing, whether to ignore, ignore_index */
CALL(cross_entropy, tg_cross_entropy(in[0], in[1], R, .label_smoothing = a->v[1], .ignore = a->v[2] != 0,
                                     .ignore_index = (int64_t)a->v[3]))
CALL(cross_entropy_weight, tg_cross_entropy(in[0], in[1], R, .weight = GIVEN(in[2]), .label_smoothing = a->v[1],
                                            .ignore = a->v[2] != 0, .ignore_index = (int64_t)a->v[3]))
/* whether to ignore, ignore_index */
CALL(nll_loss, tg_nll_loss(in[0], in[1], R, .ignore = a->v[1] != 0, .ignore_index = (int64_t)a->v[2]))
CALL(nll_loss_weight, tg_nll_loss(in[0], in[1], R, .weight = GIVEN(in[2]), .ignore = a->v[1] != 0,
                                  .ignore_index = (int64_t)a->v[2]))

#define OF(name, op) \
    { #name, #op, call_##name, true }
static const call calls[] = {
    OF(mse_loss, square),
    OF(l1_loss, abs),
    OF(huber_loss, clamp),
    OF(smooth_l1_loss, clamp),
    OF(kl_div, sub),
    OF(hinge_embedding_loss, where),
    OF(hinge_loss, clamp),
    OF(gaussian_nll_loss, div),
    OF(cosine_similarity, div),
    OF(binary_cross_entropy, log),
    OF(binary_cross_entropy_weight, log),
    {"bce_with_logits", "logsigmoid", call_bce_with_logits, true, "binary_cross_entropy_with_logits"},
    {"bce_pos_weight", "logsigmoid", call_bce_pos_weight, true, "binary_cross_entropy_with_logits"},
    {"bce_weight", "logsigmoid", call_bce_weight, true, "binary_cross_entropy_with_logits"},
    OF(cross_entropy, log_softmax),
    OF(cross_entropy_weight, log_softmax),
    OF(nll_loss, gather),
    OF(nll_loss_weight, gather),
};

extern const call_table calls_nn;
const call_table calls_nn = {calls, COUNT(calls)};
