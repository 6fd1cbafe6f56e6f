/* Private. Numbers as decimal text, read and written exactly, whatever the locale. */
#ifndef TG_CORE_IO_NUMBER_H
#define TG_CORE_IO_NUMBER_H

#include "core/shape.h"

#include <locale.h>
#ifdef __APPLE__
#include <xlocale.h>
#endif

enum {
    TG_NUMBER_TEXT = 32 /* bytes that the text of any number fits in */
};

/* Between begin and end this thread's locale is "C", in which the C library's conversions have a decimal point. begin is
 * false where there is no memory for it. */
typedef struct tg_plain_locale {
    locale_t plain, before;
} tg_plain_locale;
bool tg_plain_locale_begin(tg_plain_locale *l);
void tg_plain_locale_end(const tg_plain_locale *l);

/* In the plain locale: reads the number that all of `text` is to *to, an element of this dtype. NULL, or what is wrong:
 * "is not a number". */
const char *tg_number_read(const char *text, tg_dtype dtype, void *to);

/* In the plain locale: writes the element and a NUL, and returns the length without it. */
int tg_number_write(char text[TG_NUMBER_TEXT], tg_dtype dtype, const void *from);

#endif
