/* A folder of each test's own for what plans have compiled. Whoever includes this defines _XOPEN_SOURCE as 700 before. */
#ifndef TESTS_CACHE_FOLDER_H
#define TESTS_CACHE_FOLDER_H

#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char folder[] = "/tmp/tapegrad-test-XXXXXX";

static inline void make_cache_folder(void) {
    strcpy(strrchr(folder, '-'), "-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    setenv("TG_CACHE", folder, 1);
}

static inline int remove_one(const char *path, const struct stat *s, int type, struct FTW *at) {
    (void)s, (void)type, (void)at;
    return remove(path);
}

static inline void remove_cache_folder(void) {
    nftw(folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    unsetenv("TG_CACHE");
}

#endif
