/* Decimal numbers. strtod and strtof round correctly but take more than we do, such as hexadecimal numbers, so the text is
 * held against the grammar first. */
#include "core/io/number.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool tg_plain_locale_begin(tg_plain_locale *l) {
    l->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (l->plain == (locale_t)0) return false;
    l->before = uselocale(l->plain);
    return true;
}

void tg_plain_locale_end(const tg_plain_locale *l) {
    uselocale(l->before);
    freelocale(l->plain);
}

/* ---- reading ---- */

static const char *pass_digits(const char *p, int *digits) {
    for (; *p >= '0' && *p <= '9'; p++) ++*digits;
    return p;
}

/* [+-] digits [. digits] [e [+-] digits], with a digit before or behind the point. */
static bool is_decimal(const char *p) {
    int digits = 0, exponent = 0;
    if (*p == '+' || *p == '-') p++;
    p = pass_digits(p, &digits);
    if (*p == '.') p = pass_digits(p + 1, &digits);
    if (digits == 0) return false;
    if (*p == 'e' || *p == 'E') {
        p++;
        if (*p == '+' || *p == '-') p++;
        p = pass_digits(p, &exponent);
        if (exponent == 0) return false;
    }
    return *p == '\0';
}

/* infinity or nan in any case, with a sign or without; the sign of a NaN is dropped. */
static bool read_special(const char *text, double *v) {
    const bool negative = *text == '-';
    if (negative || *text == '+') text++;
    if (strcasecmp(text, "nan") == 0) return *v = NAN, true;
    if (strcasecmp(text, "inf") != 0 && strcasecmp(text, "infinity") != 0) return false;
    return *v = negative ? -INFINITY : INFINITY, true;
}

/* f32 is rounded from the text itself: by way of f64 it would be rounded twice. */
static const char *read_float(const char *text, tg_dtype dtype, void *to) {
    double v;
    if (!read_special(text, &v)) {
        if (!is_decimal(text)) return "is not a number";
        v = dtype == TG_F32 ? (double)strtof(text, NULL) : strtod(text, NULL);
        if (isinf(v)) return dtype == TG_F32 ? "is beyond the range of f32" : "is beyond the range of f64";
    }
    if (dtype == TG_F32)
        *(float *)to = (float)v;
    else
        *(double *)to = v;
    return NULL;
}

/* The range of a dtype of integers. */
static int64_t lowest(tg_dtype dtype) {
    return dtype == TG_I64 ? INT64_MIN : dtype == TG_I32 ? INT32_MIN : 0;
}
static int64_t highest(tg_dtype dtype) {
    return dtype == TG_I64 ? INT64_MAX : dtype == TG_I32 ? INT32_MAX : UINT8_MAX;
}

static const char *beyond(tg_dtype dtype) {
    return dtype == TG_I64   ? "is beyond the range of i64"
           : dtype == TG_I32 ? "is beyond the range of i32"
                             : "is beyond the range of u8";
}

static const char *read_integer(const char *text, tg_dtype dtype, void *to) {
    const bool negative = *text == '-';
    int digits = 0;
    const char *p = text + (negative || *text == '+');
    if (*pass_digits(p, &digits) != '\0' || digits == 0) return "is not a whole number";
    int64_t v = 0;
    for (; *p; p++) {
        const int digit = *p - '0';
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, negative ? -digit : digit, &v))
            return beyond(dtype);
    }
    if (v < lowest(dtype) || v > highest(dtype)) return beyond(dtype);
    if (dtype == TG_I64)
        *(int64_t *)to = v;
    else if (dtype == TG_I32)
        *(int32_t *)to = (int32_t)v;
    else
        *(uint8_t *)to = (uint8_t)v;
    return NULL;
}

static const char *read_bool(const char *text, void *to) {
    const bool yes = strcmp(text, "1") == 0 || strcasecmp(text, "true") == 0;
    if (!yes && strcmp(text, "0") != 0 && strcasecmp(text, "false") != 0) return "is not 0, 1, true or false";
    *(uint8_t *)to = yes;
    return NULL;
}

const char *tg_number_read(const char *text, tg_dtype dtype, void *to) {
    if (tg_dtype_is_float(dtype)) return read_float(text, dtype, to);
    return dtype == TG_BOOL ? read_bool(text, to) : read_integer(text, dtype, to);
}

/* ---- writing ---- */

/* Digits are added until the text gives the number back, which 9 do in f32 and 17 in f64. */
static int write_float(char *text, tg_dtype dtype, double v) {
    if (isnan(v)) return snprintf(text, TG_NUMBER_TEXT, "nan");
    if (isinf(v)) return snprintf(text, TG_NUMBER_TEXT, v < 0 ? "-inf" : "inf");
    const bool narrow = dtype == TG_F32;
    const int most = narrow ? 9 : 17;
    for (int digits = narrow ? 6 : 15;; digits++) {
        const int n = snprintf(text, TG_NUMBER_TEXT, "%.*g", digits, v);
        if (digits == most || (narrow ? (double)strtof(text, NULL) : strtod(text, NULL)) == v) return n;
    }
}

int tg_number_write(char text[TG_NUMBER_TEXT], tg_dtype dtype, const void *from) {
    switch (dtype) {
    case TG_F32:
        return write_float(text, dtype, (double)*(const float *)from);
    case TG_F64:
        return write_float(text, dtype, *(const double *)from);
    case TG_I32:
        return snprintf(text, TG_NUMBER_TEXT, "%" PRId32, *(const int32_t *)from);
    case TG_I64:
        return snprintf(text, TG_NUMBER_TEXT, "%" PRId64, *(const int64_t *)from);
    default:
        return snprintf(text, TG_NUMBER_TEXT, "%d", *(const uint8_t *)from);
    }
}
