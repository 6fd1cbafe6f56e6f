/* Tensors of every state: alive, NULL, poison, rewound, freed, released, of another thread that lives or has ended. */
#include "core/slot.h"
#include "tests/fuzz/hostile.h"

#include <math.h>
#include <string.h>

enum { N_POOL = 48, N_FIRST = 20, N_OWNED = 64, MOST_ELEMENTS = 512 };

static tg_tensor *pool[N_POOL]; /* the first N_FIRST as made, then results */
tg_tensor *stale[N_STALE];
static tg_tensor *owned[N_OWNED];
static int n_owned;

/* ---- the pool ---- */

/* What calls have done to a tensor of another thread must not add up. */
static void clean(tg_tensor *t) {
    if (!tg_is_alive(t)) return;
    tg_zero_grad(t);
    tg_remove_hooks(t);
    tg_error_clear();
}

static double draw_element(void) {
    static const double special[] = {NAN, INFINITY, -INFINITY, 0, 1e30, -1e-30, 1};
    if (one_in(32)) return special[below(COUNT(special))];
    return (double)below(4001) / 1000 - 2;
}

static tg_tensor *random_tensor(tg_dtype dtype, tg_shape shape) {
    tg_tensor *t = tg_zeros_with(dtype, shape);
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
    tg_drop_elements(released);
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
    return !last || (tg_dtype_of(t) == tg_dtype_of(last) && tg_shape_equal(tg_shape_of(t), tg_shape_of(last)));
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

/* Wrong fields over memory that is there; the reference is not its own. */
void spoil_array(tg_array *a) {
    int axis = (int)below(TG_MAX_RANK);
    switch (below(8)) {
    case 0:
        a->rank = (uint8_t)(one_in(2) ? 9 + below(240) : 1 + below(8));
        break;
    case 1:
        a->dtype = (uint8_t)(one_in(2) ? TG_DTYPES + below(250) : below(TG_DTYPES));
        break;
    case 2:
        a->numel = draw_int64_t("numel");
        break;
    case 3:
        a->shape[axis] = draw_int64_t("shape");
        break;
    case 4:
        a->shape[axis] = a->numel = monster();
        break;
    case 5:
        a->stride[axis] = one_in(2) ? monster() : below(9) - 4;
        break;
    case 6:
        a->shape[axis] = 2, a->stride[axis] = monster(), a->rank = 8;
        a->numel = tg_shape_numel(tg_array_shape(a));
        break;
    default:
        a->data = NULL;
    }
}

static void drop_arrays(void) {
    while (n_arrays > 0) tg_array_drop(arrays[--n_arrays]);
}

/* What lays an array out overwrites what it holds, so these get an empty one. */
static bool lays_out_first(const char *name) {
    return strcmp(name, "a") == 0 && (strncmp(FRAME->call->name, "tg_array_layout", 15) == 0 ||
                                      strncmp(FRAME->call->name, "tg_array_alloc", 14) == 0);
}

static tg_array *spoiled(const tg_array *a) {
    tg_array *copy = scratch(sizeof *copy);
    *copy = *a;
    note("spoiled, ");
    for (int64_t times = 1 + below(2); times > 0; times--) spoil_array(copy);
    return copy;
}

/* "out", "dst": what the function writes, and drops before. "call": what the library has checked. */
static bool is_left_whole(const char *name) {
    return name[0] == 'o' || name[0] == 'd' || name[0] == 'c' || lays_out_first(name) ||
           FRAME->call == find_hostile("tg_array_drop");
}

tg_array *draw_tg_array_p(const char *name) {
    note(" %s=", name);
    if (bad() && one_in(2)) return note("NULL"), NULL;
    tg_array *a = scratch(sizeof *a);
    const tg_slot *s = tg_slot_peek(good_tensor(""));
    bool empty = lays_out_first(name) || !s || s->released || !s->a.data || n_arrays == CAPACITY;
    if (!empty) tg_array_share(a, &s->a);
    arrays[n_arrays] = a;
    n_arrays += n_arrays < CAPACITY - 1;
    note("%s, %d axes", empty ? "empty" : "an array", a->rank);
    return bad() && !is_left_whole(name) ? spoiled(a) : a;
}

void free_tensors(void) {
    drop_arrays();
    for (int i = 0; i < n_owned; i++)
        if (tg_is_alive(owned[i])) tg_free(owned[i]);
    n_owned = 0;
    for (int i = 0; i < N_FOREIGN; i++) clean(foreign[i]), clean(orphans[i]);
}
