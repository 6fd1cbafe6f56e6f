/* Calls of the recurrent ops. What has several outputs is joined along the last axis. */
#include "tests/ops/harness.h"

#include <string.h>

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define CALL(name) static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a)

/* An input that an option may leave out, but a row does not: NULL is refused as for the others. */
static tg_tensor *given_to(const char *op, tg_tensor *t) {
    if (!t) tg_fail(TG_ERR_ARGUMENT, "%s: an input of the row is missing", op);
    return t ? t : tg_poison();
}
#define given(t) given_to(__func__ + strlen("call_"), (t))

CALL(lstm_cell) { return (void)a, tg_lstm_cell(in[0], in[1]); }
CALL(lstm_cell_all) {
    (void)a;
    tg_tensor *c, *gates, *h = tg_lstm_cell(in[0], in[1], .cell = &c, .gates = &gates);
    return tg_concat(-1, h, c, gates);
}
CALL(lstm_scan) { return (void)a, tg_lstm_scan(in[0], in[1]); }
CALL(lstm_scan_all) {
    (void)a;
    tg_tensor *c, *gates;
    tg_tensor *h =
        tg_lstm_scan(in[0], in[1], .h = given(in[2]), .c = given(in[3]), .cells = &c, .gates = &gates);
    return tg_concat(-1, h, c, gates);
}
CALL(lstm_scan_cells) {
    (void)a;
    tg_tensor *c;
    tg_lstm_scan(in[0], in[1], .c = given(in[2]), .cells = &c);
    return c;
}
CALL(gru_cell) { return (void)a, tg_gru_cell(in[0], in[1], in[2]); }
CALL(gru_cell_all) {
    (void)a;
    tg_tensor *gates, *h = tg_gru_cell(in[0], in[1], in[2], .gates = &gates);
    return tg_concat(-1, h, gates);
}
CALL(gru_scan) { return (void)a, tg_gru_scan(in[0], in[1]); }
CALL(gru_scan_all) {
    (void)a;
    tg_tensor *gates, *h = tg_gru_scan(in[0], in[1], .b = given(in[2]), .h = given(in[3]), .gates = &gates);
    return tg_concat(-1, h, gates);
}
CALL(gru_scan_states) { return (void)a, tg_gru_scan(in[0], in[1], .b = given(in[2]), .h = given(in[3])); }
CALL(rnn_scan) { return tg_rnn_scan(in[0], in[1], .relu = a->v[0] != 0); }
CALL(rnn_scan_state) { return tg_rnn_scan(in[0], in[1], .h = given(in[2]), .relu = a->v[0] != 0); }

#define WITH(name, op) \
    { #name, #op, call_##name }
static const call calls[] = {
    WITH(lstm_cell, lstm_cell),      WITH(lstm_cell_all, lstm_cell),   WITH(lstm_scan, lstm_scan),
    WITH(lstm_scan_all, lstm_scan),  WITH(lstm_scan_cells, lstm_scan), WITH(gru_cell, gru_cell),
    WITH(gru_cell_all, gru_cell),    WITH(gru_scan, gru_scan),         WITH(gru_scan_all, gru_scan),
    WITH(gru_scan_states, gru_scan), WITH(rnn_scan, rnn_scan),         WITH(rnn_scan_state, rnn_scan),
};

extern const call_table calls_recurrent;
const call_table calls_recurrent = {calls, COUNT(calls)};
