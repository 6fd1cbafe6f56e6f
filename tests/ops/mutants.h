/* Wrong gradients, and the ops that have them. mutations.c has the list, mutants.c plants it. */
#ifndef TG_TESTS_OPS_MUTANTS_H
#define TG_TESTS_OPS_MUTANTS_H

#include "tests/ops/harness.h"

typedef struct mutant mutant;

/* Changes din[m->input]; false: the mutation cannot be here. */
typedef bool (*mutation_fn)(const mutant *m, const tg_node *node, tg_tensor *const *dout, tg_tensor **din);

typedef struct mutation {
    const char *name;
    mutation_fn fn;                           /* NULL: the kernel overwrites what it should add to */
    int order;                                /* of the check that must catch it */
    unsigned kinds;                           /* of the trials to plant it in */
    bool (*must)(const tg_op *op, int input); /* where it must be possible; NULL: nowhere */
} mutation;

struct mutant {
    tg_op op; /* first, so that a node's op leads here */
    const tg_op *original;
    const mutation *how; /* NULL: unchanged */
    int input;
    bool planted;
};

extern const mutation mutations[];
extern const int n_mutations;

#endif
