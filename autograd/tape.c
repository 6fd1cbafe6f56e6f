/* The tape: recording, marks and rewinding, and which tape is current. */
#include "autograd/tape_private.h"

#include <stddef.h>
#include <string.h>

_Thread_local TG_HOT tg_tape *tg_tape_now;
static _Thread_local tg_tape *own; /* the thread's own, freed when it ends */
_Thread_local TG_HOT bool tg_grad_off;

/* ---- the list of all tapes, by which one that was freed is told ---- */

static tg_tape *tapes; /* under TG_LOCK_TAPES */

/* Where the list refers to `tape`, which is compared and not looked into; NULL: it was freed. */
static tg_tape **find(const tg_tape *tape) {
    for (tg_tape **t = &tapes; *t; t = &(*t)->next)
        if (*t == tape) return t;
    return NULL;
}

/* Another thread is on it or may come back to it. Threads are told by where their `own` stands. */
static bool is_of_other(const tg_tape *tape) { return tape->thread && tape->thread != &own; }

bool tg_tape_is_ours(const tg_tape *tape, uint64_t serial) {
    if (!tape || tape == tg_tape_now) return tape && tape->serial == serial;
    tg_lock(TG_LOCK_TAPES);
    bool is = find(tape) && tape->serial == serial && !is_of_other(tape);
    tg_unlock(TG_LOCK_TAPES);
    return is;
}

static void delist(tg_tape *tape) {
    tg_tape **t = find(tape);
    *t = (*t)->next;
}

static void enlist(tg_tape *tape) {
    static uint64_t serials;
    tg_lock(TG_LOCK_TAPES);
    tape->serial = ++serials;
    tape->next = tapes;
    tapes = tape;
    tg_unlock(TG_LOCK_TAPES);
}

/* ---- tapes ---- */

/* `tape` is off the list. */
static void free_tape(tg_tape *tape) {
    tg_region_free(&tape->region);
    tg_arena_free(&tape->arena);
    tg_arena_free(&tape->scratch);
    tg_sys_free(tape->node, (size_t)tape->cap_nodes * sizeof *tape->node);
    tg_sys_free(tape, sizeof *tape);
}

/* Under the lock. The thread keeps its own tape, and those on which functions run that the library has called: when
 * such a function ends, its tape is put back. */
static void make_current(tg_tape *tape) {
    tg_tape *was = tg_tape_now;
    if (was && was != own && !was->callback) was->thread = NULL;
    if (tape) tape->thread = &own;
    tg_tape_now = tape;
    tg_current_region = tape ? &tape->region : NULL;
}

/* Under the lock. No function runs any more on what the thread still has. */
static void leave_tapes(void) {
    make_current(NULL);
    for (tg_tape *t = tapes; t; t = t->next)
        if (t->thread == &own) t->thread = NULL, t->callback = 0, t->depth = 0;
}

/* Destructors of other thread-locals may still call the library: they would get a new tape. */
static void end_thread(tg_thread_end *end) {
    tg_tape *tape = (tg_tape *)(void *)((char *)end - offsetof(tg_tape, end));
    tg_lock(TG_LOCK_TAPES);
    leave_tapes();
    own = NULL;
    delist(tape);
    tg_unlock(TG_LOCK_TAPES);
    free_tape(tape);
}

tg_tape *tg_tape_new(void) {
    tg_tape *tape = tg_sys_alloc(sizeof *tape);
    if (!tape) {
        tg_fail_memory(sizeof *tape);
        return NULL;
    }
    memset(tape, 0, sizeof *tape);
    enlist(tape);
    return tape;
}

/* NULL with the error raised. */
static tg_tape *open_own(void) {
    tg_tape *tape = tg_tape_new();
    if (!tape) return NULL;
    tape->end.run = end_thread;
    if (tg_at_thread_end(&tape->end)) return own = tape;
    tg_fail(TG_ERR_MEMORY, "the system cannot note that this thread's tape ends with it: no thread-specific key is left");
    tg_lock(TG_LOCK_TAPES);
    delist(tape);
    tg_unlock(TG_LOCK_TAPES);
    free_tape(tape);
    return NULL;
}

tg_tape *tg_tape_first(void) {
    if (!own && !open_own()) return NULL;
    tg_tape_put_back(own);
    return own;
}

/* Creation functions of core reach the tape's region this way. */
static tg_region *region_of_tape(void) {
    tg_tape *tape = tg_tape_get();
    return tape ? &tape->region : NULL;
}

__attribute__((constructor)) static void register_region(void) { tg_region_make = region_of_tape; }

tg_tape *tg_tape_current(void) { return tg_tape_get(); }

static void fail_freed(const char *who) {
    tg_fail(TG_ERR_ARGUMENT, "%s: the tape was freed before, or is none", who);
}

tg_tape *tg_tape_use(tg_tape *tape) {
    tg_tape *previous = tg_tape_get(), *next = tape ? tape : own;
    if (!previous || next == previous) return previous;
    tg_lock(TG_LOCK_TAPES);
    bool alive = find(next), taken = alive && is_of_other(next);
    if (alive && !taken) make_current(next);
    tg_unlock(TG_LOCK_TAPES);
    if (!alive) fail_freed("tg_tape_use");
    if (taken)
        tg_fail(TG_ERR_TAPE,
                "tg_tape_use: the tape is current on another thread, its own, or where a function called there began");
    return previous;
}

void tg_tape_put_back(tg_tape *tape) {
    tg_lock(TG_LOCK_TAPES);
    make_current(tape);
    tg_unlock(TG_LOCK_TAPES);
}

/* Takes `tape` off the list; TG_OK: it is the caller's to free. */
static tg_status take_off(tg_tape *tape) {
    if (!find(tape)) return TG_ERR_ARGUMENT;
    if (is_of_other(tape) || tape->callback) return TG_ERR_TAPE;
    if (tape == tg_tape_now) make_current(own);
    delist(tape);
    return TG_OK;
}

void tg_tape_free(tg_tape *tape) {
    if (!tape) return;
    if (tape == own) {
        tg_fail(TG_ERR_ARGUMENT, "tg_tape_free: a thread's own tape lives as long as the thread");
        return;
    }
    tg_lock(TG_LOCK_TAPES);
    tg_status s = take_off(tape);
    tg_unlock(TG_LOCK_TAPES);
    if (s == TG_OK) free_tape(tape);
    if (s == TG_ERR_ARGUMENT) fail_freed("tg_tape_free");
    if (s == TG_ERR_TAPE)
        tg_fail(s, "tg_tape_free: the tape is in use: it is current on another thread or its own, or the function that runs was "
                   "called in the middle of work on it");
}

int64_t tg_tape_nodes(void) { return tg_tape_now ? tg_tape_now->n_nodes : 0; }
int64_t tg_tape_tensors(void) { return tg_tape_now ? tg_tape_now->region.count : 0; }

const tg_node *tg_tape_node(int64_t i) {
    return tg_tape_now && i >= 0 && i < tg_tape_now->n_nodes ? tg_tape_now->node[i] : NULL;
}

/* ---- nodes ---- */

/* What the gradient reads. */
static unsigned saved_of(const tg_op *op, const tg_slot *in0) {
    return op->save_f64 && in0 && in0->a.dtype == TG_F64 ? op->save_f64 : op->save;
}

/* Input i is of the set; TG_ALL_IN means those beyond the sixteenth too. */
static bool saves_input(unsigned set, int i) {
    return i < 16 ? set >> i & 1 : (set & TG_ALL_IN) == TG_ALL_IN;
}

static int n_saved(unsigned set, int n_in) {
    int n = n_in > 16 && saves_input(set, 16) ? n_in - 16 : 0;
    for (; set; set &= set - 1) n++;
    return n;
}

/* A node is one block of the arena: the struct, inputs, outputs, versions of what is saved, attributes. */
static tg_node *node_alloc(tg_tape *tape, const tg_op *op, unsigned saved, int n_in, int n_out, const void *attr) {
    int64_t cap = tape->cap_nodes;
    void *table = tape->node;
    if (tape->n_nodes == cap) {
        if (!tg_grow(&table, &cap, tape->n_nodes, tape->n_nodes + 1, sizeof *tape->node)) return NULL;
        tape->node = table;
        tape->cap_nodes = cap;
    }
    size_t handles = (size_t)(n_in + n_out) * sizeof(tg_tensor *);
    size_t versions = (size_t)n_saved(saved, n_in) * sizeof(uint64_t);
    tg_node *node = tg_arena_alloc(&tape->arena, sizeof *node + handles + versions + op->attr_size);
    if (!node) return NULL;
    node->in = (tg_tensor **)(void *)(node + 1);
    node->out = node->in + n_in;
    node->version = (uint64_t *)(void *)(node->out + n_out);
    node->saved = saved;
    node->attr = op->attr_size ? memcpy((char *)node->version + versions, attr, op->attr_size) : NULL;
    return node;
}

tg_status tg_each_saved(const tg_node *node, tg_status (*fn)(const tg_node *node, tg_slot *s, int k)) {
    int k = 0, n = node->n_in + node->n_out;
    for (int i = 0; i < n; i++) {
        int o = i - node->n_in;
        if (o < 0 ? !saves_input(node->saved, i) : !(node->saved & TG_OUT(o))) continue;
        tg_slot *s = tg_slot_peek(o < 0 ? node->in[i] : node->out[o]);
        tg_status status = s ? fn(node, s, k) : TG_OK;
        if (status != TG_OK) return status;
        k++;
    }
    return TG_OK;
}

static tg_status save(const tg_node *node, tg_slot *s, int k) {
    tg_slot_pin(s);
    node->version[k] = s->a.buffer ? s->a.buffer->version : 0;
    return TG_OK;
}

static tg_status unsave(const tg_node *node, tg_slot *s, int k) {
    (void)node, (void)k;
    tg_slot_unpin(s);
    return TG_OK;
}

void tg_node_unsave(tg_node *node) {
    if (node->walked) return;
    node->walked = true;
    if (node->saved) tg_each_saved(node, unsave);
}

static tg_status fail_no_rule(const tg_op *op, tg_slot *const *slots, int n_in) {
    char text[160] = "an input";
    for (int i = n_in - 1; i >= 0; i--)
        if (slots[i] && slots[i]->requires_grad) tg_describe(tg_handle(slots[i]), text, sizeof text);
    return tg_fail(TG_ERR_TAPE, "%s: the op defines no gradient, and %s requires one", op->name, text);
}

/* Input i is s. Ids are positions on one tape: a history cannot span two. */
static tg_status set_input(const tg_tape *tape, tg_node *node, int i, const tg_slot *s) {
    const tg_node *from = s ? s->node : NULL;
    char text[160];
    node->in[i] = s ? tg_handle(s) : NULL;
    if (!from) return TG_OK;
    if (from->id >= tape->n_nodes || tape->node[from->id] != from)
        return tg_fail(TG_ERR_TAPE, "%s: %s was recorded on another tape than the current one (tg_detach drops its history)",
                       node->op->name, tg_describe(node->in[i], text, sizeof text));
    if (from->first < node->first) node->first = from->first;
    return TG_OK;
}

tg_status tg_record(const tg_op *op, tg_slot *const *slots, int n_in, tg_slot *const *out, int n_out,
                    const void *attr) {
    if (!op->grad) return fail_no_rule(op, slots, n_in);
    tg_tape *tape = tg_tape_get();
    unsigned saved = saved_of(op, n_in > 0 ? slots[0] : NULL);
    tg_node *node = tape ? node_alloc(tape, op, saved, n_in, n_out, attr) : NULL;
    if (!node) return tg_fail_memory(sizeof *node);
    node->op = op;
    node->id = node->first = tape->n_nodes;
    node->n_in = n_in;
    node->n_out = n_out;
    node->walked = false;
    for (int i = 0; i < n_in; i++)
        if (set_input(tape, node, i, slots[i]) != TG_OK) {
            tg_arena_rewind_to(&tape->arena, node);
            return tg_error_status();
        }
    for (int o = 0; o < n_out; o++) {
        node->out[o] = tg_handle(out[o]);
        out[o]->requires_grad = tg_dtype_is_float((tg_dtype)out[o]->a.dtype);
        out[o]->node = node;
    }
    if (saved) tg_each_saved(node, save);
    tape->node[tape->n_nodes++] = node;
    return TG_OK;
}

int tg_output_index(const tg_slot *s) {
    int o = 0;
    while (o < s->node->n_out - 1 && tg_slot_peek(s->node->out[o]) != s) o++;
    return o;
}

/* ---- marks ---- */

static uint64_t last_generation(const tg_tape *tape, int64_t tensors) {
    return tensors ? tg_slot_at(&tape->region, tensors - 1)->generation : 0;
}

/* Both halves of a 128-bit product: every bit of a and b reaches most bits of the result. */
static inline uint64_t mix(uint64_t a, uint64_t b) {
    unsigned __int128 product = (unsigned __int128)(a ^ UINT64_C(0x9E3779B97F4A7C15)) * (b ^ UINT64_C(0xD6E8FEB86659FD93));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Three products that do not wait for each other, with a factor each that tells their places. */
static uint64_t seal_of(const tg_mark *m) {
    return mix((uintptr_t)m->tape, m->serial) + 3 * mix(m->callback, (uint64_t)m->tensors) + 5 * mix((uint64_t)m->nodes, m->last);
}

bool tg_mark_is_genuine(const tg_mark *m) { return m->tape && m->seal == seal_of(m); }

tg_mark tg_tape_mark(void) {
    tg_tape *tape = tg_tape_get();
    if (!tape) return (tg_mark){0};
    int64_t n = tape->region.count;
    tg_mark m = {tape, tape->serial, tape->callback, n, tape->n_nodes, last_generation(tape, n), 0};
    m.seal = seal_of(&m);
    return m;
}

void tg_tape_cut(tg_tape *tape, int64_t tensors, int64_t nodes) {
    if (tape->n_nodes > nodes) {
        for (int64_t i = tape->n_nodes; i-- > nodes;)
            if (!tape->node[i]->walked) tg_node_unsave(tape->node[i]);
        tape->n_nodes = nodes;
        tg_arena_rewind_to(&tape->arena, tape->node[nodes]);
    }
    tg_region_rewind(&tape->region, tensors);
}

static tg_status fail_callback(bool ended) {
    if (ended)
        return tg_fail(TG_ERR_TAPE, "tg_tape_rewind: the mark was taken inside a function called by the library that has "
                                    "returned since; such marks end with it");
    return tg_fail(TG_ERR_TAPE, "tg_tape_rewind: the mark was taken outside the function that is running (a hook, a rule, "
                                "a function that is differentiated), which may rewind to its own marks only");
}

tg_status(tg_tape_rewind)(tg_mark m) {
    tg_tape *tape = tg_tape_get();
    if (!tape) return tg_error_status();
    if (!tg_mark_is_genuine(&m))
        return tg_fail(TG_ERR_TAPE, "tg_tape_rewind: the mark is none that tg_tape_mark has given");
    if (m.tape != tape || m.serial != tape->serial)
        return tg_fail(TG_ERR_TAPE, "tg_tape_rewind: the mark belongs to another tape than the current one");
    if (m.callback != tape->callback) return fail_callback(m.callback > tape->callback);
    if (m.tensors > tape->region.count || m.nodes > tape->n_nodes || m.last != last_generation(tape, m.tensors))
        return tg_fail(TG_ERR_TAPE, "tg_tape_rewind: the tape was already rewound past this mark");
    tg_tape_cut(tape, m.tensors, m.nodes);
    return TG_OK;
}

/* ---- what is recorded ---- */

bool tg_set_grad_enabled(bool on) {
    bool was = !tg_grad_off;
    tg_grad_off = !on;
    return was;
}

bool tg_grad_enabled(void) { return !tg_grad_off; }

tg_tensor *(tg_set_requires_grad)(tg_tensor *t, bool on) {
    tg_slot *s = tg_slot_of(t, "tg_set_requires_grad");
    if (!s) return tg_poison();
    char text[160];
    if (on && !tg_dtype_is_float((tg_dtype)s->a.dtype)) {
        tg_fail(TG_ERR_DTYPE, "tg_set_requires_grad: only f32 and f64 carry gradients, not %s",
                tg_describe(t, text, sizeof text));
        return tg_poison();
    }
    if (!on && s->node) {
        tg_fail(TG_ERR_TAPE, "tg_set_requires_grad: %s is the result of %s; use tg_detach",
                tg_describe(t, text, sizeof text), s->node->op->name);
        return tg_poison();
    }
    s->requires_grad = on;
    return t;
}

bool tg_requires_grad(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_requires_grad");
    return s && s->requires_grad;
}

tg_tensor *(tg_param)(const tg_tensor *t) {
    tg_tensor *kept = (tg_keep)(t);
    if (tg_is_alive(kept) && tg_is_poison((tg_set_requires_grad)(kept, true))) {
        tg_free(kept);
        kept = tg_poison();
    }
    return kept;
}

tg_tensor *(tg_detach)(const tg_tensor *t) {
    tg_slot *s = tg_slot_with_data(t, "tg_detach");
    tg_slot *d = s ? tg_slot_new("detach") : NULL;
    if (!d) return tg_poison();
    tg_array_share(&d->a, &s->a);
    return tg_handle(d);
}

tg_status tg_retain_grad(tg_tensor *t) {
    tg_slot *s = tg_slot_of(t, "tg_retain_grad");
    if (!s) return tg_error_status();
    s->retain_grad = s->node != NULL;
    return TG_OK;
}

const tg_node *tg_node_of(const tg_tensor *t) {
    tg_slot *s = tg_slot_of(t, "tg_node_of");
    return s ? s->node : NULL;
}
