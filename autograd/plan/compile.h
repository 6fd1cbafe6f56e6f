/* Private. A C text compiled by the system's compiler, loaded, and kept in a folder for the next process.
 *
 * The compiler is `cc`, or what TG_CC names. The folder is TG_CACHE, or tapegrad in XDG_CACHE_HOME or in ~/.cache; it is made
 * where it is missing, and used only if nobody but the user and root can write it or what is above it. In it lie, under a hash
 * of the text, the compiler's name and its options, the text and what was made of it, which ends in a checksum: a file that was cut
 * short is made again. Files appear whole, so that several processes may do this at once. */
#ifndef TG_AUTOGRAD_PLAN_COMPILE_H
#define TG_AUTOGRAD_PLAN_COMPILE_H

#include <stdbool.h>
#include <stddef.h>

typedef struct tg_compiled {
    void *library; /* NULL: it was not compiled, for this reason: */
    char why[200];
} tg_compiled;

/* Text of n bytes, with the options, words between single spaces, and a library to link with ("": none). */
tg_compiled tg_compile(const char *text, size_t n, const char *options, const char *library);
void tg_compiled_free(tg_compiled *c);

/* A function of it, NULL where there is none. */
void (*tg_compiled_function(const tg_compiled *c, const char *name))(void);

#endif
