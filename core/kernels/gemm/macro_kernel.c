#include "core/kernels/gemm/macro_kernel.h"
#include "core/kernels/simd/table.h"

#include <string.h>

/* A block of A, MC x KC, stays in the second cache while the panels of B, KC x NR and packed, go by. MC is a multiple of
 * every set's MR (14 or 6). NC bounds what is packed at a time. */
enum { MC = 84, KC = 512, NC = 1024, LINE = 64, L1_SET = 4096 };

static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static int64_t up(int64_t n, int64_t unit) { return (n + unit - 1) / unit * unit; }

static const char *at(const tg_gemm_operand *x, int64_t i, int64_t j, size_t size) {
    return (const char *)x->data + (i * x->row + j * x->col) * (int64_t)size;
}

/* Lines of memory a multiple of 4 KiB apart share one set of the first cache, which has room for 8 to 12. */
static bool crowded(int64_t step, size_t size) { return step != 0 && step * (int64_t)size % L1_SET == 0; }

/* ---- packing B ---- */

static void copy_row(char *to, const char *from, size_t bytes) {
    for (; bytes >= LINE; bytes -= LINE, to += LINE, from += LINE) memcpy(to, from, LINE);
    if (bytes) memcpy(to, from, bytes);
}

/* Rows that a step through memory is ahead of: no hardware sees that they are next. */
enum { AHEAD = 16 };

static void pack_rows(int64_t k, size_t bytes, size_t width, const char *from, int64_t step, char *to) {
    for (int64_t p = 0; p < k; p++, from += step, to += width) {
        const char *next = from + (p + AHEAD < k ? AHEAD : 0) * step;
        for (size_t i = 0; i < bytes; i += LINE) __builtin_prefetch(next + i);
        copy_row(to, from, bytes);
    }
}

void tg_gemm_pack(tg_dtype dtype, int64_t k, int64_t cols, int64_t width, const tg_gemm_operand *b,
                  void *panel) {
    size_t size = tg_dtype_size(dtype);
    if (cols < width) memset(panel, 0, (size_t)(width * k) * size);
    if (b->col != 1)
        tg_kernels_for((int)dtype)->transpose(cols, k, b->data, b->col, panel, width);
    else
        pack_rows(k, (size_t)cols * size, (size_t)width * size, b->data, b->row * (int64_t)size, panel);
}

/* ---- packing A, which is read where it lies unless that is slow ---- */

/* Where A lies by columns, a micro-kernel of few rows takes little of each line that it touches. */
static bool better_packed(const tg_gemm_operand *a, const tg_kernel_set *set, size_t size) {
    return crowded(a->col == 1 ? a->row : a->col, size) || (a->col != 1 && 2 * set->mr * (int64_t)size < LINE);
}

/* A block of A by rows, an odd number of lines apart. */
static tg_gemm_operand packed(const tg_gemm_operand *a, const tg_kernel_set *set, int64_t mc, int64_t kc,
                              size_t size, char *to) {
    int64_t step = KC + LINE / (int64_t)size;
    if (a->col != 1)
        set->transpose(kc, mc, a->data, a->col, to, step);
    else
        for (int64_t i = 0; i < mc; i++)
            copy_row(to + (size_t)(i * step) * size, at(a, i, 0, size), (size_t)kc * size);
    return (tg_gemm_operand){to, step, 1};
}

/* ---- the loops ---- */

typedef struct macro_kernel {
    const tg_gemm_product *p;
    const tg_kernel_set *set;
    size_t size;
    bool packs_a, in_place;         /* whether A is packed; whole panels of B are read where they lie */
    char *panels, *block;           /* packed B [kc, nc]; packed A [mc, kc] */
    int64_t ic, jc, pc, mc, nc, kc; /* the block at hand: C [ic.., jc..] += A [ic.., pc..] B [pc.., jc..] */
} macro_kernel;

/* The n columns of B from jc + jr on: where they lie if they fill vectors, or else their panel. */
static tg_gemm_operand panel(const macro_kernel *w, int64_t jr, int64_t n) {
    const tg_gemm_operand *b = &w->p->b;
    if (w->in_place && n % w->set->lanes == 0)
        return (tg_gemm_operand){at(b, w->pc, w->jc + jr, w->size), b->row, 1};
    return (tg_gemm_operand){w->panels + (size_t)(jr * w->kc) * w->size, up(n, w->set->lanes), 1};
}

static void pack_b(const macro_kernel *w) {
    for (int64_t jr = 0, n; jr < w->nc; jr += n) {
        n = least(w->nc - jr, w->set->nr);
        tg_gemm_operand b = {at(&w->p->b, w->pc, w->jc + jr, w->size), w->p->b.row, w->p->b.col};
        tg_gemm_operand to = panel(w, jr, n);
        if (to.data != b.data)
            tg_gemm_pack(w->p->dtype, w->kc, n, to.row, &b, w->panels + (size_t)(jr * w->kc) * w->size);
    }
}

/* Loop 4; loop 5 and the micro-kernel are the table's product. C begins at `start` with the first block of terms, and goes
 * on from itself. */
static void multiply_block(macro_kernel *w) {
    const tg_gemm_product *p = w->p;
    tg_gemm_operand a = {at(&p->a, w->ic, w->pc, w->size), p->a.row, p->a.col};
    tg_gemm_operand c = {p->c, p->c_row, 1}, from = w->pc ? c : p->start;
    if (w->packs_a) a = packed(&a, w->set, w->mc, w->kc, w->size, w->block);
    for (int64_t jr = 0, n; jr < w->nc; jr += n) {
        n = least(w->nc - jr, w->set->nr);
        tg_gemm_operand b = panel(w, jr, n);
        w->set->product(&(tg_product){
            .m = w->mc,
            .n = n,
            .k = w->kc,
            .a = a.data,
            .a_row = a.row,
            .a_col = a.col,
            .b = b.data,
            .b_row = b.row,
            .padded = true,
            .start = from.data ? at(&from, w->ic, w->jc + jr, w->size) : NULL,
            .start_row = from.row,
            .c = (char *)p->c + (size_t)(w->ic * p->c_row + w->jc + jr) * w->size,
            .c_row = p->c_row,
            .alpha = 1,
            .fetch = true,
            .fetch_a = jr == 0 && !w->packs_a,
        });
    }
}

void tg_macro_kernel(const tg_gemm_product *p, void *scratch) {
    macro_kernel w;
    w.p = p, w.set = tg_kernels_for((int)p->dtype), w.size = tg_dtype_size(p->dtype);
    w.block = scratch, w.panels = w.block + (size_t)(MC * (KC + LINE)) * w.size;
    w.packs_a = better_packed(&p->a, w.set, w.size);
    w.in_place = p->b.col == 1 && p->m <= 2 * MC && !crowded(p->b.row, w.size); /* read twice at most */
    for (w.jc = 0; w.jc < p->n; w.jc += NC)
        for (w.pc = 0; w.pc < p->k; w.pc += KC) {
            w.nc = least(p->n - w.jc, NC), w.kc = least(p->k - w.pc, KC);
            pack_b(&w);
            for (w.ic = 0; w.ic < p->m; w.ic += MC) {
                w.mc = least(p->m - w.ic, MC);
                multiply_block(&w);
            }
        }
}

int64_t tg_macro_kernel_scratch(tg_dtype dtype, int64_t n, int64_t k) {
    return MC * (KC + LINE) + least(k, KC) * up(least(n, NC), tg_kernels_for((int)dtype)->lanes);
}
