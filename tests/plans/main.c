/* Whole trainings as plans: the workloads of the bench and the models of the examples, planned and eager, at 1 to 4 threads,
 * and planned at a number of threads that differs from run to run. What is kept at the end, parameters, gradients, moments,
 * buffers, has one hash in all of them. Prints it with the name, and how many runs were replayed; "-" and the error where a
 * plan refuses. Exits with 1 at a difference. TG_FAST leaves the eager runs at 2 and 4 threads out. */
#include "core/slot.h"
#include "tests/bench/bench.h"
#include "tests/plans/plans.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { STEPS = 8, THREADS = 4, MOST = 4096 };

/* ---- the hash of all that is kept ---- */

static uint64_t hash_bytes(uint64_t h, const void *bytes, size_t n) { /* FNV-1a */
    for (const unsigned char *b = bytes, *end = b + n; b < end; b++) h = (h ^ *b) * UINT64_C(0x100000001B3);
    return h;
}

static uint64_t hash_of(const tg_slot *s) {
    uint64_t h = hash_bytes(UINT64_C(0xCBF29CE484222325), s->a.shape, (size_t)s->a.rank * sizeof *s->a.shape);
    size_t n = (size_t)s->a.numel * tg_dtype_size((tg_dtype)s->a.dtype);
    void *copy = malloc(n + 1);
    if (!copy || tg_copy_out(tg_handle(s), copy, n) != TG_OK) abort();
    h = hash_bytes(h, copy, n);
    free(copy);
    return h;
}

/* In no order. Bytes are left out: models, optimisers and plans are such tensors, too. */
static uint64_t hash_of_kept(void) {
    static const tg_slot *slot[MOST];
    int64_t n = tg_slots_alive(slot, MOST);
    uint64_t h = 0;
    for (int64_t i = 0; i < n && i < MOST; i++)
        if (slot[i]->kept && !slot[i]->poison && slot[i]->a.dtype != TG_U8) h += hash_of(slot[i]);
    return h;
}

/* ---- one training ---- */

typedef struct outcome {
    uint64_t hash;
    double loss; /* the last; 0 of a workload */
    int64_t replayed;
    bool refused;
    char why[256];
} outcome;

/* Of a workload or an example; the other is NULL. */
typedef struct subject {
    const workload *workload;
    const example *example;
} subject;

static const char *name_of(subject s) { return s.workload ? s.workload->name : s.example->name; }

static void train(outcome *out, tg_step *step, void *user, int threads, bool planned,
                  int (*batch)(tg_tensor **)) {
    tg_plan *plan = planned ? tg_plan_new(step, user) : NULL;
    for (int i = 0; i < STEPS && tg_error_status() == TG_OK; i++) {
        tg_mark mark = tg_tape_mark();
        tg_set_num_threads(threads ? threads : 1 + i % THREADS);
        tg_tensor *in[2] = {NULL, NULL};
        int n = batch ? batch(in) : 0;
        out->loss = tg_item(plan ? tg_plan_run_with(plan, n, in) : step(in, user));
        tg_tape_rewind(mark);
    }
    if (tg_error_status() != TG_OK) {
        out->refused = true;
        snprintf(out->why, sizeof out->why, "%s", tg_error_message());
        tg_error_clear();
    }
    out->hash = hash_of_kept();
    if (plan) out->replayed = tg_plan_stats_of(plan).replayed;
    tg_plan_free(plan);
}

/* With 0 threads as many as the run's number says. */
static outcome run(subject s, int threads, bool planned) {
    outcome out = {0};
    tg_seed(3);
    if (s.workload) {
        running r = {s.workload, s.workload->make()};
        train(&out, running_step, &r, threads, planned, NULL);
        s.workload->end(r.state);
    } else {
        training_of t = example_begin(s.example);
        train(&out, example_step, &t, threads, planned, s.example->batch);
        example_end(&t);
    }
    return out;
}

/* ---- all of them ---- */

/* A cache of keys and values is longer after each step, so that no two are one recording. */
static bool must_be_refused(const char *name) { return strcmp(name, "generate") == 0; }

static bool differs(const char *name, int threads, bool planned, const outcome *a, const outcome *b) {
    if (!a->refused && a->hash == b->hash && memcmp(&a->loss, &b->loss, sizeof a->loss) == 0 &&
        (!planned || a->replayed == STEPS - 2))
        return false;
    printf("%s, %s at %d threads: hash %016llx, loss %.17g, %lld runs replayed: %s\n", name,
           planned ? "planned" : "eager", threads, (unsigned long long)a->hash, a->loss,
           (long long)a->replayed, a->refused ? a->why : "differs");
    return true;
}

static bool check(subject s) {
    const char *name = name_of(s);
    outcome first = run(s, 1, false), planned = run(s, 1, true);
    if (must_be_refused(name)) {
        printf("%-22s -                  %s\n", name, planned.why);
        return planned.refused && !first.refused;
    }
    bool same = !first.refused && !differs(name, 1, true, &planned, &first);
    for (int threads = 0; threads <= THREADS; threads++)
        for (int k = 0; k < 2; k++) {
            if (threads == 1 || (!k && threads == 0)) continue;
            if (!k && threads != 3 && getenv("TG_FAST")) continue;
            outcome o = run(s, threads, k);
            same = !differs(name, threads, k, &o, &first) && same;
        }
    printf("%-22s %016llx  %lld of %d runs replayed%s\n", name, (unsigned long long)first.hash,
           (long long)planned.replayed, STEPS, same ? "" : ", and a difference");
    fflush(stdout);
    return same;
}

static const example *const examples[] = {
    &linear_example,     &logistic_example, &fashion_mnist_example, &fashion_cnn_example,
    &char_gpt_example,   &lstm_add_example, &vae_example,           &physics_example,
    &neural_ode_example, &tree_example,     &signum_example,        &swish_example,
};

static bool chosen(const char *name, char **names) {
    for (char **n = names; *n; n++)
        if (strcmp(*n, name) == 0) return true;
    return !*names;
}

/* usage: plans [NAME ...] */
int main(int argc, char **argv) {
    bool same = true;
    (void)argc;
    for (size_t i = 0; i < sizeof examples / sizeof *examples; i++)
        if (chosen(examples[i]->name, argv + 1)) same = check((subject){NULL, examples[i]}) && same;
    const workload *w;
    for (int k = 0; (w = workload_at(k)); k++)
        if (chosen(w->name, argv + 1)) same = check((subject){w, NULL}) && same;
    return same ? 0 : 1;
}
