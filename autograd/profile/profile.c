/* A profile measures: spans that end become rows and events. */
#include "autograd/profile/profile_private.h"
#include "core/thread.h"
#include "core/work.h"

#include <stdlib.h>
#include <string.h>

#define EVENTS 1048576
#define WAITING 4096 /* spans without a place, at most: a program that notes none has its rows without */

/* ---- rows ---- */

/* The names of a plan's pieces end with the plan, and the next one's may be at their address: they are told by their text. */
static uint64_t hash_of_name(const tg_span *s) {
    uint64_t h = 0;
    if (!s->replayed) return (uint64_t)(uintptr_t)s->name * 0x9e3779b97f4a7c15u;
    for (const char *c = s->name; *c; c++) h = (h ^ (unsigned char)*c) * 0x9e3779b97f4a7c15u;
    return h;
}

static uint64_t hash_of(const tg_span *s) {
    uint64_t h = hash_of_name(s);
    h = (h ^ (uint64_t)(uintptr_t)s->file ^ h >> 29) * 0x9e3779b97f4a7c15u;
    h ^= (uint64_t)s->line << 16 ^ (uint64_t)s->last << 8 ^ (uint64_t)s->kind << 2 ^ (uint64_t)s->rule << 1 ^
         (uint64_t)s->replayed;
    return (h ^ h >> 32) * 0x9e3779b97f4a7c15u >> 16;
}

static bool same_text(const char *a, const char *b) { return a == b || (a && b && strcmp(a, b) == 0); }

/* The texts are compared too: an op that was freed may have left its place to another. */
static bool is_row_of(const tg_profile_entry *e, const tg_span *s) {
    const tg_profile_row *r = &e->row;
    return (s->replayed || e->op == s->name) && e->file == s->file && r->line == s->line &&
           r->last == (s->last ? s->last : s->line) && r->phase == (tg_phase)s->kind && r->rule == s->rule &&
           r->replayed == s->replayed && r->calls == s->calls && strcmp(r->op, s->name) == 0 &&
           same_text(r->file, s->file);
}

static void insert(tg_profile *p, uint64_t h, int64_t i) {
    uint64_t k = h & (uint64_t)(p->cap_hash - 1);
    while (p->hash[k] >= 0) k = (k + 1) & (uint64_t)(p->cap_hash - 1);
    p->hash[k] = i;
}

/* At most half full. */
static bool make_room(tg_profile *p) {
    if (2 * (p->n_entries + 1) <= p->cap_hash) return true;
    int64_t cap = p->cap_hash ? 2 * p->cap_hash : 64;
    int64_t *hash = tg_sys_alloc((size_t)cap * sizeof *hash);
    if (!hash) return false;
    tg_sys_free(p->hash, (size_t)p->cap_hash * sizeof *hash);
    p->hash = hash, p->cap_hash = cap;
    for (int64_t i = 0; i < cap; i++) hash[i] = -1;
    for (int64_t i = 0; i < p->n_entries; i++) {
        const tg_profile_entry *e = &p->entry[i];
        const tg_span s = {.name = e->row.replayed ? e->row.op : e->op,
                           .file = e->file,
                           .line = e->row.line,
                           .last = e->row.calls ? e->row.last : 0,
                           .kind = (uint8_t)e->row.phase,
                           .rule = e->row.rule,
                           .replayed = e->row.replayed};
        insert(p, hash_of(&s), i);
    }
    return true;
}

static const char *keep_text(tg_arena *arena, const char *text) {
    char *copy = text ? tg_arena_alloc(arena, strlen(text) + 1) : NULL;
    return copy ? strcpy(copy, text) : NULL;
}

static tg_profile_entry *add_row(tg_profile *p, const tg_span *s, uint64_t h) {
    void *entry = p->entry;
    if (!make_room(p) || !tg_grow(&entry, &p->cap_entries, p->n_entries, p->n_entries + 1, sizeof *p->entry))
        return NULL;
    p->entry = entry;
    tg_profile_entry *e = &p->entry[p->n_entries];
    *e = (tg_profile_entry){.op = s->name, .file = s->file};
    e->row = (tg_profile_row){.op = keep_text(&p->texts, s->name),
                              .file = keep_text(&p->texts, s->file),
                              .line = s->line,
                              .last = s->last ? s->last : s->line,
                              .phase = (tg_phase)s->kind,
                              .rule = s->rule,
                              .replayed = s->replayed,
                              .calls = s->calls};
    if (!e->row.op || (s->file && !e->row.file)) return NULL;
    insert(p, h, p->n_entries++);
    return e;
}

static tg_profile_entry *row_of(tg_profile *p, const tg_span *s) {
    uint64_t h = hash_of(s);
    for (uint64_t k = h; p->cap_hash; k++) {
        int64_t i = p->hash[k & (uint64_t)(p->cap_hash - 1)];
        if (i < 0) break;
        if (is_row_of(&p->entry[i], s)) return &p->entry[i];
    }
    return add_row(p, s, h);
}

/* ---- events ---- */

static tg_profile_event *add_event(tg_profile *p) {
    if (p->events - p->dropped >= p->most) return NULL;
    if (!p->last || p->last->n == TG_EVENTS) {
        tg_profile_chunk *c = tg_sys_alloc(sizeof *c);
        if (!c) return NULL;
        c->next = NULL, c->n = 0;
        if (p->last)
            p->last->next = c;
        else
            p->first = c;
        p->last = c;
    }
    return &p->last->event[p->last->n++];
}

static void count(tg_profile *p, const tg_span *s) {
    tg_profile_entry *e = row_of(p, s);
    if (!e) {
        p->lost++;
        return;
    }
    e->row.count++, e->row.bytes += s->bytes, e->row.flops += s->flops;
    e->own += s->took - s->inside, e->within += s->took;
    tg_profile_event *v = add_event(p);
    if (v)
        *v = (tg_profile_event){s->began - p->began, s->took, s->bytes, s->flops, e - p->entry};
    else
        p->dropped++;
    p->events++;
}

static tg_profile *self(tg_stopwatch *w) { return (tg_profile *)(void *)w; }

static void placed(tg_stopwatch *w, const char *file, int line) {
    tg_profile *p = self(w);
    for (int64_t i = 0; i < p->n_waiting; i++) {
        p->waiting[i].file = file, p->waiting[i].line = line;
        count(p, &p->waiting[i]);
    }
    p->n_waiting = 0, w->placeless = false;
    tg_arena_rewind(&p->names, (tg_arena_mark){0});
}

static void ended(tg_stopwatch *w, const tg_span *s) {
    tg_profile *p = self(w);
    if (!s->outer) p->measured += s->took;
    if (s->file) {
        count(p, s);
        return;
    }
    if (p->n_waiting == WAITING) placed(w, NULL, 0);
    void *waiting = p->waiting;
    if (!tg_grow(&waiting, &p->cap_waiting, p->n_waiting, p->n_waiting + 1, sizeof *p->waiting)) {
        count(p, s);
        return;
    }
    p->waiting = waiting;
    tg_span *kept = &p->waiting[p->n_waiting];
    *kept = *s;
    if (s->replayed) kept->name = keep_text(&p->names, s->name);
    if (!kept->name) {
        count(p, s);
        return;
    }
    p->n_waiting++;
    w->placeless = true;
}

/* ---- begin and end ---- */

static const char kind[] = "profile";
static _Thread_local uint64_t thread_number, serial;

static uint64_t this_thread(void) {
    static _Atomic uint64_t threads;
    if (!thread_number) thread_number = atomic_fetch_add(&threads, 1) + 1;
    return thread_number;
}

static void finish(tg_profile *p) {
    p->ended = tg_span_now();
    tg_measuring = NULL, tg_watched &= ~(unsigned)TG_WATCH_TIME;
    placed(&p->watch, NULL, 0);
    atomic_store(&p->measuring, false);
}

static void end_with_thread(tg_thread_end *end) {
    (void)end;
    if (tg_measuring) finish(self(tg_measuring));
}

/* A profile is, as a handle, a kept tensor whose elements are the struct. */
static tg_profile *profile_of(const tg_profile *handle, const char *who) {
    const tg_slot *s = tg_slot_peek((const tg_tensor *)(const void *)handle);
    if (s && s->kept && s->a.dtype == TG_U8 && s->a.numel == sizeof(tg_profile) &&
        ((const tg_profile *)s->a.data)->kind == kind)
        return s->a.data;
    tg_fail(TG_ERR_ARGUMENT, "%s: the profile %s", who,
            !handle ? "is NULL"
            : s     ? "is the handle of something else"
                    : "was freed");
    return NULL;
}

const tg_profile *tg_profile_ended(const tg_profile *handle, const char *who) {
    const tg_profile *p = profile_of(handle, who);
    if (!p || !atomic_load(&p->measuring)) return p;
    tg_fail(TG_ERR_ARGUMENT, "%s: the profile still measures: tg_profile_end comes first", who);
    return NULL;
}

static bool may_begin(void) {
    static _Thread_local tg_thread_end end = {.run = end_with_thread};
    static _Thread_local bool noted;
    if (tg_error_pending != TG_OK || !tg_may_do("tg_profile_begin")) return false;
    if (tg_measuring)
        tg_fail(TG_ERR_ARGUMENT,
                "tg_profile_begin: a profile measures this thread already: tg_profile_end comes first");
    else if (!noted && !(noted = tg_at_thread_end(&end)))
        tg_fail(TG_ERR_MEMORY, "tg_profile_begin: the end of the thread cannot be noted");
    return tg_error_pending == TG_OK;
}

tg_profile *tg_profile_begin(int64_t events) {
    tg_array a = {0};
    if (!may_begin() || tg_array_alloc(&a, TG_U8, TG_SHAPE(sizeof(tg_profile))) != TG_OK) return NULL;
    tg_slot *s = tg_slot_new_kept("profile_begin");
    if (!s) {
        tg_array_drop(&a);
        return NULL;
    }
    tg_buffer_share(a.buffer);
    s->a = a;
    tg_profile *p = a.data;
    *p = (tg_profile){.watch = {.serial = ++serial, .ended = ended, .placed = placed},
                      .kind = kind,
                      .thread = this_thread(),
                      .most = events > 0   ? events
                              : events < 0 ? 0
                                           : EVENTS};
    atomic_store(&p->measuring, true);
    p->began = tg_span_now();
    tg_measuring = &p->watch, tg_watched |= TG_WATCH_TIME;
    return (tg_profile *)(void *)tg_handle(s);
}

/* Whether it is measuring, on this thread; an error where it measures another. */
static bool measures_here(const tg_profile *p, const char *who) {
    bool measuring = atomic_load(&p->measuring);
    if (measuring && p->thread != this_thread())
        tg_fail(TG_ERR_ARGUMENT, "%s: the profile measures another thread, which has to end it", who);
    return measuring && p->thread == this_thread();
}

tg_status tg_profile_end(tg_profile *handle) {
    tg_profile *p = profile_of(handle, "tg_profile_end");
    if (!p || !tg_may_do("tg_profile_end")) return tg_error_status();
    if (measures_here(p, "tg_profile_end"))
        finish(p);
    else if (!atomic_load(&p->measuring))
        return tg_fail(TG_ERR_ARGUMENT, "tg_profile_end: the profile has ended already");
    return tg_error_status();
}

void tg_profile_free(tg_profile *handle) {
    if (!handle) return;
    tg_profile *p = profile_of(handle, "tg_profile_free");
    if (!p || !tg_may_do("tg_profile_free")) return;
    if (measures_here(p, "tg_profile_free")) finish(p);
    if (atomic_load(&p->measuring)) return;
    tg_sys_free(p->entry, (size_t)p->cap_entries * sizeof *p->entry);
    tg_sys_free(p->hash, (size_t)p->cap_hash * sizeof *p->hash);
    tg_sys_free(p->waiting, (size_t)p->cap_waiting * sizeof *p->waiting);
    for (tg_profile_chunk *c = p->first, *next; c; c = next) {
        next = c->next;
        tg_sys_free(c, sizeof *c);
    }
    tg_arena_free(&p->texts);
    tg_arena_free(&p->names);
    p->kind = NULL;
    tg_slot_kill(tg_slot_peek((tg_tensor *)(void *)handle));
}

tg_profile_stats tg_profile_stats_of(const tg_profile *handle) {
    const tg_profile *p = tg_profile_ended(handle, "tg_profile_stats_of");
    if (!p) return (tg_profile_stats){0};
    return (tg_profile_stats){.seconds = (double)(p->ended - p->began) / 1e9,
                              .measured = (double)p->measured / 1e9,
                              .events = p->events,
                              .dropped = p->dropped,
                              .lost = p->lost};
}
