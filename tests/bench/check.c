/* usage: bench_check
 * Prints what gradient checks cost: milliseconds a check, the least of five, calls of the function, and both for each element of
 * the inputs. One thread. peer_check.py does the same with torch.autograd.gradcheck. */
#include <stdio.h>
#include <tapegrad.h>
#include <time.h>

static tg_tensor *layer(tg_tensor *const *in, void *user) {
    return (void)user, tg_tanh(tg_matmul(in[0], in[1]));
}
static tg_tensor *rows(tg_tensor *const *in, void *user) { return (void)user, tg_softmax(in[0], 1); }
static tg_tensor *attention(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *weights = tg_softmax(tg_mul_scalar(tg_matmul(in[0], tg_transpose(in[1], 0, 1)), 0.25), 1);
    return tg_matmul(weights, in[2]);
}

static const struct {
    const char *name;
    tg_gradcheck_fn f;
    int n;
    int64_t size[2];
} functions[] = {
    {"tanh(x w)", layer, 2, {20, 20}}, {"softmax", rows, 1, {50, 16}}, {"attention", attention, 3, {16, 16}}};

static const struct {
    const char *name;
    tg_gradcheck_opts opts;
} ways[] = {{"verdict", {0}},
            {"verdict, all rungs", {.full = true}},
            {"verdict, 3 directions", {.directions = 3}},
            {"order 2", {.order = 2}},
            {"tolerances", {.tolerances = true, .projections = 1}}};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static int measure(int f, int w) {
    tg_mark mark = tg_tape_mark();
    tg_tensor *in[3];
    tg_gradcheck_report r;
    double best = 1e9;
    for (int i = 0; i < functions[f].n; i++)
        in[i] = tg_set_requires_grad(
            tg_randn_with(TG_F64, TG_SHAPE(functions[f].size[0], functions[f].size[1])), true);
    for (int round = 0; round < 5; round++) {
        double t = now();
        if (!tg_gradcheck_with(functions[f].f, NULL, functions[f].n, in, &r, ways[w].opts))
            return fprintf(stderr, "%s: %s\n", functions[f].name, r.message), 1;
        t = now() - t;
        if (t < best) best = t;
    }
    double elements = (double)(functions[f].n * functions[f].size[0] * functions[f].size[1]);
    printf("%-10s %-22s %9.2f %8lld %8.2f %8.2f\n", functions[f].name, ways[w].name, 1e3 * best,
           (long long)r.evaluations, (double)r.evaluations / elements, 1e6 * best / elements);
    tg_tape_rewind(mark);
    return 0;
}

int main(void) {
    int failed = 0;
    tg_set_num_threads(1);
    printf("%-33s %9s %8s %8s %8s\n", "", "ms", "calls", "each", "us each");
    for (int f = 0; f < 3; f++)
        for (int w = 0; w < 5; w++) failed += measure(f, w);
    return failed > 0;
}
