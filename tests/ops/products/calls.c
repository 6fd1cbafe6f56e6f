/* Calls of the products: matmul, linear, the products of fixed ranks, and einsum, whose equation is a number here. */
#include "tests/ops/harness.h"

#include <string.h>

#pragma GCC diagnostic ignored "-Wmissing-field-initializers"

#define CALL(name, expression) \
    static tg_tensor *call_##name(tg_tensor *const *in, const arguments *a) { \
        (void)a; \
        return expression; \
    }

/* An input that an option may leave out, but a row does not: NULL is refused as for the others. */
static tg_tensor *given(tg_tensor *t) {
    if (!t) tg_fail(TG_ERR_ARGUMENT, "linear: an input of the row is missing");
    return t ? t : tg_poison();
}

CALL(matmul, tg_matmul(in[0], in[1]))
CALL(linear, tg_linear(in[0], in[1]))
CALL(linear_bias, tg_linear(in[0], in[1], .bias = given(in[2])))
CALL(dot, tg_dot(in[0], in[1]))
CALL(outer, tg_outer(in[0], in[1]))
CALL(bmm, tg_bmm(in[0], in[1]))
CALL(addmm, tg_addmm(in[0], in[1], in[2], a->v[0], a->v[1])) /* beta, alpha */

static tg_tensor *call_broadcast_to(tg_tensor *const *in, const arguments *a) {
    tg_shape shape = {a->n, {0}};
    for (int i = 0; i < a->n; i++) shape.dim[i] = (int64_t)a->v[i];
    return tg_broadcast_to_with(in[0], shape);
}

/* The same list stands in tests/golden/cases_products.py. */
static const char *const equations[] = {
    "ij,jk->ik",          /* 0 */
    "bij,bjk->bik",       /* 1 */
    "bij,bkj->bik",       /* 2 */
    "ij,kj",              /* 3: ik, in alphabetical order */
    "i,i->",              /* 4 */
    "i,j->ij",            /* 5 */
    "ij,ij->ij",          /* 6 */
    "ij,ij->ji",          /* 7 */
    "ij->ji",             /* 8 */
    "ij->",               /* 9 */
    "ij->i",              /* 10 */
    "ii->",               /* 11: the trace */
    "ii->i",              /* 12 */
    "iji->j",             /* 13 */
    "...ij,...jk->...ik", /* 14 */
    "...ij,...jk",        /* 15 */
    "i...->...i",         /* 16 */
    "...ij->ij",          /* 17: sums over the axes of "..." */
    "ba",                 /* 18: transposed, since the output is ab */
    "aB",                 /* 19: Ba, capitals first */
    " i j , j k -> k ",   /* 20 */
    "ij,jk,kl->il",       /* 21 */
    "bi,bj,bk->bijk",     /* 22 */
    "ij,kl->jl",          /* 23: i and k are summed first */
    "bn,anm,bm->ba",      /* 24: torch.nn.functional.bilinear */
    "bqhd,bkhd->bhqk",    /* 25 */
    "ii,ij,jj->i",        /* 26 */
    "ij,ij->",            /* 27 */
    "...,...",            /* 28 */
    ",ij->ij",            /* 29 */
    "ij,j->i",            /* 30 */
    "abcd,cd->abcd",      /* 31 */
    "a,b,c,a->bc",        /* 32 */
    "abcdefg,abcdefg->abcdefg", /* 33 */
    "abcdefgh,abcdefgi->abcdefg", /* 34: seven batch axes */
    "i...i->...i",        /* 35 */
    "ij->ij",             /* 36 */
    /* what is wrong with each stands in products/errors.c */
    "ij,jk->im",          /* 37 */
    "ij,jk->ii",          /* 38 */
    "i1,jk",              /* 39 */
    "ij",                 /* 40 */
    "ij,jk,kl",           /* 41 */
    "ij,jk-ik",           /* 42 */
    "ij,jk->ik,l",        /* 43 */
    "ij..,jk",            /* 44 */
    "...i...j,jk",        /* 45 */
    "ijk,jk",             /* 46 */
    "i,jk",               /* 47 */
    "abcd,efgh,i->abcdefghi", /* 48 */
    "abcd,efgh,i",        /* 49 */
    "i...,abcd,efg->iabcdefg...", /* 50 */
    "abcdefghi,j",        /* 51 */
    "ij,jk->ik->",        /* 52 */
    "abcd,efgh,ijkl,klij->abcdefgh", /* 53 */
};

static tg_tensor *einsum(int n, tg_tensor *const *in, const arguments *a) {
    return tg_einsum_with(equations[(int)a->v[0]], n, in);
}

CALL(einsum1, einsum(1, in, a))
CALL(einsum2, einsum(2, in, a))
CALL(einsum3, einsum(3, in, a))
CALL(einsum4, einsum(4, in, a))
CALL(einsum_same, einsum(4, ((tg_tensor *[]){in[0], in[0], in[0], in[0]}), a)) /* one tensor four times */

#define MADE_OF(name, op) \
    { #name, #op, call_##name, .composed = true }
static const call calls[] = {
    {"matmul", "matmul", call_matmul},
    {"linear", "linear", call_linear},
    {"linear_bias", "linear", call_linear_bias},
    {"broadcast_to", "expand", call_broadcast_to},
    MADE_OF(dot, matmul),
    MADE_OF(outer, mul),
    MADE_OF(bmm, matmul),
    MADE_OF(addmm, matmul),
    MADE_OF(einsum1, sum),
    MADE_OF(einsum2, matmul),
    MADE_OF(einsum3, matmul),
    MADE_OF(einsum4, mul),
    MADE_OF(einsum_same, matmul),
};

extern const call_table calls_products;
const call_table calls_products = {calls, COUNT(calls)};
