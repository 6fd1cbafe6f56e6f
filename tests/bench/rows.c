/* Elementwise functions and row reductions of 2^20 numbers, forward and back with a given seed gradient: what moves
 * memory, and computes little. */
#include "bench.h"

#include <stdlib.h>

enum { ROWS = SHARE(2048), COLUMNS = 512 };

typedef struct function {
    tg_tensor *x, *seed;
    tg_tensor *(*f)(tg_tensor *x);
} function;

static void *function_make(tg_tensor *x, tg_tensor *seed, tg_tensor *(*f)(tg_tensor *)) {
    function *s = malloc(sizeof *s);
    if (s) *s = (function){tg_param(x), tg_keep(seed), f};
    return s;
}

static void function_step(void *state) {
    function *s = state;
    tg_mark m = tg_tape_mark();
    tg_zero_grad(s->x);
    tg_backward(s->f(s->x), .seed = s->seed);
    tg_tape_rewind(m);
}

static void function_end(void *state) {
    function *s = state;
    tg_free(s->x);
    tg_free(s->seed);
    free(s);
}

static void *elements(tg_tensor *(*f)(tg_tensor *)) {
    return function_make(tg_normal(TG_F32, 0, 1, ROWS * COLUMNS), tg_ones(TG_F32, ROWS * COLUMNS), f);
}

static void *rows(tg_tensor *(*f)(tg_tensor *)) {
    tg_tensor *x = tg_normal(TG_F32, 0, 1, ROWS, COLUMNS), *seed = tg_normal(TG_F32, 0, 1, ROWS, COLUMNS);
    return function_make(x, seed, f);
}

static tg_tensor *softmax(tg_tensor *x) { return tg_softmax(x, -1); }
static tg_tensor *layer_norm(tg_tensor *x) { return tg_layer_norm(x); }
static tg_tensor *sum(tg_tensor *x) {
    return tg_expand(tg_sum(x, .axes = TG_SHAPE(-1), .keepdim = true), ROWS, COLUMNS);
}

static void *exp_make(void) { return elements(tg_exp); }
static void *tanh_make(void) { return elements(tg_tanh); }
static void *gelu_make(void) { return elements(tg_gelu); }
static void *sigmoid_make(void) { return elements(tg_sigmoid); }
static void *softmax_make(void) { return rows(softmax); }
static void *layer_norm_make(void) { return rows(layer_norm); }
static void *sum_make(void) { return rows(sum); }

static const workload table[] = {
    {"exp_1M", exp_make, function_step, function_end},
    {"tanh_1M", tanh_make, function_step, function_end},
    {"gelu_1M", gelu_make, function_step, function_end},
    {"sigmoid_1M", sigmoid_make, function_step, function_end},
    {"softmax_rows", softmax_make, function_step, function_end},
    {"layernorm_rows", layer_norm_make, function_step, function_end},
    {"sum_rows", sum_make, function_step, function_end},
};

extern const workload_table row_workloads;
WORKLOADS(row_workloads, table);
