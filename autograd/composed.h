/* Functions made of other functions, which to their caller are one:
 *
 *     tg_tensor *swish(tg_tensor *x) {
 *         TG_COMPOSED("swish");
 *         return tg_mul(x, tg_sigmoid(x));
 *     }
 *
 * From there to the end of the block an error names swish, where it would name the function inside that raised it
 * (TG_NAMED, core/error.h), and when one was raised, what the block has put on the tape goes with its end. Handles that
 * it gave out through pointers are stale then: set those to tg_poison(). */
#ifndef TG_AUTOGRAD_COMPOSED_H
#define TG_AUTOGRAD_COMPOSED_H

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

#define TG_COMPOSED(name) \
    tg_composed tg_this_composition __attribute__((cleanup(tg_composed_end), unused)) = \
        tg_composed_begin(name)

/* What the macro calls, and what it holds meanwhile. */
typedef struct tg_composed {
    const char *outer;
    bool outermost; /* and no error was pending: the mark is set */
    tg_mark mark;
} tg_composed;
TG_API tg_composed tg_composed_begin(const char *name);
TG_API void tg_composed_end(const tg_composed *composed);

#ifdef __cplusplus
}
#endif
#endif
