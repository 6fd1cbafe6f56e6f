/* The tree over shards: whoever adds what, it is the same additions. */
#include "tests/ops/nn/helpers.h"

#include "ops/nn/dist/dist_private.h"

/* A sum of shards as text, "((0+1)+2)", by the definition. */
static void define(int from, int to, char *out) {
    if (to - from == 1) {
        sprintf(out + strlen(out), "%d", from);
        return;
    }
    const int middle = from + (to - from + 1) / 2;
    strcat(out, "(");
    define(from, middle, out);
    strcat(out, "+");
    define(middle, to, out);
    strcat(out, ")");
}

enum { MOST = 24, TEXT = 600 };

/* What is left of the texts that are given in order. */
static int add_texts(const tg_adder *a, char given[][TEXT], char left[][TEXT]) {
    int n = 0;
    for (int i = 0; i < a->n; i++) {
        strcpy(left[n++], given[i]);
        for (int m = 0; m < a->merges[i]; m++, n--) {
            char sum[2 * TEXT + 8];
            snprintf(sum, sizeof sum, "(%s+%s)", left[n - 2], left[n - 1]);
            ck_assert_uint_lt(strlen(sum), TEXT);
            strcpy(left[n - 2], sum);
        }
    }
    return n;
}

START_TEST(all_ranks_add_the_same_tree) {
    static char shard[MOST][TEXT], left[MOST + 1][TEXT], all[MOST][TEXT], sum[MOST + 1][TEXT];
    for (int s = 1; s <= MOST; s++) {
        char want[TEXT] = "";
        define(0, s, want);
        for (int r = 1; r <= s; r++) {
            tg_adder rank[MOST] = {{0}}, whole = {0};
            int n = 0;
            for (int k = 0; k < r; k++) {
                const int from = tg_shard_of(s, r, k), to = tg_shard_of(s, r, k + 1);
                ck_assert_int_lt(from, to);
                ck_assert_int_eq(tg_adder_of_shards(&rank[k], s, from, to), TG_OK);
                for (int i = from; i < to; i++) sprintf(shard[i - from], "%d", i);
                ck_assert_int_eq(add_texts(&rank[k], shard, left), rank[k].left);
                /* No more than two a level, as the header says. */
                int levels = 0;
                while (1 << levels < to - from) levels++;
                ck_assert_int_le(rank[k].left, levels > 1 ? 2 * levels : 2);
                for (int i = 0; i < rank[k].left; i++) strcpy(all[n++], left[i]);
            }
            ck_assert_int_eq(tg_adder_of_ranks(&whole, s, r, rank), TG_OK);
            ck_assert_int_eq(whole.n, n);
            ck_assert_int_eq(add_texts(&whole, all, sum), 1);
            ck_assert_str_eq(sum[0], want);
            for (int k = 0; k < r; k++) tg_adder_free(&rank[k]);
            tg_adder_free(&whole);
        }
    }
}
END_TEST

/* With as many shards a rank as a power of two, a rank sends one sum. */
START_TEST(aligned_ranks_send_one_sum) {
    for (int s = 1; s <= 64; s *= 2)
        for (int r = 1; r <= s; r *= 2) {
            tg_adder a = {0};
            ck_assert_int_eq(tg_adder_of_shards(&a, s, 0, s / r), TG_OK);
            ck_assert_int_eq(a.left, 1);
            tg_adder_free(&a);
        }
}
END_TEST

TCase *tcase_dist_tree(void);
TCase *tcase_dist_tree(void) {
    TCase *t = tcase_create("dist_tree");
    tcase_set_timeout(t, 60);
    tcase_add_test(t, all_ranks_add_the_same_tree);
    tcase_add_test(t, aligned_ranks_send_one_sum);
    return t;
}
