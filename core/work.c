#include "core/work.h"

#include <math.h>
#include <string.h>

_Thread_local TG_HOT tg_listener *tg_listening;

static tg_status tell(const tg_work *w, const tg_array *const *a) {
    tg_listener *l = tg_listening;
    if (!l) return w->run(a, w->data);
    const bool fine = tg_error_pending == TG_OK;
    l->working(l, w, a);
    if (fine && tg_error_pending != TG_OK) return tg_error_pending;
    if (!w->of_kernels) tg_listening = NULL; /* what it does is told as a whole */
    tg_status s = w->run(a, w->data);
    tg_listening = l;
    if (s == TG_OK) l->worked(l, w, a);
    return s == TG_OK && fine ? tg_error_pending : s;
}

void tg_work_span(tg_span *s, const tg_work *w, const tg_array *const *a) {
    s->name = strncmp(w->name, "tg_", 3) == 0 ? w->name + 3 : w->name;
    s->whole = true;
    if (w->outside && s->kind == TG_SPAN_FORWARD) s->kind = TG_SPAN_UPDATE;
    for (int i = 0; i < w->n; i++) s->bytes += a[i] ? tg_span_bytes(a[i]) * (w->changes >> i & 1 ? 2 : 1) : 0;
}

tg_status tg_work_told(const tg_work *w, const tg_array *const *a) {
    if (!tg_measuring || (tg_measuring->open && tg_measuring->open->whole)) return tell(w, a);
    tg_span span;
    tg_span_begin(&span, w->name);
    tg_work_span(&span, w, a);
    tg_status s = tell(w, a);
    tg_span_end(&span, s == TG_OK);
    return s;
}

static tg_status copy(const tg_array *const *a, const void *data) {
    (void)data;
    tg_array_copy(a[0], a[1]);
    return TG_OK;
}

tg_status tg_work_copy(const char *name, const tg_array *to, const tg_array *from) {
    const tg_array *const a[] = {to, from};
    return TG_WORK_DO(copy, a, NULL, .name = name, .n = 2, .makes = 1u);
}

void tg_describe_to(tg_described *d, const tg_tensor *t) {
    d->of = t;
    if (!tg_listening) return;
    d->of = NULL;
    memset(d->text, 0, sizeof d->text);
    tg_describe(t, d->text, sizeof d->text);
}

const char *tg_described_in(const tg_described *d, char text[160]) {
    return d->of ? tg_describe(d->of, text, 160) : d->text;
}

static bool is_infinite(const tg_array *const *a, const void *data) {
    (void)data;
    return isinf(tg_array_get(a[0], 0));
}
static bool is_set(const tg_array *const *a, const void *data) {
    (void)data;
    return tg_array_get(a[0], 0) != 0;
}

static bool of_one(const tg_tensor *t, const char *who, tg_decide_fn *decide) {
    const tg_array *a = tg_array_within(t, who);
    char text[160];
    if (a && a->numel != 1)
        tg_fail(TG_ERR_SHAPE, "%s: %s has more or less than one element", who,
                tg_describe(t, text, sizeof text));
    return a && a->numel == 1 && tg_decide(&(tg_decision){who, decide, 1, NULL, 0}, &a);
}

bool tg_decide_infinite(const tg_tensor *t, const char *who) { return of_one(t, who, is_infinite); }
bool tg_decide_set(const tg_tensor *t, const char *who) { return of_one(t, who, is_set); }

const tg_array *tg_array_within(const tg_tensor *t, const char *who) {
    const tg_slot *s = tg_slot_with_data(t, who);
    return s ? &s->a : NULL;
}
