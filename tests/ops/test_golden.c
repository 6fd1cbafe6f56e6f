/* Values and gradients against PyTorch's: tests/golden/<room>.golden.gz, written by make_golden.py, which describes
 * the format. In f64 to 1e-12, in f32 to 2e-6, relative to the element or, where terms cancel, to the largest
 * term. */
#include "tests/ops/harness.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define GOLDEN(room) "tests/golden/" #room ".golden.gz",
/* The first is all that can be read without zlib. */
static const char *const golden_files[] = {"tests/golden/few.golden", ROOMS(GOLDEN)};
static char *texts[COUNT(golden_files)];
static int n_files(void) { return reads_compressed() ? COUNT(golden_files) : 1; }

/* Where each case stands: files are searched once, not once an op. */
typedef struct place {
    char *at;
    int line;
    const tg_op *op;
} place;
static place *places;
static int n_places;

/* ---- reading: `at` moves on over what was read ---- */

typedef struct golden_case {
    char call[32];
    int line; /* of the file, for messages */
    arguments arg;
    int n_in;
    tg_tensor *in[MAX_IN], *out, *seed, *grad[MAX_IN];
    double scale, grad_scale;
} golden_case;

static char *next_line(char *at) {
    char *end = strchr(at, '\n');
    return end ? end + 1 : at + strlen(at);
}

static bool starts(const char *at, const char *word) {
    size_t n = strlen(word);
    return strncmp(at, word, n) == 0 && (at[n] == ' ' || at[n] == '\n');
}

static tg_dtype read_type(char **at) {
    static const struct {
        const char *name;
        tg_dtype type;
    } types[] = {{"f64", TG_F64}, {"i32", TG_I32}, {"i64", TG_I64}, {"u8", TG_U8}, {"bool", TG_BOOL}};
    for (int i = 0; i < COUNT(types); i++) {
        if (!starts(*at, types[i].name)) continue;
        *at += strlen(types[i].name);
        return types[i].type;
    }
    ck_abort_msg("golden: unknown type at: %.20s", *at);
    return TG_F32;
}

static void read_values(char **at, tg_tensor *t) {
    for (int64_t k = 0, n = tg_numel(t); k < n; k++) {
        char *end;
        double v = strtod(*at, &end);
        if (end == *at) ck_abort_msg("golden: a number is missing at: %.20s", *at);
        tg_array_set(tg_array_of(t), k, v);
        *at = end;
    }
}

/* "f64 2 3 4 v v v ...", f64 standing for f. */
static tg_tensor *read_tensor(char *at, tg_dtype f) {
    tg_dtype type = read_type(&at);
    tg_shape shape = {(int)strtol(at, &at, 10), {0}};
    for (int i = 0; i < shape.rank; i++) shape.dim[i] = strtoll(at, &at, 10);
    tg_tensor *t = tg_zeros_with(type == TG_F64 ? f : type, shape);
    read_values(&at, t);
    return t;
}

/* The line after "case": the call and its numbers. */
static void read_head(char *at, golden_case *c) {
    ck_assert_int_eq(sscanf(at, "%31s", c->call), 1);
    at += strlen(c->call);
    char *line_end = strchr(at, '\n');
    for (;;) {
        char *end;
        double v = strtod(at, &end);
        if (end == at || end > line_end) break;
        ck_assert_int_lt(c->arg.n, MAX_ARG);
        c->arg.v[c->arg.n++] = v;
        at = end;
    }
}

/* Reads one case for inputs of float type f; expected results always in f64. */
static void read_case(char *at, tg_dtype f, golden_case *c) {
    memset(c, 0, sizeof *c);
    read_head(at + strlen("case "), c);
    for (at = next_line(at); *at && !starts(at, "case"); at = next_line(at)) {
        if (starts(at, "in")) {
            ck_assert_int_lt(c->n_in, MAX_IN);
            c->in[c->n_in++] = read_tensor(at + 3, f);
        } else if (starts(at, "out")) {
            c->out = read_tensor(at + 4, TG_F64);
        } else if (starts(at, "seed")) {
            char *values = at + 4;
            c->seed = tg_zeros_with(f, tg_shape_of(c->out));
            read_values(&values, c->seed);
        } else if (starts(at, "grad")) {
            char *values;
            long i = strtol(at + 5, &values, 10);
            ck_assert(i >= 0 && i < c->n_in);
            c->grad[i] = tg_zeros_with(TG_F64, tg_shape_of(c->in[i]));
            read_values(&values, c->grad[i]);
        } else if (starts(at, "scale")) {
            char *second;
            c->scale = strtod(at + 6, &second);
            c->grad_scale = strtod(second, NULL);
        } else {
            ck_abort_msg("golden: what is: %.20s", at);
        }
    }
}

/* ---- comparing ---- */

static void compare(const golden_case *c, const char *what, const tg_tensor *got, const tg_tensor *want,
                    tg_dtype f, double scale) {
    char a[80], b[80];
    ck_assert_msg(tg_error_status() == TG_OK, "%s, line %d: %s", c->call, c->line, tg_error_message());
    ck_assert_msg(tg_shape_equal(tg_shape_of(got), tg_shape_of(want)),
                  "%s, line %d: %s: shape %s, PyTorch's %s", c->call, c->line, what,
                  tg_shape_text(tg_shape_of(got), a, sizeof a), tg_shape_text(tg_shape_of(want), b, sizeof b));
    double tolerance = f == TG_F64 ? 1e-12 : 2e-6;
    for (int64_t k = 0, n = tg_numel(got); k < n; k++) {
        double x = tg_get(got, k), y = tg_get(want, k);
        if (f == TG_F32 && tg_dtype_is_float(tg_dtype_of(got)))
            y = (double)(float)y; /* overflows as f32 does */
        double atol = tolerance * scale + (f == TG_F32 ? 1e-37 : 0);
        if (!close_to(x, y, tolerance, atol))
            ck_abort_msg("%s, line %d, %s: %s, element %lld is %.17g, PyTorch has %.17g", c->call, c->line,
                         tg_dtype_name(f), what, (long long)k, x, y);
        if (isfinite(y) && x != y) raise_worst(f, fabs(x - y) / fmax(fabs(y), atol / tolerance));
    }
}

static void check_case(const golden_case *c, tg_dtype f) {
    static const char *const names[MAX_IN] = {"gradient 0", "gradient 1", "gradient 2", "gradient 3"};
    tg_tensor *x[MAX_IN], *g[MAX_IN];
    int which[MAX_IN], n = 0;
    for (int i = 0; i < c->n_in; i++) {
        if (!c->grad[i]) continue;
        tg_set_requires_grad(c->in[i], true);
        which[n] = i, x[n++] = c->in[i];
    }
    const call *called = find_call(c->call);
    ck_assert_msg(called, "golden: no call %s", c->call);
    tg_tensor *y = called->fn(c->in, &c->arg);
    compare(c, "value", y, c->out, f, c->scale);
    if (n == 0) return;
    for (int record = 0; record < 2; record++) {
        tg_grad(1, &y, n, x, g, .seeds = &c->seed, .retain = true, .create_graph = record,
                .allow_unused = true);
        for (int i = 0; i < n; i++) compare(c, names[which[i]], g[i], c->grad[which[i]], f, c->grad_scale);
    }
}

/* Reads and checks a case in both float types, each on a tape of its own. */
static void run_case(const place *p) {
    for (tg_dtype f = TG_F32; f <= TG_F64; f++) {
        tg_mark mark = tg_tape_mark();
        golden_case c;
        read_case(p->at, f, &c);
        c.line = p->line;
        check_case(&c, f);
        tg_tape_rewind(mark);
    }
    count_up(T_GOLDEN, 1);
}

START_TEST(values_and_gradients_are_pytorchs) {
    int n, cases = 0;
    const tg_op *op = tg_op_table(&n)[_i].op;
    if (!chosen(op)) return;
    for (int f = 0; f < n_files(); f++)
        ck_assert_msg(texts[f], "%s is not readable: run from the root of the sources, or set TG_SOURCE_ROOT",
                      golden_files[f]);
    for (int i = 0; i < n_places; i++) {
        ck_assert_msg(places[i].op, "line %d: no call: %.40s", places[i].line, places[i].at);
        if (places[i].op == op) run_case(&places[i]), cases++;
    }
    ck_assert_msg(cases > 0, "%s: no golden numbers: add cases to tests/golden/", op->name);
}
END_TEST

static void clear(void) { tg_error_clear(); }

static place place_of(char *at, int line) {
    char name[32];
    size_t n = strcspn(at += strlen("case "), " \n");
    snprintf(name, sizeof name, "%.*s", (int)n, at);
    const call *c = find_call(name);
    return (place){at - strlen("case "), line, c ? op_of(c) : NULL};
}

static void find_places(char *text) {
    int line = 1;
    for (char *at = text; *at; at = next_line(at), line++) {
        if (!starts(at, "case")) continue;
        place *more = realloc(places, sizeof *places * (size_t)(n_places + 1));
        ck_assert_ptr_nonnull(more);
        places = more;
        places[n_places++] = place_of(at, line);
    }
}

static void load(void) {
    for (int f = 0; f < n_files(); f++) {
        texts[f] = read_source_file(golden_files[f]);
        if (texts[f]) find_places(texts[f]);
    }
}

static void drop(void) {
    for (int f = 0; f < COUNT(golden_files); f++) {
        free(texts[f]);
        texts[f] = NULL;
    }
    free(places);
    places = NULL, n_places = 0;
}

TCase *tcase_golden(void) {
    TCase *t = tcase_create("golden");
    int n;
    tg_op_table(&n);
    tcase_set_timeout(t, 60);
    tcase_add_unchecked_fixture(t, load, drop);
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, values_and_gradients_are_pytorchs, 0, n);
    return t;
}
