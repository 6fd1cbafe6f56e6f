#include <stdio.h>
#include <tapegrad.h>

int main(void) {
    tg_tensor *x = tg_param(tg_full(TG_F64, 3, 2));
    if (tg_backward(tg_sum(tg_mul(x, x))) != TG_OK) return fputs(tg_error_message(), stderr), 1;
    double slope = tg_get(tg_grad_of(x), 1);
    tg_free(x);
    return slope == 6 ? 0 : 1;
}
