/* Private. The question of tg_why, between its parts. */
#ifndef TG_AUTOGRAD_BLAME_WHY_PRIVATE_H
#define TG_AUTOGRAD_BLAME_WHY_PRIVATE_H

#include "autograd/blame/blame.h"
#include "autograd/blame/why.h"

typedef struct tg_question {
    tg_slot *t, *loss; /* loss NULL: there is none on the tape */
    FILE *file;
} tg_question;

/* Why the gradient of t that the loss gives is zero. `stored`: t has one, and that is. */
tg_cause tg_why_zero(const tg_question *q, bool stored);

/* Writes which op stops the largest part of a gradient that is not all zero, where one does. */
void tg_why_partly(const tg_question *q);

#endif
