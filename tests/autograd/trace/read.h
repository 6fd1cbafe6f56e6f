/* A trace, written as JSON and read back. */
#ifndef TESTS_AUTOGRAD_TRACE_READ_H
#define TESTS_AUTOGRAD_TRACE_READ_H

#include "tests/autograd/helpers.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A folder for each test, which is empty again when it ends. */
extern char trace_folder[64];
void trace_setup(void);
void trace_teardown(void);
char *trace_path(const char *name);             /* of the next four calls each gives another */
char *read_all(const char *path, size_t *size); /* to be freed */

/* The trace as JSON, which the caller releases. */
json_t *traced(tg_mark mark, tg_trace_opts opts);

json_t *item(const json_t *root, const char *list, int64_t i);
int64_t number_in(const json_t *o, const char *name); /* -1: null */
double real_of(const json_t *number);                 /* that may be "nan", "inf" or "-inf" */

/* Element i of entry `index` of the values. */
double element(const json_t *root, int64_t index, int64_t i);
int64_t shown(const json_t *root, int64_t index); /* how many there are */

/* The entry has the elements of t, to the last bit, or the first of them and a summary that is right. */
void expect_elements(const json_t *root, int64_t index, const tg_tensor *t);

/* a and b are the same double, or both NaN. */
static inline bool same(double a, double b) { return a == b || (isnan(a) && isnan(b)); }

/* The tensor of that name in the trace. */
int64_t tensor_named(const json_t *root, const char *name);

#endif
