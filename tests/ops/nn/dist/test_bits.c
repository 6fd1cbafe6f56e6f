/* The same bits at any number of processes and threads. */
#include "tests/ops/nn/dist/job.h"

#include <unistd.h>

static void expect_same(const outcome *a, const outcome *b, const char *what, int ranks) {
    ck_assert_msg(a->parameters == b->parameters, "%s, %d ranks: parameters %016" PRIx64 ", not %016" PRIx64,
                  what, ranks, b->parameters, a->parameters);
    ck_assert_msg(a->buffers == b->buffers, "%s, %d ranks: other buffers", what, ranks);
    for (int i = 0; i < 64; i++)
        ck_assert_msg(a->loss[i] == b->loss[i], "%s, %d ranks: loss %d is %.17g, not %.17g", what, ranks, i,
                      b->loss[i], a->loss[i]);
    ck_assert_msg(a->accuracy == b->accuracy && a->error == b->error,
                  "%s, %d ranks: %.17g +- %.17g, not %.17g +- %.17g", what, ranks, b->accuracy, b->error,
                  a->accuracy, a->error);
}

static const struct {
    const char *name;
    job j;
    int most;
} cases[] = {
    {"plain", {.shards = 4, .batch = 16, .examples = 64, .steps = 9}, 4},
    {"uneven", {.shards = 4, .batch = 15, .examples = 54, .steps = 9}, 4},
    {"parts", {.shards = 4, .batch = 36, .parts = 3, .examples = 97, .steps = 9}, 4},
    {"small buckets", {.shards = 4, .batch = 16, .examples = 64, .steps = 5, .bucket = 100}, 4},
    {"seven shards", {.shards = 7, .batch = 30, .examples = 105, .steps = 7, .bucket = 700}, 7},
    {"eleven shards", {.shards = 11, .batch = 48, .examples = 94, .steps = 5, .parts = 2, .bucket = 300}, 6},
    {"some layers in some shards", {.shards = 4, .batch = 8, .examples = 40, .steps = 9, .skip_layer = true}, 4},
    {"some layers, a bucket each",
     {.shards = 4, .batch = 8, .examples = 40, .steps = 9, .skip_layer = true, .bucket = 1},
     4},
    {"f64", {.shards = 4, .batch = 16, .examples = 64, .steps = 5, .f64 = true}, 4},
    {"prefetch", {.shards = 4, .batch = 16, .examples = 58, .steps = 9, .prefetch = 3}, 3},
    {"a thread for messages", {.shards = 4, .batch = 16, .examples = 64, .steps = 9, .thread = true}, 4},
    {"frozen", {.shards = 4, .batch = 16, .examples = 64, .steps = 5, .frozen = true}, 3},
};

START_TEST(every_number_of_ranks_has_the_same_bits) {
    job j = cases[_i].j;
    j.ranks = 1;
    const outcome alone = job_run(j);
    printf("%s: parameters 0x%016" PRIx64 "\n", cases[_i].name, alone.parameters);
    for (j.ranks = 1; j.ranks <= cases[_i].most; j.ranks++)
        for (j.threads = 1; j.threads <= 2; j.threads++) {
            const outcome o = job_run(j);
            expect_same(&alone, &o, cases[_i].name, j.ranks);
        }
}
END_TEST

/* A delay changes when things happen, and nothing else. */
START_TEST(delayed_messages_change_nothing) {
    job j = {.ranks = 1, .shards = 4, .batch = 16, .examples = 64, .steps = 5, .bucket = 500};
    const outcome alone = job_run(j);
    j.ranks = 3, j.delay = 2e-3, j.rate = 1e6;
    const outcome o = job_run(j);
    expect_same(&alone, &o, "delayed", 3);
    ck_assert_int_eq(o.stats.steps, 4);
    ck_assert(o.stats.under_way > 4 * 2e-3 && o.stats.waited > 0 && o.stats.hidden >= 0 && o.stats.hidden <= 1);
    ck_assert(o.stats.bytes > 0 && o.stats.messages > 0 && o.stats.buckets > 2);
}
END_TEST

/* Memory is made in the first step and, with epochs that end, in the second. */
START_TEST(later_steps_allocate_nothing) {
    for (int ranks = 1; ranks <= 2; ranks++) {
        job j = {.ranks = ranks, .shards = 4, .batch = 16, .examples = 64, .steps = 12};
        ck_assert_uint_eq(job_run(j).mallocs, 0);
    }
}
END_TEST

/* From a checkpoint of two ranks three go on, to where one goes without a pause. */
START_TEST(checkpoints_are_of_any_number_of_ranks) {
    char path[] = "/tmp/tapegrad-dist-XXXXXX";
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    (void)close(fd);
    job j = {.ranks = 1, .shards = 4, .batch = 16, .examples = 58, .steps = 12};
    const outcome whole = job_run(j);
    for (int ranks = 1; ranks <= 4; ranks++) {
        j.ranks = ranks, j.steps = 5, j.save = path, j.load = NULL;
        job_run(j);
        j.ranks = ranks % 4 + 1, j.steps = 7, j.save = NULL, j.load = path;
        const outcome o = job_run(j);
        ck_assert_msg(o.parameters == whole.parameters && o.buffers == whole.buffers, "%d ranks, then %d",
                      ranks, j.ranks);
    }
    (void)unlink(path);
}
END_TEST

TCase *tcase_dist_bits(void);
TCase *tcase_dist_bits(void) {
    TCase *t = tcase_create("dist_bits");
    tcase_set_timeout(t, 300);
    tcase_add_loop_test(t, every_number_of_ranks_has_the_same_bits, 0, COUNT(cases));
    tcase_add_test(t, delayed_messages_change_nothing);
    tcase_add_test(t, later_steps_allocate_nothing);
#if TG_HAVE_JANSSON
    tcase_add_test(t, checkpoints_are_of_any_number_of_ranks);
#endif
    return t;
}
