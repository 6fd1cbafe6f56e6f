/* The tape: which one is current on a thread, marks and rewinding. apply.c puts nodes on it. */
#include "autograd/apply.h"
#include "autograd/blame/blame.h"

#include "core/work.h"

#include <stddef.h>
#include <string.h>

_Thread_local TG_HOT tg_tape *tg_tape_now;
static _Thread_local tg_tape *own; /* the thread's own, freed when it ends */
_Thread_local TG_HOT bool tg_grad_off;

/* ---- the list of all tapes: a tape that was freed is not on it ---- */

static tg_tape *tapes; /* under TG_LOCK_TAPES */

/* The place in the list that refers to `tape`, which is compared and not followed; NULL: it was freed. */
static tg_tape **find(const tg_tape *tape) {
    for (tg_tape **t = &tapes; *t; t = &(*t)->next)
        if (*t == tape) return t;
    return NULL;
}

/* Whether another thread is on it or may come back to it. A thread is known by the address of its `own`. */
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

/* Frees a tape that is off the list. */
static void free_tape(tg_tape *tape) {
    tg_region_free(&tape->region);
    tg_arena_free(&tape->arena);
    tg_arena_free(&tape->scratch);
    while (tape->n_chunks > 0) tg_sys_free(tape->chunk[--tape->n_chunks], TG_CHUNK_NODES * sizeof(tg_node *));
    tg_sys_free(tape->chunk, (size_t)tape->cap_chunks * sizeof *tape->chunk);
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

/* Gives back what the thread still has, on which no function runs any more. The lock is held. */
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

/* Makes the thread's own tape; NULL with the error raised. */
static tg_tape *open_own(void) {
    tg_tape *tape = tg_tape_new();
    if (!tape) return NULL;
    tape->end.run = end_thread;
    if (tg_at_thread_end(&tape->end)) return own = tape;
    tg_fail(
        TG_ERR_MEMORY,
        "this thread's tape could not be made: the system has no thread-specific key left to end it with the thread");
    tg_lock(TG_LOCK_TAPES);
    delist(tape);
    tg_unlock(TG_LOCK_TAPES);
    free_tape(tape);
    return NULL;
}

tg_tape *tg_tape_first(void) {
    if (!own) {
        if (!open_own()) return NULL;
        tg_finite_check_begin();
    }
    tg_tape_put_back(own);
    return own;
}

/* Creation functions of core reach the tape's region this way. */
static tg_region *region_of_tape(void) {
    tg_tape *tape = tg_tape_get();
    return tape ? &tape->region : NULL;
}

tg_region *(*tg_region_make)(void) = region_of_tape;

tg_tape *tg_tape_current(void) { return tg_tape_get(); }

static void fail_freed(const char *who) {
    tg_fail(TG_ERR_ARGUMENT, "%s: the tape was freed before, or is not one that tg_tape_new made", who);
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
        tg_fail(
            TG_ERR_TAPE,
            "tg_tape_use: the tape is another thread's own, or is current there, or a function called there began on it");
    return previous;
}

void tg_tape_put_back(tg_tape *tape) {
    tg_lock(TG_LOCK_TAPES);
    make_current(tape);
    tg_unlock(TG_LOCK_TAPES);
}

/* Takes `tape` off the list, so that the caller can free it; another status is the reason why not. */
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
        tg_fail(s, "tg_tape_free: the tape is in use: it is current on another thread or its own, or the function that is "
                   "running was called in the middle of work on it");
}

int64_t tg_tape_nodes(void) { return tg_tape_now ? tg_tape_now->n_nodes : 0; }
int64_t tg_tape_tensors(void) { return tg_tape_now ? tg_tape_now->region.count : 0; }

const tg_node *tg_tape_node(int64_t i) {
    return tg_tape_now && i >= 0 && i < tg_tape_now->n_nodes ? tg_node_at(tg_tape_now, i) : NULL;
}

/* ---- marks ---- */

static uint64_t last_generation(const tg_tape *tape, int64_t tensors) {
    return tensors ? tg_slot_at(&tape->region, tensors - 1)->generation : 0;
}

/* Both halves of a 128-bit product: every bit of a and b reaches most bits of the result. */
static inline uint64_t mix(uint64_t a, uint64_t b) {
    unsigned __int128 product =
        (unsigned __int128)(a ^ UINT64_C(0x9E3779B97F4A7C15)) * (b ^ UINT64_C(0xD6E8FEB86659FD93));
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Three products that do not wait for each other, with a factor each that tells their places. */
static uint64_t seal_of(const tg_mark *m) {
    return mix((uintptr_t)m->tape, m->serial) + 3 * mix(m->callback, (uint64_t)m->tensors) +
           5 * mix((uint64_t)m->nodes, m->last);
}

bool tg_mark_is_genuine(const tg_mark *m) { return m->tape && m->seal == seal_of(m); }

bool tg_mark_is_rewound(const tg_mark *m) {
    const tg_tape *tape = m->tape;
    return m->tensors > tape->region.count || m->nodes > tape->n_nodes ||
           m->last != last_generation(tape, m->tensors);
}

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
            if (!tg_node_at(tape, i)->walked) tg_node_unsave(tg_node_at(tape, i));
        tape->n_nodes = nodes;
        tg_arena_rewind_to(&tape->arena, tg_node_at(tape, nodes));
    }
    tg_region_rewind(&tape->region, tensors);
}

static tg_status fail_callback(bool ended) {
    if (ended)
        return tg_fail(TG_ERR_TAPE,
                       "tg_tape_rewind: the mark was taken inside a function called by the library that has "
                       "returned since; such marks end with it");
    return tg_fail(TG_ERR_TAPE,
                   "tg_tape_rewind: the mark was taken outside the function that is running (a hook, a rule, "
                   "a function that is differentiated), which may rewind to its own marks only");
}

tg_status tg_tape_rewind(tg_mark m) {
    tg_tape *tape = tg_tape_get();
    if (!tape) return tg_error_status();
    if (!tg_mark_is_genuine(&m))
        return tg_fail(TG_ERR_TAPE, "tg_tape_rewind: the mark is not one that tg_tape_mark gave");
    if (m.tape != tape || m.serial != tape->serial)
        return tg_fail(TG_ERR_TAPE, "tg_tape_rewind: the mark belongs to another tape than the current one");
    if (m.callback != tape->callback) return fail_callback(m.callback > tape->callback);
    if (tg_mark_is_rewound(&m))
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

static tg_tensor *set_requires_grad(tg_tensor *t, bool on) {
    tg_slot *s = tg_slot_of(t, "tg_set_requires_grad");
    if (!s) return tg_poison();
    char text[160];
    if (on && !tg_dtype_is_float((tg_dtype)s->a.dtype)) {
        tg_fail(TG_ERR_DTYPE, "tg_set_requires_grad: only f32 and f64 carry gradients, not %s",
                tg_describe(t, text, sizeof text));
        return tg_poison();
    }
    if (!on && s->node) {
        tg_fail(TG_ERR_TAPE,
                "tg_set_requires_grad: %s is the result of %s, and only leaves can be set (tg_detach makes one)",
                tg_describe(t, text, sizeof text), s->node->op->name);
        return tg_poison();
    }
    s->requires_grad = on;
    return t;
}

tg_tensor *tg_set_requires_grad(tg_tensor *t, bool on) {
    const tg_slot *s = tg_slot_peek(t);
    bool changes = s && s->kept && s->requires_grad != on;
    return changes && !tg_may_do("tg_set_requires_grad") ? tg_poison() : set_requires_grad(t, on);
}

bool tg_requires_grad(const tg_tensor *t) {
    const tg_slot *s = tg_slot_of(t, "tg_requires_grad");
    return s && s->requires_grad;
}

tg_tensor *tg_param(const tg_tensor *t) {
    tg_tensor *kept = tg_keep(t);
    if (tg_is_alive(kept) && tg_is_poison(set_requires_grad(kept, true))) {
        tg_free(kept);
        kept = tg_poison();
    }
    return kept;
}

tg_tensor *tg_detach(const tg_tensor *t) {
    tg_slot *s = tg_slot_with_data(t, "tg_detach");
    tg_slot *d = s ? tg_slot_new("detach") : NULL;
    if (!d) return tg_poison();
    d->cut = TG_CUT_BY_DETACH;
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

/* ---- losses ---- */

tg_slot *tg_slot_of_loss(const tg_tensor *loss, const char *who) {
    char text[160];
    tg_slot *s = tg_slot_of_argument(loss, who, "the loss", -1);
    if (!s) return NULL;
    tg_describe(loss, text, sizeof text);
    if (s->a.numel != 1)
        tg_fail(TG_ERR_ARGUMENT, "%s: the loss, %s, is not one number", who, text);
    else if (!s->requires_grad)
        tg_fail(TG_ERR_ARGUMENT,
                "%s: the loss, %s, requires no gradient: it was made by no recorded op of what does", who,
                text);
    else if (!s->node)
        tg_fail(TG_ERR_ARGUMENT, "%s: the loss, %s, is a leaf, which no op made", who, text);
    else if (tg_tape_node(s->node->id) != s->node)
        tg_fail(TG_ERR_TAPE, "%s: the loss, %s, was recorded on another tape than the current one", who, text);
    else
        return s;
    return NULL;
}
