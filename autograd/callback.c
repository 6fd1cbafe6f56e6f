/* Around every function that the library calls in the middle of its work on the tape. */
#include "autograd/tape_private.h"

tg_callback tg_callback_begin(void) {
    tg_tape *tape = tg_tape_get();
    tg_callback c = {.tape = tape, .recording = !tg_grad_off};
    if (!tape) return c;
    tg_callback_outer outer = tg_callback_enter(tape);
    c.serial = tape->serial, c.number = tape->callback;
    c.outer = outer.callback, c.depth = tape->depth++;
    if (c.depth < TG_MAX_OPEN) tape->open[c.depth] = c.number;
    c.named = tg_named_begin(NULL);
    return c;
}

/* Begun, neither ended nor inside one that has, and no op or walk has begun since that still runs. */
static bool is_open(const tg_callback *c) {
    const tg_tape *tape = c->tape;
    if (!tg_tape_is_ours(tape, c->serial) || c->depth < 0 || c->depth >= tape->depth || c->outer >= c->number)
        return false;
    if (c->depth >= TG_MAX_OPEN) return c->number <= tape->callback;
    bool innermost = tape->depth > TG_MAX_OPEN || tape->callback == tape->open[tape->depth - 1];
    return innermost && c->number == tape->open[c->depth];
}

tg_status tg_callback_end(tg_callback c, tg_status status, const char *who) {
    if (!is_open(&c))
        return tg_fail(TG_ERR_TAPE,
                       "tg_callback_end: no tg_callback_begin gave this, or it has ended already (%s)",
                       who ? who : "for nobody");
    tg_named_end(&c.named);
    tg_grad_off = !c.recording;
    return tg_callback_leave(c.tape, (tg_callback_outer){c.outer, c.depth}, status, who);
}

tg_status tg_callback_failed(tg_tape *tape, tg_status status, const char *who) {
    bool switched = tg_tape_now != tape;
    if (switched) tg_tape_put_back(tape);
    if (!who) who = "a function called by the library";
    if ((unsigned)status > TG_ERR_FORMAT)
        return tg_fail(TG_ERR_ARGUMENT, "%s: the function returned %d, which is no status", who, (int)status);
    if (status != TG_OK)
        return tg_fail(status, "%s: the function failed without a message (tg_fail gives one)", who);
    return tg_fail(TG_ERR_TAPE, "%s: the function left another tape current than the one it was called on",
                   who);
}

tg_slot *tg_callback_result(const tg_tensor *y, const char *who) {
    if (!y) tg_fail(TG_ERR_ARGUMENT, "%s: the function returned NULL", who);
    if (tg_is_poison(y)) tg_fail(TG_ERR_LIFETIME, "%s: the function returned the result of a failed op", who);
    return tg_is_poison(y) ? NULL : tg_slot_with_data(y, who);
}
