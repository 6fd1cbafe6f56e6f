/* Images for when no data set is at hand: ten kinds of shapes in 28 by 28 grey pixels, each at a random
 * place, of random size and brightness, under noise. Results on them compare with no other data set's.
 */
#ifndef EXAMPLES_DRAWN_IMAGES_H
#define EXAMPLES_DRAWN_IMAGES_H

#include <tapegrad.h>

#include <math.h>

enum { DRAWN_SIDE = 28, DRAWN_CLASSES = 10 };

/* Whether (u, v), measured from the shape's centre with its half-size as 1, is inked. */
static inline bool drawn_inside(int kind, double u, double v) {
    double r = hypot(u, v), square = fmax(fabs(u), fabs(v));
    if (square > 1) return false;
    switch (kind) {
    case 0:
        return r < 1; /* disc */
    case 1:
        return r < 1 && r > 0.6; /* ring */
    case 2:
        return true; /* square */
    case 3:
        return square > 0.6; /* frame */
    case 4:
        return fabs(u) < (v + 1) / 2; /* triangle */
    case 5:
        return fmin(fabs(u), fabs(v)) < 0.25; /* upright cross */
    case 6:
        return fabs(fabs(u) - fabs(v)) < 0.3; /* diagonal cross */
    case 7:
        return fabs(u) < 0.2 || fabs(fabs(u) - 0.8) < 0.2; /* upright stripes */
    case 8:
        return fabs(v) < 0.2 || fabs(fabs(v) - 0.8) < 0.2; /* level stripes */
    default:
        return (u > 0) == (v > 0); /* chequers */
    }
}

static inline void drawn_image(uint8_t *pixel, int kind, tg_rng *rng) {
    double x0 = 10 + 8 * tg_rng_uniform(rng), y0 = 10 + 8 * tg_rng_uniform(rng);
    double half = 5 + 5 * tg_rng_uniform(rng), ink = 90 + 80 * tg_rng_uniform(rng);
    for (int i = 0; i < DRAWN_SIDE * DRAWN_SIDE; i += 8) {
        uint64_t noise = tg_rng_bits(rng); /* a byte for each of eight pixels */
        for (int k = 0; k < 8; k++, noise >>= 8) {
            double u = ((i + k) % DRAWN_SIDE - x0) / half, v = ((i + k) / DRAWN_SIDE - y0) / half;
            pixel[i + k] = (uint8_t)((drawn_inside(kind, u, v) ? ink : 0) + (double)(noise & 255) / 3);
        }
    }
}

/* n images [n, 28, 28] u8 and their classes [n] u8, in the form the data set has, on the current tape. */
static inline void drawn_images(int64_t n, uint64_t seed, tg_tensor **images, tg_tensor **labels) {
    tg_rng rng = {.seed = seed};
    *images = tg_zeros(TG_U8, n, DRAWN_SIDE, DRAWN_SIDE);
    *labels = tg_zeros(TG_U8, n);
    uint8_t *pixel = tg_data_mut(*images), *label = tg_data_mut(*labels);
    if (!pixel || !label) return; /* out of memory: the error is pending */
    for (int64_t i = 0; i < n; i++) {
        label[i] = (uint8_t)tg_rng_below(&rng, DRAWN_CLASSES);
        drawn_image(pixel + i * DRAWN_SIDE * DRAWN_SIDE, label[i], &rng);
    }
}

#endif
