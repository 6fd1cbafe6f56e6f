/* Private. The recorder's own parts: memory.c knows memory, record.c listens. */
#ifndef TG_AUTOGRAD_PLAN_RECORDER_H
#define TG_AUTOGRAD_PLAN_RECORDER_H

#include "autograd/plan/record.h"

/* Makes room for `more` elements in a list of the recording; false, and the recording is lost while the run goes on, where
 * there is none. */
bool tg_recorder_grow(tg_recorder *r, void **list, int64_t *cap, int64_t used, int64_t more, size_t size);
#define TG_ROOM(r, list, used, cap, more) \
    (((r)->rec->used + (more) <= (r)->rec->cap && !(r)->lost) || \
     tg_recorder_grow(r, (void **)(void *)&(r)->rec->list, &(r)->rec->cap, (r)->rec->used, more, \
                      sizeof *(r)->rec->list))

/* Room for as much as another recording holds, which the coming one most likely is like. */
void tg_recorder_make_room(tg_recorder *r, const tg_recording *like);

/* TG_ERR_TAPE: "<who>: <t> <why>", without a tensor where t is NULL. */
tg_status tg_recorder_refuse(const char *who, const char *why, const tg_tensor *t);

/* Where the number of the memory of this buffer stands, or would. The buffers of a run have serials that follow each other, and so
 * lie side by side here, every second place free for others. Memory of somebody else's has none. */
static inline int64_t *tg_recording_probe(const tg_recording *rec, const tg_buffer *b, uint64_t serial) {
    const uint64_t mask = (uint64_t)(rec->cap_hash - 1);
    uint64_t i = serial ? 2 * serial : ((uintptr_t)b >> 3) * UINT64_C(0x9E3779B97F4A7C15) >> 20;
    for (;; i++) {
        int64_t *at = &rec->hash[i & mask];
        if (*at < 0 || (rec->memory[*at].buffer == b && rec->memory[*at].serial == serial)) return at;
    }
}

/* The number of the memory that is known by this buffer, or of the array's; -1: none. */
static inline int tg_recorder_find_buffer(const tg_recorder *r, const tg_buffer *b) {
    return r->rec->cap_hash && b ? (int)*tg_recording_probe(r->rec, b, b->serial) : -1;
}
static inline int tg_recorder_find(const tg_recorder *r, const tg_array *a) {
    return tg_recorder_find_buffer(r, a->buffer);
}

/* New memory, that of the array; NULL with the recording lost. */
tg_memory *tg_recorder_add_memory(tg_recorder *r, const tg_array *a, tg_memory_kind kind);

/* Whether the array's buffer was made in this run and no kept tensor has it; and by the call under way, or the call writes all
 * of it. */
bool tg_recorder_is_young(const tg_recorder *r, const tg_array *a);
bool tg_recorder_made_whole(const tg_recorder *r, const tg_array *a);

typedef enum tg_use { TG_USE_READ, TG_USE_MAKE, TG_USE_CHANGE } tg_use;

/* Which memory the array lies in, made known where it is not; s is its tensor's slot, or NULL. -1 with an error raised, or
 * with the recording lost. */
int tg_recorder_memory(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who);

/* Adds an operand: NULL for one that is absent; without data, one of which only the layout is known; and one of which no more is
 * to be known. */
tg_status tg_recorder_operand(tg_recorder *r, const tg_array *a, const tg_slot *s, tg_use how, const char *who);
void tg_recorder_layout(tg_recorder *r, const tg_array *a);
void tg_operand_set(tg_recorder *r, tg_operand *o, const tg_array *a, int memory);

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
void tg_recording_note_places(tg_recording *rec);

#endif
