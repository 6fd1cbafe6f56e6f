/* Errors: sticky, and they name the culprit.
 *
 * The first failure on a thread is remembered, with a text and the file:line of the user's call; later
 * failures do not replace it. An op that fails, or that is given the result of a failed op, returns the
 * poison tensor, so calls nest without a check between them. Functions that end a piece of work
 * (tg_backward, tg_grad, tg_optim_step, loaders, savers) return a status and refuse to start while an error
 * is pending. So a program asks once per step:
 *
 *     if (tg_backward(loss) != TG_OK) { fputs(tg_error_message(), stderr); return 1; }
 *
 * The library never prints, exits or aborts over a user's mistake, with one exception that the user asks
 * for: strict mode.
 */
#ifndef TG_CORE_ERROR_H
#define TG_CORE_ERROR_H

#include <stdbool.h>

#if defined(__GNUC__)
#define TG_API __attribute__((visibility("default")))
#define TG_PRINTF(fmt, args) \
    __attribute__((format(printf, fmt, args), cold)) /* the texts are of what goes wrong */
#else
#define TG_API
#define TG_PRINTF(fmt, args)
#endif

#ifdef __cplusplus
extern "C" {
#endif

typedef enum tg_status {
    TG_OK = 0,
    TG_ERR_SHAPE,    /* sizes or ranks that do not fit */
    TG_ERR_DTYPE,    /* an element type the op does not take, or two that differ */
    TG_ERR_ARGUMENT, /* NULL, an axis or option out of range, a domain error */
    TG_ERR_LIFETIME, /* a handle used after its rewind or free, or elements after tg_drop_elements */
    TG_ERR_TAPE,     /* backward on what was not recorded, was already walked, or changed since */
    TG_ERR_MEMORY,   /* an allocation failed, or a size overflows */
    TG_ERR_IO,       /* a file or folder that cannot be read or written */
    TG_ERR_FORMAT,   /* a file whose content is not what its header or format says */
    TG_ERR_PEER      /* another process of a shared training has failed, or cannot be reached */
} tg_status;

/* The status of the first failure on this thread since the last clear, or TG_OK. */
TG_API tg_status tg_error_status(void);

/* Its text, "op: what is wrong: operands   (file:line)", or "" when there is none. The string belongs to
 * the thread and stays valid until the next tg_error_clear. */
TG_API const char *tg_error_message(void);

/* Forgets the error. Poison tensors made by it stay poison. */
TG_API void tg_error_clear(void);

/* Strict mode, for debuggers and classrooms: the first error prints its message on stderr and calls abort(),
 * so that a debugger stops at the user's line. Also on when the environment has TG_STRICT=1. Off by default.
 * Returns the previous setting. */
TG_API bool tg_set_strict(bool on);

/* Raises an error from a user's own op or helper: remembers status and text unless one is pending already.
 * Returns the pending status, so that `return tg_fail(...)` reads well. Allocates only for a text of more than 280
 * characters, which is cut where there is no memory; 4,095 are kept at most. */
TG_API tg_status tg_fail(tg_status status, const char *format, ...) TG_PRINTF(2, 3);

/* For a function made of others: from this line to the end of the block an error names it, and not the function inside
 * that raised it, so that "conv2d: .." becomes "conv1d: ..". Of nested names the outermost counts. `name` is static;
 * NULL suspends renaming for a block that calls the user's own functions. autograd/composed.h has the form for functions
 * of several ops. */
#define TG_NAMED(name) \
    const char *tg_outer_name __attribute__((cleanup(tg_named_end), unused)) = tg_named_begin(name)
TG_API const char *tg_named_begin(const char *name);
TG_API void tg_named_end(const char *const *outer);

/* What the macros of ops/calls.h call: in a pending error that has no place yet, notes file:line as that of the user's
 * call. Returns `status`. */
TG_API tg_status tg_status_at(tg_status status, const char *file, int line);

/* The name of a status, "TG_ERR_SHAPE". */
TG_API const char *tg_status_name(tg_status status);

#ifdef __cplusplus
}
#endif

/* The first field of each struct of options. It stands for no option: one that is given by its place, without a name, meets
 * this pointer and does not compile without a warning. */
typedef const struct tg_option_without_a_name *tg_options_are_named;

/* In a struct of options, 0 (or a field left out) stands for the default. Where the default is another number, TG_ZERO
 * asks for 0 itself. */
#define TG_ZERO (-0.0)
static inline double tg_option(double given, double standard) {
    return given != 0 ? given : __builtin_signbit(given) ? 0 : standard;
}

#endif
