/* Private. Recording: the node that stands for one application of an op, and what it holds on to. */
#ifndef TG_AUTOGRAD_APPLY_H
#define TG_AUTOGRAD_APPLY_H

#include "autograd/tape_private.h"

/* Puts the application of op on the tape: outputs `out` become results that require a gradient, and what op->save
 * names is pinned. `slots` are the inputs' (NULL: left out). */
tg_status tg_record(const tg_op *op, tg_slot *const *slots, int n_in, tg_slot *const *out, int n_out,
                    const void *attr);

/* Which output of its node s is. */
int tg_output_index(const tg_slot *s);

/* Whether the set names number i of a node's inputs and, behind these n_in, its outputs; TG_ALL_IN means inputs beyond the
 * sixteenth too. */
static inline bool tg_saves(unsigned set, int n_in, int i) {
    if (i >= n_in) return set & TG_OUT(i - n_in);
    return i < 16 ? set >> i & 1 : (set & TG_ALL_IN) == TG_ALL_IN;
}

/* Calls fn for the slot of each input and output in `saved`, the node's set, that is still alive. k counts all in the set, in
 * the order of the node's versions. Stops at the first failure. */
tg_status tg_each_saved(const tg_node *node, unsigned saved,
                        tg_status (*fn)(const tg_node *node, tg_slot *s, int k));

/* The versions of what the node saved, when it was saved: the low half of each, which 2^32 changes in place bring back. */
uint32_t *tg_node_versions(const tg_node *node);

/* Gives up what the node saved, once. */
void tg_node_unsave(tg_node *node);

#endif
