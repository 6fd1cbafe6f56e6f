/* Frozen parameters: a walk computes no gradient of them, optimisers pass over them; patterns for what is there and what will
 * be. */
#include "tests/ops/nn/optim/optims.h"

#include <unistd.h>

static bool is_frozen(tg_model *m, const char *name) { return !tg_requires_grad(tg_model_find(m, name)); }

static void backward(tg_model *m) {
    tg_mark mark = tg_tape_mark();
    ck_assert_msg(tg_backward(loss_of_net(m)) == TG_OK, "%s", tg_error_message());
    tg_tape_rewind(mark);
}

START_TEST(before_and_after_the_layers) {
    for (int early = 0; early < 2; early++) {
        tg_model *m = tg_model_new(1);
        tg_optim *o = tg_adam(m, 0.1);
        if (!early) backward(m);
        ck_assert_int_eq(tg_model_freeze(m, "hidden.*"), TG_OK);
        ck_assert_int_eq(tg_model_freeze(m, "*.bias"), TG_OK);
        ck_assert_int_eq(tg_model_freeze(m, "hidden.b*", .thaw = true), TG_OK);
        if (!early) ck_assert(!tg_has_grad(tg_model_find(m, "hidden.weight"))); /* it is forgotten */
        tg_model_zero_grad(m);
        backward(m);
        static const char *const names[] = {"hidden.weight", "hidden.bias", "out.weight", "out.bias"};
        double was[4];
        for (int i = 0; i < 4; i++) {
            bool frozen = i == 0 || i == 3;
            ck_assert(is_frozen(m, names[i]) == frozen && tg_has_grad(tg_model_find(m, names[i])) == !frozen);
            was[i] = tg_get(tg_model_find(m, names[i]), 1);
        }
        ck_assert_msg(tg_optim_step(o) == TG_OK, "%s", tg_error_message());
        for (int i = 0; i < 4; i++)
            ck_assert((tg_get(tg_model_find(m, names[i]), 1) == was[i]) == (i == 0 || i == 3));
        ck_assert_int_eq(tg_model_freeze(m, "hidden.*", .thaw = true), TG_OK); /* the same pattern: now the last */
        ck_assert_int_eq(tg_model_freeze(m, "*.bias"), TG_OK);
        ck_assert(!is_frozen(m, "hidden.weight") && is_frozen(m, "hidden.bias"));
        backward(m);
        ck_assert_int_eq(tg_optim_step(o), TG_OK);
        tg_optim_free(o), tg_model_free(m);
    }
}
END_TEST

/* Nothing behind the lowest layer that is trained is recorded. */
START_TEST(the_tape_is_shorter) {
    tg_model *m = tg_model_new(1);
    loss_of_net(m);
    tg_mark mark = tg_tape_mark();
    int64_t before = tg_tape_nodes();
    loss_of_net(m);
    int64_t whole = tg_tape_nodes() - before;
    tg_model_freeze(m, "hidden.*");
    before = tg_tape_nodes();
    loss_of_net(m);
    ck_assert_int_le(tg_tape_nodes() - before, whole - 3);
    tg_model_freeze(m, "*");
    ck_assert_int_eq(tg_backward(loss_of_net(m)), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "has no history");
    tg_tape_rewind(mark);
    tg_model_free(m);
}
END_TEST

START_TEST(patterns_that_match_nothing) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1);
    ck_assert_int_eq(tg_model_freeze(m, "hiden.*"), TG_OK);
    backward(m);
    ck_assert_int_eq(tg_optim_step(o), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT,
                 "tg_optim_step: the pattern \"hiden.*\" of tg_model_freeze matches none of the model's 4",
                 ".allow_empty");
    ck_assert(tg_has_grad(tg_model_at(m, 0)));
    ck_assert_int_eq(tg_model_freeze(m, "hiden.*", .allow_empty = true), TG_OK);
    ck_assert_int_eq(tg_optim_step(o), TG_OK);
    ck_assert_int_eq(tg_model_freeze(m, NULL), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_model_freeze: there is no pattern", "test_freeze.c:");
    ck_assert_int_eq(tg_model_freeze(m, ""), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_model_freeze: there is no pattern");
    ck_assert_int_eq(tg_model_freeze(NULL, "*"), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_model_freeze", "NULL");
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

static void freeze(void *m) { tg_model_freeze(m, "out.*"); }

START_TEST(every_allocation_may_fail) {
    tg_model *m = tg_model_new(1);
    loss_of_net(m);
    tg_model_freeze(m, "*.bias");
    for (int n = 1; n <= 2; n++) {
        tg_memory_fail_at(n);
        freeze(m);
        tg_memory_fail_at(-1);
        expect_error(TG_ERR_MEMORY, "tg_model_freeze: ");
        ck_assert(!is_frozen(m, "out.weight") && is_frozen(m, "hidden.bias"));
    }
    freeze(m);
    ck_assert(is_frozen(m, "out.weight"));
    tg_model_free(m);
}
END_TEST

#if TG_HAVE_JANSSON
START_TEST(of_what_a_file_makes) {
    char file[64];
    snprintf(file, sizeof file, "freeze-%ld.safetensors", (long)getpid());
    tg_model *m = tg_model_new(1), *n = tg_model_new(2);
    loss_of_net(m);
    ck_assert_int_eq(tg_model_save(m, file), TG_OK);
    tg_model_freeze(n, "hidden.*");
    ck_assert_int_eq(tg_model_load(n, file), TG_OK);
    ck_assert(is_frozen(n, "hidden.weight") && !is_frozen(n, "out.weight"));
    remove(file);
    tg_model_free(m), tg_model_free(n);
}
END_TEST
#endif

TCase *tcase_freeze(void);
TCase *tcase_freeze(void) {
    TCase *t = tcase_create("freeze");
    tcase_add_test(t, before_and_after_the_layers);
    tcase_add_test(t, the_tape_is_shorter);
    tcase_add_test(t, patterns_that_match_nothing);
    tcase_add_test(t, every_allocation_may_fail);
#if TG_HAVE_JANSSON
    tcase_add_test(t, of_what_a_file_makes);
#endif
    return t;
}
