/* Exact cases of the recurrent ops: the order of the gates, with gates open (1000) or shut (-1000). */
#include "tests/ops/cases.h"

#define STEPS(t, w, ...) \
    { \
        1 + 3, {1, t, w}, { __VA_ARGS__ } \
    }
#define ON 1000
#define OFF -1000

static const convention cases[] = {
    {"lstm_cell, the second gate keeps the cell",
     "lstm_cell_all",
     {0},
     {MATRIX(1, 4, OFF, ON, 0, OFF), MATRIX(1, 1, 3)},
     MATRIX(1, 6, 0, 3, 0, 1, 0, 0),
     {MATRIX(1, 4, 0, 0, 0, 0), MATRIX(1, 1, 1)},
     .seed = MATRIX(1, 6, 1, 1, 0, 0, 0, 0)},
    {"lstm_cell, the first gate lets the third in",
     "lstm_cell_all",
     {0},
     {MATRIX(1, 4, ON, OFF, ON, OFF), MATRIX(1, 1, 3)},
     MATRIX(1, 6, 0, 1, 1, 0, 1, 0),
     {MATRIX(1, 4, 0, 0, 0, 0), MATRIX(1, 1, 0)},
     .seed = MATRIX(1, 6, 1, 1, 1, 1, 1, 1)},
    {"lstm_scan starts from zeros",
     "lstm_scan",
     {0},
     {STEPS(2, 4, 0, 0, 0, 0, 0, 0, 0, 0), MATRIX(4, 1, 1, 1, 1, 1)},
     STEPS(2, 1, 0, 0)},
    {"gru_cell, the second gate keeps the state",
     "gru_cell_all",
     {0},
     {MATRIX(1, 3, ON, ON, 0), MATRIX(1, 3, 0, 0, 0), MATRIX(1, 1, 3)},
     MATRIX(1, 5, 3, 1, 1, 0, 0),
     {MATRIX(1, 3, 0, 0, 0), MATRIX(1, 3, 0, 0, 0), MATRIX(1, 1, 1)},
     .seed = MATRIX(1, 5, 1, 0, 0, 0, 0)},
    {"gru_cell, the first gate shuts off what comes from the state",
     "gru_cell_all",
     {0},
     {MATRIX(1, 3, OFF, OFF, ON), MATRIX(1, 3, 0, 0, 5), MATRIX(1, 1, 3)},
     MATRIX(1, 5, 1, 0, 0, 1, 5),
     {MATRIX(1, 3, 0, 0, 0), MATRIX(1, 3, 0, 0, 0), MATRIX(1, 1, 0)},
     .seed = MATRIX(1, 5, 1, 0, 0, 0, 0)},
    {"gru_scan starts from zeros",
     "gru_scan",
     {0},
     {STEPS(2, 3, 0, 0, 0, 0, 0, 0), MATRIX(3, 1, 1, 1, 1)},
     STEPS(2, 1, 0, 0)},
};

extern const convention_table conventions_recurrent;
const convention_table conventions_recurrent = {cases, COUNT(cases)};
