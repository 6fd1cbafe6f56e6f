#include "ops/nn/optim/hyper.h"

#include <math.h>
#include <string.h>

static size_t size_of(tg_attr_type type) {
    return type == TG_ATTR_REAL ? sizeof(double) : type == TG_ATTR_INT ? sizeof(int64_t) : sizeof(bool);
}

tg_status tg_hyper_check(const tg_hyper *table, int n, size_t size) {
    TG_NAMED("tg_hyper_check");
    if (n < 0 || (n > 0 && !table))
        return tg_fail(TG_ERR_ARGUMENT, "tg_hyper_check: there is no table of %d hyperparameters", n);
    for (int i = 0; i < n; i++) {
        const tg_hyper *h = &table[i];
        if (!h->name || !*h->name)
            return tg_fail(TG_ERR_ARGUMENT, "tg_hyper_check: hyperparameter %d has no name", i);
        if (h->type != TG_ATTR_REAL && h->type != TG_ATTR_INT && h->type != TG_ATTR_BOOL)
            return tg_fail(TG_ERR_ARGUMENT,
                           "tg_hyper_check: hyperparameter %s is neither real, integer nor bool", h->name);
        size_t bytes = size_of(h->type);
        if (h->offset > size || bytes > size - h->offset || h->offset % bytes != 0)
            return tg_fail(
                TG_ERR_ARGUMENT,
                "tg_hyper_check: hyperparameter %s is no aligned field of a struct of %zu bytes: it would have %zu bytes from offset %zu on",
                h->name, size, bytes, h->offset);
        if (tg_hyper_find(table, i, h->name))
            return tg_fail(TG_ERR_ARGUMENT, "tg_hyper_check: two hyperparameters are called %s", h->name);
    }
    return TG_OK;
}

const tg_hyper *tg_hyper_find(const tg_hyper *table, int n, const char *name) {
    for (int i = 0; name && i < n; i++)
        if (strcmp(table[i].name, name) == 0) return &table[i];
    return NULL;
}

double tg_hyper_get(const tg_hyper *h, const void *at) {
    const void *place = (const char *)at + h->offset;
    switch (h->type) {
    case TG_ATTR_REAL:
        return *(const double *)place;
    case TG_ATTR_INT:
        return (double)*(const int64_t *)place;
    default:
        return *(const bool *)place;
    }
}

static void put(const tg_hyper *h, void *at, double v) {
    void *place = (char *)at + h->offset;
    switch (h->type) {
    case TG_ATTR_REAL:
        *(double *)place = v;
        break;
    case TG_ATTR_INT:
        *(int64_t *)place = (int64_t)v;
        break;
    default:
        *(bool *)place = v != 0;
    }
}

static tg_status check_range(const tg_hyper *h, double v) {
    double below = h->type == TG_ATTR_BOOL ? 2 : h->below == 0 ? INFINITY : h->below;
    if (!(v >= h->least && v < below && !isinf(v)))
        return tg_fail(TG_ERR_ARGUMENT, "tg_hyper_set: %s is %g, outside [%g, %g)", h->name, v, h->least,
                       below);
    if (h->type != TG_ATTR_REAL && (v != floor(v) || fabs(v) > 0x1p53))
        return tg_fail(TG_ERR_ARGUMENT, "tg_hyper_set: %s is %g, which is not an integer", h->name, v);
    return TG_OK;
}

tg_status tg_hyper_set(const tg_hyper *h, void *at, double v) {
    TG_NAMED("tg_hyper_set");
    tg_status s = check_range(h, v);
    if (s == TG_OK) put(h, at, v + 0.0); /* -0 becomes 0 */
    return s;
}

tg_status tg_hyper_complete(const tg_hyper *table, int n, void *at) {
    TG_NAMED("tg_hyper_complete");
    for (int i = 0; i < n; i++) {
        double v = tg_hyper_get(&table[i], at);
        if (table[i].type == TG_ATTR_REAL) v = tg_option(v, table[i].standard);
        if (table[i].type == TG_ATTR_INT && v == 0) v = table[i].standard;
        if (tg_hyper_set(&table[i], at, v) != TG_OK) return tg_error_status();
    }
    return TG_OK;
}

void tg_hyper_print(FILE *file, const tg_hyper *h, const void *at) {
    double v = tg_hyper_get(h, at);
    if (h->type == TG_ATTR_BOOL)
        fprintf(file, "%s=%s", h->name, v != 0 ? "true" : "false");
    else
        fprintf(file, "%s=%.*g", h->name, h->type == TG_ATTR_INT ? 16 : 6, v);
}
