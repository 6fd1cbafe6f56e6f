/* Hostile calls: every public function, with every kind of bad argument.
 *
 * hostile.awk reads the public headers and writes hostile_calls.c, in which each function is called with arguments drawn
 * by the functions below. A sequence of calls starts from a seed and a fresh set of tensors, models and tapes; what calls
 * return is what later calls are given. After each call hostile_check.c looks at what the manual promises of errors, and
 * at what must not have changed.
 *
 *   hostile.c            sequences, findings, the command line
 *   hostile_check.c      what holds before and after a call
 *   hostile_values.c     numbers, texts, shapes, memory
 *   hostile_tensors.c    tensors of all states; arrays, spoiled ones too
 *   hostile_threads.c    another thread that works meanwhile, and one that has ended
 *   hostile_objects.c    models, optimisers, tapes, marks, alive and ended
 *   hostile_files.c      files and folders of all kinds
 *   hostile_callbacks.c  functions that fail, misbehave, and call the library
 *   hostile_ops.c        ops of a user's own, and applications of ops
 *   hostile_rules.c      rules of optimisers, a user's own among them
 *   hostile_schedules.c  formulas of learning rates, schedules
 *   hostile_training.c   training loops, losses, metrics
 *   hostile_plots.c      pictures
 *   hostile_traces.c     what traces and grades are made of
 *   hostile_plans.c      plans, whose steps misbehave
 *   hostile_profiles.c   profiles, which measure while the others are called
 *   hostile_suites.c     gradient checks of plain functions, and suites
 *   hostile_own.c        calls that need more than their types say
 *   hostile_exceptions   what is not called, and why
 */
#ifndef TG_TESTS_FUZZ_HOSTILE_H
#define TG_TESTS_FUZZ_HOSTILE_H

#include "ops/loss/cross_entropy.h"
#include "ops/tapegrad.h"

#include <limits.h>
#include <stdio.h>

typedef struct hostile_call {
    const char *name;
    void (*make)(void);
} hostile_call;

extern const hostile_call hostile_calls[]; /* hostile_calls.c */
extern const int n_hostile_calls;

#define COUNT(array) (int)(sizeof(array) / sizeof *(array))
#define CAPACITY 4096         /* elements of every array that a call is given */
#define MOST_BYTES (1u << 20) /* an allocation of more fails, so that no call takes long */

/* What a failing call must leave as it was. */
typedef struct hostile_state {
    size_t live_bytes;
    int64_t tensors, nodes;
    tg_tape *tape;
    bool recording;
    int threads;
    tg_rng rng;
} hostile_state;

/* A call under way; a callback may make further ones. */
typedef struct hostile_frame {
    const hostile_call *call;
    char text[2048]; /* the arguments, for findings */
    int used;
    unsigned badness; /* one argument in so many is bad; 0: none */
    hostile_state before;
    bool pending;          /* an error was pending before it */
    char message[4096];    /* that error's text */
    bool disturbed;        /* a callback has changed what it likes */
    bool working;          /* another thread works meanwhile */
    bool garbage;          /* options are drawn, in all fields bad ones */
    int count;             /* the number drawn last */
    const tg_op *op;       /* the op drawn last */
    tg_tensor *last;       /* the tensor drawn last */
    struct callback *user; /* what a callback is given */
} hostile_frame;

#define MOST_NESTED 4
extern hostile_frame hostile_frames[MOST_NESTED];
extern int hostile_depth;    /* frames in use */
extern int hostile_composed; /* compositions under way: what fails inside goes with the end of the outermost */
#define FRAME (&hostile_frames[hostile_depth - 1])

/* ---- hostile.c ---- */
uint64_t random_bits(void);
int64_t below(int64_t n); /* 0 .. n - 1 */
bool one_in(unsigned n);
bool bad(void); /* whether this argument is to be a bad one */
void finding(const char *format, ...) TG_PRINTF(1, 2);
void make_call(const hostile_call *call);
const hostile_call *find_hostile(const char *name); /* NULL: none */

/* ---- hostile_check.c ---- */
void note(const char *format, ...) TG_PRINTF(1, 2); /* adds to the text of the call */
bool watch_output(void);                            /* false: that is not possible */
void show_output(int fd);                           /* what was printed although nothing may be */
hostile_state state_now(void);
void call_begin(void);

void end_void(void);
void end_tg_tensor_p(tg_tensor *t);
void end_tg_status(tg_status s);
void end_bool_failed(bool failed, const char *as); /* whether the result says that the call failed */

/* ---- results ---- */
void end_tg_model_p(tg_model *m);
void end_tg_optim_p(tg_optim *o);
void end_tg_safetensors_p(tg_safetensors *s);
void end_tg_npz_p(tg_npz *s);
void end_tg_loader_p(tg_loader *l);
void end_tg_vocab_p(tg_vocab *v);
void end_tg_dist_stats(tg_dist_stats s);
void end_tg_kv_cache_p(tg_kv_cache *c);
void end_tg_grad_profile_p(tg_grad_profile *p);
void end_tg_lr(tg_lr lr);
void end_tg_schedule_p(tg_schedule *s);
void end_tg_optim_rule_p(const tg_optim_rule *r);
void end_tg_tape_p(tg_tape *t);
void end_tg_mark(tg_mark m);
void end_tg_layer_start(tg_layer_start s);
void end_text(const char *s);
void end_char_p(char *s);
void end_const_void_p(const void *p);
void end_void_p(void *p);
void end_tg_array_p(const tg_array *a);
void end_tg_node_p(const tg_node *n);
void end_tg_op_p(const tg_op *op);
void end_tg_op_entry_p(const tg_op_entry *e);
void end_tg_rng_p(tg_rng *rng);

/* ---- values ---- */
int draw_int(const char *name);
int64_t draw_int64_t(const char *name);
int64_t monster(void); /* a number that nothing has so many of */
size_t draw_size_t(const char *name);
uint64_t draw_uint64_t(const char *name);
double draw_double(const char *name);
double *draw_double_p(const char *name);
bool draw_bool(const char *name);
int draw_enum(const char *name, int count);
tg_shape draw_tg_shape(const char *name);
tg_shape *draw_tg_shape_p(const char *name);
size_t *draw_size_t_p(const char *name);
int *draw_int_p(const char *name);
int64_t *draw_int64_t_p(const char *name);
uint32_t *draw_uint32_t_p(const char *name);
const char *draw_text(const char *name);
char *draw_char_p(const char *name);
void *draw_void_p(const char *name);
const void *draw_const_void_p(const char *name);
void draw_open(const char *name); /* around the fields of options */
void draw_close(void);
bool draw_field(void);       /* whether the next field is given */
void *scratch(size_t bytes); /* memory until the end of the sequence */
void forget_scratch(void);

/* ---- tensors ---- */
tg_tensor *draw_tg_tensor_p(const char *name);
tg_tensor **draw_tg_tensor_in(const char *name);
tg_tensor **draw_tg_tensor_out(const char *name);
tg_array *draw_tg_array_p(const char *name);
void spoil_array(tg_array *a);
void make_tensors(void);
void add_tensor(tg_tensor *t);
void own_tensor(tg_tensor *t); /* freed at the end of the sequence */
void free_tensors(void);

/* ---- threads ---- */
enum { N_STALE = 16, N_FOREIGN = 4 };
extern tg_tensor *stale[N_STALE];     /* have ended, in earlier sequences too */
extern tg_tensor *foreign[N_FOREIGN]; /* on the tape of a thread that lives; the last one kept */
extern tg_tensor *orphans[N_FOREIGN]; /* of a thread that has ended; the last one kept */
extern tg_tape *foreign_tape;
extern tg_mark foreign_mark;
bool start_threads(void);
void stop_threads(void);
void start_work(void); /* of the thread that lives, which is under way when this returns */
void await_work(void);

/* ---- objects ---- */
tg_model *draw_tg_model_p(const char *name);
tg_optim *draw_tg_optim_p(const char *name);
tg_optim *first_optim(void);
tg_safetensors *draw_tg_safetensors_p(const char *name);
tg_npz *draw_tg_npz_p(const char *name);
tg_loader *draw_tg_loader_p(const char *name);
tg_vocab *draw_tg_vocab_p(const char *name);
tg_kv_cache *draw_tg_kv_cache_p(const char *name);
tg_grad_profile *draw_tg_grad_profile_p(const char *name);
tg_grad_row *draw_tg_grad_row_p(const char *name);
tg_loader_state *draw_tg_loader_state_p(const char *name);
tg_loader_piece *draw_tg_loader_piece_p(const char *name);
tg_dist *draw_tg_dist_p(const char *name);
tg_transport *draw_tg_transport_p(const char *name);
void free_dists(void);
tg_tape *draw_tg_tape_p(const char *name);
tg_mark draw_tg_mark(const char *name);
tg_layer_start draw_tg_layer_start(const char *name);
tg_rng *draw_tg_rng_p(const char *name);
tg_rename *draw_tg_rename_p(const char *name);
tg_training *draw_tg_training_p(const char *name);
FILE *draw_FILE_p(const char *name);
tg_gradcheck_report *draw_tg_gradcheck_report_p(const char *name);
tg_evidence *draw_tg_evidence_p(const char *name);
tg_memory_site *draw_tg_memory_site_p(const char *name);
void make_objects(void);
void free_objects(void);

/* ---- files ---- */
bool make_folder(void); /* for files that calls write */
void remove_folder(void);
const char *draw_path(const char *name);
const char *draw_folder(void);
void forget_files(void); /* those that calls have written */

/* ---- callbacks ---- */
tg_function draw_tg_function(const char *name);
tg_gradcheck_fn draw_tg_gradcheck_fn(const char *name);
tg_check_progress draw_tg_check_progress(const char *name);
tg_checked_fn draw_tg_checked_fn(const char *name);
tg_line draw_tg_line(const char *name);
tg_hook draw_tg_hook(const char *name);
tg_init draw_tg_init(const char *name);
tg_activation_fn draw_tg_activation_fn(const char *name);
tg_transform draw_tg_transform(const char *name);
void *draw_user(void);
tg_tensor *good_result(tg_tensor *const *in, int n, int64_t kind); /* of 7 kinds */
void disturb(void); /* what the calls under way must leave as it was may be changed */
void call_back(void);
tg_tensor *misbehave(tg_tensor *const *in, int n); /* one of the things that a callback should not do */

/* ---- ops ---- */
const tg_op *draw_tg_op_p(const char *name);
const void *draw_attr(void);
tg_call *draw_tg_call_p(const char *name);
tg_node *draw_tg_node_p(const char *name);
void make_ops(void);

/* ---- rules ---- */
const tg_optim_rule *draw_tg_optim_rule_p(const char *name);
tg_optim_state *draw_tg_optim_state_p(const char *name);
void make_rules(void);

/* ---- schedules ---- */
tg_lr_fn draw_tg_lr_fn(const char *name);
tg_lr *draw_tg_lr_p(const char *name);
tg_schedule *draw_tg_schedule_p(const char *name);
tg_schedule_state *draw_tg_schedule_state_p(const char *name);
void make_schedules(void);
void free_schedules(void);

/* ---- training loops ---- */
tg_batch_fn draw_tg_batch_fn(const char *name);
tg_closure draw_tg_closure(const char *name);
tg_setting draw_tg_setting(const char *name);
tg_meter *draw_tg_meter_p(const char *name);
tg_metric *draw_tg_metric_p(const char *name);
tg_epoch_fn draw_tg_epoch_fn(const char *name);
tg_fit_report *draw_tg_fit_report_p(const char *name);
void own_tg_fit_with(void);
void own_tg_progress_begin(void);

/* ---- plans ---- */
tg_plan *draw_tg_plan_p(const char *name);
void make_plans(void);
void free_plans(void);
void own_tg_plan_new_with(void);
void own_tg_plan_free(void);
void own_tg_plan_run_with(void);

/* ---- suites ---- */
tg_function_each draw_tg_function_each(const char *name);
tg_check_result_fn draw_tg_check_result_fn(const char *name);
void own_tg_check_function(void);
void own_tg_check_products(void);
void own_tg_check_suite_with(void);

/* ---- profiles ---- */
tg_profile *draw_tg_profile_p(const char *name);
tg_profile_row *draw_tg_profile_row_p(const char *name);
void make_profiles(void);
void free_profiles(void);
void own_tg_profile_begin(void);
void own_tg_profile_free(void);

/* ---- pictures ---- */
tg_series *draw_tg_series_p(const char *name);
const char **draw_char_in(const char *name);

/* ---- traces and grades ---- */
tg_trace_seed *draw_tg_trace_seed_p(const char *name);
tg_trace_flow *draw_tg_trace_flow_p(const char *name);
tg_by_hand *draw_tg_by_hand_p(const char *name);
tg_grade_report *draw_tg_grade_report_p(const char *name);
tg_grad_fn draw_tg_grad_fn(const char *name);
void own_tg_grade_rule(void);

/* ---- by hand ---- */
tg_release *draw_tg_release_p(const char *name); /* free */
void own_tg_alloc(void);
void own_tg_from_blob_with(void);
void own_tg_data(void);
void own_tg_data_mut(void);
void own_tg_to_dlpack(void);
void own_tg_to_dlpack_unversioned(void);
void own_tg_from_dlpack(void);
void own_tg_from_dlpack_unversioned(void);
void own_tg_model_free(void);
void own_tg_nn_scope(void);
void own_tg_optim_free(void);
void own_tg_lbfgs_with(void);
void own_tg_schedule_free(void);
void own_tg_safetensors_free(void);
void own_tg_npz_free(void);
void own_tg_loader_free(void);
void own_tg_dist_begin_with(void);
void own_tg_dist_end(void);
void own_tg_dist_sum(void);
void own_tg_vocab_free(void);
void own_tg_kv_cache_free(void);
void own_tg_grad_profile_free(void);
void own_tg_tape_free(void);
void own_tg_parallel_for(void);
void own_tg_rng_shuffle(void);
void own_tg_composed_begin(void);
void own_tg_callback_begin(void);
void own_tg_callback_end(void);

#endif
