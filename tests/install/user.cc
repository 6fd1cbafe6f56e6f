// The header and its macros, as C++17 sees them.
#include <tapegrad.h>

int main() {
    tg_tensor *x = tg_set_requires_grad(tg_ones(TG_F32, 2, 3), true);
    tg_tensor *y = tg_sum(tg_relu(tg_reshape(x, 3, 2)));
    return tg_backward(y) == TG_OK && tg_item(y) == 6 ? 0 : 1;
}
