/* Private. What the pages and the JSON of reports are made of, of tensors (gradcheck.h) and of plain arrays (function.h). */
#ifndef TG_AUTOGRAD_CHECK_PAGES_H
#define TG_AUTOGRAD_CHECK_PAGES_H

#include "autograd/check/verdict.h"

#include <stdint.h>
#include <stdio.h>

/* The columns of a page: their heads, with `last` as the head of what follows them, and a row, whose line is not ended. */
void tg_check_write_heads(FILE *file, const char *last);
void tg_check_write_counts(FILE *file, const int64_t verdicts[6], int64_t left_out);

/* "noise of a value ..; evaluations ..": of so many derivatives, since `began`. */
void tg_check_write_costs(FILE *file, const tg_evidence *e, int64_t evaluations, int64_t compared,
                          int64_t began);

/* How many have any verdict. */
int64_t tg_check_judged(const int64_t verdicts[6]);

void tg_check_json_string(FILE *file, const char *string);
void tg_check_json_number(FILE *file, const char *name, double x); /* ,"name":x, or null where x is not finite */

/* "judged":1,"left_out":0,"noticed":1,"correct":1,.. */
void tg_check_json_counts(FILE *file, int64_t judged, const int64_t verdicts[6], int64_t noticed,
                          int64_t left_out);

/* "verdict":"..","analytic":.. and so on. */
void tg_check_json_evidence(FILE *file, const tg_evidence *e);

#endif
