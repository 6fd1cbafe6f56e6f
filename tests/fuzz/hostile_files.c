/* Files: those that calls write, whole, cut off and damaged, and names of what is no file. */
#define _XOPEN_SOURCE 700
#include "tests/fuzz/hostile.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { LONGEST = 255 }; /* characters of a name */

static char folder[200], longest[LONGEST + 1];
static FILE *sink, *shut;
static bool written;

static const char *const files[] = {"a.idx",    "b.idx", "c.idx.gz", "two\nlines.idx", "\xff.idx",
                                    "%s%n.idx", longest, "a.svg",    "b.png"};
enum { PICTURES = 2 }; /* of these, at the end */
/* A folder, a pipe, links to nothing, in a circle and to a file, a file without permissions. */
static const char *const others[] = {"folder", "pipe", "nothing", "circle", "link.idx", "closed.idx"};

/* In the folder; the text lives until the end of the sequence. */
static char *path_of(const char *name) {
    size_t n = sizeof folder + strlen(name) + 2;
    char *path = scratch(n);
    snprintf(path, n, "%s/%s", folder, name);
    return path;
}

static bool make_others(void) {
    int fd = open(path_of("closed.idx"), O_WRONLY | O_CREAT, 0);
    return fd >= 0 && close(fd) == 0 && mkdir(path_of("folder"), 0700) == 0 &&
           mkfifo(path_of("pipe"), 0600) == 0 && symlink("none", path_of("nothing")) == 0 &&
           symlink("circle", path_of("circle")) == 0 && symlink("a.idx", path_of("link.idx")) == 0;
}

bool make_folder(void) {
    const char *base = getenv("TMPDIR");
    memset(longest, 'n', LONGEST);
    snprintf(folder, sizeof folder, "%s/hostile-XXXXXX", base ? base : "/tmp");
    sink = fopen("/dev/null", "w");
    shut = fopen("/dev/null", "r");
    return sink && shut && mkdtemp(folder) && make_others();
}

static void remove_all(const char *const *name, int n) {
    char path[sizeof folder + LONGEST + 2];
    for (int i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, name[i]);
        if (unlink(path) != 0) rmdir(path);
    }
}

/* What functions that are given the folder "folder" have left in it. */
static void empty_inner(void) {
    char path[sizeof folder + 2 * LONGEST + 20];
    snprintf(path, sizeof path, "%s/folder", folder);
    DIR *d = opendir(path);
    for (const struct dirent *e; d && (e = readdir(d));) {
        snprintf(path, sizeof path, "%s/folder/%s", folder, e->d_name);
        unlink(path);
    }
    if (d) closedir(d);
}

/* From within a signal too. */
void remove_folder(void) {
    empty_inner();
    remove_all(files, COUNT(files));
    remove_all(others, COUNT(others));
    rmdir(folder);
}

void forget_files(void) {
    if (written) remove_all(files, COUNT(files)), empty_inner();
    written = false;
}

/* What a file of an earlier call then is: cut off, or with a byte changed. */
static void damage(const char *path) {
    struct stat st;
    if (stat(path, &st) != 0 || st.st_size == 0) return;
    if (one_in(2) && truncate(path, below(st.st_size)) == 0) return;
    int fd = open(path, O_WRONLY);
    const unsigned char byte = (unsigned char)random_bits();
    if (fd < 0) return;
    if (pwrite(fd, &byte, 1, below(one_in(2) && st.st_size > 16 ? 16 : st.st_size)) != 1)
        note(" (not damaged)");
    close(fd);
}

static const char *bad_path(void) {
    static const char *const those[] = {
        "", "/", ".", "/dev/null", "/dev/zero", "/proc/self/status", "a.idx/x.idx", "none/x.idx"};
    int64_t i = below(COUNT(those) + COUNT(others) + 3);
    if (i < 6) return those[i];
    if (i < COUNT(those)) return path_of(those[i]);
    i -= COUNT(those);
    if (i < COUNT(others)) return path_of(others[i]);
    if (i == COUNT(others)) return NULL;
    char *name = scratch(6000);
    memset(name, 'n', i == COUNT(others) + 1 ? LONGEST + 1 : 5999);
    return path_of(name);
}

const char *draw_path(const char *name) {
    (void)name;
    written = true;
    if (bad()) return bad_path();
    const bool picture = strncmp(FRAME->call->name, "tg_plot_", 8) == 0;
    const char *path = path_of(files[picture ? COUNT(files) - 1 - below(PICTURES) : below(COUNT(files))]);
    if (bad()) damage(path);
    return path;
}

const char *draw_folder(void) {
    written = true;
    if (!bad()) return path_of("folder");
    return one_in(4) ? NULL : path_of(others[below(COUNT(others))]); /* none outside of ours */
}

/* NULL, or one that cannot be written. */
FILE *draw_FILE_p(const char *name) {
    bool wrong = bad();
    FILE *file = !wrong ? sink : one_in(2) ? shut : NULL;
    note(" %s=%s", name, !file ? "NULL" : wrong ? "a file for reading" : "a file");
    return file;
}
