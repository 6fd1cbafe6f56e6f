/* Private. What is broadcast in rows, written out: a run over rows of `row` elements meets the same row again and again, or one
 * number for each row. Written out for a block of the run it is an array like any other, and the block need not end with a row. */
#ifndef TG_CORE_SPREAD_H
#define TG_CORE_SPREAD_H

#include "core/alloc.h"

#include <stdbool.h>
#include <stdint.h>

typedef struct tg_spread {
    const char *from;
    int64_t size, row; /* bytes of an element; elements of a row */
    bool same;         /* element i of the run is element i % row of `from`; else element i / row */
} tg_spread;

#define TG_SPREAD_ROW 512    /* elements: rows that are longer are worth a call of the kernel each */
#define TG_SPREAD_BLOCK 4096 /* bytes: the elements of a block, at most */
#define TG_SPREAD_ROOM \
    (TG_SPREAD_BLOCK + TG_SPREAD_ROW * 8 + 2 * TG_ALIGN) /* for one: a block, a row, and a vector */

/* Writes out what is the same for all blocks, of `block` elements each. */
void tg_spread_begin(const tg_spread *s, int64_t block, char *room);

/* The elements [done, done + n) of the run, n at most `block`. */
char *tg_spread_block(const tg_spread *s, int64_t done, int64_t n, char *room);

#endif
