#include "tests/autograd/trace/read.h"

#include <dirent.h>

char trace_folder[64];

void trace_setup(void) {
    begin_test();
    strcpy(trace_folder, "/tmp/tg_trace_XXXXXX");
    ck_assert(mkdtemp(trace_folder));
}

void trace_teardown(void) {
    DIR *d = opendir(trace_folder);
    for (struct dirent *e; d && (e = readdir(d));)
        if (e->d_name[0] != '.') unlink(trace_path(e->d_name));
    if (d) closedir(d);
    ck_assert_int_eq(rmdir(trace_folder), 0); /* nothing else was left in it, as a temporary file */
    end_test();
}

char *trace_path(const char *name) {
    static char path[4][400];
    static int next;
    char *p = path[next++ % 4];
    snprintf(p, sizeof path[0], "%s/%s", trace_folder, name);
    return p;
}

char *read_all(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    ck_assert_msg(file, "%s is not there", path);
    fseek(file, 0, SEEK_END);
    *size = (size_t)ftell(file);
    rewind(file);
    char *text = calloc(1, *size + 1);
    ck_assert_uint_eq(fread(text, 1, *size, file), *size);
    fclose(file);
    return text;
}

json_t *traced(tg_mark mark, tg_trace_opts opts) {
    char *path = trace_path("t.json");
    json_error_t error;
    tg_status s = tg_trace_json_with(path, mark, opts);
    ck_assert_msg(s == TG_OK, "%s", tg_error_message());
    json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);
    ck_assert_msg(root, "line %d: %s", error.line, error.text);
    return root;
}

json_t *item(const json_t *root, const char *list, int64_t i) {
    json_t *o = json_array_get(json_object_get(root, list), (size_t)i);
    ck_assert_msg(o, "no %s %lld", list, (long long)i);
    return o;
}

int64_t number_in(const json_t *o, const char *name) {
    json_t *n = json_object_get(o, name);
    ck_assert_msg(n, "no %s", name);
    ck_assert(json_is_null(n) || json_is_integer(n));
    return json_is_null(n) ? -1 : json_integer_value(n);
}

double real_of(const json_t *number) {
    ck_assert(number);
    if (!json_is_string(number)) {
        ck_assert(json_is_number(number));
        return json_number_value(number);
    }
    const char *text = json_string_value(number);
    ck_assert(strcmp(text, "nan") == 0 || strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0);
    return *text == 'n' ? (double)NAN : *text == 'i' ? (double)INFINITY : -(double)INFINITY;
}

static json_t *elements(const json_t *root, int64_t index) {
    const json_t *v = item(root, "values", index);
    json_t *e = json_object_get(v, "e");
    return e ? e : json_object_get(v, "first");
}

int64_t shown(const json_t *root, int64_t index) { return (int64_t)json_array_size(elements(root, index)); }

double element(const json_t *root, int64_t index, int64_t i) {
    const char *dtype = json_string_value(json_object_get(item(root, "values", index), "dtype"));
    double v = real_of(json_array_get(elements(root, index), (size_t)i));
    return strcmp(dtype, "f32") == 0 ? (double)(float)v : v;
}

static int64_t count_in(const json_t *v, const char *name) {
    const json_t *n = json_object_get(v, name);
    return n ? json_integer_value(n) : 0;
}

/* What stands beside the first elements. */
static void expect_summary(const json_t *v, const tg_tensor *t) {
    int64_t zero = 0, nan = 0, inf = 0, hist = 0;
    double lo = INFINITY, hi = -INFINITY, sum = 0;
    for (int64_t i = 0; i < tg_numel(t); i++) {
        const double x = tg_get(t, i);
        zero += x == 0, nan += isnan(x) != 0, inf += isinf(x) != 0;
        if (isfinite(x)) lo = fmin(lo, x), hi = fmax(hi, x), sum += x;
    }
    const int64_t finite = tg_numel(t) - nan - inf;
    ck_assert_int_eq(count_in(v, "zero"), zero);
    ck_assert_int_eq(count_in(v, "nan"), nan);
    ck_assert_int_eq(count_in(v, "inf"), inf);
    if (finite == 0) return;
    const double mean = real_of(json_object_get(v, "mean")), std = real_of(json_object_get(v, "std"));
    ck_assert(same((float)real_of(json_object_get(v, "min")), (float)lo));
    ck_assert(same((float)real_of(json_object_get(v, "max")), (float)hi));
    ck_assert_double_le(fabs(mean - sum / (double)finite), 1e-5 * (fabs(lo) + fabs(hi)));
    ck_assert(std >= 0 && std <= (hi - lo) * 0.500001);
    const json_t *h = json_object_get(v, "hist"), *m = json_object_get(v, "map");
    for (size_t i = 0; h && i < json_array_size(h); i++) hist += json_integer_value(json_array_get(h, i));
    if (h) ck_assert_int_eq(hist, finite);
    if (m)
        ck_assert_int_eq((int64_t)strlen(json_string_value(json_object_get(m, "v"))),
                         number_in(m, "rows") * number_in(m, "cols"));
}

void expect_elements(const json_t *root, int64_t index, const tg_tensor *t) {
    const json_t *v = item(root, "values", index);
    const bool whole = json_object_get(v, "e") != NULL;
    ck_assert_int_eq(number_in(v, "n"), tg_numel(t));
    ck_assert_str_eq(json_string_value(json_object_get(v, "dtype")), tg_dtype_name(tg_dtype_of(t)));
    ck_assert(whole == (json_object_get(v, "first") == NULL));
    ck_assert(!whole || shown(root, index) == tg_numel(t));
    for (int64_t i = 0; i < shown(root, index); i++)
        ck_assert_msg(same(element(root, index, i), tg_get(t, i)), "element %lld: %.17g instead of %.17g",
                      (long long)i, element(root, index, i), tg_get(t, i));
    if (!whole) expect_summary(v, t);
}

int64_t tensor_named(const json_t *root, const char *name) {
    const json_t *list = json_object_get(root, "tensors");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const char *is = json_string_value(json_object_get(json_array_get(list, i), "name"));
        if (is && strcmp(is, name) == 0) return (int64_t)i;
    }
    ck_abort_msg("no tensor is called %s", name);
    return -1;
}
