/* Addition as a text (Zaremba and Sutskever 2014): an LSTM reads the characters of "123+045=" and says the sum behind them,
 * digit by digit, the last digit first, in which order carries go. It is told nothing of numbers.
 *
 * With x_0 .. x_k-1 the characters so far, the network gives P(x_k | x_0 .. x_k-1) = softmax(z_k-1), and the loss is the mean
 * of -log P over the digits of the answer. It is asked about pairs of numbers that it has not been trained on: to be right
 * counts an answer of which each digit is, when it goes on from digits of its own.
 */
#include <tapegrad.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DIGITS = 3, QUESTION = 2 * DIGITS + 2, ANSWER = DIGITS + 1, LENGTH = QUESTION + ANSWER, LIMIT = 1000 };
enum { SIZE = 32, HIDDEN = 128, TEST = 2000 };
static const char characters[] = "0123456789+=";

/* ---- the network ---- */

/* The logits of the character behind each of x [n, t]: [n, t, characters]. */
static tg_tensor *net(tg_model *m, tg_tensor *x) {
    int64_t n = (int64_t)strlen(characters);
    tg_tensor *h = tg_nn_lstm(m, "lstm", tg_nn_embedding(m, "character", x, n, SIZE), HIDDEN);
    return tg_nn_linear(m, "out", h, n);
}

/* batch[0] has sums, [n, LENGTH]. */
static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    tg_tensor *z = net(m, tg_narrow(batch[0], 1, 0, LENGTH - 1));
    tg_tensor *answer = tg_narrow(z, 1, QUESTION - 1, ANSWER); /* the first digit is said behind the = */
    return tg_cross_entropy(tg_transpose(answer, 1, 2), tg_narrow(batch[0], 1, QUESTION, ANSWER));
}

/* The answers to the questions of sums, [n, ANSWER], each digit the likeliest behind those before it. */
static tg_tensor *answers(tg_model *m, tg_tensor *sums) {
    tg_tensor *x = tg_narrow(sums, 1, 0, QUESTION);
    for (int i = 0; i < ANSWER; i++) {
        tg_tensor *next = tg_argmax(tg_select(net(m, x), 1, -1), 1);
        x = tg_concat(1, x, tg_unsqueeze(next, 1));
    }
    return tg_narrow(x, 1, QUESTION, ANSWER);
}

/* Of each sum, whether it is right. */
static tg_tensor *exact(tg_model *m, tg_tensor **batch, void *user) {
    (void)user;
    return tg_all(tg_eq(answers(m, batch[0]), tg_narrow(batch[0], 1, QUESTION, ANSWER)), .axes = TG_SHAPE(1));
}

/* ---- sums ---- */

/* n different ones in a random order, [n, LENGTH], each as "123+045=8610". */
static tg_tensor *draw_sums(const tg_vocab *vocab, int64_t n) {
    tg_tensor *text = tg_zeros(TG_U8, n, LENGTH);
    int64_t *pair = tg_data_mut(tg_arange(TG_I64, 0, LIMIT * LIMIT, 1));
    char *to = tg_data_mut(text);
    if (!pair || !to || n > LIMIT * LIMIT) {
        tg_fail(TG_ERR_ARGUMENT, "there are not so many sums");
        return tg_poison();
    }
    tg_rng_shuffle(NULL, pair, LIMIT * LIMIT);
    for (int64_t i = 0; i < n; i++) {
        int a = (int)pair[i] / LIMIT, b = (int)pair[i] % LIMIT, sum = a + b;
        to += sprintf(to, "%0*d+%0*d=", DIGITS, a, DIGITS, b);
        for (int d = 0; d < ANSWER; d++, sum /= 10) *to++ = (char)('0' + sum % 10);
    }
    return tg_reshape(tg_vocab_encode(vocab, tg_reshape(text, -1)), n, LENGTH);
}

static void show(tg_model *m, tg_tensor *sums) {
    tg_tensor *said = answers(m, sums);
    for (int64_t i = 0; i < tg_size(sums, 0); i++) {
        int number[3] = {0}; /* two of them and what is said to be their sum */
        for (int d = 0; d < DIGITS; d++)
            for (int k = 0; k < 2; k++)
                number[k] = 10 * number[k] + (int)tg_get(sums, i * LENGTH + k * (DIGITS + 1) + d);
        for (int d = ANSWER - 1; d >= 0; d--) number[2] = 10 * number[2] + (int)tg_get(said, i * ANSWER + d);
        printf("%3d + %3d = %4d%s\n", number[0], number[1], number[2],
               number[0] + number[1] == number[2] ? "" : ", which is wrong");
    }
}

int main(int argc, char **argv) {
    static const struct option known[] = {
        {"epochs", 1, NULL, 'n'}, {"train", 1, NULL, 't'}, {"expect", 1, NULL, 'e'}, {"loss", 1, NULL, 'l'}, {0}};
    int64_t epochs = 12, train = 40000;
    double expect = 0.99, most = 10; /* fewer exact sums, and a higher loss of the test, are a failure */
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        if (c == 'n')
            epochs = atoll(optarg);
        else if (c == 't')
            train = atoll(optarg);
        else if (c == 'e')
            expect = atof(optarg);
        else if (c == 'l')
            most = atof(optarg);
        else
            return 2;

    tg_seed(1);
    tg_vocab *vocab = tg_vocab_new(characters);
    tg_tensor *sums = draw_sums(vocab, TEST + train);
    tg_tensor *asked = tg_narrow(sums, 0, 0, TEST), *taught = tg_narrow(sums, 0, TEST, train);
    tg_loader *test = tg_loader_new(1, &asked, .batch = 500);
    tg_loader *training = tg_loader_new(1, &taught, .batch = 128, .shuffle = true, .seed = 1);
    tg_model *m = tg_model_new(1);
    tg_optim *adam = tg_adam(m, 3e-3);
    tg_schedule *cosine = tg_schedule_new(adam, tg_lr_cosine(epochs * tg_loader_batches(training)));
    tg_training run = {.model = m, .optim = adam, .schedule = cosine, .loader = training};
    tg_metric metrics[] = {{"exact", exact, false}, {0}};
    tg_fit_report r = {0};
    if (tg_fit(&run, loss, .epochs = epochs, .validation = test, .metrics = metrics, .log = stdout,
               .report = &r) == TG_OK)
        show(m, tg_narrow(asked, 0, 0, 8));
    if (tg_error_status() != TG_OK) fprintf(stderr, "lstm_add: %s\n", tg_error_message());
    bool ok = tg_error_status() == TG_OK && r.score >= expect && tg_meter_mean(&r.validation) <= most;
    tg_schedule_free(cosine), tg_optim_free(adam), tg_loader_free(training), tg_loader_free(test);
    tg_model_free(m), tg_vocab_free(vocab);
    return ok ? 0 : 1;
}
