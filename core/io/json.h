/* Private. Strings of JSON. */
#ifndef TG_CORE_IO_JSON_H
#define TG_CORE_IO_JSON_H

#include <stddef.h>

/* Puts n bytes where they belong. */
typedef void (*tg_json_put)(void *to, const char *bytes, size_t n);

/* Puts the string in quotes: quotes, backslashes and control characters escaped, U+FFFD for each byte that is no part of a
 * well-formed UTF-8 character, and the rest as it is. */
void tg_json_string(tg_json_put put, void *to, const char *string);

#endif
