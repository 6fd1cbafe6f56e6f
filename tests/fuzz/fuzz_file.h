/* A fuzz target for a file format: fuzz_file.c makes a file of each input, and has what is common.
 *
 *     clang -fsanitize=fuzzer,address,undefined -I. -DTG_HAVE_ZLIB tests/fuzz/fuzz_NAME.c tests/fuzz/fuzz_file.c LIBRARY
 *
 * LIBRARY is the static one, built by clang with -Db_sanitize=address,undefined, and the libraries that its .pc names.
 * With -DTG_FUZZ_REPLAY it is a plain program, `fuzz_NAME [-n COUNT] [-s SEED] FILE|FOLDER...`, which runs over each file and then
 * over COUNT inputs that it makes of these by changing, cutting, repeating and joining them.
 */
#ifndef TG_TESTS_FUZZ_FILE_H
#define TG_TESTS_FUZZ_FILE_H

#include "autograd/tape.h"

extern const char fuzz_name[];   /* of the program */
extern const char fuzz_suffix[]; /* of what it writes */

/* Loads `input`, and where that works saves it as `output` and loads that again: the two must agree. */
void fuzz_load(const char *input, const char *output);

/* Ends the program, with the pending error, when it is false. */
void require(int ok, const char *what);
void require_equal(const tg_tensor *a, const tg_tensor *b);

#endif
