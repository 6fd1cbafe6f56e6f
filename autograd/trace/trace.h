/* The tape explains itself: what a program computed, forward and backward, as a page, a text, data or a picture.
 *
 *     tg_mark step = tg_tape_mark();
 *     tg_tensor *loss = tg_mse_loss(net(m, x), y);
 *     tg_trace_html("step.html", step);               // before tg_backward, or after it
 *     tg_backward(loss);
 *     tg_tape_rewind(step);
 *
 * The page is one file that needs no server and no network: the program's own lines beside the graph of what they recorded; a slider
 * that steps forward (values appear) and backward (adjoints appear, what each path contributes is added up, what was saved is let
 * go); for each op its rule as text, with the numbers in it. docs/tracing.md says what there is to see, and docs/trace-format.md what
 * the same is as JSON.
 *
 * The adjoint of a tensor t is dL/dt, L being the loss. To see how each comes about the graph is walked in private, as
 * tg_backward would walk it: each rule is run once more, and what it gives for each of its inputs is noted before it is added to what is
 * there. Nothing is changed by that, no gradient, no value, no state of a random stream; hooks are not run, so that what a hook would
 * have changed is shown as it came to the hook. Numbers are those of the tape, to the last bit: contributions are added in the order and in the way in which
 * tg_backward adds them.
 *
 * A trace is taken where a step is still on the tape: before tg_tape_rewind. After a tg_backward without `.retain` what rules need is
 * there as long as nobody has dropped it (tg_drop_elements) or changed it in place (as the step of an optimiser changes
 * parameters). Where a rule cannot be run any more, its node says why, and so does each whose adjoint is not
 * complete without it; all else is shown.
 */
#ifndef TG_AUTOGRAD_TRACE_TRACE_H
#define TG_AUTOGRAD_TRACE_TRACE_H

#include "autograd/tape.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a program says beside its graph, on the page below it and in the JSON: formulas with their numbers, and numbers of many layers.
 *
 *     tg_trace_row rows[] = {{"dZ", "(P - Y) / n", dz}, {"dW", "X^T dZ", dw}};
 *     tg_trace_seed seed = {"Sigmoid and cross-entropy", 2, rows};
 *     tg_trace_html("losses.html", mark, .seeds = &seed, .n_seeds = 1);
 */
typedef struct tg_trace_row {
    const char *name, *formula; /* NULL: none */
    const tg_tensor *value;
} tg_trace_row;
typedef struct tg_trace_seed { /* a table: how a gradient begins, and what is made of it, layer by layer */
    const char *title;
    int n;
    const tg_trace_row *rows;
} tg_trace_seed;

/* One line of each plot: a number a layer, the first layer's first, so many as that of the others of its flow. Standard deviations of activations and of
 * gradients, on a logarithmic axis, and shares of units that are dead; NULL: none. */
typedef struct tg_trace_series {
    const char *name;
    const tg_tensor *activation, *gradient, *dead;
} tg_trace_series;
typedef struct tg_trace_flow {
    const char *title;
    int n;
    const tg_trace_series *series;
} tg_trace_flow;

typedef struct tg_trace_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_tensor *loss; /* one number, from which the walk starts; NULL: the last such result that requires a gradient */
    const char *title; /* NULL: the name of the file that the loss was made in, or "tapegrad" */
    /* A folder in which source files are looked for, by the path that the compiler noted and by its last part; NULL: that path as it
     * is, from the working folder, or without the "../" that it begins with. Where a file is not found its lines are known by their numbers alone. */
    const char *sources;
    int most; /* of how many elements all are written, and of more the first 8 and a summary; 0: 64, or 16 of more than 24 nodes */
    int n_seeds, n_flows; /* how many: */
    const tg_trace_seed *seeds;
    const tg_trace_flow *flows;
} tg_trace_opts;
typedef tg_trace_opts tg_trace_html_opts, tg_trace_json_opts, tg_trace_text_opts;
typedef tg_trace_opts tg_trace_dot_opts, tg_trace_svg_opts;

/* Each of these writes what was recorded from `mark` on and how the loss's gradient comes about. Results of nodes before the mark
 * count as leaves. A file appears whole or not at all: a failure leaves an old one as it was.
 *
 *     tg_trace_html("step.html", mark, .title = "the first step")
 *
 * html:  the page.
 * json:  the data that the page is made of (docs/trace-format.md); compressed where the path ends in ".gz".
 * text:  a walk on a terminal: the nodes forward with their values; then backward, for each node its rule, what comes in, what
 *        goes to each input, and the sum that this makes.
 * dot:   the graph for Graphviz: dot -Tsvg graph.dot > graph.svg
 * svg:   the graph as a picture, laid out here. Of more than 200 nodes those of one layer (what stands before the last '.' of
 *        its parameters' names) and of one line are drawn as one box.
 *
 * TG_ERR_ARGUMENT: a path, or a file, that is NULL; .most or a number of seeds, rows, flows or series below 0, or without these; a tensor that is NULL where one
 *     must be, or of other than one number a layer; a tape that has no node from the mark on; a loss that is not one
 *     number, or none that requires a gradient.
 * TG_ERR_TAPE: a mark that tg_tape_mark did not give, that was rewound, or that belongs to another tape; a loss that was recorded before
 *     the mark or on another tape; the recording of a plan's step, where nothing may be read that the plan does not know of.
 * TG_ERR_LIFETIME: a loss that was rewound or freed.
 * TG_ERR_IO: the file cannot be written.
 * TG_ERR_MEMORY. While an error is pending nothing is written, and it is returned. */
TG_API tg_status tg_trace_html_with(const char *path, tg_mark mark, tg_trace_html_opts opts);
TG_API tg_status tg_trace_json_with(const char *path, tg_mark mark, tg_trace_json_opts opts);
TG_API tg_status tg_trace_text_with(FILE *file, tg_mark mark, tg_trace_text_opts opts);
TG_API tg_status tg_trace_dot_with(const char *path, tg_mark mark, tg_trace_dot_opts opts);
TG_API tg_status tg_trace_svg_with(const char *path, tg_mark mark, tg_trace_svg_opts opts);

#ifdef __cplusplus
}
#endif

#endif
