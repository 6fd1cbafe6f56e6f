/* Texts and pictures: what stands in them. */
#include "tests/autograd/trace/read.h"

static char *written(tg_status s, const char *file) {
    size_t n;
    ck_assert_msg(s == TG_OK, "%s", tg_error_message());
    return read_all(trace_path(file), &n);
}

static int count_of(const char *text, const char *part) {
    int n = 0;
    for (; (text = strstr(text, part)); text += strlen(part)) n++;
    return n;
}

static void expect_line(const char *text, const char *line) {
    ck_assert_msg(strstr(text, line), "no \"%s\" in:\n%s", line, text);
}

static tg_mark program(void) {
    tg_mark m = tg_tape_mark();
    tg_tensor *x = tg_set_name(leaf(3), "x"), *y = tg_mul(x, x);
    tg_add(y, tg_exp(tg_set_name(tg_scalar(TG_F64, 0), "zero")));
    tg_sin(x);
    return m;
}

START_TEST(text) {
    tg_mark m = program();
    FILE *file = fopen(trace_path("t.txt"), "wb");
    tg_status s = tg_trace_text(file, m, .loss = tg_tape_node(m.nodes + 1)->out[0]);
    fclose(file);
    char *t = written(s, "t.txt");
    expect_line(t, "parameter x []\n     = 3\n");
    expect_line(t, "out = a * b\n     = 9\n");
    expect_line(
        t, "     da = dout * b; db = dout * a\n     dout = 1\n     to a, x []: 3\n          (slope 3)\n     to b, x []: 3\n"
           "          (slope 3)\n          added to 3\n          makes    6\n");
    expect_line(t, "---- gradients ----\n\nx []\n     = 6\n");
    ck_assert_int_eq(count_of(t, "test_pictures.c:"), 4);
    free(t);
}
END_TEST

START_TEST(graphviz) {
    tg_mark m = program();
    char *t = written(tg_trace_dot(trace_path("t.dot"), m, .loss = tg_tape_node(m.nodes + 1)->out[0]), "t.dot");
    ck_assert_int_eq(count_of(t, " -> "), 5);
    ck_assert_int_eq(count_of(t, "t0 -> n0"), 2); /* x twice */
    expect_line(t, "label=\"x []\\n= 3\\nd = 6\"");
    ck_assert_str_eq(t + strlen(t) - 2, "}\n");
    free(t);
}
END_TEST

/* Tags are closed in the order in which they were opened. */
static void expect_well_formed(const char *t) {
    char open[16][16];
    int depth = 0;
    for (const char *p = strchr(t, '<'); p; p = strchr(p + 1, '<')) {
        const char *end = strchr(p, '>');
        ck_assert(end);
        if (p[1] == '/') {
            ck_assert_int_gt(depth, 0);
            depth--;
            ck_assert(strncmp(open[depth], p + 2, strlen(open[depth])) == 0);
        } else if (end[-1] != '/') {
            ck_assert_int_lt(depth, 16);
            snprintf(open[depth++], sizeof open[0], "%.*s", (int)strcspn(p + 1, " >"), p + 1);
        }
    }
    ck_assert_int_eq(depth, 0);
}

static int boxes_of(const char *t) { return count_of(t, "<rect "); }

START_TEST(picture) {
    tg_mark m = program();
    char *t = written(tg_trace_svg(trace_path("t.svg"), m, .loss = tg_tape_node(m.nodes + 1)->out[0]), "t.svg");
    expect_well_formed(t);
    ck_assert_int_eq(boxes_of(t), 5); /* mul, add, sin, x, and what exp made without a record */
    ck_assert_int_eq(count_of(t, "<path d") + count_of(t, "<path class"), 4 + 1);
    expect_line(t, ">d = 6<");
    expect_line(t, "class=\"node apart\"");
    free(t);
}
END_TEST

/* A box lies below all that it reads. */
START_TEST(arrows_point_down) {
    tg_mark m = tg_tape_mark();
    tg_tensor *h[12] = {leaf(1), leaf(2)};
    for (int i = 2; i < 12; i++) h[i] = i % 3 ? tg_mul(h[i - 1], h[i / 2]) : tg_sin(h[i - 2]);
    tg_add(h[11], h[10]);
    char *t = written(tg_trace_svg(trace_path("t.svg"), m), "t.svg");
    int n = 0;
    for (const char *p = t; (p = strstr(p, "d=\"M")); p++) {
        double v[8];
        if (sscanf(p, "d=\"M%lf %lfC%lf %lf %lf %lf %lf %lf\"", &v[0], &v[1], &v[2], &v[3], &v[4], &v[5],
                   &v[6], &v[7]) != 8)
            continue;
        ck_assert_double_lt(v[1], v[7]);
        n++;
    }
    ck_assert_int_gt(n, 12);
    expect_well_formed(t);
    free(t);
}
END_TEST

/* A large graph is folded by line and layer. */
START_TEST(folded) {
    tg_model *model = tg_model_new(1);
    tg_mark m = tg_tape_mark();
    tg_tensor *h = tg_randn(TG_F32, 2, 4, 16);
    for (int i = 0; i < 20; i++) {
        char name[32];
        snprintf(name, sizeof name, "blocks.%d", i);
        h = tg_nn_transformer_block(model, name, h, 2);
    }
    tg_mean(h);
    const int64_t nodes = tg_tape_nodes() - m.nodes;
    char *t = written(tg_trace_svg(trace_path("t.svg"), m), "t.svg");
    ck_assert_int_gt(nodes, 200);
    ck_assert_int_lt(boxes_of(t), (int)nodes * 2 / 3);
    expect_line(t, "blocks.19.");
    expect_well_formed(t);
    free(t);
    tg_model_free(model);
}
END_TEST

START_TEST(compressed) {
    tg_mark m = program();
    size_t n;
#ifdef TG_HAVE_ZLIB
    char *t = written(tg_trace_json(trace_path("t.json.gz"), m), "t.json.gz");
    ck_assert(memcmp(t, "\x1f\x8b", 2) == 0);
    free(t);
#endif
    /* without this file's own lines, which have addresses in them */
    char *page = written(tg_trace_html(trace_path("t.html"), m, .sources = "/no/such/folder"), "t.html");
    ck_assert(strncmp(page, "<!doctype html>", 15) == 0);
    ck_assert_int_eq(count_of(page, "http://") + count_of(page, "https://"),
                     count_of(page, "http://www.w3.org/")); /* no address of a network */
    free(page);
    free(read_all(trace_path("t.html"), &n));
}
END_TEST

TCase *tcase_trace_pictures(void);
TCase *tcase_trace_pictures(void) {
    TCase *t = tcase_create("trace pictures");
    tcase_add_checked_fixture(t, trace_setup, trace_teardown);
    tcase_set_timeout(t, 60);
    tcase_add_test(t, text);
    tcase_add_test(t, graphviz);
    tcase_add_test(t, picture);
    tcase_add_test(t, arrows_point_down);
    tcase_add_test(t, folded);
    tcase_add_test(t, compressed);
    return t;
}
