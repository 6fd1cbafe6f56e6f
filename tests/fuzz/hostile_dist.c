/* Trainings that one process shares with itself. */
#include "hostile.h"

enum { N_DISTS = 2 };
static tg_dist *dists[N_DISTS], *dead_dists[N_DISTS];

static tg_dist *bad_dist(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_dist *)draw_tg_model_p("model") : dead_dists[below(N_DISTS)];
}

tg_dist *draw_tg_dist_p(const char *name) {
    bool wrong = bad();
    tg_dist *d = wrong ? bad_dist() : dists[below(N_DISTS)];
    note(" %s=%s", name, !d ? "NULL" : wrong ? "no dist" : "a dist");
    return d;
}

/* One that has nobody to talk to; NULL where there is none, or an error is pending. */
tg_transport *draw_tg_transport_p(const char *name) {
    tg_transport *end[1] = {NULL};
    note(" %s", name);
    return tg_error_status() == TG_OK && tg_transport_pairs(1, end) ? end[0] : NULL;
}

static void free_dist(int i) {
    tg_dist *d = dists[i];
    dists[i] = NULL;
    if (!d) return;
    tg_dist_end(d);
    dead_dists[below(N_DISTS)] = d;
}

void free_dists(void) {
    for (int i = 0; i < N_DISTS; i++) free_dist(i);
}

void end_tg_dist_stats(tg_dist_stats s) {
    if (s.hidden < 0 || s.hidden > 1) finding("hidden is %g", s.hidden);
    end_void();
}

/* The transport goes with it, also where it is refused. */
void own_tg_dist_begin_with(void) {
    tg_model *m = draw_tg_model_p("model");
    tg_dist_begin_opts o = {.thread = one_in(2)};
    if (bad()) o.shards = draw_int64_t("shards");
    if (bad()) o.bucket = draw_int64_t("bucket");
    if (bad()) o.timeout = draw_double("timeout");
    if (bad()) o.delay = draw_double("delay");
    if (bad()) o.rate = draw_double("rate");
    o.transport = draw_tg_transport_p("transport");
    call_begin();
    if (!o.transport) { /* not MPI */
        end_void();
        return;
    }
    tg_dist *d = tg_dist_begin_with(m, o);
    end_bool_failed(!d, d ? "a dist" : "NULL");
    if (!d) return;
    const int i = (int)below(N_DISTS);
    free_dist(i);
    dists[i] = d;
}

void own_tg_dist_end(void) {
    const bool wrong = bad();
    const int i = (int)below(N_DISTS);
    call_begin();
    tg_dist *d = wrong ? bad_dist() : dists[i];
    if (!wrong) dists[i] = NULL;
    end_tg_status(tg_dist_end(d));
    if (!wrong && d) dead_dists[below(N_DISTS)] = d;
}

void own_tg_dist_sum(void) {
    double value[3] = {1, 2, 3};
    tg_dist *d = draw_tg_dist_p("d");
    const int n = bad() ? -(int)below(3) : 1 + (int)below(3);
    double *at = bad() ? NULL : value;
    note(" n=%d value=%p", n, (void *)at);
    call_begin();
    end_tg_status(tg_dist_sum(d, n, at));
}
