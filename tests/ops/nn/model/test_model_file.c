/* Models to files and back (tests/ops/nn/model/test_model_torch.c: those of PyTorch). */
#include "tests/ops/nn/helpers.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

static char path[64], other[64];

static void setup(void) {
    snprintf(path, sizeof path, "model-%ld.safetensors", (long)getpid());
    snprintf(other, sizeof other, "model-%ld-2.safetensors", (long)getpid());
}
static void teardown(void) { remove(path), remove(other); }

static tg_tensor *net(tg_model *m, tg_tensor *x) {
    x = tg_nn_batch_norm(m, "bn", tg_nn_linear(m, "fc1", x, 3));
    return tg_nn_linear(m, "a.out", tg_tanh(x), 2);
}

static tg_tensor *input(void) {
    tg_seed(3);
    return tg_randn(TG_F32, 6, 4);
}

/* A model that has run once, so that its running statistics are not those of the start. */
static tg_model *used_model(uint64_t seed) {
    tg_model *m = tg_model_new(seed);
    net(m, input());
    expect_ok();
    return m;
}

static void expect_same(const tg_tensor *a, const tg_tensor *b) {
    size_t n, k;
    void *x = bytes_of(a, &n), *y = bytes_of(b, &k);
    ck_assert_uint_eq(n, k);
    ck_assert_msg(memcmp(x, y, n) == 0, "%s", tg_name(a));
    free(x), free(y);
}

static void expect_same_model(const tg_model *a, const tg_model *b) {
    ck_assert_int_eq(tg_model_count(a), tg_model_count(b));
    ck_assert_int_eq(tg_model_buffer_count(a), tg_model_buffer_count(b));
    for (int i = 0; i < tg_model_count(a); i++) {
        ck_assert_str_eq(tg_name(tg_model_at(a, i)), tg_name(tg_model_at(b, i)));
        expect_same(tg_model_at(a, i), tg_model_at(b, i));
        ck_assert(tg_requires_grad(tg_model_at(b, i)));
    }
    for (int i = 0; i < tg_model_buffer_count(a); i++) {
        expect_same(tg_model_buffer_at(a, i), tg_model_find(b, tg_name(tg_model_buffer_at(a, i))));
        ck_assert(!tg_requires_grad(tg_model_buffer_at(b, i)));
    }
    expect_ok();
}

START_TEST(buffers_are_no_parameters) {
    tg_model *m = used_model(1);
    ck_assert_int_eq(tg_model_count(m), 6);
    ck_assert_int_eq(tg_model_buffer_count(m), 3);
    ck_assert_int_eq(tg_model_numel(m), 4 * 3 + 3 + 3 + 3 + 3 * 2 + 2);
    ck_assert_int_eq(tg_model_buffer_numel(m), 3 + 3 + 1);
    tg_tensor *mean = tg_model_find(m, "bn.running_mean");
    ck_assert_ptr_eq(mean, tg_model_buffer_at(m, 0));
    ck_assert(tg_item(tg_model_find(m, "bn.num_batches_tracked")) == 1);
    ck_assert(!tg_requires_grad(mean) && tg_get(mean, 0) != 0);
    double before = tg_get(mean, 0);
    tg_optim *o = tg_sgd(m, 0.1, .weight_decay = 0.5);
    tg_model_set_training(m, false);
    ck_assert_int_eq(tg_backward(tg_sum(net(m, input()))), TG_OK);
    ck_assert_int_eq(tg_optim_step(o), TG_OK);
    ck_assert(tg_get(mean, 0) == before);
    ck_assert(tg_item(tg_model_find(m, "bn.num_batches_tracked")) == 1);
    tg_model_param(m, "bn.running_mean", TG_F32, TG_SHAPE(3), (tg_init){0});
    expect_error(TG_ERR_ARGUMENT, "bn.running_mean is a buffer");
    tg_model_buffer(m, "bn.weight", TG_F32, TG_SHAPE(3), (tg_init){0});
    expect_error(TG_ERR_ARGUMENT, "bn.weight is a parameter");
    tg_model_buffer(m, "bn.running_mean", TG_F64, TG_SHAPE(3), (tg_init){0});
    expect_error(TG_ERR_SHAPE, "tg_model_buffer", "[3] f32", "[3] f64");
    tg_model_buffer_at(m, 3);
    expect_error(TG_ERR_ARGUMENT, "no buffer 3");
    tg_optim_free(o), tg_model_free(m);
    ck_assert(!tg_is_alive(mean));
}
END_TEST

/* A layer that fails leaves no buffer behind. */
START_TEST(a_failing_layer_takes_its_buffers_away) {
    tg_model *m = tg_model_new(1);
    tg_nn_batch_norm(m, "bn", tg_randn(TG_F32, 1, 3)); /* one value a channel */
    if (tg_error_status() == TG_OK) tg_nn_batch_norm(m, "bn", tg_randn(TG_F32, 2, 4));
    tg_error_clear();
    tg_nn_batch_norm(m, "more", tg_randn(TG_F32, 4));
    expect_error(TG_ERR_SHAPE, "nn_batch_norm", "[images, channels, ..]", "[4] f32");
    tg_nn_batch_norm(m, "more", tg_randn(TG_F32, 4, 2), .momentum = 3);
    expect_error(TG_ERR_ARGUMENT, "nn_batch_norm");
    tg_model_find(m, "more.running_mean");
    expect_error(TG_ERR_ARGUMENT, "more.running_mean");
    tg_model_free(m);
}
END_TEST

START_TEST(an_empty_model_is_made_by_the_file) {
    tg_model *a = used_model(1), *b = tg_model_new(2);
    ck_assert_int_eq(tg_model_save(a, path), TG_OK);
    ck_assert_int_eq(tg_model_load(b, path), TG_OK);
    expect_same_model(a, b);
    tg_model_set_training(a, false), tg_model_set_training(b, false);
    expect_same(net(a, input()), net(b, input()));
    expect_same_model(a, b);
    ck_assert_int_eq(tg_model_save(b, other), TG_OK);
    FILE *f = fopen(path, "rb"), *g = fopen(other, "rb");
    for (int c; (c = getc(f)) == getc(g) && c != EOF;) continue;
    ck_assert(feof(f) && feof(g)); /* the same bytes */
    fclose(f), fclose(g);
    tg_model_free(a), tg_model_free(b);
}
END_TEST

/* Names that no layer asks for, while layers ask for others, are names that do not fit. */
START_TEST(what_a_whole_file_lacks_is_not_made) {
    tg_model *a = used_model(1), *b = tg_model_new(2);
    tg_model_save(a, path);
    tg_model_load(b, path, .names = (tg_rename[]){{"fc1.", "first."}, {0}});
    expect_ok();
    tg_mark mark = tg_tape_mark();
    net(b, input());
    expect_error(TG_ERR_ARGUMENT, "nn_linear", "fc1.weight is not in the file", "first.weight and 8 more",
                 ".partial");
    ck_assert_int_eq(tg_model_count(b), 6);
    ck_assert_int_eq(tg_model_buffer_count(b), 3);
    tg_model_free(b);
    tg_model *c = tg_model_new(2); /* a head may be put on what was asked for */
    tg_model_load(c, path);
    tg_nn_linear(c, "head", net(c, input()), 5);
    expect_ok();
    ck_assert_int_eq(tg_model_count(c), 8);
    tg_model *d = tg_model_new(2); /* and .partial takes all */
    tg_model_load(d, path, .names = (tg_rename[]){{"fc1.", "first."}, {0}}, .partial = true);
    net(d, input());
    expect_ok();
    tg_tape_rewind(mark);
    tg_model_free(a), tg_model_free(c), tg_model_free(d);
}
END_TEST

START_TEST(a_used_model_takes_the_elements) {
    tg_model *a = used_model(1), *b = used_model(2);
    tg_tensor *w = tg_model_find(b, "fc1.weight"), *y = net(b, input());
    ck_assert_int_eq(tg_backward(tg_sum(y)), TG_OK);
    double grad = tg_get(tg_grad_of(w), 0);
    y = net(b, input());
    ck_assert_int_eq(tg_model_save(a, path), TG_OK);
    ck_assert_int_eq(tg_model_load(b, path), TG_OK);
    expect_same_model(a, b);
    ck_assert_ptr_eq(tg_model_find(b, "fc1.weight"), w);
    ck_assert(tg_get(tg_grad_of(w), 0) == grad);
    tg_backward(tg_sum(y)); /* which needs the old weights */
    expect_error(TG_ERR_TAPE, "tg_model_load");
    tg_model_free(a), tg_model_free(b);
}
END_TEST

static int count_lines(FILE *f) {
    int n = 0;
    rewind(f);
    for (int c; (c = getc(f)) != EOF;) n += c == '\n';
    return n;
}

START_TEST(everything_that_differs_is_listed) {
    tg_model *a = used_model(1), *b = tg_model_new(2);
    tg_nn_linear(b, "fc1", input(), 5);
    tg_nn_linear(b, "new", input(), 1);
    tg_model_param(b, "bn.bias", TG_F64, TG_SHAPE(3), tg_init_ones());
    tg_model_param(b, "bn.weight", TG_F32, TG_SHAPE(3), (tg_init){0});
    ck_assert_int_eq(tg_model_save(a, path), TG_OK);
    FILE *report = tmpfile();
    tg_model_load(b, path, .report = report);
    expect_error(TG_ERR_SHAPE, "tg_model_load", path,
                 "fc1.weight is [3, 4] f32 in the file and [5, 4] f32 in the model", "fc1.bias is [3]",
                 "bn.bias is [3] f32 in the file and [3] f64 in the model",
                 "a.out.weight is not in the model", "bn.running_var is not in the model",
                 "new.weight is not in the file", "new.bias is not in the file", "test_model_file.c");
    ck_assert_int_eq(count_lines(report),
                     3 + 2 + 3 + 2); /* unlike; a.out and the buffers are not there; and new */
    fclose(report);
    ck_assert(tg_get(tg_model_find(b, "bn.weight"), 0) == 0);
    ck_assert_int_eq(tg_model_load(b, path, .partial = true, .cast = true), TG_OK);
    ck_assert(tg_get(tg_model_find(b, "bn.weight"), 0) == 1);
    ck_assert(tg_get(tg_model_find(b, "bn.bias"), 0) == 0);
    ck_assert_int_eq(tg_model_count(b), 6);
    tg_model *c = tg_model_new(3);
    tg_model_param(c, "alone", TG_F32, TG_SHAPE(3), (tg_init){0});
    tg_model_load(c, path, .partial = true);
    expect_error(TG_ERR_SHAPE, "differ in everything", "alone is not in the file");
    tg_model_free(a), tg_model_free(b), tg_model_free(c);
}
END_TEST

START_TEST(a_long_list_ends_with_a_count) {
    tg_model *a = tg_model_new(1), *b = tg_model_new(1);
    char name[80];
    for (int i = 0; i < 300; i++) {
        snprintf(name, sizeof name, "layer%d.weight", i);
        tg_model_param(a, name, TG_F32, TG_SHAPE(1), (tg_init){0});
    }
    tg_model_param(b, "w", TG_F32, TG_SHAPE(1), (tg_init){0});
    ck_assert_int_eq(tg_model_save(a, path), TG_OK);
    tg_model_load(b, path);
    expect_error(TG_ERR_SHAPE, "layer0.weight is not in the model; layer1.weight", " more",
                 "test_model_file.c");
    tg_model_free(a), tg_model_free(b);
}
END_TEST

START_TEST(names_are_mapped_both_ways) {
    static const tg_rename there[] = {{"features.0.", "fc1."}, {"classifier.", "a.out."}, {NULL, NULL}};
    tg_model *a = used_model(1), *b = used_model(2), *c = tg_model_new(3);
    ck_assert_int_eq(tg_model_save(a, path, .names = there), TG_OK);
    tg_safetensors *set = tg_safetensors_open(path);
    ck_assert(tg_safetensors_has(set, "features.0.weight") && tg_safetensors_has(set, "bn.weight"));
    ck_assert(!tg_safetensors_has(set, "fc1.weight"));
    ck_assert_str_eq(tg_safetensors_text(set, "format"), "pt");
    tg_safetensors_free(set);
    ck_assert_int_eq(tg_model_load(b, path, .names = there), TG_OK);
    expect_same_model(a, b);
    ck_assert_int_eq(tg_model_load(c, path, .names = (tg_rename[]){{"features.0.", "f."}, {"", NULL}, {0}}),
                     TG_OK);
    ck_assert_int_eq(tg_model_count(c), 2);
    ck_assert_str_eq(tg_name(tg_model_at(c, 0)), "f.weight");
    tg_model_save(a, path, .names = (tg_rename[]){{"x.", "fc1."}, {"x.", "a.out."}, {0}});
    expect_error(TG_ERR_ARGUMENT, "tg_model_save", "x.weight");
    tg_model_load(c, path, .names = (tg_rename[]){{"features.0.", "x."}, {"classifier.", "x."}, {0}});
    expect_error(TG_ERR_ARGUMENT, "tg_model_load", "x.weight");
    tg_model *empty = tg_model_new(4);
    tg_model_load(empty, path, .names = (tg_rename[]){{"", NULL}, {0}});
    expect_error(TG_ERR_ARGUMENT, "tg_model_load", path, "the table of names leaves out all");
    tg_model_free(empty), tg_model_free(a), tg_model_free(b), tg_model_free(c);
}
END_TEST

/* A file that says nothing of buffers: what is no float is one, and what a layer asks for as one becomes one. */
START_TEST(a_file_without_lists) {
    tg_safetensors *set = tg_safetensors_new();
    tg_safetensors_put(set, "bn.running_mean", tg_full(TG_F32, 2, 3));
    tg_safetensors_put(set, "bn.running_var", tg_full(TG_F32, 4, 3));
    tg_safetensors_put(set, "bn.num_batches_tracked", tg_scalar(TG_I64, 7));
    tg_safetensors_put(set, "bn.weight", tg_ones(TG_F32, 3));
    tg_safetensors_put(set, "bn.bias", tg_ones(TG_F32, 3));
    tg_model *m = tg_model_new(1);
    ck_assert_int_eq(tg_model_take(m, set), TG_OK);
    ck_assert_int_eq(tg_model_count(m), 4);
    ck_assert_int_eq(tg_model_buffer_count(m), 1);
    tg_nn_batch_norm(m, "bn", tg_randn(TG_F32, 2, 3), .momentum = 3); /* fails, and takes nothing away */
    expect_error(TG_ERR_ARGUMENT, "nn_batch_norm");
    ck_assert_int_eq(tg_model_count(m) + tg_model_buffer_count(m), 5);
    tg_model_set_training(m, false);
    tg_tensor *y = tg_nn_batch_norm(m, "bn", tg_full(TG_F32, 2, 2, 3), .eps = 1e-30);
    expect_ok();
    ck_assert(tg_get(y, 0) == 1);
    ck_assert_int_eq(tg_model_count(m), 2);
    ck_assert_int_eq(tg_model_buffer_count(m), 3);
    ck_assert(!tg_requires_grad(tg_model_find(m, "bn.running_mean")));
    tg_model_param(m, "bn.running_mean", TG_F32, TG_SHAPE(3), (tg_init){0});
    expect_error(TG_ERR_ARGUMENT, "bn.running_mean is a buffer");
    tg_nn_batch_norm(m, "bn", tg_ones(TG_F32, 2, 4));
    expect_error(TG_ERR_SHAPE, "bn.weight was loaded as [3] f32");
    tg_model_free(m);
    tg_safetensors_free(set);
}
END_TEST

/* A parameter in front that becomes a buffer leaves the others their moments. */
START_TEST(moments_stay_with_their_parameters) {
    tg_tensor *x = tg_ones(TG_F32, 2);
    for (int late = 0; late < 2; late++) {
        tg_safetensors *set = tg_safetensors_new();
        tg_safetensors_put(set, "a", tg_ones(TG_F32, 2));
        tg_safetensors_put(set, "w", tg_ones(TG_F32, 2));
        tg_model *m = tg_model_new(1);
        tg_model_take(m, set);
        tg_optim *o = tg_sgd(m, 0.1, .momentum = 0.5);
        if (!late) tg_model_buffer(m, "a", TG_F32, TG_SHAPE(2), (tg_init){0});
        tg_tensor *w = tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0});
        for (int i = 0; i < 2; i++) {
            ck_assert_int_eq(tg_backward(tg_sum(tg_mul(w, x))), TG_OK);
            ck_assert_int_eq(tg_optim_step(o), TG_OK);
            if (late) tg_model_buffer(m, "a", TG_F32, TG_SHAPE(2), (tg_init){0});
        }
        tg_optim_state state;
        ck_assert(tg_optim_get_state(o, 0, &state) == TG_OK && state.steps == 2);
        expect_close(tg_get(state.moment[0], 0), 1.5, 1e-6);
        expect_close(tg_get(w, 0), 1 - 0.1 - 0.15, 1e-6);
        tg_optim_free(o), tg_model_free(m), tg_safetensors_free(set);
    }
}
END_TEST

static const struct {
    const char *parameters, *buffers, *says;
} bad_lists[] = {
    {"w\nmissing\n", "", "the list of parameters names missing"},
    {"w\n", "gone", "the list of buffers names gone"},
    {"i\n", "", "the parameter i is neither f32 nor f64"},
    {"w\nw\n", "", "both named w"},
    {"w\n", "w\n", "both named w"},
    {"\n", "", "the list of parameters names "},
};

START_TEST(bad_lists_are_refused) {
    tg_safetensors *set = tg_safetensors_new();
    tg_safetensors_put(set, "w", tg_ones(TG_F32, 2));
    tg_safetensors_put(set, "i", tg_zeros(TG_I64, 2));
    tg_safetensors_put_text(set, "parameters", bad_lists[_i].parameters);
    tg_safetensors_put_text(set, "buffers", bad_lists[_i].buffers);
    tg_model *m = tg_model_new(1);
    tg_status s = tg_model_take(m, set);
    ck_assert(s == TG_ERR_FORMAT || s == TG_ERR_ARGUMENT);
    expect_error(s, "tg_model_take", bad_lists[_i].says);
    ck_assert_int_eq(tg_model_count(m) + tg_model_buffer_count(m), 0);
    tg_model_free(m);
    tg_safetensors_free(set);
}
END_TEST

START_TEST(misuse) {
    tg_model *m = used_model(1);
    tg_model_save(NULL, path);
    expect_error(TG_ERR_ARGUMENT, "tg_model_save", "model is NULL");
    tg_model_save(m, NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_model_save");
    tg_model_load(m, NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_model_load");
    tg_model_load(m, "no such file");
    expect_error(TG_ERR_IO, "tg_model_load", "no such file");
    tg_model_put(m, NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_model_put");
    tg_model_take(m, NULL);
    expect_error(TG_ERR_ARGUMENT, "tg_model_take");
    tg_model_param(m, "line\nbreak", TG_F32, TG_SHAPE(1), (tg_init){0});
    tg_model_save(m, path);
    expect_error(TG_ERR_ARGUMENT, "line break");
    ck_assert_int_ne(access(path, F_OK), 0);
    tg_model *freed = tg_model_new(2);
    tg_tensor *w = tg_model_param(freed, "w", TG_F32, TG_SHAPE(2), (tg_init){0});
    tg_model_save(freed, path), tg_free(w);
    tg_model_load(freed, path);
    expect_error(TG_ERR_LIFETIME, "tg_model_load: w was freed, but belongs to the model");
    tg_model_save(freed, path);
    expect_error(TG_ERR_LIFETIME, "tg_model_save: w was freed, but belongs to the model");
    tg_model_free(freed);
    tg_model_free(m);
    tg_model_save(m, path);
    expect_error(TG_ERR_ARGUMENT, "model was freed");
}
END_TEST

static void load(void *m) { tg_model_load(m, path); }
static void save(void *m) { tg_model_save(m, other); }

/* Whichever allocation fails, an empty model stays empty and another stays as it was. */
START_TEST(every_allocation_may_fail) {
    tg_model *a = used_model(1);
    tg_model_save(a, path);
    for (int used = 0; used < 2; used++)
        for (int64_t n = 1;; n++) {
            tg_model *b = used ? used_model(2) : tg_model_new(2),
                     *same = used ? used_model(2) : tg_model_new(2);
            tg_memory_fail_at(n);
            load(b);
            tg_memory_fail_at(-1);
            bool failed = tg_error_status() != TG_OK;
            if (failed) {
                expect_error(TG_ERR_MEMORY, "");
                expect_same_model(same, b);
            } else {
                expect_same_model(a, b);
            }
            tg_model_free(b), tg_model_free(same);
            if (!failed) {
                ck_assert_int_gt(n, 20);
                break;
            }
        }
    int64_t n = 1;
    for (bool failed = true; failed; n++) {
        tg_memory_fail_at(n);
        save(a);
        tg_memory_fail_at(-1);
        failed = tg_error_status() != TG_OK;
        if (failed) {
            expect_error(TG_ERR_MEMORY, "");
            ck_assert_int_ne(access(other, F_OK), 0);
        }
    }
    ck_assert_int_gt(n, 20);
    tg_model_free(a);
}
END_TEST

TCase *tcase_model_file(void) {
    TCase *t = tcase_create("model_file");
    tcase_add_checked_fixture(t, setup, teardown);
    tcase_add_test(t, buffers_are_no_parameters);
    tcase_add_test(t, a_failing_layer_takes_its_buffers_away);
    tcase_add_test(t, an_empty_model_is_made_by_the_file);
    tcase_add_test(t, what_a_whole_file_lacks_is_not_made);
    tcase_add_test(t, a_used_model_takes_the_elements);
    tcase_add_test(t, everything_that_differs_is_listed);
    tcase_add_test(t, a_long_list_ends_with_a_count);
    tcase_add_test(t, names_are_mapped_both_ways);
    tcase_add_test(t, a_file_without_lists);
    tcase_add_test(t, moments_stay_with_their_parameters);
    tcase_add_loop_test(t, bad_lists_are_refused, 0, COUNT(bad_lists));
    tcase_add_test(t, misuse);
    tcase_add_test(t, every_allocation_may_fail);
    return t;
}
