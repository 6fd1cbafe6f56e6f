/* Private. What made a tensor, noted once for all tensors of one op and one line. */
#ifndef TG_CORE_MAKER_H
#define TG_CORE_MAKER_H

#include <stdint.h>

typedef struct tg_maker {
    const char *op;   /* "matmul"; static */
    const char *file; /* static; NULL until the call-site macro notes it */
    int line;
    uint32_t unplaced; /* the number of this op's with no place */
} tg_maker;

/* A maker's number, the same for the same pointers and line. Programs have few makers, so none ever ends; where there is
 * no memory for one more the number is 0, which stands for an op that is not known. */
uint32_t tg_maker_number(const char *op, const char *file, int line);

/* By number. A block is there before any number in it is given out, so nobody who looks takes a lock. */
enum { TG_MAKER_BLOCK = 1024, TG_MAKER_BLOCKS = 1024 };
extern tg_maker *tg_maker_block[TG_MAKER_BLOCKS];
static inline const tg_maker *tg_maker_of(uint32_t number) {
    return &tg_maker_block[number / TG_MAKER_BLOCK][number % TG_MAKER_BLOCK];
}

#endif
