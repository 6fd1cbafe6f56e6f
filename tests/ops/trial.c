/* Rows and kinds to trials. */
#include "tests/ops/harness.h"

#include <stdlib.h>
#include <string.h>

#define MAX_SPEC (TG_MAX_RANK + 1)

static const char *const kind_names[N_KINDS] = {
    "plain",    "scalar", "empty", "one",   "left", "right", "both",   "strided", "expanded",
    "repeated", "large",  "small", "sizes", "nan",  "inf",   "scaled", "options", "kink"};

const char *kind_name(kind k) { return kind_names[k]; }

bool fast_mode(void) {
    const char *v = getenv("TG_FAST");
    return v && *v && *v != '0';
}

/* What a trial is while it is being made: specs as texts, sizes by letter. */
typedef struct draft {
    trial *t;
    char spec[MAX_IN][MAX_SPEC];
    int64_t size[26];
    char letters[26]; /* those in use, in order, the frozen ones left out */
    int n_letters;
} draft;

static const int64_t default_size[26] = {3, 4, 2, 5, 3, 4};

static int inputs_of(const sample *row) {
    int n = 0;
    while (n < MAX_IN && row->in[n].shape) n++;
    return n;
}

static void read_sizes(draft *d, const char *text) {
    for (int i = 0; i < 26; i++) d->size[i] = default_size[i] ? default_size[i] : 3;
    for (; text && *text; text += 2) d->size[text[0] - 'a'] = text[1] - '0';
}

static void read_letters(draft *d, const sample *row) {
    for (int i = 0; i < d->t->n_in; i++)
        for (const char *c = d->spec[i]; *c; c++)
            if (*c >= 'a' && *c <= 'z' && !memchr(d->letters, *c, (size_t)d->n_letters) &&
                !(row->frozen && strchr(row->frozen, *c)))
                d->letters[d->n_letters++] = *c;
}

static void first_to_one(char *spec) { spec[0] = '1'; }
static void last_to_one(char *spec) { spec[strlen(spec) - 1] = '1'; }
static void drop_first(char *spec) { memmove(spec, spec + 1, strlen(spec)); }
static void to_scalar(char *spec) { spec[0] = '\0'; }

typedef void (*narrowing)(char *spec);

/* One side narrower than the other. */
static bool narrow_one(draft *d, int input, int variant) {
    static const narrowing how[] = {to_scalar, drop_first, first_to_one, last_to_one};
    if (variant >= COUNT(how) || d->t->n_in < 2 || strlen(d->spec[input]) < 2) return false;
    how[variant](d->spec[input]);
    return true;
}

/* Each side narrower along another axis, so that no input has the shape of the result. */
static bool narrow_both(draft *d, int variant) {
    static const narrowing how[][2] = {{first_to_one, last_to_one}, {last_to_one, drop_first}};
    int last = d->t->n_in - 1;
    if (variant >= COUNT(how) || d->t->n_in < 2 || strlen(d->spec[0]) < 2 || strlen(d->spec[last]) < 2)
        return false;
    how[variant][0](d->spec[0]);
    how[variant][1](d->spec[last]);
    for (int i = 1; i < last; i++) first_to_one(d->spec[i]);
    return true;
}

static bool derive_empty(draft *d, int variant) {
    const char *not = d->t->row->nonempty ? d->t->row->nonempty : "";
    for (int i = 0; i < d->n_letters; i++) {
        if (strchr(not, d->letters[i]) || variant-- > 0) continue;
        d->size[d->letters[i] - 'a'] = 0;
        return true;
    }
    return false;
}

static bool derive_one(draft *d, int variant) {
    if (variant > 0 || d->n_letters == 0) return false;
    for (int i = 0; i < d->n_letters; i++) d->size[d->letters[i] - 'a'] = 1;
    return true;
}

static bool derive_size(draft *d, int variant) {
    static const int64_t all[] = {1, 7, 8, 9, 15, 16, 17, 33}, few[] = {7, 17};
    const int64_t *sizes = fast_mode() ? few : all;
    int n = fast_mode() ? COUNT(few) : COUNT(all);
    if (variant >= n * d->n_letters) return false;
    d->size[d->letters[variant / n] - 'a'] = sizes[variant % n];
    return true;
}

/* Stride 0 along the first axis of one input at a time, then of all. */
static bool derive_expanded(draft *d, int variant) {
    trial *t = d->t;
    int done = 0;
    if (variant > t->n_in || (variant == t->n_in && t->n_in == 1)) return false;
    for (int i = 0; i < t->n_in; i++)
        if ((i == variant || variant == t->n_in) && d->spec[i][0]) t->expand[i] = 0, done++;
    return done > 0;
}

static bool same_spec(const draft *d, int i, int j) {
    const sample *row = d->t->row;
    return row->in[i].dtype == TG_F32 && row->in[j].dtype == TG_F32 && strcmp(d->spec[i], d->spec[j]) == 0;
}

/* All inputs of the spec of the first float input that has a twin become one; without twins, fan-out. */
static bool derive_repeated(draft *d, int variant) {
    trial *t = d->t;
    if (variant > 0) return false;
    bool any = false;
    for (int i = 0; i < t->n_in && !any; i++)
        for (int j = i + 1; j < t->n_in; j++)
            if (same_spec(d, i, j)) t->leaf_of[j] = t->leaf_of[i], any = true;
    t->fan_out = !any;
    return true;
}

/* Domains that would make another input's twin invalid (a divisor near zero) meet in their intersection. */
static void share_domain(trial *t) {
    for (int i = 0; i < t->n_in; i++)
        for (int j = 0; j < t->n_in; j++)
            if (i != j && t->leaf_of[i] == t->leaf_of[j]) {
                if (t->lo[j] > t->lo[i]) t->lo[i] = t->lo[j];
                if (t->hi[j] < t->hi[i]) t->hi[i] = t->hi[j];
            }
}

static void set_domain(trial *t, int i) {
    const input_spec *in = &t->row->in[i];
    bool standard = in->lo == 0 && in->hi == 0;
    t->lo[i] = standard ? -2 : in->lo;
    t->hi[i] = standard ? 2 : in->hi;
    if (in->dtype != TG_F32 || (t->kind != K_LARGE && t->kind != K_SMALL)) return;
    const double *given = t->kind == K_LARGE ? in->large : in->small;
    double factor = t->kind == K_LARGE ? 1e2 : 1e-3;
    bool own = given[0] != 0 || given[1] != 0;
    t->lo[i] = own ? given[0] : t->lo[i] * factor;
    t->hi[i] = own ? given[1] : t->hi[i] * factor;
}

static bool derive_scale(trial *t, int variant) {
    static const int exponents[] = {100, -100, 70, -70};
    if (variant >= (fast_mode() ? 2 : COUNT(exponents))) return false;
    t->exponent = exponents[variant];
    return true;
}

static bool derive(draft *d, int variant) {
    trial *t = d->t;
    int last = t->n_in - 1;
    switch (t->kind) {
    case K_SCALAR:
        for (int i = 0; i < t->n_in; i++) to_scalar(d->spec[i]);
        return t->row->any_shape && variant == 0;
    case K_EMPTY:
        return derive_empty(d, variant);
    case K_ONE:
        return derive_one(d, variant);
    case K_LEFT:
        return t->row->any_shape && narrow_one(d, 0, variant);
    case K_RIGHT:
        return t->row->any_shape && narrow_one(d, last, variant);
    case K_BOTH:
        return t->row->any_shape && narrow_both(d, variant);
    case K_STRIDED:
        t->layout = (layout)(variant + 1);
        return t->layout < N_LAYOUTS;
    case K_EXPANDED:
        return derive_expanded(d, variant);
    case K_REPEATED:
        return derive_repeated(d, variant);
    case K_SIZES:
        return derive_size(d, variant);
    case K_SCALED:
        return derive_scale(t, variant);
    case K_PLAIN:
    case K_LARGE:
    case K_SMALL:
    case K_NAN:
    case K_INF:
        return variant == 0;
    default:
        return false;
    }
}

static void set_shape(draft *d, int i) {
    tg_shape *s = &d->t->shape[i];
    *s = (tg_shape){0, {0}};
    for (const char *c = d->spec[i]; *c; c++) s->dim[s->rank++] = *c >= 'a' ? d->size[*c - 'a'] : *c - '0';
}

static void set_arguments(draft *d) {
    trial *t = d->t;
    t->arg = t->row->arg;
    for (int i = 0; i < t->arg.n; i++)
        if (t->arg.v[i] >= SIZE('a') && t->arg.v[i] <= SIZE('z'))
            t->arg.v[i] = (double)d->size[(int)(t->arg.v[i] - SIZE('a'))];
}

/* Integers index the letter they name. */
static void set_index_range(draft *d, int i) {
    char letter = d->t->row->in[i].index_of;
    if (!letter) return;
    d->t->hi[i] = (double)d->size[letter - 'a'];
    d->t->lo[i] = -d->t->hi[i];
}

static void number_leaves(trial *t) {
    int number[MAX_IN] = {0};
    for (int i = 0; i < t->n_in; i++) {
        int first = t->leaf_of[i];
        if (first == i) t->input_of[t->n_leaves] = i, number[i] = t->n_leaves++;
        t->leaf_of[i] = number[first];
    }
}

static uint64_t hash_text(const char *s) { /* FNV-1a */
    uint64_t h = UINT64_C(1469598103934665603);
    for (; *s; s++) h = (h ^ (unsigned char)*s) * UINT64_C(1099511628211);
    return h;
}

/* A kind other than the row's own is derived unless the row skips it; its own is the row as it stands. */
static bool begin(draft *d, kind k, int variant) {
    const sample *row = d->t->row;
    kind own = row->kind;
    if (k == own && k != K_PLAIN) return variant == 0;
    if ((k == K_PLAIN && own != K_PLAIN) || (row->skip & KIND(k))) return false;
    return derive(d, variant);
}

static bool make(trial *t, const sample *row, kind k, int variant, const int64_t *size) {
    memset(t, 0, sizeof *t);
    draft d = {.t = t};
    t->row = row, t->kind = k, t->n_in = inputs_of(row);
    t->call = find_call(row->call);
    t->op = t->call ? op_of(t->call) : NULL;
    ck_assert_msg(t->op, "row %s: no such call, or its op is not in ops.def", row->call);
    for (int i = 0; i < t->n_in; i++) {
        snprintf(d.spec[i], sizeof d.spec[i], "%s", row->in[i].shape);
        t->leaf_of[i] = i, t->expand[i] = -1;
        set_domain(t, i);
    }
    read_sizes(&d, row->sizes);
    for (int i = 0; size && i < 26; i++)
        if (size[i] >= 0) d.size[i] = size[i];
    read_letters(&d, row);
    if (!begin(&d, k, variant)) return false;
    for (int i = 0; i < t->n_in; i++) set_shape(&d, i), set_index_range(&d, i);
    share_domain(t);
    number_leaves(t);
    set_arguments(&d);
    snprintf(t->name, sizeof t->name, "%s%s%s%s %s %d", row->call, row->label ? "[" : "",
             row->label ? row->label : "", row->label ? "]" : "", kind_name(k), variant);
    t->seed = hash_text(t->name);
    return true;
}

bool trial_make(trial *t, const sample *row, kind k, int variant) { return make(t, row, k, variant, NULL); }

bool trial_make_sized(trial *t, const sample *row, const int64_t size[26]) {
    return make(t, row, row->kind, 0, size);
}
