/* The last files of a training, and the best. A file has up to three names: its own, the latest and the best. */
#include "ops/nn/model/state_file.h"
#include "core/work.h"
#include "ops/nn/train/training_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char who[] = "tg_training_keep";

enum { DIGITS = 12 };
#define NUMBER_END INT64_C(1000000000000) /* 10^DIGITS */
#define ENDING ".safetensors"

/* Writes "<folder>/<name>.safetensors". */
static tg_status path_of(char out[PATH_MAX], const char *folder, const char *name) {
    int n = snprintf(out, PATH_MAX, "%s/%s" ENDING, folder, name);
    if (n >= 0 && n < PATH_MAX) return TG_OK;
    return tg_fail(TG_ERR_ARGUMENT, "%s: the path %.200s.. is too long", who, folder);
}

static tg_status numbered_path(char out[PATH_MAX], const char *folder, int64_t number) {
    char name[32];
    snprintf(name, sizeof name, "step-%0*lld", DIGITS, (long long)number);
    return path_of(out, folder, name);
}

static tg_status system_error(const char *what, const char *path) {
    return tg_fail(TG_ERR_IO, "%s: %s %.200s: %s", who, what, path, strerror(errno));
}

/* The folder's entries go to disk. */
static tg_status sync_folder(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return system_error("cannot open the folder", folder);
    int failed = fsync(fd);
    tg_status s = failed && errno != EINVAL ? system_error("cannot write the folder", folder) : TG_OK;
    close(fd);
    return s;
}

/* "<folder>/<name>.safetensors" becomes another name of the file at `path`, or a copy where there are no links. In between
 * it is what it was: a link is made beside it, and takes its place. */
static tg_status name_too(const tg_training *run, const char *folder, const char *name, const char *path,
                          const double *score) {
    char to[PATH_MAX], beside[PATH_MAX];
    char other[64];
    snprintf(other, sizeof other, ".%s-%ld", name, (long)getpid());
    if (path_of(to, folder, name) != TG_OK || path_of(beside, folder, other) != TG_OK)
        return tg_error_status();
    unlink(beside); /* a process of this number that was killed may have left it */
    bool done = link(path, beside) == 0 && rename(beside, to) == 0;
    unlink(beside); /* which rename leaves alone where both are one file already */
    return done ? TG_OK : tg_training_write(run, to, score);
}

/* Whether this score is better than that of the best file; one that is damaged is worse than any. */
static tg_status compare(const char *folder, double score, bool lower, bool *better) {
    char path[PATH_MAX];
    *better = !isnan(score);
    if (path_of(path, folder, "best") != TG_OK || isnan(score) || access(path, F_OK) != 0)
        return tg_error_status();
    double best = 0;
    tg_safetensors *set = tg_safetensors_open(path);
    if (set) tg_state_get_real(&(tg_state_file){set, who, path}, TG_TRAINING_SCORE, &best);
    tg_safetensors_free(set);
    *better = lower ? score < best : score > best;
    if (!set && tg_error_status() == TG_ERR_FORMAT) {
        tg_error_clear(); /* this function's own: it does not begin while another is pending */
        *better = true;
    }
    return tg_error_status();
}

/* The number of a file that was kept, or -1. */
static int64_t number_of(const char *file) {
    if (strncmp(file, "step-", 5) != 0 || strspn(file + 5, "0123456789") != DIGITS) return -1;
    return strcmp(file + 5 + DIGITS, ENDING) == 0 ? strtoll(file + 5, NULL, 10) : -1;
}

/* How many files with a number there are, and the lowest; -1 with an error raised. */
static int scan(const char *folder, int64_t *lowest) {
    DIR *d = opendir(folder);
    if (!d) {
        system_error("cannot read the folder", folder);
        return -1;
    }
    int count = 0;
    for (const struct dirent *e; (e = readdir(d));) {
        int64_t number = number_of(e->d_name);
        if (number < 0) continue;
        if (!count || number < *lowest) *lowest = number;
        count++;
    }
    closedir(d);
    return count;
}

static tg_status remove_old(const char *folder, int last) {
    char path[PATH_MAX];
    int64_t lowest = 0;
    int count;
    while ((count = scan(folder, &lowest)) > last) {
        if (numbered_path(path, folder, lowest) != TG_OK) return tg_error_status();
        if (unlink(path) != 0 && errno != ENOENT) /* another process may keep in this folder too */
            return system_error("cannot remove", path);
    }
    return count < 0 ? tg_error_status() : TG_OK;
}

static tg_status keep(const tg_training *run, const char *folder, int64_t number, double score,
                      tg_training_keep_opts opts) {
    char path[PATH_MAX];
    bool better = false;
    if (numbered_path(path, folder, number) != TG_OK ||
        compare(folder, score, opts.lower, &better) != TG_OK || tg_training_write(run, path, &score) != TG_OK)
        return tg_error_status();
    if (better && name_too(run, folder, "best", path, &score) != TG_OK) return tg_error_status();
    if (name_too(run, folder, "latest", path, &score) != TG_OK || sync_folder(folder) != TG_OK)
        return tg_error_status();
    return remove_old(folder, opts.last ? opts.last : 1);
}

tg_status tg_training_keep_with(const tg_training *run, const char *folder, int64_t number, double score,
                                tg_training_keep_opts opts) {
    TG_NAMED("tg_training_keep");
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!tg_may_do("tg_training_keep")) return tg_error_status();
    if (!folder || !*folder)
        return tg_fail(TG_ERR_ARGUMENT, "%s: the folder is %s", who, folder ? "an empty text" : "NULL");
    if (number < 0 || number >= NUMBER_END || opts.last < 0)
        return tg_fail(TG_ERR_ARGUMENT,
                       "%s: the number %lld and how many to keep, %d, must not be negative, and the "
                       "number has at most %d digits",
                       who, (long long)number, opts.last, DIGITS);
    if (!tg_training_reads_only(run)) keep(run, folder, number, score, opts);
    return tg_training_agree(run);
}
