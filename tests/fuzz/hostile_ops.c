/* Ops: those of the library with attributes that no wrapper has looked at, and a user's own with wrong fields. */
#include "tests/fuzz/hostile.h"

#include <string.h>

enum { N_OPS = 8 };
static tg_op ops[N_OPS]; /* nodes point to them, so they change with the sequence only */

static tg_status answer(const tg_call *call) {
    switch (below(12)) {
    case 0:
        return tg_call_fail(call, TG_ERR_SHAPE, "the op refuses: %s", tg_call_input(call, 0));
    case 1:
        return TG_ERR_DTYPE;
    case 2:
        misbehave(call->handle, call->n_in);
        return TG_OK;
    default:
        return TG_OK;
    }
}

/* The output is a view of the input, or none; then it has fields of its own. */
static void spoil_output(const tg_call *call) {
    tg_array *out = call->out[below(call->n_out)];
    if (one_in(2) && call->n_in > 0 && call->in[0]) tg_array_share(out, call->in[0]);
    if (hostile_depth) spoil_array(out);
}

static tg_status infer(const tg_call *call) {
    tg_status s = hostile_depth ? answer(call) : TG_OK;
    if (s == TG_OK && one_in(16)) return TG_OK; /* without having laid out anything */
    for (int o = 0; o < call->n_out && s == TG_OK; o++) s = tg_out(call, o, TG_F32, TG_SHAPE(2, 3));
    if (s == TG_OK && one_in(12)) spoil_output(call);
    return s;
}

static tg_status forward(const tg_call *call) {
    for (int o = 0; o < call->n_out; o++) tg_array_fill(call->out[o], 1);
    return hostile_depth ? answer(call) : TG_OK;
}

/* Errors in a rule bear the name of its op, as in a composition, and what fails there goes with the walk. */
static void grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    hostile_composed++;
    for (int i = 0; i < node->n_in; i++) {
        if (one_in(8)) continue;
        din[i] = one_in(4) && hostile_depth ? misbehave(dout, 1) : dout[0];
    }
    hostile_composed--;
}

/* The gradient of an input of another shape is refused; one that fits is a share of dout. */
static tg_status grad_kernel(const tg_node *node, const tg_array *const *dout, tg_array *din) {
    if (one_in(8)) return one_in(2) ? TG_ERR_SHAPE : tg_fail(TG_ERR_SHAPE, "hostile: the kernel refuses");
    for (int i = 0; i < node->n_in; i++)
        if (tg_needs(node, i) && dout[0] && !one_in(8)) tg_array_share(&din[i], dout[0]);
    if (node->n_in > 0 && hostile_depth && one_in(12)) spoil_array(&din[below(node->n_in)]);
    return TG_OK;
}

static const tg_op right = {
    .name = "hostile_op", .formula = "out = 1", .n_in = 1, .infer = infer, .forward = forward, .grad = grad};

/* Fields of attributes that do not lie in their struct, or are of no type. */
static void spoil_attributes(tg_op *op) {
    static const tg_attr_field wrong[] = {
        {"far", TG_ATTR_INT, 4000},        {"edge", TG_ATTR_DIMS, 8}, {"below", TG_ATTR_REAL, SIZE_MAX - 3},
        {"typeless", (tg_attr_type)77, 0}, {NULL, TG_ATTR_BOOL, 0},   {"negative", (tg_attr_type)-1, 0}};
    static const size_t sizes[] = {0, 1, 16, TG_MAX_ATTR, TG_MAX_ATTR + 1, SIZE_MAX};
    op->attrs = one_in(4) ? NULL : wrong;
    op->n_attrs = one_in(4) ? (int)monster() : COUNT(wrong);
    if (op->attrs && op->n_attrs > COUNT(wrong)) op->n_attrs = COUNT(wrong);
    op->attr_size = sizes[below(COUNT(sizes))];
}

static void spoil(tg_op *op) {
    unsigned *const sets[] = {&op->save, &op->save_f64, &op->optional, &op->no_grad, &op->accumulates};
    switch (below(8)) {
    case 0:
        op->infer = NULL;
        break;
    case 1:
        op->forward = NULL;
        break;
    case 2:
        op->grad = one_in(2) ? NULL : TG_NO_GRAD;
        break;
    case 3:
        op->n_in = (int)below(60) - 6;
        break;
    case 4:
        op->n_out = (int)below(60) - 6;
        break;
    case 5:
        *sets[below(COUNT(sets))] = (unsigned)random_bits();
        break;
    case 6:
        spoil_attributes(op);
        break;
    default:
        op->name = one_in(2) ? NULL : op->name;
        op->formula = op->kink = NULL;
        op->elementwise = one_in(2);
    }
}

void make_ops(void) {
    for (int i = 0; i < N_OPS; i++) {
        ops[i] = right;
        ops[i].n_in = (int)below(4) - 1;
        ops[i].n_out = (int)below(4);
        if (one_in(2)) ops[i].grad_kernel = grad_kernel;
        if (one_in(2)) ops[i].save = (unsigned)below(4) | (one_in(4) ? TG_OUT(0) : 0);
        if (one_in(2)) spoil(&ops[i]);
    }
}

const tg_op *draw_tg_op_p(const char *name) {
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    const tg_op *op = bad() ? NULL : one_in(2) ? &ops[below(N_OPS)] : table[below(n)].op;
    FRAME->op = op;
    note(" %s=%s", name, op && op->name ? op->name : "NULL");
    return op;
}

static void fill_field(const tg_attr_field *field, char *at) {
    switch (field->type) {
    case TG_ATTR_INT:
        *(int64_t *)(void *)at = draw_int64_t(field->name);
        break;
    case TG_ATTR_REAL:
        *(double *)(void *)at = draw_double(field->name);
        break;
    case TG_ATTR_BOOL:
        *(bool *)(void *)at = draw_bool(field->name);
        break;
    case TG_ATTR_DIMS:
        *(tg_shape *)(void *)at = draw_tg_shape(field->name);
        break;
    case TG_ATTR_DTYPE:
        *(tg_dtype *)(void *)at = (tg_dtype)draw_enum(field->name, TG_DTYPES);
        break;
    default:
        *(const char **)(void *)at = draw_text(field->name);
    }
}

/* The attributes of the op drawn before. */
const void *draw_attr(void) {
    const tg_op *op = FRAME->op;
    if (bad()) return note(" attr=NULL"), NULL;
    bool own = op >= ops && op < ops + N_OPS; /* its fields need not lie in it */
    char *attr = scratch(op && op->attr_size <= TG_MAX_ATTR ? op->attr_size : 0);
    note(" attr={");
    for (int i = 0; op && !own && i < op->n_attrs; i++) fill_field(&op->attrs[i], attr + op->attrs[i].offset);
    note(" }");
    return attr;
}

tg_call *draw_tg_call_p(const char *name) {
    if (bad() && one_in(4)) return note(" %s=NULL", name), NULL;
    tg_call *call = scratch(sizeof *call);
    tg_array **array = scratch(2 * sizeof *array);
    tg_tensor **handle = scratch(sizeof *handle);
    FRAME->badness = FRAME->badness == 2 ? 6 : FRAME->badness;
    array[0] = draw_tg_array_p(name), array[1] = scratch(sizeof(tg_array));
    handle[0] = draw_tg_tensor_p("handle");
    *call = (tg_call){.op = &right,
                      .n_in = 1,
                      .n_out = 1,
                      .in = (const tg_array *const *)array,
                      .out = array + 1,
                      .handle = handle};
    return call;
}

tg_node *draw_tg_node_p(const char *name) {
    const tg_node *node = bad() ? NULL : tg_tape_node(below(tg_tape_nodes() + 1));
    note(" %s=%s", name, node ? "a node" : "NULL");
    return (tg_node *)(uintptr_t)node;
}
