/* What a training leaves to be looked at: a line an epoch, log.csv and curves. */
#include "ops/nn/train/fit_private.h"

#include "core/io/csv.h"
#include "core/memory.h"
#include "ops/nn/plot/plot.h"
#include "ops/nn/train/grad_profile_private.h"
#include "ops/shape/view.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

enum { FIRST = 5, MOST_COLUMNS = FIRST + 2 * (2 + TG_FIT_METRICS) }; /* those in front of the meters; all */

/* The meters of a row: the loss, that in evaluation, and the metrics. */
static int meters_of(const tg_fitting *f, const tg_meter *meter[2 + TG_FIT_METRICS],
                     const char *name[2 + TG_FIT_METRICS]) {
    int n = 0;
    meter[n] = &f->r.loss, name[n++] = "loss";
    if (f->o.validation) meter[n] = &f->r.validation, name[n++] = "validation_loss";
    for (int i = 0; i < f->metrics; i++) meter[n] = &f->r.metric[i], name[n++] = f->o.metrics[i].name;
    return n;
}

static int columns(const tg_fitting *f) { return FIRST + 2 * (1 + (f->o.validation != NULL) + f->metrics); }

tg_status tg_fit_path(const tg_fitting *f, char path[TG_FIT_PATH], const char *name) {
    int n = snprintf(path, TG_FIT_PATH, "%s/%s", f->o.folder, name);
    if (n >= 0 && n < TG_FIT_PATH) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT, "tg_fit: the path %.200s.. is too long", f->o.folder);
}

void tg_fit_log_free(tg_fitting *f) {
    tg_dealloc(f->row, (size_t)(f->room * columns(f)) * sizeof *f->row);
    tg_grad_profile_free(f->gradients);
}

/* Room for one row more. */
static double *new_row(tg_fitting *f) {
    const size_t bytes = (size_t)columns(f) * sizeof *f->row;
    if (f->rows == f->room) {
        int64_t room = f->room ? 2 * f->room : 64;
        double *row = tg_alloc((size_t)room * bytes);
        if (!row) {
            tg_fail(TG_ERR_MEMORY, "tg_fit: there is no memory for a log of %lld epochs", (long long)room);
            return NULL;
        }
        if (f->rows) memcpy(row, f->row, (size_t)f->rows * bytes);
        tg_dealloc(f->row, (size_t)f->room * bytes);
        f->row = row;
        f->room = room;
    }
    return f->row + f->rows++ * columns(f);
}

static tg_status save_csv(const tg_fitting *f, const tg_tensor *table) {
    const tg_meter *meter[2 + TG_FIT_METRICS];
    const char *name[2 + TG_FIT_METRICS];
    char path[TG_FIT_PATH], header[2048];
    int n = meters_of(f, meter, name), used = snprintf(header, sizeof header, "epoch,step,seconds,rate,lr");
    for (int i = 0; i < n; i++)
        used += snprintf(header + used, sizeof header - (size_t)used, ",%s,%s_error", name[i], name[i]);
    if (tg_fit_path(f, path, "log.csv") != TG_OK) return tg_error_status();
    return tg_save_csv_with(table, path, (tg_save_csv_opts){.header = header});
}

/* ---- curves ---- */

static tg_tensor *column(tg_tensor *table, int i) { return tg_slice(table, 1, i, i + 1, 1); }

/* The means of meter i with their errors. */
static tg_series series_of(tg_tensor *table, int i, const char *name) {
    return (tg_series){name, column(table, FIRST + 2 * i), column(table, 0), column(table, FIRST + 2 * i + 1)};
}

/* A metric that is never finite has no curve: there is nothing to be seen of it. */
static tg_status save_curve(const tg_fitting *f, const char *name, int n, const tg_series *series) {
    char path[TG_FIT_PATH], file[80];
    bool any = false;
    for (int i = 0; i < n; i++)
        for (int64_t k = 0; k < f->rows; k++) any = any || isfinite(tg_get(series[i].y, k));
    snprintf(file, sizeof file, "%s.svg", name);
    if (!any || tg_fit_path(f, path, file) != TG_OK) return tg_error_status();
    return tg_plot_lines_with(path, n, series, (tg_plot_lines_opts){.title = name, .x = "epoch"});
}

static tg_status save_curves(const tg_fitting *f, tg_tensor *table) {
    const bool validated = f->o.validation;
    const tg_series loss[2] = {series_of(table, 0, "training"),
                               validated ? series_of(table, 1, "validation") : (tg_series){0}};
    save_curve(f, "loss", 1 + validated, loss);
    for (int i = 0; i < f->metrics; i++) {
        const tg_series metric = series_of(table, 2 + i, NULL);
        save_curve(f, f->o.metrics[i].name, 1, &metric);
    }
    return tg_error_status();
}

tg_status tg_fit_log_add(tg_fitting *f) {
    if (!f->o.folder || !tg_fit_dist_writes(f)) return TG_OK;
    const tg_meter *meter[2 + TG_FIT_METRICS];
    const char *name[2 + TG_FIT_METRICS];
    double *row = new_row(f);
    if (!row) return tg_error_status();
    const double first[FIRST] = {(double)f->r.epoch, (double)f->r.step, f->r.seconds, f->r.rate, f->r.lr};
    memcpy(row, first, sizeof first);
    int n = meters_of(f, meter, name);
    for (int i = 0; i < n; i++) {
        row[FIRST + 2 * i] = tg_meter_mean(meter[i]);
        row[FIRST + 2 * i + 1] = tg_meter_error(meter[i]);
    }
    tg_mark mark = tg_tape_mark();
    tg_tensor *table = tg_from_with(TG_F64, f->row, (tg_shape){2, {f->rows, columns(f)}});
    if (save_csv(f, table) == TG_OK) save_curves(f, table);
    tg_tape_rewind(mark);
    return tg_error_status();
}

tg_status tg_fit_log_read(tg_fitting *f) {
    char path[TG_FIT_PATH];
    if (tg_fit_path(f, path, "log.csv") != TG_OK || access(path, F_OK) != 0) return tg_error_status();
    tg_mark mark = tg_tape_mark();
    tg_tensor *table = tg_load_csv_with(path, (tg_load_csv_opts){.dtype = TG_F64, .header = true});
    const double *from = tg_is_poison(table) ? NULL : tg_data(table);
    if (from && tg_size(table, 1) != columns(f))
        tg_fail(TG_ERR_FORMAT,
                "tg_fit: %.200s has %lld columns, and this training %d: it is the log of another", path,
                (long long)tg_size(table, 1), columns(f));
    for (int64_t i = 0; tg_error_status() == TG_OK && i < tg_size(table, 0); i++, from += columns(f)) {
        double *row = from[0] <= (double)f->r.epoch ? new_row(f) : NULL;
        if (row) memcpy(row, from, (size_t)columns(f) * sizeof *row);
    }
    tg_tape_rewind(mark);
    return tg_error_status();
}

/* ---- gradients ---- */

/* The profile begins with the first step of this run, whose number it is to know. */
tg_status tg_fit_gradients_step(tg_fitting *f) {
    if (!f->o.gradients) return TG_OK;
    if (!f->gradients)
        f->gradients =
            tg_grad_profile_new_with(f->run.model, (tg_grad_profile_new_opts){.first = f->r.step + 1});
    return f->gradients ? tg_grad_profile_step(f->gradients) : tg_error_status();
}

tg_status tg_fit_gradients_save(const tg_fitting *f) {
    char path[TG_FIT_PATH];
    if (!f->gradients || !tg_fit_dist_writes(f) || tg_fit_path(f, path, "gradients.csv") != TG_OK ||
        tg_grad_profile_save(f->gradients, path) != TG_OK || tg_fit_path(f, path, "gradients.svg") != TG_OK)
        return tg_error_status();
    return tg_grad_shows(f->gradients)
               ? tg_grad_profile_plot_with(f->gradients, path, (tg_grad_profile_plot_opts){0})
               : tg_error_status();
}

void tg_fit_log_print(const tg_fitting *f) {
    FILE *file = f->o.log;
    if (!file) return;
    const tg_fit_report *r = &f->r;
    fprintf(file, "epoch %*lld/%lld  loss %.4f", snprintf(NULL, 0, "%lld", (long long)f->o.epochs),
            (long long)r->epoch, (long long)f->o.epochs, r->loss.mean);
    if (f->o.validation) fprintf(file, "  validation %.4f", r->validation.mean);
    for (int i = 0; i < f->metrics; i++) {
        fprintf(file, "  %s %.4f", f->o.metrics[i].name, r->metric[i].mean);
        if (r->metric[i].parts > 1) fprintf(file, " +- %.4f", tg_meter_error(&r->metric[i]));
    }
    fprintf(file, "  %.2f s  %.0f/s\n", r->rate > 0 ? r->loss.count / r->rate : 0, r->rate);
    fflush(file);
}
