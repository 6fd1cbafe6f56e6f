/* Cross-entropy of rows and classes: the kernel takes a row, and what concerns the class is done here. */
#include "core/kernels/simd/table.h"
#include "core/parallel.h"

typedef struct plan {
    const tg_kernel_set *set;
    int64_t n, size; /* elements of a row, bytes of one */
    const tg_array *x, *classes, *loss, *g, *dx;
} plan;

/* Where the element of row i's class lies in [rows, n]. */
static int64_t place(const plan *p, int64_t i) {
    const void *c = p->classes->data;
    int64_t at = p->classes->dtype == TG_I64 ? ((const int64_t *)c)[i] : ((const int32_t *)c)[i];
    return i * p->n + (at < 0 ? at + p->n : at);
}

static char *element(const plan *p, const tg_array *a, int64_t i) { return (char *)a->data + i * p->size; }

static void forward_rows(void *context, int64_t begin, int64_t end) {
    const plan *p = context;
    for (int64_t i = begin; i < end; i++)
        p->set->cross_entropy(&(tg_cross_entropy_row){.n = p->n,
                                                      .x = element(p, p->x, i * p->n),
                                                      .x_class = element(p, p->x, place(p, i)),
                                                      .loss = element(p, p->loss, i)});
}

static void gradient_rows(void *context, int64_t begin, int64_t end) {
    const plan *p = context;
    for (int64_t i = begin; i < end; i++)
        p->set->cross_entropy_grad(&(tg_cross_entropy_grad_row){.n = p->n,
                                                                .g = element(p, p->g, i),
                                                                .x = element(p, p->x, i * p->n),
                                                                .dx = element(p, p->dx, i * p->n),
                                                                .dx_class = element(p, p->dx, place(p, i))});
}

static void run(plan *p, void (*rows)(void *, int64_t, int64_t)) {
    if (p->classes->numel == 0) return; /* n may be anything */
    int64_t work = 4 * (p->n > 0 ? p->n : 1);
    p->set = tg_kernels_for(p->x->dtype);
    p->size = (int64_t)tg_dtype_size((tg_dtype)p->x->dtype);
    tg_parallel_for(p->classes->numel, work < TG_BLOCK ? TG_BLOCK / work : 1, rows, p);
}

void tg_map_cross_entropy(const tg_array *x, int64_t n, const tg_array *classes, const tg_array *loss) {
    plan p = {.n = n, .x = x, .classes = classes, .loss = loss};
    run(&p, forward_rows);
}

void tg_map_cross_entropy_grad(const tg_array *g, const tg_array *x, int64_t n, const tg_array *classes,
                               const tg_array *dx) {
    plan p = {.n = n, .x = x, .classes = classes, .g = g, .dx = dx};
    run(&p, gradient_rows);
}
