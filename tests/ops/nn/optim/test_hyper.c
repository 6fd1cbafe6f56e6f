/* Tables of hyperparameters: defaults, ranges, numbers of each type, and tables that describe no struct. */
#include "tests/ops/nn/helpers.h"

#include <stdio.h>

typedef struct sample {
    bool on;
    double rate, share, any;
    int64_t count;
} sample;

static const tg_hyper table[] = {
    {.name = "on", .type = TG_ATTR_BOOL, .offset = offsetof(sample, on)},
    {.name = "rate", .type = TG_ATTR_REAL, .offset = offsetof(sample, rate)},
    {"share", TG_ATTR_REAL, offsetof(sample, share), .standard = 0.5, .below = 1},
    {"any", TG_ATTR_REAL, offsetof(sample, any), .standard = -0.8, .least = -INFINITY},
    {"count", TG_ATTR_INT, offsetof(sample, count), .standard = 5, .least = 1, .below = 100},
};

START_TEST(defaults) {
    sample s = {0};
    ck_assert_int_eq(tg_hyper_complete(table, COUNT(table), &s), TG_OK);
    ck_assert(!s.on && s.rate == 0 && s.share == 0.5 && s.any == -0.8 && s.count == 5);
    s = (sample){true, TG_ZERO, TG_ZERO, TG_ZERO, 99};
    ck_assert_int_eq(tg_hyper_complete(table, COUNT(table), &s), TG_OK);
    ck_assert(s.on && s.rate == 0 && s.share == 0 && s.any == 0 && s.count == 99);
    ck_assert(!signbit(s.rate) && !signbit(s.share) && !signbit(s.any));
    s = (sample){.rate = 1e300, .share = 0.25, .any = -3};
    ck_assert_int_eq(tg_hyper_complete(table, COUNT(table), &s), TG_OK);
    ck_assert(s.rate == 1e300 && s.share == 0.25 && s.any == -3);
    ck_assert_int_eq(tg_hyper_set(&table[1], &s, -0.0), TG_OK);
    ck_assert(s.rate == 0 && !signbit(s.rate));
    expect_ok();
}
END_TEST

static const struct {
    const char *name;
    double value;
    bool taken;
} trials[] = {
    {"on", 0, true},          {"on", 1, true},           {"on", 2, false},        {"on", -1, false},
    {"on", 0.5, false},       {"on", NAN, false},        {"rate", 0, true},       {"rate", 7, true},
    {"rate", -1, false},      {"rate", INFINITY, false}, {"rate", NAN, false},    {"share", 0, true},
    {"share", 0.99, true},    {"share", 1, false},       {"share", -0.1, false},  {"any", -1e9, true},
    {"any", 1e9, true},       {"any", 0, true},          {"any", NAN, false},     {"any", -INFINITY, false},
    {"any", INFINITY, false}, {"count", 1, true},        {"count", 99, true},     {"count", 0, false},
    {"count", 100, false},    {"count", 1.5, false},     {"count", 1e300, false},
};

START_TEST(numbers) {
    for (int i = 0; i < COUNT(trials); i++) {
        sample s = {.count = 3};
        const tg_hyper *h = tg_hyper_find(table, COUNT(table), trials[i].name);
        double was = tg_hyper_get(h, &s);
        ck_assert_int_eq(tg_hyper_set(h, &s, trials[i].value), trials[i].taken ? TG_OK : TG_ERR_ARGUMENT);
        ck_assert_msg(tg_hyper_get(h, &s) == (trials[i].taken ? trials[i].value : was), "%s %g",
                      trials[i].name, trials[i].value);
        if (!trials[i].taken) expect_error(TG_ERR_ARGUMENT, "tg_hyper_set", trials[i].name);
        if (trials[i].taken || strcmp(trials[i].name, "rate") != 0) continue;
        s = (sample){.rate = trials[i].value};
        ck_assert_int_eq(tg_hyper_complete(table, COUNT(table), &s), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "tg_hyper_complete: rate is");
    }
    ck_assert_ptr_null(tg_hyper_find(table, COUNT(table), "shares"));
    ck_assert_ptr_null(tg_hyper_find(table, COUNT(table), NULL));
    ck_assert_ptr_null(tg_hyper_find(table, 2, "share"));
    expect_ok();
}
END_TEST

#define REAL(name, offset) \
    { name, TG_ATTR_REAL, offset, 0, 0, 0 }

START_TEST(tables_that_describe_nothing) {
    static const struct {
        tg_hyper at[2];
        int n;
        size_t size;
        const char *says;
    } bad[] = {
        {{REAL(NULL, 0)}, 1, 8, "hyperparameter 0 has no name"},
        {{REAL("a", 0), REAL("", 8)}, 2, 16, "hyperparameter 1 has no name"},
        {{REAL("a", 0), REAL("a", 8)}, 2, 16, "two hyperparameters are called a"},
        {{REAL("a", 8)}, 1, 8, "a is no aligned field of a struct of"},
        {{REAL("a", 1)}, 1, 16, "a is no aligned field of a struct of"},
        {{REAL("a", (size_t)-8)}, 1, 8, "a is no aligned field of a struct of"},
        {{REAL("a", 0)}, 1, 7, "a is no aligned field of a struct of"},
        {{{"a", TG_ATTR_BOOL, 1, 0, 0, 0}}, 1, 1, "a is no aligned field of a struct of"},
        {{{"a", TG_ATTR_INT, 4, 0, 0, 0}}, 1, 12, "a is no aligned field of a struct of"},
        {{{"a", TG_ATTR_DIMS, 0, 0, 0, 0}}, 1, 100, "neither real, integer nor bool"},
        {{{"a", TG_ATTR_NAME, 0, 0, 0, 0}}, 1, 100, "neither real, integer nor bool"},
        {{REAL("a", 0)}, -1, 8, "-1 hyperparameters"},
    };
    for (int i = 0; i < COUNT(bad); i++) {
        ck_assert_int_eq(tg_hyper_check(bad[i].at, bad[i].n, bad[i].size), TG_ERR_ARGUMENT);
        expect_error(TG_ERR_ARGUMENT, "tg_hyper_check", bad[i].says);
    }
    ck_assert_int_eq(tg_hyper_check(NULL, 1, 8), TG_ERR_ARGUMENT);
    expect_error(TG_ERR_ARGUMENT, "no table");
    ck_assert_int_eq(tg_hyper_check(NULL, 0, 0), TG_OK);
    ck_assert_int_eq(tg_hyper_check(table, COUNT(table), sizeof(sample)), TG_OK);
}
END_TEST

START_TEST(printed) {
    static const char *const lines[] = {"on=true", "rate=0.001", "share=0.5", "any=-1e+09", "count=1234567"};
    const sample s = {true, 1e-3, 0.5, -1e9, 1234567};
    for (int i = 0; i < COUNT(table); i++) {
        char text[64] = "";
        FILE *f = fmemopen(text, sizeof text, "w");
        tg_hyper_print(f, &table[i], &s);
        fclose(f);
        ck_assert_str_eq(text, lines[i]);
    }
}
END_TEST

TCase *tcase_hyper(void);
TCase *tcase_hyper(void) {
    TCase *t = tcase_create("hyper");
    tcase_add_test(t, defaults);
    tcase_add_test(t, numbers);
    tcase_add_test(t, tables_that_describe_nothing);
    tcase_add_test(t, printed);
    return t;
}
