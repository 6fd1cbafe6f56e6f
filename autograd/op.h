/* The op contract. Built-in ops and a user's own use the same struct and the same tg_apply; the library has no
 * other way to make a differentiable op. examples/custom_op.c is a complete one; docs/add-an-op.md walks
 * through it.
 *
 * The life of an op, in order:
 *     tg_apply(op, inputs, attributes)
 *       infer    checks shapes and dtypes, and says what the outputs look like
 *       forward  computes the outputs from the inputs
 *       a tg_node goes on the tape, when some input requires a gradient
 *     tg_backward or tg_grad reaches the node
 *       grad     receives dL/d(output), returns dL/d(input) for each input
 *
 * dL/d(input) may come in the broadcast shape: the walk sums it down to the input's shape and accumulates
 * the contributions of several uses, so no rule mentions broadcasting or fan-out.
 */
#ifndef TG_AUTOGRAD_OP_H
#define TG_AUTOGRAD_OP_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_op tg_op;
typedef struct tg_node tg_node;

/* One application of an op, as infer and forward see it. Input arrays are NULL where an optional input was
 * left out. */
typedef struct tg_call {
    const tg_op *op;
    int n_in, n_out;
    const tg_array *const *in;
    tg_array *const *out;
    const void *attr;         /* the op's attribute struct, or NULL */
    tg_tensor *const *handle; /* the inputs' handles, for messages only */
} tg_call;

/* Attributes are plain values in a struct that the op describes field by field, so that a tape can be
 * printed, exported and replayed. Every field has one of these C types. */
typedef enum tg_attr_type {
    TG_ATTR_INT,   /* int64_t */
    TG_ATTR_REAL,  /* double */
    TG_ATTR_BOOL,  /* bool */
    TG_ATTR_DIMS,  /* tg_shape: sizes or axes */
    TG_ATTR_DTYPE, /* tg_dtype */
    TG_ATTR_NAME   /* const char *, a static string */
} tg_attr_type;

typedef struct tg_attr_field {
    const char *name;
    tg_attr_type type;
    size_t offset;
} tg_attr_field;

#define TG_MAX_OUT 3      /* outputs of one op */
#define TG_MAX_ATTR 65536 /* bytes of one op's attributes */
#define TG_VARIADIC (-1)  /* n_in of an op that takes any number of inputs, at least one */

/* Bit sets over inputs and outputs, for save, optional and no_grad. */
#define TG_IN(i) (1u << (i))
#define TG_OUT(i) (1u << (16 + (i)))
#define TG_ALL_IN 0xffffu /* in save: all, however many there are */

typedef void (*tg_grad_fn)(const tg_node *node, tg_tensor *const *dout, tg_tensor **din);

/* Explicitly without gradient: comparisons, argmax. The output then never requires one. */
#define TG_NO_GRAD tg_no_grad
TG_API void tg_no_grad(const tg_node *node, tg_tensor *const *dout, tg_tensor **din);

struct tg_op {
    const char *name;    /* the public function's name without tg_, as in PyTorch where it has one */
    const char *formula; /* "out = a * b", for the reference and the printed tape */
    /* The gradient as text, for the same readers: "da = dout * b; db = dout * a". One assignment for each input that gets a gradient,
     * in their order and separated by "; ", with the names of `formula` and d before them; before these, abbreviations, whose names do
     * not begin with d. dout is dL/dout, and dx is dL/dx before it is summed to x's shape; attributes stand by their names.
     * docs/add-an-op.md has the notation. NULL where grad is TG_NO_GRAD, or nothing is said. */
    const char *rule;
    const char *kink; /* the subgradient chosen where the derivative does not exist; NULL: none needed */
    int n_in;         /* number of inputs (at most 16), or TG_VARIADIC */
    int n_out;        /* 1 to TG_MAX_OUT; 0 means 1 */

    unsigned save;     /* which inputs and outputs the gradient reads the elements of */
    unsigned save_f64; /* the same where input 0 is f64 and the rule reads others then; 0: as save */
    unsigned optional; /* which inputs may be NULL */
    unsigned no_grad;  /* which inputs never get a gradient: indices, masks */

    size_t attr_size;           /* bytes of the attribute struct, at most TG_MAX_ATTR; 0: none */
    const tg_attr_field *attrs; /* the fields that are printed; each lies within the struct */
    int n_attrs;

    /* Checks the inputs and lays out every output with tg_out(). On bad input returns tg_call_fail(...). (Here and in
     * forward and grad_kernel: a status other than TG_OK that was returned without raising it is raised by the caller.)
     * An op whose output is a view of an input sets out->data itself, through the view functions of
     * core/array.h, and may leave forward NULL. */
    tg_status (*infer)(const tg_call *call);

    /* Fills the outputs, which are allocated and contiguous. Inputs may have any strides. */
    tg_status (*forward)(const tg_call *call);

    /* The gradient, written with differentiable ops: dout[o] is dL/d(out o), of out o's shape; set din[i]
     * for every i with tg_needs(node, i). In an op of several outputs dout[o] is NULL where L does not depend
     * on out o. Because it is made of ops it can be recorded, which gives derivatives of any order. */
    tg_grad_fn grad;

    /* Optional: the same gradient on plain arrays, used when the walk is not recorded. din[i] comes empty, or,
     * for an op that sets `accumulates` bit i, possibly holding a contiguous array of the input's shape that
     * the result is to be added to. Share, or allocate with tg_array_alloc. The tests hold it equal to grad
     * on every sample. */
    tg_status (*grad_kernel)(const tg_node *node, const tg_array *const *dout, tg_array *din);
    unsigned accumulates;

    /* Bit i: grad_kernel can write din[i] over dout[0], as it reads no element of that after the same element of din[i] was written,
     * and writes din[i] last. Where nobody else needs dout[0], the last needed input with such a bit then comes holding that very
     * array; all others come empty. A chain of elementwise ops so walks back in one array. */
    unsigned over;

    /* Each element of the output depends on those elements of the inputs alone that broadcast to its place. Jacobians
     * ask: where no gradient reaches an element, an infinite slope there counts for nothing (autograd/functional.h). */
    bool elementwise;

    /* forward and grad_kernel call elementwise kernels of core/kernels/kernels.h, or tg_reduce, and share arrays, and do nothing
     * else. A plan then calls these kernels itself, on parts of the arrays too. */
    bool of_kernels;

    /* forward and grad_kernel fill their results, whatever the numbers are, fail for want of memory alone, and do nothing else. A
     * plan does not call them where nobody uses what they make. Implied by of_kernels. */
    bool pure;

    /* Bit i: what grad_kernel leaves in din[i] was written last by functions of the library's kernels that look at what they write
     * (core/kernels/look.h), so that the finite check need not read it again. Implied by of_kernels. */
    unsigned looked;

    /* Optional, for an op of one input that folds all of it to one number: the same output from the sum of the input's
     * elements, which is of its dtype and added as tg_reduce does. False, with nothing written: the elements themselves are
     * needed. A plan then need not keep elements that nobody else uses. */
    bool (*of_sum)(const tg_call *call, const void *sum);

    /* forward or the gradient depends on, or changes, something besides inputs, outputs and attributes: a counter, a file.
     * A plan refuses such an op by name. Others it may call as often as it likes, and a gradient kernel that only shares
     * arrays not at all. */
    bool has_state;

    /* Optional, for profiles: how many floating-point operations a call takes, a multiplication and an addition being two.
     * `needed` is 0 for forward, and for grad_kernel the set of inputs whose gradient it computes. Arrays may be without
     * elements. NULL: as many as the results have elements where the op is elementwise, otherwise not known. */
    double (*flops)(const tg_call *call, unsigned needed);
};

/* What the tape holds for one applied op. Rules read it; only the library writes it. */
struct tg_node {
    const tg_op *op;
    tg_tensor **in; /* NULL where an optional input was left out */
    tg_tensor **out;
    const void *attr; /* the op's attribute struct, or NULL */
    int32_t id;       /* position on the tape */
    int32_t first;    /* the lowest id among the nodes this one depends on, itself included */
    int n_in;
    unsigned saved : 24; /* op->save or op->save_f64: what the rule may read here */
    unsigned n_out : 7;
    unsigned walked : 1; /* a walk without `retain` has passed: what it saved is gone */
};

/* Applies the op: checks handles, infers, allocates, computes, records. `attr` is copied; where op->attr_size is 0 it is
 * not looked at, and the op is given NULL. Returns output 0; tg_apply_multi also stores outputs 0..n_out-1 in out. On
 * failure every output is the poison tensor, and the tape is as it was. TG_ERR_ARGUMENT for an op without a name, infer or forward, with more outputs or attributes than it can
 * have, or whose attributes were left out. TG_ERR_TAPE, when an input requires a gradient and op->grad is NULL. */
TG_API tg_tensor *tg_apply(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr);
TG_API tg_status tg_apply_multi(const tg_op *op, tg_tensor *const *in, int n_in, const void *attr,
                                tg_tensor **out);

/* For infer: output o has this dtype and shape. */
TG_API tg_status tg_out(const tg_call *call, int o, tg_dtype dtype, tg_shape shape);

/* For infer: raises "<op>: <text>" and returns the status. tg_call_input(call, i) describes input i as
 * "fc1.weight [785, 256] f32", for use in the text; up to four descriptions live at a time on a thread. */
TG_API tg_status tg_call_fail(const tg_call *call, tg_status status, const char *format, ...) TG_PRINTF(3, 4);
TG_API const char *tg_call_input(const tg_call *call, int i);

/* Common shape rules. same: out 0 is like input 0. broadcast: all inputs float (any dtype when `any`), of one
 * dtype, broadcast together. Both raise the error themselves. */
TG_API tg_status tg_infer_same(const tg_call *call);
TG_API tg_status tg_infer_broadcast(const tg_call *call);

/* For grad: whether input i needs a gradient in the walk that calls the rule; outside of any, whether one
 * flows to it. */
TG_API bool tg_needs(const tg_node *node, int i);

/* For grad_kernel: the arrays of inputs and outputs, with elements only for the saved ones. */
TG_API const tg_array *tg_node_in(const tg_node *node, int i);
TG_API const tg_array *tg_node_out(const tg_node *node, int o);

#ifdef __cplusplus
}
#endif

#endif
