/* Bad input of the recurrent ops. */
#include "tests/ops/cases.h"

static const bad table[] = {
    {"lstm_cell", {0}, {SHAPE(2, 6), SHAPE(2, 1)}, TG_ERR_SHAPE, {"left [2, 6]", "[n, 4 h]"}},
    {"lstm_cell", {0}, {SHAPE(8), SHAPE(2)}, TG_ERR_SHAPE, {"left [8]"}},
    {"lstm_cell", {0}, {SHAPE(2, 8), SHAPE(2, 3)}, TG_ERR_SHAPE, {"right [2, 3]", "left [2, 8]", "must have the shape [2, 2]"}},
    {"lstm_cell", {0}, {SHAPE_OF(I32, 2, 8), SHAPE(2, 2)}, TG_ERR_DTYPE, {"left [2, 8] i32"}},
    {"lstm_cell", {0}, {SHAPE(2, 8), SHAPE_OF(I64, 2, 2)}, TG_ERR_DTYPE, {"right [2, 2] i64"}},
    {"lstm_scan", {0}, {SHAPE(2, 8), SHAPE(8, 2)}, TG_ERR_SHAPE, {"left [2, 8]", "[n, t, 4 h]"}},
    {"lstm_scan", {0}, {SHAPE(2, 3, 8), SHAPE(2, 8)}, TG_ERR_SHAPE, {"right [2, 8]", "[8, 2]"}},
    {"lstm_scan", {0}, {SHAPE(2, 3, 8), SHAPE_OF(I32, 8, 2)}, TG_ERR_DTYPE, {"right [8, 2] i32"}},
    {"lstm_scan_cells", {0}, {SHAPE(2, 3, 8), SHAPE(8, 2), SHAPE(3, 2)}, TG_ERR_SHAPE, {"third [3, 2]"}},
    {"gru_cell", {0}, {SHAPE(2, 8), SHAPE(2, 8), SHAPE(2, 2)}, TG_ERR_SHAPE, {"left [2, 8]", "[n, 3 h]"}},
    {"gru_cell", {0}, {SHAPE(2, 6), SHAPE(2, 3), SHAPE(2, 2)}, TG_ERR_SHAPE, {"right [2, 3]"}},
    {"gru_cell", {0}, {SHAPE(2, 6), SHAPE(2, 6), SHAPE(1, 2)}, TG_ERR_SHAPE, {"third [1, 2]"}},
    {"gru_scan", {0}, {SHAPE(2, 6), SHAPE(6, 2)}, TG_ERR_SHAPE, {"left [2, 6]", "[n, t, 3 h]"}},
    {"gru_scan", {0}, {SHAPE_OF(BOOL, 2, 3, 6), SHAPE(6, 2)}, TG_ERR_DTYPE, {"left [2, 3, 6] bool"}},
    {"gru_scan", {0}, {SHAPE(2, 3, 6), SHAPE(6, 3)}, TG_ERR_SHAPE, {"right [6, 3]", "[6, 2]"}},
    {"rnn_scan", ARG(0), {SHAPE(2, 6), SHAPE(6, 6)}, TG_ERR_SHAPE, {"left [2, 6]", "[n, t, h]"}},
    {"rnn_scan", ARG(0), {SHAPE_OF(I64, 2, 3, 6), SHAPE(6, 6)}, TG_ERR_DTYPE, {"left [2, 3, 6] i64"}},
    {"rnn_scan", ARG(1), {SHAPE(2, 3, 6), SHAPE(6, 5)}, TG_ERR_SHAPE, {"right [6, 5]", "[6, 6]"}},
    {"rnn_scan_state", ARG(0), {SHAPE(2, 3, 6), SHAPE(6, 6), SHAPE(1, 6)}, TG_ERR_SHAPE, {"third [1, 6]", "[2, 6]"}},
    {"rnn_scan_state", ARG(0), {SHAPE(2, 3, 6), SHAPE(6, 6), SHAPE_OF(I32, 2, 6)}, TG_ERR_DTYPE, {"third [2, 6] i32"}},
};

extern const bad_table errors_recurrent;
const bad_table errors_recurrent = {table, COUNT(table)};
