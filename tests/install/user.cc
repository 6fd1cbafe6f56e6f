// The header and its macros, as C++17 sees them.
#include <tapegrad.h>

struct pair {
    float v[2];
};

int main() {
    tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F32, 2, 3), true);
    tg_tensor *y = tg_sum(tg_relu(tg_reshape(x, 3, 2)));
    if (tg_backward(y) != TG_OK || tg_item(y) != 6) return 1;
    const double four[] = {1, 2, 3, 4};
    tg_tensor *m = tg_from(TG_F64, four, 2, 2), *p = tg_from(TG_F32, (pair{5, 6}).v, 2);
    return tg_get(tg_sum_to(m, tg_shape{2, {1, 2}}), 1) == 6 && tg_get(p, 1) == 6 ? 0 : 2;
}
