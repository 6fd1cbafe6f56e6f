#define _POSIX_C_SOURCE 200809L /* open_memstream */
#include "tests/ops/harness.h"

#include <stdlib.h>
#include <string.h>

static const struct generated {
    const char *page, *option;
    void (*print)(FILE *f);
} generated[] = {{"docs/ops.md", "reference", print_op_reference},
                 {"docs/functions.md", "functions", print_functions}};

START_TEST(generated_pages_are_current) {
    const struct generated *g = &generated[_i];
    char *text = NULL, *page = read_source_file(g->page);
    size_t size;
    FILE *f = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(f);
    g->print(f);
    fclose(f);
    ck_assert_msg(page, "%s is not readable: run from the root of the sources, or set TG_SOURCE_ROOT", g->page);
    bool current = strcmp(page, text) == 0;
    free(page);
    free(text);
    ck_assert_msg(current, "%s is out of date: test_ops --%s > %s", g->page, g->option, g->page);
}
END_TEST

/* Names are unique, lead back to their op, and every op says what it computes. */
START_TEST(table_is_whole) {
    int n;
    const tg_op_entry *table = tg_op_table(&n);
    const tg_op *op = table[_i].op;
    ck_assert_ptr_eq(tg_op_find(op->name), op);
    ck_assert_int_eq(op_index(op), _i);
    ck_assert_msg(op->formula && *op->formula, "%s has no formula", op->name);
    ck_assert_msg(op->grad, "%s: no gradient must be said with TG_NO_GRAD", op->name);
    ck_assert_msg(op->infer, "%s has no shape rule", op->name);
}
END_TEST

START_TEST(unknown_names_are_not_found) {
    ck_assert_ptr_null(tg_op_find(""));
    ck_assert_ptr_null(tg_op_find("ad"));
    ck_assert_ptr_null(tg_op_find("adds"));
}
END_TEST

TCase *tcase_reference(void) {
    TCase *t = tcase_create("reference");
    int n;
    tg_op_table(&n);
    tcase_add_loop_test(t, generated_pages_are_current, 0, COUNT(generated));
    tcase_add_loop_test(t, table_is_whole, 0, n);
    tcase_add_test(t, unknown_names_are_not_found);
    return t;
}
