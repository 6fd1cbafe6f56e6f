/* The weights of a convolution as panels of output channels. */
#include "core/kernels/conv/plan.h"
#include "core/parallel.h"

#include <string.h>

/* Weights are visited RUN taps at a time, channel by channel: taps are mostly neighbours in w, channels in a panel. */
enum { RUN = 16 };

size_t tg_conv_panel_at(const tg_conv_plan *p, int64_t group, int64_t channel) {
    return (size_t)((group * p->padded + channel) * p->k) * tg_dtype_size(p->dtype);
}

typedef struct packing {
    const tg_conv_plan *plan;
    char *w, *panels;
    bool back;
} packing;

#define MOVE(T) \
    T *w = (T *)(void *)from, *panel = (T *)(void *)to; \
    for (int64_t t = 0; t < p->k; t += RUN) \
        for (int64_t j = 0; j < out_channels; j++) \
            for (int64_t r = t; r < t + RUN && r < p->k; r++) { \
                T *a = &w[p->weight[r] + j * p->out_step], *b = &panel[r * width + j]; \
                if (back) \
                    *a = *b; \
                else \
                    *b = *a; \
            }
static void move_f32(const tg_conv_plan *p, char *from, char *to, int64_t out_channels, int64_t width,
                     bool back) {
    MOVE(float)
}
static void move_f64(const tg_conv_plan *p, char *from, char *to, int64_t out_channels, int64_t width,
                     bool back) {
    MOVE(double)
}

static void some_panels(void *context, int64_t begin, int64_t end) {
    const packing *k = context;
    const tg_conv_plan *p = k->plan;
    size_t size = tg_dtype_size(p->dtype);
    for (int64_t i = begin; i < end; i++) {
        int64_t group = i / tg_conv_panels(p), channel = i % tg_conv_panels(p) * 2 * p->vector;
        int64_t width = tg_conv_panel_width(p, channel),
                out_channels = p->out_channels - channel < width ? p->out_channels - channel : width;
        char *w = k->w + (size_t)(group * p->group_step + channel * p->out_step) * size;
        char *panel = k->panels + tg_conv_panel_at(p, group, channel);
        if (!k->back && out_channels < width) memset(panel, 0, (size_t)(width * p->k) * size);
        (p->dtype == TG_F32 ? move_f32 : move_f64)(p, w, panel, out_channels, width, k->back);
    }
}

static void every_panel(const tg_conv_plan *p, char *w, char *panels, bool back) {
    packing k = {p, w, panels, back};
    int64_t work = 2 * p->vector * p->k;
    tg_parallel_for(p->groups * tg_conv_panels(p), work < 65536 ? 65536 / (work + 1) + 1 : 1, some_panels, &k);
}

void tg_conv_pack(const tg_conv_plan *p, const void *w, void *panels) {
    every_panel(p, (char *)(uintptr_t)w, panels, false);
}

void tg_conv_unpack(const tg_conv_plan *p, const void *panels, void *w) {
    every_panel(p, w, (char *)(uintptr_t)panels, true);
}
