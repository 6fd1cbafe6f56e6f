/* docs/functions.md: the prototypes of all public headers, in the order in which tapegrad.h includes them. */
#include "tests/ops/harness.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HEADERS = 200, NAME = 64 };

typedef struct header_list {
    char name[MOST_HEADERS][NAME];
    int n;
} header_list;

static bool is_listed(const header_list *l, const char *name) {
    for (int i = 0; i < l->n; i++)
        if (strcmp(l->name[i], name) == 0) return true;
    return false;
}

/* What a header includes comes before it. */
static void list_headers(header_list *l, const char *name) {
    static const char include[] = "#include \"";
    char *text = read_source_file(name), next[NAME];
    for (char *at = text; at && (at = strstr(at, include));) {
        at += strlen(include);
        snprintf(next, sizeof next, "%.*s", (int)strcspn(at, "\""), at);
        if (!is_listed(l, next)) list_headers(l, next);
    }
    free(text);
    if (!is_listed(l, name) && l->n < MOST_HEADERS) memcpy(l->name[l->n++], name, strlen(name) + 1);
}

/* One prototype on one line. */
static char *prototype(const char *from, const char *to) {
    char *line = malloc((size_t)(to - from) + 2), *end = line;
    for (; line && from < to; from++)
        if (!isspace((unsigned char)*from))
            *end++ = *from;
        else if (end > line && end[-1] != ' ' && end[-1] != '(')
            *end++ = ' ';
    if (line) memcpy(end, ";", 2);
    return line;
}

static const char *earlier(const char *a, const char *b) { return !a || (b && b < a) ? b : a; }

/* "TG_API <prototype> [TG_PRINTF(..)];" and "static inline <prototype> {", at the beginning of a line. */
static void see_prototypes(const char *header, prototype_visitor *see, void *context) {
    static const char public[] = "\nTG_API ", local[] = "\nstatic inline ";
    char *text = read_source_file(header);
    for (const char *at = text; at;) {
        const char *p = strstr(at, public), *q = strstr(at, local), *from = earlier(p, q);
        if (!from) break;
        from += from == p ? strlen(public) : strlen(local);
        const char *to = from + strcspn(from, ";{"), *printf_like = strstr(from, " TG_PRINTF");
        at = to;
        if (printf_like && printf_like < to) to = printf_like;
        char *line = prototype(from, *to == '{' ? to - 1 : to);
        if (line) see(context, header, line);
        free(line);
    }
    free(text);
}

static void each_header(void (*see)(void *context, const char *header), void *context) {
    header_list *l = calloc(1, sizeof *l);
    if (l) list_headers(l, "ops/tapegrad.h");
    for (int i = 0; l && i < l->n; i++) see(context, l->name[i]);
    free(l);
}

typedef struct visit {
    prototype_visitor *see;
    void *context;
} visit;

static void visit_header(void *context, const char *header) {
    const visit *v = context;
    see_prototypes(header, v->see, v->context);
}

void each_prototype(prototype_visitor *see, void *context) {
    each_header(visit_header, &(visit){see, context});
}

/* ---- how a function with options, sizes or a list of tensors is called ---- */

/* Of all public headers, one after the other. */
static void append_header(void *context, const char *header) {
    char **all = context, *text = read_source_file(header), *longer;
    size_t had = *all ? strlen(*all) : 0;
    longer = text ? realloc(*all, had + strlen(text) + 1) : NULL;
    if (longer) memcpy(longer + had, text, strlen(text) + 1), *all = longer;
    free(text);
}

/* The names that a field's text declares: "int64_t kernel[2], stride[2]" has two. */
static void print_fields_of(FILE *f, char *text) {
    for (char *next = strtok(text, ","); next; next = strtok(NULL, ",")) {
        next[strcspn(next, "[")] = '\0';
        char *name = next + strlen(next);
        while (name > next && (isalnum((unsigned char)name[-1]) || name[-1] == '_')) name--;
        if (*name && strcmp(name, "by_name") != 0) fprintf(f, ", .%s", name);
    }
}

/* The fields of the struct that `type` names, itself or as another name of it. */
static void print_options(FILE *f, const char *headers, const char *type) {
    char start[2 * NAME], base[NAME], field[512];
    for (int i = 0; i < 2; i++) {
        snprintf(start, sizeof start, "typedef struct %s {", type);
        const char *body = strstr(headers, start);
        if (!body) { /* typedef tg_reduce_opts tg_sum_opts, tg_mean_opts; */
            snprintf(start, sizeof start, " %s", type);
            const char *at = headers;
            while ((at = strstr(at, start)) && !strchr(",;", at[strlen(start)])) at++;
            while (at && at > headers && at[-1] != '\n') at--;
            if (at && sscanf(at, "typedef %63s ", base) == 1) type = base;
            continue;
        }
        size_t n = 0;
        for (body += strlen(start); *body && *body != '}'; body++) {
            if (strncmp(body, "/*", 2) == 0) body = strstr(body, "*/") + 2;
            if (*body != ';') {
                if (n + 1 < sizeof field) field[n++] = *body;
                continue;
            }
            field[n] = '\0', n = 0;
            print_fields_of(f, field);
        }
        return;
    }
}

/* "tg_tensor *tg_sum_with(tg_tensor *x, tg_sum_opts opts);" is called tg_sum(x, .axes, .keepdim). */
static void print_call(FILE *f, const char *headers, const char *line) {
    const char *with = strstr(line, "_with("), *name = with;
    if (!with) return;
    while (name > line && name[-1] != '*' && name[-1] != ' ') name--;
    char args[512], type[NAME] = "", *last = NULL, *end;
    snprintf(args, sizeof args, "%s", with + strlen("_with("));
    last = strrchr(args, ',');
    if ((end = strrchr(args, ')'))) *end = '\0';
    bool list = last && strstr(last, "*const *");
    if (last) sscanf(last, ", %63s", type), *last = '\0';
    if (list && (last = strrchr(args, ','))) *last = '\0'; /* the number of tensors */
    fprintf(f, "/* %.*s(", (int)(with - name), name);
    const char *comma = "";
    for (char *next = strtok(args, ","); next; next = strtok(NULL, ","), comma = ", ") {
        char *word = next + strlen(next);
        while (word > next && (isalnum((unsigned char)word[-1]) || word[-1] == '_')) word--;
        fprintf(f, "%s%s", comma, word);
    }
    if (list)
        fputs(", tensors...", f);
    else if (strcmp(type, "tg_shape") == 0)
        fputs(", numbers...", f);
    else
        print_options(f, headers, type);
    fputs(") */\n", f);
}

/* ---- the page ---- */

typedef struct page {
    FILE *f;
    char header[NAME];
    char *headers; /* the text of all */
} page;

static void print_prototype(void *context, const char *header, const char *line) {
    page *p = context;
    if (strcmp(header, "ops/calls.h") == 0) return; /* what the macros are made of */
    if (strcmp(p->header, header) != 0) {
        fprintf(p->f, "%s## %s\n\n```c\n", *p->header ? "```\n\n" : "", header);
        snprintf(p->header, sizeof p->header, "%s", header);
    }
    if (p->headers && !strstr(line, "tg_checkpoint")) print_call(p->f, p->headers, line);
    fprintf(p->f, "%s\n", line);
}

void print_functions(FILE *f) {
    page p = {.f = f};
    each_header(append_header, &p.headers);
    fputs("# Every public function\n\n"
          "The C prototypes, header by header; what each function computes, takes and refuses is said there. A program calls "
          "them\nthrough macros, which note the line of the call; that over `tg_f_with` is `tg_f`, where options, a shape or a "
          "list of tensors is\nwritten out, as the line above it says: `tg_sum(x, .keepdim = true)` is "
          "`tg_sum_with(x, (tg_sum_opts){.keepdim = true})`\n(`ops/calls.h`). This page is printed by `test_ops --functions`; a "
          "test fails when it is out of date.\n\n",
          f);
    each_prototype(print_prototype, &p);
    fputs("```\n", f);
    free(p.headers);
}
