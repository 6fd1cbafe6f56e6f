/* Private. Recording: while the step runs, each op, gradient kernel and piece of work becomes a call in a list.
 *
 * Memory is known by its buffer (address and serial). It is an input's, a kept tensor's, made by a call of the list, or, where
 * no call made it and it is younger than the run, a constant, whose bytes are copied. An operand is an array whose data is
 * an offset into such memory. Views need no call: they are operands of other layouts. */
#ifndef TG_AUTOGRAD_PLAN_RECORD_H
#define TG_AUTOGRAD_PLAN_RECORD_H

#include "autograd/plan/plan.h"
#include "autograd/walk.h"
#include "core/work.h"

typedef enum tg_memory_kind {
    TG_MEMORY_INPUT,
    TG_MEMORY_KEPT,
    TG_MEMORY_CONSTANT,
    TG_MEMORY_MADE
} tg_memory_kind;

typedef struct tg_memory {
    const tg_buffer *buffer;
    uint64_t serial;
    char *base;         /* where it is (INPUT: the first element), or the copy of a constant's bytes */
    const char *origin; /* where it is while the recording runs */
    size_t bytes;
    tg_tensor *handle;   /* KEPT: whose */
    int64_t first, last; /* MADE: the calls by which it is made and last used */
    size_t offset;       /* MADE: in the arena */
    uint8_t kind;        /* a tg_memory_kind */
    bool requires_grad;  /* INPUT, KEPT: as it was */
    bool written;        /* by a call, after it was read or at first */
    bool given, shown;   /* it has become a gradient where there was none, and was used after that */
    bool escapes;        /* it outlives the run: the result, or a gradient */
    bool adopted;        /* escapes, in the buffer that a gradient kernel has made for it */
    bool local;          /* made and used by one group of kernels alone, block by block */
    int input;           /* INPUT: which */
    int stored;          /* how many gradients it is stored as; more than one: each is a copy */
    uint32_t birth; /* MADE inside a call: which buffer of that call's it is; 0: made for the call, or not known */
    uint32_t born;      /* the same in the run before; TG_FIRST_RUN: there was none */
    int slot, last_map; /* local: which block of the scratch, and the last kernel of the group that uses it */
    int summed;         /* which sum of its group it ends in, from 1 on; 0: none */
} tg_memory;
#define TG_FIRST_RUN UINT32_MAX

enum {
    TG_ABSENT = -2,
    TG_WITHOUT_MEMORY = -1
}; /* an operand that is NULL; one of which only the layout is there */

typedef struct tg_operand {
    int memory;
    bool needed;       /* din: whether the walk asked for it */
    bool begun;        /* din: it held the adjoint already */
    int64_t at;        /* bytes from the memory's base */
    const tg_array *a; /* its layout, which others may share; data and buffer are NULL. NULL: absent */
} tg_operand;

/* How the elements of an operand follow from those of the result: each its own, or one for all; where the result is rows of `row`
 * elements, the same elements in each row, or one for each row. */
enum { TG_EACH, TG_SAME_ROW, TG_ONE_A_ROW };

/* An elementwise kernel on arrays that are one run of n elements each, or are broadcast to one in rows: all of it but which memory the
 * arrays lie in, since a program has few kinds of kernels and may run thousands of each. All bytes count when two are compared. */
typedef struct tg_kernel_form {
    tg_run *run;
    int64_t n;
    int64_t row; /* 0: no operand is broadcast in rows */
    double arg[2];
    int64_t at[TG_MAX_OPERANDS]; /* bytes from the memory's base; or the number itself, of the kernel's caller */
    int64_t cost;                /* of an element, in additions */
    uint8_t stride[TG_MAX_OPERANDS]; /* 1, or 0: one element for all, or for all of a row */
    uint8_t along[TG_MAX_OPERANDS];  /* TG_EACH .. */
    uint8_t size[TG_MAX_OPERANDS];   /* bytes of an element */
    uint8_t operands;
} tg_kernel_form;
_Static_assert(sizeof(tg_kernel_form) == 6 * 8 + 11 * TG_MAX_OPERANDS + 1, "no byte is padding");

typedef struct tg_plan_map { /* one that a call has run */
    const tg_kernel_form *of;
    int memory[TG_MAX_OPERANDS]; /* -1: a number */
} tg_plan_map;

typedef enum tg_call_kind {
    TG_CALL_FORWARD,
    TG_CALL_GRADIENT,
    TG_CALL_WORK,
    TG_CALL_DECISION,
    TG_CALL_STORE
} tg_call_kind;

/* A call but for what it works on, which many calls may have in common. All bytes count when two are compared. */
typedef struct tg_call_form {
    const char *name;
    const tg_op *op;
    union {
        tg_work_fn *run;
        tg_decide_fn *decide;
    };
    struct tg_rng *stream; /* WORK: of the user's, which it advances; NULL: none */
    tg_tensor *target;     /* STORE: the kept tensor whose gradient it is; NULL: input `input` */
    tg_tensor *grad;       /* STORE: the gradient that was there, to which it is added; NULL: none */
    int n_in, n;           /* n: operands in all */
    int input;
    int added_to;  /* STORE: the memory of `grad`, where the step uses it besides; -1: it does not */
    unsigned size; /* of a call's data */
    unsigned saved;
    uint16_t makes, changes;
    uint8_t kind, n_out;
    bool outside, yes;
} tg_call_form;
_Static_assert(sizeof(tg_call_form) == 10 * 8, "no byte is padding");

/* Operands, in this order: FORWARD in, out; GRADIENT in, out, dout, din; WORK, DECISION its arrays; STORE the gradient. */
typedef struct tg_plan_call {
    tg_call_form *of;
    const void *data; /* the op's attributes, or what the work reads */
    const char *file;
    int64_t operand, map; /* the first of each */
    int line;
    int group;    /* of calls that are run block by block, from 1 on; 0: none */
    uint8_t kind; /* a tg_call_kind */
    uint8_t maps;
    bool backward; /* it was done inside of a walk */
    bool lowered;  /* the kernels [map, map + maps) are all that it does */
    bool idle;     /* it has nothing to do, */
    bool unused;   /* or makes what nobody uses */
    bool summed;   /* it stands behind its group, which has summed its input */
} tg_plan_call;

typedef struct tg_reliance {
    const char *name;
    int64_t (*ask)(const void *of);
    const void *of;
    int64_t answer;
} tg_reliance;

typedef struct tg_recording {
    tg_arena arena; /* data of calls */
    tg_plan_call *call;
    tg_operand *operand;
    tg_memory *memory;
    tg_reliance *reliance;
    tg_plan_map *map;
    int64_t n_maps, cap_maps;
    int64_t most;     /* elements of a kernel, */
    bool rows;        /* and whether one broadcasts in rows */
    int64_t n_unused; /* calls that were left out, since nobody uses what they make */
    int64_t n_calls, cap_calls, n_operands, cap_operands, n_memories, cap_memories, n_reliances, cap_reliances;
    int n_in;
    tg_operand *input; /* their layouts */
    bool grad;         /* whether recording on the tape was on */
    tg_operand result;
    bool fit;   /* nothing happened that a replay could not do */
    bool whole; /* it can be compared with another */
} tg_recording;

#define TG_CALL_MAPS 8 /* kernels of one call, at most */
#define TG_LAYOUTS 16

typedef struct tg_kept {
    const tg_buffer *buffer;
    const tg_slot *slot;
    int64_t number;
} tg_kept;

typedef struct tg_kept_list { /* in the order of buffers */
    tg_kept *kept;
    int64_t n, cap;
} tg_kept_list;

/* A kept tensor that has the buffer, NULL where there is none. False: out of memory. */
bool tg_kept_find(tg_kept_list *l, const tg_buffer *b, const tg_slot **found);
void tg_kept_free(tg_kept_list *l);

typedef struct tg_form {
    void *form; /* NULL: none */
    uint64_t hash;
} tg_form;

typedef struct tg_forms { /* by their bytes */
    tg_form *entry;
    int64_t n, cap; /* cap: a power of two */
} tg_forms;

/* While a run does what the run before did, its calls, operands and memories are found in the lists of the recording, and little
 * is written. From the first difference on they are written anew. */
typedef struct tg_recorder {
    tg_listener listener; /* first */
    tg_recording *rec;
    tg_recording before; /* its lists and their lengths, as the run before has left them */
    bool compares;       /* nothing has differed so far */
    int64_t differs_at;  /* else the call that did, */
    int differs_in;      /* the memory, -1: it was not one, */
    char what[160];      /* and what differed */
    tg_tensor *const *in;
    bool shared; /* the step may change nothing that outlives it */
    bool twice; /* two inputs have one memory, of which each was given its own: the step may not change them */
    tg_kept_list kept;
    uint64_t births; /* of buffers, before the run */
    int *young;      /* memory of the buffers born in it, by birth; -1: none */
    int64_t n_young, cap_young;
    int *old; /* of the others, hashed; a power of two, -1: empty */
    int64_t n_old, cap_old;
    int inside;             /* calls under way, which are recorded as a whole */
    uint64_t births_inside; /* of buffers, before the last of them */
    int64_t placed;         /* calls before this one know their place, or never will */
    tg_tensor **made;       /* by call: a tensor whose place in the program is the call's */
    int64_t cap_made;
    tg_plan_call call; /* the one whose operands are being added, */
    tg_call_form form; /* what it is, */
    const void *data;  /* and its data */
    char *attributes;  /* which may lie here */
    int64_t cap_attributes;
    bool in_call;                        /* what it makes, too */
    unsigned begun;                      /* bit i: gradient i of it held an adjoint before */
    tg_kernel_form kernel[TG_CALL_MAPS]; /* kernels that it has run, with addresses for `at`, */
    int maps;                            /* how many; -1: one that cannot be run alone, */
    const tg_buffer *buffer[TG_CALL_MAPS][TG_MAX_OPERANDS]; /* and in which their operands lie */
    tg_forms calls, kernels;
    const tg_array *layout[TG_LAYOUTS]; /* those met last, for operands of the same */
    bool lost;                          /* out of memory: there will be no recording */
} tg_recorder;

#define TG_DIFFERENCE 320 /* bytes of the text */

/* Makes r the recorder of one run, into a recording that is empty, or is that of the run before. */
void tg_recorder_begin(tg_recorder *r, tg_recording *rec, int n, tg_tensor *const *in, bool shared);
/* Its end. False: the run is not recorded, and the recording is as it was, or empty. */
bool tg_recorder_end(tg_recorder *r, const tg_slot *result);
/* What differed from the run before, in `why`; NULL: nothing. */
const char *tg_recorder_difference(const tg_recorder *r, char why[TG_DIFFERENCE]);
void tg_recording_free(tg_recording *rec);

/* For tg_apply and the walk: the recorder that listens on this thread, with everything inside the coming call left to it, or
 * NULL. leave ends that; a call that went well is then recorded. */
tg_recorder *tg_recorder_enter_listening(void);
static inline tg_recorder *tg_recorder_enter(void) {
    return __builtin_expect(tg_listening == NULL, 1) ? NULL : tg_recorder_enter_listening();
}
void tg_recorder_leave(tg_recorder *r);
tg_status tg_recorder_applied(tg_recorder *r, const tg_call *call, tg_slot *const *in, tg_slot *const *out);
void tg_recorder_begun(tg_recorder *r, const tg_node *node, const tg_array *din);
tg_status tg_recorder_derived(tg_recorder *r, const tg_walk *w, const tg_node *node,
                              const tg_array *const *dout, const tg_array *din);
/* Before gradients are stored: whether one may be, as that of s. */
tg_status tg_recorder_storing(const tg_slot *s);
/* The gradient g becomes, or is added to, that of s. */
tg_status tg_recorder_stored(const tg_slot *s, const tg_array *g);

/* For an array that is no single run, but broadcast to one in rows: how (TG_SAME_ROW, TG_ONE_A_ROW) and the length of a row;
 * TG_EACH: it is not. */
int tg_broadcast_in_rows(const tg_array *a, int64_t *row);

#endif
