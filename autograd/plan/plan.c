/* Plans as users hold them: which runs are eager, which are recorded, and which replayed.
 *
 * Of a shared plan several threads are here at once. What they all see, entries, counts, which program is free, is read and
 * changed under a lock, which nobody holds while a step or a program runs. An entry without a program belongs to
 * the thread that records, of which there is one at a time. */
#include "autograd/plan/plan.h"

#include "autograd/plan/program.h"
#include "core/thread.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_AT_MOST 8
#define RUNS 4 /* that may differ, each from the one before, until that is an error */

/* What is known of inputs of one kind. */
typedef struct entry {
    tg_recording rec;        /* of the last run, as long as there is no program */
    tg_program *program;     /* the first of its copies; NULL: not yet */
    int differing;           /* runs recorded so far, each other than the one before */
    char why[TG_DIFFERENCE]; /* the last difference */
    uint64_t used;
} entry;

struct tg_plan {
    const char *kind;
    tg_step *step;
    void *user;
    bool shared, recording, compile;
    _Atomic int running; /* threads; below 0: it is being freed */
    entry *entry;        /* n_entries of cap_entries */
    int n_entries, cap_entries;
    uint64_t runs;
    const entry *last;
    tg_plan_stats stats;
};

static const char kind[] = "plan";

/* ---- handles: a kept tensor whose elements are the struct ---- */

static tg_plan *plan_of(const tg_plan *handle, const char *who) {
    const tg_slot *s = tg_slot_peek((const tg_tensor *)(const void *)handle);
    if (s && s->kept && s->a.dtype == TG_U8 && s->a.numel == sizeof(tg_plan) &&
        ((const tg_plan *)s->a.data)->kind == kind)
        return s->a.data;
    tg_fail(TG_ERR_ARGUMENT, "%s: the plan %s", who,
            !handle ? "is NULL"
            : s     ? "is the handle of something else"
                    : "was freed");
    return NULL;
}

static bool fail_running(const char *who) {
    tg_fail(TG_ERR_ARGUMENT,
            "%s: the plan is running, on another thread or in the middle of a run of its own", who);
    return false;
}

static bool start(tg_plan *p, const char *who) {
    int none = 0;
    bool free = p->shared ? atomic_fetch_add(&p->running, 1) >= 0
                          : atomic_compare_exchange_strong(&p->running, &none, 1);
    return free || fail_running(who);
}

static bool start_to_end(tg_plan *p, const char *who) {
    int none = 0;
    return atomic_compare_exchange_strong(&p->running, &none, INT_MIN / 2) || fail_running(who);
}

static void lock(const tg_plan *p) {
    if (p->shared) tg_lock(TG_LOCK_PLANS);
}
static void unlock(const tg_plan *p) {
    if (p->shared) tg_unlock(TG_LOCK_PLANS);
}

static bool compiles_all(void) {
    const char *set = getenv("TG_PLAN_COMPILE");
    return set && *set && strcmp(set, "0") != 0;
}

tg_plan *tg_plan_new_with(tg_step *step, void *user, tg_plan_new_opts opts) {
    if (!step || opts.recordings < 0)
        tg_fail(TG_ERR_ARGUMENT,
                !step ? "tg_plan_new: the step is NULL" : "tg_plan_new: .recordings is below 0");
    if (tg_error_pending != TG_OK) return NULL;
    int most = opts.recordings ? opts.recordings : KEPT_AT_MOST;
    tg_array a = {0};
    size_t bytes = (size_t)most * sizeof(entry);
    entry *entries = tg_sys_alloc(bytes);
    if (!entries) tg_fail(TG_ERR_MEMORY, "tg_plan_new: there is no memory for %d recordings", most);
    tg_slot *s = entries && tg_array_alloc(&a, TG_U8, TG_SHAPE(sizeof(tg_plan))) == TG_OK
                     ? tg_slot_new_kept("plan_new")
                     : NULL;
    if (!s) {
        tg_array_drop(&a);
        tg_sys_free(entries, bytes);
        return NULL;
    }
    tg_buffer_share(a.buffer);
    s->a = a;
    *(tg_plan *)a.data = (tg_plan){.kind = kind,
                                   .step = step,
                                   .user = user,
                                   .shared = opts.shared,
                                   .compile = opts.compile || compiles_all(),
                                   .entry = entries,
                                   .cap_entries = most};
    return (tg_plan *)(void *)tg_handle(s);
}

/* ---- programs and their copies, under the lock ---- */

/* Frees what was dropped once nobody runs it. */
static void free_if_idle(tg_program *first) {
    if (!first->dropped || first->running) return;
    for (tg_program *g = first->idle, *next; g; g = next) {
        next = g->next;
        if (g != first) tg_program_free(g);
    }
    tg_program_free(first);
}

/* One for this thread to run, made where all run. NULL: there is no memory for one. */
static tg_program *take(const tg_plan *p, tg_program *first) {
    tg_program *g = first->idle;
    first->running++;
    if (g) return first->idle = g->next, g;
    unlock(p);
    g = tg_program_copy(first);
    lock(p);
    first->copies += g != NULL;
    first->running -= g == NULL;
    if (!g) free_if_idle(first);
    return g;
}

static void give_back(tg_program *g) {
    tg_program *first = g->first;
    g->next = first->idle, first->idle = g;
    first->running--;
    free_if_idle(first);
}

static void forget(entry *e) {
    tg_recording_free(&e->rec);
    if (e->program) e->program->dropped = true, free_if_idle(e->program);
    e->program = NULL;
}

void tg_plan_free(tg_plan *plan) {
    if (!plan) return;
    tg_plan *p = plan_of(plan, "tg_plan_free");
    if (!p || !start_to_end(p, "tg_plan_free")) return;
    for (int i = 0; i < p->n_entries; i++) forget(&p->entry[i]);
    tg_sys_free(p->entry, (size_t)p->cap_entries * sizeof *p->entry);
    p->kind = NULL;
    tg_slot_kill(tg_slot_peek((tg_tensor *)(void *)plan));
}

tg_plan_stats tg_plan_stats_of(const tg_plan *plan) {
    const tg_plan *p = plan_of(plan, "tg_plan_stats_of");
    if (!p) return (tg_plan_stats){0};
    lock(p);
    tg_plan_stats s = p->stats;
    for (int i = 0; i < p->n_entries; i++) s.kept += p->entry[i].program != NULL;
    const tg_program *g = p->last ? p->last->program : NULL;
    if (g) tg_program_count(g, &s);
    unlock(p);
    return s;
}

/* ---- which recording ---- */

static const tg_recording *recording_of(const entry *e) { return e->program ? &e->program->rec : &e->rec; }

/* Whether the entry is for these inputs, and holds, or has nothing yet of which that could be said. One that can never be run
 * again is emptied. */
static bool is_for(entry *e, int n, tg_tensor *const *in) {
    const tg_recording *rec = recording_of(e);
    if ((rec->n_in && !rec->input) || !tg_recording_fits(rec, n, in)) return false;
    if (!e->program) return !rec->whole || tg_recording_holding(rec) != TG_HOLDS_NOT;
    tg_holding holding = tg_program_holding(e->program, in);
    if (holding == TG_HOLDS_NEVER) forget(e), e->differing = 0;
    return holding != TG_HOLDS_NOT;
}

/* The entry for these inputs, a new one where there is none: one of which nothing is known makes room, or the one that was not
 * used for longest. While another thread records there is none but those with a program. */
static entry *entry_for(tg_plan *p, int n, tg_tensor *const *in) {
    entry *oldest = NULL;
    for (int i = 0; i < p->n_entries; i++) {
        entry *e = &p->entry[i];
        if (p->recording && !e->program) continue;
        if (is_for(e, n, in)) return e->program || !p->recording ? e : NULL;
        if (!oldest || e->used < oldest->used) oldest = e;
    }
    if (p->recording) return NULL;
    if (p->n_entries < p->cap_entries && (!oldest || oldest->used > 0))
        oldest = &p->entry[p->n_entries++];
    else
        forget(oldest);
    *oldest = (entry){0};
    return oldest;
}

/* ---- an eager run, which is recorded ---- */

/* In memory of its own, as a replay gives it: that of an input, a parameter or a gradient is copied. */
static tg_status take_result(tg_array *result, const tg_array *a, uint64_t births) {
    if (a->buffer && !a->buffer->shared && a->buffer->serial > births)
        return tg_array_share(result, a), TG_OK;
    if (tg_array_alloc_like(result, a) != TG_OK) return tg_error_status();
    tg_array_copy(result, a);
    return TG_OK;
}

static tg_status call_step(tg_plan *p, tg_tensor *const *in, tg_array *result, tg_recorder *r, bool *whole) {
    const uint64_t births = tg_buffer_births;
    tg_callback c = tg_callback_begin();
    tg_tensor *y = p->step(in, p->user);
    tg_slot *s = tg_error_status() == TG_OK ? tg_callback_result(y, "tg_plan_run") : NULL;
    *whole = r && tg_recorder_end(r, s);
    tg_listening = NULL;
    if (s) take_result(result, &s->a, births);
    return tg_callback_end(c, tg_error_status(), "tg_plan_run");
}

/* The recording of this run is kept, or, where the run before was the same, becomes a program. */
static void consider(tg_plan *p, entry *e, const tg_recorder *r) {
    char text[TG_DIFFERENCE];
    const char *why = !e->rec.fit    ? "a tensor was kept or freed"
                      : e->rec.whole ? tg_recorder_difference(r, text)
                                     : "it ran once";
    tg_program *g = why ? NULL : tg_program_new(&e->rec, p->compile);
    if (g && p->compile) tg_program_compile(g);
    lock(p);
    if (why) {
        e->rec.whole = e->rec.fit;
        strncpy(e->why, why, sizeof e->why - 1);
    }
    e->program = g;
    e->differing = why ? e->differing + 1 : 0;
    p->stats.recorded += g != NULL;
    unlock(p);
}

/* Somebody listens in all runs of a shared plan, also where nothing comes of it, so that none changes what others use. */
static tg_status run_eagerly(tg_plan *p, entry *e, int n, tg_tensor *const *in, bool twice, tg_array *result) {
    tg_recorder r;
    tg_recording unkept = {0};
    const bool listens = e || p->shared || twice;
    bool whole = false;
    if (listens) tg_recorder_begin(&r, e ? &e->rec : &unkept, n, in, p->shared), r.twice = twice;
    tg_status s = call_step(p, in, result, listens ? &r : NULL, &whole);
    if (e && s == TG_OK && whole)
        consider(p, e, &r);
    else if (e && !e->rec.whole)
        e->differing = 0; /* nothing is known any more */
    tg_recording_free(&unkept);
    lock(p);
    p->stats.eager++;
    unlock(p);
    return s;
}

static tg_status record(tg_plan *p, entry *e, int n, tg_tensor *const *in, tg_array *result) {
    tg_tensor *few[TG_FEW_INPUTS], **own = few;
    if (e && e->differing >= RUNS)
        return tg_fail(TG_ERR_ARGUMENT, "tg_plan_run: the step did something else in each of %d runs: %s",
                       RUNS, e->why);
    size_t bytes = (size_t)n * sizeof *own;
    if (n > TG_FEW_INPUTS && !(own = tg_sys_alloc(bytes))) return tg_fail_memory(bytes);
    tg_tape *tape = tg_tape_get();
    tg_status s = tape ? TG_OK : tg_error_status();
    int64_t tensors = tape ? tape->region.count : 0, nodes = tape ? tape->n_nodes : 0;
    bool twice = false;
    if (s == TG_OK) s = tg_inputs_separate(n, in, own, &twice);
    if (s == TG_OK) s = run_eagerly(p, e, n, own, twice, result);
    if (tape) tg_tape_cut(tape, tensors, nodes);
    if (n > TG_FEW_INPUTS) tg_sys_free(own, bytes);
    return s;
}

/* ---- a run ---- */

static tg_status record_in(tg_plan *p, entry *e, int n, tg_tensor *const *in, tg_array *result) {
    tg_status s = record(p, e, n, in, result);
    lock(p);
    if (!e->program && e->differing == 0) e->used = 0; /* it failed, and nothing is known */
    p->recording = false;
    unlock(p);
    return s;
}

static tg_status replay(tg_plan *p, tg_program *g, int n, tg_tensor *const *in, tg_array *result) {
    bool was_off = tg_grad_off;
    tg_run_end end = tg_inputs_may_change(g, n, in) == TG_OK ? tg_program_run(g, in, result) : TG_RUN_FAILED;
    tg_grad_off = was_off;
    lock(p);
    give_back(g);
    p->stats.undone += end == TG_RUN_UNDONE;
    p->stats.replayed += end == TG_RUN_DONE;
    unlock(p);
    return end == TG_RUN_UNDONE ? record(p, NULL, n, in, result) : tg_error_status();
}

static tg_status run(tg_plan *p, int n, tg_tensor *const *in, tg_array *result) {
    lock(p);
    entry *e = entry_for(p, n, in);
    if (e) e->used = ++p->runs, p->last = e;
    bool records = e && !e->program;
    p->recording = p->recording || records;
    tg_program *g = e && !records ? take(p, e->program) : NULL;
    unlock(p);
    if (g) return replay(p, g, n, in, result);
    return records ? record_in(p, e, n, in, result) : record(p, NULL, n, in, result);
}

tg_tensor *tg_plan_run_with(tg_plan *plan, int n, tg_tensor *const *in) {
    if (tg_inputs_check(n, in) != TG_OK) return tg_poison();
    tg_plan *p = plan_of(plan, "tg_plan_run");
    if (!p || !start(p, "tg_plan_run")) return tg_poison();
    tg_array result = {0};
    tg_span span;
    tg_span_try(&span, "plan_run");
    tg_status s = run(p, n, in, &result);
    tg_span_end(&span, s == TG_OK);
    atomic_fetch_sub(&p->running, 1);
    tg_tensor *y = s == TG_OK ? tg_from_array(&result) : tg_poison();
    tg_array_drop(&result);
    tg_slot *of = s == TG_OK ? tg_slot_peek(y) : NULL;
    if (of && !of->poison) of->maker = tg_maker_number("plan_run", NULL, 0);
    return y;
}

void tg_plan_print(FILE *file, const tg_plan *plan) {
    const tg_plan *p = plan_of(plan, "tg_plan_print");
    if (p && !file) tg_fail(TG_ERR_ARGUMENT, "tg_plan_print: the file is NULL");
    if (!p || !file) return;
    lock(p);
    tg_program *g = p->last ? p->last->program : NULL;
    if (g)
        g->running++; /* so that it stays */
    else if (p->stats.recorded == 0 && p->stats.eager > 3 * p->cap_entries)
        fprintf(file, "nothing is recorded: inputs of more shapes than %d take turns (.recordings)\n",
                p->cap_entries);
    else
        fprintf(file, "nothing is recorded yet%s%s\n", p->last && *p->last->why ? ": " : "",
                p->last ? p->last->why : "");
    unlock(p);
    if (!g) return;
    tg_program_print(file, g);
    lock(p);
    g->running--;
    free_if_idle(g);
    unlock(p);
}
