/* Random programs: rows of the op suite chained at random, with releases, checkpoints, hooks, marks and changes in place
 * between them. A program is a function of its seed, so that it can be run again in another way and held to the same:
 *
 *   programs.c        the command line; which checks a program gets
 *   program_run.c     a program as a chain of steps
 *   program_steps.c   steps that are no ops
 *   program_hooks.c   hooks that do what hooks may do
 *   program_check.c   differences, threads, instruction sets
 *   program_plan.c    recorded and replayed
 */
#ifndef TG_TESTS_FUZZ_PROGRAMS_H
#define TG_TESTS_FUZZ_PROGRAMS_H

#include "tests/ops/harness.h"

enum { MOST_LEAVES = 3, MOST_VALUES = 12 };

/* What makes two runs differ: everything else follows from the seed. */
typedef struct program {
    uint64_t seed;
    tg_dtype dtype;
    bool large;   /* sizes that several threads share */
    bool compare; /* each op under every instruction set */
    bool planned; /* a step of a plan: without errors on purpose, */
    bool plain;   /* and without hooks, which it does refuse */
    int steps;
    double at; /* leaf l is base + at * direction */
} program;

/* The state of a run. The values are what steps choose their inputs from; the first `fixed` are not released. */
typedef struct run {
    const program *p;
    uint64_t choice;
    int depth; /* of checkpoints and garbage */
    tg_tensor *value[MOST_VALUES];
    int n, fixed;
} run;

/* ---- programs.c ---- */
void finding(const program *p, const char *format, ...) TG_PRINTF(2, 3);
void count_step(const char *name); /* for the summary */

/* ---- program_run.c ---- */
uint64_t random_bits(uint64_t *state);
int64_t below(run *r, int64_t n);
double between(run *r, double lo, double hi);

/* Fills leaf[], which require a gradient, and returns the scalar made of them; NULL with a finding. */
tg_tensor *run_program(const program *p, tg_tensor **leaf, int *n_leaves);
/* The two halves of that: leaves, of which the odd ones are parameters; and the scalar made of the values that a run begins
 * with, NULL when it fails. */
void make_leaves(run *r, tg_tensor **leaf, int *n_leaves);
tg_tensor *run_on_values(run *r);
void direction_of(const program *p, int l, tg_tensor *out);
void free_kept(void); /* the leaves that are parameters, after a run */
void run_steps(run *r, int steps);
extern int rows_given_up; /* which the numbers or sizes did not suit, so far */
void add_value(run *r, tg_tensor *t);
tg_tensor *any_value(run *r);
tg_tensor *constant(run *r, tg_shape shape);

/* ---- program_steps.c, program_hooks.c ---- */
void step_besides(run *r); /* one of those that are no op */
void step_hook(run *r);
void forget_users(void); /* what checkpoints were given, at the start of a run */

/* ---- program_plan.c ---- */
void check_planned(uint64_t seed, bool large, bool compile);
void print_planned(void); /* what became of the plans */

/* ---- program_check.c ---- */
void compare_sets(const program *p, const trial *t, tg_tensor *const *leaf, const tg_tensor *y);
bool check_program(uint64_t seed, bool large); /* false: not smooth there, so that differences say nothing */

#endif
