/* Exact values: what is chosen where mathematics leaves a choice, and where naive formulas lose. Every number
 * must be met exactly, in f32 and f64. */
#include "tests/ops/cases.h"

static const convention cases[] = {
    /* ---- kinks ---- */
    {"abs'(0) = 0", "abs", {0}, {VECTOR(-2, 0, 3)}, VECTOR(2, 0, 3), {VECTOR(-1, 0, 1)}, AT_KINK},
    {"abs'(-0) = 0", "abs", {0}, {VECTOR(-0.0)}, VECTOR(0), {VECTOR(0)}, AT_KINK},
    {"relu'(0) = 0", "relu", {0}, {VECTOR(-1, 0, 2)}, VECTOR(0, 0, 2), {VECTOR(0, 0, 1)}, AT_KINK},
    {"relu'(-0) = 0", "relu", {0}, {VECTOR(-0.0)}, VECTOR(0), {VECTOR(0)}, AT_KINK},
    {"sign'= 0 everywhere", "sign", {0}, {VECTOR(-2, 0, 5)}, VECTOR(-1, 0, 1), {VECTOR(0, 0, 0)}, AT_KINK},
    {"amax: two tie, half each", "amax", ARG(0), {VECTOR(3, 1, 3)}, SCALAR(3), {VECTOR(0.5, 0, 0.5)},
     AT_KINK},
    {"amax: four tie, a quarter each", "amax", ARG(0), {MATRIX(2, 2, 7, 7, 7, 7)}, SCALAR(7),
     {MATRIX(2, 2, 0.25, 0.25, 0.25, 0.25)}, AT_KINK},
    {"amax along an axis: ties in each row by themselves", "amax", ARG(0, 1), {MATRIX(2, 2, 5, 5, 1, 2)},
     VECTOR(5, 2),
     {MATRIX(2, 2, 0.5, 0.5, 0, 1)}, AT_KINK},
    {"amax of infinities ties too", "amax", ARG(0), {VECTOR(INF, 0, INF)}, SCALAR(INF), {VECTOR(0.5, 0, 0.5)},
     AT_KINK},
    {"max: all to the first that ties", "max", ARG(0, 0), {VECTOR(1, 4, 4)}, SCALAR(4), {VECTOR(0, 1, 0)},
     AT_KINK},
    {"max, keepdim: all to the first, by column", "max", ARG(1, 0), {MATRIX(2, 2, 3, 1, 3, 2)},
     MATRIX(1, 2, 3, 2),
     {MATRIX(2, 2, 1, 0, 0, 1)}, AT_KINK},
    {"max's index is the first that ties", "max_index", ARG(0, 0), {VECTOR(1, 4, 4)}, SCALAR(1)},
    {"argmax is the first that ties", "argmax", ARG(0), {VECTOR(9, 2, 9)}, SCALAR(0)},

    /* ---- NaN ---- */
    {"relu(NaN) = NaN", "relu", {0}, {VECTOR(NAN_, 1)}, VECTOR(NAN_, 1)},
    {"sign(NaN) = NaN", "sign", {0}, {VECTOR(NAN_)}, VECTOR(NAN_)},
    {"abs(NaN) = NaN", "abs", {0}, {VECTOR(NAN_)}, VECTOR(NAN_)},
    {"sqrt(-1) = NaN", "sqrt", {0}, {VECTOR(-1)}, VECTOR(NAN_)},
    {"log(-1) = NaN", "log", {0}, {VECTOR(-1)}, VECTOR(NAN_)},
    {"amax with a NaN is NaN, wherever it stands", "amax", ARG(0, 1), {MATRIX(3, 2, NAN_, 1, 2, NAN_, 3, 4)},
     VECTOR(NAN_, NAN_, 4)},
    {"max with a NaN is NaN", "max", ARG(0, 0), {VECTOR(1, NAN_, 7)}, SCALAR(NAN_), {VECTOR(0, 1, 0)}},
    {"argmax finds the NaN", "argmax", ARG(0), {VECTOR(1, NAN_, 7, NAN_)}, SCALAR(1)},
    {"where: no NaN from the other side", "where", {0},
     {VECTOR_OF(BOOL, 1, 0), VECTOR(1, NAN_), VECTOR(NAN_, 2)}, VECTOR(1, 2),
     {{0}, VECTOR(1, 0), VECTOR(0, 1)}},
    {"masked_fill covers a NaN", "masked_fill", ARG(0), {VECTOR(NAN_, 3), VECTOR_OF(BOOL, 1, 0)},
     VECTOR(0, 3),
     {VECTOR(0, 1)}},
    {"NaN == NaN is false", "eq", {0}, {VECTOR(NAN_, 1), VECTOR(NAN_, 1)}, VECTOR(0, 1)},
    {"NaN != NaN is true", "ne", {0}, {VECTOR(NAN_, 1), VECTOR(NAN_, 1)}, VECTOR(1, 0)},
    {"NaN < 1 is false", "lt", {0}, {VECTOR(NAN_, 0, 1), VECTOR(1, 1, 1)}, VECTOR(0, 1, 0)},
    {"NaN <= NaN is false", "le", {0}, {VECTOR(NAN_, 1), VECTOR(NAN_, 1)}, VECTOR(0, 1)},
    {"1 > NaN is false", "gt", {0}, {VECTOR(1, 2), VECTOR(NAN_, 1)}, VECTOR(0, 1)},
    {"NaN >= NaN is false", "ge", {0}, {VECTOR(NAN_, 1), VECTOR(NAN_, 1)}, VECTOR(0, 1)},
    {"-0 equals 0", "eq", {0}, {VECTOR(-0.0), VECTOR(0)}, VECTOR(1)},
    {"softmax of a row with a NaN is NaN", "softmax", ARG(-1), {MATRIX(2, 2, NAN_, 0, 1, 1)},
     MATRIX(2, 2, NAN_, NAN_, 0.5, 0.5)},

    /* ---- division, zero, infinity ---- */
    {"1/0, -1/0, 0/0", "div", {0}, {VECTOR(1, -1, 0), VECTOR(0, 0, 0)}, VECTOR(INF, -INF, NAN_)},
    {"integers: division truncates, by zero gives 0", "div", {0},
     {VECTOR_OF(I32, 7, -7, 7, 5), VECTOR_OF(I32, 2, 2, -2, 0)}, VECTOR(3, -3, -3, 0)},
    {"i64 likewise", "div", {0}, {VECTOR_OF(I64, 7, -7, 7, 5), VECTOR_OF(I64, 2, 2, -2, 0)},
     VECTOR(3, -3, -3, 0)},
    {"i32: the lowest by -1 wraps instead of trapping", "div", {0},
     {VECTOR_OF(I32, -2147483648.0), VECTOR_OF(I32, -1)}, VECTOR(-2147483648.0)},
    {"i32 sums wrap around", "add", {0}, {VECTOR_OF(I32, 2147483647.0), VECTOR_OF(I32, 1)},
     VECTOR(-2147483648.0)},
    {"log 0 = -inf, slope inf", "log", {0}, {VECTOR(0)}, VECTOR(-INF), {VECTOR(INF)}},
    {"sqrt 0 = 0, slope inf", "sqrt", {0}, {VECTOR(0)}, VECTOR(0), {VECTOR(INF)}},
    {"exp 0 = 1", "exp", {0}, {VECTOR(0, -INF, INF)}, VECTOR(1, 0, INF), {VECTOR(1, 0, INF)}},
    {"square of infinities", "square", {0}, {VECTOR(-INF, INF)}, VECTOR(INF, INF)},
    {"-0 is the negative of 0", "neg", {0}, {VECTOR(0)}, VECTOR(-0.0)},
    {"-0 keeps its sign under a factor", "mul_scalar", ARG(3), {VECTOR(-0.0)}, VECTOR(-0.0)},
    {"sqrt -0 = -0, slope -inf", "sqrt", {0}, {VECTOR(-0.0)}, VECTOR(-0.0), {VECTOR(-INF)}},
    {"-0 + -0 = -0", "add", {0}, {VECTOR(-0.0), VECTOR(-0.0)}, VECTOR(-0.0)},
    {"0 * x + 1", "affine", ARG(0, 1), {VECTOR(-3, 5)}, VECTOR(1, 1), {VECTOR(0, 0)}},

    /* ---- saturation ---- */
    {"tanh at its ends", "tanh", {0}, {VECTOR(-INF, -1000, 0, 1000, INF)}, VECTOR(-1, -1, 0, 1, 1),
     {VECTOR(0, 0, 1, 0, 0)}},
    {"sigmoid at its ends", "sigmoid", {0}, {VECTOR(-INF, -1000, 0, 1000, INF)}, VECTOR(0, 0, 0.5, 1, 1),
     {VECTOR(0, 0, 0.25, 0, 0)}},
    {"softplus(1000) = 1000", "softplus", {0}, {VECTOR(1000, -1000, 100, INF, -INF)},
     VECTOR(1000, 0, 100, INF, 0),
     {VECTOR(1, 0, 1, 1, 0)}},
    {"logsigmoid(-1000) = -1000", "logsigmoid", {0}, {VECTOR(-1000, 1000, -100)}, VECTOR(-1000, 0, -100),
     {VECTOR(1, 0, 1)}},
    {"relu of infinities", "relu", {0}, {VECTOR(-INF, INF)}, VECTOR(0, INF), {VECTOR(0, 1)}},

    /* ---- softmax ---- */
    {"log_softmax([1000, 0]) is finite", "log_softmax", ARG(-1), {VECTOR(1000, 0)}, VECTOR(0, -1000),
     {VECTOR(-1, 1)}},
    {"log_softmax([-1000, 0])", "log_softmax", ARG(-1), {VECTOR(-1000, 0)}, VECTOR(-1000, 0)},
    {"softmax([1000, 0]) does not overflow", "softmax", ARG(-1), {VECTOR(1000, 0)}, VECTOR(1, 0),
     {VECTOR(0, 0)}},
    {"softmax of equals", "softmax", ARG(0), {VECTOR(3, 3, 3, 3)}, VECTOR(0.25, 0.25, 0.25, 0.25)},
    {"softmax of one is 1", "softmax", ARG(-1), {MATRIX(2, 1, -5, 9)}, MATRIX(2, 1, 1, 1),
     {MATRIX(2, 1, 0, 0)}},
    {"softmax with a -inf among others: 0 there", "softmax", ARG(-1), {VECTOR(-INF, 0, 0)},
     VECTOR(0, 0.5, 0.5)},
    {"softmax: an infinity takes it all", "softmax", ARG(-1), {VECTOR(1, INF)}, VECTOR(0, 1), {VECTOR(0, 0)}, VECTOR(2, 3)},
    {"softmax: infinities share", "softmax", ARG(0), {MATRIX(3, 2, INF, 1, 1, 1, INF, -INF)}, MATRIX(3, 2, 0.5, 0.5, 0, 0.5, 0.5, 0)},
    {"log_softmax of an infinity", "log_softmax", ARG(-1), {VECTOR(1, INF)}, VECTOR(-INF, 0), {VECTOR(2, -2)}, VECTOR(2, 3)},
    {"softmax: the slope of a probability near 1 has the digits of the others",
     "softmax", ARG(-1), {VECTOR(0, -1000)}, VECTOR(1, 0), {VECTOR(0, 0)}, VECTOR(0.1f, 3)},
    {"softmax of no rows", "softmax", ARG(-1), {EMPTY(0, 3)}, EMPTY(0, 3), {EMPTY(0, 3)}},
    {"softmax along an empty axis", "softmax", ARG(-1), {EMPTY(2, 0)}, EMPTY(2, 0), {EMPTY(2, 0)}},

    /* ---- nothing ---- */
    {"the sum of nothing is 0", "sum", ARG(0), {EMPTY(0)}, SCALAR(0), {EMPTY(0)}},
    {"sums of nothing along an axis", "sum", ARG(0, 1), {EMPTY(2, 0)}, VECTOR(0, 0), {EMPTY(2, 0)}},
    {"no sums at all", "sum", ARG(0, 1), {EMPTY(0, 3)}, EMPTY(0), {EMPTY(0, 3)}},
    {"the mean of nothing is NaN", "mean", ARG(0), {EMPTY(0)}, SCALAR(NAN_), {EMPTY(0)}},
    {"means of nothing along an axis", "mean", ARG(1, 1), {EMPTY(2, 0)}, MATRIX(2, 1, NAN_, NAN_),
     {EMPTY(2, 0)}},
    {"sum_to of nothing is 0", "sum_to", {0}, {EMPTY(0, 2)}, SCALAR(0), {EMPTY(0, 2)}},
    {"a product with inner size 0 is 0", "matmul", {0}, {EMPTY(2, 0), EMPTY(0, 2)}, MATRIX(2, 2, 0, 0, 0, 0),
     {EMPTY(2, 0), EMPTY(0, 2)}},
    {"the dot product of nothing is 0", "matmul", {0}, {EMPTY(0), EMPTY(0)}, SCALAR(0), {EMPTY(0), EMPTY(0)}},
    {"a product without rows", "matmul", {0}, {EMPTY(0, 2), MATRIX(2, 1, 3, 4)}, EMPTY(0, 1),
     {EMPTY(0, 2), MATRIX(2, 1, 0, 0)}},
    {"a broadcast against nothing", "add", {0}, {EMPTY(0, 2), VECTOR(1, 2)}, EMPTY(0, 2),
     {EMPTY(0, 2), VECTOR(0, 0)}},
    {"a slice of nothing", "slice", ARG(0, 2, 1, 1), {VECTOR(1, 2, 3)}, EMPTY(0), {VECTOR(0, 0, 0)}},
    {"amax along the axis that has elements", "amax", ARG(0, 1), {EMPTY(0, 2)}, EMPTY(0), {EMPTY(0, 2)}},

    /* ---- sums keep what a running sum in f32 would lose ---- */
    {"integers sum to i64", "sum", ARG(0), {VECTOR_OF(I32, 2147483647.0, 2147483647.0)},
     SCALAR(4294967294.0)},
    {"bool sums count", "sum", ARG(0), {VECTOR_OF(BOOL, 1, 0, 1, 1)}, SCALAR(3)},
    {"the mean of equals is that number", "mean", ARG(0), {VECTOR(0.1f, 0.1f, 0.1f)}, SCALAR(0.1f)},

    /* ---- indices ---- */
    {"gather counts negative indices from the end", "gather", ARG(0),
     {VECTOR(10, 20, 30), VECTOR_OF(I64, -1, 0, -3)},
     VECTOR(30, 10, 10), {VECTOR(2, 0, 1)}},
    {"gather's gradient adds up over equal indices", "gather", ARG(0),
     {VECTOR(1, 2), VECTOR_OF(I32, 1, 1, 1)},
     VECTOR(2, 2, 2), {VECTOR(0, 6)}, VECTOR(1, 2, 3)},
    {"scatter_add adds up over equal indices", "scatter_add", ARG(0),
     {VECTOR(1, 1), VECTOR_OF(I64, 0, 0, -1), VECTOR(2, 3, 4)}, VECTOR(6, 5),
     {VECTOR(1, 10), {0}, VECTOR(1, 1, 10)},
     VECTOR(1, 10)},
    {"index_select may repeat", "index_select", ARG(0), {MATRIX(2, 2, 1, 2, 3, 4), VECTOR_OF(I64, 1, 1, -2)},
     MATRIX(3, 2, 3, 4, 3, 4, 1, 2), {MATRIX(2, 2, 1, 1, 2, 2)}},
    {"slice clamps as Python does", "slice", ARG(0, -100, 100, 2), {VECTOR(1, 2, 3)}, VECTOR(1, 3),
     {VECTOR(1, 0, 1)}},
    {"slice backwards: [::-1]", "slice", ARG(0, INF, INF, -1), {VECTOR(1, 2, 3)}, VECTOR(3, 2, 1),
     {VECTOR(3, 2, 1)},
     VECTOR(1, 2, 3)},
    {"slice backwards: [-1:0:-2]", "slice", ARG(0, -1, 0, -2), {VECTOR(1, 2, 3, 4)}, VECTOR(4, 2)},
    {"slice_scatter: no gradient to what is covered", "slice_scatter", ARG(0, 0, 2, 1),
     {VECTOR(1, 2, 3), VECTOR(8, 9)}, VECTOR(8, 9, 3), {VECTOR(0, 0, 1), VECTOR(1, 1)}},

    /* ---- conversion ---- */
    {"to i32 truncates toward zero; NaN and too large give the lowest", "to", ARG(TG_I32),
     {VECTOR(1.9, -1.9, NAN_, 3e9, -3e9)}, VECTOR(1, -1, -2147483648.0, -2147483648.0, -2147483648.0)},
    {"to bool is != 0, NaN included", "to", ARG(TG_BOOL), {VECTOR(0, -0.0, 0.5, NAN_)}, VECTOR(0, 0, 1, 1)},
    {"from bool", "to", ARG(TG_F64), {VECTOR_OF(BOOL, 1, 0)}, VECTOR(1, 0)},

    /* ---- one handle for both inputs ---- */
    {"x + x", "add", {0}, {VECTOR(1, 2), {-1}}, VECTOR(2, 4), {VECTOR(2, 2)}},
    {"x - x", "sub", {0}, {VECTOR(1, 2), {-1}}, VECTOR(0, 0), {VECTOR(0, 0)}},
    {"x * x", "mul", {0}, {VECTOR(3, -4), {-1}}, VECTOR(9, 16), {VECTOR(6, -8)}},
    {"x / x", "div", {0}, {VECTOR(2, -4), {-1}}, VECTOR(1, 1), {VECTOR(0, 0)}},
    {"x x for a matrix", "matmul", {0}, {MATRIX(2, 2, 1, 2, 3, 4), {-1}}, MATRIX(2, 2, 7, 10, 15, 22),
     {MATRIX(2, 2, 7, 11, 9, 13)}},

    /* ---- broadcasting ---- */
    {"a scalar's gradient is the sum", "mul", {0}, {SCALAR(2), VECTOR(1, 2, 3)}, VECTOR(2, 4, 6),
     {SCALAR(6), VECTOR(2, 2, 2)}},
    {"column times row", "mul", {0}, {MATRIX(2, 1, 2, 3), MATRIX(1, 2, 5, 7)}, MATRIX(2, 2, 10, 14, 15, 21),
     {MATRIX(2, 1, 12, 12), MATRIX(1, 2, 5, 5)}},
    {"expand's gradient is the sum", "expand", ARG(3, 2), {MATRIX(1, 2, 1, 2)},
     MATRIX(3, 2, 1, 2, 1, 2, 1, 2),
     {MATRIX(1, 2, 3, 3)}},
};

/* Where -0 is wanted, 0 will not do. */
static bool same(double got, double want, double within, double least) {
    if (isnan(want)) return isnan(got);
    if (within > 0 && isfinite(got)) return fabs(got - want) <= within * fabs(want) + 3 * least;
    return got == want && (signbit(got) || !signbit(want));
}

static void expect(const convention *c, const char *which, const tg_tensor *t, const values *want) {
    ck_assert_msg(tg_error_status() == TG_OK, "%s: %s: %s", c->what, which, tg_error_message());
    tg_shape s = {want->rank - 1, {want->dim[0], want->dim[1], want->dim[2], want->dim[3]}};
    char got[80], wanted[80];
    bool wide = tg_dtype_of(t) == TG_F64;
    ck_assert_msg(tg_shape_equal(tg_shape_of(t), s), "%s: %s has shape %s, not %s", c->what, which,
                  tg_shape_text(tg_shape_of(t), got, sizeof got), tg_shape_text(s, wanted, sizeof wanted));
    for (int64_t k = 0, n = tg_numel(t); k < n; k++)
        ck_assert_msg(same(tg_get(t, k), want->v[k], c->within[wide], wide ? 0x1p-1074 : 0x1p-149), "%s: %s, %s: element %lld is %.17g, not %.17g", c->what,
                      tg_dtype_name(tg_dtype_of(t)), which, (long long)k, tg_get(t, k), want->v[k]);
}

/* Leaves; {-1} stands for the first one again. */
static int leaves(const convention *c, tg_dtype f, const tg_op *op, tg_tensor **in) {
    int n = 0;
    for (; n < 3 && (is_present(&c->in[n]) || c->in[n].rank < 0); n++) {
        bool again = c->in[n].rank < 0;
        in[n] = again ? in[0] : tensor_of(&c->in[n], f);
        if (!again && has_gradient(op) && c->in[n].dtype == TG_F32) tg_set_requires_grad(in[n], true);
    }
    return n;
}

static tg_tensor *seed_of(const values *v, const tg_tensor *y) {
    return is_present(v) ? tensor_of(v, tg_dtype_of(y)) : (tg_ones)(tg_dtype_of(y), tg_shape_of(y));
}

static void check_grads(const convention *c, tg_tensor *y, int n, tg_tensor **in, bool record) {
    static const char *const names[] = {"gradient of input 0", "gradient of input 1", "gradient of input 2"};
    tg_tensor *seed = seed_of(&c->seed, y);
    for (int i = 0; i < n; i++) {
        tg_tensor *g;
        if (!is_present(&c->grad[i])) continue;
        tg_grad(1, &y, 1, &in[i], &g, .seeds = &seed, .retain = true, .create_graph = record);
        expect(c, names[i], g, &c->grad[i]);
    }
}

/* By walks that are recorded, and then by one that is not. */
static void check_second(const convention *c, tg_tensor *y, int n, tg_tensor **in) {
    for (int i = 0; i < 2 && i < n; i++)
        for (int j = 0; j < 2 && j < n; j++) {
            tg_tensor *g, *h;
            if (!is_present(&c->second[i][j])) continue;
            const values none = {0};
            tg_tensor *seed = seed_of(is_present(&c->second_seed) ? &c->seed : &none, y);
            tg_grad(1, &y, 1, &in[i], &g, .seeds = &seed, .retain = true, .create_graph = true);
            seed = seed_of(&c->second_seed, g);
            tg_grad(1, &g, 1, &in[j], &h, .seeds = &seed, .retain = true, .allow_unused = true);
            expect(c, "second derivative", h, &c->second[i][j]);
        }
}

static void run(const convention *c, tg_dtype f) {
    if (c->within[f == TG_F64] < 0) return;
    tg_mark mark = tg_tape_mark();
    const call *called = find_call(c->call);
    ck_assert_msg(called && op_of(called), "%s: no call %s", c->what, c->call);
    tg_tensor *in[3] = {NULL};
    int n = leaves(c, f, op_of(called), in);
    tg_tensor *y = called->fn(in, &c->arg);
    expect(c, "value", y, &c->out);
    check_grads(c, y, n, in, false);
    check_grads(c, y, n, in, true);
    check_second(c, y, n, in);
    tg_tape_rewind(mark);
}

/* The rooms' stand in tests/ops/<room>/exact.c. */
#define DECLARED(room) extern const convention_table conventions_##room;
#define LISTED(room) &conventions_##room,
ROOMS(DECLARED)
DECLARED(extremes) /* of elementwise */
static const convention_table *const others[] = {ROOMS(LISTED) LISTED(extremes)};

static int n_cases(void) {
    int n = COUNT(cases);
    for (int t = 0; t < COUNT(others); t++) n += others[t]->n;
    return n;
}

static const convention *case_at(int i) {
    if (i < COUNT(cases)) return &cases[i];
    i -= COUNT(cases);
    int t = 0;
    while (i >= others[t]->n) i -= others[t++]->n;
    return &others[t]->rows[i];
}

START_TEST(value_is_exact) {
    const convention *c = case_at(_i);
    run(c, TG_F32);
    run(c, TG_F64);
    count_up(T_EXACT, 1);
    if (c->kind == K_KINK) cover_case(op_of(find_call(c->call)), K_KINK);
}
END_TEST

/* The slope of selu on the left of 0 is no number that f32 and f64 share: it is held against that at -1e-30. */
START_TEST(selu_at_zero_has_the_slope_of_the_left) {
    for (tg_dtype f = TG_F32; f <= TG_F64; f++) {
        values points = VECTOR(-1e-30, 0, 1e-30);
        tg_tensor *x = tg_set_requires_grad(tensor_of(&points, f), true), *y = tg_selu(x), *g;
        tg_tensor *seed = (tg_ones)(f, tg_shape_of(y));
        tg_grad(1, &y, 1, &x, &g, .seeds = &seed);
        ck_assert(tg_get(g, 1) == tg_get(g, 0) && tg_get(g, 1) > 1.5 && tg_get(g, 2) < 1.1);
    }
    cover_case(tg_op_find("selu"), K_KINK);
}
END_TEST

/* PyTorch's choice for a row of -inf alone: there is no finite shift, and every quotient is 0/0. */
START_TEST(softmax_of_all_minus_inf_is_nan) {
    tg_tensor *x = (tg_full)(TG_F64, -INFINITY, TG_SHAPE(3));
    ck_assert(isnan(tg_get(tg_softmax(x, 0), 0)));
    ck_assert(isnan(tg_get(tg_log_softmax(x, 0), 2)));
}
END_TEST

/* 2^24 + 1 ones: a running sum in f32 stops at 2^24. */
START_TEST(long_f32_sums_do_not_stall) {
    int64_t n = 16777217;
    tg_mark mark = tg_tape_mark();
    tg_tensor *x = (tg_ones)(TG_F32, TG_SHAPE(1)), *many = tg_expand(x, n);
    ck_assert_msg(fabs(tg_item(tg_sum(many)) - (double)n) <= 1, "sum of %lld ones: %.9g", (long long)n,
                  tg_item(tg_sum(many)));
    tg_tape_rewind(mark);
}
END_TEST

/* Many elements that meet in one place: a running sum in f32 would stop at 2^24, and lose a part of each 0.1 long
 * before. The second of the two lanes gets one element of each. */
START_TEST(crowded_places_add_up_in_double) {
    int64_t n = 17825792;
    tg_mark mark = tg_tape_mark();
    tg_tensor *one = tg_expand((tg_ones)(TG_F32, TG_SHAPE(1)), n), *at = tg_expand((tg_zeros)(TG_I64, TG_SHAPE(1)), n);
    tg_tensor *out = tg_scatter_add((tg_zeros)(TG_F32, TG_SHAPE(3)), 0, at, one);
    ck_assert(tg_get(out, 0) == (double)n && tg_get(out, 1) == 0);
    tg_tape_rewind(mark);
}
END_TEST

/* gradient of the tenths that a function picks out of x: k of them from place 0. */
static void check_picked(tg_tensor *x, tg_tensor *picked, int64_t k) {
    tg_tensor *g, *seed = (tg_full)(TG_F32, 0.1, tg_shape_of(picked));
    for (int record = 0; record < 2; record++) {
        ck_assert_int_eq(tg_grad(1, &picked, 1, &x, &g, .seeds = &seed, .retain = true, .create_graph = record), TG_OK);
        double want = (double)(float)0.1 * (double)k;
        ck_assert_msg(fabs(tg_get(g, 0) - want) <= 1e-7 * want, "%.9g, not %.9g", tg_get(g, 0), want);
    }
}

START_TEST(gradients_of_crowded_places) {
    int64_t n = 100000;
    tg_tensor *x = tg_set_requires_grad((tg_ones)(TG_F32, TG_SHAPE(5, 3)), true);
    tg_tensor *at = (tg_zeros)(TG_I64, TG_SHAPE(n)), *wide = (tg_zeros)(TG_I32, TG_SHAPE(n, 3));
    for (int64_t i = 0; i < n; i += 10) tg_array_set(tg_array_of(at), i, 2);
    check_picked(x, tg_index_select(x, 0, at), n - n / 10);
    check_picked(x, tg_embedding(x, at), n - n / 10);
    check_picked(x, tg_gather(x, 0, wide), n);
    check_picked(x, tg_take_along_dim(x, tg_reshape(at, n, 1), 0), n - n / 10);
    check_picked(x, tg_gather(x, 1, (tg_zeros)(TG_I64, TG_SHAPE(5, 1000))), 1000);
}
END_TEST

/* Products with a long inner size, of tenths: what a running sum in f32 loses does not cancel. */
static void check_tenth_products(tg_tensor *y, double n) {
    double want = (double)0.1f * (double)0.1f * n;
    for (int64_t i = 0; i < tg_numel(y); i += 7)
        ck_assert_msg(fabs(tg_get(y, i) - want) <= 2e-6 * want, "%.9g, not %.9g", tg_get(y, i), want);
}

static tg_tensor *tenths(int64_t m, int64_t n) { return (tg_full)(TG_F32, 0.1, TG_SHAPE(m, n)); }

START_TEST(long_products_keep_their_digits) {
    int64_t k = 1 << 21, rows = 100003;
    tg_mark mark = tg_tape_mark();
    check_tenth_products(tg_matmul(tenths(1, k), tenths(k, 1)), (double)k);
    check_tenth_products(tg_matmul(tenths(3, rows), tenths(rows, 1)), (double)rows);
    check_tenth_products(tg_matmul(tenths(1, rows), tenths(rows, 17)), (double)rows);
    check_tenth_products(tg_matmul(tg_transpose(tenths(rows, 7), 0, 1), tenths(rows, 9)), (double)rows);
    tg_tensor *w = tg_set_requires_grad(tenths(5, 6), true), *y = tg_linear(tenths(rows, 6), w), *g, *seed = tenths(rows, 5);
    ck_assert_int_eq(tg_grad(1, &y, 1, &w, &g, .seeds = &seed), TG_OK);
    check_tenth_products(g, (double)rows);
    w = tg_set_requires_grad((tg_full)(TG_F32, 0.1, TG_SHAPE(1, 2, 3)), true);
    y = tg_matmul(w, (tg_full)(TG_F32, 0.1, TG_SHAPE(5000, 3, 2))), seed = (tg_full)(TG_F32, 0.1, TG_SHAPE(5000, 2, 2));
    ck_assert_int_eq(tg_grad(1, &y, 1, &w, &g, .seeds = &seed), TG_OK);
    check_tenth_products(g, 2 * 5000.0);
    tg_tape_rewind(mark);
}
END_TEST

static void clear(void) { tg_error_clear(); }

TCase *tcase_conventions(void) {
    TCase *t = tcase_create("conventions");
    tcase_set_timeout(t, 60);
    tcase_add_checked_fixture(t, clear, clear);
    tcase_add_loop_test(t, value_is_exact, 0, n_cases());
    tcase_add_test(t, selu_at_zero_has_the_slope_of_the_left);
    tcase_add_test(t, softmax_of_all_minus_inf_is_nan);
    tcase_add_test(t, long_f32_sums_do_not_stall);
    tcase_add_test(t, crowded_places_add_up_in_double);
    tcase_add_test(t, gradients_of_crowded_places);
    tcase_add_test(t, long_products_keep_their_digits);
    return t;
}
