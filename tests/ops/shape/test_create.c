/* Tensors made from a rule: exact values, dtypes and errors. */
#include "tests/ops/harness.h"

#include <math.h>
#include <string.h>

#define MOST_VALUES 6

typedef struct creation {
    const char *call;
    double arg[3];
    int n; /* -1: an error that says `says` */
    double v[MOST_VALUES];
    const char *says;
} creation;

static const creation table[] = {
    {"arange", {0, 4, 1}, 4, {0, 1, 2, 3}, NULL},
    {"arange", {1, 2, 0.25}, 4, {1, 1.25, 1.5, 1.75}, NULL},
    {"arange", {3, -2, -2}, 3, {3, 1, -1}, NULL},
    {"arange", {0, 5, 2}, 3, {0, 2, 4}, NULL},
    {"arange", {2, 2, 1}, 0, {0}, NULL},
    {"arange", {2, 2, -1}, 0, {0}, NULL},
    {"arange", {0, 1, 0}, -1, {0}, "steps of 0"},
    {"arange", {0, 0, 0}, -1, {0}, "steps of 0"},
    {"arange", {0, 1, -1}, -1, {0}, "from 0 to 1 in steps of -1"},
    {"arange", {5, 4.5, 1}, -1, {0}, "from 5 to 4.5 in steps of 1"},
    {"arange", {-1, -0.75, -1}, -1, {0}, "from -1 to -0.75 in steps of -1"},
    {"arange", {1, 0.999, 1e30}, -1, {0}, "from 1 to 0.999"},
    {"arange", {4.5, 5, 1}, 1, {4.5}, NULL},
    {"arange", {0, INFINITY, 1}, -1, {0}, "to inf"},
    {"arange", {NAN, 1, 1}, -1, {0}, "from nan"},
    {"arange", {0, 1, NAN}, -1, {0}, "steps of nan"},
    {"arange", {0, 1e30, 1}, -1, {0}, "arange"},
    {"linspace", {0, 1, 5}, 5, {0, 0.25, 0.5, 0.75, 1}, NULL},
    {"linspace", {2, -2, 3}, 3, {2, 0, -2}, NULL},
    {"linspace", {3, 9, 1}, 1, {3}, NULL},
    {"linspace", {3, 9, 0}, 0, {0}, NULL},
    {"linspace", {0, 1, -1}, -1, {0}, "linspace: no -1 points"},
    {"eye", {2, 3, 0}, 6, {1, 0, 0, 0, 1, 0}, NULL},
    {"eye", {3, 1, 0}, 3, {1, 0, 0}, NULL},
    {"eye", {0, 3, 0}, 0, {0}, NULL},
    {"eye", {-1, 3, 0}, -1, {0}, "[-1, 3]"},
};

static tg_tensor *make(const creation *c, tg_dtype dtype) {
    if (strcmp(c->call, "arange") == 0) return tg_arange(dtype, c->arg[0], c->arg[1], c->arg[2]);
    if (strcmp(c->call, "linspace") == 0) return tg_linspace(dtype, c->arg[0], c->arg[1], (int64_t)c->arg[2]);
    return tg_eye(dtype, (int64_t)c->arg[0], (int64_t)c->arg[1]);
}

/* In every dtype, where the values are converted: fractions are cut, and bool is != 0. */
START_TEST(values_are_exact) {
    const creation *c = &table[_i];
    for (int d = 0; d < TG_DTYPES; d++) {
        tg_tensor *x = make(c, (tg_dtype)d);
        if (c->n < 0) {
            ck_assert(tg_is_poison(x));
            ck_assert_msg(strstr(tg_error_message(), c->says), "%s: %s", c->says, tg_error_message());
            tg_error_clear();
            continue;
        }
        ck_assert_int_eq(tg_dtype_of(x), d);
        ck_assert_int_eq(tg_numel(x), c->n);
        for (int k = 0; k < c->n; k++) {
            double v = c->v[k];
            if (d == TG_BOOL)
                v = v != 0;
            else if (d == TG_U8)
                v = v < 0 ? 0 : trunc(v);
            else if (d == TG_I32 || d == TG_I64)
                v = trunc(v);
            ck_assert_msg(tg_get(x, k) == v, "%s %d as %s: element %d is %g, not %g", c->call, _i,
                          tg_dtype_name((tg_dtype)d), k, tg_get(x, k), v);
        }
    }
    count_up(T_EXACT, 1);
}
END_TEST

START_TEST(ends_are_met) {
    tg_tensor *x = tg_linspace(TG_F32, 0.1, 0.7, 7);
    ck_assert(tg_get(x, 0) == (double)0.1f && tg_get(x, 6) == (double)0.7f);
    x = tg_linspace(TG_F64, -1.0 / 3, 1.0 / 3, 1001);
    ck_assert(tg_get(x, 0) == -1.0 / 3 && tg_get(x, 1000) == 1.0 / 3 && fabs(tg_get(x, 500)) < 1e-15);
    x = tg_linspace(TG_F64, -0x1p1023, 0x1p1023, 3);
    ck_assert(tg_get(x, 0) == -0x1p1023 && tg_get(x, 1) == 0 && tg_get(x, 2) == 0x1p1023);
}
END_TEST

START_TEST(unknown_dtypes_are_refused) {
    ck_assert(tg_is_poison(tg_eye((tg_dtype)9, 2, 2)));
    ck_assert_int_eq(tg_error_status(), TG_ERR_DTYPE);
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_create_ops(void) {
    TCase *t = tcase_create("create");
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, values_are_exact, 0, COUNT(table));
    tcase_add_test(t, ends_are_met);
    tcase_add_test(t, unknown_dtypes_are_refused);
    return t;
}
