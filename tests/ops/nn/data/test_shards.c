/* Loaders that give batches in pieces: whoever gives a piece, it is the same. */
#include "tests/ops/nn/helpers.h"

typedef struct piece {
    int64_t batch, shard, part, of;
    int n;
    double example[16]; /* with the transform's noise */
} piece;

typedef struct list {
    piece at[400];
    int n;
} list;

static tg_status augment(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    (void)n, (void)rng, (void)user;
    return tg_add_(batch[0], tg_rand_like(batch[0]), 1);
}

static tg_loader *make(int64_t examples, tg_loader_new_opts o) {
    tg_tensor *x = tg_arange(TG_F64, 0, (double)examples, 1);
    o.seed = 5, o.shuffle = true, o.transform = augment;
    return tg_loader_new_with(1, &x, o);
}

/* Two epochs of one loader, added to the list. */
static void add(list *to, tg_loader *l) {
    tg_tensor *batch;
    for (int epoch = 0; epoch < 2; epoch++)
        for (tg_mark mark = tg_tape_mark(); tg_loader_next(l, &batch); tg_tape_rewind(mark)) {
            tg_loader_piece p;
            ck_assert_int_eq(tg_loader_last(l, &p), TG_OK);
            piece *q = &to->at[to->n++];
            *q = (piece){p.batch + 100 * epoch, p.shard, p.part, p.of, (int)p.examples, {0}};
            ck_assert_int_eq(tg_numel(batch), p.examples);
            tg_copy_out(batch, q->example, (size_t)q->n * sizeof(double));
        }
    expect_ok();
}

static int by_place(const void *a, const void *b) {
    const piece *x = a, *y = b;
    if (x->batch != y->batch) return x->batch < y->batch ? -1 : 1;
    if (x->shard != y->shard) return x->shard < y->shard ? -1 : 1;
    return x->part < y->part ? -1 : x->part > y->part;
}

static const struct {
    int64_t examples, batch, shards, parts, batches;
    bool drop_last;
} cases[] = {
    {24, 8, 4, 1, 3, false},  {27, 8, 4, 1, 3, false},  {28, 8, 4, 1, 4, false},
    {31, 8, 4, 1, 3, true},   {40, 15, 5, 3, 2, false}, {45, 15, 5, 3, 3, false},
    {50, 17, 7, 2, 3, false}, {9, 9, 3, 2, 1, false},   {5, 8, 4, 1, 1, false},
};

START_TEST(pieces_do_not_depend_on_ranks) {
    static list alone, all;
    for (int64_t ranks = 1; ranks <= cases[_i].shards; ranks++) {
        list *to = ranks == 1 ? &alone : &all;
        to->n = 0;
        for (int64_t r = 0; r < ranks; r++) {
            tg_loader *l = make(cases[_i].examples, (tg_loader_new_opts){.batch = cases[_i].batch,
                                                                         .shards = cases[_i].shards,
                                                                         .parts = cases[_i].parts,
                                                                         .drop_last = cases[_i].drop_last,
                                                                         .prefetch = r % 2,
                                                                         .rank = r,
                                                                         .ranks = ranks});
            ck_assert_int_eq(tg_loader_batches(l), cases[_i].batches);
            add(to, l);
            tg_loader_free(l);
        }
        qsort(to->at, (size_t)to->n, sizeof *to->at, by_place);
        ck_assert_int_eq(to->n, 2 * cases[_i].batches * cases[_i].shards * cases[_i].parts);
        ck_assert_mem_eq(to->at, alone.at, (size_t)to->n * sizeof *to->at);
    }
}
END_TEST

/* Each example at most once an epoch, and pieces of a batch differ by one in size at most. */
START_TEST(batches_are_divided_evenly) {
    list all = {.n = 0};
    tg_loader *l = make(cases[_i].examples, (tg_loader_new_opts){.batch = cases[_i].batch,
                                                                 .shards = cases[_i].shards,
                                                                 .parts = cases[_i].parts,
                                                                 .drop_last = cases[_i].drop_last});
    add(&all, l);
    bool seen[2][64] = {{false}};
    int64_t sum = 0;
    for (int i = 0; i < all.n; i++) {
        const piece *p = &all.at[i];
        ck_assert_int_ge(p->n, p->of / (cases[_i].shards * cases[_i].parts));
        ck_assert_int_le(p->n, (p->of / cases[_i].shards + 1) / cases[_i].parts + 1);
        for (int k = 0; k < p->n; k++) {
            bool *was = &seen[p->batch >= 100][(int)p->example[k]];
            ck_assert(!*was);
            *was = true;
        }
        sum += p->n;
        if (p->shard == cases[_i].shards - 1 && p->part == cases[_i].parts - 1) {
            ck_assert_int_eq(sum, p->of);
            sum = 0;
        }
    }
    tg_loader_free(l);
}
END_TEST

/* A position in the midst of a batch is that of its beginning, for every number of ranks. */
START_TEST(positions_are_of_batches) {
    tg_loader *l = make(40, (tg_loader_new_opts){.batch = 8, .shards = 4});
    tg_loader *other = make(40, (tg_loader_new_opts){.batch = 8, .shards = 4, .rank = 1, .ranks = 2});
    tg_tensor *batch;
    tg_loader_state at;
    tg_loader_piece p, q;
    tg_loader_last(l, &p);
    expect_error(TG_ERR_ARGUMENT, "tg_loader_last", "has given nothing");
    for (int i = 0; i < 7; i++) ck_assert(tg_loader_next(l, &batch));
    tg_loader_get_state(l, &at);
    ck_assert_int_eq(at.next, 1);
    ck_assert_int_eq(at.batches, 5);
    ck_assert_int_eq(tg_loader_last(l, &p), TG_OK);
    ck_assert(p.batch == 1 && p.shard == 2 && !p.first && !p.last && p.examples == 2 && p.of == 8);
    ck_assert_int_eq(tg_loader_set_state(other, &at), TG_OK);
    ck_assert(tg_loader_next(other, &batch) && tg_loader_last(other, &q) == TG_OK);
    ck_assert(q.batch == 1 && q.shard == 2 && q.first && !q.last);
    tg_loader_last(l, NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_loader_last", "NULL");
    tg_loader_free(l), tg_loader_free(other);
}
END_TEST

START_TEST(divisions_that_make_no_sense) {
    static const struct {
        tg_loader_new_opts o;
        const char *word;
    } row[] = {
        {{.batch = 8, .shards = -1}, "-1 shards"},
        {{.batch = 8, .shards = INT64_C(1) << 40}, "shards"},
        {{.batch = 8, .parts = 2}, "parts are of shards"},
        {{.batch = 8, .shards = 2, .parts = -1}, "-1 parts"},
        {{.batch = 8, .shards = 2, .ranks = 3}, "3 ranks cannot share 2 shards"},
        {{.batch = 7, .shards = 4, .parts = 2},
         "a batch of 7 examples cannot be divided into 4 shards of 2 parts"},
    };
    for (int i = 0; i < COUNT(row); i++) {
        ck_assert_ptr_null(make(40, row[i].o));
        expect_error(TG_ERR_ARGUMENT, "tg_loader_new", row[i].word);
    }
    ck_assert_ptr_null(make(3, (tg_loader_new_opts){.batch = 8, .shards = 4}));
    expect_error(TG_ERR_SHAPE, "tg_loader_new", "3 examples make no batch of 8");
}
END_TEST

TCase *tcase_shards(void);
TCase *tcase_shards(void) {
    TCase *t = tcase_create("shards");
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, pieces_do_not_depend_on_ranks, 0, COUNT(cases));
    tcase_add_loop_test(t, batches_are_divided_evenly, 0, COUNT(cases));
    tcase_add_test(t, positions_are_of_batches);
    tcase_add_test(t, divisions_that_make_no_sense);
    return t;
}
