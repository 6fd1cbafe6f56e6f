/* Calls of indexing: gather and scatter, embedding, sort. */
#include "tests/ops/harness.h"

/* A call is no composition unless it says so. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

static int axis(const arguments *a, int i) { return (int)a->v[i]; }
static int64_t whole(const arguments *a, int i) { return (int64_t)a->v[i]; }

#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { return expression; }

CALL(gather, tg_gather(in[0], axis(a, 0), in[1]))
CALL(scatter_add, tg_scatter_add(in[0], axis(a, 0), in[1], in[2]))
CALL(index_select, tg_index_select(in[0], axis(a, 0), in[1]))
/* padding, padding index */
CALL(embedding, tg_embedding(in[0], in[1], .padding = a->v[0] != 0, .padding_index = whole(a, 1)))
CALL(sort, tg_sort(in[0], axis(a, 1), .descending = a->v[0] != 0))            /* descending, axis */
CALL(topk, tg_topk(in[0], whole(a, 2), axis(a, 1), .smallest = a->v[0] != 0)) /* smallest, axis, k */
CALL(scatter, tg_scatter(in[0], axis(a, 0), in[1], in[2]))
CALL(take_along_dim, tg_take_along_dim(in[0], in[1], axis(a, 0)))
CALL(one_hot, tg_one_hot(in[0], whole(a, 0))) /* classes */

static tg_tensor *call_sort_index(tg_tensor *const *in, const arguments *a) {
    tg_tensor *index = NULL;
    tg_sort(in[0], axis(a, 1), .descending = a->v[0] != 0, .index = &index);
    return index;
}

static tg_tensor *call_topk_index(tg_tensor *const *in, const arguments *a) {
    tg_tensor *index = NULL;
    tg_topk(in[0], whole(a, 2), axis(a, 1), .smallest = a->v[0] != 0, .index = &index);
    return index;
}

#define SELF(name) \
    { #name, #name, call_##name }
#define OF(op, name) \
    { #name, #op, call_##name, .composed = true }
static const call calls[] = {
    SELF(gather),
    SELF(scatter_add),
    SELF(index_select),
    OF(index_select, embedding),
    SELF(sort),
    {"sort_index", "sort", call_sort_index},
    OF(sort, topk),
    {"topk_index", "sort", call_topk_index, .composed = true},
    SELF(scatter),
    OF(gather, take_along_dim),
    OF(scatter, one_hot),
};

extern const call_table calls_index;
const call_table calls_index = {calls, COUNT(calls)};
