/* Texts to values. With [] for what may be left out and {} for what may be repeated:
 *
 *     text       = statement {"; " statement}
 *     statement  = name {", " name} " = " choice {", " choice} [", " note]  |  note
 *     choice     = condition [" where " condition {", " condition " where " condition} ", else " condition]
 *     condition  = comparison {("and" | "or") comparison}
 *     comparison = sum {("<" | "<=" | ">" | ">=" | "=" | "!=") sum}       a chain, as in lo <= x <= hi
 *     sum        = term {("+" | "-") term}
 *     term       = factor {("*" | "/") factor}                            element by element
 *     factor     = "-" factor | power {power}                             power power: a product of matrices
 *     power      = primary ["^T" | "^" ["-"] primary]
 *     primary    = number | name | name "[.., " name "]" | name "(" choice {", " choice} ")"
 *                | "(" choice {", " choice} ")" | "|" sum "|"             (a, b): joined along the last axis
 */
#include "tests/ops/text/text.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct parser {
    scope *s;
    const char *at;
} parser;

static value choice(parser *p);

static value unclear(parser *p, const char *why) {
    if (!p->s->error[0]) snprintf(p->s->error, sizeof p->s->error, "%s at \"%.40s\"", why, p->at ? p->at : p->s->text);
    p->at = "";
    return value_scalar(NAN);
}

/* ---- names ---- */

value *bound(scope *s, const char *name) {
    for (int i = 0; i < s->n; i++)
        if (strcmp(s->bound[i].name, name) == 0) return &s->bound[i].is;
    return NULL;
}

void bind(scope *s, const char *name, value is) {
    ck_assert_int_lt(s->n, MAX_NAMES);
    snprintf(s->bound[s->n].name, NAME, "%s", name);
    s->bound[s->n++].is = is;
}

static const char *skip(parser *p) {
    while (*p->at == ' ') p->at++;
    return p->at;
}

static size_t name_length(const char *at) {
    size_t n = 0;
    if (!isalpha((unsigned char)*at)) return 0;
    while (isalnum((unsigned char)at[n]) || at[n] == '_' || at[n] == '\'') n++;
    return n < NAME ? n : 0;
}

static bool is_word(const char *at, const char *word) {
    size_t n = strlen(word);
    return name_length(at) == n && strncmp(at, word, n) == 0;
}

static bool take(parser *p, const char *token) {
    size_t n = strlen(token);
    skip(p);
    if (isalpha((unsigned char)*token) ? !is_word(p->at, token) : strncmp(p->at, token, n) != 0) return false;
    p->at += n;
    return true;
}

static value name_value(parser *p, const char *name) {
    static const struct {
        const char *name;
        real is;
    } constant[] = {{"e", 2.71828182845904523536028747135266250L},
                    {"pi", 3.14159265358979323846264338327950288L},
                    {"inf", INFINITY}};
    value *is = bound(p->s, name);
    if (is) return *is;
    for (int i = 0; i < COUNT(constant); i++)
        if (strcmp(name, constant[i].name) == 0) return value_scalar(constant[i].is);
    if (p->s->depth > 8) return unclear(p, "a name that is said by itself");
    p->s->depth++;
    value v = evaluate(p->s, name);
    p->s->depth--;
    return v;
}

/* ---- functions ---- */

static real plus(real a, real b) { return a + b; }
static real minus(real a, real b) { return a - b; }
static real times(real a, real b) { return a * b; }
static real over(real a, real b) { return a / b; }
static real larger(real a, real b) { return a >= b ? a : b; }
static real smaller(real a, real b) { return a <= b ? a : b; }
static real sign_of(real x) { return (real)((x > 0) - (x < 0)); }
static real negative(real x) { return -x; }
static real square(real x) { return x * x; }
static real or_0(real x) { return isinf((double)x) ? 0 : x; } /* (Valgrind knows no infinite long double) */
static real share(real a, real all) { return all == 0 ? 0 : a / all; } /* as attention says of a query without keys */
static real one(real x) {
    (void)x;
    return 1;
}

static value call_1(parser *p, const char *name, value x) {
    static const struct {
        const char *name;
        function_1 *f;
    } row[] = {{"log", logl}, {"sqrt", sqrtl}, {"sin", sinl}, {"cos", cosl}, {"tan", tanl}, {"asin", asinl}, {"acos", acosl},
               {"atan", atanl}, {"sinh", sinhl}, {"cosh", coshl}, {"tanh", tanhl}, {"asinh", asinhl}, {"acosh", acoshl},
               {"atanh", atanhl}, {"erf", erfl}, {"erfinv", inverse_erf}, {"gamma", tgammal}, {"digamma", digamma_of},
               {"floor", floorl}, {"ceil", ceill}, {"round", rintl}, {"trunc", truncl}, {"sign", sign_of},
               {"sigmoid", sigmoid_of}};
    for (int i = 0; i < COUNT(row); i++)
        if (strcmp(name, row[i].name) == 0) return value_map(row[i].f, x);
    return unclear(p, "a function that is not known");
}

/* sum, mean, ..: along the axes of the scope. */
static value fold(parser *p, const char *name, value x) {
    unsigned axes = p->s->axes;
    value n = value_fold(plus, 0, axes, value_map(one, x));
    if (strcmp(name, "max") == 0) return value_fold(larger, -INFINITY, axes, x);
    if (strcmp(name, "min") == 0) return value_fold(smaller, INFINITY, axes, x);
    if (strcmp(name, "prod") == 0) return value_fold(times, 1, axes, x);
    value sum = value_fold(plus, 0, axes, x), mean = value_map_2(over, sum, n);
    if (strcmp(name, "sum") == 0) return sum;
    if (strcmp(name, "mean") == 0) return mean;
    if (strcmp(name, "var") == 0) return fold(p, "mean", value_map(square, value_map_2(minus, x, mean)));
    value shift = value_map(or_0, fold(p, "max", x)), power = value_map(expl, value_map_2(minus, x, shift));
    return value_map_2(share, power, value_fold(plus, 0, axes, power)); /* softmax */
}

static bool is_among(const char *name, const char *list) {
    size_t n = strlen(name);
    for (const char *at = list; *at; at += strcspn(at, " "), at += *at == ' ')
        if (strncmp(at, name, n) == 0 && (at[n] == ' ' || !at[n])) return true;
    return false;
}

static value call_matrix(parser *p, const char *name, value x) {
    value determinant, inverse = value_inverse(x, &determinant);
    (void)p;
    if (strcmp(name, "det") == 0) return determinant;
    if (strcmp(name, "inverse") == 0) return inverse;
    return value_map_2(times, determinant, value_transposed(inverse)); /* cofactor */
}

/* Of an order, or of an order and a scale, and of x. */
static value call_order(parser *p, const char *name, int n, const value *arg) {
    value y = value_new(arg[n - 1].shape), x = arg[n - 1];
    int order = (int)arg[0].v[0];
    (void)p;
    for (int64_t i = 0; i < value_numel(x); i++)
        y.v[i] = name[0] == 'p'   ? polygamma_of(order, x.v[i])
                 : n == 2         ? sinc_slope(order, x.v[i])
                 : name[0] == 's' ? sigmoid_slope(order, arg[1].v[0], x.v[i])
                                  : gaussian_slope(order, arg[1].v[0], x.v[i]);
    return y;
}

static value called(parser *p, const char *name, int n, const value *arg) {
    const value x = arg[0];
    if (n == 1 && is_among(name, "sum mean var max min prod softmax")) return fold(p, name, x);
    if (n == 1 && is_among(name, "det inverse cofactor")) return call_matrix(p, name, x);
    if (n == 1 && strcmp(name, "prod_of_others") == 0) return value_others(p->s->axes, x);
    if (n == 1 && strcmp(name, "first") == 0) return value_first(p->s->axes, x);
    if (n == 1 && strcmp(name, "onehot") == 0) {
        tg_shape s = name_value(p, "x").shape;
        return value_onehot(x, s.dim[s.rank - 1]);
    }
    if (n == 1) return call_1(p, name, x);
    if (n == 2 && strcmp(name, "max") == 0) return value_map_2(larger, x, arg[1]);
    if (n == 2 && strcmp(name, "min") == 0) return value_map_2(smaller, x, arg[1]);
    if (n == 2 && strcmp(name, "copysign") == 0) return value_map_2(copysignl, x, arg[1]);
    if (n == 2 && strcmp(name, "atan2") == 0) return value_map_2(atan2l, x, arg[1]);
    if (n == 2 && strcmp(name, "tril") == 0) return value_lower(x, (int)arg[1].v[0]);
    if (n == 2 && is_among(name, "sinc polygamma")) return call_order(p, name, n, arg);
    if (n == 3 && is_among(name, "sigmoid_derivative gaussian_derivative")) return call_order(p, name, n, arg);
    return unclear(p, "a function that is not known");
}

/* ---- expressions ---- */

/* What stands in parentheses, of which the first is passed. */
static int list(parser *p, value arg[4]) {
    int n = 0;
    do arg[n++] = choice(p);
    while (n < 4 && take(p, ","));
    if (!take(p, ")")) unclear(p, "a parenthesis that is not closed");
    return n;
}

static value primary(parser *p) {
    value arg[4];
    char name[NAME];
    if (isdigit((unsigned char)*skip(p))) {
        char *end;
        real v = strtold(p->at, &end);
        p->at = end;
        return value_scalar(v);
    }
    if (take(p, "|")) {
        value v = value_map(fabsl, choice(p));
        return take(p, "|") ? v : unclear(p, "a bar that is not closed");
    }
    if (take(p, "(")) {
        int n = list(p, arg);
        for (int i = 1; i < n; i++) arg[0] = value_joined(arg[0], arg[i]);
        return arg[0];
    }
    size_t n = name_length(p->at);
    if (n == 0) return unclear(p, "nothing that is understood");
    snprintf(name, sizeof name, "%.*s", (int)n, p->at);
    p->at += n;
    if (*p->at == '(') {
        p->at++;
        int given = list(p, arg);
        return called(p, name, given, arg);
    }
    if (!take(p, "[..,")) return name_value(p, name);
    value x = name_value(p, name), index = primary(p);
    return take(p, "]") ? value_picked(x, index) : unclear(p, "a bracket that is not closed");
}

static value power(parser *p) {
    value x = primary(p);
    if (*p->at != '^') return x;
    p->at++;
    if (is_word(p->at, "T")) {
        p->at++;
        return value_transposed(x);
    }
    bool below = take(p, "-");
    value y = primary(p);
    return value_map_2(powl, x, below ? value_map(negative, y) : y);
}

static bool begins_power(parser *p) {
    static const char *const words[] = {"where", "else", "and", "or", "with"};
    for (int i = 0; i < COUNT(words); i++)
        if (is_word(skip(p), words[i])) return false;
    return name_length(skip(p)) > 0 || *p->at == '(';
}

static value factor(parser *p) {
    if (take(p, "-")) return value_map(negative, factor(p));
    value x = power(p);
    while (!p->s->error[0] && begins_power(p)) x = value_product(x, power(p));
    return x;
}

static value term(parser *p) {
    value x = factor(p);
    for (;;)
        if (take(p, "*"))
            x = value_map_2(times, x, factor(p));
        else if (take(p, "/"))
            x = value_map_2(over, x, factor(p));
        else
            return x;
}

static value sum(parser *p) {
    value x = term(p);
    for (;;)
        if (take(p, "+"))
            x = value_map_2(plus, x, term(p));
        else if (take(p, "-"))
            x = value_map_2(minus, x, term(p));
        else
            return x;
}

static real is_less(real a, real b) { return a < b; }
static real is_at_most(real a, real b) { return a <= b; }
static real is_more(real a, real b) { return a > b; }
static real is_at_least(real a, real b) { return a >= b; }
static real is_equal(real a, real b) { return a == b; }
static real is_other(real a, real b) { return a != b; }
static real both(real a, real b) { return a != 0 && b != 0; }
static real either(real a, real b) { return a != 0 || b != 0; }

static value comparison(parser *p) {
    static const struct {
        const char *sign;
        function_2 *f;
    } row[] = {{"<=", is_at_most}, {">=", is_at_least}, {"!=", is_other}, {"<", is_less}, {">", is_more}, {"=", is_equal}};
    value x = sum(p), truth = x;
    for (int i = 0, chain = 0; i < COUNT(row); i++) {
        if (!take(p, row[i].sign)) continue;
        value y = sum(p), holds = value_map_2(row[i].f, x, y);
        truth = chain++ ? value_map_2(both, truth, holds) : holds;
        x = y, i = -1;
    }
    return truth;
}

static value condition(parser *p) {
    value x = comparison(p);
    for (;;)
        if (take(p, "and"))
            x = value_map_2(both, x, comparison(p));
        else if (take(p, "or"))
            x = value_map_2(either, x, comparison(p));
        else
            return x;
}

static value choice(parser *p) {
    value x = condition(p);
    if (p->s->error[0] || !take(p, "where")) return x;
    value here = condition(p);
    if (!take(p, ",")) return unclear(p, "no else");
    return value_choose(here, x, take(p, "else") ? condition(p) : choice(p));
}

/* ---- statements ---- */

static const char *next_statement(const char *at) {
    const char *end = strstr(at, "; ");
    return end ? end + 2 : NULL;
}

/* Where the statement's expression begins, if one name or, with `list`, any number of names stand before it. */
static const char *said_by(const char *at, const char *name, bool list) {
    size_t n = name_length(at);
    if (n == 0 || (name && !is_word(at, name))) return NULL;
    for (at += n; list && at[0] == ',' && at[1] == ' '; at += 2 + name_length(at + 2))
        if (name_length(at + 2) == 0) return NULL;
    return strncmp(at, " = ", 3) == 0 ? at + 3 : NULL;
}

/* A choice with its end. */
static value whole(parser *p) {
    value v = choice(p);
    const char *wrong = values_wrong();
    if (wrong) unclear(p, wrong);
    return p->s->error[0] || !*skip(p) || *p->at == ';' || *p->at == ',' ? v : unclear(p, "more than is understood");
}

value evaluate(scope *s, const char *name) {
    parser p = {s, NULL};
    for (const char *at = s->text; at && !p.at; at = next_statement(at)) p.at = said_by(at, name, false);
    if (!p.at) {
        if (!s->error[0]) snprintf(s->error, sizeof s->error, "nothing says what \"%s\" is", name);
        return value_scalar(NAN);
    }
    value v = whole(&p);
    bind(s, name, v);
    return v;
}

int evaluate_first(scope *s, int n, value *v, const char **end) {
    parser p = {s, said_by(s->text, NULL, true)};
    int count = 0;
    *end = s->text;
    if (!p.at) unclear(&p, "no names");
    while (count < n && !s->error[0] && (count == 0 || take(&p, ","))) {
        v[count] = whole(&p);
        if (s->error[0] && count > 0) {
            s->error[0] = '\0'; /* a note */
            return count;
        }
        count++, *end = p.at;
    }
    return count;
}

bool gradient_said(const char *rule, int i, char left[64]) {
    for (const char *at = rule; at; at = next_statement(at)) {
        const char *end = strstr(at, " = ");
        if (*at != 'd' || !end || i-- > 0) continue;
        snprintf(left, 64, "%.*s", (int)(end - at), at);
        return true;
    }
    return false;
}

void input_named(const char *left, char name[NAME]) { snprintf(name, NAME, "%.*s", (int)name_length(left + 1), left + 1); }
