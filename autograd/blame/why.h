/* Why a gradient is missing, zero, or not finite.
 *
 *     char text[512];
 *     if (tg_why(w, loss, text, sizeof text) != TG_CAUSE_NONE) puts(text);
 *
 *     the gradient of fc1.weight [128, 784] f32 is zero: relu at train.c:41 passes nothing on: at all 8192 elements that a gradient
 *     reaches its slope is 0, its input there being from -3.1 to -0.2
 *
 * It is to be called where the question comes up, after tg_backward and before the tape is rewound.
 */
#ifndef TG_AUTOGRAD_BLAME_WHY_H
#define TG_AUTOGRAD_BLAME_WHY_H

#include "autograd/backward.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tg_cause {
    TG_CAUSE_UNKNOWN, /* it cannot be known any more, and the text says why; also where an error was raised */
    TG_CAUSE_NONE, /* it is there, finite, and not all zero; the text says what stops most of it, where parts are, and that the loss
                    * is no number, where that is so */

    /* There is none, */
    TG_CAUSE_GONE,          /* because the tensor, or the loss, was freed or rewound */
    TG_CAUSE_NOT_REQUIRED,  /* because nobody asked for one: tg_param, tg_set_requires_grad */
    TG_CAUSE_DETACHED,      /* because tg_detach has cut the way */
    TG_CAUSE_RECORDING_OFF, /* because recording was off (tg_set_grad_enabled) when something was made */
    TG_CAUSE_NO_RULE,      /* because an op on the way has no gradient (TG_NO_GRAD), or none for this input */
    TG_CAUSE_NOT_USED,     /* because no recorded op reads it */
    TG_CAUSE_NO_PATH,      /* because what it goes into does not lead to the loss */
    TG_CAUSE_NO_BACKWARD,  /* because no backward has walked the graph yet */
    TG_CAUSE_NOT_RETAINED, /* because it is a result, and nobody called tg_retain_grad */
    TG_CAUSE_CLEARED, /* because it has been cleared since the walk, or the walk was tg_grad's, which leaves none */

    /* It is there, but */
    TG_CAUSE_NOT_FINITE, /* has a NaN or an infinity */
    TG_CAUSE_DEAD,       /* is zero: a function in pieces, such as relu, stands on a flat one everywhere */
    TG_CAUSE_SATURATED, /* is zero: the slope of a smooth function, such as sigmoid, has rounded to zero everywhere */
    TG_CAUSE_MASKED,    /* is zero: another input of an op multiplies by zero, or chooses something else */
    TG_CAUSE_CANCELLED, /* is zero: contributions that are not add up to zero */
    TG_CAUSE_NO_SLOPE   /* is zero: the rule of some other op says so */
} tg_cause;

/* Why the gradient of t is what it is, in at most n bytes with the final NUL, and in one word. `loss` is what tg_backward was called
 * with; NULL: the result of one element that the tape has last. t may be any tensor: a parameter or an intermediate result.
 *
 * The gradient is the one that t has (tg_grad_of), or else what tg_backward(loss) would leave. To see where a zero or a NaN arises
 * the graph of the loss is walked again, in private: no tensor's gradient is touched, and no hook run. Where that
 * cannot be done, because what it needs was dropped or changed in place since (as by a step of the optimiser), the
 * cause is TG_CAUSE_UNKNOWN. An op that was not recorded leaves no trace of its inputs, so where one may have cut the way the text
 * says so and no more; a tensor that was cut off by tg_detach is known by its elements, which it shares.
 * TG_CAUSE_UNKNOWN with an error raised, TG_ERR_ARGUMENT for NULL and for a `text` that is NULL; with none and no text while
 * an error is pending, so tg_error_clear comes first. */
TG_API tg_cause tg_why(const tg_tensor *t, const tg_tensor *loss, char *text, size_t n);

#ifdef __cplusplus
}
#endif

#endif
