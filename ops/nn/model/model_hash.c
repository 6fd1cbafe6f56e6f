/* One number that tells models apart to the last bit. */
#include "ops/nn/model/model.h"

#include <string.h>

static uint64_t add(uint64_t h, const void *data, size_t bytes) {
    const unsigned char *p = data;
    for (size_t i = 0; i < bytes; i++) h = (h ^ p[i]) * UINT64_C(0x100000001b3);
    return h;
}

uint64_t tg_model_hash(const tg_model *model) {
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    const int n = tg_model_count(model);
    for (int i = 0; i < n && tg_error_status() == TG_OK; i++) {
        const tg_tensor *t = tg_model_at(model, i);
        char text[1200];
        h = add(h, text, strlen(tg_describe(t, text, sizeof text)));
        const void *data = tg_data(t);
        if (data) h = add(h, data, (size_t)tg_numel(t) * tg_dtype_size(tg_dtype_of(t)));
    }
    return tg_error_status() == TG_OK ? h : 0;
}
