/* usage: products
 * Prints the rate of matrix products at the sizes of layers, tg_gemm's and cblas_sgemm's in turn, on one thread, in
 * Gflop/s: the best of 40 rounds of about 5 ms each. "T" marks an operand that lies transposed. */
#include "core/array.h"
#include "core/kernels/gemm/gemm.h"
#include "core/parallel.h"

#include <cblas.h>
#include <stdio.h>
#include <time.h>

static const struct size {
    const char *name;
    int m, n, k;
    bool ta, tb;
} sizes[] = {
    {"y = x W^T, 1024 rows, 784 to 256", 1024, 256, 784, false, true},
    {"dW = g^T x, of it", 256, 784, 1024, true, false},
    {"y = x W^T, 1024 rows, 256 to 128", 1024, 128, 256, false, true},
    {"dx = g W, of it", 1024, 256, 128, false, false},
    {"y = x W^T, 1024 rows, 128 to 10", 1024, 10, 128, false, true},
    {"y = x W^T, 64 rows, 784 to 256", 64, 256, 784, false, true},
    {"dW = g^T x, of it", 256, 784, 64, true, false},
    {"dx = g W, 64 rows, 256 to 128", 64, 256, 128, false, false},
    {"y = x W^T, 2048 rows, 128 to 512", 2048, 512, 128, false, true},
    {"dW = g^T x, of it", 512, 128, 2048, true, false},
    {"y = x W^T, 2048 rows, 512 to 128", 2048, 128, 512, false, true},
    {"64 x 64 x 64", 64, 64, 64, false, false},
    {"512 x 512 x 512", 512, 512, 512, false, false},
    {"2048 x 2048 x 2048", 2048, 2048, 2048, false, false},
};

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

/* [rows, cols], or its transpose in memory. */
static tg_array matrix(int64_t rows, int64_t cols, bool turned) {
    tg_array a = {0};
    if (tg_array_alloc(&a, TG_F32, turned ? TG_SHAPE(cols, rows) : TG_SHAPE(rows, cols)) != TG_OK) return a;
    tg_array_fill(&a, 0.5);
    a.shape[0] = rows, a.shape[1] = cols;
    if (turned) a.stride[0] = 1, a.stride[1] = rows;
    return a;
}

static void blas(const struct size *z, const tg_array *a, const tg_array *b, const tg_array *c) {
    cblas_sgemm(CblasRowMajor, z->ta ? CblasTrans : CblasNoTrans, z->tb ? CblasTrans : CblasNoTrans, z->m,
                z->n, z->k, 1, a->data, z->ta ? z->m : z->k, b->data, z->tb ? z->k : z->n, 0, c->data, z->n);
}

static void measure(const struct size *z) {
    enum { ROUNDS = 40 };
    tg_array a = matrix(z->m, z->k, z->ta), b = matrix(z->k, z->n, z->tb), c = matrix(z->m, z->n, false);
    double flops = 2.0 * z->m * z->n * z->k, best[2] = {1e9, 1e9};
    int repeat = 1 + (int)(5e8 / flops);
    for (int r = 0; c.data && r < 2 * ROUNDS; r++) {
        double t = now();
        for (int i = 0; i < repeat; i++)
            if (r % 2)
                blas(z, &a, &b, &c);
            else
                tg_gemm(1, &a, &b, 0, &c);
        t = (now() - t) / repeat;
        if (t < best[r % 2]) best[r % 2] = t;
    }
    printf("%-34s %6.1f %6.1f\n", z->name, flops / best[0] * 1e-9, flops / best[1] * 1e-9);
    tg_array_drop(&a), tg_array_drop(&b), tg_array_drop(&c);
}

int main(void) {
    tg_set_num_threads(1);
    (void)tg_blas_begin();
    printf("%-34s %6s %6s\n", "", "ours", "BLAS");
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) measure(&sizes[i]);
    return 0;
}
