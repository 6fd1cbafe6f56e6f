/* How far a loop is: on a terminal a bar that draws itself anew, elsewhere a plain line every ten seconds.
 *
 *     tg_progress bar = tg_progress_begin(stderr, "epoch 3/10", examples);
 *     while (..) tg_progress_show(&bar, done, text);        // as often as one likes
 *     tg_progress_end(&bar);
 *
 *     epoch 3/10 [===========>              ]  42%  loss 0.3391  48000 images/s  0:31 left
 */
#ifndef TG_OPS_NN_TRAIN_PROGRESS_H
#define TG_OPS_NN_TRAIN_PROGRESS_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_progress {
    FILE *file;        /* NULL: nothing is drawn */
    const char *label; /* not copied */
    int64_t total;     /* of what is counted, such as batches */
    bool terminal;
    double start, last; /* seconds: of the beginning, and of the last time something was drawn */
} tg_progress;

/* Begins now. */
TG_API tg_progress tg_progress_begin(FILE *file, const char *label, int64_t total);

/* `done` of the total are done; `text` stands behind the bar. Draws ten times a second at most, on a terminal as wide as it
 * is. */
TG_API void tg_progress_show(tg_progress *progress, int64_t done, const char *text);

/* Seconds since the beginning. */
TG_API double tg_progress_seconds(const tg_progress *progress);

/* Clears the bar, so that another line can take its place. */
TG_API void tg_progress_end(tg_progress *progress);

#ifdef __cplusplus
}
#endif

#endif
