/* One rule of thirty is wrong: which? Programs are drawn at random, with fixed seeds, and a gradient of one of their ops is
 * negated, scaled, zeroed or moved. */
#include "tests/autograd/check/counts.h"
#include "tests/autograd/helpers.h"

#include <math.h>
#include <stdio.h>

enum { NODES = 30, PROGRAMS = 200, SIDE = 3 };

typedef enum damage { NEGATED, SCALED, ZEROED, DOUBLED, MOVED, N_DAMAGES } damage;

static struct {
    tg_op op; /* a copy of an op, whose rule is damaged */
    const tg_op *original;
    int input;
    damage how;
} mutant;

static void damaged(const tg_node *n, tg_tensor *const *dout, tg_tensor **din) {
    mutant.original->grad(n, dout, din);
    tg_tensor **d = &din[mutant.input < n->n_in ? mutant.input : 0];
    if (!*d) return;
    static const double factor[] = {[NEGATED] = -1, [SCALED] = 1.03, [ZEROED] = 0, [DOUBLED] = 2};
    *d = mutant.how == MOVED ? tg_flip(*d, 0) : tg_mul_scalar(*d, factor[mutant.how]);
}

/* One op of one or two of the tensors so far. Values stay of the size of 1. */
static tg_tensor *draw(tg_rng *rng, tg_tensor *const *made, int n) {
    tg_tensor *a = made[tg_rng_below(rng, (uint64_t)n)], *b = made[tg_rng_below(rng, (uint64_t)n)];
    switch (tg_rng_below(rng, 10)) {
    case 0:
        return tg_tanh(a);
    case 1:
        return tg_sigmoid(a);
    case 2:
        return tg_sin(a);
    case 3:
        return tg_softmax(a, 1);
    case 4:
        return tg_mul(a, b);
    case 5:
        return tg_add(a, b);
    case 6:
        return tg_sub(a, b);
    case 7:
        return tg_matmul(a, b);
    case 8:
        return tg_softplus(a);
    default:
        return tg_transpose(a, 0, 1);
    }
}

typedef struct program {
    uint64_t seed;
    int planted; /* the number of the op whose rule is damaged; -1: none */
    char name[64];
} program;

static tg_tensor *run(tg_tensor *const *in, void *user) {
    program *p = user;
    tg_rng rng = {.seed = p->seed};
    tg_tensor *made[NODES + 2] = {in[0], in[1]};
    for (int i = 0; i < NODES - 1; i++) {
        tg_tensor *t = draw(&rng, made, i + 2);
        const tg_node *node = tg_node_of(t);
        if (i == p->planted && node) {
            mutant.op = *node->op, mutant.original = node->op;
            mutant.op.grad = damaged, mutant.op.grad_kernel = NULL, mutant.op.name = "planted";
            t = tg_apply(&mutant.op, node->in, node->n_in, node->attr);
        }
        made[i + 2] = tg_tanh(t);
    }
    tg_tensor *sum = tg_mul(in[0], in[1]);
    for (int i = 0; i < NODES - 1; i++) sum = tg_add(sum, made[i + 2]);
    return sum;
}

/* Whether the damage changes any gradient: of a - a nothing is left to be damaged. */
static bool matters(program *p, tg_tensor **in) {
    tg_tensor *g[2][2];
    int planted = p->planted;
    bool differs = false;
    for (int turn = 0; turn < 2; turn++) {
        p->planted = turn ? planted : -1;
        tg_tensor *y = tg_sum(run(in, p));
        tg_grad(1, &y, 2, in, g[turn]);
    }
    for (int i = 0; i < 2; i++)
        for (int e = 0; e < SIDE * SIDE; e++)
            differs |= fabs(tg_get(g[0][i], e) - tg_get(g[1][i], e)) > 1e-6 * fabs(tg_get(g[0][i], e));
    return differs;
}

START_TEST(thirty_nodes) {
    int wrong = 0, found = 0, named = 0;
    for (int k = 0; k < PROGRAMS; k++) {
        tg_rng rng = {.seed = 1000 + (uint64_t)k};
        tg_tensor *in[2];
        for (int i = 0; i < 2; i++) {
            in[i] = tg_zeros(TG_F64, SIDE, SIDE);
            for (int e = 0; e < SIDE * SIDE; e++) ((double *)tg_data_mut(in[i]))[e] = tg_rng_normal(&rng);
            tg_set_requires_grad(in[i], true);
        }
        program p = {.seed = 7 + (uint64_t)k, .planted = -1};
        tg_gradcheck_report r;
        ck_assert_msg(tg_gradcheck(run, &p, 2, in, &r, .directions = 2), "program %d: %s", k, r.message);
        p.planted = (int)tg_rng_below(&rng, NODES - 1);
        mutant.input = (int)tg_rng_below(&rng, 2);
        mutant.how = (damage)(k % N_DAMAGES);
        if (!matters(&p, in)) continue;
        tg_gradcheck(run, &p, 2, in, &r, .directions = 2);
        wrong++;
        found += r.verdict == TG_WRONG;
        named += r.verdict == TG_WRONG && strcmp(r.op, "planted") == 0;
        if (strcmp(r.op, "planted") != 0)
            fprintf(stderr, "program %d, op %d, a %s, input %d, damage %d: %s\n", k, p.planted,
                    mutant.original->name, mutant.input, (int)mutant.how, r.message);
    }
    counts->planted += wrong, counts->localised += named;
    ck_assert_msg(wrong > PROGRAMS * 3 / 4 && found == wrong && named * 100 >= wrong * 95,
                  "of %d rules damaged %d found, %d localised", wrong, found, named);
}
END_TEST

TCase *tcase_locate(void) {
    TCase *tc = tcase_create("locate");
    tcase_set_tags(tc, "slow");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, begin_test, end_test);
    tcase_add_test(tc, thirty_nodes);
    return tc;
}
