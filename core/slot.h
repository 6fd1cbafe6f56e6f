/* Private. What a handle stands for.
 *
 * A slot is 208 bytes at a fixed address that is reused but never unmapped. A handle is the slot's address with
 * the slot's tag in its upper 16 bits: the low 16 bits of the generation, which counts the tensors that had the slot. The
 * tag is 0 while there is none, so a handle kept too long no longer matches. (These bits are never 0, so 65,535 reuses
 * of one slot bring them back; a stale handle would have to sleep through exactly a multiple of that. The generation
 * itself never comes back, and marks compare all of it.) The address must fit 48 bits, as addresses in user space of x86-64
 * and AArch64 Linux do; core/slot.c checks it when it obtains memory.
 */
#ifndef TG_CORE_SLOT_H
#define TG_CORE_SLOT_H

#include "core/alloc.h"
#include "core/maker.h"
#include "core/tensor.h"

struct tg_node;

typedef struct tg_hooked { /* a function that sees a tensor's gradient */
    tg_tensor *(*hook)(tg_tensor *grad, void *user);
    void *user;
    int64_t number; /* counts those that the tensor has had */
    struct tg_hooked *next;
} tg_hooked;

typedef struct tg_extras { /* what few tensors have */
    const char *name;      /* NULL: none */
    tg_hooked *hooks;      /* autograd's, in a chain through `next` */
    int64_t hooks_made;
} tg_extras;

/* What kept the history of a tensor from reaching it, for whoever asks why it has no gradient. */
typedef enum tg_cut { TG_CUT_NOWHERE, TG_CUT_OFF, TG_CUT_BY_OP, TG_CUT_BY_DETACH } tg_cut;

typedef struct tg_slot {
    /* The first two are atomic because a stale handle to a kept tensor may be checked while another thread owns the
     * slot; all other fields are the owner's alone. */
    _Atomic uint64_t generation;    /* counts the tensors that had the slot, without multiples of 65,536 */
    _Atomic uint16_t tag;           /* its low 16 bits while the tensor lives, 0 after that */
    bool kept : 1, poison : 1, : 0; /* other threads may read these, so they have a byte of their own */
    bool requires_grad : 1, released : 1, retain_grad : 1;
    uint8_t cut : 2;        /* a tg_cut */
    uint32_t pins;          /* nodes that saved the elements; tape tensors only */
    uint32_t maker, before; /* numbers of what made this tensor, and the one that had the slot before */
    struct tg_node *node;   /* autograd's; core never looks inside */
    tg_tensor *grad;        /* autograd's: a kept tensor owned by this one, or NULL */
    tg_extras *extras;      /* owned by the slot, as is what they hold; NULL: none */
    tg_array a;             /* its sizes and strides are the end, of which a scalar touches nothing */
} tg_slot;

_Static_assert(sizeof(void *) == 8, "tapegrad needs a 64-bit platform: handles carry their generation");
_Static_assert(sizeof(tg_slot) == 208, "a scalar on the tape, its buffer and its node take 350 bytes");

#define TG_HANDLE_BITS 48
#define TG_HANDLE_MASK ((UINT64_C(1) << TG_HANDLE_BITS) - 1)

static inline tg_tensor *tg_handle(const tg_slot *s) {
    uint64_t generation = atomic_load_explicit(&s->generation, memory_order_relaxed);
    return (tg_tensor *)((uintptr_t)s | (uintptr_t)generation << TG_HANDLE_BITS);
}

/* The slot if the handle is valid (poison is), NULL otherwise; raises nothing. */
static inline tg_slot *tg_slot_peek(const tg_tensor *t) {
    tg_slot *s = (tg_slot *)((uintptr_t)t & TG_HANDLE_MASK);
    uintptr_t tag = (uintptr_t)t >> TG_HANDLE_BITS; /* 0: NULL, or another pointer that no handle is */
    return tag && atomic_load_explicit(&s->tag, memory_order_relaxed) == tag ? s : NULL;
}

static inline bool tg_slot_is_alive(const tg_slot *s) {
    return atomic_load_explicit(&s->tag, memory_order_relaxed) != 0;
}

/* The slot of a handle given to function `who`; NULL with the error raised for NULL and stale handles, NULL with the error
 * already pending for poison. The message names the argument: "who: <what> 1 is NULL", or "who: <what> is NULL" where i < 0.
 * Where the error will name another function, whose arguments they are not, it says "the input". */
tg_slot *tg_slot_of_argument(const tg_tensor *t, const char *who, const char *what, int i);

/* The same for input i of several; i < 0: for an only one. */
static inline tg_slot *tg_slot_of_input(const tg_tensor *t, const char *who, int i) {
    return tg_slot_of_argument(t, who, i < 0 ? "the input" : "input", i);
}
static inline tg_slot *tg_slot_of(const tg_tensor *t, const char *who) {
    return tg_slot_of_input(t, who, -1);
}

/* The same, and it must still have its elements (not released). */
tg_slot *tg_slot_with_data(const tg_tensor *t, const char *who);

/* TG_ERR_ARGUMENT, raised for `who`, when its memory may only be read (tg_from_blob). */
tg_status tg_slot_check_writable(const tg_slot *s, const char *who);

/* A region: the slots of one tape, in order of creation. New tensors go to the current region of the thread. */
typedef struct tg_region {
    tg_slot **chunk; /* of TG_CHUNK_SLOTS slots each */
    int64_t n_chunks, cap_chunks;
    int64_t count;    /* live positions: slots [0, count) */
    int64_t stamped;  /* slots before this have had their file:line noted, or never will */
    tg_recent recent; /* counts positions; an event is a rewind */
} tg_region;
#define TG_CHUNK_SLOTS 256

extern _Thread_local TG_HOT tg_region *tg_current_region; /* set by autograd; never NULL after tg_region_current() */

/* The current region; on a thread's first call that of a tape, which tg_region_make makes. NULL with an error raised when
 * there is no memory. */
tg_region *tg_region_current(void);

/* Defined by autograd, and named here so that whoever links the static library for tensors alone gets tapes with it. */
extern tg_region *(*tg_region_make)(void);

/* A new tape slot, alive, with an empty array and `op` as maker; NULL with TG_ERR_MEMORY raised. */
tg_slot *tg_slot_new(const char *op);
tg_slot *tg_slot_at(const tg_region *r, int64_t i);
/* Kills the slots from position `count` on. */
void tg_region_rewind(tg_region *r, int64_t count);
void tg_region_free(tg_region *r);

/* A slot outside any region, for kept tensors. */
tg_slot *tg_slot_new_kept(const char *op);

static inline const tg_maker *tg_slot_maker(const tg_slot *s) { return tg_maker_of(s->maker); }

static inline const char *tg_slot_name(const tg_slot *s) { return s->extras ? s->extras->name : NULL; }
static inline tg_hooked *tg_slot_hooks(const tg_slot *s) { return s->extras ? s->extras->hooks : NULL; }
/* The extras, made when absent; NULL when there is no memory, with TG_ERR_MEMORY raised. */
tg_extras *tg_slot_extras(tg_slot *s);
void tg_slot_drop_hooks(tg_slot *s);

/* The slots in use of this thread's current region, in order, then all kept ones: the first `most` go to slot[];
 * returns how many there are. */
int64_t tg_slots_alive(const tg_slot **slot, int64_t most);
/* How many kept tensors this thread has freed, which tells the caller of a user's function whether to look handles up
 * again. */
extern _Thread_local TG_HOT uint64_t tg_kept_deaths;
/* Ends the life of a slot: drops elements, name and gradient, changes the generation. */
void tg_slot_kill(tg_slot *s);

/* The poison tensor: one for the process. */
tg_tensor *tg_poison(void);

/* A pin keeps saved elements through tg_drop_elements. Both do nothing to kept tensors, which other threads may be
 * reading. */
void tg_slot_pin(tg_slot *s);
void tg_slot_unpin(tg_slot *s);

/* Set while gradient rules run, which may read what was saved of a tensor whose elements were dropped. */
extern _Thread_local TG_HOT bool tg_reading_saved;

/* What tg_error_status() returns, without a call, for functions that ask before and after each op. */
extern _Thread_local TG_HOT tg_status tg_error_pending;

/* Whether the pending error has no place yet; tg_error_stamp notes file:line as its place then. */
extern _Thread_local TG_HOT bool tg_error_unstamped;
void tg_error_stamp(const char *file, int line);

/* Whether an error of function `who` will name it, and not a function that it is a part of (TG_NAMED). */
bool tg_error_is_of(const char *who);

/* The last component of a path, for messages. */
const char *tg_base_name(const char *path);

#endif
