/* What the tests of the checker have counted: cases of the corpus, and ops at fault. */
#ifndef TESTS_AUTOGRAD_CHECK_COUNTS_H
#define TESTS_AUTOGRAD_CHECK_COUNTS_H

#include <stdbool.h>

typedef struct check_counts {
    int cases, alarms, passes; /* of the corpus; right gradients that failed, and others that passed */
    int planted, localised;    /* rules that were damaged, and those of them that the report named */
} check_counts;

/* In memory that is shared with the processes in which Check runs the tests. Tests run one after the other. */
extern check_counts *counts;

bool counts_begin(void); /* false: there is no such memory */
void counts_print(void); /* "corpus 44, false alarms 0, false passes 0, localised 199 of 199" */

#endif
