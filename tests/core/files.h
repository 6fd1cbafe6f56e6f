/* A folder for each test of a file format, and what such tests look at. */
#ifndef TESTS_CORE_FILES_H
#define TESTS_CORE_FILES_H

#include "tests/core/helpers.h"

#include <stdio.h>

/* The test's own folder, which is empty again, but for what the test says, when it ends. */
extern char folder[512];

void files_setup(void);
void files_teardown(void);
char *in_folder(const char *name); /* a path; of the next eight calls each gives another */

int files_in_folder(bool remove_them);
void write_file(const char *path, const void *bytes, size_t n);
size_t read_file(const char *path, void *bytes, size_t room); /* how many bytes there were */
bool exists(const char *path);
int open_descriptors(void);

/* A file of tests/golden; the test fails where there is none. */
char *golden_file(const char *name);

/* The pending error has this status, names the file and the line of the call, and says this; then it is cleared. */
void expect_file_error(tg_status status, const char *path, const char *says);

/* Whether the library was built with zlib: it then can write .gz. */
bool has_zlib(void);

/* Makes files no longer than 4096 bytes, as on a disk that is full, until it is called with false. */
void fill_disk(bool full);

#endif
