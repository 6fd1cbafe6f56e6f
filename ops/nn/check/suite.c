/* A suite: every check of every row, and what comes of it. */
#include "ops/nn/check/suite_private.h"

#include "core/memory.h"

#include <math.h>
#include <string.h>
#include <time.h>

static const char who[] = "tg_check_suite";

static const struct {
    const char *name;
    tg_check_fn run;
    bool of_gradients, of_model; /* needs an input that takes a gradient; is possible with a model */
} checks[TG_CHECK_KINDS] = {
    [TG_CHECK_FIRST] = {"first", tg_check_first, true, true},
    [TG_CHECK_SECOND] = {"second", tg_check_second, true, true},
    [TG_CHECK_KERNEL] = {"kernel", tg_check_kernel, true, true},
    [TG_CHECK_ADJOINT] = {"adjoint", tg_check_adjoint, true, true},
    [TG_CHECK_F32] = {"f32", tg_check_f32, false, false},
    [TG_CHECK_LAYOUT] = {"layout", tg_check_layout, false, true},
    [TG_CHECK_SHAPES] = {"shapes", tg_check_shapes, true, false},
    [TG_CHECK_EMPTY] = {"empty", tg_check_empty, false, false},
    [TG_CHECK_NAN] = {"nan", tg_check_nan, false, true},
    [TG_CHECK_PLAN] = {"plan", tg_check_plan, false, false},
    [TG_CHECK_PLANTED] = {"planted", tg_check_planted, true, true},
};

const char *tg_check_kind_name(tg_check_kind kind) {
    return (unsigned)kind < TG_CHECK_KINDS ? checks[kind].name : "";
}

/* ---- a row ---- */

static const char *wrong_with_input(const tg_check_input *in) {
    if (!isfinite(in->low) || !isfinite(in->high) || in->low > in->high)
        return "its domain is not [low, high)";
    if (in->n_kinks < 0 || in->n_kinks > 3 || !(in->apart >= 0))
        return "it has 0 to 3 kinks, and keeps apart from them";
    if ((unsigned)in->dtype >= TG_DTYPES) return "its dtype is none";
    if (in->index_of && (in->index_of < 'a' || in->index_of > 'z')) return ".index_of is no letter";
    return NULL;
}

static const char *wrong_with_sizes(const char *s) {
    for (; s && *s; s += 2)
        if (s[0] < 'a' || s[0] > 'z' || s[1] < '0' || s[1] > '9')
            return ".sizes are pairs of a letter and a digit";
    return NULL;
}

/* NULL: nothing. */
static const char *wrong_with(const tg_check_row *row) {
    if (!row->name || !row->name[0]) return "it has no name";
    if (!row->f == !row->op) return "either .f or .op is given";
    if (!row->in[0].shape) return "it has no input with a shape";
    if (row->order < 0 || row->order > 8) return ".order is 1 to 8, or 0 for 2";
    if (!(row->f32_tolerance >= 0)) return ".f32_tolerance is not positive";
    if ((row->skip || row->nonempty) && !row->why) return ".skip and .nonempty want .why";
    for (int i = 0; i < TG_CHECK_MOST_INPUTS && row->in[i].shape; i++)
        if (wrong_with_input(&row->in[i])) return wrong_with_input(&row->in[i]);
    return wrong_with_sizes(row->sizes);
}

static uint64_t hash_text(const char *s) { /* FNV-1a */
    uint64_t h = UINT64_C(1469598103934665603);
    for (; *s; s++) h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return h;
}

/* The first call makes a model's parameters; a function that fails here fails everywhere. */
static void call_once(tg_trial *t) {
    tg_tensor *in[TG_CHECK_MOST_TENSORS];
    tg_mark mark = tg_tape_mark();
    if (tg_trial_inputs(t, TG_F64, 0, false, in) >= 0) tg_trial_call(t, in);
    tg_tape_rewind(mark);
}

static bool has_gradient(const tg_trial *t) {
    for (int i = 0; i < t->n; i++)
        if (tg_trial_takes_gradient(t, i)) return true;
    return t->row->model != NULL;
}

/* The reason for which a check is not made; NULL: it is. */
static const char *why_not(const tg_trial *t, int kind, bool first_failed) {
    if (t->row->skip & TG_CHECK_BIT(kind)) return t->row->why;
    if (t->row->model && !checks[kind].of_model) return "the parameters of the model are as they are";
    if (checks[kind].of_gradients && !has_gradient(t)) return "no input takes a gradient";
    if (kind == TG_CHECK_PLANTED && first_failed) return "the gradient is wrong as it is";
    return NULL;
}

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void run_check(tg_trial *t, int kind) {
    double began = now();
    tg_mark mark = tg_tape_mark();
    if (tg_trial_shapes(t, 0, 0)) checks[kind].run(t);
    tg_trial_good(t, NULL);
    tg_tape_rewind(mark);
    t->result->seconds = now() - began;
}

/* An error that the caller raises there is none of the suite's. */
static void show(const tg_trial *t) {
    tg_callback inside = tg_callback_begin();
    if (t->opts->each) t->opts->each(t->result, t->opts->each_user);
    tg_callback_end(inside, tg_error_status(), who);
    tg_error_clear();
}

/* The results of a row, one a kind. */
static void run_row(tg_trial *t, tg_check_result *result) {
    const char *wrong = wrong_with(t->row);
    bool usable = !wrong, failed = false;
    for (int k = 0; k < TG_CHECK_KINDS; k++) {
        tg_check_result *r = t->result = &result[k];
        *r = (tg_check_result){.row = t->row->name ? t->row->name : "", .kind = (tg_check_kind)k};
        if (k == 0 && wrong) tg_trial_fail(t, "the row cannot be used: %s", wrong);
        if (k == 0 && usable && tg_trial_shapes(t, 0, 0)) call_once(t);
        if (k == 0) usable = r->outcome == TG_CHECK_PASSED;
        const char *why = usable ? why_not(t, k, failed) : "the function could not be called";
        if (why)
            tg_trial_skip(t, "%s", why);
        else
            run_check(t, k);
        failed |= k == TG_CHECK_FIRST && r->outcome == TG_CHECK_FAILED;
        show(t);
    }
}

/* ---- all rows ---- */

static void count_row(tg_check_report *r, const tg_trial *t, const tg_check_result *result) {
    int by[3] = {0};
    for (int k = 0; k < TG_CHECK_KINDS; k++) {
        by[result[k].outcome]++, r->by_kind[k][result[k].outcome]++;
        r->numbers += result[k].numbers;
        if (result[k].outcome == TG_CHECK_FAILED && !r->message[0])
            snprintf(r->message, sizeof r->message, "%.60s: %s: %.400s", result[k].row, checks[k].name,
                     result[k].message);
    }
    r->rows++, r->passed += by[TG_CHECK_PASSED], r->failed += by[TG_CHECK_FAILED],
        r->skipped += by[TG_CHECK_SKIPPED];
    r->planted += t->planted, r->caught += t->caught;
    if (by[TG_CHECK_PASSED] == 0 && !r->message[0])
        snprintf(r->message, sizeof r->message, "%.60s: every check was skipped", result->row);
    r->rows_failed += by[TG_CHECK_FAILED] > 0 || by[TG_CHECK_PASSED] == 0;
}

static bool is_chosen(const tg_check_row *row, const char *only) {
    return !only || (row->name && strstr(row->name, only));
}

static void run_rows(int n, const tg_check_row *rows, const tg_check_suite_opts *opts,
                     tg_check_result *result, tg_check_report *r) {
    for (int i = 0; i < n; i++) {
        if (!is_chosen(&rows[i], opts->only)) continue;
        tg_trial t = {.row = &rows[i], .opts = opts, .points = opts->points ? opts->points : 2};
        t.seed = opts->seed ^ hash_text(rows[i].name ? rows[i].name : "");
        tg_check_result *of_row = result + r->rows * TG_CHECK_KINDS;
        run_row(&t, of_row);
        count_row(r, &t, of_row);
    }
}

static tg_status write_to(FILE *file, void (*write)(FILE *, const tg_results *), const tg_results *results,
                          const char *what) {
    if (!file) return TG_OK;
    write(file, results);
    if (fflush(file) != 0 || ferror(file))
        return tg_fail(TG_ERR_IO, "%s: the %s could not be written", who, what);
    return TG_OK;
}

static tg_status write_results(const char *name, const tg_check_result *result, double seconds,
                               const tg_check_suite_opts *opts, const tg_check_report *r) {
    tg_results results = {.suite = name,
                          .result = result,
                          .n = r->rows * TG_CHECK_KINDS,
                          .failed = r->failed,
                          .skipped = r->skipped,
                          .seconds = seconds};
    tg_status s = write_to(opts->tap, tg_write_tap, &results, "TAP");
    tg_status j = write_to(opts->junit, tg_write_junit, &results, "JUnit XML");
    return s == TG_OK ? j : s;
}

static tg_status check_arguments(const char *name, int n, const tg_check_row *rows,
                                 const tg_check_suite_opts *opts) {
    int chosen = 0;
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!name || !rows || n < 1 || n > 1000000)
        return tg_fail(TG_ERR_ARGUMENT, "%s: a name and rows must be given: name %s, %d rows", who,
                       name ? name : "NULL", rows ? n : 0);
    if (opts->points < 0) return tg_fail(TG_ERR_ARGUMENT, "%s: .points is %d", who, opts->points);
    for (int i = 0; i < n; i++) chosen += is_chosen(&rows[i], opts->only);
    if (chosen == 0)
        return tg_fail(TG_ERR_ARGUMENT, "%s: the name of no row contains \"%s\"", who, opts->only);
    return TG_OK;
}

/* With recording on, and the tape as it was afterwards. */
static tg_status run_suite(const char *name, int n, const tg_check_row *rows, const tg_check_suite_opts *opts,
                           tg_check_report *r) {
    size_t bytes = (size_t)n * TG_CHECK_KINDS * sizeof(tg_check_result);
    tg_check_result *result = tg_alloc(bytes);
    if (!result) return tg_fail(TG_ERR_MEMORY, "%s: no memory for %zu bytes of results", who, bytes);
    double began = now();
    bool was = tg_set_grad_enabled(true);
    tg_mark mark = tg_tape_mark();
    run_rows(n, rows, opts, result, r);
    tg_tape_rewind(mark);
    tg_set_grad_enabled(was);
    tg_status s = write_results(name, result, now() - began, opts, r);
    tg_dealloc(result, bytes);
    return s;
}

bool tg_check_suite_with(const char *name, int n, const tg_check_row *rows, tg_check_report *report,
                         tg_check_suite_opts opts) {
    tg_check_report none, *r = report ? report : &none;
    bool pending = tg_error_status() != TG_OK;
    *r = (tg_check_report){0};
    tg_status s = check_arguments(name, n, rows, &opts);
    if (s == TG_OK) s = run_suite(name, n, rows, &opts, r);
    r->ok = s == TG_OK && r->rows_failed == 0;
    if (s != TG_OK)
        snprintf(r->message, sizeof r->message, "%s", tg_error_message());
    else if (r->ok)
        snprintf(r->message, sizeof r->message,
                 "ok: %d rows, %d checks passed, %d skipped; %d of %d wrong gradients planted and caught",
                 r->rows, r->passed, r->skipped, r->caught, r->planted);
    if (!pending) tg_error_clear();
    return r->ok;
}

/* ---- one gradient, as a status ---- */

tg_status tg_require_gradient_with(tg_gradcheck_fn f, void *user, int n, tg_tensor *const *in,
                                   tg_require_gradient_opts opts) {
    tg_gradcheck_report r;
    if (tg_error_status() != TG_OK || tg_gradcheck_with(f, user, n, in, &r, opts)) return tg_error_status();
    return tg_fail(TG_ERR_ARGUMENT, "tg_require_gradient: %s", r.message);
}
