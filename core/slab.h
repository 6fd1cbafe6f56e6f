/* Private. Slabs: where the buffers of one number come from.
 *
 * The system gives out nothing as small as a header and 8 bytes without as much again beside it, so these buffers lie side by
 * side in slabs. A slab whose pieces have all come back goes back itself.
 */
#ifndef TG_CORE_SLAB_H
#define TG_CORE_SLAB_H

#include "core/alloc.h"

/* All pieces that one slab has free, linked through next_free, each with its class (0) and piece set; NULL on failure. */
tg_buffer *tg_slab_obtain(void);

/* From any thread. */
void tg_slab_give_back(tg_buffer *b);

#endif
