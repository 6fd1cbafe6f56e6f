#include "ops/structured/pair.h"

#include "ops/structured/windows.h"

tg_shape tg_pair(const int64_t pair[2]) { return TG_SHAPE(pair[0], pair[1] ? pair[1] : pair[0]); }

tg_shape tg_padding_pair(const int64_t pair[2]) {
    tg_shape p = tg_pair(pair);
    for (int i = 0; i < 2; i++)
        if (p.dim[i] == TG_NONE) p.dim[i] = 0;
    return p;
}
