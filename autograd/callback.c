/* Around every function that the library calls in the middle of its work on the tape. */
#include "autograd/tape_private.h"

tg_callback tg_callback_begin(void) {
    tg_tape *tape = tg_tape_get();
    return (tg_callback){tape, tape ? tg_callback_enter(tape) : 0, tg_named_begin(NULL), !tg_grad_off};
}

tg_status tg_callback_end(tg_callback c, tg_status status, const char *who) {
    tg_named_end(&c.named);
    tg_grad_off = !c.recording;
    return c.tape ? tg_callback_leave(c.tape, c.outer, status, who) : tg_error_status();
}

tg_status tg_callback_failed(tg_tape *tape, tg_status status, const char *who) {
    bool switched = tg_tape_now != tape;
    if (switched) tg_tape_put_back(tape);
    if (!who) who = "a function called by the library";
    if ((unsigned)status > TG_ERR_FORMAT)
        return tg_fail(TG_ERR_ARGUMENT, "%s: returned %d, which is no status", who, (int)status);
    if (status != TG_OK) return tg_fail(status, "%s: failed without a message (tg_fail gives one)", who);
    return tg_fail(TG_ERR_TAPE, "%s: left another tape current than the one it was called on", who);
}

tg_slot *tg_callback_result(const tg_tensor *y, const char *who) {
    if (!y) tg_fail(TG_ERR_ARGUMENT, "%s: the function returned NULL", who);
    if (tg_is_poison(y)) tg_fail(TG_ERR_LIFETIME, "%s: the function returned the result of a failed op", who);
    return tg_is_poison(y) ? NULL : tg_slot_with_data(y, who);
}
