/* The state of a training to a file, and back: everything is read and made first, by what may fail, and then changed. */
#include "ops/nn/train/training_private.h"

#include "core/memory.h"
#include "core/work.h"
#include "ops/nn/dist/dist.h"
#include "ops/nn/model/model_private.h"
#include "ops/nn/optim/optim_private.h"
#include "ops/nn/optim/schedule_private.h"

#include <string.h>

enum { KEY = 1400 };

static const char saving[] = "tg_training_save", loading[] = "tg_training_load";

/* NULL with the error raised where the model is none, or the optimiser is of another. */
static tg_model_object *model_of(const tg_training *run, const char *who) {
    if (!run) {
        tg_fail(TG_ERR_ARGUMENT, "%s: the training is NULL", who);
        return NULL;
    }
    tg_model_object *m = tg_model_object_of(run->model, who);
    const tg_optim_object *o = m && run->optim ? tg_optim_object_of(run->optim, who) : NULL;
    if (o && o->model != run->model)
        tg_fail(TG_ERR_ARGUMENT, "%s: the optimiser is that of another model", who);
    return tg_error_status() == TG_OK ? m : NULL;
}

bool tg_training_reads_only(const tg_training *run) {
    return run && run->dist && tg_dist_rank(run->dist) > 0;
}

tg_status tg_training_agree(const tg_training *run) {
    return run && run->dist ? tg_dist_agree(run->dist) : tg_error_status();
}

/* ---- saving ---- */

static tg_status put_stream(tg_safetensors *set, const char *key, const tg_rng *rng) {
    const int64_t value[2] = {(int64_t)rng->seed, (int64_t)rng->next};
    return tg_state_put_integers(set, key, 2, value);
}

enum { LOADER = 5 }; /* integers of the position of a loader */

static tg_status put_loader(const tg_training *run, tg_safetensors *set) {
    tg_loader_state s = {0};
    if (tg_loader_get_state(run->loader, &s) != TG_OK) return tg_error_status();
    const int64_t value[LOADER] = {(int64_t)s.seed, s.epoch, s.next, s.batches, s.examples};
    return tg_state_put_integers(set, "loader/position", LOADER, value);
}

static tg_status put_own(const tg_training *run, tg_safetensors *set) {
    char key[KEY];
    for (const tg_number *n = run->numbers; n && n->name; n++) {
        if (!n->value) return tg_fail(TG_ERR_ARGUMENT, "%s: number %.100s has no place", saving, n->name);
        snprintf(key, sizeof key, "number/%.1100s", n->name);
        tg_state_put_real(set, key, *n->value);
    }
    for (const tg_text *t = run->texts; t && t->name; t++) {
        if (!t->text || !memchr(t->text, '\0', t->size))
            return tg_fail(TG_ERR_ARGUMENT, "%s: text %.100s does not end within its %zu bytes", saving,
                           t->name, t->text ? t->size : (size_t)0);
        snprintf(key, sizeof key, "text/%.1100s", t->name);
        if (tg_safetensors_text(set, key))
            return tg_fail(TG_ERR_ARGUMENT, "%s: two texts are both named %.300s", saving, key);
        tg_safetensors_put_text(set, key, t->text);
    }
    return tg_error_status();
}

tg_status tg_training_write(const tg_training *run, const char *path, const double *score) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do(saving)) return tg_error_status();
    const tg_model_object *m = model_of(run, saving);
    tg_safetensors *set = m ? tg_safetensors_new() : NULL;
    if (!set) return tg_error_status();
    tg_model_put_with(run->model, set, (tg_model_save_opts){0});
    if (run->optim) tg_optim_put(run->optim, set, &m->store[TG_PARAMETERS]);
    if (run->schedule) tg_schedule_put(run->schedule, run->optim, set);
    put_stream(set, "random/default", tg_default_rng());
    if (run->rng) put_stream(set, "random/own", run->rng);
    put_own(run, set);
    if (score) tg_state_put_real(set, TG_TRAINING_SCORE, *score);
    if (run->loader) put_loader(run, set);
    tg_status s = tg_error_status() == TG_OK ? tg_state_seal(set) : tg_error_status();
    if (s == TG_OK) s = tg_safetensors_save(set, path);
    tg_safetensors_free(set);
    return s;
}

tg_status tg_training_save(const tg_training *run, const char *path) {
    TG_NAMED(saving);
    if (!tg_training_reads_only(run)) tg_training_write(run, path, NULL);
    return tg_training_agree(run);
}

/* ---- loading ---- */

/* What a training will be. */
typedef struct change {
    tg_model_change model;
    tg_optim_change optim;
    tg_schedule_change schedule;
    tg_rng standard, own;
    double *number; /* one each of run->numbers */
    size_t size;    /* bytes at `number` */
} change;

static tg_status read_stream(const tg_state_file *f, const char *key, tg_rng *rng) {
    int64_t value[2] = {0};
    if (tg_state_get_integers(f, key, 2, value) == TG_OK)
        *rng = (tg_rng){.seed = (uint64_t)value[0], .next = (uint64_t)value[1]};
    return tg_error_status();
}

static tg_status read_optim(change *c, const tg_training *run, const tg_state_file *f) {
    int n = tg_model_change_params(&c->model, 0, NULL, NULL, NULL);
    size_t each = sizeof(tg_tensor *) + sizeof(char *) + sizeof(int), size = ((size_t)n + 1) * each;
    tg_tensor **param = tg_alloc(size);
    if (!param) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %d names", loading, n);
    const char **name = (const char **)(void *)(param + n);
    int *number = (int *)(void *)(name + n);
    tg_model_change_params(&c->model, n, param, name, number);
    tg_optim_change_prepare(&c->optim, run->optim, f, n, param, name, number);
    tg_dealloc(param, size);
    return tg_error_status();
}

static tg_status read_numbers(change *c, const tg_training *run, const tg_state_file *f) {
    char key[KEY];
    size_t n = 0;
    while (run->numbers && run->numbers[n].name) n++;
    c->size = (n + 1) * sizeof *c->number;
    c->number = tg_alloc(c->size);
    if (!c->number) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %zu numbers", loading, n);
    for (size_t i = 0; i < n; i++) {
        if (!run->numbers[i].value)
            return tg_fail(TG_ERR_ARGUMENT, "%s: number %.100s has no place", loading, run->numbers[i].name);
        snprintf(key, sizeof key, "number/%.1100s", run->numbers[i].name);
        if (tg_state_get_real(f, key, &c->number[i]) != TG_OK) return tg_error_status();
    }
    return TG_OK;
}

static const char *text_of(const tg_state_file *f, const tg_text *t) {
    char key[KEY];
    snprintf(key, sizeof key, "text/%.1100s", t->name);
    return tg_safetensors_text(f->set, key);
}

static tg_status check_texts(const tg_training *run, const tg_state_file *f) {
    for (const tg_text *t = run->texts; t && t->name; t++) {
        const char *text = text_of(f, t);
        if (!text) return tg_fail(TG_ERR_ARGUMENT, "%s: %s has no text %.200s", loading, f->path, t->name);
        if (!t->text || strlen(text) >= t->size)
            return tg_fail(TG_ERR_ARGUMENT, "%s: text %.200s needs %zu bytes, and has room for %zu", loading,
                           t->name, strlen(text) + 1, t->text ? t->size : (size_t)0);
    }
    return TG_OK;
}

/* Changes the loader, unless this fails. */
static tg_status set_loader(const tg_training *run, const tg_state_file *f) {
    int64_t v[LOADER];
    if (tg_state_get_integers(f, "loader/position", LOADER, v) != TG_OK) return tg_error_status();
    return tg_loader_set_state(run->loader, &(tg_loader_state){(uint64_t)v[0], v[1], v[2], v[3], v[4]});
}

static tg_status prepare(change *c, const tg_training *run, const tg_state_file *f) {
    if (tg_state_check(f) != TG_OK || tg_model_change_prepare(&c->model, f->set) != TG_OK)
        return tg_error_status();
    if (!c->model.listed)
        return tg_fail(TG_ERR_FORMAT, "%s: %s does not list its parameters: it is no file of a training",
                       loading, f->path);
    if (run->optim && read_optim(c, run, f) != TG_OK) return tg_error_status();
    if (run->schedule && tg_schedule_change_prepare(&c->schedule, run->schedule, run->optim, f) != TG_OK)
        return tg_error_status();
    if (read_stream(f, "random/default", &c->standard) != TG_OK) return tg_error_status();
    if (run->rng && read_stream(f, "random/own", &c->own) != TG_OK) return tg_error_status();
    if (read_numbers(c, run, f) != TG_OK || check_texts(run, f) != TG_OK) return tg_error_status();
    return run->loader ? set_loader(run, f) : TG_OK; /* last: what follows cannot fail */
}

/* The loader is changed already, and nothing here can fail. */
static void commit(change *c, const tg_training *run, const tg_state_file *f) {
    tg_model_change_commit(&c->model);
    if (run->optim) tg_optim_change_commit(&c->optim);
    tg_schedule_change_commit(&c->schedule);
    *tg_default_rng() = c->standard;
    if (run->rng) *run->rng = c->own;
    for (int i = 0; run->numbers && run->numbers[i].name; i++) *run->numbers[i].value = c->number[i];
    for (const tg_text *t = run->texts; t && t->name; t++) {
        const char *text = text_of(f, t);
        memcpy(t->text, text, strlen(text) + 1);
    }
}

static void drop(change *c) {
    tg_optim_change_drop(&c->optim);
    tg_model_change_drop(&c->model);
    tg_dealloc(c->number, c->size);
}

static tg_status load(const tg_training *run, tg_model_object *m, const tg_state_file *f) {
    change c = {.model = {.model = m, .who = loading, .path = f->path}};
    if (prepare(&c, run, f) == TG_OK) commit(&c, run, f);
    drop(&c);
    return tg_error_status();
}

tg_status tg_training_load(const tg_training *run, const char *path) {
    TG_NAMED(loading);
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do(loading)) return tg_error_status();
    tg_model_object *m = model_of(run, loading);
    tg_safetensors *set = m ? tg_safetensors_open(path) : NULL;
    if (set) load(run, m, &(tg_state_file){.set = set, .who = loading, .path = path});
    tg_safetensors_free(set);
    return tg_training_agree(run);
}
