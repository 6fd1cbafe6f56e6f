/* Private. The floating-point mode of a thread, on which its results depend besides their operands: rounding,
 * flush-to-zero, and the traps that are enabled. */
#ifndef TG_CORE_FLOAT_MODE_H
#define TG_CORE_FLOAT_MODE_H

#include <stdint.h>

#if defined(__x86_64__)
#include <xmmintrin.h>
#define TG_FLOAT_FLAGS UINT64_C(0x3f) /* exceptions that have occurred: not part of the mode */
static inline uint64_t tg_float_word(void) { return _mm_getcsr(); }
static inline void tg_set_float_word(uint64_t word) { _mm_setcsr((unsigned)word); }
#elif defined(__aarch64__)
#define TG_FLOAT_FLAGS UINT64_C(0) /* in a register of their own */
static inline uint64_t tg_float_word(void) {
    uint64_t word;
    __asm__ volatile("mrs %0, fpcr" : "=r"(word));
    return word;
}
static inline void tg_set_float_word(uint64_t word) { __asm__ volatile("msr fpcr, %0" : : "r"(word)); }
#else
#include <fenv.h>
#define TG_FLOAT_FLAGS UINT64_C(0)
static inline uint64_t tg_float_word(void) { return (uint64_t)fegetround(); }
static inline void tg_set_float_word(uint64_t word) { (void)fesetround((int)word); }
#endif

/* Gives this thread the mode in `word`; returns whether it had another one. */
static inline int tg_take_float_mode(uint64_t word) {
    uint64_t own = tg_float_word();
    if (((own ^ word) & ~TG_FLOAT_FLAGS) == 0) return 0;
    tg_set_float_word((word & ~TG_FLOAT_FLAGS) | (own & TG_FLOAT_FLAGS));
    return 1;
}

#endif
