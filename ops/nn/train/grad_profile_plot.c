/* The picture of gradients over steps. */
#include "ops/nn/train/grad_profile_private.h"

#include "autograd/tape.h"
#include "core/memory.h"
#include "core/work.h"
#include "ops/nn/plot/plot.h"

#include <math.h>
#include <string.h>

static const char who[] = "tg_grad_profile_plot";

/* A row a layer, or a parameter, and a column a step that was looked at. */
typedef struct picture {
    const tg_grad_record *r;
    bool parameters;
    int rows;
    int *row_of;       /* by entry */
    const char **name; /* by row */
    size_t bytes;      /* of both, in one piece */
} picture;

static tg_status arrange(picture *p) {
    const tg_grad_record *r = p->r;
    p->bytes = (size_t)(r->n_entries + 1) * (sizeof *p->name + sizeof *p->row_of);
    if (!(p->name = tg_alloc(p->bytes)))
        return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %lld rows", who, (long long)r->n_entries);
    p->row_of = (int *)(void *)(p->name + r->n_entries + 1);
    for (int64_t i = 0; i < r->n_entries; i++) {
        const tg_grad_entry *e = &r->entry[i];
        const bool new = p->parameters || e->first == i;
        p->row_of[i] = new ? p->rows : p->row_of[e->first];
        if (new) p->name[p->rows++] = p->parameters ? e->name : e->layer;
    }
    return TG_OK;
}

/* Sums of one step become cells of its column. */
static void put_column(const picture *p, const tg_grad_seen *sum, tg_grad_figure what, double *cell,
                       int64_t columns) {
    for (int row = 0; row < p->rows; row++) {
        const tg_grad_seen *s = &sum[row];
        if (s->numel == 0 || isnan(s->square)) continue;
        cell[row * columns] = what == TG_GRAD_NORM ? log10(tg_grad_norm_of(s)) : s->zeros / s->numel;
    }
}

static tg_status fill(const picture *p, tg_grad_figure what, double *cell, int64_t columns) {
    const tg_grad_record *r = p->r;
    const size_t bytes = (size_t)p->rows * sizeof(tg_grad_seen);
    tg_grad_seen *sum = tg_alloc(bytes);
    if (!sum) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %d rows", who, p->rows);
    for (int64_t i = 0; i < p->rows * columns; i++) cell[i] = (double)NAN;
    for (int64_t k = 0; k < r->n_seen;) {
        const int64_t step = r->seen[k].step;
        memset(sum, 0, bytes);
        for (; k < r->n_seen && r->seen[k].step == step; k++)
            tg_grad_add(&sum[p->row_of[r->seen[k].entry]], &r->seen[k]);
        put_column(p, sum, what, cell + (step - r->seen[0].step) / r->every, columns);
    }
    tg_dealloc(sum, bytes);
    return TG_OK;
}

bool tg_grad_shows(const tg_grad_profile *profile) {
    const tg_grad_record *r = tg_grad_record_of(profile, who);
    for (int64_t k = 0; r && k < r->n_seen; k++) {
        double norm = tg_grad_norm_of(&r->seen[k]);
        if (isfinite(norm) && norm > 0) return true;
    }
    return false;
}

static tg_status draw(const picture *p, const char *path, const tg_grad_profile_plot_opts *o) {
    const tg_grad_record *r = p->r;
    const int64_t first = r->seen[0].step, last = r->seen[r->n_seen - 1].step,
                  columns = (last - first) / r->every + 1;
    tg_tensor *t = tg_zeros_with(TG_F64, TG_SHAPE(p->rows, columns));
    double *cell = tg_data_mut(t);
    if (!cell || fill(p, o->what, cell, columns) != TG_OK) return tg_error_status();
    const bool norm = o->what == TG_GRAD_NORM;
    return tg_plot_heatmap_with(path, t,
                                (tg_plot_heatmap_opts){.title = o->title ? o->title
                                                                : norm   ? "Norm of the gradients"
                                                                         : "Zeros among the gradients",
                                                       .x = "step",
                                                       .bar = norm ? "log₁₀ of the norm" : "share of zeros",
                                                       .names = p->name,
                                                       .x_min = (double)first - 0.5 * (double)r->every,
                                                       .x_max = (double)last + 0.5 * (double)r->every,
                                                       .max = norm ? 0 : 1});
}

tg_status tg_grad_profile_plot_with(const tg_grad_profile *profile, const char *path,
                                    tg_grad_profile_plot_opts opts) {
    TG_NAMED(who);
    if (tg_error_status() != TG_OK) return tg_error_status();
    picture p = {.r = tg_grad_record_of(profile, who), .parameters = opts.parameters};
    if (!p.r || !tg_may_do(who)) return tg_error_status();
    if ((unsigned)opts.what > TG_GRAD_ZEROS)
        return tg_fail(TG_ERR_ARGUMENT, "%s: .what is none of the figures", who);
    if (p.r->n_seen == 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: there is nothing to draw: no step with a gradient was seen", who);
    const tg_mark mark = tg_tape_mark();
    tg_status s = arrange(&p);
    if (s == TG_OK) s = draw(&p, path, &opts);
    tg_tape_rewind(mark);
    tg_dealloc(p.name, p.bytes);
    return s;
}
