/* Private. What the grading of a backward pass by hand is made of. */
#ifndef TG_AUTOGRAD_CHECK_GRADING_H
#define TG_AUTOGRAD_CHECK_GRADING_H

#include "autograd/blame/blame.h"
#include "autograd/check/grade.h"
#include "autograd/tape_private.h"
#include "autograd/walk.h"
#include "core/kernels/look.h"

/* ---- slip.c: two gradients compared ---- */

enum { TG_SEEN_PARTS = 8 };

/* What the tape makes of one gradient, and of what. */
typedef struct tg_seen {
    tg_array sum;                  /* no data: none reaches it */
    tg_array part[TG_SEEN_PARTS];  /* the first contributions, of which there are n_parts, */
    int64_t reader[TG_SEEN_PARTS]; /* and the nodes that they come from */
    int n_parts;
    const tg_node *node; /* the first node of the walk that reads the tensor; NULL: none */
    tg_array dout;       /* of that node's output 0 */
    double scale;        /* the largest number that comes in at any of them */
    int64_t order;       /* of its completion, in the walk */
} tg_seen;
void tg_seen_drop(tg_seen *s);

typedef struct tg_slip_found {
    tg_slip slip;
    int64_t element, differ; /* the first that is wrong, and how many are */
    double given, right, factor;
    bool all;      /* the factor is that of all elements, or, of TG_SLIP_SOME, of all that are wrong */
    int64_t count; /* the size of an axis: TG_SLIP_COUNT */
    unsigned axes; /* a set: TG_SLIP_NOT_SUMMED, TG_SLIP_SUMMED */
    int part;      /* TG_SLIP_PATH: the one that is missing, or, */
    bool alone;    /* the one that is there */
} tg_slip_found;

/* What is wrong with `given`; NULL: it was not. TG_ERR_MEMORY. */
tg_status tg_slip_find(const tg_seen *right, const tg_array *given, tg_slip_found *found);

/* Writes what is wrong, as "has the wrong sign". */
void tg_slip_write(FILE *file, const tg_seen *right, const tg_array *given, const tg_slip_found *found);

void tg_slip_write_times(FILE *file, double factor); /* "2 times", "1/4 of" */

/* ---- replay.c: nodes of the tape run again ---- */

/* Judges `right` as the derivative by element `element` of s: of the loss; or, where the node is not NULL, of the sum of dout times its
 * outputs, by its input i alone. No verdict, and no error, where they cannot be run again. */
typedef struct tg_replay {
    tg_slot *loss;
    const tg_node *node;
    int i;
    const tg_array *dout; /* n_out of them */
    const tg_slot *s;
    int64_t element;
} tg_replay;
void tg_replay_judge(const tg_replay *r, double right, tg_evidence *evidence);

/* ---- grading.c: what both ways to grade share ---- */

typedef struct tg_grading {
    tg_watcher watcher; /* first */
    const char *who;
    tg_grade_report *r;
    tg_slot *loss;
    tg_look look;                /* never looked at */
    const tg_rule_call *outside; /* the rule in which all this runs */
} tg_grading;

/* The message is what is written between these two, or, where an error is raised meanwhile, that, which is cleared. */
bool tg_grading_begin(tg_grading *g, const char *who, tg_tensor *loss, tg_grade_report *r);
bool tg_grading_end(tg_grading *g);

/* Walks the graph of the loss; the watcher takes the steps, those for which tg_grading_is_own is false by tg_step_plain. */
tg_status tg_grading_walk(tg_grading *g);
bool tg_grading_is_own(const tg_grading *g, const tg_walk *w);

/* Runs the node's rule such that `hear` is given what it gives for each input, alone; w->hearer is g. */
tg_status tg_grading_hear(tg_grading *g, tg_walk *w, tg_node *node, tg_adjoint *adjoints, tg_hear *hear);

/* n arrays without data; NULL with the error raised. */
tg_array *tg_grading_arrays(int n);
void tg_grading_drop(tg_array *a, int n);

double tg_grading_largest(const tg_array *a); /* 0 where there is none */

/* Notes the first slip in the report, and writes "is not right. First at [0, 1]: 0.5 instead of 0.25 (by differences 0.25 +- 1e-12)". */
void tg_grading_tell(FILE *file, tg_grading *g, const tg_seen *right, const tg_array *given,
                     const tg_slip_found *found, const tg_replay *replay);

/* "#5 relu (train.c:31)" */
void tg_grading_write_node(FILE *file, const tg_node *node);

#endif
