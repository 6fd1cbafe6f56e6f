/* Reads the numbers of the sweep. */
#include "tests/sweep/sweep.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct points {
    const char *name;
    tg_dtype dtype;
    int n, width;
    double *x;
} points;

enum { MAX_POINTS = 64, MAX_CASES = 1024 };

static char *text;
static points lists[MAX_POINTS];
static golden cases[MAX_CASES];
static int n_lists, n_cases;

int sweep_cases(void) { return n_cases; }
const golden *sweep_case(int i) { return &cases[i]; }

void sweep_require(bool holds, const char *what, const char *why) {
    if (holds) return;
    fprintf(stderr, "sweep: %s: %s\n", what, why);
    abort();
}

static char *allocate(size_t n) {
    char *p = calloc(n ? n : 1, 1);
    sweep_require(p != NULL, "memory", "out of it");
    return p;
}

/* ---- words; each ends in a NUL once it is read ---- */

static char *word(char **at) {
    char *w = *at + strspn(*at, " ");
    char *end = w + strcspn(w, " \n");
    *at = end + (*end == ' ');
    if (*end == ' ') *end = '\0';
    return w;
}

/* The bits of a double from the left; "-" is none. */
static double number(char **at, bool *none) {
    const char *w = word(at);
    uint64_t bits = 0;
    int shift = 60;
    *none = *w == '-';
    for (; isxdigit((unsigned char)*w); w++, shift -= 4)
        bits |= (uint64_t)(*w <= '9' ? *w - '0' : *w - 'a' + 10) << shift;
    double v;
    memcpy(&v, &bits, sizeof v);
    return v;
}

static int whole(char **at) { return atoi(word(at)); }
static tg_dtype dtype_of(const char *w) { return strncmp(w, "f32", 3) == 0 ? TG_F32 : TG_F64; }

static void numbers(char **at, int64_t n, double **v, bool **none) {
    *v = (double *)(void *)allocate(sizeof **v * (size_t)n);
    *none = (bool *)allocate((size_t)n);
    for (int64_t i = 0; i < n; i++) (*v)[i] = number(at, &(*none)[i]);
}

static void read_points(char *at) {
    sweep_require(n_lists < MAX_POINTS, "points", "too many lists");
    points *p = &lists[n_lists++];
    p->name = word(&at);
    p->dtype = dtype_of(word(&at));
    p->n = whole(&at), p->width = whole(&at);
    bool *none;
    numbers(&at, (int64_t)p->n * p->width, &p->x, &none);
    free(none);
}

static void read_input(char *w, struct golden_input *in) {
    *in = (struct golden_input){.kind = w[0], .elementwise = w[2] == '*', .width = 1};
    for (char *d = w + 2; isdigit((unsigned char)*d); d += strcspn(d, ","), d += *d == ',')
        in->shape.dim[in->shape.rank++] = strtol(d, NULL, 10);
    in->width = (int)tg_shape_numel(in->shape);
}

static void read_head(char *at, golden *g) {
    g->call = word(&at), g->points = word(&at);
    g->dtype = dtype_of(word(&at));
    g->output = whole(&at);
    g->arg.n = whole(&at);
    for (int i = 0; i < g->arg.n; i++) g->arg.v[i] = strtod(word(&at), NULL);
    g->n_in = whole(&at);
    for (int i = 0; i < g->n_in; i++) {
        read_input(word(&at), &g->in[i]);
        if (g->in[i].kind == 'd') g->n_free += g->in[i].width;
    }
    sweep_require(g->n_free <= MAX_FREE, g->call, "too many numbers");
    for (int i = 0; i < n_lists; i++)
        if (strcmp(lists[i].name, g->points) == 0 && lists[i].dtype == g->dtype)
            g->x = lists[i].x, g->n_points = lists[i].n, g->width = lists[i].width;
    sweep_require(g->x != NULL, g->call, "no such points");
}

/* The line of terms follows the case whose it is. */
static void read_terms(char *at) {
    golden *g = &cases[n_cases - 1];
    bool *none;
    numbers(&at, (int64_t)g->n_points * (1 + g->n_free + triangle(g->n_free)), &g->terms, &none);
    free(none);
}

/* Four lines: head, value, first, second. Each is cut off before it is read. */
static void read_case(char *line[4]) {
    sweep_require(n_cases < MAX_CASES, "cases", "too many");
    golden *g = &cases[n_cases++];
    read_head(line[0] + strlen("case "), g);
    char *value = line[1] + strlen("value "), *first = line[2] + strlen("first "),
         *second = line[3] + strlen("second ");
    numbers(&value, g->n_points, &g->value, &g->free_value);
    numbers(&first, (int64_t)g->n_points * g->n_free, &g->first, &g->free_first);
    numbers(&second, (int64_t)g->n_points * triangle(g->n_free), &g->second, &g->free_second);
}

static char *cut_line(char **at) {
    char *line = *at, *end = strchr(line, '\n');
    *at = end ? end + 1 : line + strlen(line);
    if (end) *end = '\0';
    return line;
}

bool sweep_open(void) {
    text = read_source_file("tests/golden/sweep.golden.gz");
    if (!text) return false;
    for (char *at = text; *at;) {
        char *line[4] = {cut_line(&at)};
        if (strncmp(line[0], "points ", 7) == 0) {
            read_points(line[0] + 7);
            continue;
        }
        if (strncmp(line[0], "terms ", 6) == 0) {
            read_terms(line[0] + 6);
            continue;
        }
        for (int i = 1; i < 4; i++) line[i] = cut_line(&at);
        read_case(line);
    }
    return true;
}

void sweep_close(void) {
    for (int i = 0; i < n_lists; i++) free(lists[i].x);
    for (int i = 0; i < n_cases; i++) {
        golden *g = &cases[i];
        free(g->value), free(g->first), free(g->second), free(g->terms);
        free(g->free_value), free(g->free_first), free(g->free_second);
    }
    free(text);
    n_lists = n_cases = 0;
}
