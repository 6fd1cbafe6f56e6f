/* Where what a recording makes lies: two pieces may overlap when no call needs both.
 *
 * The largest goes first, to the lowest place that is free during its life ("greedy by size": Pisarchyk and Lee, "Efficient
 * memory management for deep neural net inference", 2020). A life begins with the call that makes the piece and ends with
 * the last that uses it, so what a call reads and what it makes never overlap. Small pieces of one size, of which there may
 * be thousands, need no search: in the order of the calls each takes a place of that size that is free, which is as few
 * places as can be. Nor do many large ones, which take the lowest gap that is large enough, in that order: what forward
 * makes and backward uses ends in the reverse order, so that gaps are few. */
#include "autograd/plan/program.h"

#include <stdlib.h>
#include <string.h>

#define SMALL 4096 /* bytes */
#define MANY 512   /* pieces, which are worth the shorter way */

typedef struct piece {
    tg_memory *m;
    size_t room;
    int64_t first, last;
} piece;

typedef struct placed { /* together in memory, since each piece looks at all that are larger */
    size_t offset, end;
    int64_t first, last;
} placed;
_Static_assert(sizeof(piece) <= sizeof(placed), "pieces are sorted where they are placed later");

/* The header of a buffer, and the elements. */
static size_t room_of(const tg_memory *m) {
    return TG_ALIGN + (m->bytes + TG_ALIGN - 1) / TG_ALIGN * TG_ALIGN;
}

/* A constant that is written is put back before each run, and lives through all of it. */
static bool needs_room(const tg_memory *m) {
    return (m->kind == TG_MEMORY_MADE && !m->escapes && !m->local) ||
           (m->kind == TG_MEMORY_CONSTANT && m->written);
}

static int64_t collect(const tg_recording *rec, piece *p) {
    int64_t n = 0;
    for (int64_t i = 0; i < rec->n_memories; i++) {
        tg_memory *m = &rec->memory[i];
        if (!needs_room(m)) continue;
        bool whole = m->kind == TG_MEMORY_CONSTANT;
        p[n++] = (piece){m, room_of(m), whole ? 0 : m->first, whole ? rec->n_calls : m->last};
    }
    return n;
}

/* ---- the lower bound: the most that is alive at once ---- */

static size_t most_alive(const piece *p, int64_t n, int64_t calls, int64_t *change) {
    memset(change, 0, (size_t)(calls + 2) * sizeof *change);
    for (int64_t i = 0; i < n; i++)
        change[p[i].first] += (int64_t)p[i].room, change[p[i].last + 1] -= (int64_t)p[i].room;
    int64_t now = 0, most = 0;
    for (int64_t i = 0; i <= calls; i++)
        if ((now += change[i]) > most) most = now;
    return (size_t)most;
}

/* ---- large pieces ---- */

static int larger_first(const void *a, const void *b) {
    const piece *x = a, *y = b;
    if (x->room != y->room) return x->room < y->room ? 1 : -1;
    return x->first < y->first ? -1 : x->first > y->first;
}

/* Puts q among the n that are placed, in order of their offsets. */
static size_t put(placed *at, int64_t n, const piece *q) {
    size_t offset = 0;
    for (const placed *p = at; p < at + n; p++) {
        if (p->last < q->first || q->last < p->first) continue;
        if (p->offset >= offset + q->room) break;
        if (p->end > offset) offset = p->end;
    }
    q->m->offset = offset;
    int64_t k = n;
    while (k > 0 && at[k - 1].offset > offset) k--;
    memmove(at + k + 1, at + k, (size_t)(n - k) * sizeof *at);
    at[k] = (placed){offset, offset + q->room, q->first, q->last};
    return offset + q->room;
}

static int longer_first(const void *a, const void *b) {
    const piece *x = a, *y = b;
    int64_t lives = (y->last - y->first) - (x->last - x->first);
    return lives ? (lives > 0 ? 1 : -1) : larger_first(a, b);
}

typedef int order(const void *a, const void *b);

static size_t place_in(order *by, piece *p, int64_t n, placed *at) {
    size_t end = 0;
    qsort(p, (size_t)n, sizeof *p, by);
    for (int64_t i = 0; i < n; i++) {
        size_t to = put(at, i, &p[i]);
        if (to > end) end = to;
    }
    return end;
}

/* No order is the best for all: a second one is tried. */
static size_t place_few(piece *p, int64_t n, placed *at, size_t lower_bound) {
    size_t end = place_in(larger_first, p, n, at);
    if (end <= lower_bound || n > MANY) return end;
    size_t other = place_in(longer_first, p, n, at);
    return other <= end ? other : place_in(larger_first, p, n, at);
}

/* ---- many large pieces: in the order of the calls, from what is free ---- */

typedef struct gap {
    size_t offset, end;
} gap;

typedef struct gaps { /* in order of their offsets; the last one has no end */
    gap *gap;
    int64_t n;
} gaps;

/* The lowest that is large enough, or of those the smallest. */
static size_t take(gaps *g, size_t room, bool smallest) {
    int64_t found = -1;
    for (int64_t i = 0; i < g->n && (smallest || found < 0); i++) {
        size_t size = g->gap[i].end - g->gap[i].offset;
        if (size >= room && (found < 0 || size < g->gap[found].end - g->gap[found].offset)) found = i;
    }
    size_t offset = g->gap[found].offset;
    g->gap[found].offset += room;
    if (g->gap[found].offset < g->gap[found].end) return offset;
    memmove(&g->gap[found], &g->gap[found + 1], (size_t)(g->n - found - 1) * sizeof *g->gap);
    g->n--;
    return offset;
}

/* Joins what lies beside it. */
static void give(gaps *g, size_t offset, size_t end) {
    int64_t low = 0, high = g->n - 1; /* the first gap behind it; the last one always is */
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (g->gap[middle].offset < end)
            low = middle + 1;
        else
            high = middle;
    }
    bool before = low > 0 && g->gap[low - 1].end == offset, behind = g->gap[low].offset == end;
    if (before && behind) {
        g->gap[low - 1].end = g->gap[low].end;
        memmove(&g->gap[low], &g->gap[low + 1], (size_t)(g->n - low - 1) * sizeof *g->gap);
        g->n--;
    } else if (before) {
        g->gap[low - 1].end = end;
    } else if (behind) {
        g->gap[low].offset = offset;
    } else {
        memmove(&g->gap[low + 1], &g->gap[low], (size_t)(g->n - low) * sizeof *g->gap);
        g->gap[low] = (gap){offset, end};
        g->n++;
    }
}

static int earlier_first(const void *a, const void *b) {
    const piece *x = a, *y = b;
    return x->first != y->first ? (x->first < y->first ? -1 : 1) : longer_first(a, b);
}

/* The pieces are in order of their first calls; last_of[call] begins the list of those that end with it. */
static size_t place_many(const piece *p, int64_t n, int64_t calls, gap *list, bool smallest, int64_t *last_of,
                         int64_t *next) {
    gaps g = {list, 1};
    size_t most = 0;
    g.gap[0] = (gap){0, SIZE_MAX};
    memset(last_of, -1, (size_t)(calls + 2) * sizeof *last_of);
    for (int64_t c = 0, at = 0; c <= calls && at < n; c++) {
        for (; at < n && p[at].first <= c; at++) {
            p[at].m->offset = take(&g, p[at].room, smallest);
            if (p[at].m->offset + p[at].room > most) most = p[at].m->offset + p[at].room;
            next[at] = last_of[p[at].last], last_of[p[at].last] = at;
        }
        for (int64_t i = last_of[c]; i >= 0; i = next[i])
            give(&g, p[i].m->offset, p[i].m->offset + p[i].room);
    }
    return most;
}

/* ---- small pieces ---- */

enum { SIZES = SMALL / TG_ALIGN + 1 };

/* The pieces are in the order in which they are made; last_of[call] begins the list of those that end with it. A place
 * that is free is linked through the piece that had it last. */
static size_t place_small(const piece *p, int64_t n, int64_t calls, size_t base, int64_t *last_of,
                          int64_t *next) {
    int64_t freed[SIZES], at = 0;
    for (int i = 0; i < SIZES; i++) freed[i] = -1;
    memset(last_of, -1, (size_t)(calls + 2) * sizeof *last_of);
    for (int64_t c = 0; c <= calls && at < n; c++) {
        for (; at < n && p[at].first <= c; at++) {
            int64_t *free = &freed[p[at].room / TG_ALIGN];
            if (*free >= 0) {
                p[at].m->offset = p[*free].m->offset;
                *free = next[*free];
            } else {
                p[at].m->offset = base;
                base += p[at].room;
            }
            next[at] = last_of[p[at].last], last_of[p[at].last] = at;
        }
        for (int64_t i = last_of[c], after; i >= 0; i = after) {
            int64_t *free = &freed[p[i].room / TG_ALIGN];
            after = next[i];
            next[i] = *free, *free = i;
        }
    }
    return base;
}

/* ---- all ---- */

/* Small pieces to the front, in the order in which calls make them (a counting sort: there may be as many as calls); returns how
 * many there are. */
static int64_t small_to_front(piece *p, int64_t n, int64_t calls, piece *spare, int64_t *of_calls) {
    int64_t small = 0, large = 0;
    while (small < n && p[small].room < SMALL && (small == 0 || p[small].first >= p[small - 1].first))
        small++;
    if (small == n) return n; /* as it is where no call was moved */
    small = 0;
    memset(of_calls, 0, (size_t)(calls + 2) * sizeof *of_calls);
    for (int64_t i = 0; i < n; i++)
        if (p[i].room < SMALL) of_calls[p[i].first + 1]++, small++;
    for (int64_t c = 0; c <= calls; c++) of_calls[c + 1] += of_calls[c];
    for (int64_t i = 0; i < n; i++)
        spare[p[i].room < SMALL ? of_calls[p[i].first]++ : small + large++] = p[i];
    memcpy(p, spare, (size_t)n * sizeof *p);
    return small;
}

/* Of many pieces, what takes long is only done where the short way wastes a twentieth. */
static size_t place_large(piece *p, int64_t n, const tg_recording *rec, placed *at, int64_t *of_calls,
                          int64_t *of_pieces, size_t lower_bound) {
    if (n <= MANY) return place_few(p, n, at, lower_bound);
    gap *list = (gap *)(void *)at;
    const size_t enough = lower_bound + lower_bound / 20;
    size_t end = 0;
    qsort(p, (size_t)n, sizeof *p, earlier_first);
    for (int smallest = 0; smallest < 2 && (!smallest || end > enough); smallest++)
        end = place_many(p, n, rec->n_calls, list, smallest, of_calls, of_pieces);
    return end <= enough ? end : place_few(p, n, at, lower_bound);
}

bool tg_layout_memory(tg_recording *rec, size_t *bytes, size_t *lower_bound) {
    size_t pieces = (size_t)rec->n_memories + 1, calls = (size_t)rec->n_calls + 2;
    size_t size = pieces * (sizeof(piece) + sizeof(placed)) + (pieces + calls) * sizeof(int64_t);
    piece *p = tg_sys_alloc(size);
    if (!p) return false;
    placed *at = (placed *)(void *)(p + pieces);
    int64_t *of_pieces = (int64_t *)(void *)(at + pieces), *of_calls = of_pieces + pieces;
    const int64_t n = collect(rec, p);
    *lower_bound = most_alive(p, n, rec->n_calls, of_calls);
    int64_t small = small_to_front(p, n, rec->n_calls, (piece *)(void *)at, of_calls);
    if (small < MANY) small = 0;
    *bytes = place_large(p + small, n - small, rec, at, of_calls, of_pieces, *lower_bound);
    *bytes = place_small(p, small, rec->n_calls, *bytes, of_calls, of_pieces);
    tg_sys_free(p, size);
    return true;
}
