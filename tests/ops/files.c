/* Files of the source tree, found from TG_SOURCE_ROOT, from the current folder, or from where this file was
 * compiled. */
#include "tests/ops/harness.h"

#include <stdlib.h>
#include <string.h>

#ifdef TG_HAVE_ZLIB
#include <zlib.h>
bool reads_compressed(void) { return true; }
#else
/* Plain files alone. */
#define gzFile FILE *
#define gzopen fopen
#define gzclose fclose
#define gzread(f, p, n) (int)fread((p), 1, (n), (f))
bool reads_compressed(void) { return false; }
#endif

/* Compressed or not. */
static char *read_file(const char *root, size_t n, const char *path) {
    char full[4096], *text = NULL;
    snprintf(full, sizeof full, "%.*s/%s", (int)n, root, path);
    gzFile f = gzopen(full, "rb");
    size_t used = 0, room = 1 << 16;
    int got = f ? 1 : 0;
    while (got > 0) {
        char *more = realloc(text, room *= 2);
        if (!more) break;
        text = more;
        got = gzread(f, text + used, (unsigned)(room - used - 1));
        used += got > 0 ? (size_t)got : 0;
    }
    if (f) gzclose(f);
    if (text) text[used] = '\0';
    if (got == 0) return text;
    free(text);
    return NULL;
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
