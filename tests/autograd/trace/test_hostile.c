/* Names and source lines that are markup, quotes, bytes that are no characters, or very long. */
#include "tests/autograd/trace/read.h"

static const struct hostile_row {
    const char *name, *read; /* as it is read back; NULL: the same */
} row[] = {
    {"</script><script>alert(1)</script>", NULL},
    {"<!-- & \"quotes\" 'too' \\ ]]>", NULL},
    {"gr\xc3\xbc\xc3\x9f \xe2\x88\x82 \xf0\x9f\x99\x82", NULL},
    {"cut \xe2\x88", "cut \xef\xbf\xbd\xef\xbf\xbd"},
    {"\xff\xc0\x80!", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd!"},
    {"line\nbreak\x1b[2J\ttab\x7f", NULL},
    {"\xe2\x80\xa8 and \xe2\x80\xa9", NULL},
};
enum { ROWS = sizeof row / sizeof *row };

/* A line and a name of 10,000 characters, the latter of two bytes each. */
static char long_name[20002] = "x"; /* so that 400 bytes end within a character */
static void make_long(void) {
    for (int i = 0; i < 10000; i++) memcpy(long_name + 1 + 2 * i, "\xc3\xbc", 2);
}

static tg_tensor *program(const char *name, const char *file, int line) {
    tg_tensor *x = tg_set_name(leaf(2), name);
    tg_tensor *y = tg_at((tg_square)(x), file, line);
    return tg_at((tg_exp)(y), file, line);
}

static void write_source(const char *path, const char *line) {
    FILE *f = fopen(path, "wb");
    ck_assert(f);
    fprintf(f, "first\r\n%s\nwith a \xff byte", line);
    fputc(0, f);
    fputs("and NUL", f);
    fclose(f);
}

START_TEST(names_and_lines) {
    const struct hostile_row *r = &row[_i];
    const char *read = r->read ? r->read : r->name;
    const char *path = trace_path("source.c");
    char line[200];
    size_t k = 0;
    for (const char *p = r->name; *p; p++) line[k++] = *p == '\n' ? ' ' : *p; /* or it would be two lines */
    line[k] = '\0';
    write_source(path, line);
    tg_mark m = tg_tape_mark();
    program(r->name, path, 2);
    json_t *root = traced(m, (tg_trace_opts){.title = r->name});
    ck_assert_str_eq(json_string_value(json_object_get(root, "title")), read);
    tensor_named(root, read);
    const json_t *source = item(root, "sources", 0), *lines = json_object_get(source, "lines");
    ck_assert_int_eq((int)json_array_size(lines), 3);
    ck_assert_str_eq(json_string_value(json_array_get(json_array_get(lines, 0), 1)), "first");
    if (!strchr(r->name, '\n'))
        ck_assert_str_eq(json_string_value(json_array_get(json_array_get(lines, 1), 1)), read);
    ck_assert_str_eq(json_string_value(json_array_get(json_array_get(lines, 2), 1)),
                     "with a \xef\xbf\xbd byte and NUL");
    json_decref(root);
}
END_TEST

/* The JSON in a page has no "<" at all, and is that of the file. */
START_TEST(pages) {
    const char *name = _i < ROWS ? row[_i].name : long_name;
    size_t n, m_size;
    make_long();
    tg_mark m = tg_tape_mark();
    program(name, "no such file </script>.c", 7);
    ck_assert_int_eq(tg_trace_html(trace_path("t.html"), m, .title = name), TG_OK);
    ck_assert_int_eq(tg_trace_json(trace_path("t.json"), m, .title = name), TG_OK);
    char *page = read_all(trace_path("t.html"), &n), *data = read_all(trace_path("t.json"), &m_size);
    char *begin = strstr(page, "id=\"trace\">"), *end = begin ? strstr(begin, "</script>") : NULL;
    ck_assert(begin && end);
    begin += strlen("id=\"trace\">");
    for (const char *p = begin; p < end; p++) ck_assert(*p != '<');
    json_t *a = json_loadb(begin, (size_t)(end - begin), 0, NULL), *b = json_loads(data, 0, NULL);
    ck_assert(a && b && json_equal(a, b));
    ck_assert(strstr(end, "</html>"));
    json_decref(a), json_decref(b);
    free(page), free(data);
}
END_TEST

START_TEST(long_ones_are_cut) {
    const char *path = trace_path("source.c");
    char *line = calloc(1, 10001);
    memset(line, 'x', 10000);
    make_long();
    write_source(path, line);
    tg_mark m = tg_tape_mark();
    program(long_name, path, 2);
    json_t *root = traced(m, (tg_trace_opts){.title = long_name});
    const char *text[3] = {json_string_value(json_object_get(root, "title")),
                           json_string_value(json_object_get(item(root, "tensors", 0), "name")),
                           json_string_value(json_array_get(
                               json_array_get(json_object_get(item(root, "sources", 0), "lines"), 1), 1))};
    for (int i = 0; i < 3; i++) {
        ck_assert_uint_le(strlen(text[i]), 403);
        ck_assert_uint_ge(strlen(text[i]), 399);
        ck_assert_str_eq(text[i] + strlen(text[i]) - 3, "\xe2\x80\xa6");
        ck_assert(!strstr(text[i], "\xef\xbf\xbd")); /* not cut within a character */
    }
    json_decref(root);
    free(line);
}
END_TEST

/* Pictures and texts of such names: what is markup in SVG stands nowhere as it is, and no control character reaches a terminal. */
START_TEST(pictures_and_text) {
    const char *name = _i < ROWS ? row[_i].name : long_name;
    size_t n;
    make_long();
    tg_mark m = tg_tape_mark();
    program(name, "a \"file\" <b>.c", 7);
    ck_assert_int_eq(tg_trace_svg(trace_path("t.svg"), m, .title = name), TG_OK);
    ck_assert_int_eq(tg_trace_dot(trace_path("t.dot"), m, .title = name), TG_OK);
    char *svg = read_all(trace_path("t.svg"), &n), *dot = read_all(trace_path("t.dot"), &n);
    ck_assert(!strstr(svg, "<script") && !strstr(svg, "<!--") && !strstr(svg, "<b>") &&
              strstr(svg, "&lt;b&gt;"));
    ck_assert(!strchr(svg, 0x1b) && !strchr(dot, 0x1b));
    int quotes = 0;
    for (const char *p = dot; *p; p++) quotes += *p == '"' && p[-1] != '\\';
    ck_assert_int_eq(quotes % 2, 0);
    free(svg), free(dot);
    FILE *file = fopen(trace_path("t.txt"), "wb");
    ck_assert_int_eq(tg_trace_text(file, m, .title = name), TG_OK);
    fclose(file);
    char *text = read_all(trace_path("t.txt"), &n);
    for (const char *p = text; *p; p++) ck_assert((unsigned char)*p >= 0x20 || *p == '\n');
    ck_assert(strstr(text, "---- backward"));
    free(text);
}
END_TEST

TCase *tcase_trace_hostile(void);
TCase *tcase_trace_hostile(void) {
    TCase *t = tcase_create("trace hostile");
    tcase_add_checked_fixture(t, trace_setup, trace_teardown);
    tcase_set_timeout(t, 60);
    tcase_add_loop_test(t, names_and_lines, 0, ROWS);
    tcase_add_loop_test(t, pages, 0, ROWS + 1);
    tcase_add_test(t, long_ones_are_cut);
    tcase_add_loop_test(t, pictures_and_text, 0, ROWS + 1);
    return t;
}
