/* A checkpoint is a node of its own: its inputs are the given ones and whatever else f was seen to read, and its rule runs
 * f again and walks what that records. It is the one node that holds a function; the tape prints it by name. */
#include "autograd/checkpoint.h"
#include "autograd/walk.h"
#include "core/random.h"
#include "core/work.h"

#include <string.h>

typedef struct checkpoint_attr {
    const char *name;
    tg_function f;
    void *user;
    tg_rng rng;        /* this thread's default stream before f first ran */
    tg_tensor *stream; /* the same as it is when all is done again, where somebody listens; else NULL */
} checkpoint_attr;

static const tg_attr_field fields[] = {{"f", TG_ATTR_NAME, offsetof(checkpoint_attr, name)}};

/* ---- the default stream, in memory that a listener knows ---- */

static tg_status hold_stream(const tg_array *const *a, const void *none) {
    (void)none;
    memcpy(a[0]->data, tg_default_rng(), sizeof(tg_rng));
    return TG_OK;
}

static tg_status take_stream(const tg_array *const *a, const void *none) {
    (void)none;
    memcpy(tg_default_rng(), a[0]->data, sizeof(tg_rng));
    return TG_OK;
}

/* NULL where nobody listens; poison with the error raised. */
static tg_tensor *stream_of_now(void) {
    if (!tg_listening) return NULL;
    tg_tensor *t = tg_zeros_with(TG_I64, TG_SHAPE(sizeof(tg_rng) / sizeof(int64_t)));
    const tg_array *a = tg_is_poison(t) ? NULL : tg_array_within(t, "checkpoint");
    if (a) TG_WORK_DO(hold_stream, &a, NULL, .name = "checkpoint", .n = 1, .makes = 1u);
    return t;
}

static void go_on_with(const tg_tensor *stream, tg_rng rng) {
    *tg_default_rng() = rng;
    const tg_array *a = tg_listening && stream ? tg_array_within(stream, "checkpoint") : NULL;
    if (a) TG_WORK_DO(take_stream, &a, NULL, .name = "checkpoint", .n = 1);
}

/* ---- gradient ---- */

void tg_walks_itself(const tg_node *node, tg_tensor *const *dout, tg_tensor **din) {
    (void)dout, (void)din;
    tg_fail(TG_ERR_TAPE, "%s: the gradient of a checkpoint is a walk, and not a rule that can be called",
            node->op->name);
}

/* Runs f again, recorded above the tape as it stands, and returns its result; NULL with the error raised. */
static tg_slot *run_again(const tg_node *node) {
    const checkpoint_attr *a = node->attr;
    tg_rng now = *tg_default_rng();
    const tg_tensor *stream = stream_of_now();
    tg_callback c = tg_callback_begin();
    tg_set_grad_enabled(true);
    go_on_with(a->stream, a->rng);
    tg_tensor *y = a->f(node->in, a->user);
    go_on_with(stream, now);
    if (tg_callback_end(c, tg_error_status(), a->name) != TG_OK) return NULL;
    return tg_callback_result(y, a->name);
}

static void move(tg_adjoint *to, tg_adjoint *from) {
    to->value = from->value, to->handle = from->handle, to->finite = false;
    from->value.data = NULL, from->value.buffer = NULL, from->handle = NULL;
}

/* The adjoints of the outer walk that contributions may come to, made before the inner walk: its end takes back all
 * scratch memory from its beginning on. */
static tg_status make_adjoints(tg_walk *w, const tg_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        tg_slot *s = tg_walk_needed(w, node, i);
        if (s && !tg_walk_adjoint(w, s) && tg_error_status() != TG_OK) return tg_error_status();
    }
    return TG_OK;
}

/* Takes back those that have stayed empty, so that the walk passes their nodes by. */
static void forget_empty_adjoints(tg_walk *w, const tg_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        const tg_slot *s = tg_slot_peek(node->in[i]);
        if (!s || tg_walk_leaf(w, s)) continue;
        tg_adjoint **adjoints = &w->adjoint[s->node->id - w->low];
        bool empty = true;
        for (int o = 0; *adjoints && o < s->node->n_out; o++)
            empty = empty && tg_adjoint_is_empty(&(*adjoints)[o]);
        if (empty) *adjoints = NULL;
    }
}

/* What the outer walk has accumulated for each input so far moves to the inner one: contributions are then added in the
 * order in which they would be without the checkpoint. An input given twice has one adjoint. */
static tg_status move_in(tg_walk *outer, tg_walk *inner, const tg_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        tg_slot *s = tg_walk_needed(outer, node, i);
        if (!s) continue;
        tg_target *t = tg_walk_add_target(inner, s);
        if (!t) return tg_error_status();
        tg_adjoint *a = tg_walk_find_adjoint(outer, s);
        if (a && !tg_adjoint_is_empty(a)) move(&t->adjoint, a);
    }
    return TG_OK;
}

static tg_status move_out(tg_walk *outer, tg_walk *inner, const tg_node *node) {
    for (int i = 0; i < node->n_in; i++) {
        tg_slot *s = tg_slot_peek(node->in[i]);
        tg_target *t = s ? tg_walk_find_target(inner, s) : NULL;
        if (!t || tg_adjoint_is_empty(&t->adjoint)) continue;
        if (!tg_target_slot(t)) return tg_error_status();
        move(tg_walk_find_adjoint(outer, s), &t->adjoint);
    }
    return TG_OK;
}

/* dL/dy is moved, so that the inner walk finds it as the outer one would: in memory that nothing else sees. */
static tg_status seed(tg_walk *w, tg_slot *y, tg_adjoint *of) {
    if (w->mode.record) return tg_walk_seed(w, y, tg_slot_with_data(of->handle, "checkpoint"));
    tg_adjoint *a = tg_walk_adjoint(w, y);
    if (!a) return tg_error_status();
    tg_array g = of->value;
    of->value.data = NULL, of->value.buffer = NULL;
    return tg_adjoint_accumulate(a, &g);
}

static tg_status walk_part(tg_walk *w, const tg_node *node, tg_adjoint *adjoints, tg_slot *y, int64_t floor) {
    tg_walk inner;
    tg_walk_mode mode = {
        .record = w->mode.record, .retain = w->mode.record, .sparse = w->mode.sparse, .floor = floor};
    tg_status s = tg_walk_begin(&inner, 1, &y, mode);
    if (s != TG_OK) return s;
    s = move_in(w, &inner, node);
    if (s == TG_OK) s = seed(&inner, y, &adjoints[0]);
    if (s == TG_OK) s = tg_walk_run(&inner);
    if (s == TG_OK) s = move_out(w, &inner, node);
    tg_walk_end(&inner);
    return s;
}

/* Without a record what f made again goes with the nested scope. The walk goes no deeper than that, in recorded walks
 * too: from there on it is the outer walk's. */
tg_status tg_checkpoint_walk(tg_walk *w, const tg_node *node, tg_adjoint *adjoints) {
    tg_mark before = tg_tape_mark();
    tg_slot *y = run_again(node);
    tg_status s = y ? make_adjoints(w, node) : tg_error_status();
    if (s == TG_OK) s = walk_part(w, node, adjoints, y, before.nodes);
    forget_empty_adjoints(w, node);
    if (!w->mode.record) tg_tape_rewind(before);
    return s;
}

static const tg_op checkpoint_op = {
    .name = "checkpoint",
    .formula = "out = f(in), computed again in the backward pass",
    .n_in = TG_VARIADIC,
    .save = TG_ALL_IN,
    .attr_size = sizeof(checkpoint_attr),
    .attrs = fields,
    .n_attrs = 1,
    .grad = tg_walks_itself,
};

/* ---- forward ---- */

/* What nodes from `first` on read of tensors made before them that require a gradient, each once; the first n of `read`
 * are there already. Returns how many in all. */
static int find_read(int64_t first, tg_tensor **read, int n) {
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

/* Puts one node in place of all that f recorded since `before`, with which leaves that f made itself are gone. */
static tg_tensor *replace(tg_mark before, const checkpoint_attr *attr, int n, tg_tensor *const *in,
                          const tg_slot *y) {
    tg_arena *arena = &before.tape->scratch;
    size_t most = (size_t)n + (size_t)count_inputs(before.nodes), bytes = 2 * most * sizeof(tg_tensor *);
    tg_tensor **read = tg_arena_alloc(arena, bytes);
    if (!read) {
        tg_fail_memory(bytes);
        return tg_poison();
    }
    memcpy(read, in, (size_t)n * sizeof *read);
    int all = find_read(before.nodes, read, n), used = 0;
    tg_slot **slot = (tg_slot **)(void *)(read + most);
    tg_array value = {0};
    tg_array_share(&value, &y->a);
    tg_tape_rewind(before);
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

/* Returns what f makes of the inputs; the poison tensor when it fails. */
static tg_tensor *run(const checkpoint_attr *a, tg_tensor *const *in) {
    tg_callback c = tg_callback_begin();
    tg_tensor *y = a->f(in, a->user);
    return tg_callback_end(c, tg_error_status(), a->name) == TG_OK ? y : tg_poison();
}

tg_tensor *tg_checkpoint_with(const char *name, tg_function f, void *user, int n, tg_tensor *const *in) {
    if (tg_error_status() != TG_OK) return tg_poison();
    tg_tape *tape = tg_tape_get();
    if (!name || !f || !in || n < 1)
        tg_fail(TG_ERR_ARGUMENT, "checkpoint: a function, its name and at least one input must be given");
    for (int i = 0; f && in && i < n; i++) tg_slot_of_input(in[i], "checkpoint", i);
    if (!tape || tg_error_status() != TG_OK) return tg_poison();
    tg_mark start = tg_tape_mark();
    checkpoint_attr attr = {name, f, user, *tg_default_rng(), stream_of_now()};
    tg_mark before = tg_tape_mark(); /* what f records goes from here on; the stream stays */
    tg_tensor *y = tg_error_status() == TG_OK ? run(&attr, in) : tg_poison();
    tg_slot *s = tg_error_status() == TG_OK ? tg_callback_result(y, name) : NULL;
    if (s && !s->requires_grad) return y;
    tg_arena_mark scratch = tg_arena_get_mark(&tape->scratch);
    if (s) y = replace(before, &attr, n, in, s);
    tg_arena_rewind(&tape->scratch, scratch);
    if (tg_error_status() == TG_OK) return y;
    tg_tape_rewind(start);
    return tg_poison();
}
