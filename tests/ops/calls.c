/* How each public function is called from a row: inputs as tensors, everything else as numbers. */
#include "tests/ops/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* A call is no composition unless it says so. */
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

/* Numbers from position `from` on, as a shape or list of axes. */
static tg_shape dims(const arguments *a, int from) {
    tg_shape s = {0, {0}};
    for (int i = from; i < a->n && s.rank < TG_MAX_RANK; i++) s.dim[s.rank++] = (int64_t)a->v[i];
    return s;
}

static int axis(const arguments *a, int i) { return (int)a->v[i]; }
static int64_t bound(const arguments *a, int i) { return isinf(a->v[i]) ? TG_END : (int64_t)a->v[i]; }

#define UNARY(name) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { \
        (void)a; \
        return tg_##name(in[0]); \
    }
#define BINARY(name) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { \
        (void)a; \
        return tg_##name(in[0], in[1]); \
    }
#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { return expression; }

BINARY(add)
BINARY(sub)
BINARY(mul)
BINARY(div)
BINARY(matmul)
BINARY(eq)
BINARY(ne)
BINARY(lt)
BINARY(le)
BINARY(gt)
BINARY(ge)
UNARY(neg)
UNARY(exp)
UNARY(log)
UNARY(sqrt)
UNARY(square)
UNARY(abs)
UNARY(tanh)
UNARY(sigmoid)
UNARY(relu)
UNARY(softplus)
UNARY(logsigmoid)
UNARY(sign)
UNARY(contiguous)
CALL(affine, tg_affine(in[0], a->v[0], a->v[1]))      /* scale, shift */
CALL(add_scalar, tg_add_scalar(in[0], a->v[0]))
CALL(mul_scalar, tg_mul_scalar(in[0], a->v[0]))
CALL(sum, tg_sum(in[0], .keepdim = a->v[0] != 0, .axes = dims(a, 1)))   /* keepdim, axes */
CALL(mean, tg_mean(in[0], .keepdim = a->v[0] != 0, .axes = dims(a, 1)))
CALL(amax, tg_amax(in[0], .keepdim = a->v[0] != 0, .axes = dims(a, 1)))
CALL(max, tg_max(in[0], .keepdim = a->v[0] != 0, .axis = axis(a, 1)))   /* keepdim, axis */
CALL(argmax, tg_argmax(in[0], axis(a, 0)))
CALL(sum_to, tg_sum_to(in[0], dims(a, 0)))
CALL(reshape, (tg_reshape)(in[0], dims(a, 0)))
CALL(permute, (tg_permute)(in[0], dims(a, 0)))
CALL(transpose, tg_transpose(in[0], axis(a, 0), axis(a, 1)))
CALL(slice, tg_slice(in[0], axis(a, 0), bound(a, 1), bound(a, 2), bound(a, 3))) /* axis, start, stop, step */
/* the same, after x and src */
CALL(slice_scatter, tg_slice_scatter(in[0], in[1], axis(a, 0), bound(a, 1), bound(a, 2), bound(a, 3)))
CALL(expand, (tg_expand)(in[0], dims(a, 0)))
CALL(squeeze, tg_squeeze(in[0], axis(a, 0)))
CALL(unsqueeze, tg_unsqueeze(in[0], axis(a, 0)))
CALL(to, tg_to(in[0], (tg_dtype)axis(a, 0)))
CALL(softmax, tg_softmax(in[0], axis(a, 0)))
CALL(log_softmax, tg_log_softmax(in[0], axis(a, 0)))
BINARY(softmax_cross_entropy)
CALL(gather, tg_gather(in[0], axis(a, 0), in[1]))
CALL(scatter_add, tg_scatter_add(in[0], axis(a, 0), in[1], in[2]))
CALL(index_select, tg_index_select(in[0], axis(a, 0), in[1]))
CALL(masked_fill, tg_masked_fill(in[0], in[1], a->v[0]))

static tg_tensor *call_where(tg_tensor *const *in, const arguments *a) {
    (void)a;
    return tg_where(in[0], in[1], in[2]);
}

/* x through the other float type and back, so that `to` can be held against differences in f64. */
static tg_tensor *call_to_and_back(tg_tensor *const *in, const arguments *a) {
    (void)a;
    tg_dtype f = tg_dtype_of(in[0]);
    return tg_to(tg_to(in[0], f == TG_F64 ? TG_F32 : TG_F64), f);
}

/* The index output of tg_max. */
static tg_tensor *call_max_index(tg_tensor *const *in, const arguments *a) {
    tg_tensor *index = NULL;
    tg_tensor *value = tg_max(in[0], .keepdim = a->v[0] != 0, .axis = axis(a, 1), .index = &index);
    return index ? index : value;
}

#define SELF(name) {#name, #name, call_##name}
static const call calls[] = {
    SELF(add), SELF(sub), SELF(mul), SELF(div), SELF(affine), SELF(matmul),
    SELF(exp), SELF(log), SELF(sqrt), SELF(square), SELF(abs), SELF(tanh), SELF(sigmoid),
    SELF(relu), SELF(softplus), SELF(logsigmoid), SELF(sign),
    SELF(sum), SELF(mean), SELF(amax), SELF(max), SELF(argmax), SELF(sum_to),
    SELF(reshape), SELF(permute), SELF(slice), SELF(slice_scatter), SELF(expand), SELF(contiguous), SELF(to),
    SELF(softmax), SELF(log_softmax), SELF(softmax_cross_entropy), SELF(gather), SELF(scatter_add), SELF(index_select),
    SELF(eq), SELF(ne), SELF(lt), SELF(le), SELF(gt), SELF(ge), SELF(where), SELF(masked_fill),
    {"add_scalar", "affine", call_add_scalar}, {"mul_scalar", "affine", call_mul_scalar},
    {"neg", "affine", call_neg}, {"transpose", "permute", call_transpose},
    {"squeeze", "reshape", call_squeeze}, {"unsqueeze", "reshape", call_unsqueeze},
    {"to_and_back", "to", call_to_and_back, false, "tg_dtype_of"}, {"max_index", "max", call_max_index},
};

/* The rooms' stand in tests/ops/<room>/calls.c. */
#define DECLARED(room) extern const call_table calls_##room;
#define LISTED(room) &calls_##room,
ROOMS(DECLARED)

const call *find_call(const char *name) {
    const call_table *const tables[] = {
        &(call_table){calls, COUNT(calls)},
        ROOMS(LISTED)
    };
    for (int t = 0; t < COUNT(tables); t++)
        for (int i = 0; i < tables[t]->n; i++)
            if (strcmp(tables[t]->calls[i].name, name) == 0) return &tables[t]->calls[i];
    return NULL;
}

const tg_op *op_of(const call *c) { return tg_op_find(c->op); }

int op_index(const tg_op *op) {
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    for (int i = 0; i < n; i++)
        if (table[i].op == op) return i;
    return -1;
}

bool chosen(const tg_op *op) {
    const char *list = getenv("TG_OP");
    size_t n = strlen(op->name);
    for (const char *at = list; at && *at; at += strcspn(at, ","), at += *at == ',')
        if (strncmp(at, op->name, n) == 0 && (at[n] == ',' || at[n] == '\0')) return true;
    return !list || !*list;
}

bool has_gradient(const tg_op *op) { return op->grad && op->grad != TG_NO_GRAD; }
