#define _POSIX_C_SOURCE 200809L
#include "core/memory.h"
#include "tests/fuzz/fuzz_file.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char input[512], output[600];

static void remove_files(void) {
    unlink(input);
    unlink(output);
}

static void make_names(void) {
    const char *base = getenv("TMPDIR");
    snprintf(input, sizeof input, "%s/%s-XXXXXX", base ? base : "/tmp", fuzz_name);
    const int fd = mkstemp(input);
    if (fd < 0) {
        perror(input);
        exit(2);
    }
    close(fd);
    snprintf(output, sizeof output, "%s%s", input, fuzz_suffix);
    atexit(remove_files);
}

void require(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "%s: %s: %s\n", fuzz_name, what, tg_error_message());
    abort();
}

void require_equal(const tg_tensor *a, const tg_tensor *b) {
    require(tg_dtype_of(a) == tg_dtype_of(b) && tg_shape_equal(tg_shape_of(a), tg_shape_of(b)),
            "dtype or shape changed");
    const size_t bytes = (size_t)tg_numel(a) * tg_dtype_size(tg_dtype_of(a));
    require(bytes == 0 || memcmp(tg_data(a), tg_data(b), bytes) == 0, "elements changed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!input[0]) make_names();
    FILE *file = fopen(input, "wb");
    require(file && fwrite(data, 1, size, file) == size && fclose(file) == 0, "cannot write the input");
    const tg_mark mark = tg_tape_mark();
    fuzz_load(input, output);
    require(tg_error_status() == TG_OK || strstr(tg_error_message(), input),
            "an error without the name of the file");
    tg_error_clear();
    require(tg_tape_rewind(mark) == TG_OK, "cannot rewind");
    return 0;
}

#ifdef TG_FUZZ_REPLAY
enum { MOST = 1 << 16, SEEDS = 256 };

static struct seed {
    uint8_t *bytes;
    size_t n;
} seeds[SEEDS];
static int n_seeds;
static uint64_t state;

static size_t below(size_t n) { /* splitmix64 */
    uint64_t z = (state += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return n ? (size_t)((z ^ z >> 31) % n) : 0;
}

static void read_seed(const char *path);

static bool read_folder(const char *path) {
    DIR *dir = opendir(path);
    if (!dir) return false;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        char inner[PATH_MAX + 256];
        int n = snprintf(inner, sizeof inner, "%s/%s", path, e->d_name);
        if (e->d_name[0] != '.' && n < (int)sizeof inner) read_seed(inner);
    }
    closedir(dir);
    return true;
}

static void read_seed(const char *path) {
    static uint8_t data[MOST];
    if (read_folder(path)) return;
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    const size_t n = fread(data, 1, sizeof data, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, n);
    struct seed *s = &seeds[n_seeds];
    if (n_seeds == SEEDS || !(s->bytes = malloc(n + 1))) return;
    memcpy(s->bytes, data, n);
    s->n = n;
    n_seeds++;
}

/* Where a change is made: mostly in front, where headers are. */
static size_t place(size_t n) { return below(below(3) && n > 256 ? 256 : n); }

/* Makes one change to `data` of length n; returns the new length. */
static size_t change(uint8_t *data, size_t n) {
    static const char tokens[] = "0123456789{}[]()<>:,'\"-.+eEL \n\\u|OfiubTF\x00\x7f\x80\xff";
    const size_t at = place(n);
    if (n == 0) return 0;
    switch (below(8)) {
    case 0:
        data[at] ^= (uint8_t)(1 << below(8));
        return n;
    case 1:
        data[at] = (uint8_t)below(256);
        return n;
    case 2:
        return at;
    case 3: { /* a part again, somewhere else */
        const size_t from = place(n), count = below(n - (from > at ? from : at)) % 64;
        memmove(data + at, data + from, count);
        return n;
    }
    case 4: /* a byte more */
        if (n == MOST) return n;
        memmove(data + at + 1, data + at, n - at);
        data[at] = (uint8_t)tokens[below(sizeof tokens - 1)];
        return n + 1;
    case 5: { /* some fewer */
        const size_t count = 1 + below(n - at) % 16;
        if (at + count > n) return at;
        memmove(data + at, data + at + count, n - at - count);
        return n - count;
    }
    case 6: { /* the rest of another file */
        const struct seed *s = &seeds[below((size_t)n_seeds)];
        const size_t from = place(s->n), count = s->n - from < MOST - at ? s->n - from : MOST - at;
        memcpy(data + at, s->bytes + from, count);
        return at + count;
    }
    default:
        data[at] = (uint8_t)tokens[below(sizeof tokens - 1)];
        return n;
    }
}

static void mutate(long count) {
    static uint8_t data[MOST];
    for (long i = 0; i < count && n_seeds > 0; i++) {
        const struct seed *s = &seeds[below((size_t)n_seeds)];
        size_t n = s->n;
        memcpy(data, s->bytes, n);
        for (size_t times = 1 + below(4); times > 0; times--) n = change(data, n);
        LLVMFuzzerTestOneInput(data, n);
    }
}

int main(int argc, char **argv) {
    long count = 0;
    int option;
    while ((option = getopt(argc, argv, "n:s:")) != -1) {
        if (option == 'n')
            count = atol(optarg);
        else if (option == 's')
            state = strtoull(optarg, NULL, 10);
        else
            return 2;
    }
    for (int i = optind; i < argc; i++) read_seed(argv[i]);
    mutate(count);
    printf("%d files, %ld inputs made of them\n", n_seeds, count);
    for (int i = 0; i < n_seeds; i++) free(seeds[i].bytes);
    tg_memory_trim();
    return 0;
}
#endif
