/* Shorthands of the autograd tests. Each test starts with a clean tape and no error, and must leave no error. */
#ifndef TESTS_AUTOGRAD_HELPERS_H
#define TESTS_AUTOGRAD_HELPERS_H

#include <check.h>
#include <string.h>
#include <tapegrad.h>

static inline tg_tensor *leaf(double value) { return tg_set_requires_grad(tg_scalar(TG_F64, value), true); }

/* A kept parameter filled with 1, 2, 3 ... */
static inline tg_tensor *param(tg_shape shape) {
    tg_tensor *t = tg_zeros_with(TG_F64, shape);
    double *v = tg_data_mut(t);
    for (int64_t i = 0; i < tg_numel(t); i++) v[i] = (double)(i + 1);
    return tg_param(t);
}

/* The pending error is this one, and its text holds each of the words; then it is cleared. */
#define expect_error(status, ...) expect_error_at(__LINE__, status, (const char *[]){__VA_ARGS__, NULL})
static inline void expect_error_at(int line, tg_status status, const char *const *words) {
    ck_assert_msg(tg_error_status() == status, "line %d: %s instead of %s: %s", line,
                  tg_status_name(tg_error_status()), tg_status_name(status), tg_error_message());
    for (; *words; words++)
        ck_assert_msg(strstr(tg_error_message(), *words), "line %d: no \"%s\" in: %s", line, *words,
                      tg_error_message());
    tg_error_clear();
}

#define expect_ok() ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message())

static inline void expect_value(tg_tensor *t, double value) {
    double is = tg_item(t);
    ck_assert_msg(is == value, "%.17g instead of %.17g %s", is, value, tg_error_message());
}

/* The fixture of most cases: what a test leaves on the tape is rewound. */
static tg_mark before_test;
static inline void begin_test(void) {
    tg_error_clear();
    before_test = tg_tape_mark();
}
static inline void end_test(void) {
    expect_ok();
    tg_tape_rewind(before_test);
}

/* What tg_plan_print writes, as far as it fits. */
static inline const char *plan_text(const tg_plan *plan, char *text, size_t bytes) {
    FILE *f = tmpfile();
    tg_plan_print(f, plan);
    rewind(f);
    text[fread(text, 1, bytes - 1, f)] = '\0';
    fclose(f);
    return text;
}

#endif
