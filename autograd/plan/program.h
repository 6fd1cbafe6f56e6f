/* Private. A program: a recording with its memory laid out, every operand at its address, ready to be run again and again.
 *
 * A run changes the program, and nothing of the recording, which copies of the program share: one for each thread that runs
 * it at the same time. */
#ifndef TG_AUTOGRAD_PLAN_PROGRAM_H
#define TG_AUTOGRAD_PLAN_PROGRAM_H

#include "autograd/plan/compile.h"
#include "autograd/plan/record.h"
#include "core/spread.h"

/* Operands lie in slots of the program's own, so that functions that ask for handles (a rule for its inputs, an error for a
 * description) find them. */
typedef struct tg_program_call {
    const tg_plan_call *call;
    const tg_operand *operand;
    tg_slot *slot;          /* call->n operands */
    const tg_array **array; /* of each; NULL: absent */
    union {
        tg_call forward;
        tg_node node; /* GRADIENT */
    };
    tg_array *din;                 /* GRADIENT: n_in */
    const struct tg_part_sum *sum; /* FORWARD: what its group has summed for it; NULL: nothing */
    const struct tg_part *part;    /* that group */
    const tg_place *place;         /* for the buffers that the kernel asks for */
    int n_places;
    tg_slot *ready; /* STORE: what is to become the gradient, between two calls of a run */
} tg_program_call;

/* An elementwise kernel, ready to run: 64 bytes, since there may be thousands of single numbers. */
typedef struct tg_plan_kernel {
    tg_run *run;
    const void *arg;
    const tg_strides *stride;
    tg_operands p;
} tg_plan_kernel;

typedef struct tg_plan_extent { /* what is known of it besides */
    const tg_plan_map *map;     /* the kernel as it was recorded */
    uint8_t local; /* bit k: p.each[k] is an offset into the scratch of the thread that runs the block, */
    uint8_t wide;  /* bit k: where a whole chunk of a sum has room */
} tg_plan_extent;

/* A part of the program: calls of functions; kernels on single numbers, one after the other, or block by block; and kernels on
 * so few elements that each array is a vector, to be compiled as straight-line code. */
typedef enum tg_part_kind {
    TG_PART_CALLS,
    TG_PART_NUMBERS,
    TG_PART_KERNELS,
    TG_PART_BLOCKS,
    TG_PART_STRAIGHT
} tg_part_kind;

/* Elements [begin, end) of a group that was compiled. at: where its operands begin; arg: numbers of their type. */
typedef void tg_group_fn(int64_t begin, int64_t end, char *const *at, const void *arg);
typedef struct tg_group_operand {
    int64_t kernel; /* p.each[operand] of this kernel; -1: the partial sums of sum[operand] of the part */
    int operand;
} tg_group_operand;
typedef struct tg_group {
    tg_group_fn *run; /* NULL: it is not compiled */
    const tg_group_operand *operand;
    char **at; /* of each, during a run */
    int operands, dtype;
    const void *arg;
    int tries;           /* of both ways to run it, in turn, */
    int64_t took[2];     /* and the least nanoseconds that each took: compiled, by blocks */
    _Atomic bool blocks; /* it is compiled, and run by blocks, which are faster here */
} tg_group;

/* The kernels of a part, in one function. at: the first of them (tg_plan_kernel), whose pointers it reads. */
typedef void tg_straight_fn(char *const *at);

#define TG_SUM_CHUNK 1024 /* elements: sums are made of those of so many (core/kernels/reduce/pairwise.h) */
#define TG_SUMS 4         /* of one group, at most */
typedef struct tg_part_sum {
    int memory, dtype, size;
    int64_t kernel; /* of the part's, which writes the elements last */
    int64_t n;
    void *partial; /* of each chunk */
} tg_part_sum;

typedef struct tg_part {
    tg_part_kind kind;
    int64_t first, end;       /* of calls, or of kernels */
    int64_t call;             /* the first; the last is before the next part's */
    int64_t block;            /* elements */
    int64_t row;              /* of what is broadcast in rows; 0: nothing is */
    bool spreads;             /* which is written out for a block */
    int64_t apart;            /* bytes from one block of scratch to the next */
    tg_group group;           /* BLOCKS; its dtype, STRAIGHT */
    int body;                 /* STRAIGHT: which function it is, many parts may have one; -1: none */
    tg_straight_fn *straight; /* NULL: it is not compiled, and run one after the other */
    tg_part_sum sum[TG_SUMS];
    int sums;
} tg_part;

/* What is timed as one: a call, or the calls of a part of kernels (measure.c). */
typedef struct tg_piece {
    const char *name; /* of all of its calls */
    const char *file;
    int line, last, calls;
    uint8_t kind; /* tg_span_kind */
    bool rule;    /* the gradient rule of the op `name` */
    double bytes, flops;
    _Atomic int64_t took, runs; /* nanoseconds; in how many runs */
} tg_piece;

typedef struct tg_patch { /* a pointer into memory, which is set when the memory's place is known */
    char **where;
    tg_buffer **buffer; /* that of an array's; NULL: none */
    int64_t at;
} tg_patch;

typedef struct tg_input_place { /* where an input's elements begin, and in which buffer */
    char *base;
    const tg_buffer *buffer;
} tg_input_place;

typedef struct tg_program {
    tg_recording rec;
    struct tg_program *first; /* whose recording it has; itself: it is the first */
    struct tg_program *next;  /* the next one that no thread runs */
    struct tg_program *idle;  /* of the first: those that no thread runs, */
    int copies, running;      /* how many there are, itself too, and how many threads run one, or make one, */
    bool dropped;             /* and whether they all go when none does any more */
    tg_arena arena;           /* what follows */
    tg_program_call *call;    /* rec.n_calls; of those that are kernels alone nothing is there */
    tg_slot *slot;            /* rec.n_operands */
    void *slots;              /* their memory */
    size_t slots_bytes;
    char *memory; /* where what calls make lies */
    size_t bytes, lower_bound;
    tg_patch *patch; /* those of memory m: from first_patch[m] up to first_patch[m + 1] */
    int64_t *first_patch;
    tg_plan_kernel *kernel; /* n_kernels */
    tg_plan_extent *extent; /* n_kernels */
    tg_part *part;          /* n_parts */
    int64_t n_kernels, n_parts, fused;
    bool compiles;           /* so that it has straight parts */
    tg_input_place *input;   /* rec.n_in: of the last run */
    tg_compiled compiled[2]; /* groups of f32, and of f64 */
    double compile_seconds;
    tg_buffer **fresh; /* by memory: of one that escapes, during a run */
    tg_buffer **buffer; /* by memory: over what lies in the arena, so that arrays of one memory are known by it */
    char **base;        /* by memory: where it is from run to run; NULL: it is not known before the run */
    int64_t *special, n_special; /* memories that are not made in the arena alone */
    int64_t last_decision;       /* -1: none */
    int64_t first_outside;       /* rec.n_calls: none */
    bool changes_inputs;
    bool shows_new;     /* the step uses a gradient that was new when it was recorded */
    tg_piece *piece;    /* by the first call of each; NULL: nobody has asked */
    _Atomic int pieces; /* 0: none, 1: they are being made, 2: they are there */
    size_t undo_bytes; /* of kept tensors that it writes and streams of the user's, where there is a decision */
} tg_program;

/* Takes the recording over, also when it fails: NULL, without an error, where there is no memory. compiles: for
 * tg_program_compile. */
tg_program *tg_program_new(tg_recording *rec, bool compiles);
void tg_program_free(tg_program *p); /* of those that share a recording the first goes last */

/* Another of the same, in memory of its own; NULL, without an error, where there is none. */
tg_program *tg_program_copy(tg_program *first);

/* Where memory m is from run to run; NULL: it is an input's, or escapes, and not known before the run. */
char *tg_program_base(const tg_program *p, const tg_memory *m);

#define TG_SLOTS 32 /* blocks of scratch for one group, at most */

/* Operands of one group that are broadcast in rows of TG_SPREAD_ROW elements or fewer, at most (core/spread.h). */
#define TG_SPREADS 8

#define TG_FEW_INPUTS 16

/* Refuses inputs that are no tensors with elements, or have hooks, and runs inside of another plan's step. */
tg_status tg_inputs_check(int n, tg_tensor *const *in);
/* What the step is given, TG_FEW_INPUTS at least: without histories, each in memory of its own; *twice: some had one memory. */
tg_status tg_inputs_separate(int n, tg_tensor *const *in, tg_tensor **own, bool *twice);
/* Refuses inputs of one memory where a replay would change one. */
tg_status tg_inputs_may_change(const tg_program *g, int n, tg_tensor *const *in);

/* Takes calls out of the list that have nothing to do, or make what nobody uses. False: out of memory. */
bool tg_drop_unused(tg_recording *rec);

/* Does so, groups elementwise calls on as many elements, and moves them together where nothing in between stands in the way. Finds
 * which memory is local to a group. */
bool tg_schedule(tg_recording *rec);

/* Makes kernels and parts of the calls. */
bool tg_program_make_parts(tg_program *p);
int64_t tg_part_end_call(const tg_program *p, const tg_part *part); /* behind its calls */

/* Makes straight parts of kernels on few elements. False: out of memory. */
bool tg_program_straighten(tg_program *p);

/* Writes groups and straight parts as C and has them compiled; groups that cannot be are run block by block. */
void tg_program_compile(tg_program *p);
/* Gives a copy the groups that were compiled for the first. False: out of memory. */
bool tg_program_share_groups(tg_program *p);

void tg_plan_run_numbers(const tg_program *p, const tg_part *part);
void tg_plan_run_kernels(const tg_program *p, const tg_part *part);
void tg_plan_run_blocks(const tg_program *p, const tg_part *part);
/* The same block by block, with all of a memory that is local to the group at `base`. */
tg_status tg_plan_run_with_memory(const tg_program *p, const tg_part *part, int memory, char *base);

/* Lets groups sum what calls behind them fold, and moves these there. */
void tg_find_sums(tg_recording *rec);
bool tg_program_make_sums(tg_program *p);
/* Elements of a chunk, at x, whose sum becomes a partial one; then the call that folds all of them. */
void tg_sum_chunk(const tg_part_sum *s, int64_t chunk, const void *x);
tg_status tg_program_run_summed(const tg_program *p, const tg_program_call *c);

/* A call that stores a gradient; the tensor whose it is. What was made ready for calls that were not reached is dropped. */
tg_status tg_program_store(tg_program *p, int64_t call, tg_tensor *const *in);
tg_tensor *tg_store_owner(const tg_plan_call *c, tg_tensor *const *in);
void tg_program_drop_ready(tg_program *p);

/* The call behind the group that this one begins, or is in the middle of; behind the call itself, where it is in none. */
int64_t tg_group_end(const tg_recording *rec, int64_t call);

/* Whether a call writes operand i. */
bool tg_call_writes(const tg_plan_call *c, int i);

/* Calls f for each memory that a call reads or writes: of kernels, the first operand is written. */
typedef void tg_access_fn(void *context, int memory, bool written);
static inline void tg_each_access(const tg_recording *rec, const tg_plan_call *c, tg_access_fn *f,
                                  void *context) {
    for (int i = 0; !c->lowered && i < c->of->n; i++) {
        const int m = rec->operand[c->operand + i].memory;
        if (m >= 0) f(context, m, tg_call_writes(c, i));
    }
    for (int i = 0; i < c->maps; i++) {
        const tg_plan_map *map = &rec->map[c->map + i];
        for (int k = 0; k < map->of->operands; k++)
            if (map->memory[k] >= 0) f(context, map->memory[k], k == 0);
    }
    if (c->kind == TG_CALL_STORE && c->of->added_to >= 0) f(context, c->of->added_to, true);
}

/* Sets all pointers into memory m, which begins at base. */
void tg_program_point(const tg_program *p, int64_t memory, char *base, const tg_buffer *buffer);

/* Memory that lives as long as the program, and the same zeroed; NULL where there is none. */
void *tg_program_room(tg_program *p, int64_t n, size_t size);
void *tg_program_take(tg_program *p, int64_t n, size_t size);

/* Offsets for what the recording makes, and the bytes of all. False: there is no memory to work with. */
bool tg_layout_memory(tg_recording *rec, size_t *bytes, size_t *lower_bound);

/* Whether the inputs are as they were. */
bool tg_recording_fits(const tg_recording *rec, int n, tg_tensor *const *in);

/* Whether what the recording relies on is as it was. */
typedef enum tg_holding {
    TG_HOLDS,
    TG_HOLDS_NOT,  /* but may again */
    TG_HOLDS_NEVER /* something that is kept was freed, or moved */
} tg_holding;
tg_holding tg_recording_holding(const tg_recording *rec);
tg_holding tg_program_holding(const tg_program *p, tg_tensor *const *in); /* the same, sooner */

/* Bytes of what outlives a run and is written by it: of inputs those of the elements. 0: it need not be undone. */
size_t tg_undo_bytes(const tg_recording *rec, const tg_memory *m);

/* Whether the step uses the gradient that this call stores, which was new. */
bool tg_call_shows_new(const tg_recording *rec, const tg_plan_call *c);

/* What a program is, of all that a plan tells. */
void tg_program_count(const tg_program *p, tg_plan_stats *s);

void tg_program_print(FILE *file, tg_program *p);

/* The pieces, of all copies; NULL where there is no memory for them, or another thread is making them. */
tg_piece *tg_program_pieces(tg_program *p);

/* The span of the piece that begins at a call, in a run that is measured; the piece may be NULL. Its end: whether it went well. */
void tg_piece_begin(tg_span *s, const tg_piece *piece);
void tg_piece_end(tg_span *s, tg_piece *piece, bool done);

typedef enum tg_run_end { TG_RUN_DONE, TG_RUN_FAILED, TG_RUN_UNDONE } tg_run_end;
/* Runs it on the inputs. DONE: *result holds the result, which the caller drops. UNDONE: a decision was another. */
tg_run_end tg_program_run(tg_program *p, tg_tensor *const *in, tg_array *result);

#endif
