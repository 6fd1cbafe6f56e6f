/* Linear regression on a CSV file: what do size, distance to the centre and age say about the rent of a flat?
 * The rows of rents.csv were drawn by  rent = 300 + 9 size - 25 distance - 2 age + noise of deviation 40. */
#include <tapegrad.h>

#include <math.h>

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "examples/rents.csv";
    tg_tensor *x = tg_load_csv(path, .header = true, .columns = "size,distance,age");
    tg_tensor *y = tg_load_csv(path, .header = true, .columns = "rent");
    tg_tensor *mean = tg_mean(x, .axes = TG_SHAPE(0)), *deviation = tg_std(x, .axes = TG_SHAPE(0));
    tg_tensor *z =
        tg_div(tg_sub(x, mean), deviation); /* of one scale, so that one learning rate suits all columns */

    tg_model *m = tg_model_new(1);
    tg_optim *sgd = tg_sgd(m, 0.1);
    for (int i = 0; i <= 100; i++) {
        tg_mark step = tg_tape_mark();
        tg_tensor *loss = tg_mse_loss(tg_nn_linear(m, "rent", z, 1), y);
        if (tg_backward(loss) != TG_OK || tg_optim_step(sgd) != TG_OK) break;
        if (i % 20 == 0) printf("step %3d  root of the mean squared error %6.2f\n", i, sqrt(tg_item(loss)));
        tg_tape_rewind(step);
    }

    tg_set_grad_enabled(false); /* w z + b = (w / deviation) x + (b - (w / deviation) mean) */
    tg_tensor *w = tg_model_find(m, "rent.weight"), *b = tg_model_find(m, "rent.bias");
    tg_mul_(w, tg_reciprocal(deviation));
    tg_add_(b, tg_matmul(w, mean), -1);
    if (tg_model_save(m, "rents.safetensors") != TG_OK)
        fprintf(stderr, "%s\n", tg_error_message());
    else
        printf("rent = %.0f %+.2f size %+.2f distance %+.2f age\n", tg_item(b), tg_get(w, 0), tg_get(w, 1),
               tg_get(w, 2));
    tg_optim_free(sgd), tg_model_free(m);
    return tg_error_status() != TG_OK;
}
