/* Calls that need more than their types say. */
#include "tests/fuzz/hostile.h"

#include "autograd/composed.h"

#include <string.h>

void own_tg_alloc(void) {
    size_t size = draw_size_t("size");
    call_begin();
    void *p = tg_alloc(size);
    end_void();
    if (p && size) memset(p, 1, 1);
    tg_dealloc(p, size);
}

static void body(void *context, int64_t begin, int64_t end) { *(volatile int64_t *)context = end - begin; }

/* Many pieces of one element are many calls, which is what was asked for. */
void own_tg_parallel_for(void) {
    static int64_t sum;
    int64_t n = bad() ? draw_int64_t("n") : below(1000), grain = draw_int64_t("grain");
    if (n > 1000) n = 1000;
    bool none = bad();
    note(" n=%lld", (long long)n);
    call_begin();
    tg_parallel_for(n, grain, none ? NULL : body, &sum);
    end_void();
}

/* CAPACITY values, so n is no more. */
void own_tg_rng_shuffle(void) {
    int64_t *values = draw_int64_t_p("values"), n = draw_int64_t("n");
    tg_rng *rng = draw_tg_rng_p("rng");
    if (n > CAPACITY) n = CAPACITY;
    call_begin();
    tg_rng_shuffle(rng, values, n);
    end_void();
}

/* An array whose fields are wrong, but whose memory is there. */
static void spoil(tg_array *a) {
    switch (below(5)) {
    case 0:
        a->rank = (uint8_t)(9 + below(240));
        break;
    case 1:
        a->dtype = (uint8_t)(TG_DTYPES + below(100));
        break;
    case 2:
        a->numel = draw_int64_t("numel");
        break;
    case 3:
        a->shape[below(TG_MAX_RANK)] = draw_int64_t("shape");
        break;
    default:
        a->data = NULL;
    }
}

void own_tg_from_array(void) {
    const tg_array *from = draw_tg_array_p("a");
    tg_array a = from ? *from : (tg_array){0};
    (void)spoil;
    call_begin();
    end_tg_tensor_p((tg_from_array)(from ? &a : NULL));
}

/* A composition of hostile calls. */
void own_tg_composed_begin(void) {
    for (int i = 0; i < hostile_depth; i++) hostile_frames[i].disturbed = true;
    call_begin();
    hostile_composed++;
    {
        TG_COMPOSED("hostile_composition");
        for (int64_t times = below(3); times > 0 && hostile_depth < MOST_NESTED; times--)
            make_call(&hostile_calls[below(n_hostile_calls)]);
    }
    hostile_composed--;
    end_void();
}

/* A function of a user's own that takes functions, and calls one. */
void own_tg_callback_begin(void) {
    for (int i = 0; i < hostile_depth; i++) hostile_frames[i].disturbed = true;
    call_begin();
    tg_callback c = tg_callback_begin();
    for (int64_t times = below(3); times > 0 && hostile_depth < MOST_NESTED; times--)
        make_call(&hostile_calls[below(n_hostile_calls)]);
    end_tg_status(tg_callback_end(c, tg_error_status(), "hostile_callback"));
}
