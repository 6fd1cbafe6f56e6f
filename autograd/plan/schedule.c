/* Which elementwise calls become one pass over memory.
 *
 * A group begins at an elementwise call on many elements. The calls behind it are looked at in order: one of the same kind on
 * as many elements joins the group, one that the group does not wait for goes before it or stays behind it, and it ends at a
 * call whose time matters (random numbers, decisions, what the program keeps). The order of two calls changes only where
 * neither writes what the other reads or writes. So forward and backward become one group where nothing stands between. */
#include "autograd/plan/program.h"

#include <string.h>

#define LEAST 2048  /* elements of a call that is worth it */
#define WINDOW 1024 /* calls that are looked at for one group */

/* Who has read or written a memory since the group began, as a bit set, and whether the group does so at several places. */
enum { READ_BY_GROUP = 1, WRITTEN_BY_GROUP = 2, READ_BEHIND = 4, WRITTEN_BEHIND = 8, AT_PLACES = 16 };

typedef struct spread_place {
    int memory, along;
    int64_t at;
} spread_place;

typedef struct spreads {
    spread_place at[TG_SPREADS];
    int n;
} spreads;

typedef struct scheduler {
    tg_recording *rec;
    uint8_t *mark;                         /* by memory */
    int64_t *place;                        /* by memory: where the group reads or writes it first */
    tg_plan_call *before, *group, *behind; /* of the calls in the window */
    int64_t n_before, n_group, n_behind, n;
    int64_t row;     /* of the group's broadcasts; 0: there are none */
    spreads spreads; /* those in short rows */
    bool stored;     /* a gradient, by a call behind */
} scheduler;

static int64_t elements(const tg_recording *rec, const tg_plan_call *c) {
    return c->lowered && c->maps ? rec->map[c->map].of->n : 0;
}

/* Operand k's element i lies at the same address for every i where this number is the same. */
static int64_t place_of(const tg_plan_map *m, int k) {
    int64_t at = (m->of->at[k] * 16 + m->of->size[k]) * 4 + m->of->along[k];
    return m->of->stride[k] ? at : -1 - at;
}

static bool is_barrier(const tg_plan_call *c) {
    return c->kind == TG_CALL_DECISION || (c->kind == TG_CALL_WORK && !c->lowered);
}

bool tg_call_writes(const tg_plan_call *c, int i) {
    switch (c->kind) {
    case TG_CALL_FORWARD:
        return i >= c->of->n_in;
    case TG_CALL_GRADIENT:
        return i >= c->of->n_in + 2 * c->of->n_out;
    case TG_CALL_WORK:
        return (c->of->makes | c->of->changes) >> i & 1;
    default:
        return false;
    }
}

typedef struct marks {
    uint8_t *of; /* by memory */
    uint8_t readers, writers;
    bool met;
} marks;

static void meet(void *context, int memory, bool written) {
    marks *m = context;
    m->met = m->met || m->of[memory] & m->writers || (written && m->of[memory] & m->readers);
}

/* Whether the call has to stay behind those that have left these marks. */
static bool waits_for(scheduler *s, const tg_plan_call *c, uint8_t readers, uint8_t writers) {
    marks m = {s->mark, readers, writers, false};
    tg_each_access(s->rec, c, meet, &m);
    return m.met;
}

static void set_mark(void *context, int memory, bool written) {
    const marks *m = context;
    m->of[memory] |= written ? m->writers : m->readers;
}

static void mark(scheduler *s, const tg_plan_call *c, uint8_t reader, uint8_t writer) {
    tg_each_access(s->rec, c, set_mark, &(marks){s->mark, reader, writer, false});
}

/* ---- joining a group: what a member writes is read and written by all at the same place, a block each in turn ---- */

/* Whether operand k would give a memory that is written a second place. */
static bool is_apart(const scheduler *s, const tg_plan_map *m, int k) {
    uint8_t mark = m->memory[k] < 0 ? 0 : s->mark[m->memory[k]];
    if (!(mark & (READ_BY_GROUP | WRITTEN_BY_GROUP))) return false;
    bool places = mark & AT_PLACES || s->place[m->memory[k]] != place_of(m, k);
    return places && (k == 0 || mark & WRITTEN_BY_GROUP);
}

/* The same among two kernels of one call, or of one kernel. */
static bool are_apart(const tg_plan_map *a, const tg_plan_map *b) {
    for (int i = 0; i < a->of->operands; i++)
        for (int k = 0; k < b->of->operands; k++)
            if (a->memory[i] >= 0 && a->memory[i] == b->memory[k] && (i == 0 || k == 0) &&
                place_of(a, i) != place_of(b, k))
                return true;
    return false;
}

/* Adds the operands of the call that are broadcast in short rows to those of the group. False: they are too many. */
static bool add_spreads(const tg_recording *rec, const tg_plan_call *c, spreads *s) {
    for (int i = 0; i < c->maps; i++) {
        const tg_plan_map *m = &rec->map[c->map + i];
        for (int k = 0; k < m->of->operands && m->of->row && m->of->row <= TG_SPREAD_ROW; k++) {
            const spread_place here = {m->memory[k], m->of->along[k], m->of->at[k]};
            int n = 0;
            while (n < s->n && memcmp(&s->at[n], &here, sizeof here) != 0) n++;
            if (m->of->along[k] == TG_EACH || n < s->n) continue;
            if (n == TG_SPREADS) return false;
            s->at[s->n++] = here;
        }
    }
    return true;
}

static bool can_join(const scheduler *s, const tg_plan_call *c) {
    spreads all = s->spreads;
    if (!c->lowered || c->maps == 0 || !add_spreads(s->rec, c, &all)) return false;
    const tg_plan_map *map = &s->rec->map[c->map];
    int64_t row = s->row;
    for (int i = 0; i < c->maps; i++) {
        if (map[i].of->n != s->n || (map[i].of->row && row && map[i].of->row != row)) return false;
        if (map[i].of->row) row = map[i].of->row;
        for (int k = 0; k < map[i].of->operands; k++)
            if (is_apart(s, &map[i], k)) return false;
        for (int k = 0; k <= i; k++)
            if (are_apart(&map[k], &map[i])) return false;
    }
    return true;
}

static void join(scheduler *s, const tg_plan_call *c) {
    for (int i = 0; i < c->maps; i++) {
        const tg_plan_map *m = &s->rec->map[c->map + i];
        if (m->of->row) s->row = m->of->row;
        for (int k = 0; k < m->of->operands; k++) {
            if (m->memory[k] < 0) continue;
            uint8_t *mark = &s->mark[m->memory[k]];
            int64_t *place = &s->place[m->memory[k]], here = place_of(m, k);
            if (!(*mark & (READ_BY_GROUP | WRITTEN_BY_GROUP))) *place = here;
            *mark |= (k == 0 ? WRITTEN_BY_GROUP : READ_BY_GROUP) | (*place != here ? AT_PLACES : 0);
        }
    }
    add_spreads(s->rec, c, &s->spreads);
    s->group[s->n_group++] = *c;
}

/* Puts the call where it goes. One that may fail does not pass a gradient that is stored. */
static void sort_in(scheduler *s, const tg_plan_call *c) {
    bool free = !waits_for(s, c, READ_BEHIND, WRITTEN_BEHIND), stays = c->lowered || !s->stored;
    if (free && can_join(s, c)) {
        join(s, c);
    } else if (free && stays && c->kind != TG_CALL_STORE && !waits_for(s, c, READ_BY_GROUP, WRITTEN_BY_GROUP)) {
        s->before[s->n_before++] = *c;
    } else {
        mark(s, c, READ_BEHIND, WRITTEN_BEHIND);
        s->behind[s->n_behind++] = *c;
        s->stored = s->stored || c->kind == TG_CALL_STORE;
    }
}

/* Groups what begins at call `first`; returns the call behind the group. */
static int64_t group_from(scheduler *s, int64_t first, int number) {
    tg_recording *rec = s->rec;
    memset(s->mark, 0, (size_t)rec->n_memories);
    s->n = elements(rec, &rec->call[first]);
    s->n_before = s->n_group = s->n_behind = s->row = 0, s->spreads.n = 0, s->stored = false;
    int64_t end = first;
    for (; end < rec->n_calls && end - first < WINDOW && !is_barrier(&rec->call[end]); end++)
        sort_in(s, &rec->call[end]);
    tg_plan_call *to = &rec->call[first];
    memcpy(to, s->before, (size_t)s->n_before * sizeof *to), to += s->n_before;
    const bool alone = s->n_group == 1 && s->row; /* the op knows better how to walk over what is broadcast */
    for (int64_t i = 0; i < s->n_group; i++) s->group[i].group = alone ? 0 : number;
    memcpy(to, s->group, (size_t)s->n_group * sizeof *to), to += s->n_group;
    memcpy(to, s->behind, (size_t)s->n_behind * sizeof *to);
    return first + s->n_before + (s->n_group ? s->n_group : 1);
}

/* ---- lives, in the new order ---- */

static void live(tg_memory *m, int64_t first, int64_t last) {
    if (m->first < 0) m->first = first;
    m->last = last;
}

int64_t tg_group_end(const tg_recording *rec, int64_t call) {
    const int group = rec->call[call].group;
    int64_t end = call + 1;
    while (group && end < rec->n_calls && rec->call[end].group == group) end++;
    return end;
}

/* All calls of a group go on at the same time, a block each in turn. */
static void find_lives(tg_recording *rec) {
    for (int64_t i = 0; i < rec->n_memories; i++) rec->memory[i].first = -1;
    for (int64_t first = 0, end; first < rec->n_calls; first = end) {
        end = tg_group_end(rec, first);
        for (int64_t c = first; c < end; c++)
            for (int64_t i = rec->call[c].operand; i < rec->call[c].operand + rec->call[c].of->n; i++)
                if (rec->operand[i].memory >= 0) live(&rec->memory[rec->operand[i].memory], first, end - 1);
    }
    for (int64_t i = 0; i < rec->n_memories; i++)
        if (rec->memory[i].first < 0) rec->memory[i].first = rec->memory[i].last = 0;
    if (rec->result.memory >= 0) rec->memory[rec->result.memory].last = rec->n_calls;
}

/* Memory that only kernels of one group use, whole and in order. */
static void find_local(tg_recording *rec) {
    for (int64_t i = 0; i < rec->n_memories; i++) {
        tg_memory *m = &rec->memory[i];
        int group = rec->n_calls ? rec->call[m->first].group : 0;
        m->local = m->kind == TG_MEMORY_MADE && !m->escapes && group && m->last < rec->n_calls &&
                   rec->call[m->last].group == group;
    }
    for (int64_t i = 0; i < rec->n_calls; i++) /* what comes of a sum is no kernel's */
        if (rec->call[i].summed) rec->memory[rec->operand[rec->call[i].operand + 1].memory].local = false;
    for (int64_t i = 0; i < rec->n_maps; i++)
        for (int k = 0; k < rec->map[i].of->operands; k++) {
            const tg_plan_map *m = &rec->map[i];
            if (m->memory[k] >= 0 && (m->of->at[k] != 0 || m->of->stride[k] != 1 ||
                                      (size_t)m->of->n * m->of->size[k] != rec->memory[m->memory[k]].bytes))
                rec->memory[m->memory[k]].local = false;
        }
}

/* ---- the scratch of a group ---- */

static tg_memory *local_of(const tg_recording *rec, const tg_plan_map *m, int k) {
    tg_memory *of = m->memory[k] >= 0 ? &rec->memory[m->memory[k]] : NULL;
    return of && of->local ? of : NULL;
}

typedef void each_map(tg_recording *rec, tg_plan_map *m, int number, void *context);

static void for_each_map(tg_recording *rec, int64_t first, int64_t end, each_map *f, void *context) {
    int number = 0;
    for (int64_t c = first; c < end; c++)
        for (int i = 0; i < rec->call[c].maps; i++)
            f(rec, &rec->map[rec->call[c].map + i], number++, context);
}

static void note_last(tg_recording *rec, tg_plan_map *m, int number, void *context) {
    (void)context;
    for (int k = 0; k < m->of->operands; k++) {
        tg_memory *of = local_of(rec, m, k);
        if (of) of->slot = of->summed ? TG_SLOTS - 1 + of->summed : -1, of->last_map = number;
    }
}

typedef struct slots {
    bool used[TG_SLOTS];
    bool full;
} slots;

/* A block is used again once its last reader has passed. */
static void take_slots(tg_recording *rec, tg_plan_map *m, int number, void *context) {
    slots *s = context;
    for (int k = 0; k < m->of->operands; k++) {
        tg_memory *of = local_of(rec, m, k);
        if (!of || of->slot >= 0) continue;
        int free = 0;
        while (free < TG_SLOTS - 1 && s->used[free]) free++;
        s->full = s->full || s->used[free];
        of->slot = free, s->used[free] = true;
    }
    for (int k = 0; k < m->of->operands; k++) {
        const tg_memory *of = local_of(rec, m, k);
        if (of && of->last_map == number && of->slot < TG_SLOTS) s->used[of->slot] = false;
    }
}

/* The second half of a group becomes one of its own; what was summed behind it is not any more. A single call is in none. */
static void split(tg_recording *rec, int64_t first, int64_t end, int number) {
    while (end > first && rec->call[end - 1].summed) {
        tg_plan_call *c = &rec->call[--end];
        rec->memory[rec->operand[c->operand].memory].summed = 0;
        c->summed = false, c->group = 0;
    }
    const int64_t middle = end - first > 1 ? first + (end - first) / 2 : first;
    for (int64_t c = middle; c < end; c++) rec->call[c].group = end - first > 1 ? number : 0;
}

/* False: a group needs more blocks than there are, and was split. */
static bool find_slots(tg_recording *rec, int *groups) {
    bool enough = true;
    for (int64_t first = 0, end; first < rec->n_calls; first = end) {
        slots s = {0};
        end = tg_group_end(rec, first);
        if (!rec->call[first].group) continue;
        for_each_map(rec, first, end, note_last, NULL);
        for_each_map(rec, first, end, take_slots, &s);
        if (s.full) split(rec, first, end, ++*groups), enough = false;
    }
    return enough;
}

/* Outside of a group what is broadcast is left to the op. */
static void leave_rows(tg_recording *rec) {
    for (int64_t c = 0; c < rec->n_calls; c++) {
        tg_plan_call *call = &rec->call[c];
        bool rows = false;
        for (int i = 0; i < call->maps; i++) rows = rows || rec->map[call->map + i].of->row;
        if (rows && !call->group) call->lowered = false, call->maps = 0;
    }
}

/* Groups of kernels, on so many elements that there are such. */
static bool find_groups(tg_recording *rec, int *groups) {
    size_t calls = (size_t)WINDOW * sizeof(tg_plan_call), memories = (size_t)rec->n_memories + 1;
    size_t bytes = 3 * calls + memories * (sizeof(int64_t) + 1);
    char *at = tg_sys_alloc(bytes);
    if (!at) return false;
    scheduler s = {.rec = rec,
                   .before = (tg_plan_call *)(void *)at,
                   .group = (tg_plan_call *)(void *)(at + calls),
                   .behind = (tg_plan_call *)(void *)(at + 2 * calls),
                   .place = (int64_t *)(void *)(at + 3 * calls),
                   .mark = (uint8_t *)at + 3 * calls + memories * sizeof(int64_t)};
    for (int64_t i = 0; i < rec->n_calls;)
        if (elements(rec, &rec->call[i]) >= LEAST)
            i = group_from(&s, i, ++*groups);
        else
            i++;
    tg_sys_free(at, bytes);
    return true;
}

bool tg_schedule(tg_recording *rec) {
    int groups = 0;
    if (!tg_drop_unused(rec) || (rec->most >= LEAST && !find_groups(rec, &groups))) return false;
    if (groups) tg_find_sums(rec);
    find_lives(rec);
    for (bool enough = !groups; !enough;) {
        find_local(rec);
        enough = find_slots(rec, &groups);
        if (!enough) find_lives(rec);
    }
    if (rec->rows) leave_rows(rec);
    return true;
}
