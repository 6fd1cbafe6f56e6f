/* Twenty steps of every rule and option, of groups and of schedules over groups, as PyTorch walks them in float64. */
#include "tests/ops/nn/optim/optims.h"

#include <stdio.h>

enum { STEPS = 20, PARAMETERS = 26 };

static const struct golden {
    const char *name;
    double value[PARAMETERS];
} golden[] = {
#define PATH(name, ...) {name, {__VA_ARGS__}},
#define END(name, ...) {name, {__VA_ARGS__}},
#include "tests/golden/optimisers.def"
#undef PATH
#undef END
};
enum { CASES = sizeof golden / sizeof *golden / 2 };

static double projected(const tg_model *m) {
    double sum = 0;
    int j = 1;
    for (int i = 0; i < tg_model_count(m); i++)
        for (int64_t k = 0; k < tg_numel(tg_model_at(m, i)); k++)
            sum += tg_array_get(tg_array_of(tg_model_at(m, i)), k) / j++;
    return sum;
}

START_TEST(walks_as_pytorch) {
    const char *name = golden[2 * _i].name;
    tg_model *m = tg_model_new(1);
    tg_optim *o = optim_of_case(m, name), *others = strstr(name, "muon") ? tg_adamw(m, 0.05) : NULL;
    group_of_case(o, name);
    tg_schedule *s = schedule_of_case(o, name);
    for (int t = 0; t < STEPS; t++) {
        tg_mark mark = tg_tape_mark();
        ck_assert_msg(tg_optim_step_closure(o, loss_of_net, m, NULL) == TG_OK, "%s: %s", name,
                      tg_error_message());
        if (others) tg_optim_step(others);
        if (s) tg_schedule_step_metric(s, t * 7 % 5 / 8.0);
        expect_ok();
        double is = projected(m), want = golden[2 * _i].value[t];
        ck_assert_msg(fabs(is - want) <= 1e-10 * fmax(1, fabs(want)), "%s, step %d: %.17g instead of %.17g",
                      name, t + 1, is, want);
        tg_tape_rewind(mark);
    }
    for (int i = 0, j = 0; i < tg_model_count(m); j += (int)tg_numel(tg_model_at(m, i++)))
        expect_elements(tg_model_at(m, i), golden[2 * _i + 1].value + j, 1e-10);
    tg_schedule_free(s), tg_optim_free(o), tg_optim_free(others), tg_model_free(m);
}
END_TEST

TCase *tcase_torch(void);
TCase *tcase_torch(void) {
    TCase *t = tcase_create("torch");
    tcase_add_loop_test(t, walks_as_pytorch, 0, CASES);
    return t;
}
