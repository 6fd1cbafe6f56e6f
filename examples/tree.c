/* A recursive network: it evaluates arithmetic modulo 10, such as (7+(2*(4-9))) = 7, by going over the text as a parser does.
 *
 * Every value is a vector of 32 numbers. That of a digit is learnt, and each operation o is a small network of two values:
 *     v(d) = E_d        v(a o b) = tanh(W'_o relu(W_o [v(a), v(b)] + c_o) + c'_o)        P(value) = softmax(A v + a)
 * The expression is the network (Socher et al. 2013): recursion in C decides what is on the tape. It is told the value of
 * whole expressions only, at most 3 operations deep, and is then asked about deeper ones.
 */
#include <tapegrad.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { MODULUS = 10, SIZE = 32, TRAINED = 3, DEEPEST = 8, EXPRESSIONS = 32, TEXT = 4 << DEEPEST };

/* What is to be learnt. Both functions read one expression and move *s behind it. */
static int value(const char **s) {
    if (**s != '(') return *(*s)++ - '0';
    ++*s;
    int a = value(s);
    char op = *(*s)++;
    int b = value(s);
    ++*s;
    return (op == '+' ? a + b : op == '-' ? a - b + MODULUS : a * b) % MODULUS;
}

/* What learns it, [1, SIZE]. */
static tg_tensor *vector(tg_model *m, const char **s) {
    if (**s != '(') {
        int64_t digit = *(*s)++ - '0';
        return tg_nn_embedding(m, "digit", tg_from(TG_I64, &digit, 1), MODULUS, SIZE);
    }
    ++*s;
    tg_tensor *a = vector(m, s);
    tg_model *op = tg_nn_scope(m, "%c", *(*s)++);
    tg_tensor *b = vector(m, s);
    ++*s;
    return tg_tanh(tg_nn_linear(op, "out", tg_relu(tg_nn_linear(op, "in", tg_concat(1, a, b), 4 * SIZE)), SIZE));
}

/* Writes an expression that is `depth` operations deep on one side at least, and returns its end. */
static char *write_expression(char *to, int depth, tg_rng *rng) {
    if (depth == 0) {
        *to++ = (char)('0' + tg_rng_below(rng, MODULUS));
        return to;
    }
    int other = (int)tg_rng_below(rng, (uint64_t)depth);
    bool left = tg_rng_below(rng, 2);
    *to++ = '(';
    to = write_expression(to, left ? depth - 1 : other, rng);
    *to++ = "+-*"[tg_rng_below(rng, 3)];
    to = write_expression(to, left ? other : depth - 1, rng);
    *to++ = ')';
    return to;
}

/* The logits of new expressions, [EXPRESSIONS, MODULUS], and their values. The last expression stays in `text`. */
static tg_tensor *read_expressions(tg_model *m, int depth, int spread, tg_rng *rng, char *text,
                                   tg_tensor **values) {
    tg_tensor *root[EXPRESSIONS];
    int64_t right[EXPRESSIONS];
    for (int i = 0; i < EXPRESSIONS; i++) {
        *write_expression(text, depth + (int)tg_rng_below(rng, (uint64_t)spread), rng) = '\0';
        const char *s = text, *again = text;
        right[i] = value(&s);
        root[i] = vector(m, &again);
    }
    *values = tg_from(TG_I64, right, EXPRESSIONS);
    return tg_nn_linear(m, "value", tg_concat_with(0, EXPRESSIONS, root), MODULUS);
}

static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *rng) {
    char text[TEXT];
    tg_tensor *values, *logits = read_expressions(m, 1, TRAINED, rng, text, &values);
    (void)batch; /* no loader: each step has new expressions */
    return tg_cross_entropy(logits, values);
}

/* Prints how often the network is right at each depth, and returns that of all expressions deeper than those trained on. */
static double test(tg_model *m, tg_rng *rng) {
    tg_meter deeper = {0};
    bool was = tg_set_grad_enabled(false);
    for (int depth = 1; depth <= DEEPEST; depth++) {
        char text[TEXT];
        tg_meter right = {0};
        for (int i = 0; i < 16; i++) {
            tg_mark mark = tg_tape_mark();
            tg_tensor *values, *answers = tg_argmax(read_expressions(m, depth, 1, rng, text, &values), 1);
            tg_meter_add(&right, tg_eq(answers, values));
            if (depth > TRAINED) tg_meter_add(&deeper, tg_eq(answers, values));
            if (i == 0 && depth < 5)
                printf("%s = %lld, said to be %lld\n", text, (long long)tg_get(values, EXPRESSIONS - 1),
                       (long long)tg_get(answers, EXPRESSIONS - 1));
            tg_tape_rewind(mark);
        }
        printf("depth %d%s  accuracy %.4f +- %.4f\n", depth,
               depth > TRAINED ? ", not trained" : "             ", tg_meter_mean(&right),
               tg_meter_error(&right));
    }
    tg_set_grad_enabled(was);
    return tg_meter_mean(&deeper);
}

int main(int argc, char **argv) {
    static const struct option known[] = {{"steps", 1, NULL, 's'}, {"expect", 1, NULL, 'e'}, {0}};
    int64_t steps = 3000;
    double expect = 0.98; /* of the expressions deeper than those trained on; fewer are a failure */
    for (int c; (c = getopt_long(argc, argv, "", known, NULL)) != -1;)
        if (c == 's')
            steps = atoll(optarg);
        else if (c == 'e')
            expect = atof(optarg);
        else
            return 2;

    tg_rng rng = {.seed = 1};
    tg_model *m = tg_model_new(1);
    tg_optim *adam = tg_adam(m, 3e-3);
    tg_schedule *cosine = tg_schedule_new(adam, tg_lr_cosine(steps));
    tg_training run = {.model = m, .optim = adam, .schedule = cosine, .rng = &rng};
    double accuracy = 0;
    if (tg_fit(&run, loss, .epochs = 10, .epoch_steps = steps / 10, .user = &rng, .log = stdout) == TG_OK)
        accuracy = test(m, &rng);
    if (tg_error_status() != TG_OK) fprintf(stderr, "tree: %s\n", tg_error_message());
    printf("accuracy on expressions deeper than those trained on: %.4f\n", accuracy);
    bool ok = tg_error_status() == TG_OK && accuracy >= expect;
    tg_schedule_free(cosine), tg_optim_free(adam), tg_model_free(m);
    return ok ? 0 : 1;
}
