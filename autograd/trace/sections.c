/* What a program says beside its graph: tables of formulas with numbers, and series over layers. */
#include "autograd/trace/write.h"

#include <string.h>

/* ---- read ---- */

static tg_status bad_list(const tg_trace *t, const char *what, int n) {
    return tg_fail(TG_ERR_ARGUMENT,
                   n < 0 ? "%s: the number of %s is %d" : "%s: %s are NULL, of which there are to be %d",
                   t->who, what, n);
}

static const char *copy(tg_trace *t, const char *text) {
    return text ? tg_trace_copy(t, text, strlen(text)) : NULL;
}

static const tg_slot *read_tensor(const tg_trace *t, const tg_tensor *x, const char *what) {
    const tg_slot *s = tg_slot_of_argument(x, t->who, what, -1);
    return s ? tg_slot_with_data(x, t->who) : NULL;
}

static tg_status read_row(tg_trace *t, tg_traced_row *to, const tg_trace_row *row) {
    const tg_slot *s = read_tensor(t, row->value, "the value of a row");
    if (!s) return tg_error_status();
    *to = (tg_traced_row){
        .name = copy(t, row->name), .formula = copy(t, row->formula), .shape = tg_array_shape(&s->a)};
    to->value = tg_trace_values(t, &s->a, TG_TRACE_MINOR);
    return tg_error_status();
}

static tg_status read_seed(tg_trace *t, tg_traced_seed *to, const tg_trace_seed *seed) {
    if (seed->n < 0 || (seed->n && !seed->rows)) return bad_list(t, "rows", seed->n);
    *to = (tg_traced_seed){.title = copy(t, seed->title), .n = seed->n};
    to->row = tg_trace_room(t, (size_t)seed->n, sizeof *to->row);
    tg_status s = tg_error_status();
    for (int i = 0; s == TG_OK && i < seed->n; i++) s = read_row(t, &to->row[i], &seed->rows[i]);
    return s;
}

/* The numbers of a series, one a layer, as f64. */
static double *read_numbers(tg_trace *t, tg_traced_flow *flow, const tg_tensor *x) {
    const tg_slot *s = x ? read_tensor(t, x, "a series") : NULL;
    if (!s) return NULL;
    if (flow->layers < 0) flow->layers = s->a.numel;
    if (flow->layers != s->a.numel) {
        tg_fail(TG_ERR_ARGUMENT, "%s: series of one flow have different numbers of layers", t->who);
        return NULL;
    }
    double *v = tg_trace_room(t, (size_t)s->a.numel, sizeof *v);
    for (int64_t i = 0; v && i < s->a.numel; i++) v[i] = tg_array_get(&s->a, i);
    return v;
}

static tg_status read_flow(tg_trace *t, tg_traced_flow *to, const tg_trace_flow *flow) {
    if (flow->n < 0 || (flow->n && !flow->series)) return bad_list(t, "series", flow->n);
    *to = (tg_traced_flow){.title = copy(t, flow->title), .n = flow->n, .layers = -1};
    to->series = tg_trace_room(t, (size_t)flow->n, sizeof *to->series);
    for (int i = 0; tg_error_status() == TG_OK && i < flow->n; i++) {
        const tg_trace_series *s = &flow->series[i];
        to->series[i] =
            (tg_traced_series){.name = copy(t, s->name),
                               .line = {read_numbers(t, to, s->activation), read_numbers(t, to, s->gradient),
                                        read_numbers(t, to, s->dead)}};
    }
    return tg_error_status();
}

tg_status tg_trace_sections(tg_trace *t, const tg_trace_opts *opts) {
    if (opts->n_seeds < 0 || (opts->n_seeds && !opts->seeds)) return bad_list(t, ".seeds", opts->n_seeds);
    if (opts->n_flows < 0 || (opts->n_flows && !opts->flows)) return bad_list(t, ".flows", opts->n_flows);
    t->n_seeds = opts->n_seeds, t->n_flows = opts->n_flows;
    t->seed_table = tg_trace_room(t, (size_t)t->n_seeds, sizeof *t->seed_table);
    t->flow = tg_trace_room(t, (size_t)t->n_flows, sizeof *t->flow);
    tg_status s = tg_error_status();
    for (int i = 0; s == TG_OK && i < t->n_seeds; i++) s = read_seed(t, &t->seed_table[i], &opts->seeds[i]);
    for (int i = 0; s == TG_OK && i < t->n_flows; i++) s = read_flow(t, &t->flow[i], &opts->flows[i]);
    return s;
}

/* ---- written as JSON ---- */

static void put_row(tg_sink *o, const tg_traced_row *row) {
    tg_sink_text(o, "{\"name\":");
    tg_sink_string(o, row->name);
    tg_sink_text(o, ",\"formula\":");
    tg_sink_string(o, row->formula);
    tg_sink_text(o, ",\"shape\":[");
    for (int k = 0; k < row->shape.rank; k++)
        tg_sink_format(o, "%s%lld", k ? "," : "", (long long)row->shape.dim[k]);
    tg_sink_format(o, "],\"value\":%d}", row->value);
}

static void put_line(tg_sink *o, const char *name, const double *v, int64_t n) {
    const tg_traced_values as = {.dtype = TG_F64};
    if (!v) return;
    tg_sink_format(o, ",\"%s\":[", name);
    for (int64_t i = 0; i < n; i++) {
        if (i) tg_sink_text(o, ",");
        tg_sink_number(o, &as, v[i], true);
    }
    tg_sink_text(o, "]");
}

static void put_flow(tg_sink *o, const tg_traced_flow *f) {
    static const char *const name[] = {"activation", "gradient", "dead"};
    tg_sink_text(o, "{\"title\":");
    tg_sink_string(o, f->title);
    tg_sink_text(o, ",\"layers\":[");
    for (int64_t k = 0; k < f->layers; k++) tg_sink_format(o, "%s%lld", k ? "," : "", (long long)k + 1);
    tg_sink_text(o, "],\"series\":[");
    for (int i = 0; i < f->n; i++) {
        tg_sink_text(o, i ? ",\n{\"name\":" : "\n{\"name\":");
        tg_sink_string(o, f->series[i].name);
        for (int k = 0; k < 3; k++) put_line(o, name[k], f->series[i].line[k], f->layers);
        tg_sink_text(o, "}");
    }
    tg_sink_text(o, "]}");
}

void tg_trace_put_sections(const tg_trace *t, tg_sink *o) {
    if (t->n_seeds) tg_sink_text(o, ",\n\"seeds\":[");
    for (int i = 0; i < t->n_seeds; i++) {
        tg_sink_text(o, i ? ",\n{\"title\":" : "\n{\"title\":");
        tg_sink_string(o, t->seed_table[i].title);
        tg_sink_text(o, ",\"rows\":[");
        for (int k = 0; k < t->seed_table[i].n; k++) {
            if (k) tg_sink_text(o, ",\n");
            put_row(o, &t->seed_table[i].row[k]);
        }
        tg_sink_text(o, "]}");
    }
    if (t->n_seeds) tg_sink_text(o, "]");
    if (t->n_flows) tg_sink_text(o, ",\n\"flow\":[");
    for (int i = 0; i < t->n_flows; i++) {
        tg_sink_text(o, i ? ",\n" : "\n");
        put_flow(o, &t->flow[i]);
    }
    if (t->n_flows) tg_sink_text(o, "]");
}
