/* Axes: which numbers they show, where, and the round ones among them. */
#include "ops/nn/plot/plot_private.h"

#include <math.h>

bool tg_axis_shows(double v, bool log) { return fabs(v) <= 1e300 && (!log || v >= 1e-300); }

bool tg_range_given(double min, double max, bool log) {
    return min < max && max - min > 1e-12 * fmax(fabs(min), fabs(max)) && tg_axis_shows(min, log) &&
           tg_axis_shows(max, log);
}

void tg_extent_add(tg_extent *e, double v, bool log) {
    if (!tg_axis_shows(v, log)) return;
    if (!e->any || v < e->lo) e->lo = v;
    if (!e->any || v > e->hi) e->hi = v;
    e->any = true;
}

/* The number at `part` of the way from lo to hi, beyond them too. */
static double along(double lo, double hi, bool logarithmic, double part) {
    return logarithmic ? exp(log(lo) + (log(hi) - log(lo)) * part) : lo + (hi - lo) * part;
}

tg_plot_axis tg_axis_over(tg_extent e, bool log, double margin, double min, double max) {
    tg_plot_axis a = {.lo = e.any ? e.lo : 1, .hi = e.any ? e.hi : 1, .log = log};
    double size = fmax(fabs(a.lo), fabs(a.hi));
    if (log ? a.hi / a.lo < 1 + 1e-9 : a.hi - a.lo <= 1e-12 * size || a.hi - a.lo < 1e-300) {
        double by = size > 1e-290 ? 0.1 * size : 1; /* a single number stands in the middle */
        a.lo = log ? a.lo / 2 : a.lo - by;
        a.hi = log ? a.hi * 2 : a.hi + by;
    } else if (margin > 0) {
        double lo = along(a.lo, a.hi, log, -margin), hi = along(a.lo, a.hi, log, 1 + margin);
        if (!log && a.lo >= 0 && lo < 0) lo = 0;
        if (!log && a.hi <= 0 && hi > 0) hi = 0;
        a.lo = lo;
        a.hi = hi;
    }
    if (tg_range_given(min, max, log)) {
        a.lo = min;
        a.hi = max;
    }
    return a;
}

double tg_axis_at(const tg_plot_axis *a, double v) {
    double part = a->log ? (log(v) - log(a->lo)) / (log(a->hi) - log(a->lo)) : (v - a->lo) / (a->hi - a->lo);
    double p = a->from + part * (a->to - a->from);
    return p < -1e5 ? -1e5 : p > 1e5 ? 1e5 : p;
}

/* ---- round numbers ---- */

/* The least of 1, 2 and 5 times a power of ten that is not less. */
static double round_up(double step, int *power) {
    *power = (int)floor(log10(step));
    double unit = pow(10, *power), times = step / unit;
    if (times <= 1 + 1e-9) return unit;
    if (times <= 2 + 1e-9) return 2 * unit;
    if (times <= 5 + 1e-9) return 5 * unit;
    ++*power;
    return 10 * unit;
}

static void superscript(int n, char text[TG_TICK_TEXT]) {
    static const char *const digit[] = {"\xe2\x81\xb0", "\xc2\xb9",     "\xc2\xb2",     "\xc2\xb3",
                                        "\xe2\x81\xb4", "\xe2\x81\xb5", "\xe2\x81\xb6", "\xe2\x81\xb7",
                                        "\xe2\x81\xb8", "\xe2\x81\xb9"};
    char plain[16];
    snprintf(plain, sizeof plain, "%d", n);
    int used = 0;
    for (const char *c = plain; *c && used < TG_TICK_TEXT - 4; c++)
        used += snprintf(text + used, (size_t)(TG_TICK_TEXT - used), "%s",
                         *c == '-' ? "\xe2\x81\xbb" : digit[*c - '0']);
}

void tg_power_text(int power, char text[TG_TICK_TEXT]) {
    char above[TG_TICK_TEXT];
    superscript(power, above);
    snprintf(text, TG_TICK_TEXT, "\xc3\x97\x31\x30%.20s", above);
}

/* A minus sign for the hyphen. */
static void put_number(char text[TG_TICK_TEXT], double v, int decimals) {
    snprintf(text, TG_TICK_TEXT, "%s%.*f", v < 0 ? "\xe2\x88\x92" : "", decimals, fabs(v));
}

static void linear_ticks(const tg_plot_axis *a, int want, tg_ticks *t) {
    int power = 0;
    double least = (a->hi - a->lo) / want, step = round_up(a->whole && least < 1 ? 1 : least, &power);
    double size = fmax(fabs(a->lo), fabs(a->hi));
    t->n = 0;
    t->power = 0;
    if (size >= 1e5 || size < 1e-3) t->power = 3 * (int)floor(floor(log10(size)) / 3);
    int decimals = t->power - power;
    decimals = decimals < 0 ? 0 : decimals > 12 ? 12 : decimals;
    for (double i = ceil(a->lo / step - 1e-9); i * step <= a->hi + 1e-9 * step && t->n < TG_TICKS; i++) {
        double v = i == 0 ? 0 : i * step; /* no -0 */
        t->at[t->n] = v;
        put_number(t->text[t->n++], v / pow(10, t->power), decimals);
    }
}

/* "10⁶", "2×10⁶" */
static void put_power(char text[TG_TICK_TEXT], double times, int power) {
    char ten[TG_TICK_TEXT];
    tg_power_text(power, ten);
    if (times > 1)
        snprintf(text, TG_TICK_TEXT, "%.0f%.25s", times, ten);
    else
        snprintf(text, TG_TICK_TEXT, "%s", ten + 2); /* without the sign for times */
}

/* Powers of ten, so many apart that about `want` are left; of a short axis 2 and 5 times them too. */
static void log_ticks(const tg_plot_axis *a, int want, tg_ticks *t) {
    static const double times[] = {1, 2, 5};
    double decades = log10(a->hi) - log10(a->lo);
    int apart = (int)ceil(decades / want), fine = decades < 2.5 ? 3 : 1;
    if (apart < 1) apart = 1;
    t->n = 0;
    t->power = 0;
    for (int p = (int)floor(log10(a->lo) / apart) * apart; p <= log10(a->hi) + 1 && t->n < TG_TICKS; p += apart)
        for (int i = 0; i < fine && t->n < TG_TICKS; i++) {
            double v = times[i] * pow(10, p);
            char *text = t->text[t->n];
            if (v < a->lo * (1 - 1e-9) || v > a->hi * (1 + 1e-9)) continue;
            t->at[t->n++] = v;
            if (p >= -3 && p <= 3 && (fine > 1 || decades < 7))
                put_number(text, v, p < 0 ? -p : 0);
            else
                put_power(text, times[i], p);
        }
}

void tg_axis_ticks(const tg_plot_axis *a, int want, tg_ticks *t) {
    if (want < 2) want = 2;
    if (want > TG_TICKS / 3) want = TG_TICKS / 3;
    if (a->log) log_ticks(a, want, t);
    if (!a->log || t->n < 2) linear_ticks(a, want, t);
}
