/* Private. What finds culprits: elements that are not finite, sentences about them, and a walk that somebody watches. */
#ifndef TG_AUTOGRAD_BLAME_BLAME_H
#define TG_AUTOGRAD_BLAME_BLAME_H

#include "autograd/blame/nonfinite.h"
#include "autograd/walk.h"
#include "core/span.h"

#include <math.h>

/* ---- finite.c: elements ---- */

/* What the elements of an array have: a set. */
enum { TG_FINITE = 0, TG_INFINITE = 1, TG_NAN = 2 };
int tg_kind_of_array(const tg_array *a);

/* Whether it is TG_FINITE: most often of f32 or f64, and one element has no loop. */
static inline bool tg_array_is_finite(const tg_array *a) {
    if (a->numel != 1) return tg_kind_of_array(a) == TG_FINITE;
    return a->dtype == TG_F32 ? isfinite(*(const float *)a->data) : isfinite(tg_array_get(a, 0));
}

/* The linear position of the first element of such a kind, or -1. */
int64_t tg_first_of_kind(const tg_array *a, int kind);

/* The elements of t, also those that only a node still sees; NULL where there are none. Raises nothing. */
const tg_array *tg_elements_there(const tg_tensor *t);
int tg_kind_of_tensor(const tg_tensor *t); /* TG_FINITE, too, where there are no elements */

typedef struct tg_range { /* of finite elements */
    double lo, hi;
    bool any;
} tg_range;
void tg_range_add(tg_range *r, double v);

/* The position in `in`, which broadcasts to out's shape, of what stands at position i of out. */
int64_t tg_broadcast_position(const tg_array *in, const tg_array *out, int64_t i);

/* ---- sentence.c ---- */

/* What a function writes on a file in memory, in `text` as far as it fits. */
typedef struct tg_writing {
    FILE *file; /* NULL: there was no memory for it, and nothing is written */
    char *whole;
    size_t size;
} tg_writing;
FILE *tg_writing_begin(tg_writing *w);
void tg_writing_end(tg_writing *w, char *text, size_t n);

/* "#3 log(#2 [64] f32) -> [64] f32   train.c:41" */
void tg_write_node(FILE *file, int64_t id);
void tg_write_position(FILE *file, const tg_array *a, int64_t i); /* "[5, 2]" */
/* "relu at train.c:41" */
void tg_write_maker(FILE *file, const tg_slot *s);

/* "add(1, nan)": what the op was given for position i of `out` */
void tg_write_operands(FILE *file, const tg_op *op, tg_tensor *const *in, int n_in, const tg_array *out,
                       int64_t i);

/* One application of an op, recorded or not, of which `out` has a first element of `kind` at position i. */
typedef struct tg_blamed {
    const tg_op *op;
    tg_tensor *const *in;
    int n_in;
    const tg_array *out;
    int64_t i;
} tg_blamed;

/* ": log(-0.3) at [5, 2]", or what can be said instead. */
void tg_write_values(FILE *file, const tg_blamed *b);

/* ---- nonfinite.c ---- */

/* Writes the sentence about where the elements of `root` come from that are no numbers, or, where it has none such, infinite. */
void tg_write_origin(FILE *file, const tg_slot *root);

/* Where the loss, one number, is none or infinite: that, with its origin, between `before` and `after`. TG_WALKING_BACK is what goes
 * between that and what is said of its gradients. */
void tg_write_bad_loss(FILE *file, const char *before, const tg_slot *loss, const char *after);
#define TG_WALKING_BACK "; walking back from there, "

/* ---- watch.c: walks that are watched, one step at a time ---- */

/* What a rule has given for one input, when the step is over. */
typedef struct tg_contribution {
    const tg_walk *walk;
    const tg_node *node;
    int i;         /* the first of the inputs that are `slot` */
    tg_slot *slot; /* its adjoint: */
    const tg_array *g; /* the contribution alone, or, where the watcher does not ask for that, the sum so far; NULL: none */
    const tg_array *const *dout;
} tg_contribution;

typedef struct tg_watcher tg_watcher;
struct tg_watcher {
    tg_status (*contributed)(tg_watcher *o, const tg_contribution *c);
    bool apart; /* contributions are shown before they are added to others */
    /* Takes the step itself, with tg_step_plain; NULL: it is taken for it. Only of a walk that goes once more. */
    tg_status (*step)(tg_watcher *o, tg_walk *w, tg_node *node, tg_adjoint *adjoints);
};

extern _Thread_local TG_HOT tg_watcher *tg_watching; /* NULL: the finite check's own */

/* For the walk: takes the step, and shows what came of it. */
tg_status tg_step_watched(tg_walk *w, tg_node *node, tg_adjoint *adjoints);

/* Walks the graph of n roots again, to the leaves or, where it is not NULL, to t, whose gradient becomes *gradient (to be
 * dropped; no data: there is none). seeds NULL, or a NULL in it: ones. Nodes below `floor` are left out. All is as it was
 * afterwards, but for the error that is raised where it cannot be done. */
typedef struct tg_rewalk {
    int n;
    tg_slot *const *root;
    tg_tensor *const *seeds;
    tg_slot *t;
    int64_t floor;
} tg_rewalk;
tg_status tg_check_saved_there(const tg_node *node); /* of a node that was walked: its elements */
tg_status tg_walk_again(const tg_rewalk *r, tg_watcher *o, tg_array *gradient);

/* ---- finite_check.c ---- */

/* Watches for the first contribution that is not finite, of which it writes a sentence. */
typedef struct tg_finder {
    tg_watcher watcher; /* first */
    FILE *file;
    bool found;
} tg_finder;
tg_finder tg_finder_of(FILE *file);

extern _Thread_local TG_HOT tg_finite_check tg_checking;

/* For tg_apply, where elements are watched: the op has made `out`. */
tg_status tg_check_applied(const tg_op *op, tg_tensor *const *in, int n_in, tg_slot *const *out);

/* For tg_backward and tg_grad, where tg_checking is not off: before the walk; and after it for a gradient that is to
 * leave it and is not finite, of which the culprit is looked for. */
tg_status tg_check_output(const char *who, const tg_slot *out);
tg_status tg_check_gradient(const char *who, const tg_rewalk *of_walk, const tg_slot *of, const tg_array *g);

/* When a thread gets its first tape: what the environment says. */
void tg_finite_check_begin(void);

#endif
