/* The tree over shards, and who adds what to what.
 *
 * Node (a, b) has the children (a, m) and (m, b), m = a + ceil((b - a) / 2); (0, S) is the root. Subtrees that are given in
 * order are added as soon as two that stand side by side are the children of one node. So one adds up as much as can be added
 * without the others, and never anything else. */
#include "ops/nn/dist/dist_private.h"

#include <string.h>

static int middle(int a, int b) { return a + (b - a + 1) / 2; }

/* Whether (a, m) and (m, b) are the children of a node. */
static bool are_siblings(int shards, int a, int m, int b) {
    int from = 0, to = shards;
    while (from < a || to > b) {
        if (to - from < 2) return false;
        const int k = middle(from, to);
        if (b <= k)
            to = k;
        else if (a >= k)
            from = k;
        else
            return false;
    }
    return from == a && to == b && to - from > 1 && middle(from, to) == m;
}

static tg_status make(tg_adder *a, int n) {
    a->n = n;
    a->bytes = (size_t)n * (2 * sizeof *a->part + sizeof *a->merges);
    a->part = tg_alloc(a->bytes);
    if (!a->part)
        return tg_fail(TG_ERR_MEMORY, "tg_dist_begin: there is no memory for a tree of %d shards", n);
    a->sum = a->part + n;
    a->merges = (int *)(void *)(a->sum + n);
    return TG_OK;
}

void tg_adder_free(tg_adder *a) {
    tg_dealloc(a->part, a->bytes);
    *a = (tg_adder){0};
}

/* Finds out what is added, from a->part. */
static void plan(tg_adder *a, int shards) {
    for (int i = 0; i < a->n; i++) {
        a->sum[a->left++] = a->part[i];
        for (a->merges[i] = 0; a->left > 1; a->merges[i]++, a->left--) {
            tg_shard_range *l = &a->sum[a->left - 2];
            if (!are_siblings(shards, l->from, l->to, l[1].to)) break;
            l->to = l[1].to;
        }
        if (a->left > a->deep) a->deep = a->left;
    }
}

tg_status tg_adder_of_shards(tg_adder *a, int shards, int from, int to) {
    if (make(a, to - from) != TG_OK) return tg_error_status();
    for (int i = 0; i < a->n; i++) a->part[i] = (tg_shard_range){from + i, from + i + 1};
    plan(a, shards);
    return TG_OK;
}

tg_status tg_adder_of_ranks(tg_adder *a, int shards, int ranks, const tg_adder *rank) {
    int n = 0;
    for (int r = 0; r < ranks; r++) n += rank[r].left;
    if (make(a, n) != TG_OK) return tg_error_status();
    for (int r = 0, at = 0; r < ranks; at += rank[r++].left)
        memcpy(a->part + at, rank[r].sum, (size_t)rank[r].left * sizeof *a->part);
    plan(a, shards);
    return TG_OK;
}
