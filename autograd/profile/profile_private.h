/* Private. What a profile holds. */
#ifndef TG_AUTOGRAD_PROFILE_PROFILE_PRIVATE_H
#define TG_AUTOGRAD_PROFILE_PROFILE_PRIVATE_H

#include "autograd/profile/profile.h"
#include "core/span.h"

typedef struct tg_profile_event {
    int64_t began, took; /* nanoseconds; began: from the profile's begin */
    double bytes, flops;
    int64_t row;
} tg_profile_event;

enum { TG_EVENTS = 1024 }; /* in a chunk */
typedef struct tg_profile_chunk {
    struct tg_profile_chunk *next;
    int64_t n;
    tg_profile_event event[TG_EVENTS];
} tg_profile_chunk;

typedef struct tg_profile_entry { /* a row; its texts lie in the arena of the profile */
    tg_profile_row row;
    const char *op, *file; /* as the spans have them, to find it by */
    int64_t own, within;   /* nanoseconds */
} tg_profile_entry;

struct tg_profile {
    tg_stopwatch watch; /* first */
    const char *kind;
    uint64_t thread;
    _Atomic bool measuring;
    int64_t began, ended;
    int64_t most; /* events that are kept */
    int64_t events, dropped, lost;
    int64_t measured; /* nanoseconds inside of events */
    tg_arena texts;
    tg_profile_entry *entry; /* n_entries of cap_entries */
    int64_t n_entries, cap_entries;
    int64_t *hash; /* of entries; a power of two, -1: empty */
    int64_t cap_hash;
    tg_span *waiting; /* those that have ended without a place: n_waiting of cap_waiting */
    int64_t n_waiting, cap_waiting;
    tg_arena names; /* of those of plans, which may end before */
    tg_profile_chunk *first, *last;
};

/* "matmul backward", "plan: fused 2: mul, add": what the tables and the trace call a row. */
#define TG_ROW_NAME 256
void tg_profile_row_name(const tg_profile_row *r, char text[TG_ROW_NAME]);

/* The profile behind the handle, which has ended; NULL with the error raised. */
const tg_profile *tg_profile_ended(const tg_profile *handle, const char *who);

#endif
