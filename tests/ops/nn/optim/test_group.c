/* Groups by patterns of names: which decides, what holds, what is refused; their schedules; their place in a file. */
#include "tests/ops/nn/optim/optims.h"

#include <stdio.h>
#include <unistd.h>

static void backward(tg_model *m) {
    tg_mark before = tg_tape_mark();
    ck_assert_msg(tg_backward(loss_of_net(m)) == TG_OK, "%s", tg_error_message());
    tg_tape_rewind(before);
}

static void step(tg_model *m, tg_optim *o) {
    backward(m);
    ck_assert_msg(tg_optim_step(o) == TG_OK, "%s", tg_error_message());
}

START_TEST(the_last_match_decides) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adam(m, 0.1, .weight_decay = 0.5);
    tg_optim_group(o, "*", .lr_factor = 0.5);
    tg_optim_group(o, "enc.[0-3].*", .lr = 0.2, .set = {{"beta1", 0.5}});
    tg_optim_group(o, "*.bias", .lr = TG_ZERO, .set = {{"weight_decay", 0}});
    tg_optim_group(o, "enc.?.bias\\*", .lr_factor = TG_ZERO);
    expect_ok();
    static const struct {
        const char *name;
        double lr, beta1, decay;
    } want[] = {
        {"out.weight", 0.05, 0.9, 0.5},
        {"enc.3.weight", 0.2, 0.5, 0.5},
        {"enc.4.weight", 0.05, 0.9, 0.5},
        {"enc.3.bias", 0, 0.9, 0},
        {"bias", 0.05, 0.9, 0.5},
        {"enc.1.bias*", 0, 0.9, 0.5},
        {"enc.1.biasx", 0.2, 0.5, 0.5},
        {".bias", 0, 0.9, 0},
        {"", 0.05, 0.9, 0.5},
    };
    for (int i = 0; i < COUNT(want); i++) {
        ck_assert_msg(tg_optim_get_of(o, want[i].name, "lr") == want[i].lr, "%s", want[i].name);
        ck_assert_msg(tg_optim_get_of(o, want[i].name, "beta1") == want[i].beta1, "%s", want[i].name);
        ck_assert_msg(tg_optim_get_of(o, want[i].name, "weight_decay") == want[i].decay, "%s", want[i].name);
    }
    ck_assert(tg_optim_get(o, "lr") == 0.1 && tg_optim_get(o, "weight_decay") == 0.5);

    /* What a group does not name follows the optimiser; the same pattern again says all anew, in its place. */
    tg_optim_set_lr(o, 0.4), tg_optim_set(o, "weight_decay", 0.25), tg_optim_set(o, "beta1", 0.75);
    tg_optim_group(o, "enc.[0-3].*", .set = {{"eps", 1e-4}});
    expect_ok();
    ck_assert(tg_optim_get_of(o, "enc.0.weight", "lr") == 0.4 && tg_optim_get_of(o, "x", "lr") == 0.2);
    ck_assert(tg_optim_get_of(o, "enc.0.weight", "beta1") == 0.75 && tg_optim_get_of(o, "x", "beta1") == 0.75);
    ck_assert(tg_optim_get_of(o, "enc.0.weight", "eps") == 1e-4 && tg_optim_get_of(o, "x", "eps") == 1e-8);
    ck_assert(tg_optim_get_of(o, "enc.0.bias", "weight_decay") == 0 &&
              tg_optim_get_of(o, "x", "weight_decay") == 0.25);
    ck_assert(tg_optim_get_of(o, "enc.0.bias", "eps") == 1e-8);
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* A group walks as an optimiser with these numbers does. */
START_TEST(walks_as_an_optimiser_of_its_own) {
    tg_model *m = tg_model_new(1), *a = tg_model_new(1), *b = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1, .weight_decay = 0.1), *oa = tg_sgd(a, 0.1, .weight_decay = 0.1),
             *ob = tg_sgd(b, 0.3, .momentum = 0.9, .weight_decay = 0.1);
    tg_optim_group(o, "*.bias", .lr = 0.3, .set = {{"momentum", 0.9}});
    for (int t = 0; t < 4; t++) { /* the three models are kept at the same point */
        step(m, o), step(a, oa), step(b, ob);
        for (int i = 0; i < tg_model_count(m); i++) {
            bool bias = strstr(tg_name(tg_model_at(m, i)), "bias");
            const tg_tensor *p = tg_model_at(m, i), *q = tg_model_at(bias ? b : a, i);
            for (int64_t k = 0; k < tg_numel(p); k++) ck_assert(tg_get(p, k) == tg_get(q, k));
            tg_optim_state s;
            ck_assert_int_eq(tg_optim_get_state(o, i, &s), TG_OK);
            ck_assert(s.steps == t + 1 && bias == (s.moment[0] != NULL));
            tg_copy_out(p, tg_array_of(tg_model_at(a, i))->data, (size_t)tg_numel(p) * 8);
            tg_copy_out(p, tg_array_of(tg_model_at(b, i))->data, (size_t)tg_numel(p) * 8);
        }
    }
    expect_ok();
    tg_optim_free(o), tg_optim_free(oa), tg_optim_free(ob);
    tg_model_free(m), tg_model_free(a), tg_model_free(b);
}
END_TEST

START_TEST(two_optimisers_share_a_model) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1), *other = tg_sgd(m, 1);
    tg_optim_group(o, "*.bias", .skip = true);
    backward(m);
    tg_tensor *w = tg_model_at(m, 0), *b = tg_model_at(m, 1);
    double was = tg_get(b, 1), g = tg_get(tg_grad_of(b), 1);
    ck_assert_int_eq(tg_optim_step(o), TG_OK);
    ck_assert(!tg_has_grad(w) && tg_has_grad(b) && tg_get(b, 1) == was);
    double moved = tg_get(w, 1);
    ck_assert_int_eq(tg_optim_step(other), TG_OK);
    ck_assert(!tg_has_grad(b) && tg_get(w, 1) == moved && tg_get(b, 1) == was - g);
    tg_optim_group(other, "*", .skip = true);
    backward(m);
    ck_assert_int_eq(tg_optim_step(other), TG_ERR_TAPE);
    expect_error(TG_ERR_TAPE, "no parameter has a gradient");
    tg_optim_free(o), tg_optim_free(other), tg_model_free(m);
}
END_TEST

START_TEST(a_pattern_that_matches_nothing) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adam(m, 0.1);
    tg_optim_group(o, "*.bais", .lr = 0.5);
    expect_ok(); /* no layer has been called yet */
    backward(m);
    double was = tg_get(tg_model_at(m, 0), 0);
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(tg_optim_step(o), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT,
                     "tg_optim_step: the pattern \"*.bais\" matches none of the model's 4 parameters",
                     "hidden.weight", ".allow_empty", "test_group.c:");
        ck_assert(tg_get(tg_model_at(m, 0), 0) == was && tg_has_grad(tg_model_at(m, 0)));
    }
    tg_optim_group(o, "*.bais", .lr = 0.5, .allow_empty = true);
    ck_assert_int_eq(tg_optim_step(o), TG_OK);
    tg_optim_group(o, "late.*", .lr = 0.5);
    backward(m);
    ck_assert_int_eq(tg_optim_step(o), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "late.*");
    tg_model_param(m, "late.weight", TG_F32, TG_SHAPE(1), tg_init_zeros());
    ck_assert_int_eq(tg_optim_step(o), TG_OK); /* matched, though it has no gradient */
    tg_optim_group(o, "*.bias", .skip = true),
        tg_optim_group(o, "out.*", .skip = true); /* of out.bias the second decides */
    backward(m);
    ck_assert_int_eq(tg_optim_step(o), TG_OK);
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

#define refused(call, ...) \
    do { \
        ck_assert_int_eq(call, TG_ERR_ARGUMENT); \
        expect_error(TG_ERR_ARGUMENT, "tg_optim_group: ", __VA_ARGS__); \
    } while (0)

START_TEST(groups_that_are_refused) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1, .momentum = 0.9, .nesterov = true), *l = tg_lbfgs(m, 1);
    refused(tg_optim_group(o, NULL), "there is no pattern");
    refused(tg_optim_group(o, ""), "there is no pattern");
    refused(tg_optim_group(o, "*", .lr = -1), "lr is -1, outside [0, inf)");
    refused(tg_optim_group(o, "*", .lr = NAN), "lr is nan");
    refused(tg_optim_group(o, "*", .lr_factor = INFINITY), "lr_factor is inf");
    refused(tg_optim_group(o, "*", .lr = 1, .lr_factor = 1), "is given both lr and lr_factor");
    refused(tg_optim_group(o, "*", .set = {{"beta1", 0.5}}), "rule sgd has no hyperparameter \"beta1\"");
    refused(tg_optim_group(o, "*", .set = {{"lr", 0.5}}), "the learning rate of a group is .lr");
    refused(tg_optim_group(o, "*", .set = {{"weight_decay", 0.1}, {"momentum", -1}}),
            "momentum is -1, outside");
    refused(tg_optim_group(o, "*", .set = {{"momentum", 0}}), "nesterov needs a momentum");
    refused(tg_optim_group(l, "*", .lr = 0.1), "rule lbfgs moves all parameters together");
    refused(tg_optim_group(l, "*", .set = {{"max_iter", 3}}), "rule lbfgs moves all parameters together");
    ck_assert_int_eq(tg_optim_group(NULL, "*"), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "NULL");
    ck_assert(isnan(tg_optim_get_of(o, "p", "beta1")) && tg_error_status() == TG_ERR_ARGUMENT);
    tg_error_clear();
    ck_assert(isnan(tg_optim_get_of(o, NULL, "lr")) && tg_error_status() == TG_ERR_ARGUMENT);
    tg_error_clear();
    ck_assert(isnan(tg_optim_get_of(NULL, "p", "lr")) && tg_error_status() == TG_ERR_ARGUMENT);
    tg_error_clear();

    /* A number that a group's own numbers do not go with is not the optimiser's either. */
    tg_optim_group(o, "*", .set = {{"nesterov", 0}, {"momentum", 0}});
    tg_optim_group(o, "a", .set = {{"momentum", 0.5}});
    expect_ok();
    ck_assert_int_eq(tg_optim_set(o, "momentum", 0), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "nesterov");
    ck_assert_int_eq(tg_optim_set(o, "dampening", 0.5), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_set: nesterov needs a momentum without dampening");
    ck_assert(tg_optim_get(o, "dampening") == 0 && tg_optim_get_of(o, "b", "dampening") == 0 &&
              tg_optim_get_of(o, "a", "dampening") == 0 && tg_optim_get(o, "momentum") == 0.9);
    tg_optim_free(o), tg_optim_free(l), tg_model_free(m);
}
END_TEST

START_TEST(printed_in_a_line_each) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adagrad(m, 0.1);
    tg_optim_group(o, "*.bias", .lr = 0.25, .set = {{"weight_decay", 0}, {"eps", 0.5}});
    tg_optim_group(o, "out.*", .lr_factor = 0.5, .skip = true);
    char text[400] = "";
    FILE *f = fmemopen(text, sizeof text, "w");
    tg_optim_print(f, o);
    fclose(f);
    ck_assert_str_eq(text, "adagrad(lr=0.1, lr_decay=0, initial_accumulator_value=0, eps=1e-10, weight_decay=0, "
                           "maximize=false)\n    *.bias: lr=0.25, weight_decay=0, eps=0.5\n"
                           "    out.*: lr_factor=0.5, skip\n");
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* ---- failures ---- */

static void make_group(void *o) { tg_optim_group(o, "out.*", .lr = 0.2, .set = {{"eps", 0.5}}); }

START_TEST(every_allocation_of_a_group_may_fail) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adam(m, 0.1), *counted = tg_adam(m, 0.1);
    tg_optim_group(o, "*.bias", .lr = 0.3), tg_optim_group(counted, "*.bias", .lr = 0.3);
    int64_t most = count_allocations(make_group, counted), failures = 0;
    for (int64_t n = 1; n <= most; n++) {
        tg_memory_fail_at(n);
        make_group(o);
        tg_memory_fail_at(-1);
        if (tg_error_status() == TG_OK) break;
        failures++;
        expect_error(TG_ERR_MEMORY, "tg_optim_group: ");
        ck_assert(tg_optim_get_of(o, "out.weight", "lr") == 0.1 && tg_optim_get_of(o, "x.bias", "lr") == 0.3);
    }
    ck_assert_int_eq(failures, 2);
    make_group(o);
    ck_assert(tg_optim_get_of(o, "out.bias", "eps") == 0.5);
    tg_optim_free(o), tg_optim_free(counted), tg_model_free(m);
}
END_TEST

/* ---- in the file of a training ---- */

#if TG_HAVE_JANSSON
typedef struct scene {
    tg_model *m;
    tg_optim *o;
    tg_schedule *s;
    tg_training run;
} scene;

static scene set(const char *pattern) {
    scene s = {.m = tg_model_new(1)};
    s.o = tg_adam(s.m, 0.1);
    if (pattern) tg_optim_group(s.o, pattern, .lr = 0.3, .set = {{"beta1", 0.5}, {"amsgrad", 1}});
    if (pattern) tg_optim_group(s.o, "out.*", .lr_factor = 0.5);
    s.s = tg_schedule_new(s.o, tg_lr_cosine(20));
    s.run = (tg_training){.model = s.m, .optim = s.o, .schedule = s.s};
    return s;
}

static void end(scene s) { tg_schedule_free(s.s), tg_optim_free(s.o), tg_model_free(s.m); }

static void train(scene s, int steps) {
    for (int t = 0; t < steps; t++) step(s.m, s.o), tg_schedule_step(s.s);
    expect_ok();
}

START_TEST(in_a_file) {
    char file[64];
    snprintf(file, sizeof file, "groups-%ld.safetensors", (long)getpid());
    scene a = set("*.bias"), b = set("*.bias"), other = set("*.weight"), none = set(NULL);
    train(a, 5);
    tg_optim_set(a.o, "beta2", 0.75), tg_optim_group(a.o, "out.*", .lr_factor = 0.25);
    ck_assert_int_eq(tg_training_save(&a.run, file), TG_OK);
    ck_assert_msg(tg_training_load(&b.run, file) == TG_OK, "%s", tg_error_message());
    ck_assert(tg_optim_get_of(b.o, "hidden.bias", "lr") == tg_optim_get_of(a.o, "hidden.bias", "lr"));
    ck_assert(tg_optim_get_of(b.o, "hidden.bias", "lr") != 0.3 &&
              tg_optim_get_of(b.o, "out.x", "lr") == 0.25 * tg_optim_lr(a.o));
    ck_assert(tg_optim_get_of(b.o, "hidden.bias", "beta2") == 0.75);
    train(a, 5), train(b, 5);
    for (int i = 0; i < tg_model_count(a.m); i++)
        for (int64_t k = 0; k < tg_numel(tg_model_at(a.m, i)); k++)
            ck_assert(tg_get(tg_model_at(a.m, i), k) == tg_get(tg_model_at(b.m, i), k));

    ck_assert_int_eq(tg_training_load(&other.run, file), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_training_load",
                 "has \"*.bias\" as group 0 of the optimiser, and the training \"*.weight\"");
    ck_assert_int_eq(tg_training_load(&none.run, file), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "has a group \"*.bias\" of the optimiser, and the training has not");
    train(none, 1);
    ck_assert_int_eq(tg_training_save(&none.run, file), TG_OK);
    ck_assert_int_eq(tg_training_load(&b.run, file), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "has nothing as group 0 of the optimiser, and the training \"*.bias\"");
    ck_assert(tg_optim_get_of(b.o, "hidden.bias", "beta1") == 0.5);
    remove(file);
    end(a), end(b), end(other), end(none);
}
END_TEST
#endif

TCase *tcase_group(void);
TCase *tcase_group(void) {
    TCase *t = tcase_create("group");
    tcase_add_test(t, the_last_match_decides);
    tcase_add_test(t, walks_as_an_optimiser_of_its_own);
    tcase_add_test(t, two_optimisers_share_a_model);
    tcase_add_test(t, a_pattern_that_matches_nothing);
    tcase_add_test(t, groups_that_are_refused);
    tcase_add_test(t, printed_in_a_line_each);
    tcase_add_test(t, every_allocation_of_a_group_may_fail);
#if TG_HAVE_JANSSON
    tcase_add_test(t, in_a_file);
#endif
    return t;
}
