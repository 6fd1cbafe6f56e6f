/* What must be equal on all ranks, as lines of text: those of rank 0 are compared with each rank's own. */
#include "ops/nn/dist/dist_private.h"

#include "core/version.h"

#include <inttypes.h>
#include <stdarg.h>
#include <string.h>

/* A text that grows; without memory it stays as it is, and `lost` says so. */
typedef struct list {
    char *text;
    size_t n, room;
    bool lost;
} list;

static void add_line(list *l, const char *format, ...) TG_PRINTF(2, 3);
static void add_line(list *l, const char *format, ...) {
    char line[1600];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(line, sizeof line, format, args);
    va_end(args);
    const size_t more = (size_t)n < sizeof line ? (size_t)n : sizeof line - 1;
    if (l->n + more + 2 > l->room) {
        const size_t room = 2 * (l->n + more + 2);
        char *text = tg_alloc(room);
        l->lost = l->lost || !text;
        if (!text) return;
        if (l->text) memcpy(text, l->text, l->n);
        tg_dealloc(l->text, l->room);
        l->text = text, l->room = room;
    }
    memcpy(l->text + l->n, line, more);
    l->n += more;
    memcpy(l->text + l->n, "\n", 2);
    l->n++;
}

static void add_tensor(list *l, const char *what, const tg_tensor *t, const char *note) {
    char text[1200];
    add_line(l, "%s %s%s", what, tg_describe(t, text, sizeof text), note);
}

static void write_list(const tg_dist_object *d, list *l) {
    const tg_model_object *m = tg_model_object_of(d->model, d->who);
    const tg_loader_state at = d->position;
    add_line(l, "tapegrad %s, %d shards, buckets of %" PRId64 " bytes", tg_version(), d->shards, d->o.bucket);
    if (m) add_line(l, "a model with seed %" PRIu64, m->seed);
    add_line(l, "random numbers of seed %" PRIu64 ", from number %" PRIu64 " on", tg_default_rng()->seed,
             tg_default_rng()->next);
    if (d->loader)
        add_line(l,
                 "a loader with seed %" PRIu64 " in epoch %" PRId64 " before batch %" PRId64 " of %" PRId64
                 ", %" PRId64 " examples",
                 at.seed, at.epoch, at.next, at.batches, at.examples);
    for (int i = 0; i < tg_model_count(d->model); i++) {
        const tg_tensor *t = tg_model_at(d->model, i);
        add_tensor(l, "parameter", t, tg_requires_grad(t) ? "" : ", frozen");
    }
    for (int i = 0; i < tg_model_buffer_count(d->model); i++)
        add_tensor(l, "buffer", tg_model_buffer_at(d->model, i), "");
    add_line(l, "nothing more");
}

/* The first line that differs, of at most `most` characters. */
static void find_difference(const char *ours, const char *theirs, size_t most, char *text, size_t n, int rank) {
    size_t at = 0;
    text[0] = '\0';
    if (strcmp(ours, theirs) == 0) return;
    for (size_t i = 0; ours[i] && ours[i] == theirs[i]; i++)
        if (ours[i] == '\n') at = i + 1;
    const size_t a = strcspn(ours + at, "\n"), b = strcspn(theirs + at, "\n");
    snprintf(text, n, "rank %d has %.*s, and rank 0 %.*s", rank, (int)(a < most ? a : most), ours + at,
             (int)(b < most ? b : most), theirs + at);
}

enum { VERDICT = 640 };

/* All hear what each has found, and say the same. */
static bool agree(tg_dist_object *d, const list *ours, const char *theirs) {
    const size_t bytes = VERDICT * (size_t)d->size;
    char *all = tg_alloc(bytes);
    if (!all) return tg_dist_note(d, TG_ERR_MEMORY, "rank %d has no memory for %zu bytes", d->rank, bytes);
    memset(all, 0, bytes);
    find_difference(ours->text, theirs, 250, all + d->rank * VERDICT, VERDICT, d->rank);
    bool well = tg_dist_share(d, all, VERDICT);
    for (int r = 0; well && r < d->size; r++)
        if (all[r * VERDICT])
            well = tg_dist_note(d, TG_ERR_PEER, "%.600s: before step %lld", all + r * VERDICT,
                                (long long)d->step);
    tg_dealloc(all, bytes);
    return well;
}

static bool compare(tg_dist_object *d, const list *ours) {
    int64_t bytes = (int64_t)ours->n + 1;
    if (!tg_dist_spread(d, &bytes, sizeof bytes)) return false;
    char *theirs = tg_alloc((size_t)bytes);
    if (!theirs)
        return tg_dist_note(d, TG_ERR_MEMORY, "rank %d has no memory for a list of %lld bytes", d->rank,
                            (long long)bytes);
    if (d->rank == 0) memcpy(theirs, ours->text, (size_t)bytes);
    const bool well = tg_dist_spread(d, theirs, (size_t)bytes) && agree(d, ours, theirs);
    tg_dealloc(theirs, (size_t)bytes);
    return well;
}

bool tg_dist_compare(tg_dist_object *d) {
    list l = {0};
    d->about = "the comparison before step";
    write_list(d, &l);
    bool well = tg_error_status() == TG_OK && !l.lost;
    if (l.lost)
        tg_dist_note(d, TG_ERR_MEMORY, "rank %d has no memory for the list of its parameters", d->rank);
    if (well) d->hash = tg_dist_mix(1, l.text, l.n);
    well = well && compare(d, &l);
    tg_dealloc(l.text, l.room);
    return well;
}

static bool spread_tensor(tg_dist_object *d, tg_tensor *t) {
    const size_t bytes = (size_t)tg_numel(t) * tg_dtype_size(tg_dtype_of(t));
    void *data = tg_data_mut(t);
    return bytes == 0 || (data && tg_dist_spread(d, data, bytes));
}

bool tg_dist_spread_model(tg_dist_object *d) {
    bool well = true;
    d->about = "the parameters of rank 0, before step";
    for (int i = 0; well && d->size > 1 && i < tg_model_count(d->model); i++)
        well = spread_tensor(d, tg_model_at(d->model, i));
    for (int i = 0; well && d->size > 1 && i < tg_model_buffer_count(d->model); i++)
        well = spread_tensor(d, tg_model_buffer_at(d->model, i));
    return well;
}

/* ---- who is trained, and heard ---- */

static int trained(const tg_dist_object *d, tg_dist_ear *ear) {
    int n = 0;
    for (int i = 0; i < tg_model_count(d->model); i++) {
        tg_tensor *p = tg_model_at(d->model, i);
        if (!tg_requires_grad(p)) continue;
        if (ear) ear[n] = (tg_dist_ear){.param = p, .number = n};
        n++;
    }
    return n;
}

/* The first parameter that is trained and not known; *known: how many are, before it or, where it is NULL, in all. */
static tg_tensor *first_unknown(const tg_dist_object *d, int *known) {
    *known = 0;
    for (int i = 0; i < tg_model_count(d->model); i++) {
        tg_tensor *p = tg_model_at(d->model, i);
        if (!tg_requires_grad(p)) continue;
        if (*known >= d->parameters || d->ear[*known].param != p) return p;
        ++*known;
    }
    return NULL;
}

bool tg_dist_changed(const tg_dist_object *d) {
    int known;
    return first_unknown(d, &known) || known != d->parameters || tg_model_buffer_count(d->model) != d->buffers;
}

bool tg_dist_is_as_known(const tg_dist_object *d) {
    if (!tg_dist_changed(d)) return true;
    int known;
    const int buffers = tg_model_buffer_count(d->model);
    const tg_tensor *t = first_unknown(d, &known);
    if (!t && buffers > d->buffers) t = tg_model_buffer_at(d->model, buffers - 1);
    tg_fail(TG_ERR_ARGUMENT,
            "%s: in the middle of a step the function has %s%s, of which the other ranks know nothing: call it once before "
            "the first step, in training mode, so that all layers are there",
            d->who, t ? "made " : "dropped or frozen a parameter or buffer", t ? tg_name(t) : "");
    return false;
}

bool tg_dist_hear(tg_dist_object *d) {
    for (int i = 0; i < d->parameters; i++) {
        tg_dist_ear *ear = &d->ear[i];
        if (tg_hook_is_last(ear->param, d->hook, ear)) continue;
        tg_remove_hook(ear->param, d->hook, ear);
        if (tg_register_hook(ear->param, d->hook, ear) != TG_OK) return false;
    }
    return true;
}

uint64_t tg_dist_state(const tg_dist_object *d) {
    uint64_t h = tg_model_training(d->model);
    for (int i = 0; i < d->parameters; i++) {
        const tg_array *a = tg_array_of(d->ear[i].param);
        h = tg_dist_mix(h, a->data, (size_t)a->numel * tg_dtype_size((tg_dtype)a->dtype));
    }
    return h;
}

static void count_buffers(tg_dist_object *d) {
    d->buffers = tg_model_buffer_count(d->model);
    d->scalars = TG_DIST_BUFFERS;
    d->saved_bytes = 0;
    for (int i = 0; i < d->buffers; i++) {
        const tg_tensor *t = tg_model_buffer_at(d->model, i);
        d->scalars += tg_numel(t);
        d->saved_bytes += tg_dist_room(t);
    }
}

bool tg_dist_know(tg_dist_object *d, tg_hook hook) {
    const size_t p = (size_t)trained(d, NULL);
    count_buffers(d);
    d->known_bytes =
        p * (sizeof *d->ear + sizeof *d->order) + (size_t)d->scalars * sizeof *d->scalar + d->saved_bytes + 64;
    d->ear = tg_alloc(d->known_bytes);
    if (!d->ear)
        return tg_dist_note(d, TG_ERR_MEMORY, "rank %d has no memory for %zu bytes", d->rank, d->known_bytes);
    memset(d->ear, 0, d->known_bytes);
    d->scalar = (double *)(void *)(d->ear + p);
    d->saved = (char *)(d->scalar + d->scalars);
    d->order = (int *)(void *)(d->saved + d->saved_bytes);
    d->parameters = trained(d, d->ear);
    d->ordered = 0;
    d->hook = hook;
    for (int i = 0; i < d->parameters; i++) d->ear[i].d = d;
    return true;
}

void tg_dist_forget(tg_dist_object *d) {
    tg_dist_drop_layout(d);
    for (int i = 0; i < d->parameters; i++)
        if (tg_is_alive(d->ear[i].param)) tg_remove_hook(d->ear[i].param, d->hook, &d->ear[i]);
    if (d->ear) tg_dealloc(d->ear, d->known_bytes);
    d->ear = NULL, d->order = NULL, d->scalar = NULL, d->saved = NULL;
    d->parameters = -1;
}
