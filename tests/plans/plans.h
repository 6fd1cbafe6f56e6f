/* Trainings for which a plan and the eager loop are held against each other (main.c). */
#ifndef TESTS_PLANS_PLANS_H
#define TESTS_PLANS_PLANS_H

#include <tapegrad.h>

/* A model of a program in examples/, whose file is included under another name of main, so that the functions are its own. */
typedef struct example {
    const char *name;
    tg_tensor *(*loss)(tg_model *m, tg_tensor **batch, void *user); /* user is NULL */
    tg_optim *(*optim)(tg_model *m);                                /* NULL: Adam with 1e-3 */
    int (*batch)(tg_tensor **batch); /* makes another, of the default stream, and says how many tensors it has; at most 2 */
} example;

extern const example char_gpt_example, fashion_cnn_example, fashion_mnist_example, linear_example,
    logistic_example, lstm_add_example, neural_ode_example, physics_example, signum_example, swish_example,
    tree_example, vae_example;

/* The batch of most: numbers [n, ..] and classes [n]. */
int numbers_and_classes(tg_tensor **batch, tg_shape shape, uint64_t classes);

/* A training step of a model: loss, backward, optimiser. */
typedef struct training_of {
    const example *example;
    tg_model *model;
    tg_optim *optim;
} training_of;
training_of example_begin(const example *e);
tg_tensor *example_step(tg_tensor *const *in, void *training);
void example_end(training_of *t);

#endif
