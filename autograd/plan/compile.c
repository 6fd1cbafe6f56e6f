#define _XOPEN_SOURCE 700 /* realpath, S_ISVTX */
#include "autograd/plan/compile.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

enum { PATH = PATH_MAX, WORDS = 64, OPTIONS = 1024 };

static void fail(tg_compiled *c, const char *format, ...) {
    va_list args;
    va_start(args, format);
    vsnprintf(c->why, sizeof c->why, format, args);
    va_end(args);
}

static uint64_t hash(uint64_t h, const void *bytes, size_t n) { /* FNV-1a */
    for (const unsigned char *b = bytes, *end = b + n; b < end; b++) h = (h ^ *b) * UINT64_C(0x100000001B3);
    return h;
}
#define HASH UINT64_C(0xCBF29CE484222325)

/* ---- the folder ---- */

static bool is_safe(const struct stat *s) {
    bool others = s->st_mode & (S_IWGRP | S_IWOTH);
    return (s->st_uid == geteuid() || s->st_uid == 0) && (!others || s->st_mode & S_ISVTX);
}

/* Whether others can neither write the folder nor replace it, or one above it, by another. */
static bool is_private(const char *folder) {
    char path[PATH];
    struct stat s;
    if (!realpath(folder, path) || stat(path, &s) != 0 || s.st_uid != geteuid() ||
        s.st_mode & (S_IWGRP | S_IWOTH))
        return false;
    for (char *end; (end = strrchr(path, '/')); *end = 0)
        if (stat(path, &s) != 0 || !is_safe(&s)) return false;
    return stat("/", &s) == 0 && is_safe(&s);
}

/* With those above it. */
static bool make_folder(char *folder) {
    for (char *at = folder + 1; (at = strchr(at, '/')); at++) {
        *at = 0;
        bool made = mkdir(folder, 0700) == 0 || errno == EEXIST;
        *at = '/';
        if (!made) return false;
    }
    return mkdir(folder, 0700) == 0 || errno == EEXIST;
}

static bool find_folder(char folder[PATH], tg_compiled *c) {
    const char *given = getenv("TG_CACHE"), *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    int n = given && *given          ? snprintf(folder, PATH, "%s", given)
            : cache && *cache == '/' ? snprintf(folder, PATH, "%s/tapegrad", cache)
            : home && *home == '/'   ? snprintf(folder, PATH, "%s/.cache/tapegrad", home)
                                     : 0;
    if (n <= 0 || n >= PATH - 100)
        return fail(c, "there is no folder to keep it in (TG_CACHE names one)"), false;
    if (!make_folder(folder)) return fail(c, "%.120s cannot be made: %s", folder, strerror(errno)), false;
    if (is_private(folder)) return true;
    return fail(c, "%.120s is not used, since others can write it or what is above it", folder), false;
}

/* ---- what was compiled: the library, and behind it its length and hash ---- */

typedef struct trailer {
    char mark[8];
    uint64_t length, hash;
} trailer;
static const char mark[8] = {'t', 'a', 'p', 'e', 'g', 'r', 'a', 'd'};

static bool hash_file(FILE *file, uint64_t length, uint64_t *h) {
    char buffer[8192];
    *h = HASH;
    for (size_t n; length > 0; length -= n) {
        size_t want = length < sizeof buffer ? (size_t)length : sizeof buffer;
        if ((n = fread(buffer, 1, want, file)) == 0) return false;
        *h = hash(*h, buffer, n);
    }
    return true;
}

static bool is_whole(const char *path) {
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC); /* a pipe would wait for a writer */
    FILE *file = fd >= 0 ? fdopen(fd, "rb") : NULL;
    struct stat s;
    trailer t;
    uint64_t h;
    if (!file && fd >= 0) close(fd);
    if (!file) return false;
    bool whole = fstat(fileno(file), &s) == 0 && S_ISREG(s.st_mode) && s.st_uid == geteuid() &&
                 !(s.st_mode & (S_IWGRP | S_IWOTH)) && s.st_size > (off_t)sizeof t &&
                 hash_file(file, (uint64_t)s.st_size - sizeof t, &h) && fread(&t, sizeof t, 1, file) == 1 &&
                 memcmp(t.mark, mark, sizeof mark) == 0 && t.length == (uint64_t)s.st_size - sizeof t &&
                 t.hash == h;
    return fclose(file) == 0 && whole;
}

static bool add_trailer(const char *path) {
    FILE *file = fopen(path, "rb+e");
    trailer t = {.length = 0};
    struct stat s;
    if (!file) return false;
    memcpy(t.mark, mark, sizeof mark);
    bool done = fstat(fileno(file), &s) == 0 && (t.length = (uint64_t)s.st_size, true) &&
                hash_file(file, t.length, &t.hash) && fseek(file, 0, SEEK_END) == 0 &&
                fwrite(&t, sizeof t, 1, file) == 1;
    return fclose(file) == 0 && done;
}

/* ---- compiling ---- */

static bool write_text(const char *path, const char *text, size_t n, tg_compiled *c) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    FILE *file = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!file && fd >= 0) close(fd);
    bool written = file && fwrite(text, 1, n, file) == n;
    if ((file && fclose(file) != 0) || !written)
        return fail(c, "%.120s cannot be written: %s", path, strerror(errno)), false;
    return true;
}

/* Nothing is printed, and nothing asked. */
static bool call_compiler(char *const *word, tg_compiled *c) {
    posix_spawn_file_actions_t actions;
    pid_t child;
    int status = 0, e = posix_spawn_file_actions_init(&actions);
    if (e != 0) return fail(c, "%s: %s", word[0], strerror(e)), false;
    for (int fd = 0; fd < 3 && e == 0; fd++)
        e = posix_spawn_file_actions_addopen(&actions, fd, "/dev/null", fd ? O_WRONLY : O_RDONLY, 0);
    if (e == 0) e = posix_spawnp(&child, word[0], &actions, NULL, word, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (e != 0) return fail(c, "the compiler %.80s could not be started: %s", word[0], strerror(e)), false;
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR) return errno == ECHILD; /* of a program that ignores SIGCHLD: the file tells */
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return true;
    return fail(c, "the compiler %.80s ended with %d", word[0],
                WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status)),
           false;
}

/* The words of `from` become words of the command. */
static int split(char *from, char **word, int n) {
    for (char *rest, *w = strtok_r(from, " ", &rest); w && n < WORDS - 12; w = strtok_r(NULL, " ", &rest))
        word[n++] = w;
    return n;
}

static const char *compiler(void) {
    const char *cc = getenv("TG_CC");
    return cc && *cc ? cc : "cc";
}

static bool compile(char *source, char *library, const char *options, const char *with, tg_compiled *c) {
    char name[PATH], copy[OPTIONS], *word[WORDS];
    snprintf(name, sizeof name, "%s", compiler());
    snprintf(copy, sizeof copy, "%s", options);
    int n = split(name, word, 0);
    n = split(copy, word, n);
    char *const rest[] = {"-w",  "-shared", "-fPIC", "-x", "c", source, "-x", "none", (char *)(uintptr_t)with,
                          "-lm", "-o",      library};
    for (size_t i = 0; i < sizeof rest / sizeof *rest; i++)
        if (*rest[i]) word[n++] = rest[i];
    word[n] = NULL;
    return call_compiler(word, c);
}

/* Makes the text and the library beside their places, from where they go there in one step. */
static bool make(const char *path, const char *text, size_t n, const char *options, const char *with,
                 tg_compiled *c) {
    static _Atomic unsigned number;
    char base[PATH], source[PATH + 8], library[PATH + 8], final[PATH + 8];
    snprintf(base, sizeof base, "%.*s.%ld.%u", PATH - 64, path, (long)getpid(), atomic_fetch_add(&number, 1));
    snprintf(source, sizeof source, "%s.c", base), snprintf(library, sizeof library, "%s.so", base);
    bool done = write_text(source, text, n, c) && compile(source, library, options, with, c);
    if (done && access(library, F_OK) != 0)
        fail(c, "the compiler %.80s wrote nothing", compiler()), done = false;
    if (done && !(chmod(library, 0700) == 0 && add_trailer(library) &&
                  snprintf(final, sizeof final, "%s.so", path) > 0 && rename(library, final) == 0))
        fail(c, "%.120s cannot be written: %s", library, strerror(errno)), done = false;
    snprintf(final, sizeof final, "%s.c", path);
    if (!done || rename(source, final) != 0) unlink(source);
    if (!done) unlink(library);
    return done;
}

tg_compiled tg_compile(const char *text, size_t n, const char *options, const char *library) {
    tg_compiled c = {0};
    char path[PATH], file[PATH + 8];
    if (!find_folder(path, &c)) return c;
    uint64_t low = hash(hash(HASH, text, n), options, strlen(options)), high;
    low = hash(low, compiler(), strlen(compiler())), high = hash(low ^ n, text, n);
    size_t end = strlen(path);
    snprintf(path + end, sizeof path - end, "/%016" PRIx64 "%016" PRIx64, high, low);
    snprintf(file, sizeof file, "%s.so", path);
    if (!is_whole(file) && !make(path, text, n, options, library, &c)) return c;
    c.library = dlopen(file, RTLD_NOW | RTLD_LOCAL);
    if (!c.library) fail(&c, "%s", dlerror()), unlink(file); /* the next one makes it again */
    return c;
}

void tg_compiled_free(tg_compiled *c) {
    if (c->library) dlclose(c->library);
    c->library = NULL;
}

void (*tg_compiled_function(const tg_compiled *c, const char *name))(void) {
    union {
        void *address;
        void (*function)(void);
    } of = {c->library ? dlsym(c->library, name) : NULL};
    return of.function;
}
