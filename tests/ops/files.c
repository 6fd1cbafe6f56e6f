/* Files of the source tree, found from TG_SOURCE_ROOT, from the current folder, or from where this file was
 * compiled. */
#include "tests/ops/harness.h"

#include <stdlib.h>
#include <string.h>

static char *read_file(const char *root, size_t n, const char *path) {
    char full[4096];
    snprintf(full, sizeof full, "%.*s/%s", (int)n, root, path);
    FILE *f = fopen(full, "rb");
    if (!f) return NULL;
    char *text = NULL;
    long size = fseek(f, 0, SEEK_END) == 0 ? ftell(f) : -1;
    rewind(f);
    if (size >= 0) text = malloc((size_t)size + 1);
    if (text) text[fread(text, 1, (size_t)size, f)] = '\0';
    fclose(f);
    return text;
}

char *read_source_file(const char *path) {
    static const char here[] = __FILE__, own[] = "/tests/ops/files.c";
    const char *root = getenv("TG_SOURCE_ROOT");
    char *text = root && *root ? read_file(root, strlen(root), path) : NULL;
    if (!text) text = read_file(".", 1, path);
    size_t n = sizeof here - 1, tail = sizeof own - 1;
    if (!text && n > tail) text = read_file(here, n - tail, path);
    return text;
}
