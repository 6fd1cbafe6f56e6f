/* Random numbers, counter-based: Philox4x32-10 (Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy
 * as 1, 2, 3", SC 2011). Number i of a stream is a function of (seed, i) alone, so results do not depend on
 * the thread count. */
#ifndef TG_CORE_RANDOM_H
#define TG_CORE_RANDOM_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* The bare block function: four 32-bit words from a 128-bit counter and a 64-bit key. */
TG_API void tg_philox(const uint32_t counter[4], const uint32_t key[2], uint32_t out[4]);

/* A stream. Zero-initialised it is a valid one (seed 0). `next` is the number of 128-bit blocks used. */
typedef struct tg_rng {
    uint64_t seed;
    uint64_t next;
} tg_rng;

/* This thread's default stream, used by the functions below. tg_seed restarts it. Each thread begins with seed 0, so two
 * that do not seed draw the same numbers, and so does every run of a program. */
TG_API tg_rng *tg_default_rng(void);
TG_API void tg_seed(uint64_t seed);

/* The stream of the pair (a, b) under a seed: its seed is the block of the counter (a, b) with that key, so that streams of
 * related numbers have nothing in common. So an epoch, or the hash of a name, has a stream that does not depend on what was drawn. */
TG_API tg_rng tg_rng_derive(uint64_t seed, uint64_t a, uint64_t b);

/* Single numbers from a stream: 64 random bits; uniform in [0, 1) with 53 bits; standard normal
 * (Box-Muller); an integer in [0, n) without bias (Lemire's method). n = 0 gives 0. Each uses one block
 * (tg_rng_below rarely more). rng NULL is this thread's default stream. */
TG_API uint64_t tg_rng_bits(tg_rng *rng);
TG_API double tg_rng_uniform(tg_rng *rng);
TG_API double tg_rng_normal(tg_rng *rng);
TG_API uint64_t tg_rng_below(tg_rng *rng, uint64_t n);

/* Fisher-Yates: a uniformly random order of the n values. */
TG_API void tg_rng_shuffle(tg_rng *rng, int64_t *values, int64_t n);

/* Tensors on the current tape, f32 or f64 (TG_ERR_DTYPE otherwise): uniform in [0, 1), and standard normal, as torch.rand
 * and torch.randn. One block of the stream makes four f32 or two f64. Of two such calls among the arguments of one call C
 * does not say which is first (docs/evaluation-order.md): give each a name.
 *     tg_rand(TG_F32, 2, 3)     tg_randn(TG_F64, 8) */
TG_API tg_tensor *tg_rand_with(tg_dtype dtype, tg_shape shape);
TG_API tg_tensor *tg_randn_with(tg_dtype dtype, tg_shape shape);

/* Uniform in [low, high), and normal with mean and deviation. low = high gives just that; low > high, a deviation below
 * 0 or a number that is not finite is TG_ERR_ARGUMENT.
 *     tg_uniform(TG_F32, -1, 1, 2, 3)     tg_normal(TG_F64, 0, 0.02, 8) */
TG_API tg_tensor *tg_uniform_with(tg_dtype dtype, double low, double high, tg_shape shape);
TG_API tg_tensor *tg_normal_with(tg_dtype dtype, double mean, double deviation, tg_shape shape);

/* The same as tg_rand and tg_randn in the shape and dtype of t. */
TG_API tg_tensor *tg_rand_like(const tg_tensor *t);
TG_API tg_tensor *tg_randn_like(const tg_tensor *t);

#ifdef __cplusplus
}
#endif

#endif
