/* The lines of the program that made nodes, read from its source files where these are found. */
#include "autograd/trace/model.h"
#include "core/io/stream.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

enum { WHOLE = 200, AROUND = 4, LONGEST = 1 << 24 };

int tg_trace_file(tg_trace *t, const char *path) {
    for (int64_t i = 0; i < t->n_files; i++)
        if (t->file[i].path == path || strcmp(t->file[i].path, path) == 0) return (int)i;
    if (!TG_TRACE_GROW(t->file, t->cap_files, t->n_files)) return -1;
    t->file[t->n_files] = (tg_traced_file){.path = path};
    return (int)t->n_files++;
}

/* ---- finding and reading ---- */

static FILE *open_regular(const char *path) {
    struct stat s;
    if (stat(path, &s) != 0 || !S_ISREG(s.st_mode) || s.st_size > LONGEST) return NULL;
    return fopen(path, "rb");
}

/* As it was noted; or without the way up that a compiler in a build folder saw before it, since programs are run from above that. */
static FILE *open_from_here(const char *path) {
    FILE *file = open_regular(path);
    while (!file && strncmp(path, "../", 3) == 0) file = open_regular(path += 3);
    return file;
}

/* By the path as noted, from the folder; by its last part; or, where no folder was given, from here. */
static FILE *open_source(const tg_trace *t, const char *path) {
    char name[PATH_MAX];
    if (!t->folder) return open_from_here(path);
    const char *const tail[] = {path, tg_base_name(path)};
    for (int i = 0; i < 2; i++) {
        FILE *file = NULL;
        if ((size_t)snprintf(name, sizeof name, "%s/%s", t->folder, tail[i]) < sizeof name)
            file = open_regular(name);
        if (file) return file;
    }
    return *path == '/' ? open_regular(path) : NULL;
}

typedef struct reading {
    FILE *file;
    int number; /* of the line that was read last */
    size_t n;   /* bytes of it that are kept */
    char text[TG_TRACE_TEXT + 1];
} reading;

/* A line is ended by \n, \r\n or the end of the file. NUL bytes are blanks. */
static bool read_line(reading *r) {
    int c = getc(r->file);
    if (c == EOF) return false;
    for (r->n = 0; c != '\n' && c != EOF; c = getc(r->file))
        if (r->n <= TG_TRACE_TEXT) r->text[r->n++] = (char)(c ? c : ' ');
    while (r->n > 0 && r->n <= TG_TRACE_TEXT && r->text[r->n - 1] == '\r') r->n--;
    r->number++;
    return true;
}

static int count_lines(FILE *file) {
    reading r = {.file = file};
    while (read_line(&r)) continue;
    rewind(file);
    return r.number;
}

/* ---- which lines ---- */

static bool is_near(const tg_trace *t, int file, int line) {
    for (int64_t k = 0; k < t->end - t->first; k++)
        if (t->node[k].file == file && line >= t->node[k].line - AROUND && line <= t->node[k].line + AROUND)
            return true;
    return false;
}

static bool add_line(tg_trace *t, tg_traced_file *f, const reading *r) {
    if (!TG_TRACE_GROW(f->line, f->cap_lines, f->n_lines)) return false;
    const char *text = tg_trace_copy(t, r->text, r->n);
    if (text) f->line[f->n_lines++] = (tg_traced_line){r->number, text};
    return text != NULL;
}

static void read_source(tg_trace *t, int i) {
    tg_traced_file *f = &t->file[i];
    reading r = {.file = open_source(t, f->path)};
    if (!r.file) return;
    f->found = true;
    const bool whole = count_lines(r.file) < WHOLE;
    bool good = true;
    while (good && read_line(&r))
        if (whole || is_near(t, i, r.number)) good = add_line(t, f, &r);
    fclose(r.file);
}

tg_status tg_trace_read_sources(tg_trace *t) {
    for (int i = 0; i < t->n_files && tg_error_status() == TG_OK; i++) read_source(t, i);
    return tg_error_status();
}
