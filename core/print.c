/* Printing: the text that str(array) gives in NumPy 2.4 with np.set_printoptions(precision=4).
 *
 * Floats of one array share one format, chosen from the elements that will be shown. With M and m the largest
 * and smallest nonzero finite magnitudes it is scientific when M >= 1e8 (f32: 1e6), m < 1e-4 or M / m > 1000,
 * otherwise positional. An element is written with the fewest digits that read back as the same number of its
 * type, but no more than four after the point; beyond those its exact binary value is rounded, ties to even.
 * More than 1000 elements are summarised: of an axis longer than six, the first and last three are shown.
 * A scalar has no company to align with and is written with all the digits that it needs.
 */
#include "core/slot.h"
#include "core/work.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PRECISION = 4, THRESHOLD = 1000, EDGE = 3, LINE_WIDTH = 75 };

/* ---- output: a buffer, cut to its size, or a file; never allocates ---- */

typedef struct sink {
    FILE *file;
    char *buf;
    size_t n, length; /* capacity of buf, length of the whole text */
    int spaces;       /* blanks not written yet: those before a line's end are dropped */
} sink;

static void put_raw(sink *s, char c) {
    if (s->file)
        putc(c, s->file);
    else if (s->length + 1 < s->n)
        s->buf[s->length] = c;
    s->length++;
}

static void put(sink *s, char c) {
    if (c == ' ') {
        s->spaces++;
        return;
    }
    if (c == '\n') s->spaces = 0;
    for (; s->spaces > 0; s->spaces--) put_raw(s, ' ');
    put_raw(s, c);
}

static void put_text(sink *s, const char *text) {
    while (*text) put(s, *text++);
}

static void put_digits(sink *s, const char *digits, int n) {
    for (int i = 0; i < n; i++) put(s, digits[i]);
}

static void put_many(sink *s, char c, int n) {
    for (int i = 0; i < n; i++) put(s, c);
}

/* ---- decimal digits ---- */

/* |x| = digit[0].digit[1]digit[2]... * 10^exponent, without trailing zeros; n >= 1. */
typedef struct decimal {
    char digit[20];
    int n, exponent;
    bool negative;
} decimal;

/* x rounded to n significant digits, 1 <= n <= 17. Digits are taken from around the decimal point, which the
 * locale may have changed. */
static void decimal_round(double x, int n, decimal *d) {
    char text[64];
    snprintf(text, sizeof text, "%.*e", n - 1, fabs(x));
    const char *e = strrchr(text, 'e');
    d->digit[0] = text[0];
    memcpy(d->digit + 1, e - (n - 1), (size_t)(n - 1));
    d->n = n;
    d->exponent = (int)strtol(e + 1, NULL, 10);
    d->negative = signbit(x);
}

static void decimal_trim(decimal *d) {
    while (d->n > 1 && d->digit[d->n - 1] == '0') d->n--;
}

static bool decimal_reads_back(const decimal *d, double x, bool single) {
    char text[64];
    snprintf(text, sizeof text, "%.*se%d", d->n, d->digit, d->exponent - (d->n - 1));
    return single ? strtof(text, NULL) == (float)fabs(x) : strtod(text, NULL) == fabs(x);
}

/* One more in the last digit. */
static void decimal_increment(decimal *d) {
    int i = d->n - 1;
    while (i >= 0 && d->digit[i] == '9') d->digit[i--] = '0';
    if (i >= 0) {
        d->digit[i]++;
    } else { /* 9.99 became 10.0 */
        d->digit[0] = '1';
        d->exponent++;
    }
}

/* The fewest digits that read back as x. The numbers that do form an interval around x, half as wide below x
 * as above it when x is a power of two; so where the nearest decimal of n digits does not read back, the next
 * one above still may, and no other can. */
static void decimal_shortest(double x, bool single, decimal *d) {
    const int most = single ? 9 : 17;
    for (int n = 1; n <= most; n++) {
        decimal_round(x, n, d);
        if (decimal_reads_back(d, x, single)) break;
        decimal up = *d;
        decimal_increment(&up);
        if (decimal_reads_back(&up, x, single)) {
            *d = up;
            break;
        }
    }
    decimal_trim(d);
}

/* The fewest digits, cut to PRECISION after the point of the format. */
static void decimal_short(double x, bool single, bool scientific, decimal *d) {
    decimal_shortest(x, single, d);
    const int keep = PRECISION + 1 + (scientific ? 0 : d->exponent);
    if (d->n <= keep || keep < 1) return;
    decimal_round(x, keep, d);
    decimal_trim(d);
}

static int exponent_width(const decimal *d) { return abs(d->exponent) >= 100 ? 3 : 2; }

static void put_exponent(sink *s, int exponent, int width) {
    char text[16];
    snprintf(text, sizeof text, "e%c%0*d", exponent < 0 ? '-' : '+', width, abs(exponent));
    put_text(s, text);
}

/* The digits before the point, with zeros up to it, and those after it. */
static int int_width(const decimal *d) { return d->exponent < 0 ? 1 : d->exponent + 1; }
static int frac_width(const decimal *d) { return d->n - 1 > d->exponent ? d->n - 1 - d->exponent : 0; }

static void put_positional(sink *s, const decimal *d) {
    const int point = d->exponent + 1, whole = point < d->n ? point : d->n; /* digits before the point */
    put_digits(s, d->digit, whole);
    put_many(s, '0', int_width(d) - (whole > 0 ? whole : 0));
    put(s, '.');
    if (whole < 0) put_many(s, '0', -whole);
    const int used = whole > 0 ? whole : 0;
    put_digits(s, d->digit + used, d->n - used);
}

/* ---- one format for all elements ---- */

typedef struct printer {
    const tg_array *a;
    sink out;
    bool summary, floating, scientific;
    bool finite, not_finite, minus_inf; /* what the shown elements include */
    double most, least;                 /* nonzero finite magnitudes; 0: none */
    int left, right, exponent;          /* columns before and after the point, and of the exponent's digits */
} printer;

static double read_float(const tg_array *a, const char *p) {
    return a->dtype == TG_F32 ? (double)*(const float *)p : *(const double *)p;
}

static int64_t read_int(const tg_array *a, const char *p) {
    if (a->dtype == TG_I32) return *(const int32_t *)p;
    if (a->dtype == TG_I64) return *(const int64_t *)p;
    return *(const uint8_t *)p;
}

static int width_of(const printer *p) {
    return p->left + (p->floating ? 1 + p->right : 0) + (p->scientific ? 2 + p->exponent : 0);
}

typedef void visitor(printer *p, const char *element);

static const char *step(const tg_array *a, int axis, const char *base, int64_t i) {
    return base + i * a->stride[axis] * (int64_t)tg_dtype_size((tg_dtype)a->dtype);
}

static bool is_cut(const printer *p, int axis) { return p->summary && p->a->shape[axis] > 2 * EDGE; }

/* All elements that will be shown. */
static void visit(printer *p, int axis, const char *base, visitor *f) {
    if (axis == p->a->rank) {
        f(p, base);
        return;
    }
    const int64_t n = p->a->shape[axis];
    for (int64_t i = 0; i < n; i++) {
        if (i == EDGE && is_cut(p, axis)) i = n - EDGE;
        visit(p, axis + 1, step(p->a, axis, base, i), f);
    }
}

static int max_int(int a, int b) { return a > b ? a : b; }

static void note_magnitude(printer *p, const char *element) {
    const double x = read_float(p->a, element), m = fabs(x);
    if (!isfinite(x)) {
        p->not_finite = true;
        p->minus_inf |= isinf(x) && x < 0;
        return;
    }
    p->finite = true;
    if (m == 0) return;
    if (m > p->most) p->most = m;
    if (p->least == 0 || m < p->least) p->least = m;
}

static void note_width(printer *p, const char *element) {
    const double x = read_float(p->a, element);
    if (!isfinite(x)) return;
    decimal d;
    decimal_short(x, p->a->dtype == TG_F32, p->scientific, &d);
    p->left = max_int(p->left, d.negative + (p->scientific ? 1 : int_width(&d)));
    p->right = max_int(p->right, p->scientific ? d.n - 1 : frac_width(&d));
    p->exponent = max_int(p->exponent, exponent_width(&d));
}

static void note_int(printer *p, const char *element) {
    char text[32];
    p->left = max_int(p->left, snprintf(text, sizeof text, "%" PRId64, read_int(p->a, element)));
}

/* NumPy compares f32 with f32 constants and divides in f32. */
static bool wants_scientific(const printer *p) {
    if (p->most == 0) return false;
    if (p->a->dtype == TG_F32)
        return p->most >= 1e6 || (float)p->least < 1e-4f || (float)p->most / (float)p->least > 1000;
    return p->most >= 1e8 || p->least < 1e-4 || p->most / p->least > 1000;
}

static void choose_format(printer *p) {
    const char *base = p->a->data;
    if (!p->floating) {
        if (p->a->dtype == TG_BOOL)
            p->left = 5; /* " True" or "False" */
        else
            visit(p, 0, base, note_int);
        return;
    }
    visit(p, 0, base, note_magnitude);
    p->scientific = wants_scientific(p);
    visit(p, 0, base, note_width);
    if (!p->not_finite) return;
    const int missing = 3 + p->minus_inf - width_of(p); /* of the columns for "nan", "-inf" */
    if (missing > 0) p->left += missing;
}

static void put_float(printer *p, double x) {
    if (!isfinite(x)) {
        const char *text = isnan(x) ? "nan" : x < 0 ? "-inf" : "inf";
        put_many(&p->out, ' ', width_of(p) - (int)strlen(text));
        put_text(&p->out, text);
        return;
    }
    decimal d;
    if (p->scientific)
        decimal_round(x, p->right + 1, &d); /* all elements get the digits that one needs */
    else
        decimal_short(x, p->a->dtype == TG_F32, false, &d);
    put_many(&p->out, ' ', p->left - d.negative - (p->scientific ? 1 : int_width(&d)));
    if (d.negative) put(&p->out, '-');
    if (p->scientific) {
        put(&p->out, d.digit[0]);
        put(&p->out, '.');
        put_digits(&p->out, d.digit + 1, d.n - 1);
        put_exponent(&p->out, d.exponent, p->exponent);
    } else {
        put_positional(&p->out, &d);
        put_many(&p->out, ' ', p->right - frac_width(&d));
    }
}

static void put_element(printer *p, const char *element) {
    if (p->floating) {
        put_float(p, read_float(p->a, element));
        return;
    }
    const int64_t v = read_int(p->a, element);
    char text[32];
    snprintf(text, sizeof text, "%*" PRId64, p->left, v);
    put_text(&p->out, p->a->dtype != TG_BOOL ? text : v ? " True" : "False");
}

/* ---- brackets and lines ---- */

/* The last axis: elements separated by blanks, wrapped so that the closing brackets still fit. */
static void put_row(printer *p, int axis, const char *base) {
    const int indent = axis + 1, limit = LINE_WIDTH - axis - 1, width = width_of(p);
    const int64_t n = p->a->shape[axis];
    int column = indent;
    for (int64_t i = 0; i < n; i++) {
        const bool gap = i == EDGE && is_cut(p, axis);
        const int word = gap ? 3 : width;
        if (column + word > limit && column > indent) {
            put(&p->out, '\n');
            put_many(&p->out, ' ', indent);
            column = indent;
        }
        if (gap)
            put_text(&p->out, "...");
        else
            put_element(p, step(p->a, axis, base, i));
        if (gap) i = n - EDGE - 1;
        if (i + 1 < n) put(&p->out, ' ');
        column += word + 1;
    }
}

static void put_nested(printer *p, int axis, const char *base) {
    put(&p->out, '[');
    if (axis == p->a->rank - 1) {
        put_row(p, axis, base);
        put(&p->out, ']');
        return;
    }
    const int64_t n = p->a->shape[axis];
    for (int64_t i = 0; i < n; i++) {
        const bool gap = i == EDGE && is_cut(p, axis);
        if (i > 0) {
            put_many(&p->out, '\n', p->a->rank - 1 - axis);
            put_many(&p->out, ' ', axis + 1);
        }
        if (gap) {
            put_text(&p->out, "...");
            i = n - EDGE - 1;
        } else {
            put_nested(p, axis + 1, step(p->a, axis, base, i));
        }
    }
    put(&p->out, ']');
}

/* As str() of a NumPy scalar: scientific outside [1e-4, 1e16), for f32 outside [1e-4, 1e6). */
static void put_scalar_float(printer *p, double x) {
    const bool single = p->a->dtype == TG_F32;
    const double m = fabs(x);
    if (!isfinite(x)) {
        put_text(&p->out, isnan(x) ? "nan" : x < 0 ? "-inf" : "inf");
        return;
    }
    decimal d;
    decimal_shortest(x, single, &d);
    if (d.negative) put(&p->out, '-');
    if (m != 0 && (m < 1e-4 || m >= (single ? 1e6 : 1e16))) {
        put(&p->out, d.digit[0]);
        if (d.n > 1) put(&p->out, '.');
        put_digits(&p->out, d.digit + 1, d.n - 1);
        put_exponent(&p->out, d.exponent, exponent_width(&d));
    } else {
        put_positional(&p->out, &d);
        if (frac_width(&d) == 0) put(&p->out, '0');
    }
}

static void put_scalar(printer *p) {
    if (p->floating)
        put_scalar_float(p, read_float(p->a, p->a->data));
    else if (p->a->dtype == TG_BOOL)
        put_text(&p->out, read_int(p->a, p->a->data) ? "True" : "False");
    else
        put_element(p, p->a->data);
}

static void put_array(printer *p, const tg_array *a) {
    p->a = a;
    p->floating = tg_dtype_is_float((tg_dtype)a->dtype);
    p->summary = a->numel > THRESHOLD;
    if (a->rank == 0) {
        put_scalar(p);
    } else if (a->numel == 0) {
        put_text(&p->out, "[]");
    } else {
        choose_format(p);
        put_nested(p, 0, a->data);
    }
}

size_t tg_to_text(const tg_tensor *t, char *buf, size_t n) {
    if (!buf) n = 0;
    printer p = {.out = {.buf = buf, .n = n}};
    const tg_slot *s = tg_slot_with_data(t, "to_text");
    if (s && tg_may_read(&s->a, "to_text")) put_array(&p, &s->a);
    if (n > 0) buf[p.out.length < n ? p.out.length : n - 1] = '\0';
    return p.out.length;
}

void tg_print(FILE *file, const tg_tensor *t) {
    const tg_slot *s = tg_slot_with_data(t, "print");
    if (!file) tg_fail(TG_ERR_ARGUMENT, "print: the file is NULL");
    if (!s || !file || !tg_may_read(&s->a, "print")) return;
    printer p = {.out = {.file = file}};
    put_array(&p, &s->a);
    putc('\n', file);
}
