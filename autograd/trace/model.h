/* Private. A trace in memory: what the writers write (docs/trace-format.md). Things refer to each other by index, -1 being none. */
#ifndef TG_AUTOGRAD_TRACE_MODEL_H
#define TG_AUTOGRAD_TRACE_MODEL_H

#include "autograd/tape_private.h"
#include "autograd/trace/trace.h"

enum { TG_TRACE_HIST = 16, TG_TRACE_MAP = 24, TG_TRACE_FIRST = 8, TG_TRACE_TEXT = 400, TG_TRACE_FEW = 24 };

typedef struct tg_traced_values { /* of one array */
    int64_t n;
    tg_dtype dtype;
    int shown; /* elements at `e`, which are all where `whole` */
    bool whole;
    const void *e; /* of the dtype */
    bool any;      /* some element is finite; of these: */
    double min, max, mean, std;
    int64_t zero, nan, inf;
    const int64_t *hist; /* NULL: none */
    int rows, cols;
    const char *map; /* rows * cols letters; NULL: none */
} tg_traced_values;

typedef enum tg_trace_role { TG_TRACE_PARAMETER, TG_TRACE_INPUT, TG_TRACE_RESULT } tg_trace_role;

typedef struct tg_traced_tensor {
    const tg_tensor *handle;
    const char *name, *group; /* NULL: none */
    tg_trace_role role;
    tg_shape shape;
    tg_dtype dtype;
    bool there, requires_grad;
    int node, out; /* which made it */
    int value, grad,
        twice;  /* of the trace's values; grad: the sum of contributions so far, and in the end the adjoint */
    int broken; /* the node for whose sake the adjoint is not complete, or -1 */
    int64_t given; /* how many contributions */
} tg_traced_tensor;

typedef struct tg_traced_node {
    const tg_node *node;
    int op, file, line;
    int in, out; /* the first of node->n_in and n_out numbers of tensors in the trace's `index` */
    int saved, n_saved;
    int step;   /* in the walk, or -1 */
    bool leads; /* to the loss */
    const char *group, *why;
} tg_traced_node;

typedef struct tg_traced_part { /* what one rule gave for one input */
    int input, tensor, contribution, before, after, slope;
    bool rounded;
} tg_traced_part;

typedef struct tg_traced_step {
    int node, dout[TG_MAX_OUT];
    int64_t part, n_parts;
    int released, n_released; /* in `index` */
    const char *why;
} tg_traced_step;

typedef struct tg_traced_line {
    int number;
    const char *text;
} tg_traced_line;

typedef struct tg_traced_file {
    const char *path;
    bool found;
    tg_traced_line *line;
    int64_t n_lines, cap_lines;
} tg_traced_file;

typedef struct tg_wrong_part {
    int tensor, after;
} tg_wrong_part;

typedef struct tg_wrong_step { /* of the wrong order */
    int node, dout;
    int64_t part;
    int n_parts;
} tg_wrong_step;

typedef struct tg_traced_orders {
    bool made;
    tg_wrong_step *step;
    int64_t n_steps, cap_steps;
    tg_wrong_part *part;
    int64_t n_parts, cap_parts;
    int64_t runs;
    bool cut;
    int64_t first;
    const char *reason;
    int *leaf; /* by tensor: the gradient that the wrong order ends with */
} tg_traced_orders;

typedef struct tg_traced_row { /* of a table */
    const char *name, *formula;
    int value;
    tg_shape shape;
} tg_traced_row;

typedef struct tg_traced_seed {
    const char *title;
    tg_traced_row *row;
    int n;
} tg_traced_seed;

typedef struct tg_traced_series {
    const char *name;
    const double *line[3]; /* activation, gradient, dead; NULL: none */
} tg_traced_series;

typedef struct tg_traced_flow {
    const char *title;
    tg_traced_series *series;
    int n;
    int64_t layers; /* -1: no series has numbers */
} tg_traced_flow;

typedef struct tg_trace {
    const char *who;
    tg_tape *tape;
    tg_arena arena; /* texts, elements, tables */
    int most, detail;
    const char *title, *folder;
    int64_t first, end; /* the nodes [first, end) of the tape */
    tg_slot *loss;
    int loss_tensor, seed; /* seed: of values */
    tg_traced_values *value;
    int64_t n_values, cap_values;
    tg_traced_tensor *tensor;
    int64_t n_tensors, cap_tensors;
    tg_traced_node *node; /* end - first */
    const tg_op **op;
    int64_t n_ops, cap_ops;
    tg_traced_file *file;
    int64_t n_files, cap_files;
    int *index;
    int64_t n_index, cap_index;
    tg_traced_step *step;
    int64_t n_steps, cap_steps;
    tg_traced_part *part;
    int64_t n_parts, cap_parts;
    int *table; /* of tensors, by handle: a hash table */
    int64_t n_table;
    tg_traced_orders orders;
    tg_traced_seed *seed_table;
    tg_traced_flow *flow;
    int n_seeds, n_flows;
} tg_trace;

/* ---- trace.c ---- */

/* n zeroed elements that live as long as the trace; NULL with the error raised. */
void *tg_trace_room(tg_trace *t, size_t n, size_t size);
/* A copy of at most TG_TRACE_TEXT bytes of a text, with a mark where more was there. NULL with the error raised. */
const char *tg_trace_copy(tg_trace *t, const char *text, size_t n);
/* Makes room for one more behind `used` elements of *p; false with the error raised. */
bool tg_trace_grow(void **p, int64_t *cap, int64_t used, size_t element);
#define TG_TRACE_GROW(P, CAP, USED) \
    __extension__({ \
        void *grown_ = (P); \
        const bool done_ = tg_trace_grow(&grown_, &(CAP), (USED), sizeof *(P)); \
        (P) = grown_; \
        done_; \
    })

/* ---- values.c ---- */

typedef enum tg_trace_care { TG_TRACE_MAIN, TG_TRACE_MINOR, TG_TRACE_BRIEF } tg_trace_care;
/* The number of the array's elements in the trace: those of parameters and their gradients are written with most care; -1 with the
 * error raised. */
int tg_trace_values(tg_trace *t, const tg_array *a, tg_trace_care care);
/* The number of twice these elements, which are all; -1 with the error raised. */
int tg_trace_twice(tg_trace *t, int of);

/* ---- collect.c ---- */

tg_status tg_trace_collect(tg_trace *t);
int tg_trace_find(const tg_trace *t, const tg_tensor *handle); /* a tensor, or -1 */
int tg_trace_number(const tg_trace *t, int64_t id);            /* the node of that id, or -1 */
/* "fc1" of "fc1.weight"; NULL: none, or an error is raised. */
const char *tg_trace_group(tg_trace *t, const char *name);

/* ---- sources.c ---- */

/* The number of the file, which is read later; -1 with the error raised. */
int tg_trace_file(tg_trace *t, const char *path);
tg_status tg_trace_read_sources(tg_trace *t);

/* ---- backward.c, order.c ---- */

tg_status tg_trace_walk(tg_trace *t);
tg_status tg_trace_orders(tg_trace *t);

/* ---- sections.c ---- */

tg_status tg_trace_sections(tg_trace *t, const tg_trace_opts *opts);

/* ---- text of parts, for the writers: names.c ---- */

/* Writes the value of attribute field f of the node. */
void tg_trace_attribute(char *text, size_t n, const tg_node *node, const tg_attr_field *f);
/* Name k of the inputs (from 0 on) or outputs in formula and rule, in `text`; false where it is not known. */
bool tg_trace_input_name(const tg_op *op, int k, char *text, size_t n);
bool tg_trace_output_name(const tg_op *op, int k, char *text, size_t n);

#endif
