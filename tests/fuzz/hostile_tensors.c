/* Tensors of every state: alive, NULL, poison, rewound, freed, released, of another thread that lives or has ended. */
#define _POSIX_C_SOURCE 200809L
#include "core/slot.h"
#include "tests/fuzz/hostile.h"

#include <math.h>
#include <pthread.h>
#include <string.h>

enum { N_POOL = 48, N_FIRST = 20, N_STALE = 16, N_FOREIGN = 4, N_OWNED = 64, MOST_ELEMENTS = 512 };

static tg_tensor *pool[N_POOL];       /* the first N_FIRST as made, then results */
static tg_tensor *stale[N_STALE];     /* of earlier sequences too */
static tg_tensor *foreign[N_FOREIGN]; /* on the tape of a thread that waits; the last one kept */
static tg_tensor *orphans[N_FOREIGN]; /* of a thread that has ended; the last one kept */
static tg_tensor *owned[N_OWNED];
static int n_owned;

/* ---- other threads ---- */

static pthread_t waiting;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t change = PTHREAD_COND_INITIALIZER;
static bool ready, over;

static void make_foreign(tg_tensor **t) {
    t[0] = tg_ones(TG_F32, 2, 3);
    t[1] = tg_zeros(TG_I64, 3);
    t[2] = tg_square(tg_set_requires_grad(tg_ones(TG_F32, 2, 3), true));
    t[3] = tg_keep(t[0]);
}

static void *wait_for_the_end(void *arg) {
    make_foreign(foreign);
    pthread_mutex_lock(&lock);
    ready = true;
    pthread_cond_broadcast(&change);
    while (!over) pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
    tg_free(foreign[N_FOREIGN - 1]);
    return arg;
}

static void *end_at_once(void *arg) {
    make_foreign(orphans);
    return arg;
}

bool start_threads(void) {
    pthread_t short_lived;
    if (pthread_create(&short_lived, NULL, end_at_once, NULL) != 0 || pthread_join(short_lived, NULL) != 0)
        return false;
    if (pthread_create(&waiting, NULL, wait_for_the_end, NULL) != 0) return false;
    pthread_mutex_lock(&lock);
    while (!ready) pthread_cond_wait(&change, &lock);
    pthread_mutex_unlock(&lock);
    return true;
}

void stop_threads(void) {
    pthread_mutex_lock(&lock);
    over = true;
    pthread_cond_broadcast(&change);
    pthread_mutex_unlock(&lock);
    pthread_join(waiting, NULL);
    tg_free(orphans[N_FOREIGN - 1]);
}

/* What calls have done to a tensor of another thread must not add up. */
static void clean(tg_tensor *t) {
    if (!tg_is_alive(t)) return;
    tg_zero_grad(t);
    tg_remove_hooks(t);
    tg_error_clear();
}

/* ---- the pool ---- */

static double draw_element(void) {
    static const double special[] = {NAN, INFINITY, -INFINITY, 0, 1e30, -1e-30, 1};
    if (one_in(32)) return special[below(COUNT(special))];
    return (double)below(4001) / 1000 - 2;
}

static tg_tensor *random_tensor(tg_dtype dtype, tg_shape shape) {
    tg_tensor *t = (tg_zeros)(dtype, shape);
    const tg_array *a = tg_array_of(t);
    bool whole = !tg_dtype_is_float(dtype);
    for (int64_t i = 0; a && i < a->numel; i++)
        tg_array_set(a, i, !whole ? draw_element() : one_in(24) ? (double)(below(7) - 3) : (double)below(2));
    return t;
}

static tg_shape draw_usual_shape(void) {
    static const tg_shape usual[] = {{0, {0}},
                                     {1, {1}},
                                     {1, {3}},
                                     {1, {6}},
                                     {2, {2, 3}},
                                     {2, {3, 2}},
                                     {2, {3, 3}},
                                     {3, {2, 3, 3}},
                                     {4, {1, 2, 4, 4}},
                                     {4, {2, 2, 3, 3}},
                                     {2, {0, 3}},
                                     {3, {3, 0, 2}},
                                     {8, {1, 1, 1, 1, 1, 1, 1, 2}},
                                     {2, {12, 3}},
                                     {3, {2, 2, 12}},
                                     {2, {2, 8}}};
    return usual[below(COUNT(usual))];
}

static tg_tensor *first_tensor(int i) {
    static const tg_dtype whole[] = {TG_I64, TG_I64, TG_I32, TG_BOOL, TG_U8};
    if (i < COUNT(whole)) return random_tensor(whole[i], draw_usual_shape());
    tg_tensor *t = random_tensor(one_in(3) ? TG_F64 : TG_F32, draw_usual_shape());
    if (one_in(2)) tg_set_requires_grad(t, true);
    if (one_in(6)) t = tg_rank(t) > 1 ? tg_transpose(t, 0, -1) : t;
    if (one_in(6)) t = tg_square(t);
    if (!one_in(4)) return t;
    t = one_in(2) ? tg_param(t) : tg_keep(t);
    own_tensor(t);
    return t;
}

static void make_stale(void) {
    tg_mark mark = tg_tape_mark();
    stale[below(N_STALE)] = tg_sqrt(tg_ones(TG_F32, 2, 3));
    tg_tape_rewind(mark);
    tg_tensor *kept = tg_param(tg_ones(TG_F32, 3));
    stale[below(N_STALE)] = kept;
    tg_free(kept);
}

void make_tensors(void) {
    make_stale();
    for (int i = 0; i < N_POOL; i++) pool[i] = i < N_FIRST ? first_tensor(i) : pool[below(i)];
    tg_tensor *released = tg_square(pool[N_FIRST - 1]);
    tg_release(released);
    pool[N_FIRST] = released;
}

void add_tensor(tg_tensor *t) {
    if (!tg_is_alive(t)) {
        if (t && !tg_is_poison(t)) stale[below(N_STALE)] = t;
    } else if (tg_numel(t) <= MOST_ELEMENTS) {
        pool[N_FIRST + below(N_POOL - N_FIRST)] = t;
    }
}

void own_tensor(tg_tensor *t) {
    if (!tg_is_alive(t)) return;
    if (n_owned < N_OWNED)
        owned[n_owned++] = t;
    else
        tg_free(t);
}

/* ---- drawing ---- */

static tg_tensor *bad_tensor(void) {
    switch (below(6)) {
    case 0:
        return NULL;
    case 1:
        return tg_poison();
    case 2:
        return foreign[below(N_FOREIGN)];
    case 3:
        return orphans[below(N_FOREIGN)];
    case 4:
        return pool[N_FIRST];
    default:
        return stale[below(N_STALE)];
    }
}

static bool is_index(const char *name) {
    static const char *const those[] = {"index", "target", "class_of_row", "condition", "mask"};
    for (int i = 0; i < COUNT(those); i++)
        if (strcmp(name, those[i]) == 0) return true;
    return false;
}

/* A tensor such as this argument may want: whole numbers for an index, else the shape of the one before. */
static bool suits(const tg_tensor *t, const char *name) {
    const tg_tensor *last = FRAME->last;
    if (!tg_is_alive(t)) return false;
    if (is_index(name) && !one_in(4)) return !tg_dtype_is_float(tg_dtype_of(t));
    return !last ||
           (tg_dtype_of(t) == tg_dtype_of(last) && tg_shape_equal(tg_shape_of(t), tg_shape_of(last)));
}

static tg_tensor *good_tensor(const char *name) {
    tg_tensor *t = pool[below(N_POOL)];
    for (int tries = below(3) ? 12 : 0; tries > 0 && !suits(t, name); tries--) t = pool[below(N_POOL)];
    if (tg_is_alive(t)) FRAME->last = t;
    return t;
}

static void note_tensor(const tg_tensor *t) {
    char text[80];
    note(" %s", tg_describe(t, text, sizeof text));
    if (t && !tg_is_alive(t) && !tg_is_poison(t)) note(" (stale)");
    for (int i = 0; i < N_FOREIGN; i++)
        if (t == foreign[i]) note(" (of another thread)");
}

tg_tensor *draw_tg_tensor_p(const char *name) {
    tg_tensor *t = bad() ? bad_tensor() : good_tensor(name);
    note(" %s=", name);
    note_tensor(t);
    return t;
}

/* As many as the count drawn before; the rest are NULL. */
tg_tensor **draw_tg_tensor_in(const char *name) {
    note(" %s=(", name);
    if (bad()) return note("NULL)"), NULL;
    tg_tensor **t = scratch(CAPACITY * sizeof *t);
    int n = FRAME->count;
    for (int i = 0; i < n && i < CAPACITY; i++) t[i] = i < 16 || i > n - 3 ? draw_tg_tensor_p("") : t[0];
    note(")");
    return t;
}

tg_tensor **draw_tg_tensor_out(const char *name) {
    note(" %s=", name);
    return bad() ? (note("NULL"), NULL) : scratch(CAPACITY * sizeof(tg_tensor *));
}

/* ---- arrays: references of their own to tensors' elements, until the end of the sequence ---- */

static tg_array *arrays[CAPACITY];
static int n_arrays;

static void drop_arrays(void) {
    while (n_arrays > 0) tg_array_drop(arrays[--n_arrays]);
}

/* What lays an array out overwrites what it holds, so these get an empty one. */
static bool lays_out(void) {
    return strncmp(FRAME->call->name, "tg_array_layout", 15) == 0 ||
           strncmp(FRAME->call->name, "tg_array_alloc", 14) == 0;
}

tg_array *draw_tg_array_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_array *a = scratch(sizeof *a);
    const tg_slot *s = tg_slot_peek(good_tensor(""));
    bool empty =
        (lays_out() && strcmp(name, "a") == 0) || !s || s->released || !s->a.data || n_arrays == CAPACITY;
    if (!empty) tg_array_share(a, &s->a);
    arrays[n_arrays] = a;
    n_arrays += n_arrays < CAPACITY - 1;
    note("%s, %d axes", empty ? "empty" : "an array", a->rank);
    return a;
}

void free_tensors(void) {
    drop_arrays();
    for (int i = 0; i < n_owned; i++)
        if (tg_is_alive(owned[i])) tg_free(owned[i]);
    n_owned = 0;
    for (int i = 0; i < N_FOREIGN; i++) clean(foreign[i]), clean(orphans[i]);
}
