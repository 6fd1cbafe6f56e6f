/* Shorthands of the tests of ops/nn. */
#ifndef TESTS_OPS_NN_HELPERS_H
#define TESTS_OPS_NN_HELPERS_H

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <tapegrad.h>

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))

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

/* |is - want| <= tolerance * max(1, |want|); a NaN fails. */
#define expect_close(is, want, tolerance) expect_close_at(__LINE__, is, want, tolerance)
static inline void expect_close_at(int line, double is, double want, double tolerance) {
    ck_assert_msg(fabs(is - want) <= tolerance * fmax(1, fabs(want)), "line %d: %.17g instead of %.17g  %s",
                  line, is, want, tg_error_message());
}

/* Each element of t is within tolerance of want[i]. */
#define expect_elements(...) expect_elements_at(__LINE__, __VA_ARGS__) /* (t, want, tolerance) */
static inline void expect_elements_at(int line, const tg_tensor *t, const double *want, double tolerance) {
    expect_ok();
    for (int64_t i = 0; i < tg_numel(t); i++) expect_close_at(line, tg_get(t, i), want[i], tolerance);
}

/* The number of allocations that `run` makes when no buffer comes from the cache. */
static inline int64_t count_allocations(void (*run)(void *), void *context) {
    tg_memory_fail_at(INT64_C(1) << 40);
    uint64_t before = tg_memory_now().mallocs;
    run(context);
    uint64_t after = tg_memory_now().mallocs;
    tg_memory_fail_at(-1);
    expect_ok();
    return (int64_t)(after - before);
}

/* All elements of t as bytes, in memory that the caller frees. */
static inline void *bytes_of(const tg_tensor *t, size_t *size) {
    *size = (size_t)tg_numel(t) * tg_dtype_size(tg_dtype_of(t));
    void *copy = malloc(*size + 1);
    ck_assert_int_eq(tg_copy_out(t, copy, *size), TG_OK);
    return copy;
}

#endif
