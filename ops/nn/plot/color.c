/* Colours of numbers, between anchors at equal distances. */
#include "ops/nn/plot/plot_private.h"

#include <math.h>

enum { ANCHORS = 11 };

/* viridis (Smith and van der Walt 2015), and RdBu of ColorBrewer (Harrower and Brewer 2003) from blue to red: colour-blind
 * people see both in order. */
static const uint32_t anchor[][ANCHORS] = {
    [TG_MAP_VIRIDIS] = {0x440154, 0x482475, 0x414487, 0x355f8d, 0x2a788e, 0x21918c, 0x22a884, 0x44bf70,
                        0x7ad151, 0xbddf26, 0xfde725},
    [TG_MAP_DIVERGING] = {0x053061, 0x2166ac, 0x4393c3, 0x92c5de, 0xd1e5f0, 0xf7f7f7, 0xfddbc7, 0xf4a582,
                          0xd6604d, 0xb2182b, 0x67001f},
};

uint32_t tg_color_at(tg_color_map map, double v) {
    double at = (v > 0 ? fmin(v, 1) : 0) * (ANCHORS - 1);
    int i = at < ANCHORS - 1 ? (int)at : ANCHORS - 2;
    uint32_t color = 0;
    for (int shift = 16; shift >= 0; shift -= 8) {
        double a = anchor[map][i] >> shift & 255, b = anchor[map][i + 1] >> shift & 255;
        color |= (uint32_t)lround(a + (b - a) * (at - i)) << shift;
    }
    return color;
}
