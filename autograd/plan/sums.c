/* Sums at the end of a group: an op that folds an array to one number (tg_op.of_sum) takes the sum from the pass that makes the
 * array, which then need not be in memory at all.
 *
 * Sums are those of tg_reduce to the bit: a chunk of 1024 elements by the kernel for rows, and the chunks in a binary counter. */
#include "autograd/plan/program.h"
#include "core/kernels/simd/table.h"
#include "core/parallel.h"

#include <string.h>

/* ---- while calls are put in order ---- */

static bool is_dense(const tg_array *a) {
    return tg_flat_stride(a) == 1 && tg_dtype_is_float((tg_dtype)a->dtype);
}

/* Whether the call folds all of memory that calls make. */
static bool folds(const tg_recording *rec, const tg_plan_call *c) {
    if (c->kind != TG_CALL_FORWARD || c->lowered || !c->of->op->of_sum || c->of->n != 2) return false;
    const tg_operand *x = &rec->operand[c->operand], *out = x + 1;
    const tg_memory *m = x->memory >= 0 ? &rec->memory[x->memory] : NULL;
    return m && m->kind == TG_MEMORY_MADE && out->memory >= 0 && out->a->numel == 1 && is_dense(x->a) &&
           x->at == 0 && (size_t)x->a->numel * tg_dtype_size((tg_dtype)x->a->dtype) == m->bytes;
}

/* The last call before this one that writes the memory, as far as that is a kernel of a group; -1: it is none. */
static int64_t maker_of(const tg_recording *rec, int64_t before, int memory) {
    for (int64_t i = before - 1; i >= 0; i--) {
        const tg_plan_call *c = &rec->call[i];
        for (int k = 0; c->lowered && k < c->maps; k++)
            if (rec->map[c->map + k].memory[0] == memory) return c->group ? i : -1;
        for (int k = 0; !c->lowered && k < c->of->n; k++)
            if (rec->operand[c->operand + k].memory == memory && tg_call_writes(c, k)) return -1;
    }
    return -1;
}

/* Whether the kernel changes what the group has read before, among those of the group up to it. */
static bool overwrites(const tg_recording *rec, int64_t first, int64_t c, const tg_plan_map *last) {
    const int memory = last->memory[0];
    for (int64_t i = first; i <= c; i++)
        for (int k = 0; k < rec->call[i].maps; k++) {
            const tg_plan_map *m = &rec->map[rec->call[i].map + k];
            for (int o = 1; o < m->of->operands; o++)
                if (m->memory[o] == memory) return true;
            if (m == last || m->memory[0] == memory) return false;
        }
    return false;
}

/* Whether the group may be run a second time, to the same numbers, should the elements be needed after all. */
static bool can_run_again(const tg_recording *rec, int64_t first, int64_t end) {
    for (int64_t i = first; i < end; i++)
        for (int k = 0; k < rec->call[i].maps; k++)
            if (overwrites(rec, first, i, &rec->map[rec->call[i].map + k])) return false;
    return true;
}

/* The call goes behind the group. Nothing in between writes what it reads, and what it makes is not there yet. */
static void move(tg_recording *rec, int64_t from, int64_t to) {
    tg_plan_call c = rec->call[from];
    memmove(&rec->call[to + 1], &rec->call[to], (size_t)(from - to) * sizeof c);
    rec->call[to] = c;
}

void tg_find_sums(tg_recording *rec) {
    for (int64_t i = 0; i < rec->n_calls; i++) {
        if (!folds(rec, &rec->call[i])) continue;
        int memory = rec->operand[rec->call[i].operand].memory, sums = 0;
        int64_t maker = maker_of(rec, i, memory), first = maker;
        if (maker < 0) continue;
        while (first > 0 && rec->call[first - 1].group == rec->call[maker].group) first--;
        int64_t end = tg_group_end(rec, maker);
        for (int64_t c = first; c < end; c++) sums += rec->call[c].summed;
        if (sums == TG_SUMS || rec->memory[memory].summed || !can_run_again(rec, first, end)) continue;
        rec->memory[memory].summed = sums + 1;
        rec->call[i].summed = true, rec->call[i].group = rec->call[maker].group;
        move(rec, i, end);
    }
}

/* ---- while a program is made ---- */

/* The last kernel of the part that writes the memory, counted from its first. */
static int64_t writer_of(const tg_program *p, const tg_part *part, int memory) {
    int64_t kernel = part->end - 1;
    while (p->extent[kernel].map->memory[0] != memory) kernel--;
    return kernel - part->first;
}

bool tg_program_make_sums(tg_program *p) {
    for (tg_part *part = p->part, *last = part + p->n_parts; part < last; part++) {
        if (part->kind != TG_PART_BLOCKS) continue;
        for (int64_t c = tg_part_end_call(p, part); c < p->rec.n_calls && p->rec.call[c].summed; c++) {
            const tg_operand *x = &p->rec.operand[p->rec.call[c].operand];
            tg_part_sum *s = &part->sum[part->sums];
            *s = (tg_part_sum){.memory = x->memory,
                               .dtype = x->a->dtype,
                               .size = (int)tg_dtype_size((tg_dtype)x->a->dtype),
                               .kernel = writer_of(p, part, x->memory),
                               .n = x->a->numel};
            int64_t chunks = (s->n + TG_SUM_CHUNK - 1) / TG_SUM_CHUNK;
            if (!(s->partial = tg_program_take(p, chunks, (size_t)s->size))) return false;
            p->call[c].sum = s, p->call[c].part = part, part->sums++;
        }
    }
    return true;
}

/* ---- in a run ---- */

void tg_sum_chunk(const tg_part_sum *s, int64_t chunk, const void *x) {
    int64_t done = chunk * TG_SUM_CHUNK, left = s->n - done;
    tg_kernels_for(s->dtype)->row[TG_SUM](left < TG_SUM_CHUNK ? left : TG_SUM_CHUNK, x, 1,
                                          (char *)s->partial + chunk * s->size);
}

/* Partial sums of equally many chunks meet: level l holds 2^l of them. */
#define DEFINE_TOTAL(T) \
    static T total_##T(const T *part, int64_t n) { \
        T level[56], total = 0; \
        for (int64_t i = 0; i < n; i++) { \
            T sum = part[i]; \
            int l = 0; \
            for (int64_t c = i; c & 1; c >>= 1) sum = level[l++] + sum; \
            level[l] = sum; \
        } \
        for (int l = 0; n; n >>= 1, l++) \
            if (n & 1) total = level[l] + total; \
        return total; \
    }
DEFINE_TOTAL(float)
DEFINE_TOTAL(double)

/* The elements are made after all: the group is run once more with memory for them. */
static tg_status fold_elements(const tg_program *p, const tg_program_call *c) {
    size_t bytes = p->rec.memory[c->sum->memory].bytes;
    if (!p->rec.memory[c->sum->memory].local) return c->call->of->op->forward(&c->forward);
    char *elements = tg_sys_alloc(bytes);
    if (!elements) return tg_fail_memory(bytes);
    tg_status s = tg_plan_run_with_memory(p, c->part, c->sum->memory, elements);
    c->slot[0].a.data = elements;
    if (s == TG_OK) s = c->call->of->op->forward(&c->forward);
    c->slot[0].a.data = NULL;
    tg_sys_free(elements, bytes);
    return s;
}

tg_status tg_program_run_summed(const tg_program *p, const tg_program_call *c) {
    const tg_part_sum *s = c->sum;
    int64_t chunks = (s->n + TG_SUM_CHUNK - 1) / TG_SUM_CHUNK;
    union {
        float narrow;
        double wide;
    } sum = {0};
    if (s->dtype == TG_F32)
        sum.narrow = total_float(s->partial, chunks);
    else
        sum.wide = total_double(s->partial, chunks);
    return c->call->of->op->of_sum(&c->forward, &sum) ? TG_OK : fold_elements(p, c);
}
