/* What a program says beside its graph: tables of formulas and series over layers, read back. */
#include "tests/autograd/trace/read.h"

static tg_mark make(void) {
    tg_mark m = tg_tape_mark();
    tg_exp(leaf(2));
    return m;
}

START_TEST(tables_and_series) {
    tg_mark m = make();
    tg_tensor *dz = tg_randn(TG_F32, 3, 2), *n = tg_scalar(TG_I64, 3), *long_one = tg_randn(TG_F64, 100);
    tg_tensor *line = tg_randn(TG_F32, 4);
    ((float *)tg_data_mut(line))[2] = INFINITY;
    const tg_trace_row rows[] = {{"dZ </script>", "(P - Y) / n", dz}, {NULL, NULL, n}, {"x", "", long_one}};
    const tg_trace_seed seeds[] = {{"first", 3, rows}, {NULL, 0, NULL}};
    const tg_trace_series series[] = {{"tanh", line, NULL, line}, {NULL, NULL, NULL, NULL}};
    const tg_trace_flow flows[] = {{"one", 2, series}, {"none", 0, NULL}};
    json_t *root = traced(m, (tg_trace_opts){.seeds = seeds, .n_seeds = 2, .flows = flows, .n_flows = 2});
    const json_t *first = item(root, "seeds", 0), *row = item(first, "rows", 0);
    ck_assert_int_eq((int)json_array_size(json_object_get(root, "seeds")), 2);
    ck_assert_str_eq(json_string_value(json_object_get(first, "title")), "first");
    ck_assert_str_eq(json_string_value(json_object_get(row, "name")), "dZ </script>");
    ck_assert_str_eq(json_string_value(json_object_get(row, "formula")), "(P - Y) / n");
    ck_assert_int_eq(json_integer_value(json_array_get(json_object_get(row, "shape"), 1)), 2);
    expect_elements(root, number_in(row, "value"), dz);
    expect_elements(root, number_in(item(first, "rows", 1), "value"), n);
    expect_elements(root, number_in(item(first, "rows", 2), "value"), long_one);
    ck_assert(json_is_null(json_object_get(item(root, "seeds", 1), "title")));
    const json_t *flow = item(root, "flow", 0), *tanh = item(flow, "series", 0);
    ck_assert_int_eq((int)json_array_size(json_object_get(flow, "layers")), 4);
    for (int64_t i = 0; i < 4; i++)
        ck_assert(
            same(real_of(json_array_get(json_object_get(tanh, "activation"), (size_t)i)), tg_get(line, i)));
    ck_assert(!json_object_get(tanh, "gradient") && json_object_get(tanh, "dead"));
    ck_assert_int_eq((int)json_array_size(json_object_get(item(root, "flow", 1), "layers")), 0);
    json_decref(root);
    root = traced(m, (tg_trace_opts){0});
    ck_assert(!json_object_get(root, "seeds") && !json_object_get(root, "flow"));
    json_decref(root);
}
END_TEST

START_TEST(tables_as_text) {
    tg_mark m = make();
    char text[4096] = "";
    const tg_trace_row row = {"dZ\n", "(P - Y) / n", tg_ones(TG_F32, 2)};
    const tg_trace_seed seed = {"sigmoid", 1, &row};
    FILE *file = fmemopen(text, sizeof text, "w");
    tg_trace_text(file, m, .seeds = &seed, .n_seeds = 1);
    fclose(file);
    ck_assert_msg(strstr(text, "\n---- sigmoid ----\n\ndZ? = (P - Y) / n\n     = 1, 1\n"), "%s", text);
}
END_TEST

START_TEST(what_is_refused) {
    tg_mark m = make();
    tg_tensor *line = tg_ones(TG_F32, 3), *other = tg_ones(TG_F32, 4);
    const tg_trace_row row = {"dZ", "", NULL};
    const tg_trace_seed bad_seeds[] = {{"t", 1, &row}, {"t", 1, NULL}, {"t", -1, &row}};
    const tg_trace_series bad[] = {{"s", line, other, NULL}, {"t", tg_poison(), NULL, NULL}};
    const tg_trace_flow bad_flows[] = {{"f", 1, bad}, {"f", 2, NULL}, {"f", -2, bad}};
    const char *path = trace_path("t.json");
    const char *const seeds_say[] = {"the value of a row is NULL", "rows are NULL", "the number of rows is -1"};
    const char *const flows_say[] = {"different numbers of layers", "series are NULL",
                                     "the number of series is -2"};
    for (int k = 0; k < 3; k++) {
        ck_assert_int_ne(tg_trace_json(path, m, .seeds = &bad_seeds[k], .n_seeds = 1), TG_OK);
        expect_error(TG_ERR_ARGUMENT, "tg_trace_json: ", seeds_say[k]);
        ck_assert_int_ne(tg_trace_json(path, m, .flows = &bad_flows[k], .n_flows = 1), TG_OK);
        expect_error(TG_ERR_ARGUMENT, "tg_trace_json: ", flows_say[k]);
    }
    tg_trace_json(path, m, .n_seeds = 1);
    expect_error(TG_ERR_ARGUMENT, ".seeds are NULL");
    tg_trace_json(path, m, .seeds = bad_seeds, .n_seeds = -1);
    expect_error(TG_ERR_ARGUMENT, "the number of .seeds is -1");
    tg_trace_json(path, m, .n_flows = 1);
    expect_error(TG_ERR_ARGUMENT, ".flows are NULL");
    ck_assert(access(path, F_OK) != 0);
}
END_TEST

START_TEST(without_memory) {
    tg_mark m = make();
    tg_tensor *line = tg_ones(TG_F32, 3);
    const tg_trace_row row = {"dZ", "x", line};
    const tg_trace_seed seed = {"t", 1, &row};
    const tg_trace_series series = {"s", line, line, line};
    const tg_trace_flow flow = {"f", 1, &series};
    int failures = 0, in_a_row = 0;
    for (int64_t n = 1; in_a_row < 3; n++) {
        tg_memory_trim();
        tg_memory_fail_at(n);
        tg_status s =
            tg_trace_json(trace_path("t.json"), m, .seeds = &seed, .n_seeds = 1, .flows = &flow, .n_flows = 1);
        tg_memory_fail_at(-1);
        failures += s != TG_OK;
        in_a_row = s == TG_OK ? in_a_row + 1 : 0;
        if (s != TG_OK) expect_error(TG_ERR_MEMORY, "");
    }
    ck_assert_int_gt(failures, 5);
}
END_TEST

TCase *tcase_trace_sections(void) {
    TCase *tc = tcase_create("sections");
    tcase_add_checked_fixture(tc, trace_setup, trace_teardown);
    tcase_add_test(tc, tables_and_series);
    tcase_add_test(tc, tables_as_text);
    tcase_add_test(tc, what_is_refused);
    tcase_add_test(tc, without_memory);
    return tc;
}
