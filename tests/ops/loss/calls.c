/* Calls of softmax and cross-entropy. */
#include "tests/ops/harness.h"

/* Options that a call leaves out are as usual. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { return expression; }

CALL(softmax, tg_softmax(in[0], (int)a->v[0]))         /* axis */
CALL(log_softmax, tg_log_softmax(in[0], (int)a->v[0])) /* axis */

static tg_tensor *call_softmax_cross_entropy(tg_tensor *const *in, const arguments *a) {
    (void)a;
    return tg_softmax_cross_entropy(in[0], in[1]);
}

#define SELF(name) \
    { #name, #name, call_##name }
static const call calls[] = {
    SELF(softmax),
    SELF(log_softmax),
    SELF(softmax_cross_entropy),
};

extern const call_table calls_loss;
const call_table calls_loss = {calls, COUNT(calls)};
