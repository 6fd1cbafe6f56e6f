/* Models and optimisers that are NULL, freed or something else, in every function that takes one; and what layers are
 * given besides tensors. Each message begins with the function called. */
#include "tests/ops/nn/helpers.h"
#include "tests/ops/state.h"

static tg_model *freed_model(void) {
    tg_model *m = tg_model_new(1);
    tg_nn_linear(m, "fc", tg_zeros(TG_F32, 1, 2), 3);
    tg_model_free(m);
    return m;
}

static tg_optim *freed_optim(tg_model *m) {
    tg_optim *o = tg_adam(m, 0.1);
    tg_optim_free(o);
    return o;
}

/* TG_ERR_ARGUMENT from this call, which leaves all as it was. */
#define REFUSED(call, who, what) \
    do { \
        state before = state_of(0, NULL); \
        (void)(call); \
        ck_assert_msg(strncmp(tg_error_message(), who ": ", strlen(who ": ")) == 0, "%s: %s", #call, \
                      tg_error_message()); \
        ck_assert_msg(strstr(tg_error_message(), what), "%s: %s", #call, tg_error_message()); \
        ck_assert_int_eq(tg_error_status(), TG_ERR_ARGUMENT); \
        expect_state(#call, &before, 0, NULL); \
    } while (0)

static void refuse_model(tg_model *m, const char *what) {
    tg_tensor *x = tg_zeros(TG_F32, 2, 4), *image = tg_zeros(TG_F32, 1, 2, 3, 3),
              *steps = tg_zeros(TG_F32, 1, 2, 4);
    tg_tensor *index = tg_zeros(TG_I64, 2);
    REFUSED(tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0}), "tg_model_param", what);
    REFUSED(tg_model_count(m), "tg_model_count", what);
    REFUSED(tg_model_at(m, 0), "tg_model_at", what);
    REFUSED(tg_model_find(m, "w"), "tg_model_find", what);
    REFUSED(tg_model_truncate(m, 0, 0), "tg_model_truncate", what);
    REFUSED(tg_model_numel(m), "tg_model_numel", what);
    REFUSED(tg_model_set_training(m, true), "tg_model_set_training", what);
    REFUSED(tg_model_training(m), "tg_model_training", what);
    REFUSED(tg_model_zero_grad(m), "tg_model_zero_grad", what);
    REFUSED(tg_sgd(m, 0.1), "tg_sgd", what);
    REFUSED(tg_adam(m, 0.1), "tg_adam", what);
    REFUSED(tg_nn_linear(m, "a", x, 2), "nn_linear", what);
    REFUSED(tg_nn_conv2d(m, "a", image, 2, .kernel = {1}), "nn_conv2d", what);
    REFUSED(tg_nn_layer_norm(m, "a", x), "nn_layer_norm", what);
    REFUSED(tg_nn_rms_norm(m, "a", x), "nn_rms_norm", what);
    REFUSED(tg_nn_embedding(m, "a", index, 3, 2), "nn_embedding", what);
    REFUSED(tg_nn_multihead_attention(m, "a", steps, 2), "nn_multihead_attention", what);
    REFUSED(tg_nn_dropout(m, x, 0.5), "nn_dropout", what);
    REFUSED(tg_nn_lstm(m, "a", steps, 2), "nn_lstm", what);
    REFUSED(tg_nn_gru(m, "a", steps, 2), "nn_gru", what);
    if (m) REFUSED(tg_model_free(m), "tg_model_free", what);
}

static void refuse_optim(tg_optim *o, const char *what) {
    REFUSED(tg_optim_step(o), "tg_optim_step", what);
    REFUSED(tg_optim_lr(o), "tg_optim_lr", what);
    REFUSED(tg_optim_set_lr(o, 0.1), "tg_optim_set_lr", what);
    REFUSED(tg_optim_get(o, "lr"), "tg_optim_get", what);
    REFUSED(tg_optim_set(o, "lr", 0.1), "tg_optim_set", what);
    REFUSED(tg_optim_rule_of(o), "tg_optim_rule_of", what);
    REFUSED(tg_optim_print(stdout, o), "tg_optim_print", what);
    REFUSED(tg_optim_get_state(o, 0, &(tg_optim_state){0}), "tg_optim_get_state", what);
    REFUSED(tg_optim_set_state(o, 0, &(tg_optim_state){0}), "tg_optim_set_state", what);
    if (o) REFUSED(tg_optim_free(o), "tg_optim_free", what);
}

START_TEST(models_and_optimisers) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1);
    tg_tensor *kept = tg_keep(tg_zeros(TG_U8, 64)), *small = tg_keep(tg_zeros(TG_U8, 1)),
              *f = tg_keep(tg_zeros(TG_F32, 64));
    refuse_model(NULL, "NULL");
    refuse_optim(NULL, "NULL");
    refuse_model(freed_model(), "freed");
    refuse_optim(freed_optim(m), "freed");
    refuse_model((tg_model *)o, "something else");
    refuse_optim((tg_optim *)m, "something else");
    refuse_model((tg_model *)kept, "something else");
    refuse_model((tg_model *)small, "something else");
    refuse_optim((tg_optim *)f, "something else");
    ck_assert_int_eq(tg_model_count(m), 0);
    ck_assert(tg_optim_lr(o) == 0.1);
    tg_free(kept), tg_free(small), tg_free(f);
    tg_optim_free(o), tg_model_free(m);
    expect_ok();
}
END_TEST

/* Numbers of optimisers, each in turn negative, infinite or not a number, when it is made and when it is changed. */
START_TEST(numbers_of_optimisers) {
    static const double bad[] = {-0.1, INFINITY, -INFINITY, NAN};
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_sgd(m, 0.1);
    for (int i = 0; i < 4; i++) {
        REFUSED(tg_sgd(m, bad[i]), "tg_sgd", "learning rate");
        REFUSED(tg_sgd(m, 0.1, .momentum = bad[i]), "tg_sgd", "momentum");
        REFUSED(tg_sgd(m, 0.1, .weight_decay = bad[i]), "tg_sgd", "weight_decay");
        REFUSED(tg_adam(m, bad[i]), "tg_adam", "learning rate");
        REFUSED(tg_adam(m, 0.1, .beta1 = bad[i]), "tg_adam", "beta1");
        REFUSED(tg_adam(m, 0.1, .beta2 = bad[i]), "tg_adam", "beta2");
        REFUSED(tg_adam(m, 0.1, .weight_decay = bad[i]), "tg_adam", "weight_decay");
        if (i != 0) REFUSED(tg_adam(m, 0.1, .eps = bad[i]), "tg_adam", "eps");
        REFUSED(tg_optim_set_lr(o, bad[i]), "tg_optim_set_lr", "learning rate");
        ck_assert(tg_optim_lr(o) == 0.1);
    }
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

/* Objects of all sizes: zeros, aligned, gone once they are freed; the impossible ones are refused for want of memory. */
START_TEST(objects_of_all_sizes) {
    static const char one[] = "store", other[] = "store"; /* a kind is an address */
    static const size_t sizes[] = {0, 1, 7, 16, 100, 4096, 1000001};
    static const size_t large[] = {SIZE_MAX,     SIZE_MAX - 15,    SIZE_MAX - 16,
                                   SIZE_MAX / 2, SIZE_MAX / 2 + 1, (size_t)INT64_MAX - 15};
    for (int i = 0; i < 7; i++) {
        state at_first = state_of(0, NULL);
        void *o = tg_object_new(sizes[i], one, "f");
        unsigned char *p = tg_object_of(o, one, "f");
        ck_assert(p && (uintptr_t)p % 16 == 0);
        for (size_t k = 0; k < sizes[i]; k++) ck_assert(p[k] == 0);
        REFUSED(tg_object_of(o, other, "g"), "g", "something else");
        tg_object_free(o);
        REFUSED(tg_object_of(o, one, "g"), "g", "was freed");
        expect_state("an object", &at_first, 0, NULL);
    }
    for (int i = 0; i < 6; i++) {
        state at_first = state_of(0, NULL);
        ck_assert_ptr_null(tg_object_new(large[i], one, "f"));
        ck_assert_msg(tg_error_status() == TG_ERR_MEMORY && strncmp(tg_error_message(), "f: ", 3) == 0,
                      "%zu: %s", large[i], tg_error_message());
        expect_state("an object", &at_first, 0, NULL);
    }
}
END_TEST

/* A freed handle stays one when the memory serves the next of its kind. */
START_TEST(a_freed_model_is_not_the_next_one) {
    tg_model *first = freed_model();
    for (int i = 0; i < 100; i++) {
        tg_model *next = tg_model_new(2);
        ck_assert_ptr_ne(first, next);
        tg_model_count(first);
        expect_error(TG_ERR_ARGUMENT, "tg_model_count: the model was freed");
        tg_model_free(next);
    }
}
END_TEST

START_TEST(a_step_without_its_model) {
    tg_model *m = tg_model_new(1);
    tg_optim *o = tg_adam(m, 0.1);
    tg_model_free(m);
    ck_assert_int_eq(tg_optim_step(o), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_optim_step: the model was freed");
    tg_optim_free(o);
    expect_ok();
}
END_TEST

static tg_status free_model(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)w, (void)rng;
    tg_model_free((tg_model *)(uintptr_t)init->user);
    return TG_OK;
}
static tg_status free_parameter(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)rng, (void)init;
    tg_free(w);
    return TG_OK;
}
static tg_status raise_own(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)w, (void)rng, (void)init;
    return tg_fail(TG_ERR_IO, "my_init: no file");
}

/* Initialisers are the user's: they may free what they were called for by mistake, and their errors are their own. */
START_TEST(initialisers_that_free) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_zeros(TG_F32, 1, 2);
    ck_assert(tg_is_poison(tg_nn_linear(m, "a", x, 3, .init = {.fill = free_parameter})));
    expect_error(TG_ERR_LIFETIME, "nn_linear: ", "the initialiser of a.weight has freed");
    ck_assert(tg_is_poison(tg_nn_linear(m, "a", x, 3, .init = {.fill = raise_own})));
    expect_error(TG_ERR_IO, "my_init: no file");
    ck_assert_int_eq(tg_model_count(m), 0);
    ck_assert(
        tg_is_poison(tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){.fill = free_model, .user = m})));
    expect_error(TG_ERR_ARGUMENT,
                 "tg_model_free: the model cannot be freed while an initialiser of it is running");
    ck_assert_int_eq(tg_model_count(m), 0);
    tg_model_free(m);
    expect_ok();
}
END_TEST

START_TEST(layers_give_what_initialisers_need) {
    tg_model *m = tg_model_new(1);
    double bound = 0.25;
    tg_tensor *x = tg_zeros(TG_F32, 1, 40);
    tg_nn_linear(m, "fc", x, 30, .init = tg_init_uniform(-bound, bound));
    tg_nn_conv2d(m, "conv", tg_zeros(TG_F64, 1, 3, 5, 5), 8, .kernel = {3, 3},
                 .init = tg_init_uniform(-bound, bound));
    tg_nn_embedding(m, "token", tg_zeros(TG_I64, 2), 50, 10, .init = tg_init_uniform(-bound, bound));
    expect_ok();
    const char *names[] = {"fc.weight", "conv.weight", "token.weight"};
    for (int i = 0; i < COUNT(names); i++) {
        const tg_tensor *w = tg_model_find(m, names[i]);
        double low = 1, high = -1;
        for (int64_t k = 0; k < tg_numel(w); k++)
            low = fmin(low, tg_get(w, k)), high = fmax(high, tg_get(w, k));
        ck_assert(low >= -bound && low < -0.2 && high <= bound && high > 0.2);
    }
    tg_nn_linear(m, "other", x, 30, .init = tg_init_uniform(bound, -bound));
    expect_error(TG_ERR_ARGUMENT, "tg_init_uniform", "[0.25, -0.25)");
    tg_model_free(m);
}
END_TEST

/* Each parameter of each layer starts as its initialiser says: 2 a weight, 3 a bias, 4 and 5 those of an output. */
START_TEST(layers_take_initialisers) {
    tg_model *m = tg_model_new(1);
    const tg_init two = tg_init_constant(2), three = tg_init_constant(3), four = tg_init_constant(4),
                  five = tg_init_constant(5);
    tg_tensor *x = tg_zeros(TG_F32, 2, 3, 4), *images = tg_zeros(TG_F32, 2, 3, 4, 4);
    tg_nn_linear(m, "linear", x, 3, .init = two, .init_bias = three);
    tg_nn_conv2d(m, "conv2d", images, 3, .kernel = {2}, .init = two, .init_bias = three);
    tg_nn_conv1d(m, "conv1d", x, 3, .kernel = 2, .init = two, .init_bias = three);
    tg_nn_conv_transpose1d(m, "up1", x, 3, .kernel = 2, .init = two, .init_bias = three);
    tg_nn_conv_transpose2d(m, "up2", images, 3, .kernel = {2}, .init = two, .init_bias = three);
    tg_nn_group_norm(m, "group_norm", x, 1, .init = two, .init_bias = three);
    tg_nn_prelu(m, "prelu", x, .init = two);
    tg_nn_layer_norm(m, "layer_norm", x, .init = two, .init_bias = three);
    tg_nn_rms_norm(m, "rms_norm", x, .init = two);
    tg_nn_batch_norm(m, "batch_norm", images, .init = two, .init_bias = three);
    tg_nn_embedding(m, "embedding", tg_zeros(TG_I64, 2), 3, 3, .init = two);
    tg_nn_multihead_attention(m, "attention", x, 2, .init = two, .init_bias = three, .init_out = four,
                              .init_out_bias = five);
    tg_nn_lstm(m, "lstm", x, 3, .init = two, .init_bias = three);
    tg_nn_gru(m, "gru", x, 3, .init = two, .init_bias = three);
    expect_ok();
    ck_assert_int_eq(tg_model_count(m), 31);
    for (int i = 0; i < tg_model_count(m); i++) {
        const tg_tensor *p = tg_model_at(m, i);
        bool out = strstr(tg_name(p), "out_proj"), bias = strstr(tg_name(p), "bias");
        for (int64_t k = 0; k < tg_numel(p); k++)
            ck_assert_msg(tg_get(p, k) == 2 + bias + 2 * out, "%s starts as %g", tg_name(p), tg_get(p, k));
    }
    tg_model_free(m);
}
END_TEST

START_TEST(dropout_asks_the_model) {
    tg_model *m = tg_model_new(1);
    tg_tensor *x = tg_ones(TG_F64, 1000);
    tg_tensor *y = tg_nn_dropout(m, x, 0.5);
    int kept = 0;
    for (int i = 0; i < 1000; i++) {
        ck_assert(tg_get(y, i) == 0 || tg_get(y, i) == 2);
        kept += tg_get(y, i) == 2;
    }
    ck_assert(kept > 400 && kept < 600); /* six deviations */
    tg_model_set_training(m, false);
    ck_assert_ptr_eq(tg_nn_dropout(m, x, 0.5), x);
    tg_model_set_training(m, true);
    tg_rng rng = {.seed = 4};
    uint64_t drawn = tg_default_rng()->next;
    y = tg_nn_dropout(m, tg_reshape(x, 10, 20, 5), 0.5, .by_channel = true, .rng = &rng);
    for (int i = 0; i < 1000; i++) ck_assert(tg_get(y, i) == tg_get(y, i / 5 * 5));
    ck_assert(rng.next == 100 && tg_default_rng()->next == drawn);
    ck_assert(tg_is_poison(tg_nn_dropout(m, x, 2)));
    expect_error(TG_ERR_ARGUMENT, "nn_dropout: the probability 2");
    tg_model_free(m);
}
END_TEST

START_TEST(parts_of_layers_and_losses) {
    char buf[TG_LAYER_NAME];
    tg_tensor *x = tg_ones(TG_F32, 2), *w = tg_ones(TG_F32, 2, 2);
    REFUSED(tg_layer_name(NULL, "mine", "a", "weight"), "tg_layer_name", "NULL");
    REFUSED(tg_layer_name(buf, NULL, "a", "weight"), "tg_layer_name", "NULL");
    REFUSED(tg_layer_name(buf, "mine", "a", NULL), "tg_layer_name", "NULL");
    REFUSED(tg_layer_name(buf, "mine", NULL, "weight"), "mine", "name");
    REFUSED(tg_layer_check("mine", NULL, 1, "[n]", 1), "mine", "NULL");
    REFUSED(tg_layer_check(NULL, x, 1, "[n]", 1), "tg_layer_check", "NULL");
    REFUSED(tg_layer_check("mine", x, 1, NULL, 1), "mine", "NULL");
    REFUSED(tg_layer_param(NULL, "mine", "a", "weight", TG_F32, TG_SHAPE(2), (tg_init){0}), "mine",
            "model is NULL");
    REFUSED(tg_loss_pair("mine", x, NULL), "mine", "NULL");
    REFUSED(tg_loss_weight("mine", "weight", x, NULL), "mine", "NULL");
    REFUSED(tg_loss_reduce("mine", NULL, TG_REDUCTION_NONE), "mine", "NULL");
    REFUSED(tg_loss_reduce("mine", x, (tg_loss_reduction)4), "mine", "4");
    REFUSED(tg_loss_share("mine", NULL, x, TG_REDUCTION_MEAN), "mine", "NULL");
    REFUSED(tg_loss_share(NULL, x, NULL, TG_REDUCTION_MEAN), "tg_loss_share", "NULL");
    double share = 1;
    tg_tensor *terms = x, *none = NULL;
    REFUSED(tg_loss_again("mine", NULL, x, TG_REDUCTION_MEAN, &share), "mine", "NULL");
    REFUSED(tg_loss_again("mine", &terms, x, TG_REDUCTION_MEAN, NULL), "mine", "NULL");
    REFUSED(tg_loss_again("mine", &none, x, TG_REDUCTION_MEAN, &share), "mine", "NULL");
    REFUSED(tg_loss_again(NULL, &terms, x, (tg_loss_reduction)4, &share), "tg_loss_again", "4");
    REFUSED(tg_loss_part(NULL, 2), "mul_scalar", "NULL");
    ck_assert(share == 1);
    ck_assert_ptr_eq(tg_loss_part(x, 1), x);
    REFUSED(tg_accuracy(NULL, NULL), "accuracy", "NULL");
    REFUSED(tg_init_fill(NULL, tg_init_xavier_uniform(1), NULL), "tg_init_fill", "NULL");
    REFUSED(tg_init_fill(NULL, tg_init_ones(), NULL), "tg_init_fill", "NULL");
    ck_assert_int_eq(tg_init_fill(w, tg_init_ones(), NULL), TG_OK);
    ck_assert_int_eq(tg_init_fill(w, tg_init_kaiming_normal(0), NULL), TG_OK); /* from the thread's stream */
    REFUSED(tg_hinge_loss(x, x, .margin = NAN), "hinge_loss", "margin");
    REFUSED(tg_hinge_embedding_loss(x, x, .margin = INFINITY), "hinge_embedding_loss", "margin");
    ck_assert(tg_item(tg_hinge_loss(x, x, .margin = TG_ZERO)) == 0);
    ck_assert(tg_item(tg_hinge_loss(tg_mul_scalar(x, 0.5), x)) == 0.5);
}
END_TEST

/* beta1 = 0 is no average of gradients: after one step in the other direction p moves that way. */
START_TEST(adam_without_a_first_moment) {
    tg_model *m = tg_model_new(1);
    tg_tensor *p = tg_model_param(m, "p", TG_F64, TG_SHAPE(1), tg_init_ones());
    tg_optim *o = tg_adam(m, 0.1, .beta1 = TG_ZERO, .beta2 = TG_ZERO, .eps = TG_ZERO); /* p -= lr sign(g) */
    const double slopes[] = {5, -3, -1e-3, 2}, want[] = {0.9, 1, 1.1, 1};
    for (int i = 0; i < COUNT(slopes); i++) {
        ck_assert_int_eq(tg_backward(tg_sum(tg_mul_scalar(p, slopes[i]))), TG_OK);
        ck_assert_int_eq(tg_optim_step(o), TG_OK);
        expect_close(tg_get(p, 0), want[i], 1e-14);
    }
    tg_optim_free(o), tg_model_free(m);
}
END_TEST

TCase *tcase_misuse(void) {
    TCase *t = tcase_create("misuse");
    tcase_add_test(t, models_and_optimisers);
    tcase_add_test(t, a_freed_model_is_not_the_next_one);
    tcase_add_test(t, numbers_of_optimisers);
    tcase_add_test(t, objects_of_all_sizes);
    tcase_add_test(t, a_step_without_its_model);
    tcase_add_test(t, initialisers_that_free);
    tcase_add_test(t, layers_give_what_initialisers_need);
    tcase_add_test(t, layers_take_initialisers);
    tcase_add_test(t, dropout_asks_the_model);
    tcase_add_test(t, parts_of_layers_and_losses);
    tcase_add_test(t, adam_without_a_first_moment);
    return t;
}
