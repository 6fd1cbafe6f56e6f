#define _GNU_SOURCE
#include "tests/core/files.h"
#include "ops/tapegrad.h"
#include "core/memory.h"
#include "core/slot.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

char folder[512];
static int64_t tensors_before;

void files_setup(void) {
    const char *base = getenv("TMPDIR");
    snprintf(folder, sizeof folder, "%s/tapegrad-XXXXXX", base ? base : "/tmp");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    tg_error_clear();
    tensors_before = tg_region_current()->count;
}

void files_teardown(void) {
    tg_memory_fail_at(-1);
    tg_error_clear();
    files_in_folder(true);
    ck_assert_int_eq(rmdir(folder), 0);
    tg_region_rewind(tg_region_current(), tensors_before);
}

char *in_folder(const char *name) {
    static char path[8][1024];
    static int next;
    char *p = path[next++ % COUNT(path)];
    snprintf(p, sizeof path[0], "%s/%s", folder, name);
    return p;
}

int files_in_folder(bool remove_them) {
    int n = 0;
    DIR *dir = opendir(folder);
    ck_assert_ptr_nonnull(dir);
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0) continue;
        n++;
        if (remove_them) remove(in_folder(e->d_name));
    }
    closedir(dir);
    return n;
}

void write_file(const char *path, const void *bytes, size_t n) {
    FILE *f = fopen(path, "wb");
    ck_assert_ptr_nonnull(f);
    ck_assert_uint_eq(fwrite(bytes, 1, n, f), n);
    ck_assert_int_eq(fclose(f), 0);
}

size_t read_file(const char *path, void *bytes, size_t room) {
    FILE *f = fopen(path, "rb");
    ck_assert_msg(f != NULL, "%s", path);
    const size_t n = fread(bytes, 1, room, f);
    fclose(f);
    return n;
}

bool exists(const char *path) { return access(path, F_OK) == 0; }

int open_descriptors(void) {
    int n = 0;
    for (int fd = 0; fd < 256; fd++) n += lseek(fd, 0, SEEK_CUR) != -1 || errno != EBADF;
    return n;
}

char *golden_file(const char *name) {
    static char path[1024];
    const char *root = getenv("TG_SOURCE_ROOT");
    snprintf(path, sizeof path, "%s/tests/golden/%s", root ? root : ".", name);
    ck_assert_msg(exists(path), "%s is not readable: run from the root of the sources, or set TG_SOURCE_ROOT",
                  path);
    return path;
}

void expect_file_error(tg_status status, const char *path, const char *says) {
    const char *message = tg_error_message();
    ck_assert_msg(tg_error_status() == status, "%s: %s", tg_status_name(tg_error_status()), message);
    ck_assert_msg(strstr(message, path) != NULL, "no path in: %s", message);
    ck_assert_msg(strstr(message, says) != NULL, "no \"%s\" in: %s", says, message);
    ck_assert_msg(strstr(message, "(test_") != NULL, "no place in: %s", message);
    tg_error_clear();
}

bool has_zlib(void) {
    const char *packed = in_folder("zlib.idx.gz");
    const bool ok = tg_save_idx(tg_zeros(TG_U8, 1), packed) == TG_OK;
    if (!ok) {
        ck_assert_int_eq(tg_error_status(), TG_ERR_IO);
        ck_assert_ptr_nonnull(strstr(tg_error_message(), "no zlib"));
    }
    tg_error_clear();
    remove(packed);
    return ok;
}

void fill_disk(bool full) {
    static struct rlimit was;
    static void (*handler)(int);
    if (full) {
        ck_assert_int_eq(getrlimit(RLIMIT_FSIZE, &was), 0);
        struct rlimit limit = {.rlim_cur = 4096, .rlim_max = was.rlim_max};
        handler = signal(SIGXFSZ, SIG_IGN);
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
    } else {
        ck_assert_int_eq(setrlimit(RLIMIT_FSIZE, &was), 0);
        signal(SIGXFSZ, handler);
    }
}
