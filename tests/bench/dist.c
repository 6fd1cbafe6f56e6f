/* Steps of a training that several processes share (ops/nn/dist/dist.h), over sockets of this machine or under mpirun.
 *
 * usage: bench_dist [OPTION VALUE].. mlp_b1024|gpt|sum|broadcast
 *     --ranks N     processes, forked here and joined by sockets; 0: one without ops/nn/dist, the whole batch at once; -1: those
 *                   of mpirun (1)
 *     --threads N   of each (1)           --steps N    that are timed, after five (50)
 *     --shards N    (4)                   --bucket N   bytes (0: the library's choice)
 *     --delay S     seconds               --rate B     bytes a second (0: as it is)
 *     --thread 1    messages go on by a thread
 * `sum` is tg_dist_sum of one number, `broadcast` that of 16 MiB of parameters: what messages cost.
 * Prints "name<TAB>ranks<TAB>threads<TAB>median microseconds a step<TAB>least<TAB>hidden<TAB>microseconds under way and waited a
 * step<TAB>bytes and messages a step". */
#include <tapegrad.h>

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RANKS, THREADS, STEPS, SHARDS, BUCKET, DELAY, RATE, THREAD, OPTIONS };
static struct {
    const char *name;
    double value;
} option[OPTIONS] = {{"--ranks", 1},  {"--threads", 1}, {"--steps", 50}, {"--shards", 4},
                     {"--bucket", 0}, {"--delay", 0},   {"--rate", 0},   {"--thread", 0}};

static double seconds(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* ---- the networks of tests/bench/workloads.c and gpt.c ---- */

static tg_tensor *mlp(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    tg_tensor *x = tg_relu(tg_nn_linear(m, "fc1", batch[0], 256));
    return tg_cross_entropy(tg_nn_linear(m, "out", tg_relu(tg_nn_linear(m, "fc2", x, 128)), 10), batch[1]);
}

enum { TOKENS = 96, WIDTH = 128, CONTEXT = 128, BLOCKS = 4, HEADS = 4 };

static tg_tensor *plus(tg_tensor *x, tg_tensor *y) {
    tg_tensor *sum = tg_add(x, y);
    tg_drop_elements(y);
    return sum;
}

static tg_tensor *block(tg_model *m, tg_tensor *x) {
    x = plus(
        x, tg_nn_multihead_attention(m, "attention", tg_nn_layer_norm(m, "norm1", x), HEADS, .causal = true));
    tg_tensor *h = tg_gelu(tg_nn_linear(m, "up", tg_nn_layer_norm(m, "norm2", x), 4 * WIDTH));
    return plus(x, tg_nn_linear(m, "down", h, WIDTH));
}

static tg_tensor *gpt(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    tg_tensor *x = tg_nn_embedding(m, "token", batch[0], TOKENS, WIDTH);
    x = plus(tg_nn_embedding(m, "place", tg_arange(TG_I64, 0, CONTEXT, 1), CONTEXT, WIDTH), x);
    for (int i = 0; i < BLOCKS; i++) x = block(tg_nn_scope(m, "b%d", i), x);
    x = tg_nn_linear(m, "out", tg_nn_layer_norm(m, "norm", x), TOKENS, .no_bias = true);
    return tg_cross_entropy(tg_reshape(x, -1, TOKENS), tg_reshape(batch[1], -1));
}

static tg_tensor *classes(tg_shape shape, uint64_t n) {
    tg_tensor *y = tg_zeros_with(TG_I64, shape);
    int64_t *v = tg_data_mut(y);
    for (int64_t i = 0; v && i < tg_numel(y); i++) v[i] = (int64_t)tg_rng_below(tg_default_rng(), n);
    return y;
}

static tg_loader *data_of(bool is_gpt, const tg_dist *d) {
    const int64_t n = is_gpt ? 16 : 1024;
    tg_tensor *data[2] = {is_gpt ? classes(TG_SHAPE(n, CONTEXT), TOKENS) : tg_randn(TG_F32, n, 784),
                          is_gpt ? classes(TG_SHAPE(n, CONTEXT), TOKENS) : classes(TG_SHAPE(n), 10)};
    return tg_loader_new(2, data, .batch = n, .shards = tg_dist_shards(d), .rank = tg_dist_rank(d),
                         .ranks = tg_dist_size(d));
}

/* ---- a step ---- */

static bool step(tg_dist *d, tg_loader *l, tg_model *m, tg_batch_fn f, tg_optim *o) {
    tg_tensor *batch[2];
    const tg_mark mark = tg_tape_mark();
    if (d) {
        while (!tg_dist_gradients(d, l, f, NULL, NULL) && tg_error_status() == TG_OK) continue;
    } else {
        while (!tg_loader_next(l, batch) && tg_error_status() == TG_OK) continue;
        tg_backward(f(m, batch, NULL));
    }
    tg_optim_step(o);
    tg_tape_rewind(mark);
    return tg_error_status() == TG_OK;
}

/* One number to all, or 16 MiB. */
static bool exchange(tg_dist *d, bool sum) {
    double one = 1;
    return (sum ? tg_dist_sum(d, 1, &one) : tg_dist_broadcast(d)) == TG_OK;
}

static int by_size(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static int run(const char *name, tg_transport *end) {
    const bool is_gpt = strcmp(name, "gpt") == 0;
    const int steps = (int)option[STEPS].value;
    tg_set_num_threads((int)option[THREADS].value);
    tg_model *m = tg_model_new(1);
    tg_dist *d = option[RANKS].value == 0 && !strstr("sum broadcast", name)
                     ? NULL
                     : tg_dist_begin(m, .transport = end, .shards = (int64_t)option[SHARDS].value,
                                     .bucket = (int64_t)option[BUCKET].value, .delay = option[DELAY].value,
                                     .rate = option[RATE].value, .thread = option[THREAD].value > 0);
    tg_loader *l = data_of(is_gpt, d);
    tg_optim *o = is_gpt ? tg_adamw(m, 3e-4, .weight_decay = 0.01) : tg_adam(m, 1e-3);
    double *took = calloc((size_t)steps + 1, sizeof *took);
    const bool sum = strcmp(name, "sum") == 0, whole = strcmp(name, "broadcast") == 0;
    if (whole) tg_model_param(m, "w", TG_F32, TG_SHAPE(1 << 22), (tg_init){0});
    for (int i = -5; took && i < steps; i++) {
        const double start = seconds();
        if (sum || whole ? !exchange(d, sum) : !step(d, l, m, is_gpt ? gpt : mlp, o)) break;
        if (i >= 0) took[i] = seconds() - start;
    }
    if (d && tg_dist_rank(d) > 0) option[STEPS].value = 0;
    tg_dist_stats s = d ? tg_dist_stats_of(d) : (tg_dist_stats){.steps = 1, .hidden = 1};
    const double n = (double)(s.steps ? s.steps : 1);
    if (took && option[STEPS].value > 0) {
        qsort(took, (size_t)steps, sizeof *took, by_size);
        printf("%s\t%d\t%g\t%.0f\t%.0f\t%.3f\t%.0f %.0f\t%.0f %.0f\n", name, tg_dist_size(d),
               option[THREADS].value, 1e6 * took[steps / 2], 1e6 * took[0], s.hidden, 1e6 * s.under_way / n,
               1e6 * s.waited / n, s.bytes / n, s.messages / n);
    }
    tg_dist_end(d);
    if (tg_error_status() != TG_OK) fprintf(stderr, "bench_dist: %s\n", tg_error_message());
    tg_loader_free(l), tg_optim_free(o), tg_model_free(m), free(took);
    return tg_error_status() != TG_OK;
}

static int run_all(const char *name, int ranks) {
    tg_transport *end[64];
    int bad = 0, status = 0;
    if (!tg_transport_pairs(ranks, end)) return fprintf(stderr, "bench_dist: %s\n", tg_error_message()), 1;
    for (int i = 0; i < ranks; i++) {
        if (fork() != 0) continue;
        for (int k = 0; k < ranks; k++)
            if (k != i) end[k]->end(end[k], true);
        bad = run(name, end[i]);
        fflush(stdout);
        _exit(bad);
    }
    for (int k = 0; k < ranks; k++) end[k]->end(end[k], true);
    while (wait(&status) > 0) bad |= status != 0;
    return bad;
}

int main(int argc, char **argv) {
    const char *name = argc > 1 ? argv[argc - 1] : "";
    for (int k = 1; k + 1 < argc; k += 2) {
        int i = 0;
        while (i < OPTIONS && strcmp(argv[k], option[i].name) != 0) i++;
        if (i == OPTIONS) name = "";
        if (i < OPTIONS) option[i].value = atof(argv[k + 1]);
    }
    if (!*name || !strstr("mlp_b1024 gpt sum broadcast", name))
        return fprintf(stderr, "usage: bench_dist [OPTION VALUE].. mlp_b1024|gpt|sum|broadcast\n"), 2;
    const int ranks = (int)option[RANKS].value;
    return ranks > 0 ? run_all(name, ranks) : run(name, NULL);
}
