/* The messages of a step: sums of this rank's shards to those who add them up, and the sums of all back.
 *
 * A bucket's transfers are, in this order: the messages for this rank's chunk, one a subtree of each other rank; the sums of
 * the other chunks; what is sent of this rank's subtrees, k of them to each other rank; and its own chunk's sum to each. */
#include "ops/nn/dist/dist_private.h"

#include <string.h>

enum { FIRST_TAG = 16, BLOCK = 2048 };

static int buckets_tag(const tg_dist_object *d, int bucket, int piece) {
    return FIRST_TAG + bucket * (d->most + 1) + (piece < 0 ? d->most : piece);
}

static tg_transfer *transfer_of(const tg_dist_object *d, int bucket, int i) {
    return &d->transfer[bucket * d->transfers + i];
}

/* How many messages come for this rank's chunk. */
static int incoming(const tg_dist_object *d) { return d->all.n - d->adder[d->rank].left; }

/* Messages i of those, of rank *from and its subtree *piece. */
static void sender_of(const tg_dist_object *d, int i, int *from, int *piece) {
    for (*from = 0;; ++*from) {
        if (*from == d->rank) continue;
        if (i < d->adder[*from].left) break;
        i -= d->adder[*from].left;
    }
    *piece = i;
}

static int other(const tg_dist_object *d, int i) { return i < d->rank ? i : i + 1; }

/* ---- the beginning ---- */

static bool ask(tg_dist_object *d, int bucket, int i, int peer, int piece, char *to, size_t bytes) {
    tg_transfer *x = transfer_of(d, bucket, i);
    *x = (tg_transfer){.data = to, .bytes = bytes, .peer = peer, .tag = buckets_tag(d, bucket, piece)};
    d->taken[bucket * d->transfers + i] = false;
    return d->t->receive(d->t, x) || tg_dist_lost(d, peer);
}

static bool begin_bucket(tg_dist_object *d, int k) {
    tg_bucket *b = &d->bucket[k];
    b->left = k ? b->entries : 1;
    b->to_add = incoming(d), b->to_gather = d->size - 1;
    b->sent = b->summed = b->done = false;
    int piece, from;
    for (int i = 0; i < b->to_add; i++) {
        sender_of(d, i, &from, &piece);
        if (!ask(d, k, i, from, piece, d->in + b->in + (size_t)i * b->stride, tg_bucket_bytes(d, b, d->rank)))
            return false;
    }
    for (int i = 0; i < b->to_gather; i++) {
        from = other(d, i);
        if (!ask(d, k, b->to_add + i, from, -1, tg_bucket_chunk(d, b, -1, from), tg_bucket_bytes(d, b, from)))
            return false;
    }
    for (int i = b->to_add + b->to_gather; i < d->transfers; i++) transfer_of(d, k, i)->done = true;
    return true;
}

bool tg_exchange_begin(tg_dist_object *d) {
    d->depth = 0;
    d->under_way = 0;
    for (int i = 0; i < d->parameters; i++) d->entry[i].any = false;
    for (int k = 0; k < d->buckets; k++)
        if (!begin_bucket(d, k)) return false;
    return true;
}

void tg_exchange_shard(tg_dist_object *d) {
    d->depth += 1 - d->adder[d->rank].merges[d->shard - d->from];
    for (int i = 0; i < d->parameters; i++) d->entry[i].added = false;
}

/* ---- what is sent ---- */

static unsigned char *marks_of(char *message) { return (unsigned char *)message + sizeof(tg_dist_header); }

static void put_marks(const tg_dist_object *d, const tg_bucket *b, char *message) {
    unsigned char *mark = marks_of(message);
    memset(mark, 0, b->head - sizeof(tg_dist_header));
    for (int i = 0; i < b->entries; i++)
        if (d->entry[b->first + i].any) mark[i / 8] = (unsigned char)(mark[i / 8] | 1u << i % 8);
}

static bool send_chunk(tg_dist_object *d, tg_bucket *b, int i, int to, int piece, char *message, size_t bytes) {
    const int k = (int)(b - d->bucket);
    tg_transfer *x = transfer_of(d, k, i);
    *x = (tg_transfer){.data = message, .bytes = bytes, .peer = to, .tag = buckets_tag(d, k, piece)};
    d->stats.bytes += (double)bytes, d->stats.messages++;
    return tg_dist_send(
        d, x,
        (tg_dist_header){.step = d->step, .hash = d->mixed, .state = d->state, .bucket = k, .piece = piece});
}

/* To the next rank first, so that not all begin with the same one. */
bool tg_exchange_send(tg_dist_object *d, tg_bucket *b) {
    int at = incoming(d) + d->size - 1;
    b->sent = true;
    if (d->size == 1) return b->summed = b->done = true;
    if (d->under_way++ == 0) {
        d->began = tg_dist_now();
        (void)pthread_cond_signal(&d->sent);
    }
    for (int i = 1; i < d->size; i++) {
        const int to = (d->rank + i) % d->size;
        for (int k = 0; k < d->adder[d->rank].left; k++) {
            char *message = tg_bucket_chunk(d, b, k, to);
            put_marks(d, b, message);
            if (!send_chunk(d, b, at++, to, k, message, tg_bucket_bytes(d, b, to))) return false;
        }
    }
    return true;
}

/* ---- what comes ---- */

/* The elements of all subtrees of this rank's chunk, in the order of the tree. */
static void find_parts(const tg_dist_object *d, const tg_bucket *b, char **part) {
    const char *in = d->in + b->in;
    for (int r = 0; r < d->size; r++)
        for (int k = 0; k < d->adder[r].left; k++) {
            char *at = r == d->rank ? tg_bucket_chunk(d, b, k, r) : (char *)in;
            if (r != d->rank) in += b->stride;
            *part++ = at + b->head;
        }
}

/* Adds `n` elements at most, from byte `at` of each part on; the last addition gives the result. */
static void add_block(const tg_dist_object *d, const tg_bucket *b, size_t at, int64_t n) {
    char *out = tg_bucket_chunk(d, b, -1, d->rank) + b->head + at;
    char *there[64]; /* the tree is no deeper, and so many at most wait for what stands beside them */
    int top = 0;
    for (int i = 0; i < d->all.n; i++) {
        there[top++] = d->stack[i] + at;
        for (int m = 0; m < d->all.merges[i]; m++, top--) {
            const bool last = i == d->all.n - 1 && m == d->all.merges[i] - 1;
            tg_dist_add(b->dtype, n, last ? out : there[top - 2], there[top - 2], there[top - 1]);
        }
    }
}

static bool add_up(tg_dist_object *d, tg_bucket *b) {
    const int64_t n = tg_bucket_chunk_size(d, b, d->rank);
    const size_t size = tg_dtype_size(b->dtype), bytes = tg_bucket_bytes(d, b, d->rank);
    char *message = tg_bucket_chunk(d, b, -1, d->rank);
    int at = incoming(d) + (d->size - 1) * (1 + d->adder[d->rank].left);
    find_parts(d, b, d->stack);
    for (int64_t i = 0; i < n; i += BLOCK) add_block(d, b, (size_t)i * size, n - i < BLOCK ? n - i : BLOCK);
    b->summed = true;
    put_marks(d, b, message);
    for (int i = 1; i < d->size; i++)
        if (!send_chunk(d, b, at++, (d->rank + i) % d->size, -1, message, bytes)) return false;
    return true;
}

static void take_marks(const tg_dist_object *d, const tg_bucket *b, char *message) {
    const unsigned char *mark = marks_of(message);
    for (int i = 0; i < b->entries; i++)
        if (mark[i / 8] >> i % 8 & 1) d->entry[b->first + i].any = true;
}

/* Takes what has come of transfers [from, to) of a bucket; *left counts the others. */
static bool take(tg_dist_object *d, tg_bucket *b, int from, int to, int *left) {
    const int k = (int)(b - d->bucket);
    for (int i = from; i < to; i++) {
        const tg_transfer *x = transfer_of(d, k, i);
        bool *taken = &d->taken[k * d->transfers + i];
        if (*taken || !x->done) continue;
        int piece = -1, rank = x->peer;
        if (from == 0) sender_of(d, i, &rank, &piece);
        const tg_arrival a = tg_dist_look(
            d, x,
            (tg_dist_header){
                .step = d->step, .hash = d->mixed, .state = d->state, .bucket = k, .from = rank, .piece = piece});
        if (a == TG_UNFIT) return false;
        if (a == TG_NOT_DUE) continue;
        take_marks(d, b, x->data);
        *taken = true;
        --*left;
    }
    return true;
}

static bool advance(tg_dist_object *d, tg_bucket *b) {
    const int n = incoming(d);
    if (b->to_add > 0 && !take(d, b, 0, n, &b->to_add)) return false;
    if (b->to_add == 0 && b->sent && !b->summed && !add_up(d, b)) return false;
    if (b->to_gather > 0 && !take(d, b, n, n + d->size - 1, &b->to_gather)) return false;
    if (!b->summed || b->to_gather > 0) return true;
    b->done = true;
    if (--d->under_way == 0) d->stats.under_way += tg_dist_now() - d->began;
    return true;
}

bool tg_exchange_advance(tg_dist_object *d) {
    for (int k = 0; k < d->buckets; k++)
        if (!d->bucket[k].done && !advance(d, &d->bucket[k])) return false;
    return true;
}

/* ---- the end ---- */

static bool is_finished(tg_dist_object *d, void *at) {
    (void)at;
    for (int k = 0; k < d->buckets; k++) {
        if (!d->bucket[k].done) return false;
        for (int i = 0; i < d->transfers; i++)
            if (!transfer_of(d, k, i)->done) return false;
    }
    return true;
}

bool tg_exchange_finish(tg_dist_object *d) {
    const double start = tg_dist_now();
    const bool well = tg_dist_wait(d, is_finished, NULL);
    d->stats.waited += tg_dist_now() - start;
    return well;
}

/* The rank that a message of the bucket is to come from, or go to; -1: none is left. */
static int missing(const tg_dist_object *d, int k) {
    for (int i = 0; i < d->transfers; i++) {
        const bool comes = i < incoming(d) + d->size - 1;
        if (comes ? !d->taken[k * d->transfers + i] : !transfer_of(d, k, i)->done)
            return transfer_of(d, k, i)->peer;
    }
    return -1;
}

/* A parameter, where there is one: bucket 0 comes last. */
int tg_exchange_missing(const tg_dist_object *d, const char **name) {
    *name = NULL;
    for (int i = 1; i <= d->buckets; i++) {
        const int k = i % d->buckets, peer = missing(d, k);
        if (peer < 0) continue;
        *name = k ? d->entry[d->bucket[k].first].name : NULL;
        return peer;
    }
    return -1;
}
