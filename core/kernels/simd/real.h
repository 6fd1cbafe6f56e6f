/* Private. The real type that the kernels are compiled for, and what they ask of the compiler. The build defines TG_REAL
 * (32 or 64).
 *
 *   S               the real type
 *   MATH(name)      libm's function for it
 *   IN_REAL(a, b)   a for f32, b for f64
 *   REAL_SUFFIX     f32 or f64, as it stands in names
 */
#ifndef TG_CORE_KERNELS_SIMD_REAL_H
#define TG_CORE_KERNELS_SIMD_REAL_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define PASTE_(a, b) a##b
#define PASTE(a, b) PASTE_(a, b)

#if TG_REAL == 32
typedef float S;
#define MATH(name) name##f
#define IN_REAL(narrow, wide) narrow
#define REAL_SUFFIX f32
#define DTYPE TG_F32
#else
typedef double S;
#define MATH(name) name
#define IN_REAL(narrow, wide) wide
#define REAL_SUFFIX f64
#define DTYPE TG_F64
#endif

/* Everything is inlined: around a call into the same file of a function that takes vectors or knows
 * nothing of them, gcc 12 leaves the upper halves of x86's registers dirty, and each SSE instruction that
 * follows stalls. */
#define INLINE static inline __attribute__((always_inline))
/* For what is too large for that: called as a function of another file is. */
#if defined(__clang__)
#define APART __attribute__((noinline)) static
#else
#define APART __attribute__((noipa)) static
#endif

/* Stands before a loop of at most n rounds, a number known when it is compiled, that becomes so many copies of its
 * body: only then do arrays of vectors live in registers. Clang takes a count to mean copies inside a loop that stays,
 * and is told to leave no loop. */
#define PRAGMA(text) _Pragma(#text)
#if defined(__clang__) && defined(NO_VECTORS)
#define UNROLL(n)
#elif defined(__clang__)
#define UNROLL(n) PRAGMA(clang loop unroll(full))
#else
#define UNROLL(n) PRAGMA(GCC unroll n)
#endif

#endif
