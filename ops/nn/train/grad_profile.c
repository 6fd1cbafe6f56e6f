/* Gradients over steps: what is kept of them, and the file. */
#include "ops/nn/train/grad_profile_private.h"

#include "core/io/text.h"
#include "core/memory.h"
#include "core/work.h"
#include "autograd/backward.h"
#include "ops/nn/model/object.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char kind[] = "profile of gradients", step_name[] = "tg_grad_profile_step";

tg_grad_record *tg_grad_record_of(const tg_grad_profile *p, const char *who) {
    return tg_object_of(p, kind, who);
}

tg_grad_profile *tg_grad_profile_new_with(tg_model *model, tg_grad_profile_new_opts opts) {
    static const char who[] = "tg_grad_profile_new";
    TG_NAMED(who);
    if (tg_error_status() != TG_OK || !tg_may_do(who)) return NULL;
    if (opts.every < 0 || opts.first < 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: .every and .first must not be negative", who), NULL;
    tg_model_count(model);
    if (tg_error_status() != TG_OK) return NULL;
    tg_grad_profile *p = tg_object_new(sizeof(tg_grad_record), kind, who);
    tg_grad_record *r = p ? tg_object_of(p, kind, who) : NULL;
    if (r)
        *r = (tg_grad_record){
            .model = model, .every = opts.every ? opts.every : 1, .step = opts.first ? opts.first : 1};
    return p;
}

static void free_text(char *text) {
    if (text) tg_dealloc(text, strlen(text) + 1);
}

void tg_grad_profile_free(tg_grad_profile *p) {
    tg_grad_record *r = p ? tg_object_of(p, kind, "tg_grad_profile_free") : NULL;
    if (!r || !tg_may_do("tg_grad_profile_free")) return;
    for (int64_t i = 0; i < r->n_entries; i++) free_text(r->entry[i].name), free_text(r->entry[i].layer);
    tg_dealloc(r->entry, (size_t)r->room_entries * sizeof *r->entry);
    tg_dealloc(r->seen, (size_t)r->room_seen * sizeof *r->seen);
    tg_object_free(p);
}

/* ---- room ---- */

/* A table with room for `need` elements: the old one, or a larger copy; NULL with the error raised. */
static void *grown(void *table, int64_t *room, int64_t used, int64_t need, size_t element) {
    if (need <= *room) return table;
    int64_t larger = *room * 2 > need ? *room * 2 : need + 16;
    void *p = tg_alloc((size_t)larger * element);
    if (!p)
        return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %" PRId64 " rows", step_name, larger), NULL;
    if (used) memcpy(p, table, (size_t)used * element);
    tg_dealloc(table, (size_t)*room * element);
    *room = larger;
    return p;
}

static char *copy_text(const char *text, size_t n) {
    char *copy = tg_alloc(n + 1);
    if (!copy) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for a name", step_name), NULL;
    memcpy(copy, text, n);
    copy[n] = '\0';
    return copy;
}

/* ---- a step ---- */

/* The entry of that name, made when absent; -1 with the error raised. A model's parameters come in the same order at each step, so that
 * the place `like` is looked at first. */
static int find_entry(tg_grad_record *r, const char *name, int64_t like) {
    if (like < r->n_entries && strcmp(r->entry[like].name, name) == 0) return (int)like;
    for (int64_t i = 0; i < r->n_entries; i++)
        if (strcmp(r->entry[i].name, name) == 0) return (int)i;
    void *table = grown(r->entry, &r->room_entries, r->n_entries, r->n_entries + 1, sizeof *r->entry);
    if (!table) return -1;
    r->entry = table;
    const char *dot = strrchr(name, '.');
    tg_grad_entry e = {.name = copy_text(name, strlen(name)), .first = (int)r->n_entries};
    e.layer = e.name ? copy_text(name, dot ? (size_t)(dot - name) : strlen(name)) : NULL;
    if (!e.layer) return free_text(e.name), -1;
    for (int i = e.first - 1; i >= 0; i--)
        if (strcmp(r->entry[i].layer, e.layer) == 0) e.first = i;
    r->entry[r->n_entries] = e;
    return (int)r->n_entries++;
}

double tg_grad_norm_of(const tg_grad_seen *s) {
    return isnan(s->square) ? (double)NAN : s->scale * sqrt(s->square); /* whose sign says nothing */
}

static double element(const tg_array *a, int64_t i) {
    return a->dtype == TG_F32 ? (double)((const float *)a->data)[i] : ((const double *)a->data)[i];
}

/* Gradients that tg_backward leaves are contiguous. Squares of f32 fit a double; those of large f64 are scaled. */
static void measure(tg_grad_seen *s, const tg_array *a) {
    double zeros = 0, square = 0, lo = INFINITY, hi = -INFINITY;
    bool nan = false;
    for (int64_t i = 0; i < a->numel; i++) {
        double g = element(a, i);
        square += g * g, zeros += g == 0, nan |= g != g;
        lo = g < lo ? g : lo, hi = g > hi ? g : hi;
    }
    s->numel = (double)a->numel, s->zeros = zeros;
    s->min = nan ? (double)NAN : lo, s->max = nan ? (double)NAN : hi;
    double most = fmax(fabs(s->min), fabs(s->max));
    s->scale = 1, s->square = square;
    if (nan || isinf(most) || a->numel == 0 || (square < 1e300 && square > 1e-280) || most == 0) return;
    s->scale = most, s->square = 0;
    for (int64_t i = 0; i < a->numel; i++) s->square += element(a, i) / most * (element(a, i) / most);
}

void tg_grad_add(tg_grad_seen *to, const tg_grad_seen *s) {
    double scale = fmax(to->scale, s->scale);
    if (to->numel == 0)
        *to = (tg_grad_seen){.step = s->step, .scale = s->scale, .min = INFINITY, .max = -INFINITY},
        scale = s->scale;
    double a = to->scale / scale, b = s->scale / scale;
    to->square = to->square * a * a + s->square * b * b;
    to->scale = scale;
    to->zeros += s->zeros, to->numel += s->numel;
    to->min = isnan(to->min) || isnan(s->min) ? (double)NAN : fmin(to->min, s->min);
    to->max = isnan(to->max) || isnan(s->max) ? (double)NAN : fmax(to->max, s->max);
}

/* Adds what is seen of parameter i, of which there is room for one; false: it has no gradient, or an error was raised. */
static bool look(tg_grad_record *r, int i) {
    const tg_tensor *param = tg_model_at(r->model, i);
    if (!tg_has_grad(param)) return false;
    const tg_array *a = tg_array_of(tg_grad_of(param));
    int entry = a ? find_entry(r, tg_name(param), i) : -1;
    if (entry < 0) return false;
    tg_grad_seen *s = &r->seen[r->n_seen++];
    *s = (tg_grad_seen){.step = r->step, .entry = entry};
    measure(s, a);
    return true;
}

tg_status tg_grad_profile_step(tg_grad_profile *p) {
    TG_NAMED(step_name);
    if (tg_error_status() != TG_OK) return tg_error_status();
    tg_grad_record *r = tg_object_of(p, kind, step_name);
    if (!r || !tg_may_do(step_name)) return tg_error_status();
    const int n = tg_model_count(r->model);
    const int64_t seen = r->n_seen;
    if (tg_error_status() == TG_OK && r->calls % r->every == 0) {
        void *table = grown(r->seen, &r->room_seen, r->n_seen, r->n_seen + n, sizeof *r->seen);
        if (table || (n == 0 && tg_error_status() == TG_OK)) r->seen = table;
        const tg_mark mark = tg_tape_mark();
        for (int i = 0; i < n && tg_error_status() == TG_OK; i++) look(r, i);
        tg_tape_rewind(mark);
    }
    if (tg_error_status() != TG_OK) return r->n_seen = seen, tg_error_status();
    if (r->calls % r->every == 0) r->steps++;
    r->calls++, r->step++;
    return TG_OK;
}

/* ---- rows ---- */

static tg_grad_row row_of(const tg_grad_record *r, const tg_grad_seen *s, bool layer) {
    return (tg_grad_row){.step = s->step,
                         .name = layer ? r->entry[s->entry].layer : r->entry[s->entry].name,
                         .layer = layer,
                         .norm = tg_grad_norm_of(s),
                         .zeros = s->numel > 0 ? s->zeros / s->numel : 0,
                         .min = s->numel > 0 ? s->min : (double)NAN,
                         .max = s->numel > 0 ? s->max : (double)NAN};
}

/* The layer that ends with record k: no later record of the step is of it. False: it goes on. */
static bool sum_layer(const tg_grad_record *r, int64_t k, tg_grad_seen *sum) {
    const tg_grad_seen *at = &r->seen[k];
    const int layer = r->entry[at->entry].first;
    for (int64_t i = k + 1; i < r->n_seen && r->seen[i].step == at->step; i++)
        if (r->entry[r->seen[i].entry].first == layer) return false;
    *sum = (tg_grad_seen){.step = at->step};
    int64_t first = k;
    while (first > 0 && r->seen[first - 1].step == at->step) first--;
    for (; first <= k; first++)
        if (r->entry[r->seen[first].entry].first == layer) tg_grad_add(sum, &r->seen[first]);
    sum->entry = at->entry;
    return true;
}

int64_t tg_grad_profile_rows(const tg_grad_profile *p, tg_grad_row *row, int64_t most) {
    static const char who[] = "tg_grad_profile_rows";
    const tg_grad_record *r = tg_grad_record_of(p, who);
    int64_t n = 0;
    if (!r) return -1;
    if (most > 0 && !row) return tg_fail(TG_ERR_ARGUMENT, "%s: the array of rows is NULL", who), -1;
    for (int64_t k = 0; k < r->n_seen; k++) {
        tg_grad_seen sum;
        if (n < most) row[n] = row_of(r, &r->seen[k], false);
        n++;
        if (!sum_layer(r, k, &sum)) continue;
        if (n < most) row[n] = row_of(r, &sum, true);
        n++;
    }
    return n;
}

/* ---- the file ---- */

/* A field, in quotes where it needs them. */
static void write_field(FILE *file, const char *text) {
    if (!strpbrk(text, ",\"\r\n")) {
        fputs(text, file);
        return;
    }
    fputc('"', file);
    for (; *text; text++) {
        if (*text == '"') fputc('"', file);
        fputc(*text, file);
    }
    fputc('"', file);
}

static tg_status write_rows(FILE *file, const tg_grad_row *row, int64_t n) {
    fputs("step,kind,name,norm,zeros,min,max\n", file);
    for (int64_t i = 0; i < n; i++) {
        fprintf(file, "%" PRId64 ",%s,", row[i].step, row[i].layer ? "layer" : "parameter");
        write_field(file, row[i].name);
        fprintf(file, ",%.9g,%.9g,%.9g,%.9g\n", row[i].norm, row[i].zeros, row[i].min, row[i].max);
    }
    return ferror(file) ? TG_ERR_MEMORY : TG_OK;
}

static tg_status save_text(const char *path, const char *text, size_t n) {
    const tg_mark mark = tg_tape_mark();
    tg_status s = tg_save_text(tg_from_with(TG_U8, text, TG_SHAPE((int64_t)n)), path);
    tg_tape_rewind(mark);
    return s;
}

tg_status tg_grad_profile_save(const tg_grad_profile *p, const char *path) {
    static const char who[] = "tg_grad_profile_save";
    TG_NAMED(who);
    if (tg_error_status() != TG_OK) return tg_error_status();
    const int64_t n = tg_grad_profile_rows(p, NULL, 0);
    if (n < 0 || !tg_may_do(who)) return tg_error_status();
    const size_t bytes = ((size_t)n + 1) * sizeof(tg_grad_row);
    tg_grad_row *row = tg_alloc(bytes);
    char *text = NULL;
    size_t size = 0;
    FILE *file = row ? open_memstream(&text, &size) : NULL;
    tg_status s = file ? write_rows(file, row, tg_grad_profile_rows(p, row, n)) : TG_ERR_MEMORY;
    if (file && fclose(file) != 0) s = TG_ERR_MEMORY;
    if (s == TG_OK)
        s = save_text(path, text, size);
    else
        s = tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %" PRId64 " rows", who, n);
    free(text);
    tg_dealloc(row, bytes);
    return s;
}
