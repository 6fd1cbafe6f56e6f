/* usage: bench_files FOLDER [MIB]
 * Saves and loads a safetensors file of MIB (1024) in FOLDER, beside what cp and cat take for the same bytes, in turn, so that all
 * see the same machine; prints the best of several rounds in seconds and in percent of cp's or cat's rate. The file is in the
 * system's cache. "first" is the load of a new process, whose memory the system has to clear; "again" the next, into memory that it
 * has already. The last row is the peak of resident memory of such a process less the file, in MiB (Linux). */
#define _POSIX_C_SOURCE 200809L
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <tapegrad.h>
#include <time.h>

enum { ROUNDS = 7, TENSORS = 16 };

static char path[1000];

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void stop(const char *why) {
    fprintf(stderr, "bench_files: %s\n", why);
    exit(1);
}

static double load(void) {
    const tg_mark mark = tg_tape_mark();
    const double start = now();
    tg_safetensors *set = tg_safetensors_open(path);
    for (int64_t i = 0; i < tg_safetensors_count(set); i++)
        tg_safetensors_get(set, tg_safetensors_name(set, i));
    tg_safetensors_free(set);
    const double seconds = now() - start;
    if (tg_error_status() != TG_OK) stop(tg_error_message());
    tg_tape_rewind(mark);
    return seconds;
}

/* What the program prints when it is called with "load": the seconds of two loads, and its peak in MiB. */
static int print_loads(void) {
    struct rusage usage;
    const double first = load(), again = load();
    getrusage(RUSAGE_SELF, &usage);
    printf("%g %g %g\n", first, again, (double)usage.ru_maxrss / 1024);
    return 0;
}

static double run(const char *format) {
    char command[4000];
    snprintf(command, sizeof command, format, path, path, path);
    const double start = now();
    if (system(command) != 0) stop(command);
    return now() - start;
}

static void keep_best(double *best, double seconds) {
    if (*best == 0 || seconds < *best) *best = seconds;
}

static void read_loads(const char *program, double *first, double *again, double *peak) {
    char command[4000];
    snprintf(command, sizeof command, "'%s' load '%s'", program, path);
    FILE *f = popen(command, "r");
    double a, b;
    if (!f || fscanf(f, "%lf %lf %lf", &a, &b, peak) != 3) stop(command);
    pclose(f);
    keep_best(first, a);
    keep_best(again, b);
}

static tg_safetensors *make_set(long mib) {
    tg_safetensors *set = tg_safetensors_new();
    char name[32];
    for (int i = 0; i < TENSORS; i++) {
        snprintf(name, sizeof name, "tensor %d", i);
        tg_safetensors_put(set, name, tg_full(TG_F32, i + 0.5, mib * (1 << 20) / 4 / TENSORS));
    }
    return set;
}

int main(int argc, char **argv) {
    if (argc < 2) stop("usage: bench_files FOLDER [MIB]");
    const bool loads = strcmp(argv[1], "load") == 0;
    snprintf(path, sizeof path, loads ? "%s" : "%s/bench_files.safetensors", argv[loads ? 2 : 1]);
    if (loads) return print_loads();
    const long mib = argc > 2 ? atol(argv[2]) : 1024;
    tg_safetensors *set = make_set(mib);
    double save = 0, cp = 0, cat = 0, first = 0, again = 0, peak = 0;
    for (int i = 0; i < ROUNDS; i++) {
        const double start = now();
        if (tg_safetensors_save(set, path) != TG_OK) stop(tg_error_message());
        keep_best(&save, now() - start);
        keep_best(&cp, run("cp '%s' '%s.copy'"));
        keep_best(&cat, run("cat '%s' >/dev/null"));
        read_loads(argv[0], &first, &again, &peak);
    }
    run("rm '%s' '%s.copy'");
    printf("save\t%.3f\t%.0f %% of cp's %.3f\n", save, 100 * cp / save, cp);
    printf("load, first\t%.3f\t%.0f %% of cat's %.3f\n", first, 100 * cat / first, cat);
    printf("load, again\t%.3f\t%.0f %%\n", again, 100 * cat / again);
    printf("memory beside the file\t%.0f MiB\n", peak - (double)mib);
    tg_safetensors_free(set);
    return 0;
}
