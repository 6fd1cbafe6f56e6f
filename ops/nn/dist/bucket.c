/* Where gradients lie: layers of sums, results, and messages that come.
 *
 * A bucket has n elements of one dtype, cut in one chunk a rank, each with room for a header before it, so that a chunk is sent
 * from where it lies. A layer has all buckets, one behind the other; layer k has the k-th of the subtrees that are there
 * (tree.c). With several processes the results are a layer of their own, with one they are layer 0. */
#include "ops/nn/dist/dist_private.h"

#include <string.h>

static size_t up(size_t n, size_t to) { return (n + to - 1) / to * to; }

char *tg_bucket_chunk(const tg_dist_object *d, const tg_bucket *b, int layer, int rank) {
    char *base = layer < 0 ? d->result : d->memory + (size_t)layer * d->layer_bytes;
    return base + b->at + (size_t)rank * b->stride;
}

int64_t tg_bucket_chunk_size(const tg_dist_object *d, const tg_bucket *b, int rank) {
    (void)d;
    const int64_t rest = b->n - rank * b->chunk;
    return rest < 0 ? 0 : rest < b->chunk ? rest : b->chunk;
}

size_t tg_bucket_bytes(const tg_dist_object *d, const tg_bucket *b, int rank) {
    return b->head + (size_t)tg_bucket_chunk_size(d, b, rank) * tg_dtype_size(b->dtype);
}

/* ---- sums ---- */

#define ADD(T) \
    do { \
        T *t = to; \
        const T *p = x, *q = y; \
        if (p && q) \
            for (int64_t i = 0; i < n; i++) t[i] = p[i] + q[i]; \
        else if (p || q) \
            for (int64_t i = 0; i < n; i++) t[i] = (p ? p : q)[i]; \
        else \
            for (int64_t i = 0; i < n; i++) t[i] = 0; \
    } while (0)

void tg_dist_add(tg_dtype dtype, int64_t n, void *to, const void *x, const void *y) {
    if (dtype == TG_F64)
        ADD(double);
    else
        ADD(float);
}

/* to += x + y, where what is missing is 0. */
#define ADD_TO(T) \
    do { \
        T *t = to; \
        const T *p = x, *q = y; \
        if (p && q) \
            for (int64_t i = 0; i < n; i++) t[i] = t[i] + (p[i] + q[i]); \
        else if (p || q) \
            for (int64_t i = 0; i < n; i++) t[i] = t[i] + (p ? p : q)[i]; \
        else \
            for (int64_t i = 0; i < n; i++) t[i] = t[i] + 0; \
    } while (0)

static void add_to(tg_dtype dtype, int64_t n, void *to, const void *x, const void *y) {
    if (dtype == TG_F64)
        ADD_TO(double);
    else
        ADD_TO(float);
}

/* One run without a gap, the same in each layer. The shard's own gradient is nowhere put down where it is added at once. */
static void add_run(tg_dist_object *d, size_t offset, tg_dtype dtype, int64_t n, const void *a, const void *b) {
    const int merges = d->adder[d->rank].merges[d->shard - d->from], at = d->depth - 1;
    char *layer = d->memory + offset + (size_t)at * d->layer_bytes;
    if (merges == 0) {
        tg_dist_add(dtype, n, layer, a, b);
        return;
    }
    layer += (size_t)(merges - 1) * d->layer_bytes;
    add_to(dtype, n, layer, a, b);
    for (int k = 1; k < merges; k++, layer -= d->layer_bytes)
        add_to(dtype, n, layer - d->layer_bytes, layer, NULL);
}

void tg_bucket_add(tg_dist_object *d, const tg_bucket *b, int64_t at, int64_t n, const void *x0,
                   const void *y0) {
    const size_t size = tg_dtype_size(b->dtype);
    const char *x = x0, *y = y0;
    while (n > 0) {
        const int64_t rank = at / b->chunk, in = at % b->chunk;
        const int64_t run = n < b->chunk - in ? n : b->chunk - in;
        add_run(d, b->at + (size_t)rank * b->stride + b->head + (size_t)in * size, b->dtype, run, x, y);
        at += run, n -= run;
        if (x) x += (size_t)run * size;
        if (y) y += (size_t)run * size;
    }
}

void tg_bucket_copy_out(const tg_dist_object *d, const tg_bucket *b, int64_t at, int64_t n, void *to) {
    const size_t size = tg_dtype_size(b->dtype);
    for (char *out = to; n > 0;) {
        const int64_t rank = at / b->chunk, in = at % b->chunk;
        const int64_t run = n < b->chunk - in ? n : b->chunk - in;
        memcpy(out, tg_bucket_chunk(d, b, -1, (int)rank) + b->head + (size_t)in * size, (size_t)run * size);
        at += run, n -= run, out += (size_t)run * size;
    }
}

/* ---- layout ---- */

static void shape_bucket(const tg_dist_object *d, tg_bucket *b) {
    b->chunk = (int64_t)up((size_t)(b->n + d->size - 1) / (size_t)d->size, 16);
    if (b->chunk == 0) b->chunk = 16;
    b->head = sizeof(tg_dist_header) + up(((size_t)b->entries + 7) / 8, 64);
    b->stride = up(b->head + (size_t)b->chunk * tg_dtype_size(b->dtype), 64);
}

/* Puts the parameters in buckets, in their order; one of each dtype is open at a time. A parameter that would make it too large
 * begins another, so that those before a large one do not wait for it. With `d->bucket` NULL they are only
 * counted. */
static int fill_buckets(tg_dist_object *d) {
    int buckets = 1, open[2] = {-1, -1};
    int64_t bytes[2] = {0, 0};
    for (int k = 0; k < d->parameters; k++) {
        tg_tensor *p = d->ear[d->order[k]].param;
        const tg_dtype dtype = tg_dtype_of(p);
        const int which = dtype == TG_F64;
        const int64_t size = tg_numel(p) * (int64_t)tg_dtype_size(dtype);
        if (open[which] < 0 || bytes[which] > d->o.bucket - size) open[which] = buckets++, bytes[which] = 0;
        bytes[which] += size;
        if (!d->bucket) continue;
        tg_bucket *b = &d->bucket[open[which]];
        b->dtype = dtype;
        d->entry[d->order[k]] = (tg_dist_entry){
            .param = p, .name = tg_name(p), .at = b->n, .n = tg_numel(p), .bucket = open[which]};
        b->entries++, b->n += tg_numel(p);
    }
    return buckets;
}

/* Entries by bucket, each bucket's in the order of the walk. So far they are by number. */
static void sort_entries(tg_dist_object *d, tg_dist_entry *spare) {
    int next = 0;
    memcpy(spare, d->entry, (size_t)d->parameters * sizeof *spare);
    for (int b = 1; b < d->buckets; b++) {
        d->bucket[b].first = next;
        for (int k = 0; k < d->parameters; k++) {
            if (spare[d->order[k]].bucket != b) continue;
            d->place[d->order[k]] = next;
            d->entry[next++] = spare[d->order[k]];
        }
    }
}

/* A table of n elements out of the one block; the first pass, with `base` NULL, counts. */
static void *table(char *base, size_t *used, size_t n, size_t size) {
    void *t = base ? base + *used : NULL;
    *used += up(n * size, 64);
    return t;
}

static size_t place_tables(tg_dist_object *d, char *base, int buckets) {
    const size_t p = (size_t)d->parameters, b = (size_t)buckets;
    size_t used = 0;
    d->transfers = (d->size - 1) * (2 + d->adder[d->rank].left) + d->all.n - d->adder[d->rank].left;
    d->entry = table(base, &used, p, sizeof *d->entry);
    d->place = table(base, &used, p, sizeof *d->place);
    d->bucket = table(base, &used, b, sizeof *d->bucket);
    d->stack = table(base, &used, (size_t)d->all.n, sizeof *d->stack);
    d->transfer = table(base, &used, b * (size_t)d->transfers, sizeof *d->transfer);
    d->taken = table(base, &used, b * (size_t)d->transfers, sizeof *d->taken);
    return used;
}

static bool no_memory(tg_dist_object *d, size_t bytes) {
    return tg_dist_note(d, TG_ERR_MEMORY, "rank %d has no memory for %zu bytes of sums of gradients", d->rank,
                        bytes);
}

static bool make_memory(tg_dist_object *d) {
    const tg_adder *own = &d->adder[d->rank];
    size_t in = 0;
    d->layer_bytes = 0;
    for (int i = 0; i < d->buckets; i++) {
        tg_bucket *b = &d->bucket[i];
        shape_bucket(d, b);
        b->at = d->layer_bytes, b->in = in;
        d->layer_bytes += b->stride * (size_t)d->size;
        in += b->stride * (size_t)(d->all.n - own->left);
    }
    const size_t layers = (size_t)own->deep;
    d->memory_bytes = (layers + (d->size > 1)) * d->layer_bytes + in;
    d->memory = tg_alloc(d->memory_bytes);
    if (!d->memory) return no_memory(d, d->memory_bytes);
    memset(d->memory, 0, d->memory_bytes);
    d->result = d->size > 1 ? d->memory + layers * d->layer_bytes : d->memory;
    d->in = d->result + d->layer_bytes;
    return true;
}

bool tg_dist_lay_out(tg_dist_object *d) {
    d->bucket = NULL;
    const int buckets = fill_buckets(d);
    const size_t bytes = place_tables(d, NULL, buckets), spare = (size_t)d->parameters * sizeof(tg_dist_entry);
    char *tables = tg_alloc(bytes + spare);
    if (!tables) return no_memory(d, bytes + spare);
    memset(tables, 0, bytes + spare);
    place_tables(d, tables, buckets);
    d->tables = tables, d->tables_bytes = bytes + spare;
    d->buckets = d->stats.buckets = buckets;
    d->bucket[0] = (tg_bucket){.dtype = TG_F64, .n = d->scalars};
    fill_buckets(d);
    sort_entries(d, (tg_dist_entry *)(void *)(tables + bytes));
    if ((int64_t)buckets * (d->most + 1) + 64 > TG_TRANSPORT_TAGS)
        return tg_dist_note(d, TG_ERR_ARGUMENT, "%d buckets are too many: make .bucket larger than %lld bytes",
                            buckets, (long long)d->o.bucket);
    return make_memory(d);
}

void tg_dist_drop_layout(tg_dist_object *d) {
    if (d->tables) tg_dist_release(d, d->tables, d->tables_bytes);
    tg_dist_release(d, d->memory, d->memory_bytes);
    d->tables = NULL, d->memory = NULL;
    d->buckets = 0;
}
