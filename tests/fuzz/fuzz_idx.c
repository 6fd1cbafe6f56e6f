/* Loads the input as an IDX file and, where that works, saves and loads it again: the two tensors must agree.
 * LIBRARY is the static one, built with zlib.
 *
 *     clang -fsanitize=fuzzer,address,undefined -I. tests/fuzz/fuzz_idx.c LIBRARY
 *
 * With -DTG_FUZZ_REPLAY it is a plain program that runs once over each file named on its command line.
 */
#define _POSIX_C_SOURCE 200809L
#include "autograd/tape.h"
#include "core/io/idx.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char input[512], output[520];

static void remove_files(void) {
    unlink(input);
    unlink(output);
}

static void make_names(void) {
    const char *base = getenv("TMPDIR");
    snprintf(input, sizeof input, "%s/fuzz-idx-XXXXXX", base ? base : "/tmp");
    const int fd = mkstemp(input);
    if (fd < 0) {
        perror(input);
        exit(2);
    }
    close(fd);
    snprintf(output, sizeof output, "%s.gz", input);
    atexit(remove_files);
}

static void require(int ok, const char *what) {
    if (ok) return;
    fprintf(stderr, "fuzz_idx: %s: %s\n", what, tg_error_message());
    abort();
}

static void check_round_trip(const tg_tensor *t) {
    require(tg_save_idx(t, output) == TG_OK, "what was loaded cannot be saved");
    const tg_tensor *back = tg_load_idx(output);
    require(tg_error_status() == TG_OK, "what was saved cannot be loaded");
    require(tg_dtype_of(t) == tg_dtype_of(back) && tg_shape_equal(tg_shape_of(t), tg_shape_of(back)),
            "dtype or shape changed");
    const size_t bytes = (size_t)tg_numel(t) * tg_dtype_size(tg_dtype_of(t));
    require(bytes == 0 || memcmp(tg_data(t), tg_data(back), bytes) == 0, "elements changed");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (!input[0]) make_names();
    FILE *file = fopen(input, "wb");
    require(file && fwrite(data, 1, size, file) == size && fclose(file) == 0, "cannot write the input");
    const tg_mark mark = tg_tape_mark();
    const tg_tensor *t = tg_load_idx(input);
    if (tg_error_status() == TG_OK)
        check_round_trip(t);
    else
        require(tg_is_poison(t) && strstr(tg_error_message(), input), "an error without poison or file name");
    tg_error_clear();
    require(tg_tape_rewind(mark) == TG_OK, "cannot rewind");
    return 0;
}

#ifdef TG_FUZZ_REPLAY
static void replay(const char *path) {
    FILE *file = fopen(path, "rb");
    if (!file) {
        perror(path);
        exit(2);
    }
    static uint8_t data[1 << 20];
    const size_t n = fread(data, 1, sizeof data, file);
    fclose(file);
    LLVMFuzzerTestOneInput(data, n);
}

int main(int argc, char **argv) {
    for (int i = 1; i < argc; i++) replay(argv[i]);
    printf("%d inputs\n", argc - 1);
    return 0;
}
#endif
