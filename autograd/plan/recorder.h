/* Private. The recorder's own parts: record.c listens, memory.c knows memory, operands.c and kernels.c what calls work on,
 * difference.c the run before, and shared.c what is refused. */
#ifndef TG_AUTOGRAD_PLAN_RECORDER_H
#define TG_AUTOGRAD_PLAN_RECORDER_H

#include "autograd/plan/record.h"

/* Makes room for `more` elements in a list; false, and the recording is lost while the run goes on, where there is none. */
bool tg_recorder_grow(tg_recorder *r, void **list, int64_t *cap, int64_t used, int64_t more, size_t size);
#define TG_ROOM_IN(r, list, used, cap, more) \
    (((used) + (more) <= (cap) && !(r)->lost) || \
     tg_recorder_grow(r, (void **)(void *)&(list), &(cap), used, more, sizeof *(list)))
#define TG_ROOM(r, list, used, cap, more) TG_ROOM_IN(r, (r)->rec->list, (r)->rec->used, (r)->rec->cap, more)

/* TG_ERR_TAPE: "<who>: <t> <why>", without a tensor where t is NULL. */
tg_status tg_recorder_refuse(const char *who, const char *why, const tg_tensor *t);

/* ---- memory ---- */

/* Where the number of the memory of a buffer that the run has not made stands, or would. */
int *tg_recorder_probe(const tg_recorder *r, const tg_buffer *b, uint64_t serial);

/* The number of the memory that is known by this buffer, or of the array's; -1: none. The buffers of a run are found by
 * their births; one that is shared may be another thread's of the same number. */
static inline int tg_recorder_find_buffer(const tg_recorder *r, const tg_buffer *b) {
    if (!b) return -1;
    const uint64_t birth = b->serial - r->births - 1;
    if (birth < (uint64_t)r->n_young) {
        const int m = r->young[birth];
        if (!b->shared || (m >= 0 && r->rec->memory[m].buffer == b)) return m;
    }
    return r->cap_old ? *tg_recorder_probe(r, b, b->serial) : -1;
}
static inline int tg_recorder_find(const tg_recorder *r, const tg_array *a) {
    return tg_recorder_find_buffer(r, a->buffer);
}

/* Adds an input's memory. */
void tg_recorder_add_input(tg_recorder *r, int input, const tg_slot *s);

/* Whether the array's buffer was made in this run and no kept tensor has it; and by the call under way, or the call writes all
 * of it. */
static inline bool tg_recorder_is_young(const tg_recorder *r, const tg_array *a) {
    return a->buffer && !a->buffer->shared && a->buffer->serial > r->births;
}
bool tg_recorder_made_whole(const tg_recorder *r, const tg_array *a);

typedef enum tg_use { TG_USE_READ, TG_USE_MAKE, TG_USE_CHANGE } tg_use;

/* Which memory the array lies in, made known where it is not; s is its tensor's slot, or NULL. -1 with an error raised, or
 * with the recording lost. */
int tg_recorder_memory(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who);

/* ---- what a call works on ---- */

/* Adds an operand: NULL for one that is absent; without data, one of which only the layout is known; and one of which no more is
 * to be known. */
tg_status tg_recorder_operand(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who);
void tg_recorder_layout(tg_recorder *r, const tg_array *a);
/* What a call computes for an input: NULL where nobody asked for it. begun: it held the adjoint already. */
void tg_recorder_gradient(tg_recorder *r, const tg_array *din, bool needed, bool begun, const char *who);
tg_operand tg_recorder_operand_of(tg_recorder *r, const tg_array *a, int memory);
/* The memory of an operand: TG_WITHOUT_MEMORY where only its layout is there, with the recording lost, or an error raised. */
int tg_recorder_use(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who);

/* Hears of a kernel; gives those that have run since the last call to the call under way, if it is made of such alone. */
void tg_recorder_mapped(tg_listener *l, const tg_map_call *c);
void tg_recorder_take_maps(tg_recorder *r, bool of_kernels);
void tg_recorder_differs_in_kernels(tg_recorder *r);

/* ---- forms ---- */

/* The form of these bytes, which is noted once. NULL with the recording lost. */
void *tg_recorder_form(tg_recorder *r, tg_forms *of, const void *form, size_t size);
void tg_forms_free(tg_forms *f);

/* ---- the run before ---- */

/* The run does something else than the one before, in a memory or (-1) not. */
void tg_recorder_differs(tg_recorder *r, int memory, const char *what);

/* Whether they are the same; of calls and memories what differs, a static text or `text`; NULL: nothing. data: those of b. */
bool tg_same_operand(const tg_operand *a, const tg_operand *b);
bool tg_same_layout(const tg_operand *a, const tg_operand *b);
const char *tg_call_difference(const tg_plan_call *a, const tg_call_form *b, const void *data, char text[160]);
const char *tg_memory_difference(const tg_memory *a, const tg_memory *b);

/* ---- whole runs ---- */

/* The recorder that listens on this thread; NULL: none. */
tg_recorder *tg_recorder_now(void);

/* Which input the tensor is; -1: none. */
int tg_recorder_input(const tg_recorder *r, const tg_slot *s);

/* Where two inputs have one memory: refuses work, before it is done, that changes an input. */
void tg_recorder_refuse_twice(const tg_recorder *r, const tg_work *w, const tg_array *const *a);

/* Of a shared plan's step: refuses work, before it is done, that changes what the step has not made in this run. */
void tg_recorder_refuse_shared(const tg_recorder *r, const tg_work *w, const tg_array *const *a);

/* Places: of a listener the function that hears them, and, once the run is over, what the tensors know of theirs. */
void tg_recorder_placed(tg_listener *l, const char *file, int line);
void tg_recorder_note_places(const tg_recorder *r);

#endif
