/* Ctrl-C, for loops that end a piece of work before they leave.
 *
 *     tg_interrupts_catch(true);
 *     while (!tg_interrupted() && ..) step();
 *     tg_interrupts_catch(false);
 *     save();
 */
#ifndef TG_OPS_NN_TRAIN_INTERRUPT_H
#define TG_OPS_NN_TRAIN_INTERRUPT_H

#include "core/error.h"

#ifdef __cplusplus
extern "C" {
#endif

/* From true on to as many falses, the first SIGINT makes tg_interrupted true instead of ending the process; a second one
 * does what it did before the library was asked. The last false puts back the handler that was there. Where SIGINT is
 * ignored, as in the background of a script, it stays so. It is of the whole process: all threads that ask see it. */
TG_API void tg_interrupts_catch(bool on);

/* Whether a SIGINT came since the first of these trues. */
TG_API bool tg_interrupted(void);

#ifdef __cplusplus
}
#endif

#endif
