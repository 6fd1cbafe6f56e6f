/* Models, optimisers, tapes, marks; those that have ended are given too. */
#include "tests/fuzz/hostile.h"

#include <string.h>

enum {
    N_MODELS = 3,
    N_OPTIMS = 4,
    N_SETS = 3,
    N_LOADERS = 3,
    N_VOCABS = 3,
    N_CACHES = 3,
    N_TAPES = 3,
    N_MARKS = 6,
    N_STARTS = 3,
    N_REFUSED = 64
};

static tg_model *models[N_MODELS];
static tg_optim *optims[N_OPTIMS];
static tg_model *model_of[N_OPTIMS]; /* which must outlive it */
static tg_tape *tapes[N_TAPES], *own_tape;
static tg_mark marks[N_MARKS];
static tg_layer_start starts[N_STARTS];
static tg_rng stream;
static tg_model *last_model, *dead_models[N_MODELS];
static tg_model *scopes[N_MODELS]; /* one of each model, or NULL */
static tg_optim *dead_optims[N_OPTIMS];
static tg_safetensors *sets[N_SETS], *dead_sets[N_SETS];
static tg_loader *loaders[N_LOADERS], *dead_loaders[N_LOADERS];
static tg_vocab *vocabs[N_VOCABS], *dead_vocabs[N_VOCABS];
static tg_kv_cache *caches[N_CACHES], *dead_caches[N_CACHES];
static tg_grad_profile *profiles[N_CACHES], *dead_profiles[N_CACHES];
static tg_tape *dead_tapes[N_TAPES];
static tg_tape *refused[N_REFUSED]; /* freed within a callback, where a tape in use stays: once more at the end */
static int n_refused;

/* ---- models and optimisers ---- */

/* None, one that was freed, or an object of another kind. */
static tg_model *bad_model(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_model *)optims[below(N_OPTIMS)] : dead_models[below(N_MODELS)];
}

static tg_optim *bad_optim(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_optim *)models[below(N_MODELS)] : dead_optims[below(N_OPTIMS)];
}

tg_model *draw_tg_model_p(const char *name) {
    bool wrong = bad();
    int i = (int)below(N_MODELS);
    tg_model *m = wrong ? bad_model() : models[i], *scope = wrong || !one_in(4) ? NULL : scopes[i];
    last_model = wrong ? NULL : m;
    note(" %s=%s", name, !m ? "NULL" : wrong ? "no model" : scope ? "a scope" : "a model");
    return scope ? scope : m;
}

void own_tg_nn_scope(void) {
    bool wrong = bad();
    int i = (int)below(N_MODELS);
    tg_model *m = wrong ? bad_model() : scopes[i] && one_in(2) ? scopes[i] : models[i];
    const char *text = draw_text("format");
    call_begin();
    tg_model *scope = text ? tg_nn_scope(m, "%s", text) : tg_nn_scope(m, NULL);
    end_bool_failed(!scope, scope ? "a scope" : "NULL");
    if (!wrong) scopes[i] = scope;
}

/* The optimiser stays where a function of its rule is running. Both are kept tensors, which tell whether they are alive. */
static void free_optim(int i) {
    tg_optim *o = optims[i];
    tg_optim_free(o);
    if (tg_is_alive((const tg_tensor *)o)) return;
    if (o) dead_optims[below(N_OPTIMS)] = o;
    optims[i] = NULL;
}

/* Now and then some stay, and end after their model. */
static void free_optims_of(const tg_model *m) {
    for (int k = 0; k < N_OPTIMS; k++)
        if (model_of[k] == m && !bad()) free_optim(k);
}

/* The model stays where an initialiser of it is running. */
static void free_model(int i) {
    tg_model *m = models[i];
    tg_model_free(m);
    if (tg_is_alive((const tg_tensor *)m)) return;
    if (m) dead_models[below(N_MODELS)] = scopes[i] && one_in(2) ? scopes[i] : m;
    scopes[i] = NULL;
    for (int k = 0; k < N_STARTS; k++)
        if (starts[k].model == m) starts[k].model = NULL;
    models[i] = NULL;
}

void end_tg_model_p(tg_model *m) {
    end_bool_failed(!m, m ? "a model" : "NULL");
    if (!m) return;
    int i = (int)below(N_MODELS);
    free_optims_of(models[i]);
    free_model(i);
    if (models[i])
        tg_model_free(m);
    else
        models[i] = m;
}

tg_optim *draw_tg_optim_p(const char *name) {
    bool wrong = bad();
    tg_optim *o = wrong ? bad_optim() : optims[below(N_OPTIMS)];
    note(" %s=%s", name, !o ? "NULL" : wrong ? "no optimiser" : "an optimiser");
    return o;
}

tg_optim *first_optim(void) { return optims[0]; }

void end_tg_optim_p(tg_optim *o) {
    end_bool_failed(!o, o ? "an optimiser" : "NULL");
    if (!o) return;
    int i = (int)below(N_OPTIMS);
    free_optim(i);
    if (optims[i]) {
        tg_optim_free(o);
        return;
    }
    optims[i] = o;
    model_of[i] = last_model;
}

void own_tg_model_free(void) {
    bool wrong = bad();
    int i = (int)below(N_MODELS);
    if (!wrong) free_optims_of(models[i]);
    call_begin();
    if (wrong)
        tg_model_free(bad_model());
    else
        free_model(i);
    end_void();
}

void own_tg_optim_free(void) {
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_optim_free(bad_optim());
    else
        free_optim((int)below(N_OPTIMS));
    end_void();
}

/* ---- sets of tensors ---- */

static tg_safetensors *bad_set(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_safetensors *)models[below(N_MODELS)] : dead_sets[below(N_SETS)];
}

tg_safetensors *draw_tg_safetensors_p(const char *name) {
    bool wrong = bad();
    tg_safetensors *s = wrong ? bad_set() : sets[below(N_SETS)];
    note(" %s=%s", name, !s ? "NULL" : wrong ? "no set" : "a set");
    return s;
}

static void free_set(int i) {
    tg_safetensors_free(sets[i]);
    if (sets[i]) dead_sets[below(N_SETS)] = sets[i];
    sets[i] = NULL;
}

void end_tg_safetensors_p(tg_safetensors *s) {
    end_bool_failed(!s, s ? "a set" : "NULL");
    if (!s) return;
    int i = (int)below(N_SETS);
    free_set(i);
    sets[i] = s;
}

void own_tg_safetensors_free(void) {
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_safetensors_free(bad_set());
    else
        free_set((int)below(N_SETS));
    end_void();
}

/* ---- sets of arrays ---- */

static tg_npz *archives[N_SETS], *dead_archives[N_SETS];

static tg_npz *bad_archive(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_npz *)sets[below(N_SETS)] : dead_archives[below(N_SETS)];
}

tg_npz *draw_tg_npz_p(const char *name) {
    bool wrong = bad();
    tg_npz *s = wrong ? bad_archive() : archives[below(N_SETS)];
    note(" %s=%s", name, !s ? "NULL" : wrong ? "no set" : "a set");
    return s;
}

static void free_archive(int i) {
    tg_npz_free(archives[i]);
    if (archives[i]) dead_archives[below(N_SETS)] = archives[i];
    archives[i] = NULL;
}

void end_tg_npz_p(tg_npz *s) {
    end_bool_failed(!s, s ? "a set" : "NULL");
    if (!s) return;
    int i = (int)below(N_SETS);
    free_archive(i);
    archives[i] = s;
}

void own_tg_npz_free(void) {
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_npz_free(bad_archive());
    else
        free_archive((int)below(N_SETS));
    end_void();
}

/* ---- loaders ---- */

static tg_loader *bad_loader(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_loader *)models[below(N_MODELS)] : dead_loaders[below(N_LOADERS)];
}

tg_loader *draw_tg_loader_p(const char *name) {
    bool wrong = bad();
    tg_loader *l = wrong ? bad_loader() : loaders[below(N_LOADERS)];
    note(" %s=%s", name, !l ? "NULL" : wrong ? "no loader" : "a loader");
    return l;
}

/* It stays where its transform is running. */
static void free_loader(int i) {
    tg_loader *l = loaders[i];
    tg_loader_free(l);
    if (tg_is_alive((const tg_tensor *)l)) return;
    if (l) dead_loaders[below(N_LOADERS)] = l;
    loaders[i] = NULL;
}

void end_tg_loader_p(tg_loader *l) {
    end_bool_failed(!l, l ? "a loader" : "NULL");
    if (!l) return;
    int i = (int)below(N_LOADERS);
    free_loader(i);
    if (loaders[i])
        tg_loader_free(l);
    else
        loaders[i] = l;
}

void own_tg_loader_free(void) {
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_loader_free(bad_loader());
    else
        free_loader((int)below(N_LOADERS));
    end_void();
}

tg_loader_state *draw_tg_loader_state_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_loader_state *s = scratch(sizeof *s);
    if (!bad()) tg_loader_get_state(loaders[0], s);
    if (bad()) s->epoch = draw_int64_t("epoch");
    if (bad()) s->next = draw_int64_t("next");
    return s;
}

/* ---- vocabularies ---- */

static tg_vocab *bad_vocab(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_vocab *)models[below(N_MODELS)] : dead_vocabs[below(N_VOCABS)];
}

tg_vocab *draw_tg_vocab_p(const char *name) {
    bool wrong = bad();
    tg_vocab *v = wrong ? bad_vocab() : vocabs[below(N_VOCABS)];
    note(" %s=%s", name, !v ? "NULL" : wrong ? "no vocabulary" : "a vocabulary");
    return v;
}

static void free_vocab(int i) {
    tg_vocab_free(vocabs[i]);
    if (vocabs[i]) dead_vocabs[below(N_VOCABS)] = vocabs[i];
    vocabs[i] = NULL;
}

void end_tg_vocab_p(tg_vocab *v) {
    end_bool_failed(!v, v ? "a vocabulary" : "NULL");
    if (!v) return;
    int i = (int)below(N_VOCABS);
    free_vocab(i);
    vocabs[i] = v;
}

void own_tg_vocab_free(void) {
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_vocab_free(bad_vocab());
    else
        free_vocab((int)below(N_VOCABS));
    end_void();
}

/* ---- key-value caches ---- */

static tg_kv_cache *bad_cache(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_kv_cache *)models[below(N_MODELS)] : dead_caches[below(N_CACHES)];
}

tg_kv_cache *draw_tg_kv_cache_p(const char *name) {
    bool wrong = bad();
    tg_kv_cache *c = wrong ? bad_cache() : caches[below(N_CACHES)];
    note(" %s=%s", name, !c ? "NULL" : wrong ? "no cache" : "a cache");
    return c;
}

static void free_cache(int i) {
    tg_kv_cache_free(caches[i]);
    if (caches[i]) dead_caches[below(N_CACHES)] = caches[i];
    caches[i] = NULL;
}

void end_tg_kv_cache_p(tg_kv_cache *c) {
    end_bool_failed(!c, c ? "a cache" : "NULL");
    if (!c) return;
    int i = (int)below(N_CACHES);
    free_cache(i);
    caches[i] = c;
}

void own_tg_kv_cache_free(void) {
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_kv_cache_free(bad_cache());
    else
        free_cache((int)below(N_CACHES));
    end_void();
}

/* ---- profiles of gradients ---- */

static tg_grad_profile *bad_profile(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_grad_profile *)models[below(N_MODELS)] : dead_profiles[below(N_CACHES)];
}

tg_grad_profile *draw_tg_grad_profile_p(const char *name) {
    bool wrong = bad();
    tg_grad_profile *p = wrong ? bad_profile() : profiles[below(N_CACHES)];
    note(" %s=%s", name, !p ? "NULL" : wrong ? "no profile" : "a profile");
    return p;
}

static void free_profile(int i) {
    tg_grad_profile_free(profiles[i]);
    if (profiles[i]) dead_profiles[below(N_CACHES)] = profiles[i];
    profiles[i] = NULL;
}

void end_tg_grad_profile_p(tg_grad_profile *p) {
    end_bool_failed(!p, p ? "a profile" : "NULL");
    if (!p) return;
    int i = (int)below(N_CACHES);
    free_profile(i);
    profiles[i] = p;
}

void own_tg_grad_profile_free(void) {
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_grad_profile_free(bad_profile());
    else
        free_profile((int)below(N_CACHES));
    end_void();
}

tg_grad_row *draw_tg_grad_row_p(const char *name) {
    note(" %s", name);
    return bad() ? NULL : scratch(CAPACITY * sizeof(tg_grad_row));
}

/* ---- tapes and marks ---- */

/* One that was freed, unless a new one has its address. */
static tg_tape *dead_tape(void) {
    tg_tape *t = dead_tapes[below(N_TAPES)];
    for (int i = 0; i < N_TAPES; i++)
        if (t == tapes[i]) return NULL;
    return t;
}

static tg_tape *bad_tape(void) { return one_in(2) ? dead_tape() : foreign_tape; }

tg_tape *draw_tg_tape_p(const char *name) {
    bool wrong = bad();
    tg_tape *t = wrong ? bad_tape() : one_in(2) ? NULL : tapes[below(N_TAPES)];
    note(" %s=%s", name, !t ? "NULL" : wrong ? "no tape of ours" : "another tape");
    return t;
}

static void free_tape(int i) {
    tg_tape *t = tapes[i];
    tapes[i] = NULL;
    if (t) dead_tapes[below(N_TAPES)] = t;
    if (t && hostile_depth > 1 && n_refused < N_REFUSED) refused[n_refused++] = t;
    tg_tape_free(t);
}

void end_tg_tape_p(tg_tape *t) {
    bool made = FRAME->call == find_hostile("tg_tape_new");
    if (!made) {
        end_void();
        return;
    }
    end_bool_failed(!t, t ? "a tape" : "NULL");
    if (!t) return;
    int i = (int)below(N_TAPES);
    free_tape(i);
    tapes[i] = t;
}

/* The thread's own is current at the start of a sequence, and is refused. */
void own_tg_tape_free(void) {
    int i = (int)below(N_TAPES);
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_tape_free(one_in(2) ? own_tape : bad_tape());
    else
        free_tape(i);
    end_void();
}

static void fill_with_bits(void *p, size_t bytes) {
    for (size_t i = 0; i < bytes; i++) ((unsigned char *)p)[i] = (unsigned char)random_bits();
}

/* Anything, another thread's, or one that was given with a field changed: of the future, of before the start. */
static tg_mark forged_mark(tg_mark m) {
    int64_t by = one_in(2) ? below(9) - 4 : monster();
    switch (below(8)) {
    case 0:
        return (tg_mark){0};
    case 1:
        return foreign_mark;
    case 2:
        fill_with_bits(&m, sizeof m);
        break;
    case 3:
        m.tensors = (int64_t)((uint64_t)m.tensors + (uint64_t)by);
        break;
    case 4:
        m.nodes = (int64_t)((uint64_t)m.nodes + (uint64_t)by);
        break;
    case 5:
        m.tensors = m.nodes = by;
        break;
    case 6:
        m.last = one_in(2) ? random_bits() : m.last + (uint64_t)by;
        break;
    default:
        m.tape = tg_tape_current(), m.serial += (uint64_t)by, m.callback += (uint64_t)below(2);
    }
    return m;
}

tg_mark draw_tg_mark(const char *name) {
    int64_t i = below(N_MARKS);
    bool wrong = bad();
    note(" %s=%s#%lld", name, wrong ? "forged from " : "", (long long)i);
    return wrong ? forged_mark(marks[i]) : marks[i];
}

void end_tg_mark(tg_mark m) {
    end_void();
    marks[below(N_MARKS)] = m;
}

tg_layer_start draw_tg_layer_start(const char *name) {
    tg_layer_start s = starts[below(N_STARTS)];
    note(" %s", name);
    if (!bad()) return s;
    if (one_in(3)) return (tg_layer_start){0};
    if (one_in(2)) s.mark = forged_mark(s.mark);
    if (one_in(2)) s.parameters = (int)monster();
    if (one_in(2)) s.buffers = (int)monster();
    if (one_in(2)) s.model = bad_model();
    return s;
}

void end_tg_layer_start(tg_layer_start s) {
    end_void();
    starts[below(N_STARTS)] = s;
}

/* ---- the rest ---- */

tg_rng *draw_tg_rng_p(const char *name) {
    note(" %s", name);
    if (bad()) fill_with_bits(&stream, sizeof stream);
    return bad() ? NULL : &stream;
}

tg_gradcheck_report *draw_tg_gradcheck_report_p(const char *name) {
    note(" %s", name);
    return bad() ? NULL : scratch(sizeof(tg_gradcheck_report));
}

tg_evidence *draw_tg_evidence_p(const char *name) {
    note(" %s", name);
    tg_evidence *e = bad() ? NULL : scratch(sizeof *e);
    if (e)
        *e = (tg_evidence){
            .verdict = (tg_verdict)below(9), .hint = (tg_hint)below(9), .law = (tg_gap_law)below(9)};
    return e;
}

tg_loader_piece *draw_tg_loader_piece_p(const char *name) {
    note(" %s", name);
    return bad() ? NULL : scratch(sizeof(tg_loader_piece));
}

tg_memory_site *draw_tg_memory_site_p(const char *name) {
    note(" %s", name);
    return bad() ? NULL : scratch(CAPACITY * sizeof(tg_memory_site));
}

/* ---- a sequence's own ---- */

void make_objects(void) {
    models[0] = tg_model_new(1);
    sets[0] = tg_safetensors_new();
    vocabs[0] = tg_vocab_new("abc");
    caches[0] = tg_kv_cache_new(6);
    archives[0] = tg_npz_new();
    loaders[0] = tg_loader_new(1, (tg_tensor *[]){tg_ones(TG_F32, 3, 2)}, .batch = 2, .shuffle = true);
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
    free_dists();
    for (int i = 0; i < N_SETS; i++) free_set(i), free_archive(i);
    for (int i = 0; i < N_LOADERS; i++) free_loader(i);
    for (int i = 0; i < N_VOCABS; i++) free_vocab(i);
    for (int i = 0; i < N_CACHES; i++) free_cache(i), free_profile(i);
    for (int i = 0; i < N_OPTIMS; i++) free_optim(i);
    for (int i = 0; i < N_MODELS; i++) {
        free_optims_of(models[i]);
        free_model(i);
    }
    tg_tape_use(NULL);
    for (int i = 0; i < N_TAPES; i++) free_tape(i);
    while (n_refused > 0) tg_tape_free(refused[--n_refused]); /* those that are gone are refused again */
    tg_set_grad_enabled(true);
    tg_set_num_threads(2);
}

/* A table of up to three lines. */
tg_rename *draw_tg_rename_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_rename *r = scratch(4 * sizeof *r);
    int n = (int)below(4);
    for (int i = 0; i < n; i++)
        r[i] = (tg_rename){one_in(2) ? "" : "a", one_in(3) ? NULL : one_in(2) ? "" : draw_text("to")};
    r[n] = (tg_rename){0};
    return r;
}

/* Parts that belong together, or do not. */
tg_training *draw_tg_training_p(const char *name) {
    static double number;
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_training *t = scratch(sizeof *t);
    tg_number *n = scratch(2 * sizeof *n);
    tg_text *text = scratch(2 * sizeof *text);
    char *room = scratch(16);
    memset(room, bad() ? 'x' : '\0', 16);
    n[0] = (tg_number){draw_text("number"), bad() ? NULL : &number}, n[1] = (tg_number){0};
    text[0] = (tg_text){draw_text("text"), bad() ? NULL : room, 16}, text[1] = (tg_text){0};
    *t = (tg_training){
        .model = draw_tg_model_p("model"), .numbers = one_in(2) ? n : NULL, .texts = one_in(2) ? text : NULL};
    if (one_in(2)) t->optim = draw_tg_optim_p("optim");
    if (one_in(3)) t->schedule = draw_tg_schedule_p("schedule");
    if (one_in(2)) t->rng = draw_tg_rng_p("rng");
    return t;
}
