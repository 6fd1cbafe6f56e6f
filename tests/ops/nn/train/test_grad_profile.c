/* Profiles of gradients: the numbers, the file, the picture, and what goes wrong. */
#include "tests/ops/nn/helpers.h"

#include <dirent.h>
#include <unistd.h>

enum { MOST = 64 };

static char folder[] = "/tmp/tg_grads_XXXXXX";
static void begin(void) {
    strcpy(folder, "/tmp/tg_grads_XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
}
static const char *path_of(const char *name) {
    static char path[2][512];
    static int k;
    k = !k;
    snprintf(path[k], sizeof path[k], "%s/%s", folder, name);
    return path[k];
}
static void end(void) {
    tg_error_clear();
    DIR *dir = opendir(folder);
    for (struct dirent *e; (e = readdir(dir));) unlink(path_of(e->d_name));
    closedir(dir);
    ck_assert_int_eq(rmdir(folder), 0);
}

static char *read_file(const char *path) {
    FILE *file = fopen(path, "r");
    ck_assert_msg(file != NULL, "%s", path);
    static char text[1 << 16];
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    fclose(file);
    return text;
}

/* A model of three parameters, a.weight [2], a.bias [1] and lone [3], in f64. */
static tg_model *three(void) {
    tg_model *m = tg_model_new(1);
    tg_model_param(m, "a.weight", TG_F64, TG_SHAPE(2), (tg_init){0});
    tg_model_param(m, "a.bias", TG_F64, TG_SHAPE(1), (tg_init){0});
    tg_model_param(m, "lone", TG_F64, TG_SHAPE(3), (tg_init){0});
    return m;
}

/* Gives parameter i these gradients. */
static void give(tg_model *m, int i, const double *g) {
    tg_tensor *p = tg_model_at(m, i);
    tg_zero_grad(p);
    const tg_mark mark = tg_tape_mark();
    ck_assert_int_eq(tg_backward(tg_mul(p, tg_ones_like(p)), .seed = tg_from_with(TG_F64, g, tg_shape_of(p))),
                     TG_OK);
    tg_tape_rewind(mark);
}

static void expect_row(const tg_grad_row *r, int64_t step, const char *name, bool layer, double norm,
                       double zeros, double min, double max) {
    ck_assert_int_eq(r->step, step);
    ck_assert_str_eq(r->name, name);
    ck_assert_int_eq(r->layer, layer);
    const double is[] = {r->norm, r->zeros, r->min, r->max}, want[] = {norm, zeros, min, max};
    for (int i = 0; i < 4; i++)
        ck_assert_msg(is[i] == want[i] || (isnan(is[i]) && isnan(want[i])) || fabs(is[i] / want[i] - 1) < 1e-14,
                      "%s, figure %d: %.17g instead of %.17g", name, i, is[i], want[i]);
}

START_TEST(numbers) {
    tg_model *m = three();
    tg_grad_profile *p = tg_grad_profile_new(m);
    tg_grad_row row[MOST];
    give(m, 0, (double[]){3, 0}), give(m, 1, (double[]){-4});
    ck_assert_int_eq(tg_grad_profile_step(p), TG_OK);
    give(m, 0, (double[]){3e200, 4e200}), give(m, 1, (double[]){0}), give(m, 2, (double[]){1, NAN, -1});
    ck_assert_int_eq(tg_grad_profile_step(p), TG_OK);
    give(m, 0, (double[]){3e-200, 4e-200}), give(m, 1, (double[]){INFINITY}), give(m, 2, (double[]){0, 0, 0});
    ck_assert_int_eq(tg_grad_profile_step(p), TG_OK);
    ck_assert_int_eq(tg_grad_profile_rows(p, row, MOST), 13);
    expect_row(&row[0], 1, "a.weight", false, 3, 0.5, 0, 3);
    expect_row(&row[1], 1, "a.bias", false, 4, 0, -4, -4);
    expect_row(&row[2], 1, "a", true, 5, 1.0 / 3, -4, 3);
    expect_row(&row[3], 2, "a.weight", false, 5e200, 0, 3e200, 4e200);
    expect_row(&row[4], 2, "a.bias", false, 0, 1, 0, 0);
    expect_row(&row[5], 2, "a", true, 5e200, 1.0 / 3, 0, 4e200);
    expect_row(&row[6], 2, "lone", false, NAN, 0, NAN, NAN);
    expect_row(&row[7], 2, "lone", true, NAN, 0, NAN, NAN);
    expect_row(&row[8], 3, "a.weight", false, 5e-200, 0, 3e-200, 4e-200);
    expect_row(&row[9], 3, "a.bias", false, INFINITY, 0, INFINITY, INFINITY);
    expect_row(&row[10], 3, "a", true, INFINITY, 0, 3e-200, INFINITY);
    expect_row(&row[11], 3, "lone", false, 0, 1, 0, 0);
    ck_assert_int_eq(tg_grad_profile_rows(p, NULL, 0), 13);
    ck_assert_int_eq(tg_grad_profile_save(p, path_of("g.csv")), TG_OK);
    const char *text = read_file(path_of("g.csv"));
    ck_assert_msg(strncmp(text,
                          "step,kind,name,norm,zeros,min,max\n"
                          "1,parameter,a.weight,3,0.5,0,3\n"
                          "1,parameter,a.bias,4,0,-4,-4\n"
                          "1,layer,a,5,0.333333333,-4,3\n",
                          100) == 0,
                  "%s", text);
    ck_assert_ptr_nonnull(strstr(text, "2,parameter,lone,nan,0,nan,nan\n"));
    tg_grad_profile_free(p);
    tg_model_free(m);
}
END_TEST

START_TEST(single_precision) {
    tg_model *m = tg_model_new(1);
    tg_tensor *w = tg_model_param(m, "w", TG_F32, TG_SHAPE(1000), (tg_init){0});
    tg_grad_profile *p = tg_grad_profile_new(m, .every = 2, .first = 10);
    for (int i = 0; i < 5; i++) {
        const tg_mark mark = tg_tape_mark();
        tg_zero_grad(w);
        tg_backward(tg_sum(tg_affine(w, i == 4 ? 1e25 : i, 0)));
        ck_assert_int_eq(tg_grad_profile_step(p), TG_OK);
        tg_tape_rewind(mark);
    }
    tg_grad_row row[MOST];
    ck_assert_int_eq(tg_grad_profile_rows(p, row, MOST), 6);
    expect_row(&row[0], 10, "w", false, 0, 1, 0, 0);
    expect_row(&row[2], 12, "w", false, 2 * sqrt(1000), 0, 2, 2);
    expect_row(&row[4], 14, "w", false, (double)1e25f * sqrt(1000), 0, (double)1e25f, (double)1e25f);
    tg_model_free(m);
    ck_assert_int_eq(tg_grad_profile_rows(p, NULL, 0), 6); /* what was seen stays */
    ck_assert_int_eq(tg_grad_profile_step(p), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad_profile_step: the model was freed");
    tg_grad_profile_free(p);
}
END_TEST

/* Twelve layers of tanh, in which gradients vanish. */
static tg_tensor *deep(tg_model *m, tg_tensor *x) {
    for (int i = 0; i < 12; i++) {
        char name[32];
        snprintf(name, sizeof name, "layer%d", i);
        x = tg_tanh(tg_nn_linear(m, name, x, 8, .init = tg_init_normal(0, 0.1)));
    }
    return tg_sum(x);
}

START_TEST(pictures) {
    tg_model *m = tg_model_new(1);
    tg_grad_profile *p = tg_grad_profile_new(m); /* before there is a parameter */
    for (int i = 0; i < 20; i++) {
        const tg_mark mark = tg_tape_mark();
        ck_assert_int_eq(tg_backward(deep(m, tg_ones(TG_F32, 4, 8))), TG_OK);
        ck_assert_int_eq(tg_grad_profile_step(p), TG_OK);
        tg_model_zero_grad(m);
        tg_tape_rewind(mark);
    }
    tg_grad_row row[MOST];
    ck_assert_int_eq(tg_grad_profile_rows(p, row, MOST), 20 * 36);
    ck_assert(row[2].layer && strcmp(row[2].name, "layer0") == 0 && row[35].layer &&
              strcmp(row[35].name, "layer11") == 0);
    ck_assert(row[2].norm < 1e-4 * row[35].norm && row[2].norm > 0);
    for (int what = 0; what < 2; what++)
        for (int parameters = 0; parameters < 2; parameters++) {
            ck_assert_int_eq(tg_grad_profile_plot(p, path_of("g.svg"), .what = (tg_grad_figure)what,
                                                  .parameters = parameters),
                             TG_OK);
            const char *text = read_file(path_of("g.svg"));
            const char *const words[] = {what ? "share of zeros" : "of the norm", "step",
                                         parameters ? ">layer0.weight<" : ">layer0<",
                                         what ? "Zeros among" : "Norm of"};
            for (int i = 0; i < 4; i++) ck_assert_msg(strstr(text, words[i]), "no %s", words[i]);
            ck_assert(parameters || (strstr(text, ">layer11<") && !strstr(text, "weight")));
        }
    ck_assert_int_eq(tg_grad_profile_plot(p, path_of("g.svg"), .title = "mine"), TG_OK);
    ck_assert_ptr_nonnull(strstr(read_file(path_of("g.svg")), ">mine<"));
    tg_grad_profile_free(p);
    tg_model_free(m);
}
END_TEST

START_TEST(names_in_quotes) {
    tg_model *m = tg_model_new(1);
    tg_tensor *w = tg_model_param(m, "a, \"b\".w", TG_F32, TG_SHAPE(1), (tg_init){0});
    tg_backward(tg_sum(w));
    tg_grad_profile *p = tg_grad_profile_new(m);
    tg_grad_profile_step(p);
    ck_assert_int_eq(tg_grad_profile_save(p, path_of("g.csv")), TG_OK);
    ck_assert_ptr_nonnull(strstr(read_file(path_of("g.csv")), "1,layer,\"a, \"\"b\"\"\",1,0,1,1\n"));
    tg_grad_profile_free(p);
    tg_model_free(m);
}
END_TEST

START_TEST(bad_input) {
    tg_model *m = tg_model_new(1);
    ck_assert_ptr_null(tg_grad_profile_new(NULL));
    expect_error(TG_ERR_ARGUMENT, "tg_grad_profile_new: the model is NULL");
    ck_assert_ptr_null(tg_grad_profile_new(m, .every = -1));
    expect_error(TG_ERR_ARGUMENT, "tg_grad_profile_new: .every and .first must not be negative");
    tg_grad_profile *p = tg_grad_profile_new(m);
    ck_assert_int_eq(tg_grad_profile_step(p), TG_OK); /* no parameters */
    ck_assert_int_eq(tg_grad_profile_plot(p, path_of("g.svg")), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad_profile_plot: there is nothing to draw");
    ck_assert_int_eq(tg_grad_profile_save(p, path_of("g.csv")), TG_OK);
    ck_assert_str_eq(read_file(path_of("g.csv")), "step,kind,name,norm,zeros,min,max\n");
    tg_tensor *w = tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0});
    tg_backward(tg_sum(w));
    ck_assert_int_eq(tg_grad_profile_step(p), TG_OK);
    ck_assert_int_eq(tg_grad_profile_rows(p, NULL, 5), -1);
    expect_error(TG_ERR_ARGUMENT, "tg_grad_profile_rows: the array of rows is NULL");
    ck_assert_int_eq(tg_grad_profile_plot(p, path_of("g.svg"), .what = (tg_grad_figure)2), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad_profile_plot: .what is none of the figures");
    ck_assert_int_eq(tg_grad_profile_plot(p, path_of("g.jpg")), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad_profile_plot: ", "g.jpg");
    ck_assert_int_eq(tg_grad_profile_save(p, "/tmp/no/such/folder/g.csv"), TG_ERR_IO);
    expect_error(TG_ERR_IO, "tg_grad_profile_save: ");
    tg_fail(TG_ERR_IO, "disk");
    ck_assert_int_eq(tg_grad_profile_step(p), TG_ERR_IO);
    tg_error_clear();
    ck_assert_int_eq(tg_grad_profile_rows(p, NULL, 0), 2);
    tg_grad_profile_free(p);
    ck_assert_int_eq(tg_grad_profile_step(p), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_grad_profile_step: the profile of gradients was freed");
    tg_grad_profile_free(p);
    expect_error(TG_ERR_ARGUMENT, "was freed");
    tg_grad_profile_free(NULL);
    tg_model_free(m);
}
END_TEST

/* A step that fails for want of memory does not count, and the next one goes on as if it had not been. */
START_TEST(without_memory) {
    tg_model *m = three();
    give(m, 0, (double[]){3, 0}), give(m, 1, (double[]){-4}), give(m, 2, (double[]){1, 1, 1});
    int failures = 0;
    for (int64_t n = 1; n < 60; n++) {
        tg_memory_trim();
        tg_grad_profile *p = tg_grad_profile_new(m);
        tg_memory_fail_at(n);
        tg_status s = tg_grad_profile_step(p);
        if (s == TG_OK) s = tg_grad_profile_save(p, path_of("g.csv"));
        if (s == TG_OK) s = tg_grad_profile_plot(p, path_of("g.svg"));
        tg_memory_fail_at(-1);
        failures += s != TG_OK;
        if (s != TG_OK) expect_error(TG_ERR_MEMORY, "tg_grad_profile_");
        int64_t rows = tg_grad_profile_rows(p, NULL, 0);
        ck_assert(rows == 0 || rows == 5);
        ck_assert_int_eq(tg_grad_profile_step(p), TG_OK);
        ck_assert_int_eq(tg_grad_profile_rows(p, NULL, 0), rows + 5);
        tg_grad_profile_free(p);
    }
    ck_assert_int_gt(failures, 5);
    tg_model_free(m);
}
END_TEST

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)batch, (void)user;
    return deep(m, tg_ones(TG_F32, 4, 8));
}
static tg_tensor *flat(tg_model *m, tg_tensor **batch, void *user) {
    (void)batch, (void)user;
    return tg_affine(tg_sum(tg_model_param(m, "w", TG_F32, TG_SHAPE(2), (tg_init){0})), 0, 1);
}

START_TEST(of_a_training) {
    tg_model *m = tg_model_new(1);
    tg_optim *sgd = tg_sgd(m, 0.01);
    tg_training run = {.model = m, .optim = sgd};
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 2, .epoch_steps = 3, .folder = folder, .gradients = true),
                     TG_OK);
    const char *text = read_file(path_of("gradients.csv"));
    ck_assert_ptr_nonnull(strstr(text, "\n6,layer,layer11,"));
    ck_assert_ptr_null(strstr(text, "\n7,"));
    ck_assert_ptr_nonnull(strstr(read_file(path_of("gradients.svg")), ">layer0<"));
    /* A run that goes on numbers its steps on. */
    ck_assert_int_eq(tg_fit(&run, loss, .epochs = 3, .epoch_steps = 3, .folder = folder, .gradients = true,
                            .resume = true, .last = 1),
                     TG_OK);
    text = read_file(path_of("gradients.csv"));
    ck_assert(strncmp(strchr(text, '\n') + 1, "7,parameter,layer0.weight,", 25) == 0);
    ck_assert_int_eq(tg_fit(&run, loss, .epoch_steps = 3, .gradients = true), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "tg_fit: there is no .folder for the files of .gradients");
    tg_optim_free(sgd);
    tg_model_free(m);
    m = tg_model_new(1), sgd = tg_sgd(m, 0.01), run = (tg_training){.model = m, .optim = sgd};
    unlink(path_of("gradients.svg"));
    ck_assert_int_eq(tg_fit(&run, flat, .epoch_steps = 3, .folder = folder, .gradients = true), TG_OK);
    ck_assert_int_ne(access(path_of("gradients.svg"), F_OK), 0); /* all are zero */
    ck_assert_ptr_nonnull(strstr(read_file(path_of("gradients.csv")), "3,parameter,w,0,1,0,0\n"));
    tg_optim_free(sgd);
    tg_model_free(m);
}
END_TEST

TCase *tcase_grad_profile(void);
TCase *tcase_grad_profile(void) {
    TCase *t = tcase_create("grad_profile");
    tcase_add_checked_fixture(t, begin, end);
    tcase_add_test(t, numbers);
    tcase_add_test(t, single_precision);
    tcase_add_test(t, pictures);
    tcase_add_test(t, names_in_quotes);
    tcase_add_test(t, bad_input);
    tcase_add_test(t, without_memory);
    tcase_add_test(t, of_a_training);
    return t;
}
