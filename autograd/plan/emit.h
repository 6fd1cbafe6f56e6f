/* Private. What groups (emit.c) and straight parts (straight_text.c) are written as C with. */
#ifndef TG_AUTOGRAD_PLAN_EMIT_H
#define TG_AUTOGRAD_PLAN_EMIT_H

#include "autograd/plan/program.h"
#include "core/kernels/simd/text.h"

#include <stdio.h>

/* The expression of variables v0, v1, .. of these numbers. True: its two parameters and the closing parenthesis are still to be
 * written. A fold has none. */
bool tg_emit_expression(FILE *file, const tg_expression *x, const int *v);

/* The end of the line: which call it is of. */
void tg_emit_comment(FILE *file, const tg_plan_call *c);

/* The straight parts of one type, each once. How many functions that are; -1: out of memory. */
int64_t tg_emit_straight(FILE *file, tg_program *p, int dtype);

#endif
