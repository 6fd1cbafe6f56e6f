#include "core/spread.h"
#include "core/kernels/simd/table.h"

#include <string.h>

/* Rows enough for a block that begins anywhere in the first one. */
void tg_spread_begin(const tg_spread *s, int64_t block, char *room) {
    const size_t row = (size_t)(s->row * s->size), all = (size_t)((block + s->row) * s->size);
    if (!s->same) return;
    memcpy(room, s->from, row);
    for (size_t done = row, n; done < all; done += n) {
        n = done < all - done ? done : all - done;
        memcpy(room + done, room, n);
    }
}

/* What is written behind a block is less than a row and a vector. */
char *tg_spread_block(const tg_spread *s, int64_t done, int64_t n, char *room) {
    if (s->same) return room + done % s->row * s->size;
    const char *from = s->from + done / s->row * s->size;
    int64_t left = s->row - done % s->row;
    if (s->size > 1)
        tg_kernels_for(s->size == 4 ? TG_F32 : TG_F64)->spread_numbers(n, left, s->row, from, room);
    else
        for (int64_t i = 0; i < n; i += left, left = s->row, from++) memset(room + i, *from, (size_t)left);
    return room;
}
