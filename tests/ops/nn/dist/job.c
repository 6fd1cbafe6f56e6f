#include "tests/ops/nn/dist/job.h"

#include <pthread.h>

static uint64_t hash_of(uint64_t h, const tg_tensor *t) {
    size_t bytes = (size_t)tg_numel(t) * tg_dtype_size(tg_dtype_of(t));
    const unsigned char *p = tg_data(t);
    for (size_t i = 0; p && i < bytes; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

/* A network with batch norm, dropout, a shared layer, and one that only even shards use. */
static tg_tensor *net(tg_model *m, tg_tensor *x, const job *j, bool even) {
    x = tg_tanh(tg_nn_batch_norm(m, "bn", tg_nn_linear(m, "fc1", x, 12)));
    x = tg_nn_dropout(m, x, 0.3);
    x = tg_relu(tg_nn_linear(m, "twice", tg_tanh(tg_nn_linear(m, "twice", x, 12)), 12));
    if (!j->skip_layer || even || !tg_model_training(m)) x = tg_add(x, tg_nn_linear(m, "some", x, 12));
    return tg_nn_linear(m, "out", x, 3);
}

/* Whether a batch has the layer is told by its examples alone. */
static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    const bool even = (int)tg_get(batch[1], 0) != 0;
    return tg_cross_entropy(net(m, batch[0], user, even), batch[1]);
}

static tg_tensor *right(tg_model *m, tg_tensor **batch, void *user) {
    return tg_eq(tg_argmax(net(m, batch[0], user, true), 1), batch[1]);
}

static tg_status augment(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    (void)n, (void)rng, (void)user;
    return tg_add_(batch[0], tg_randn_like(batch[0]), 0.1);
}

static tg_loader *make_loader(const job *j, const tg_dist *d, bool shuffle) {
    tg_rng data = {.seed = 4};
    const tg_dtype dtype = j->f64 ? TG_F64 : TG_F32;
    tg_tensor *x = tg_zeros(dtype, j->examples, 5), *y = tg_zeros(TG_I64, j->examples);
    for (int64_t i = 0; i < 5 * j->examples; i++) tg_array_set(tg_array_of(x), i, tg_rng_normal(&data));
    for (int64_t i = 0; i < j->examples; i++) tg_array_set(tg_array_of(y), i, (double)tg_rng_below(&data, 3));
    return tg_loader_new(2, ((tg_tensor *[]){x, y}), .batch = j->batch, .shuffle = shuffle, .seed = 3,
                         .prefetch = j->prefetch, .parts = j->parts, .transform = shuffle ? augment : NULL,
                         .shards = tg_dist_shards(d), .rank = tg_dist_rank(d), .ranks = tg_dist_size(d));
}

static void step(const job *j, tg_dist *d, const tg_training *run, outcome *o, int64_t i) {
    tg_dist_report r;
    const uint64_t before = tg_memory_now().mallocs;
    while (!tg_dist_gradients(d, run->loader, loss, (void *)j, &r) && tg_error_status() == TG_OK) continue;
    if (tg_optim_step(run->optim) == TG_OK && run->schedule) tg_schedule_step(run->schedule);
    if (i == j->steps - 3)
        o->mallocs = tg_memory_now().mallocs - before; /* when others are in such steps too */
    o->loss[i % 64] = r.loss, o->examples[i % 64] = r.examples;
}

void job_rank(const job *j, tg_transport *end, outcome *o) {
    const tg_mark mark = tg_tape_mark();
    tg_set_num_threads(j->threads ? j->threads : 1);
    tg_seed(7);
    /* The initial weights are those of rank 0, whatever the others have: they are sent. */
    tg_model *m = tg_model_new(1);
    tg_dist *d = tg_dist_begin(m, .transport = end, .shards = j->shards, .bucket = j->bucket,
                               .thread = j->thread, .delay = j->delay, .rate = j->rate, .timeout = j->timeout);
    tg_loader *train = make_loader(j, d, true), *test = make_loader(j, d, false);
    tg_training run = {.model = m, .optim = tg_adam(m, 0.01), .loader = train, .dist = d};
    run.schedule = tg_schedule_new(run.optim, tg_lr_cosine(100));
    if (j->frozen) tg_model_freeze(m, "fc1.bias");
    if (j->load) tg_training_load(&run, j->load);
    for (int64_t i = 0; i < j->steps && tg_error_status() == TG_OK; i++) step(j, d, &run, o, i);
    if (j->save) tg_training_save(&run, j->save);
    tg_meter meter = {0};
    if (tg_error_status() == TG_OK && tg_dist_evaluate(d, test, right, (void *)j, &meter) == TG_OK)
        o->accuracy = tg_meter_mean(&meter), o->error = tg_meter_error(&meter);
    if (d) o->stats = tg_dist_stats_of(d);
    tg_dist_end(d);
    o->status = tg_error_status();
    snprintf(o->message, sizeof o->message, "%s", tg_error_message());
    tg_error_clear();
    o->parameters = o->buffers = UINT64_C(0xcbf29ce484222325);
    for (int i = 0; i < tg_model_count(m); i++) o->parameters = hash_of(o->parameters, tg_model_at(m, i));
    for (int i = 0; i < tg_model_buffer_count(m); i++)
        o->buffers = hash_of(o->buffers, tg_model_buffer_at(m, i));
    tg_schedule_free(run.schedule), tg_optim_free(run.optim);
    tg_loader_free(train), tg_loader_free(test), tg_model_free(m);
    tg_error_clear();
    tg_tape_rewind(mark);
}

typedef struct rank {
    const job *j;
    tg_transport *end;
    outcome o;
    pthread_t thread;
} rank;

static void *run_rank(void *user) {
    rank *r = user;
    job_rank(r->j, r->end, &r->o);
    return NULL;
}

outcome job_run(job j) {
    tg_transport *end[64];
    rank *at = calloc((size_t)j.ranks, sizeof *at);
    ck_assert(tg_transport_pairs(j.ranks, end));
    for (int i = 0; i < j.ranks; i++) {
        at[i].j = &j, at[i].end = end[i];
        ck_assert_int_eq(pthread_create(&at[i].thread, NULL, run_rank, &at[i]), 0);
    }
    for (int i = 0; i < j.ranks; i++) pthread_join(at[i].thread, NULL);
    for (int i = 0; i < j.ranks; i++) {
        const outcome *a = &at[0].o, *b = &at[i].o;
        ck_assert_msg(b->status == TG_OK, "rank %d of %d: %s", i, j.ranks, b->message);
        ck_assert_msg(a->parameters == b->parameters && a->buffers == b->buffers, "rank %d of %d differs", i,
                      j.ranks);
        ck_assert_mem_eq(a->loss, b->loss, sizeof a->loss);
        ck_assert(a->accuracy == b->accuracy && a->error == b->error);
    }
    outcome o = at[0].o;
    free(at);
    return o;
}
