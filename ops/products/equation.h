/* Private. The equation of an Einstein summation, parsed and checked against the shapes of the operands.
 *
 * Letters are numbers: A-Z, a-z, and after them eight that stand for the axes of "...". The last axis is the last of the
 * eight, so that they align as in broadcasting; after parsing they are letters like any other.
 */
#ifndef TG_OPS_PRODUCTS_EQUATION_H
#define TG_OPS_PRODUCTS_EQUATION_H

#include "ops/shared.h"

#define TG_DOTS 52
#define TG_LETTERS (TG_DOTS + TG_MAX_RANK)

typedef struct letters { /* one for each axis */
    int n, at[TG_MAX_RANK];
} letters;

typedef struct plan {
    const char *equation;
    const char *at;     /* where the parser stands in it */
    const tg_tensor *x; /* the operand whose subscript that is; NULL: the output's */
    int i;              /* the operand's number */
    int64_t size[TG_LETTERS];
    int count[TG_LETTERS]; /* how often the operands have the letter; where 0, `size` is not set */
    int last[TG_LETTERS];  /* the last operand that has the letter; n when the output has it */
    letters out;
} plan;

static inline void push(letters *l, int letter) { l->at[l->n++] = letter; }

static inline int find(const letters *l, int letter) {
    for (int i = 0; i < l->n; i++)
        if (l->at[i] == letter) return i;
    return -1;
}

static inline bool has(const letters *l, int letter) { return find(l, letter) >= 0; }

static inline void take_out(letters *l, int i) {
    l->n--;
    for (; i < l->n; i++) l->at[i] = l->at[i + 1];
}

/* Parses p->equation, which is set, for its n operands and fills the rest of *p; false with the error raised. */
bool tg_read_equation(plan *p, int n, tg_tensor *const *x);

/* Then returns the letters of x, the next operand, at each call. */
letters tg_next_subscript(plan *p, tg_tensor *x);

#define FAIL(p, status, format, ...) \
    (tg_fail((status), "einsum: \"%s\": " format, (p)->equation, __VA_ARGS__), false)

#endif
