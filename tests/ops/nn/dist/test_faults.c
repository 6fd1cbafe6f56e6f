/* Ranks that fail: the others return an error within the timeout, which names rank and step, with everything as it was before
 * the step. Each rank is a process; TG_DIST_FAULTS says how many faults there are (500 take two minutes). */
#include "tests/ops/nn/helpers.h"

#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RANKS = 3, STEPS = 6, EXAMPLES = 48, BATCH = 12 };

typedef enum kind {
    KILLED,      /* SIGKILL */
    STOPPED,     /* SIGSTOP */
    LEFT,        /* exit in the midst */
    WRONG_SHAPE, /* an op of the batch's function fails */
    HOOK,        /* a hook fails, in the midst of the walk */
    NO_MEMORY,   /* an allocation fails */
    BIT,         /* a bit falls over in a message */
    DRIFTED,     /* random numbers were drawn */
    SKIPPED,     /* a batch was left out */
    OTHER_MODEL, /* another shape, at the beginning */
    OTHER_SEED,  /* likewise */
    KINDS
} kind;
static const char *const name_of[KINDS] = {"killed",  "stopped",     "left",      "wrong shape",
                                           "hook",    "no memory",   "bit",       "drifted",
                                           "skipped", "other model", "other seed"};

typedef struct fault {
    kind kind;
    int rank, step; /* from 1 on */
    int call;       /* of the function in this step, from 0 on */
    bool walk;      /* in the walk, not before it */
    bool thread;
} fault;

static const fault *now; /* of this process; NULL: none */
static int call_of_step;
static double timeout;

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the rank that fails ---- */

static void strike(void) {
    switch (now->kind) {
    case KILLED:
        raise(SIGKILL);
        break;
    case STOPPED:
        raise(SIGSTOP);
        break;
    case LEFT:
        _exit(7);
    case HOOK:
    case WRONG_SHAPE:
        tg_matmul(tg_ones(TG_F32, 2, 3), tg_ones(TG_F32, 4, 5));
        break;
    case NO_MEMORY:
        tg_memory_fail_at(1 + (now->step * 7 + now->call) % 12);
        break;
    default:
        break;
    }
}

static tg_tensor *struck(tg_tensor *grad, void *user) {
    (void)user;
    strike();
    return tg_error_status() == TG_OK ? grad : tg_poison();
}

/* A transport that changes one bit of the elements of a message. */
static bool (*true_send)(tg_transport *t, tg_transfer *x);
static int sends_left = -1;
static bool send_wrongly(tg_transport *t, tg_transfer *x) {
    if (sends_left >= 0 && sends_left-- == 0) ((char *)x->data)[x->bytes - 9] ^= 4;
    return true_send(t, x);
}

/* ---- the training ---- */

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    const int64_t wide = now && now->kind == OTHER_MODEL ? 9 : 8;
    const bool here = now && *(int *)user == now->step && call_of_step++ == now->call;
    if (here && !now->walk && now->kind != HOOK) strike();
    tg_tensor *h = tg_tanh(tg_nn_batch_norm(m, "bn", tg_nn_linear(m, "fc1", batch[0], wide)));
    if (here && (now->walk || now->kind == HOOK) && tg_requires_grad(h)) tg_register_hook(h, struck, NULL);
    return tg_cross_entropy(tg_nn_linear(m, "out", tg_nn_dropout(m, h, 0.2), 3), batch[1]);
}

typedef struct verdict { /* what a rank tells */
    int rank, step;
    tg_status status;
    bool same, cleared,
        placed; /* parameters and buffers as before the step; no gradients; the loader at its batch */
    double took;
    char message[700];
} verdict;

static uint64_t state_of(const tg_model *m) {
    uint64_t h = tg_model_count(m) ? tg_model_hash(m) : 0;
    for (int i = 0; i < tg_model_buffer_count(m); i++) {
        const tg_tensor *t = tg_model_buffer_at(m, i);
        for (int64_t k = 0; k < tg_numel(t); k++) {
            double x = tg_get(t, k);
            uint64_t bits;
            memcpy(&bits, &x, sizeof bits);
            h = h * 31 + bits;
        }
    }
    return h ^ tg_default_rng()->next ^ tg_default_rng()->seed;
}

static bool is_clear(const tg_model *m) {
    for (int i = 0; i < tg_model_count(m); i++)
        if (tg_has_grad(tg_model_at(m, i))) return false;
    return true;
}

static void before_step(int step, tg_loader *l) {
    tg_tensor *batch[2];
    call_of_step = 0;
    if (!now || now->step != step) return;
    if (now->kind == DRIFTED) tg_rng_bits(tg_default_rng());
    if (now->kind == BIT) sends_left = now->call;
    for (int i = 0; now->kind == SKIPPED && i < 2; i++)
        tg_loader_next(l, batch); /* both pieces of a batch, or one */
}

/* Trains until something fails; v->step is the step that did. */
static void train(tg_dist *d, tg_model *m, tg_loader *l, verdict *v) {
    tg_optim *o = tg_adam(m, 0.01);
    tg_loader_state before, after;
    for (v->step = 1; v->step <= STEPS; v->step++) {
        before_step(v->step, l);
        const uint64_t was = state_of(m);
        const bool made = tg_model_count(m) > 0;
        tg_loader_get_state(l, &before);
        const double start = seconds();
        bool there;
        while (!(there = tg_dist_gradients(d, l, loss, &v->step, NULL)) && tg_error_status() == TG_OK) {
            tg_loader_get_state(l, &before);
            call_of_step = 0;
        }
        v->took = seconds() - start;
        tg_memory_fail_at(-1);
        if (there) {
            tg_optim_step(o);
            continue;
        }
        v->status = tg_error_status();
        snprintf(v->message, sizeof v->message, "%.690s", tg_error_message());
        tg_error_clear();
        v->same = !made || state_of(m) == was;
        v->cleared = is_clear(m);
        v->placed = tg_loader_get_state(l, &after) == TG_OK && after.next == before.next &&
                    after.epoch == before.epoch;
        return;
    }
}

static void run_rank(int rank, const fault *f, tg_transport *end, int out) {
    tg_rng data = {.seed = 4};
    verdict v = {.rank = rank};
    now = rank == f->rank ? f : NULL;
    tg_set_num_threads(1);
    tg_tensor *x = tg_zeros(TG_F32, EXAMPLES, 5), *y = tg_zeros(TG_I64, EXAMPLES);
    for (int64_t i = 0; i < 5 * EXAMPLES; i++) tg_array_set(tg_array_of(x), i, tg_rng_normal(&data));
    for (int64_t i = 0; i < EXAMPLES; i++) tg_array_set(tg_array_of(y), i, (double)tg_rng_below(&data, 3));
    if (now && now->kind == BIT) true_send = end->send, end->send = send_wrongly;
    tg_model *m = tg_model_new(now && now->kind == OTHER_SEED ? 2 : 1);
    tg_dist *d = tg_dist_begin(m, .transport = end, .timeout = timeout, .bucket = 200, .thread = f->thread);
    tg_loader *l =
        tg_loader_new(2, ((tg_tensor *[]){x, y}), .batch = BATCH, .shuffle = true,
                      .shards = tg_dist_shards(d), .rank = tg_dist_rank(d), .ranks = tg_dist_size(d));
    train(d, m, l, &v);
    if (v.status != TG_OK) tg_fail(v.status, "%s", v.message);
    tg_dist_end(d);
    if (write(out, &v, sizeof v) != sizeof v) _exit(3);
    _exit(v.status != TG_OK);
}

/* ---- the one who looks on ---- */

typedef struct outcome {
    verdict v[RANKS];
    bool told[RANKS];
    double took;
} outcome;

static pid_t start_rank(int rank, const fault *f, tg_transport **end, const int *pipe_of) {
    fflush(NULL);
    const pid_t child = fork();
    if (child != 0) return child;
    close(pipe_of[0]);
    for (int i = 0; i < RANKS; i++)
        if (i != rank) end[i]->end(end[i], true);
    run_rank(rank, f, end[rank], pipe_of[1]);
    return 0;
}

/* Waits for the ranks that are to tell, or 30 timeouts: a hang. */
static outcome run_fault(const fault *f) {
    outcome o = {.took = seconds()};
    tg_transport *end[RANKS];
    pid_t child[RANKS];
    int pipe_of[2];
    ck_assert(tg_transport_pairs(RANKS, end));
    ck_assert_int_eq(pipe(pipe_of), 0);
    for (int i = 0; i < RANKS; i++) child[i] = start_rank(i, f, end, pipe_of);
    for (int i = 0; i < RANKS; i++) end[i]->end(end[i], true);
    close(pipe_of[1]);
    const bool silent = f->kind == KILLED || f->kind == STOPPED || f->kind == LEFT;
    for (int left = RANKS - silent; left > 0; left--) {
        verdict v;
        struct pollfd p = {.fd = pipe_of[0], .events = POLLIN};
        if (poll(&p, 1, (int)(1000 * (30 * timeout + 10))) != 1) break;
        if (read(pipe_of[0], &v, sizeof v) != sizeof v) break;
        o.v[v.rank] = v;
        o.told[v.rank] = true;
    }
    o.took = seconds() - o.took;
    for (int i = 0; i < RANKS; i++) kill(child[i], SIGKILL);
    for (int i = 0; i < RANKS; i++) waitpid(child[i], NULL, 0);
    close(pipe_of[0]);
    return o;
}

static void check(const fault *f, const outcome *o, int number) {
    const bool silent = f->kind == KILLED || f->kind == STOPPED || f->kind == LEFT;
    char culprit[16], step[24];
    snprintf(culprit, sizeof culprit, "rank %d", f->rank);
    snprintf(step, sizeof step, "step %d", f->kind == OTHER_MODEL || f->kind == OTHER_SEED ? 1 : f->step);
    for (int i = 0; i < RANKS; i++) {
        const verdict *v = &o->v[i];
        if (i == f->rank && silent) continue;
        char what[900];
        snprintf(what, sizeof what, "fault %d, rank %d %s at step %d call %d%s: rank %d says: %s", number,
                 f->rank, name_of[f->kind], f->step, f->call, f->walk ? " in the walk" : "", i, v->message);
        ck_assert_msg(o->told[i], "%s: it hangs", what);
        ck_assert_msg(v->status != TG_OK, "%s: no error", what);
        ck_assert_msg(v->same, "%s: parameters or buffers have changed", what);
        ck_assert_msg(v->cleared, "%s: there are gradients", what);
        ck_assert_msg(v->placed || (i == f->rank && f->kind == SKIPPED), "%s: the loader went on", what);
        ck_assert_msg(v->took < timeout + 5, "%s: after %g seconds", what, v->took);
        if (i == f->rank) continue;
        ck_assert_msg(v->status == TG_ERR_PEER, "%s: %s", what, tg_status_name(v->status));
        ck_assert_msg(strstr(v->message, "rank "), "%s: no rank", what);
        ck_assert_msg(strstr(v->message, "step "), "%s: no step", what);
        /* Of two that differ either may be the one who is named. */
        const bool symmetric = f->kind == DRIFTED || f->kind == SKIPPED;
        if (!symmetric) ck_assert_msg(strstr(v->message, culprit), "%s: not %s", what, culprit);
        if (!symmetric) ck_assert_msg(strstr(v->message, step), "%s: not %s", what, step);
    }
}

static fault draw(tg_rng *rng, int number) {
    fault f = {.kind = (kind)(number % KINDS)};
    f.rank = (int)tg_rng_below(rng, RANKS);
    f.step = 2 + (int)tg_rng_below(rng, STEPS - 2);
    f.walk = tg_rng_below(rng, 2);
    f.thread = tg_rng_below(rng, 3) == 0;
    /* Rank 2 of 3 has two shards, the others have one. */
    f.call = f.rank == 2 ? (int)tg_rng_below(rng, 2) : 0;
    if (f.kind == BIT) f.call = (int)tg_rng_below(rng, 6);
    if (f.kind == NO_MEMORY) f.walk = false;
    return f;
}

START_TEST(failures_end_all_ranks) {
    const char *asked = getenv("TG_DIST_FAULTS");
    const int faults = asked ? atoi(asked) : 4 * KINDS;
    tg_rng rng = {.seed = 11};
    double worst = 0;
    timeout = 1.5;
    for (int i = 0; i < faults; i++) {
        const fault f = draw(&rng, i);
        if (getenv("TG_DIST_FAULT") && atoi(getenv("TG_DIST_FAULT")) != i) continue; /* one of them alone */
        const outcome o = run_fault(&f);
        check(&f, &o, i);
        if (o.took > worst) worst = o.took;
    }
    printf("%d faults, 0 hangs, at most %.2f seconds with a timeout of %g\n", faults, worst, timeout);
}
END_TEST

TCase *tcase_dist_faults(void);
TCase *tcase_dist_faults(void) {
    TCase *t = tcase_create("dist_faults");
    tcase_set_timeout(t, 1200);
    tcase_set_tags(t, "slow"); /* its timeouts are of a processor, not of Valgrind */
    tcase_add_test(t, failures_end_all_ranks);
    return t;
}
