/* Whether a failed call has left everything as it was. */
#ifndef TG_TESTS_OPS_STATE_H
#define TG_TESTS_OPS_STATE_H

#include "core/slot.h"

#include <check.h>
#include <string.h>
#include <tapegrad.h>

typedef struct state {
    size_t bytes; /* in live buffers */
    int64_t tensors, nodes, pins;
    tg_rng rng;
    bool recording;
    const char *named;
} state;

/* Pins are those of the n tensors, of which some may be no tensors any more. */
static inline state state_of(int n, tg_tensor *const *t) {
    state s = {tg_memory_now().live_buffer_bytes,
               tg_tape_tensors(),
               tg_tape_nodes(),
               0,
               *tg_default_rng(),
               tg_grad_enabled(),
               tg_named_begin(NULL)};
    for (int i = 0; i < n; i++) {
        const tg_slot *slot = t[i] ? tg_slot_peek(t[i]) : NULL;
        if (slot) s.pins += slot->pins;
    }
    tg_named_end(&s.named);
    return s;
}

/* To be asked when the error has been read: it is cleared. */
static inline void expect_state(const char *what, const state *before, int n, tg_tensor *const *t) {
    tg_error_clear();
    state now = state_of(n, t);
    ck_assert_msg(tg_error_status() == TG_OK && tg_error_message()[0] == '\0', "%s: the error is not cleared",
                  what);
    ck_assert_msg(now.tensors == before->tensors && now.nodes == before->nodes,
                  "%s: the tape has %lld tensors and %lld nodes, had %lld and %lld", what,
                  (long long)now.tensors, (long long)now.nodes, (long long)before->tensors,
                  (long long)before->nodes);
    ck_assert_msg(now.bytes == before->bytes, "%s: %zu bytes are live, were %zu", what, now.bytes,
                  before->bytes);
    ck_assert_msg(now.pins == before->pins, "%s: pins are left", what);
    ck_assert_msg(memcmp(&now.rng, &before->rng, sizeof now.rng) == 0, "%s: the random stream has moved", what);
    ck_assert_msg(now.recording == before->recording, "%s: the recording mode has changed", what);
    ck_assert_msg(now.named == before->named, "%s: errors still name %s", what, now.named);
}

#endif
