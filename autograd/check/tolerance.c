/* The comparison of torch.autograd.gradcheck: central differences of one step, within a tolerance. */
#include "autograd/check/check.h"

#include <math.h>

static void compare(tg_check *c, int k, int64_t element, double a, double n) {
    double allowed = c->opts.atol + c->opts.rtol * fabs(n);
    double ratio = !isfinite(a) || !isfinite(n) ? INFINITY : a == n ? 0 : fabs(a - n) / allowed;
    tg_gradcheck_report *r = c->r;
    r->compared++;
    if (!(a == 0 && n == 0)) c->moved[k] = true;
    if (!tg_check_is_worse(c, ratio)) return;
    r->worst = ratio;
    r->order = c->s.order;
    r->input = c->s.which[k];
    r->element = element;
    r->analytic = a;
    r->numeric = n;
}

tg_status tg_check_compare(tg_check *c) {
    for (int k = 0; k < c->s.n_which; k++)
        for (int64_t i = 0; i < c->s.was[k].numel; i++) {
            tg_subject_line line = {&c->s, k, i, NULL};
            double up = c->opts.eps, down = -up, high = tg_subject_on_line(&up, &line);
            double low = tg_error_status() == TG_OK ? tg_subject_on_line(&down, &line) : NAN;
            if (tg_error_status() != TG_OK) return tg_error_status();
            compare(c, k, i, c->s.analytic[k][i], (high - low) / (up - down));
        }
    return TG_OK;
}
