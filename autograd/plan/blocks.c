/* Elementwise kernels: one after the other, or several together, block by block.
 *
 * A block of each operand fits the first-level cache with those of all others. What only the group uses is never more than a
 * block: it lies in scratch memory of the thread, and its places are used again as soon as its last reader has passed. */
#include "autograd/plan/program.h"
#include "core/parallel.h"

#include <string.h>

#define BLOCK TG_SPREAD_BLOCK /* bytes, at most */
#define LEAST 1024            /* and at least */
#define CACHE 24576           /* bytes of the first-level cache for the scratch */
#define GAP \
    (2 * TG_ALIGN) /* so that no two blocks are at the same place of a page, where loads would wait for stores */
#define SLOTS (TG_SLOTS * (LEAST + GAP))
#define WIDE (TG_SUM_CHUNK * 8 + GAP) /* a chunk whose elements are summed */
#define SCRATCH (SLOTS + TG_SUMS * WIDE)
_Static_assert(SLOTS >= CACHE + CACHE / LEAST * GAP, "the scratch has room for blocks of every size");

/* ---- making ---- */

static bool make_kernel(tg_program *p, const tg_part *part, int64_t at, const tg_plan_map *m,
                        const tg_strides *ones) {
    tg_plan_kernel *k = &p->kernel[at];
    bool all = true;
    *k = (tg_plan_kernel){.run = m->of->run, .arg = m->of->arg, .stride = ones};
    p->extent[at] = (tg_plan_extent){.map = m};
    for (int i = 0; i < m->of->operands; i++) {
        all = all && m->of->stride[i] == 1;
        if (m->memory[i] < 0) k->p.each[i] = (char *)(uintptr_t)&m->of->at[i];
    }
    if (all) return true;
    tg_strides *s = tg_program_take(p, 1, sizeof *s);
    for (int i = 0; s && i < m->of->operands; i++)
        s->each[i] = m->of->stride[i] || (part->spreads && m->of->along[i] != TG_EACH);
    k->stride = s;
    return s;
}

/* Local operands become offsets into the scratch. */
static void set_locals(const tg_program *p, const tg_part *part, int64_t at, const tg_plan_map *m) {
    for (int i = 0; i < m->of->operands; i++) {
        const tg_memory *of = m->memory[i] >= 0 ? &p->rec.memory[m->memory[i]] : NULL;
        if (!of || !of->local) continue;
        bool wide = of->slot >= TG_SLOTS;
        p->extent[at].local |= (uint8_t)(1u << i), p->extent[at].wide |= (uint8_t)(wide << i);
        p->kernel[at].p.each[i] =
            (char *)(intptr_t)(wide ? SLOTS + (of->slot - TG_SLOTS) * WIDE : of->slot * part->apart);
    }
}

static tg_part_kind kind_of(const tg_recording *rec, const tg_plan_call *c) {
    bool numbers = true;
    for (int i = 0; i < c->maps; i++) numbers = numbers && rec->map[c->map + i].of->n == 1;
    return !c->lowered ? TG_PART_CALLS
           : c->group  ? TG_PART_BLOCKS
           : numbers   ? TG_PART_NUMBERS
                       : TG_PART_KERNELS;
}

/* Appends call c, whose kernels begin at number `at`, to the last part, or begins one. */
static tg_part *extend(tg_program *p, int64_t c, int64_t at) {
    const tg_plan_call *call = &p->rec.call[c];
    tg_part_kind kind = kind_of(&p->rec, call);
    tg_part *last = &p->part[p->n_parts];
    if (c == 0 || last->kind != kind || call[-1].group != call->group) {
        p->n_parts++;
        *++last = (tg_part){.kind = kind, .first = kind == TG_PART_CALLS ? c : at, .call = c};
    }
    last->end = kind == TG_PART_CALLS ? c + 1 : at + call->maps;
    return last;
}

/* Elements in a block of the group that begins at call c: a multiple of every vector, and as many as let all blocks of
 * scratch stay in the cache. */
static void set_block(const tg_program *p, tg_part *part, int64_t c) {
    const tg_recording *rec = &p->rec;
    int64_t bytes = BLOCK, size = 1, blocks = 0;
    for (int group = rec->call[c].group; c < rec->n_calls && rec->call[c].group == group; c++)
        for (int i = 0; i < rec->call[c].maps; i++) {
            const tg_plan_map *m = &rec->map[rec->call[c].map + i];
            if (m->of->row) part->row = m->of->row;
            for (int k = 0; k < m->of->operands; k++) {
                const tg_memory *of = m->memory[k] >= 0 ? &rec->memory[m->memory[k]] : NULL;
                if (m->of->size[k] > size) size = m->of->size[k];
                if (of && of->local && of->slot >= blocks && of->slot < TG_SLOTS) blocks = of->slot + 1;
            }
        }
    while (bytes > LEAST && blocks * bytes > CACHE) bytes /= 2;
    part->block = bytes / size, part->apart = bytes + GAP;
    part->spreads = part->row && part->row <= TG_SPREAD_ROW;
}

bool tg_program_make_parts(tg_program *p) {
    tg_recording *rec = &p->rec;
    int64_t n = 0;
    for (int64_t c = 0; c < rec->n_calls; c++) n += rec->call[c].maps;
    tg_strides *ones = tg_program_take(p, 1, sizeof *ones);
    p->kernel =
        tg_program_room(p, n + 1, sizeof *p->kernel); /* one more, so that each can lie in one cache line */
    p->extent = tg_program_room(p, n, sizeof *p->extent);
    p->part = tg_program_room(p, rec->n_calls + 1, sizeof *p->part);
    if (!ones || !p->kernel || !p->extent || !p->part) return false;
    p->kernel = (tg_plan_kernel *)(((uintptr_t)p->kernel + TG_ALIGN - 1) / TG_ALIGN * TG_ALIGN);
    for (int k = 0; k < TG_MAX_OPERANDS; k++) ones->each[k] = 1;
    for (int64_t c = 0; c < rec->n_calls; c++) {
        tg_plan_call *call = &rec->call[c];
        int64_t parts = p->n_parts;
        tg_part *part = extend(p, c, p->n_kernels);
        if (p->n_parts != parts && part->kind == TG_PART_BLOCKS) set_block(p, part, c);
        for (int i = 0; call->lowered && i < call->maps; i++) {
            if (!make_kernel(p, part, p->n_kernels, &rec->map[call->map + i], ones)) return false;
            if (call->group) set_locals(p, part, p->n_kernels, &rec->map[call->map + i]);
            p->n_kernels++;
        }
        if (part->kind == TG_PART_BLOCKS) p->fused++;
    }
    p->part++; /* the first is nobody's: before it there was none to extend */
    return true;
}

/* ---- running ---- */

void tg_plan_run_numbers(const tg_program *p, const tg_part *part) {
    for (const tg_plan_kernel *k = p->kernel + part->first, *end = p->kernel + part->end; k < end; k++)
        k->run(1, &k->p, k->stride, k->arg);
}

static int64_t min(int64_t a, int64_t b) { return a < b ? a : b; }

typedef struct pass {
    const tg_plan_kernel *kernel;
    const tg_plan_extent *extent;
    int64_t n;
    int64_t kernels, block, row, span; /* span: elements that one thread has at a time, whole blocks */
    const tg_part_sum *sum;
    int sums;
    const tg_group *group;
    tg_spread spread[TG_SPREADS]; /* what is broadcast in short rows, */
    int spreads;                  /* so that no block ends with a row */
} pass;

/* Bytes to the operand's next element; 0: it stays. */
static inline int64_t step_of(const tg_kernel_form *m, int o) { return m->stride[o] * m->size[o]; }

static void run_units(void *context, int64_t begin, int64_t end) {
    const pass *g = context;
    const tg_kernel_form *m = g->extent->map->of;
    tg_operands at = g->kernel->p;
    const int64_t first = begin * g->span;
    for (int i = 0; i < m->operands; i++) at.each[i] += first * step_of(m, i);
    g->kernel->run((end * g->span < g->n ? end * g->span : g->n) - first, &at, g->kernel->stride,
                   g->kernel->arg);
}

void tg_plan_run_kernels(const tg_program *p, const tg_part *part) {
    for (int64_t i = part->first; i < part->end; i++) {
        const tg_plan_kernel *k = &p->kernel[i];
        const tg_kernel_form *m = p->extent[i].map->of;
        if (m->n * m->cost <= TG_BLOCK) {
            k->run(m->n, &k->p, k->stride, k->arg);
            continue;
        }
        pass g = {.kernel = k, .extent = &p->extent[i], .n = m->n, .span = TG_BLOCK / m->cost};
        tg_parallel_for((g.n + g.span - 1) / g.span, 1, run_units, &g);
    }
}

/* Where the operand's elements for those behind the first `done` are, in bytes from its beginning. */
static inline int64_t offset_of(const pass *g, const tg_plan_extent *e, int o, int64_t done) {
    const tg_kernel_form *m = e->map->of;
    if (e->local >> o & 1) return (e->wide >> o & 1 ? done % TG_SUM_CHUNK : 0) * step_of(m, o);
    if (m->along[o] == TG_EACH) return done * step_of(m, o);
    return m->along[o] == TG_SAME_ROW ? done % g->row * step_of(m, o) : done / g->row * m->size[o];
}

static int find_spread(const pass *g, const char *from, bool same) {
    int i = 0;
    while (i < g->spreads && (g->spread[i].from != from || g->spread[i].same != same)) i++;
    return i;
}

static void add_spreads(pass *g) {
    for (int64_t i = 0; i < g->kernels; i++) {
        const tg_kernel_form *m = g->extent[i].map->of;
        for (int o = 0; o < m->operands; o++) {
            const bool same = m->along[o] == TG_SAME_ROW;
            const char *from = g->kernel[i].p.each[o];
            if (m->along[o] != TG_EACH && find_spread(g, from, same) == g->spreads)
                g->spread[g->spreads++] = (tg_spread){from, m->size[o], g->row, same};
        }
    }
}

/* All kernels on the n elements behind the first `done`, which are in one row, or meet what is spread for them. */
static void run_block(const pass *g, int64_t done, int64_t n, char *scratch, char *const *spread) {
    for (int64_t i = 0; i < g->kernels; i++) {
        const tg_plan_kernel *k = &g->kernel[i];
        const tg_plan_extent *e = &g->extent[i];
        tg_operands at;
        for (int o = 0; o < e->map->of->operands; o++) {
            char *base = e->local >> o & 1 ? scratch + (intptr_t)k->p.each[o] : k->p.each[o];
            if (g->spreads && e->map->of->along[o] != TG_EACH)
                at.each[o] = spread[find_spread(g, base, e->map->of->along[o] == TG_SAME_ROW)];
            else
                at.each[o] = base + offset_of(g, e, o, done);
        }
        k->run(n, &at, k->stride, k->arg);
    }
}

static void sum_chunks(const pass *g, int64_t done, const char *scratch) {
    for (int i = 0; i < g->sums; i++) {
        const tg_part_sum *s = &g->sum[i];
        const tg_plan_kernel *k = &g->kernel[s->kernel];
        const char *x =
            g->extent[s->kernel].wide & 1 ? scratch + (intptr_t)k->p.each[0] : k->p.each[0] + done * s->size;
        tg_sum_chunk(s, done / TG_SUM_CHUNK, x);
    }
}

static void run_blocks(void *context, int64_t begin, int64_t end) {
    _Alignas(TG_ALIGN) char scratch[SCRATCH], room[TG_SPREADS][TG_SPREAD_ROOM];
    char *spread[TG_SPREADS];
    const pass *g = context;
    const bool ends = g->row && !g->spreads; /* blocks with their rows */
    int64_t last = end * g->span < g->n ? end * g->span : g->n;
    for (int i = 0; i < g->spreads; i++) tg_spread_begin(&g->spread[i], g->block, room[i]);
    for (int64_t done = begin * g->span, n; done < last; done += n) {
        n = min(last - done, ends ? min(g->block - done % g->block, g->row - done % g->row) : g->block);
        for (int i = 0; i < g->spreads; i++) spread[i] = tg_spread_block(&g->spread[i], done, n, room[i]);
        run_block(g, done, n, scratch, spread);
        if (g->sums && ((done + n) % TG_SUM_CHUNK == 0 || done + n == g->n))
            sum_chunks(g, (done + n - 1) / TG_SUM_CHUNK * TG_SUM_CHUNK, scratch);
    }
}

static int64_t max(int64_t a, int64_t b) { return a > b ? a : b; }

/* f is called for spans, so many at a time that it is worth a thread. */
static void share_out(pass *g, void (*f)(void *, int64_t, int64_t)) {
    int64_t work = 0;
    for (int64_t i = 0; i < g->kernels; i++) work += g->extent[i].map->of->cost * g->span;
    tg_parallel_for((g->n + g->span - 1) / g->span, work < TG_BLOCK ? TG_BLOCK / work : 1, f, g);
}

static pass pass_of(const tg_program *p, const tg_part *part) {
    pass g = {.kernel = p->kernel + part->first,
              .extent = p->extent + part->first,
              .n = p->extent[part->first].map->of->n,
              .kernels = part->end - part->first,
              .block = part->block,
              .row = part->row,
              .span = part->sums || part->group.run ? max(part->block, TG_SUM_CHUNK) : part->block,
              .sum = part->sum,
              .sums = part->sums};
    if (part->spreads) add_spreads(&g);
    return g;
}

/* The operands that lie in the memory are there, and all else as ever. */
tg_status tg_plan_run_with_memory(const tg_program *p, const tg_part *part, int memory, char *base) {
    pass g = pass_of(p, part);
    size_t kernels = (size_t)g.kernels * sizeof *g.kernel, extents = (size_t)g.kernels * sizeof *g.extent;
    tg_plan_kernel *kernel = tg_sys_alloc(kernels + extents);
    if (!kernel) return tg_fail_memory(kernels + extents);
    tg_plan_extent *extent = (tg_plan_extent *)(void *)(kernel + g.kernels);
    memcpy(kernel, g.kernel, kernels), memcpy(extent, g.extent, extents);
    for (int64_t i = 0; i < g.kernels; i++)
        for (int o = 0; o < extent[i].map->of->operands; o++) {
            if (extent[i].map->memory[o] != memory) continue;
            extent[i].local &= (uint8_t) ~(1u << o), extent[i].wide &= (uint8_t) ~(1u << o);
            kernel[i].p.each[o] = base;
        }
    g.kernel = kernel, g.extent = extent;
    share_out(&g, run_blocks);
    tg_sys_free(kernel, kernels + extents);
    return TG_OK;
}

/* Spans of a compiled group. */
static void run_compiled(void *context, int64_t begin, int64_t end) {
    const pass *g = context;
    const tg_group *of = g->group;
    int64_t last = end * g->span;
    of->run(begin * g->span, last < g->n ? last : g->n, of->at, of->arg);
}

static void share_out_compiled(const tg_program *p, const tg_part *part, pass *g) {
    g->group = &part->group;
    for (int i = 0; i < part->group.operands; i++) {
        const tg_group_operand *o = &part->group.operand[i];
        part->group.at[i] =
            o->kernel < 0 ? part->sum[o->operand].partial : p->kernel[o->kernel].p.each[o->operand];
    }
    share_out(g, run_compiled);
}

/* Where a function is called in the middle of a group, values leave their registers and one vector waits for the other, so that
 * blocks may be faster. The first runs tell. */
enum { TRIES = 6 };

static void try_both(const tg_program *p, tg_part *part, pass *g) {
    tg_group *of = &part->group;
    const int way = of->tries % 2;
    const int64_t begin = tg_span_now();
    if (way)
        share_out(g, run_blocks);
    else
        share_out_compiled(p, part, g);
    const int64_t took = tg_span_now() - begin;
    if (of->tries < 2 || took < of->took[way]) of->took[way] = took;
    if (++of->tries == TRIES) of->blocks = of->took[1] < of->took[0];
}

void tg_plan_run_blocks(const tg_program *p, const tg_part *part) {
    pass g = pass_of(p, part);
    if (part->group.run && part->group.tries < TRIES)
        try_both(p, &p->part[part - p->part], &g);
    else if (part->group.run && !part->group.blocks)
        share_out_compiled(p, part, &g);
    else
        share_out(&g, run_blocks);
}
