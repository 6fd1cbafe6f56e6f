/* Private. A row being checked. */
#ifndef TG_OPS_NN_CHECK_SUITE_PRIVATE_H
#define TG_OPS_NN_CHECK_SUITE_PRIVATE_H

#include "ops/nn/check/suite.h"

enum { TG_CHECK_MOST_TENSORS = 64 }; /* inputs, then parameters of the model */

typedef struct tg_trial {
    const tg_check_row *row;
    const tg_check_suite_opts *opts;
    tg_check_result *result;
    int n; /* inputs */
    tg_shape shape[TG_CHECK_MOST_INPUTS];
    char letter; /* the size of this one, '*' of all, is `size` for the time being */
    int64_t size;
    uint64_t seed;
    int points;
    int planted, caught;
    int fault, faulty; /* what is planted at which input: planted.c; 0: nothing */
} tg_trial;

/* A check: it passes where it returns. */
typedef void (*tg_check_fn)(tg_trial *t);

/* The end of a check; the first call counts. */
void tg_trial_fail(tg_trial *t, const char *format, ...) TG_PRINTF(2, 3);
void tg_trial_skip(tg_trial *t, const char *format, ...) TG_PRINTF(2, 3);

/* Whether nothing has gone wrong so far; a pending error fails the check in the name of `doing`, and is cleared. */
bool tg_trial_good(tg_trial *t, const char *doing);

/* Reads the shapes, with the size of `letter` replaced by `size` (0: of none, '*': of all). False with the check failed. */
bool tg_trial_shapes(tg_trial *t, char letter, int64_t size);

/* The letters of the row, each once; returns how many. */
int tg_trial_letters(const tg_trial *t, char letters[26]);

/* Whether a gradient flows to input i. */
bool tg_trial_takes_gradient(const tg_trial *t, int i);

/* Makes the inputs, of float type f, and behind them the model's parameters; returns how many there are in all. Numbers are
 * such that f32 holds them, and the same for both types. `point` tells draws apart. -1 with the check failed. */
int tg_trial_inputs(tg_trial *t, tg_dtype f, int point, bool grad, tg_tensor *in[TG_CHECK_MOST_TENSORS]);

/* The function as it is checked: `user` is the trial. */
tg_tensor *tg_trial_run(tg_tensor *const *in, void *user);

/* The same for a caller that is no function of autograd's: one bracket around it. NULL with the check failed. */
tg_tensor *tg_trial_call(tg_trial *t, tg_tensor *const *in);

/* Numbers +-[0.5, 1.5) in the shape and dtype of y. */
tg_tensor *tg_trial_seed(const tg_trial *t, const tg_tensor *y, uint64_t salt);

/* The gradients of seed . f by those of the n tensors that require one: their number, their places `at`, and g. -1 with the
 * check failed, 0 where nothing requires one. */
int tg_trial_gradients(tg_trial *t, int n, tg_tensor *const *in, bool record, tg_tensor **y, int *at,
                       tg_tensor **g);

/* Compares a with b: of one shape, and |a - b| <= rtol times the largest of |b|; NaN where b is NaN.
 * Fails the check in the name of `what`. */
bool tg_trial_compare(tg_trial *t, const char *what, const tg_tensor *a, const tg_tensor *b, double rtol);

/* ---- the checks ---- */

void tg_check_first(tg_trial *t);
void tg_check_second(tg_trial *t);
void tg_check_kernel(tg_trial *t);
void tg_check_adjoint(tg_trial *t);
void tg_check_f32(tg_trial *t);
void tg_check_layout(tg_trial *t);
void tg_check_shapes(tg_trial *t);
void tg_check_empty(tg_trial *t);
void tg_check_nan(tg_trial *t);
void tg_check_plan(tg_trial *t);
void tg_check_planted(tg_trial *t);

/* tg_gradcheck of f on the inputs of this point; false with the check failed where these cannot be made, and true with r
 * where it has run, whatever it says. */
bool tg_trial_judge(tg_trial *t, tg_function f, tg_gradcheck_opts opts, int point, tg_gradcheck_report *r);

/* The same, and what it says is the end of the check unless it passes. */
void tg_trial_expect(tg_trial *t, const char *what, tg_function f, tg_gradcheck_opts opts, int point);

/* x, with the trial's fault in its gradient. */
tg_tensor *tg_trial_plant(const tg_trial *t, tg_tensor *x);

/* ---- reports ---- */

typedef struct tg_results {
    const char *suite;
    const tg_check_result *result;
    int n, failed, skipped;
    double seconds;
} tg_results;

void tg_write_tap(FILE *file, const tg_results *r);
void tg_write_junit(FILE *file, const tg_results *r);

#endif
