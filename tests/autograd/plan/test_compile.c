/* Groups that are compiled: the bits of the eager step, and blocks where there is no compiler or no folder of the user's own. */
#define _XOPEN_SOURCE 700 /* tests/cache_folder.h */
#include "tests/autograd/plan/compiled.h"

#include <dirent.h>
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { N = 2048 + 37 };

static void begin_folder(void) {
    begin_test();
    make_cache_folder();
    unsetenv("TG_CC");
}

static void end_folder(void) {
    chmod(folder, 0700);
    remove_cache_folder();
    unsetenv("TG_CC");
    end_test();
}

/* How many files there are whose names end so; the last one's path. */
static int files(const char *end, char path[512]) {
    DIR *d = opendir(folder);
    int n = 0;
    for (struct dirent *e; d && (e = readdir(d));) {
        size_t length = strlen(e->d_name);
        if (length <= strlen(end) || strcmp(e->d_name + length - strlen(end), end) != 0) continue;
        snprintf(path, 512, "%s/%s", folder, e->d_name);
        n++;
    }
    if (d) closedir(d);
    return n;
}

/* ---- steps ---- */

/* Of all that a group can hold: functions, sums of adjoints, comparisons, choices, numbers of the step, a scale. */
static tg_tensor *step(tg_tensor *const *in, void *user) {
    tg_tensor *y = tg_mul(tg_sigmoid(in[0]), tg_tanh(tg_add(in[0], in[1])));
    tg_tensor *half = tg_scalar(tg_dtype_of(in[0]), 0.5);
    y = tg_where(tg_gt(y, in[1]), tg_exp(tg_neg(y)), tg_sub(tg_square(y), half));
    y = tg_add(y, tg_clamp(tg_mul_scalar(in[1], 3), -0.25, 0.75));
    if (user) tg_backward(tg_mean(tg_leaky_relu(y, 0.01)));
    return y;
}

/* Truth values that leave the group, and some that come from elsewhere. */
static tg_tensor *choose(tg_tensor *const *in, void *user) {
    (void)user;
    tg_tensor *larger = tg_gt(tg_square(in[0]), in[1]), *turned = tg_flip(larger, 0);
    return tg_add(tg_where(turned, tg_neg(in[0]), in[1]), tg_where(larger, in[0], tg_zeros_like(in[0])));
}

/* Truth as numbers, and numbers as truth. */
static tg_tensor *mask(tg_tensor *const *in, void *user) {
    (void)user;
    const tg_dtype dtype = tg_dtype_of(in[0]);
    tg_tensor *y = tg_mul(in[0], tg_to(tg_gt(in[0], in[1]), dtype));
    y = tg_add(y, tg_to(tg_to(tg_sub(y, in[1]), TG_BOOL), dtype));
    tg_backward(tg_mean(y));
    return y;
}

/* In place, in memory of the caller's. */
static tg_tensor *change(tg_tensor *const *in, void *user) {
    tg_tensor *kept = user;
    tg_add_(kept, tg_mul(in[0], in[1]), -0.5);
    tg_mul_(kept, in[0]);
    return tg_add(kept, in[1]);
}

static tg_tensor *numbers(tg_dtype dtype, int64_t n) {
    tg_tensor *t = tg_set_requires_grad(tg_randn(dtype, n), true);
    if (dtype == TG_F32) memcpy(tg_data_mut(t), (const float[]){NAN, INFINITY, -INFINITY, -0.0f, 1e-40f}, 20);
    return t;
}

/* Five runs, each held to the eager step. */
static tg_plan_stats train(tg_step *f, void *user, tg_dtype dtype, int64_t n, FILE *print) {
    tg_plan *plan = tg_plan_new(f, user, .compile = true);
    for (int i = 0; i < 5; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *in[2], *again[2];
        for (int k = 0; k < 2; k++) again[k] = copy(in[k] = numbers(dtype, n));
        expect_same(tg_plan_run_with(plan, 2, in), f(again, user));
        for (int k = 0; k < 2 && tg_has_grad(in[k]); k++)
            expect_same(tg_grad_of(in[k]), tg_grad_of(again[k]));
        tg_tape_rewind(before);
    }
    tg_plan_stats s = tg_plan_stats_of(plan);
    if (print) tg_plan_print(print, plan);
    tg_plan_free(plan);
    ck_assert_int_eq(s.replayed, 3);
    ck_assert_int_gt(s.groups, 0);
    return s;
}

static void expect_blocks(const char *why) {
    char text[8192] = "";
    FILE *f = tmpfile();
    ck_assert_int_eq(train(step, &before_test, TG_F32, N, f).compiled, 0);
    rewind(f);
    ck_assert_uint_gt(fread(text, 1, sizeof text - 1, f), 0);
    fclose(f);
    ck_assert_msg(strstr(text, "groups were not compiled: ") && strstr(text, why), "no \"%s\" in %.400s", why,
                  text);
}

static void expect_compiled(void) {
    tg_plan_stats s = train(step, &before_test, TG_F32, N, NULL);
    ck_assert_int_eq(s.compiled, s.groups);
    ck_assert(s.compile_seconds > 0);
}

/* ---- the same bits ---- */

/* One text serves arrays of all sizes. */
START_TEST(test_a_compiled_group_has_the_bits_of_the_step) {
    static const int64_t size[] = {2048, 2049, 2063, 5000, 40001};
    tg_dtype dtype = _i ? TG_F64 : TG_F32;
    char path[512];
    for (size_t k = 0; k < sizeof size / sizeof *size; k++) {
        tg_plan_stats s = train(step, &before_test, dtype, size[k], NULL);
        ck_assert_int_eq(s.compiled, s.groups);
        s = train(choose, NULL, dtype, size[k], NULL);
        ck_assert_int_eq(s.compiled, s.groups);
    }
    ck_assert_int_eq(files(".so", path), 2);
}
END_TEST

/* ---- sums at the end of a group ---- */

typedef struct folding {
    double scale; /* by which the sum leaves the range, where the mean does not */
    bool adds;    /* the pass adds to an adjoint that is there, so that it could not be run a second time */
} folding;

/* Two folds of what nobody else uses, and the gradient through both. */
static tg_tensor *fold(tg_tensor *const *in, void *user) {
    const folding *f = user;
    tg_tensor *u = tg_mul(tg_add(tg_square(tg_tanh(in[0])), in[1]), tg_full(tg_dtype_of(in[0]), f->scale, 1));
    tg_tensor *mean = tg_mean(u), *sum = tg_sum(tg_sigmoid(in[1])), *loss = tg_add(mean, sum);
    int64_t n = tg_numel(in[1]);
    if (f->adds) loss = tg_add(loss, tg_dot(in[1], tg_ones(tg_dtype_of(in[1]), n)));
    tg_backward(loss);
    return tg_stack(0, mean, sum);
}

static void check_fold(tg_dtype dtype, int64_t n, folding f, bool compile) {
    tg_plan *plan = tg_plan_new(fold, &f, .compile = compile);
    for (int i = 0; i < 8; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *in[2], *copies[2];
        for (int k = 0; k < 2; k++) {
            in[k] = tg_set_requires_grad(tg_rand(dtype, n), true);
            copies[k] = copy(in[k]);
        }
        tg_set_num_threads(1 + i % 4);
        tg_tensor *y = tg_plan_run_with(plan, 2, in), *z = fold(copies, &f);
        expect_ok();
        expect_same(y, z);
        ck_assert(isfinite(tg_get(y, 0)));
        for (int k = 0; k < 2; k++) expect_same(tg_grad_of(in[k]), tg_grad_of(copies[k]));
        tg_tape_rewind(before);
    }
    tg_plan_stats s = tg_plan_stats_of(plan);
    ck_assert_int_eq(s.replayed, 6);
    ck_assert_int_gt(s.groups, 0);
    ck_assert_int_eq(s.compiled, compile ? s.groups : 0);
    ck_assert_int_eq(s.sums, f.adds ? 0 : 2);
    tg_plan_free(plan);
    tg_set_num_threads(1);
}

START_TEST(test_a_group_ends_in_sums) {
    static const int64_t size[] = {2048, 2053, 4096 + 1024, 100003};
    for (size_t k = 0; k < sizeof size / sizeof *size; k++)
        for (tg_dtype dtype = TG_F32; dtype <= TG_F64; dtype++) {
            check_fold(dtype, size[k], (folding){.scale = 1}, _i);
            check_fold(dtype, size[k], (folding){.scale = dtype == TG_F32 ? 1.5e38 : 8e307}, _i);
            check_fold(dtype, size[k], (folding){.scale = 1, .adds = true}, _i);
        }
}
END_TEST

/* The sum leaves the range, so that the elements are made after all, in memory that is not there: the run fails, gradients are what
 * they were, and the next run is right. */
START_TEST(test_no_memory_for_elements_that_were_summed) {
    folding f = {.scale = 8e307};
    tg_plan *plan = tg_plan_new(fold, &f, .compile = _i);
    int failed = 0, whole = 0;
    for (int i = 0; i < 60; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *in[2], *copies[2];
        for (int k = 0; k < 2; k++) {
            in[k] = tg_set_requires_grad(tg_rand(TG_F64, 5000), true);
            copies[k] = copy(in[k]);
        }
        if (i >= 2 && i % 2) tg_memory_fail_at(i / 2 % 12);
        tg_tensor *y = tg_plan_run_with(plan, 2, in);
        tg_memory_fail_at(-1);
        if (tg_is_poison(y)) {
            ck_assert_int_eq(tg_error_status(), TG_ERR_MEMORY);
            for (int k = 0; k < 2; k++) ck_assert(!tg_has_grad(in[k]));
            tg_error_clear(), failed++;
        } else {
            expect_same(y, fold(copies, &f)), whole++;
            for (int k = 0; k < 2; k++) expect_same(tg_grad_of(in[k]), tg_grad_of(copies[k]));
        }
        tg_tape_rewind(before);
    }
    ck_assert_int_gt(failed, 5);
    ck_assert_int_gt(whole, 30);
    ck_assert_int_gt(tg_plan_stats_of(plan).replayed, 30);
    tg_plan_free(plan);
}
END_TEST

static tg_tensor *whole(tg_tensor *const *in, void *user) {
    (void)user;
    return tg_mul(tg_add(in[0], in[1]), in[0]);
}

/* Integers are not compiled, and their group is run by blocks. */
/* With what makes it and what uses it a mask is one group; to another real type there is no kernel. */
START_TEST(test_masks_become_numbers_in_a_group) {
    for (int wide = 0; wide < 2; wide++) {
        tg_plan_stats s = train(mask, NULL, wide ? TG_F64 : TG_F32, N, NULL);
        ck_assert_int_eq(s.groups, 1);
        ck_assert_int_eq(s.compiled, 1);
    }
}
END_TEST

START_TEST(test_integers_are_run_by_blocks) {
    tg_plan *plan = tg_plan_new(whole, NULL, .compile = true);
    for (int i = 0; i < 4; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *in[2] = {tg_full(TG_I64, 3 + i, N), tg_full(TG_I64, 5, N)};
        expect_same(tg_plan_run_with(plan, 2, in), whole(in, NULL));
        tg_tape_rewind(before);
    }
    tg_plan_stats s = tg_plan_stats_of(plan);
    ck_assert_int_eq(s.groups, 1);
    ck_assert_int_eq(s.compiled, 0);
    tg_plan_free(plan);
}
END_TEST

START_TEST(test_a_group_changes_memory_of_the_caller) {
    tg_tensor *a = tg_keep(tg_ones(TG_F32, N)), *b = tg_keep(tg_ones(TG_F32, N));
    bool was = tg_set_grad_enabled(false);
    tg_plan *plan = tg_plan_new(change, a, .compile = true);
    for (int i = 0; i < 5; i++) {
        tg_mark before = tg_tape_mark();
        tg_tensor *in[2] = {tg_randn(TG_F32, N), tg_randn(TG_F32, N)};
        expect_same(tg_plan_run_with(plan, 2, in), change(in, b));
        expect_same(a, b);
        tg_tape_rewind(before);
    }
    ck_assert_int_gt(tg_plan_stats_of(plan).compiled, 0);
    tg_set_grad_enabled(was);
    tg_plan_free(plan);
    tg_free(a), tg_free(b);
}
END_TEST

/* ---- what is broadcast in rows ---- */

typedef struct rows {
    int64_t m, n;
} rows;

/* A row for all rows, a number and a truth value for each row, and their sum. in[0] has m n elements, of which in[1] uses
 * some. */
static tg_tensor *in_rows(tg_tensor *const *in, void *user) {
    const rows *r = user;
    tg_tensor *x = tg_reshape(in[0], r->m, r->n);
    tg_tensor *row = tg_slice(in[1], 0, 1, r->n + 1, 1),
              *column = tg_reshape(tg_slice(in[1], 0, 0, r->m, 1), r->m, 1);
    tg_tensor *y = tg_add(tg_mul(tg_tanh(x), column), row);
    y = tg_where(tg_gt(column, tg_zeros_like(column)), tg_sigmoid(y),
                 tg_where(tg_gt(row, tg_zeros_like(row)), tg_neg(y), x));
    y = tg_mul(tg_square(y), tg_exp(row));
    tg_backward(tg_sum(y));
    return y;
}

START_TEST(test_broadcasts_in_rows_join_a_group) {
    static const rows size[] = {{40, 256},  {7, 512},  {33, 200}, {3, 1024 + 64},
                                {256, 127}, {300, 16}, {700, 3},  {1100, 2}};
    const rows *r = &size[_i];
    for (tg_dtype dtype = TG_F32; dtype <= TG_F64; dtype++)
        for (int compile = 0; compile < 2; compile++) {
            tg_plan *plan = tg_plan_new(in_rows, (void *)(uintptr_t)r, .compile = compile);
            for (int i = 0; i < 7; i++) {
                tg_mark before = tg_tape_mark();
                tg_tensor *in[2], *again[2];
                for (int k = 0; k < 2; k++) again[k] = copy(in[k] = numbers(dtype, r->m * r->n));
                tg_set_num_threads(1 + i % 3);
                expect_same(tg_plan_run_with(plan, 2, in), in_rows(again, (void *)(uintptr_t)r));
                expect_ok();
                for (int k = 0; k < 2; k++) expect_same(tg_grad_of(in[k]), tg_grad_of(again[k]));
                tg_tape_rewind(before);
            }
            tg_plan_stats s = tg_plan_stats_of(plan);
            ck_assert_int_eq(s.replayed, 5);
            ck_assert_int_gt(s.groups, 0);
            ck_assert_int_gt(s.fused, 6);
            if (compile && r->n % 16 == 0) ck_assert_int_eq(s.compiled, s.groups);
            tg_plan_free(plan);
        }
    tg_set_num_threads(1);
}
END_TEST

/* More operands are broadcast in short rows than one group spreads. */
static tg_tensor *many_rows(tg_tensor *const *in, void *user) {
    const rows *r = user;
    tg_tensor *y = tg_reshape(in[0], r->m, r->n);
    for (int i = 0; i < 7; i++) {
        y = tg_mul(y, tg_slice(in[1], 0, i, i + r->n, 1));
        y = tg_add(tg_tanh(y), tg_reshape(tg_slice(in[1], 0, i, i + r->m, 1), r->m, 1));
    }
    return y;
}

START_TEST(test_a_group_spreads_a_few_operands) {
    const rows r = {450, 5};
    tg_plan *plan = tg_plan_new(many_rows, (void *)(uintptr_t)&r);
    for (int i = 0; i < 4; i++) {
        tg_tensor *in[2] = {numbers(TG_F64, r.m * r.n), numbers(TG_F64, r.m * r.n)};
        expect_same(tg_plan_run_with(plan, 2, in), many_rows(in, (void *)(uintptr_t)&r));
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).groups, 2);
    ck_assert_int_eq(tg_plan_stats_of(plan).fused, 21);
    tg_plan_free(plan);
}
END_TEST

/* More values are alive at once than a group has blocks: it becomes several. */
static tg_tensor *many_alive(tg_tensor *const *in, void *user) {
    enum { MANY = 90 };
    tg_tensor *x[MANY], *y = in[1];
    (void)user;
    for (int i = 0; i < MANY; i++) x[i] = tg_tanh(tg_mul_scalar(in[0], 0.01 * (i + 1)));
    for (int i = MANY - 1; i >= 0; i--) y = tg_add(tg_mul(y, x[i]), x[(i * 7) % MANY]);
    tg_backward(tg_sum(y));
    return y;
}

START_TEST(test_a_group_of_many_values_is_split) {
    for (tg_dtype dtype = TG_F32; dtype <= TG_F64; dtype++) {
        tg_plan *plan = tg_plan_new(many_alive, NULL, .compile = _i);
        for (int i = 0; i < 9; i++) {
            tg_mark before = tg_tape_mark();
            tg_tensor *in[2], *again[2];
            for (int k = 0; k < 2; k++) again[k] = copy(in[k] = numbers(dtype, N));
            expect_same(tg_plan_run_with(plan, 2, in), many_alive(again, NULL));
            expect_ok();
            for (int k = 0; k < 2; k++) expect_same(tg_grad_of(in[k]), tg_grad_of(again[k]));
            tg_tape_rewind(before);
        }
        tg_plan_stats s = tg_plan_stats_of(plan);
        ck_assert_int_gt(s.groups, 2);
        ck_assert_int_gt(s.fused, 500);
        ck_assert_int_eq(s.compiled, _i ? s.groups : 0);
        tg_plan_free(plan);
    }
}
END_TEST

START_TEST(test_threads_share_compiled_groups) {
    tg_plan *plan = tg_plan_new(step, NULL, .compile = true, .shared = true);
    share(plan, step, N);
    ck_assert_int_gt(tg_plan_stats_of(plan).compiled, 0);
    tg_plan_free(plan);
}
END_TEST

/* ---- what is kept ---- */

START_TEST(test_what_was_compiled_is_kept) {
    char path[512];
    struct stat first, second;
    expect_compiled();
    ck_assert_int_eq(files(".so", path), 1);
    ck_assert_int_eq(files(".c", path), 1);
    files(".so", path);
    ck_assert_int_eq(stat(path, &first), 0);
    expect_compiled();
    ck_assert_int_eq(stat(path, &second), 0);
    ck_assert_uint_eq(first.st_ino, second.st_ino);
    char *paths = strdup(getenv("PATH"));
    setenv("PATH", "/nowhere", 1); /* nor is a compiler asked for */
    expect_compiled();
    setenv("TG_CC", "cc -O1", 1); /* another would be */
    expect_blocks("could not be started");
    setenv("PATH", paths, 1);
    expect_compiled();
    ck_assert_int_eq(files(".so", path), 2);
    free(paths);
}
END_TEST

/* A file that was cut short, or is another's, is made again and never loaded. */
START_TEST(test_a_bad_file_is_made_again) {
    char path[512];
    expect_compiled();
    ck_assert_int_eq(files(".so", path), 1);
    struct stat s;
    ck_assert_int_eq(stat(path, &s), 0);
    if (_i == 0) ck_assert_int_eq(truncate(path, s.st_size / 2), 0);
    if (_i == 1) ck_assert_int_eq(truncate(path, 0), 0);
    if (_i == 2) ck_assert_int_eq(chmod(path, 0777), 0);
    if (_i == 3) {
        FILE *f = fopen(path, "r+");
        ck_assert_ptr_nonnull(f);
        fseek(f, 5000, SEEK_SET), fputs("XXXX", f), fclose(f);
    }
    if (_i == 4) ck_assert(remove(path) == 0 && mkdir(path, 0700) == 0);
    if (_i == 5) ck_assert(remove(path) == 0 && mkfifo(path, 0700) == 0);
    if (_i == 4)
        expect_blocks("cannot be written");
    else
        expect_compiled();
}
END_TEST

/* A compiler that ends well, of what it wrote that cannot be loaded. */
START_TEST(test_what_cannot_be_loaded_is_not_kept) {
    char path[512];
    setenv("TG_CC", "cc -E", 1);
    expect_blocks(".so");
    ck_assert_int_eq(files(".so", path), 0);
    unsetenv("TG_CC");
    expect_compiled();
}
END_TEST

START_TEST(test_processes_share_a_folder) {
    enum { PROCESSES = 4 };
    pid_t child[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        if ((child[i] = fork()) == 0) {
            tg_plan_stats s = train(step, &before_test, TG_F32, N, NULL);
            _exit(s.compiled == s.groups && s.groups > 0 ? 0 : 1);
        }
    for (int i = 0; i < PROCESSES; i++) {
        int status;
        ck_assert_int_eq(waitpid(child[i], &status, 0), child[i]);
        ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    }
    char path[512];
    ck_assert_int_eq(files("", path) - 2, 2); /* less . and .. */
}
END_TEST

/* ---- what stands in the way ---- */

START_TEST(test_without_a_compiler) {
    static const char *const cc[] = {"/nowhere/cc", "false", "echo -n"};
    static const char *const why[] = {"could not be started", "ended with 1", "wrote nothing"};
    char path[512];
    setenv("TG_CC", cc[_i], 1);
    expect_blocks(why[_i]);
    ck_assert_int_eq(files("", path) - 2, 0); /* nothing is left */
}
END_TEST

START_TEST(test_a_folder_that_others_can_write_is_not_used) {
    char below[512];
    ck_assert_int_eq(chmod(folder, 0777), 0);
    expect_blocks("since others can write it");
    snprintf(below, sizeof below, "%s/below", folder);
    setenv("TG_CACHE", below, 1);
    expect_blocks("since others can write it");
    ck_assert_int_eq(chmod(folder, 01777), 0); /* as /tmp is: what is the user's own there is safe */
    expect_compiled();
}
END_TEST

START_TEST(test_no_folder) {
    char text[600], path[512];
    snprintf(text, sizeof text, "%s/file/below", folder);
    snprintf(path, sizeof path, "%s/file", folder);
    fclose(fopen(path, "w"));
    setenv("TG_CACHE", text, 1);
    expect_blocks("cannot be made");
    unsetenv("TG_CACHE");
    char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    cache = cache ? strdup(cache) : NULL, home = home ? strdup(home) : NULL;
    unsetenv("XDG_CACHE_HOME"), unsetenv("HOME");
    expect_blocks("there is no folder to keep it in");
    setenv("HOME", folder, 1);
    expect_compiled();
    if (cache) setenv("XDG_CACHE_HOME", cache, 1);
    if (home) setenv("HOME", home, 1);
    free(cache), free(home);
}
END_TEST

/* As on a full disk: in a process of its own, whose files may have no more than 4 KiB. */
START_TEST(test_a_full_disk) {
    pid_t child = fork();
    if (child == 0) {
        signal(SIGXFSZ, SIG_IGN);
        setrlimit(RLIMIT_FSIZE, &(struct rlimit){4096, 4096});
        _exit(train(step, &before_test, TG_F32, N, NULL).compiled);
    }
    int status;
    char path[512];
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    ck_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    ck_assert_int_eq(files("", path) - 2, 0);
}
END_TEST

START_TEST(test_all_plans_by_the_environment) {
    setenv("TG_PLAN_COMPILE", _i ? "1" : "0", 1);
    tg_plan *plan = tg_plan_new(step, NULL);
    for (int i = 0; i < 3; i++) {
        tg_mark before = tg_tape_mark();
        tg_plan_run(plan, tg_ones(TG_F32, N), tg_ones(TG_F32, N));
        tg_tape_rewind(before);
    }
    ck_assert_int_eq(tg_plan_stats_of(plan).compiled, _i);
    tg_plan_free(plan);
    unsetenv("TG_PLAN_COMPILE");
}
END_TEST

TCase *tcase_compile(void);
TCase *tcase_compile(void) {
    TCase *t = tcase_create("compile");
    tcase_set_tags(t, "spawn"); /* other programs, which Valgrind would run */
    tcase_set_timeout(t, 120);
    tcase_add_checked_fixture(t, begin_folder, end_folder);
    tcase_add_loop_test(t, test_a_compiled_group_has_the_bits_of_the_step, 0, 2);
    tcase_add_loop_test(t, test_a_group_ends_in_sums, 0, 2);
    tcase_add_loop_test(t, test_no_memory_for_elements_that_were_summed, 0, 2);
    tcase_add_test(t, test_masks_become_numbers_in_a_group);
    tcase_add_test(t, test_integers_are_run_by_blocks);
    tcase_add_test(t, test_a_group_changes_memory_of_the_caller);
    tcase_add_loop_test(t, test_broadcasts_in_rows_join_a_group, 0, 8);
    tcase_add_test(t, test_a_group_spreads_a_few_operands);
    tcase_add_loop_test(t, test_a_group_of_many_values_is_split, 0, 2);
    tcase_add_test(t, test_threads_share_compiled_groups);
    tcase_add_test(t, test_what_was_compiled_is_kept);
    tcase_add_loop_test(t, test_a_bad_file_is_made_again, 0, 6);
    tcase_add_test(t, test_what_cannot_be_loaded_is_not_kept);
    tcase_add_test(t, test_processes_share_a_folder);
    tcase_add_loop_test(t, test_without_a_compiler, 0, 3);
    tcase_add_test(t, test_a_folder_that_others_can_write_is_not_used);
    tcase_add_test(t, test_no_folder);
    tcase_add_test(t, test_a_full_disk);
    tcase_add_loop_test(t, test_all_plans_by_the_environment, 0, 2);
    return t;
}
