/* Callbacks: some do their work, some fail, and some do to the library what they should not. */
#include "tests/fuzz/hostile.h"

#include <math.h>
#include <string.h>

typedef struct callback {
    int n; /* tensors that it is given */
} callback;

void *draw_user(void) {
    if (one_in(4)) return note(" user=NULL"), NULL;
    FRAME->user = scratch(sizeof(callback));
    note(" user");
    return FRAME->user;
}

/* The call that is given a callback draws its count after it. */
static int count_for(const void *user) {
    const callback *c = user;
    if (!c) return 0;
    for (int i = 0; i < hostile_depth; i++)
        if (hostile_frames[i].user == c) return hostile_frames[i].count;
    return 0;
}

void disturb(void) {
    for (int i = 0; i < hostile_depth; i++) hostile_frames[i].disturbed = true;
}

/* A call such as ends what a frame below may still hold, or any. */
void call_back(void) {
    static const char *const those[] = {
        "tg_tape_rewind",    "tg_free",        "tg_remove_hooks", "tg_tape_use",
        "tg_backward",       "tg_model_free",  "tg_optim_step",   "tg_drop_elements",
        "tg_register_hook",  "tg_zero_grad",   "tg_tape_free",    "tg_set_grad_enabled",
        "tg_data_mut",       "tg_fill_",       "tg_tape_mark",    "tg_optim_free",
        "tg_model_truncate", "tg_memory_trim", "tg_seed",         "tg_grad",
        "tg_plan_run",       "tg_plan_free"};
    const hostile_call *c =
        one_in(3) ? &hostile_calls[below(n_hostile_calls)] : find_hostile(those[below(COUNT(those))]);
    if (hostile_depth == MOST_NESTED || !c) return;
    disturb();
    make_call(c);
}

tg_tensor *good_result(tg_tensor *const *in, int n, int64_t kind) {
    tg_tensor *x = n > 0 && in ? in[below(n)] : draw_tg_tensor_p("from callback");
    switch (kind) {
    case 0:
        return x;
    case 1:
        return tg_square(x);
    case 2:
        return tg_sum_with(tg_mul(x, x), (tg_reduce_opts){0});
    case 3:
        return tg_mul(x, n > 1 && in ? in[n - 1] : x);
    case 4:
        return tg_to(x, tg_dtype_of(x) == TG_F64 ? TG_F32 : TG_F64);
    case 5:
        return tg_ones_with(TG_F32, tg_shape_of(x));
    default:
        return tg_mean_with(tg_sin(x), (tg_reduce_opts){0});
    }
}

tg_tensor *misbehave(tg_tensor *const *in, int n) {
    switch (below(8)) {
    case 0:
        return NULL;
    case 1:
        return tg_poison();
    case 2:
        return tg_fail(TG_ERR_ARGUMENT, "hostile: the callback fails"), tg_poison();
    case 3:
        return draw_tg_tensor_p("from callback");
    case 4:
        return tg_fail(TG_ERR_ARGUMENT, "hostile: the callback fails"), good_result(in, n, 1);
    default:
        for (int64_t times = 1 + below(3); times > 0; times--) call_back();
        return good_result(in, n, below(7));
    }
}

/* Notes and draws of a callback belong to the call that is under way, whichever that is. */
static tg_tensor *behave(tg_tensor *const *in, int n) {
    if (hostile_depth == 0) return good_result(in, n, 1);
    return bad() || one_in(6) ? misbehave(in, n) : good_result(in, n, below(7));
}

static tg_tensor *function(tg_tensor *const *in, void *user) { return behave(in, count_for(user)); }

tg_function draw_tg_function(const char *name) {
    bool none = bad();
    note(" %s=%s", name, none ? "NULL" : "function");
    return none ? NULL : function;
}

tg_gradcheck_fn draw_tg_gradcheck_fn(const char *name) { return draw_tg_function(name); }

static bool goes_on(int64_t done, int64_t all, void *user) {
    (void)done, (void)all, (void)user;
    if (hostile_depth > 0 && one_in(8)) call_back();
    return !one_in(20);
}
tg_check_progress draw_tg_check_progress(const char *name) {
    note(" %s", name);
    return one_in(3) ? goes_on : NULL;
}

static void sees(const tg_checked *one_of_them, void *user) {
    (void)one_of_them, (void)user;
    if (hostile_depth > 0 && one_in(8)) call_back();
}
tg_checked_fn draw_tg_checked_fn(const char *name) {
    note(" %s", name);
    return one_in(3) ? sees : NULL;
}

static double on_line(double *t, void *user) {
    (void)user;
    if (hostile_depth > 0 && one_in(40)) call_back();
    if (one_in(30)) *t = draw_double("t");
    return one_in(30) ? draw_double("phi") : *t * (1 + *t);
}
tg_line draw_tg_line(const char *name) {
    note(" %s", name);
    return bad() ? NULL : on_line;
}

static tg_tensor *hook(tg_tensor *grad, void *user) {
    (void)user;
    if (one_in(3)) return NULL;
    return one_in(2) ? tg_mul_scalar(grad, 0.5) : behave(&grad, 1);
}

tg_hook draw_tg_hook(const char *name) {
    bool none = bad();
    note(" %s=%s", name, none ? "NULL" : "hook");
    return none ? NULL : hook;
}

/* ---- initialisers ---- */

static tg_status fails(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)w, (void)rng, (void)init;
    return tg_fail(TG_ERR_ARGUMENT, "hostile: the initialiser fails");
}

static tg_status returns_a_status(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)w, (void)rng, (void)init;
    return TG_ERR_IO;
}

static tg_status calls_back(tg_tensor *w, tg_rng *rng, const tg_init *init) {
    (void)init;
    if (hostile_depth == 0) return TG_OK;
    tg_rng_uniform(rng);
    misbehave(&w, 1);
    return TG_OK;
}

tg_init draw_tg_init(const char *name) {
    const tg_init good[] = {tg_init_constant(0.5),
                            tg_init_kaiming_uniform(0),
                            tg_init_xavier_normal(1),
                            tg_init_uniform(-1, 1),
                            tg_init_trunc_normal(0, 1, -2, 2),
                            tg_init_orthogonal(1),
                            tg_init_uniform(1, -1),
                            tg_init_normal(0, -1),
                            tg_init_trunc_normal(0, 1, 2, 1),
                            tg_init_xavier_uniform(NAN),
                            tg_init_orthogonal(INFINITY),
                            tg_init_dirac(2)};
    static const tg_init_fn wrong[] = {fails, returns_a_status, calls_back};
    note(" %s", name);
    if (bad()) return (tg_init){.fill = wrong[below(COUNT(wrong))]};
    return one_in(2) ? (tg_init){0} : good[below(COUNT(good))];
}

/* ---- activations ---- */

static tg_tensor *acts_up(tg_tensor *x) { return hostile_depth > 0 ? behave(&x, 1) : x; }

tg_activation_fn draw_tg_activation_fn(const char *name) {
    static const tg_activation_fn good[] = {NULL, tg_relu, tg_gelu, tg_silu};
    note(" %s", name);
    return bad() ? acts_up : good[below(COUNT(good))];
}

/* ---- transforms ---- */

static tg_status transform(tg_tensor **batch, int n, tg_rng *rng, void *user) {
    (void)user;
    const int64_t i = below(n);
    if (one_in(3)) tg_rng_uniform(rng);
    if (hostile_depth > 0) batch[i] = behave(batch, n);
    return bad() ? TG_ERR_IO : TG_OK;
}

tg_transform draw_tg_transform(const char *name) {
    const bool none = one_in(2);
    note(" %s=%s", name, none ? "NULL" : "transform");
    return none ? NULL : transform;
}
