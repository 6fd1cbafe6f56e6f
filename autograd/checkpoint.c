/* A checkpoint is a node of its own: its inputs are the given ones and whatever else f was seen to read, and its rule runs
 * f again and walks what that records. It is the one node that holds a function; the tape prints it by name. */
#include "autograd/checkpoint.h"
#include "autograd/walk.h"
#include "core/random.h"

#include <string.h>

typedef struct checkpoint_attr {
    const char *name;
    tg_function f;
    void *user;
    tg_rng rng; /* this thread's default stream before f first ran */
} checkpoint_attr;

static const tg_attr_field fields[] = {{"f", TG_ATTR_NAME, offsetof(checkpoint_attr, name)}};

/* ---- gradient ---- */

static tg_tensor *run_again(const tg_node *node) {
    TG_NAMED(NULL);
    const checkpoint_attr *a = node->attr;
    tg_rng *rng = tg_default_rng(), now = *rng;
    bool record = tg_set_grad_enabled(true);
    *rng = a->rng;
    tg_tensor *y = a->f(node->in, a->user);
    *rng = now;
    tg_set_grad_enabled(record);
    return y;
}

/* An input given twice has one gradient: the first one has it, the others have zeros. */
static bool is_repeated(const tg_node *node, int i) {
    for (int j = 0; j < i; j++)
        if (node->in[j] == node->in[i]) return true;
    return false;
}

/* The walk goes no deeper than what f recorded just now, in recorded walks too: from there on it is the outer walk's. */
static tg_status gradients(const tg_node *node, tg_tensor *seed, tg_tensor **x, tg_tensor **din) {
    int n = 0;
    int64_t floor = tg_tape_nodes();
    bool record = tg_grad_enabled();
    tg_tensor *y = run_again(node), **g = x + node->n_in;
    if (tg_error_status() != TG_OK) return tg_error_status();
    for (int i = 0; i < node->n_in; i++)
        if (tg_needs(node, i) && !is_repeated(node, i)) x[n++] = node->in[i];
    tg_grad_opts opts = {.seeds = &seed, .create_graph = record, .allow_unused = true};
    if (tg_grad_above(floor, 1, &y, n, x, g, opts) != TG_OK) return tg_error_status();
    for (int i = 0; i < node->n_in; i++)
        if (tg_needs(node, i)) din[i] = is_repeated(node, i) ? tg_zeros_like(node->in[i]) : *g++;
    return tg_error_status();
}

static void checkpoint_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    tg_arena *arena = &tg_tape_get()->scratch;
    tg_arena_mark before = tg_arena_get_mark(arena);
    size_t bytes = 2 * (size_t)node->n_in * sizeof(tg_tensor *);
    tg_tensor **x = tg_arena_alloc(arena, bytes);
    if (x)
        gradients(node, dout[0], x, din);
    else
        tg_fail_memory(bytes);
    tg_arena_rewind(arena, before);
}

static const tg_op checkpoint_op = {
    .name = "checkpoint",
    .formula = "out = f(in), computed again in the backward pass",
    .n_in = TG_VARIADIC,
    .save = TG_ALL_IN,
    .attr_size = sizeof(checkpoint_attr),
    .attrs = fields,
    .n_attrs = 1,
    .grad = checkpoint_grad,
};

/* ---- forward ---- */

/* What nodes from `first` on read of tensors made before them that require a gradient, each once; the first n of `read`
 * are there already. Returns how many in all. */
static int collect(int64_t first, tg_tensor **read, int n) {
    for (int64_t id = first; id < tg_tape_nodes(); id++) {
        const tg_node *node = tg_tape_node(id);
        for (int i = 0; i < node->n_in; i++) {
            const tg_slot *s = tg_slot_peek(node->in[i]);
            bool outside = s && s->requires_grad && (!s->node || s->node->id < first);
            for (int j = 0; outside && j < n; j++) outside = read[j] != node->in[i];
            if (outside) read[n++] = node->in[i];
        }
    }
    return n;
}

static int64_t count_inputs(int64_t first) {
    int64_t n = 0;
    for (int64_t id = first; id < tg_tape_nodes(); id++) n += tg_tape_node(id)->n_in;
    return n;
}

/* The node in place of all that f recorded since `before`. Leaves that f made itself are gone then. */
static tg_tensor *replace(tg_mark before, const checkpoint_attr *attr, int n, tg_tensor *const *in, const tg_slot *y) {
    tg_arena *arena = &before.tape->scratch;
    size_t most = (size_t)n + (size_t)count_inputs(before.nodes), bytes = 2 * most * sizeof(tg_tensor *);
    tg_tensor **read = tg_arena_alloc(arena, bytes);
    if (!read) {
        tg_fail_memory(bytes);
        return tg_poison();
    }
    memcpy(read, in, (size_t)n * sizeof *read);
    int all = collect(before.nodes, read, n), used = 0;
    tg_slot **slot = (tg_slot **)(void *)(read + most);
    tg_array value = {0};
    tg_array_share(&value, &y->a);
    (tg_tape_rewind)(before);
    for (int i = 0; i < all; i++)
        if ((slot[used] = tg_slot_peek(read[i]))) used++;
    tg_slot *out = tg_slot_new("checkpoint");
    if (!out) {
        tg_array_drop(&value);
        return tg_poison();
    }
    out->a = value;
    return tg_record(&checkpoint_op, slot, used, &out, 1, attr) == TG_OK ? tg_handle(out) : tg_poison();
}

tg_tensor *(tg_checkpoint)(const char *name, tg_function f, void *user, int n, tg_tensor *const *in) {
    if (tg_error_status() != TG_OK) return tg_poison();
    tg_tape *tape = tg_tape_get();
    if (!f || !in || n < 1) tg_fail(TG_ERR_ARGUMENT, "checkpoint: needs a function and at least one input");
    for (int i = 0; f && in && i < n; i++) tg_slot_of(in[i], "checkpoint");
    if (!tape || tg_error_status() != TG_OK) return tg_poison();
    checkpoint_attr attr = {name, f, user, *tg_default_rng()};
    tg_mark before = tg_tape_mark();
    tg_tensor *y = f(in, user);
    tg_slot *s = tg_error_status() == TG_OK ? tg_slot_with_data(y, "checkpoint") : NULL;
    if (s && !s->requires_grad) return y;
    tg_arena_mark scratch = tg_arena_get_mark(&tape->scratch);
    if (s) y = replace(before, &attr, n, in, s);
    tg_arena_rewind(&tape->scratch, scratch);
    if (tg_error_status() == TG_OK) return y;
    (tg_tape_rewind)(before);
    return tg_poison();
}
