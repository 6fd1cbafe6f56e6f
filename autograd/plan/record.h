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
    tg_memory_kind kind;
    int input;          /* INPUT: which */
    tg_tensor *handle;  /* KEPT: whose */
    bool requires_grad; /* INPUT, KEPT: as it was */
    bool written;       /* by a call, after it was read or at first */
    const tg_buffer *buffer;
    uint64_t serial;
    char *base;         /* where it is (INPUT: the first element), or the copy of a constant's bytes */
    const char *origin; /* where it is while the recording runs */
    size_t bytes;
    uint64_t birth;      /* MADE inside a call: which buffer of that call's it is; 0: made for the call */
    int64_t first, last; /* MADE: the calls by which it is made and last used */
    int64_t stored;      /* how many gradients it is stored as; more than one: each is a copy */
    bool given, shown;   /* it has become a gradient where there was none, and was used after that */
    bool escapes;        /* it outlives the run: the result, or a gradient */
    bool adopted;        /* escapes, in the buffer that a gradient kernel has made for it */
    bool local;          /* made and used by one group of kernels alone, block by block */
    int slot;            /* local: which block of the scratch, */
    int64_t last_map;    /* and the number of the last kernel of the group that uses it */
    int summed;          /* which sum of its group it ends in, from 1 on; 0: none */
    size_t offset;       /* MADE: in the arena */
} tg_memory;

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

/* An elementwise kernel that a call has run, on arrays that are one run of n elements each, or are broadcast to one in rows. */
typedef struct tg_plan_map {
    tg_run *run;
    int64_t n, cost;
    int64_t row; /* 0: no operand is broadcast in rows */
    double arg[2];
    int operands;
    int memory[TG_MAX_OPERANDS];     /* -1: `number` */
    int64_t at[TG_MAX_OPERANDS];     /* bytes from the memory's base; while the call runs, the address */
    uint8_t stride[TG_MAX_OPERANDS]; /* 1, or 0: one element for all, or for all of a row */
    uint8_t along[TG_MAX_OPERANDS];  /* TG_EACH .. */
    uint8_t size[TG_MAX_OPERANDS];   /* bytes of an element */
    uint64_t number;                 /* an operand that is a single number of the kernel's caller */
} tg_plan_map;

typedef enum tg_call_kind {
    TG_CALL_FORWARD,
    TG_CALL_GRADIENT,
    TG_CALL_WORK,
    TG_CALL_DECISION,
    TG_CALL_STORE
} tg_call_kind;

/* Operands, in this order: FORWARD in, out; GRADIENT in, out, dout, din; WORK, DECISION its arrays; STORE the gradient. */
typedef struct tg_plan_call {
    tg_call_kind kind;
    const char *name, *file;
    int line;
    const tg_op *op;
    int n_in, n_out, n; /* n: operands in all */
    unsigned saved;
    const void *data; /* the op's attributes, or what the work reads */
    size_t size;
    union {
        tg_work_fn *run;
        tg_decide_fn *decide;
    };
    unsigned makes, changes;
    bool outside, yes;
    struct tg_rng *stream; /* WORK: of the user's, which it advances; NULL: none */
    tg_tensor *target;     /* STORE: the kept tensor whose gradient it is; NULL: input `input` */
    int input;
    tg_tensor *grad; /* STORE: the gradient that was there, to which it is added; NULL: none */
    int added_to;    /* the memory of that, where the step uses it besides; -1: it does not */
    int64_t operand; /* the first */
    bool lowered;    /* the kernels [map, map + maps) are all that it does */
    bool idle;       /* it has nothing to do, */
    bool unused;     /* or makes what nobody uses */
    bool backward;   /* it was done inside of a walk */
    int group;       /* of calls that are run block by block, from 1 on; 0: none */
    bool summed;     /* it stands behind its group, which has summed its input */
    int64_t map;
    int maps;
    tg_tensor *made; /* whose place in the program is the call's, while the recording runs */
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
    int64_t n_unused; /* calls that were left out, since nobody uses what they make */
    int64_t n_calls, cap_calls, n_operands, cap_operands, n_memories, cap_memories, n_reliances, cap_reliances;
    int64_t *hash; /* of memories by buffer; a power of two, -1: empty */
    int64_t cap_hash;
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

typedef struct tg_recorder {
    tg_listener listener; /* first */
    tg_recording *rec;
    tg_tensor *const *in;
    bool shared; /* the step may change nothing that outlives it */
    bool twice; /* two inputs have one memory, of which each was given its own: the step may not change them */
    tg_kept_list kept;
    uint64_t births;        /* of buffers, before the run */
    int inside;             /* calls under way, which are recorded as a whole */
    uint64_t births_inside; /* of buffers, before the last of them */
    int64_t placed;         /* calls before this one know their place, or never will */
    bool in_call;           /* its operands are being added */
    int maps; /* kernels run by the call under way, behind the list of maps; -1: one that cannot be run alone */
    const tg_buffer *buffer[TG_CALL_MAPS][TG_MAX_OPERANDS]; /* in which their operands lie */
    const tg_array *layout[TG_LAYOUTS];                     /* those met last, for operands of the same */
    bool lost;                                              /* out of memory: there will be no recording */
} tg_recorder;

/* A recorder of one run, and its end: whether the recording is whole. The recording is the caller's in any case. Its lists
 * begin with room for what `like`, which may be empty, holds. */
tg_status tg_recorder_begin(tg_recorder *r, tg_recording *rec, int n, tg_tensor *const *in,
                            const tg_recording *like, bool shared);
bool tg_recorder_end(tg_recorder *r, const tg_slot *result);
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

#define TG_DIFFERENCE 320 /* bytes of the text */

/* For an array that is no single run, but broadcast to one in rows: how (TG_SAME_ROW, TG_ONE_A_ROW) and the length of a row;
 * TG_EACH: it is not. */
int tg_broadcast_in_rows(const tg_array *a, int64_t *row);

/* NULL where both are the same, else what differs, a static text or `why`. Where the kernels of one call asked for
 * their buffers in another order, b no longer knows which is which. */
const char *tg_recording_difference(const tg_recording *a, tg_recording *b, char why[TG_DIFFERENCE]);

#endif
