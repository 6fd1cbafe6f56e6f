/* Einstein summation. It is a composition, so that its gradients are those of its ops. */
#include "ops/products/equation.h"

typedef struct term {
    tg_tensor *t;
    bool ours; /* t is an intermediate, whose elements are dropped when another takes its place */
    letters l;
} term;

static void become(term *x, tg_tensor *t) {
    if (x->ours) tg_drop_elements(x->t);
    x->t = t, x->ours = true;
}

/* Takes the next operand: its diagonal where a letter stands twice, without axes of size 1 that broadcast. */
static term next_operand(plan *p, tg_tensor *x) {
    term o = {.t = x, .l = tg_next_subscript(p, x)};
    for (int j = 0; j < o.l.n; j++) {
        int letter = o.l.at[j], i = find(&o.l, letter);
        if (i == j) continue;
        become(&o, tg_diagonal(o.t, 0, i, j));
        take_out(&o.l, j), take_out(&o.l, i), push(&o.l, letter);
        j = -1;
    }
    for (int i = o.l.n - 1; i >= 0; i--) {
        if (p->size[o.l.at[i]] == 1 || tg_size(o.t, i) != 1) continue;
        become(&o, tg_squeeze(o.t, i));
        take_out(&o.l, i);
    }
    return o;
}

/* Sums over the letters that neither `other`, nor what comes after operand k, has. */
static void sum_out(term *x, const letters *other, const plan *p, int k) {
    tg_shape axes = {0};
    letters kept = {0};
    for (int i = 0; i < x->l.n; i++) {
        int letter = x->l.at[i];
        if (has(other, letter) || p->last[letter] > k)
            push(&kept, letter);
        else
            axes.dim[axes.rank++] = i;
    }
    if (axes.rank == 0) return;
    become(x, tg_sum_with(x->t, (tg_reduce_opts){.axes = axes}));
    x->l = kept;
}

static letters joined(const letters *a, const letters *b, const letters *c) {
    letters l = *a;
    for (int i = 0; i < b->n; i++) push(&l, b->at[i]);
    for (int i = 0; i < c->n; i++) push(&l, c->at[i]);
    return l;
}

/* Permutes the axes into this order of their letters. */
static void arrange(term *x, const letters *order) {
    tg_shape axes = {order->n, {0}};
    bool same = true;
    for (int i = 0; i < order->n; i++) {
        axes.dim[i] = find(&x->l, order->at[i]);
        same = same && axes.dim[i] == i;
    }
    if (!same) become(x, tg_permute_with(x->t, axes));
    x->l = *order;
}

static void shaped(term *x, tg_shape shape) {
    if (!tg_shape_equal(tg_shape_of(x->t), shape)) become(x, tg_reshape_with(x->t, shape));
}

static tg_shape sizes(const plan *p, const letters *l) {
    tg_shape s = {l->n, {0}};
    for (int i = 0; i < l->n; i++) s.dim[i] = p->size[l->at[i]];
    return s;
}

/* [batch.., rows, columns], where rows and columns are one axis each, and so is a batch of too many axes. */
static tg_shape matrices(const plan *p, const letters *batch, const letters *rows, const letters *columns) {
    tg_shape s = sizes(p, batch);
    if (s.rank + 2 > TG_MAX_RANK) s = TG_SHAPE(tg_shape_numel(s));
    s.dim[s.rank++] = tg_shape_numel(sizes(p, rows));
    s.dim[s.rank++] = tg_shape_numel(sizes(p, columns));
    return s;
}

/* a = a b, summed over the letters of both that nothing after operand k has. */
static bool multiply(term *a, term *b, const plan *p, int k) {
    letters both = {0}, summed = {0}, left = {0}, right = {0};
    for (int i = 0; i < a->l.n; i++) {
        int letter = a->l.at[i];
        push(!has(&b->l, letter) ? &left : p->last[letter] > k ? &both : &summed, letter);
    }
    for (int i = 0; i < b->l.n; i++)
        if (!has(&a->l, b->l.at[i])) push(&right, b->l.at[i]);
    int axes = both.n + left.n + right.n;
    if (axes > TG_MAX_RANK)
        return FAIL(p, TG_ERR_SHAPE, "the product has %d axes after operand %d, more than %d", axes, k,
                    TG_MAX_RANK);
    letters rows = joined(&both, &left, &summed), columns = joined(&both, &summed, &right);
    letters out = joined(&both, &left, &right);
    arrange(a, &rows), arrange(b, &columns);
    if (summed.n) {
        shaped(a, matrices(p, &both, &left, &summed)), shaped(b, matrices(p, &both, &summed, &right));
        become(a, tg_matmul(a->t, b->t));
        shaped(a, sizes(p, &out));
    } else {
        tg_shape one = sizes(p, &out), other = one;
        for (int i = both.n; i < out.n; i++) (i < both.n + left.n ? &other : &one)->dim[i] = 1;
        shaped(a, one), shaped(b, other);
        become(a, tg_mul(a->t, b->t));
    }
    if (b->ours) tg_drop_elements(b->t);
    a->l = out;
    return true;
}

tg_tensor *tg_einsum_with(const char *equation, int n, tg_tensor *const *x) {
    TG_COMPOSED("einsum");
    plan p = {.equation = equation};
    if (!equation || n < 1 || !x) {
        tg_fail(TG_ERR_ARGUMENT, "einsum: needs an equation and at least one operand");
        return tg_poison();
    }
    if (!tg_read_equation(&p, n, x)) return tg_poison();
    term out = next_operand(&p, x[0]);
    sum_out(&out, &(letters){0}, &p, 0);
    for (int k = 1; k < n; k++) {
        term b = next_operand(&p, x[k]);
        sum_out(&b, &out.l, &p, k), sum_out(&out, &b.l, &p, k);
        if (!multiply(&out, &b, &p, k)) return tg_poison();
    }
    arrange(&out, &p.out);
    return out.ours ? out.t : tg_reshape_with(out.t, tg_shape_of(out.t));
}
