/* Models, optimisers, tapes, marks and files. */
#define _XOPEN_SOURCE 700
#include "tests/fuzz/hostile.h"

#include <stdlib.h>
#include <unistd.h>

enum { N_MODELS = 3, N_OPTIMS = 4, N_TAPES = 3, N_MARKS = 6, N_STARTS = 3 };

static tg_model *models[N_MODELS];
static tg_optim *optims[N_OPTIMS];
static tg_model *model_of[N_OPTIMS]; /* which must outlive it */
static tg_tape *tapes[N_TAPES], *own_tape;
static tg_mark marks[N_MARKS];
static tg_layer_start starts[N_STARTS];
static tg_rng stream;
static FILE *sink;
static tg_model *last_model;

/* ---- models and optimisers ---- */

tg_model *draw_tg_model_p(const char *name) {
    tg_model *m = bad() ? NULL : models[below(N_MODELS)];
    last_model = m;
    note(" %s=%s", name, m ? "a model" : "NULL");
    return m;
}

static void free_optim(int i) {
    tg_optim_free(optims[i]);
    optims[i] = NULL;
}

static void free_model(int i) {
    for (int k = 0; k < N_OPTIMS; k++)
        if (model_of[k] == models[i]) free_optim(k);
    for (int k = 0; k < N_STARTS; k++)
        if (starts[k].model == models[i]) starts[k].model = NULL;
    tg_model_free(models[i]);
    models[i] = NULL;
}

void end_tg_model_p(tg_model *m) {
    end_bool_failed(!m, m ? "a model" : "NULL");
    if (!m) return;
    int i = (int)below(N_MODELS);
    free_model(i);
    models[i] = m;
}

tg_optim *draw_tg_optim_p(const char *name) {
    tg_optim *o = bad() ? NULL : optims[below(N_OPTIMS)];
    note(" %s=%s", name, o ? "an optimiser" : "NULL");
    return o;
}

void end_tg_optim_p(tg_optim *o) {
    end_bool_failed(!o, o ? "an optimiser" : "NULL");
    if (!o) return;
    int i = (int)below(N_OPTIMS);
    free_optim(i);
    optims[i] = o;
    model_of[i] = last_model;
}

void own_tg_model_free(void) {
    call_begin();
    free_model((int)below(N_MODELS));
    end_void();
}

void own_tg_optim_free(void) {
    call_begin();
    free_optim((int)below(N_OPTIMS));
    end_void();
}

/* ---- tapes and marks ---- */

tg_tape *draw_tg_tape_p(const char *name) {
    tg_tape *t = one_in(2) ? NULL : tapes[below(N_TAPES)];
    note(" %s=%s", name, t ? "another tape" : "NULL");
    return t;
}

static void free_tape(int i) {
    tg_tape *t = tapes[i];
    tapes[i] = NULL;
    tg_tape_free(t);
}

void end_tg_tape_p(tg_tape *t) {
    bool made = FRAME->call == find_hostile("tg_tape_new");
    end_bool_failed(!t, t ? "a tape" : "NULL");
    if (!t || !made) return;
    int i = (int)below(N_TAPES);
    free_tape(i);
    tapes[i] = t;
}

/* The thread's own is current at the start of a sequence, and is refused. */
void own_tg_tape_free(void) {
    int i = (int)below(N_TAPES);
    bool refused = bad();
    call_begin();
    if (refused)
        tg_tape_free(own_tape);
    else
        free_tape(i);
    end_void();
}

tg_mark draw_tg_mark(const char *name) {
    int64_t i = below(N_MARKS);
    note(" %s=#%lld", name, (long long)i);
    return bad() ? (tg_mark){0} : marks[i];
}

void end_tg_mark(tg_mark m) {
    end_void();
    marks[below(N_MARKS)] = m;
}

tg_layer_start draw_tg_layer_start(const char *name) {
    note(" %s", name);
    return bad() ? (tg_layer_start){0} : starts[below(N_STARTS)];
}

void end_tg_layer_start(tg_layer_start s) {
    end_void();
    starts[below(N_STARTS)] = s;
}

/* ---- the rest ---- */

tg_rng *draw_tg_rng_p(const char *name) {
    note(" %s", name);
    return bad() ? NULL : &stream;
}

FILE *draw_FILE_p(const char *name) {
    bool none = bad();
    note(" %s=%s", name, none ? "NULL" : "a file");
    return none ? NULL : sink;
}

tg_gradcheck_report *draw_tg_gradcheck_report_p(const char *name) {
    note(" %s", name);
    return bad() ? NULL : scratch(sizeof(tg_gradcheck_report));
}

tg_memory_site *draw_tg_memory_site_p(const char *name) {
    note(" %s", name);
    return bad() ? NULL : scratch(CAPACITY * sizeof(tg_memory_site));
}

/* ---- files ---- */

static char folder[200];

bool make_folder(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/hostile-XXXXXX", base ? base : "/tmp");
    sink = fopen("/dev/null", "w");
    return sink && mkdtemp(folder);
}

static const char *const files[] = {"a.idx", "b.idx", "c.idx.gz", "two\nlines.idx", "\xff.idx"};

/* From within a signal too. */
void remove_folder(void) {
    char path[sizeof folder + 40];
    for (int i = 0; i < COUNT(files); i++) {
        snprintf(path, sizeof path, "%s/%s", folder, files[i]);
        unlink(path);
    }
    rmdir(folder);
}

const char *draw_path(const char *name) {
    (void)name;
    if (bad()) return one_in(3) ? NULL : one_in(2) ? "" : "/dev/null";
    char *path = scratch(sizeof folder + 40);
    snprintf(path, sizeof folder + 40, "%s/%s", folder, bad() ? "none/x.idx" : files[below(COUNT(files))]);
    return path;
}

/* ---- a sequence's own ---- */

void make_objects(void) {
    models[0] = tg_model_new(1);
    optims[0] = tg_adam(models[0], 0.1);
    model_of[0] = models[0];
    tapes[0] = tg_tape_new();
    own_tape = tg_tape_current();
    for (int i = 0; i < N_MARKS; i++) marks[i] = tg_tape_mark();
    for (int i = 0; i < N_STARTS; i++) starts[i] = tg_layer_begin(models[0]);
    stream = (tg_rng){0};
    tg_seed(0);
}

void free_objects(void) {
    for (int i = 0; i < N_OPTIMS; i++) free_optim(i);
    for (int i = 0; i < N_MODELS; i++) free_model(i);
    tg_tape_use(NULL);
    for (int i = 0; i < N_TAPES; i++) free_tape(i);
    tg_set_grad_enabled(true);
    tg_set_num_threads(2);
}
