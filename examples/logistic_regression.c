/* Logistic regression on a CSV file: who passes an exam, after so many hours of work and of sleep? The rows of exams.csv
 * were drawn by  P(passed) = sigmoid(0.8 hours + 0.5 sleep - 7.5), so that even this formula is right in 88 % of them only. */
#include <tapegrad.h>

static tg_tensor *net(tg_model *m, tg_tensor *x) { return tg_nn_linear(m, "passed", x, 1); }

int main(int argc, char **argv) {
    const char *path = argc > 1 ? argv[1] : "examples/exams.csv";
    tg_tensor *x = tg_load_csv(path, .header = true, .columns = "hours,sleep");
    tg_tensor *y = tg_load_csv(path, .header = true, .columns = "result", .classes = "failed,passed"); /* 0, 1 */
    tg_tensor *train_x = tg_slice(x, 0, 0, 140, 1), *test_x = tg_slice(x, 0, 140, 200, 1);
    tg_tensor *train_y = tg_slice(y, 0, 0, 140, 1), *test_y = tg_slice(y, 0, 140, 200, 1);

    tg_model *m = tg_model_new(1);
    tg_optim *adam = tg_adam(m, 0.1);
    for (int i = 0; i <= 1000; i++) {
        tg_mark step = tg_tape_mark();
        tg_tensor *loss = tg_binary_cross_entropy_with_logits(net(m, train_x), train_y);
        if (tg_backward(loss) != TG_OK || tg_optim_step(adam) != TG_OK) break;
        if (i % 250 == 0) printf("step %4d  loss %.4f\n", i, tg_item(loss));
        tg_tape_rewind(step);
    }

    tg_meter right = {0};
    tg_meter_add(&right,
                 tg_eq(tg_round(tg_sigmoid(net(m, test_x))), test_y)); /* the likelier one is the right one */
    tg_tensor *w = tg_model_find(m, "passed.weight"), *b = tg_model_find(m, "passed.bias");
    if (tg_model_save(m, "exams.safetensors") != TG_OK) {
        fprintf(stderr, "%s\n", tg_error_message());
    } else {
        printf("P(passed) = sigmoid(%.2f hours %+.2f sleep %+.2f)\n", tg_get(w, 0), tg_get(w, 1), tg_item(b));
        printf("right in %.2f +- %.2f of the rows that it has not seen\n", tg_meter_mean(&right),
               tg_meter_error(&right));
    }
    tg_optim_free(adam), tg_model_free(m);
    return tg_error_status() != TG_OK;
}
