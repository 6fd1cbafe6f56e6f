/* docs/functions.md: the prototypes of all public headers, in the order in which tapegrad.h includes them. */
#include "tests/ops/harness.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MOST_HEADERS = 100, NAME = 64 };

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

void each_prototype(prototype_visitor *see, void *context) {
    header_list *l = calloc(1, sizeof *l);
    if (l) list_headers(l, "ops/tapegrad.h");
    for (int i = 0; l && i < l->n; i++) see_prototypes(l->name[i], see, context);
    free(l);
}

/* ---- the page ---- */

typedef struct page {
    FILE *f;
    char header[NAME];
} page;

static void print_prototype(void *context, const char *header, const char *line) {
    page *p = context;
    if (strcmp(p->header, header) != 0) {
        fprintf(p->f, "%s## %s\n\n```c\n", *p->header ? "```\n\n" : "", header);
        snprintf(p->header, sizeof p->header, "%s", header);
    }
    fprintf(p->f, "%s\n", line);
}

void print_functions(FILE *f) {
    page p = {.f = f};
    fputs("# Every public function\n\n"
          "The C prototypes, header by header; what each function computes, takes and refuses is said there. A program calls "
          "them\nthrough macros, which note the line of the call; that over `tg_f_with` is `tg_f`, where options, a shape or a "
          "list of tensors is\nwritten out: `tg_sum(x, .keepdim = true)` is `tg_sum_with(x, (tg_reduce_opts){.keepdim = true})` "
          "(`ops/calls.h`). This page is\nprinted by `test_ops --functions`; a test fails when it is out of date.\n\n",
          f);
    each_prototype(print_prototype, &p);
    fputs("```\n", f);
}
