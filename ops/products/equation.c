#include "ops/products/equation.h"

#include <string.h>

/* ---- messages ---- */

typedef struct text {
    char s[200];
} text;

static text name_of(int letter) {
    char c = (char)(letter < 26 ? 'A' + letter : 'a' + letter - 26);
    return letter < TG_DOTS ? (text){{c}} : (text){"..."};
}

static text whose(const plan *p) {
    char x[160];
    text t = {"the output"};
    if (p->x) snprintf(t.s, sizeof t.s, "operand %d, %s", p->i, tg_describe(p->x, x, sizeof x));
    return t;
}

/* ---- reading ---- */

static int letter_of(char c) {
    return c >= 'A' && c <= 'Z' ? c - 'A' : c >= 'a' && c <= 'z' ? c - 'a' + 26 : -1;
}

/* Reads the letters up to a comma, an arrow or the end; *dots becomes the place of "..." among them, or -1. */
static bool scan(plan *p, letters *l, int *dots) {
    *dots = -1;
    for (; *p->at && *p->at != ',' && *p->at != '-'; p->at++) {
        int letter = letter_of(*p->at);
        if (*p->at == ' ') continue;
        if (letter >= 0 && l->n == TG_MAX_RANK)
            return FAIL(p, TG_ERR_SHAPE, "the subscript has more than %d letters: %s", TG_MAX_RANK, whose(p).s);
        if (letter >= 0)
            push(l, letter);
        else if (*dots < 0 && strncmp(p->at, "...", 3) == 0)
            *dots = l->n, p->at += 2;
        else
            return FAIL(p, TG_ERR_ARGUMENT, "a subscript may hold letters and one \"...\", not \"%c\": %s",
                        *p->at, whose(p).s);
    }
    return true;
}

/* Reads a whole subscript. "..." takes `axes` axes, or, where that is -1, those of `rank` that the letters leave. */
static bool read_subscript(plan *p, int rank, int axes, letters *l) {
    letters named = {0};
    int dots;
    if (!scan(p, &named, &dots)) return false;
    if (axes < 0) axes = rank - named.n;
    if (axes < 0 || (dots < 0 && axes > 0 && p->x))
        return FAIL(p, TG_ERR_SHAPE, "the subscript has %d letters for %d axes: %s", named.n, rank, whose(p).s);
    if (dots >= 0 && named.n + axes > TG_MAX_RANK)
        return FAIL(p, TG_ERR_SHAPE, "the subscript stands for %d axes, more than %d: %s", named.n + axes,
                    TG_MAX_RANK, whose(p).s);
    l->n = 0;
    for (int i = 0; i <= named.n; i++) {
        for (int d = axes; i == dots && d > 0; d--) push(l, TG_LETTERS - d);
        if (i < named.n) push(l, named.at[i]);
    }
    return true;
}

/* Notes the sizes of the operand's letters, which must agree with those noted before unless one of the two is 1. */
static bool note(plan *p, const tg_array *a, const letters *l) {
    for (int k = 0; k < l->n; k++) {
        int letter = l->at[k], twice = find(l, letter);
        int64_t size = a->shape[k], *known = &p->size[letter];
        if (a->shape[twice] != size || (p->count[letter] && size != *known && size != 1 && *known != 1))
            return FAIL(p, TG_ERR_SHAPE, "%s has size %lld so far, but size %lld in %s", name_of(letter).s,
                        (long long)(twice < k ? a->shape[twice] : *known), (long long)size, whose(p).s);
        if (!p->count[letter]++ || *known == 1) *known = size;
        p->last[letter] = p->i;
    }
    return true;
}

static bool read_operand(plan *p, int n, tg_tensor *const *x) {
    p->x = x[p->i];
    const tg_array *a = tg_operand(p->x, "einsum", p->i);
    letters l;
    if (!a) return false;
    if (!tg_dtype_is_float((tg_dtype)a->dtype) || a->dtype != (uint8_t)tg_dtype_of(x[0]))
        return FAIL(p, TG_ERR_DTYPE, "the operands must all be f32 or all be f64 (tg_to converts): %s",
                    whose(p).s);
    if (!read_subscript(p, a->rank, -1, &l) || !note(p, a, &l)) return false;
    bool more = p->i + 1 < n;
    if (more != (*p->at == ','))
        return FAIL(p, TG_ERR_ARGUMENT, "the equation has %s subscripts than the %d operands",
                    more ? "fewer" : "more", n);
    p->at += more;
    return true;
}

/* Without an arrow the output has the axes of "...", then the letters that occur once. */
static bool default_output(plan *p) {
    for (int k = 0; k < TG_LETTERS; k++) {
        int letter = (k + TG_DOTS) % TG_LETTERS;
        if (letter < TG_DOTS ? p->count[letter] != 1 : p->count[letter] == 0) continue;
        if (p->out.n == TG_MAX_RANK)
            return FAIL(p, TG_ERR_SHAPE, "the subscript has more than %d letters: %s", TG_MAX_RANK, whose(p).s);
        push(&p->out, letter);
    }
    return true;
}

static bool written_output(plan *p) {
    int axes = 0;
    for (int letter = TG_DOTS; letter < TG_LETTERS; letter++) axes += p->count[letter] > 0;
    if (p->at[1] != '>')
        return FAIL(p, TG_ERR_ARGUMENT, "\"%.2s\" stands where only the arrow \"->\" may", p->at);
    p->at += 2;
    if (!read_subscript(p, 0, axes, &p->out)) return false;
    if (*p->at)
        return FAIL(p, TG_ERR_ARGUMENT, "\"%s\" stands after the output, where the equation must end", p->at);
    for (int i = 0; i < p->out.n; i++) {
        int letter = p->out.at[i];
        if (find(&p->out, letter) != i)
            return FAIL(p, TG_ERR_ARGUMENT, "the output has %s twice", name_of(letter).s);
        if (!p->count[letter])
            return FAIL(p, TG_ERR_ARGUMENT, "the output has %s, which no operand has", name_of(letter).s);
    }
    return true;
}

bool tg_read_equation(plan *p, int n, tg_tensor *const *x) {
    p->at = p->equation;
    for (p->i = 0; p->i < n; p->i++)
        if (!read_operand(p, n, x)) return false;
    p->x = NULL;
    if (!(*p->at ? written_output(p) : default_output(p))) return false;
    for (int i = 0; i < p->out.n; i++) p->last[p->out.at[i]] = n;
    p->at = p->equation;
    return true;
}

letters tg_next_subscript(plan *p, tg_tensor *x) {
    letters l = {0};
    p->x = x;
    read_subscript(p, tg_rank(x), -1, &l);
    p->at++;
    return l;
}
