/* Strings of JSON. */
#include "core/io/json.h"
#include "core/io/text.h"

#include <stdio.h>
#include <string.h>

void tg_json_string(tg_json_put put, void *to, const char *string) {
    const char *end = string + strlen(string);
    put(to, "\"", 1);
    for (const char *p = string; p < end;) {
        uint32_t code;
        char escape[8];
        int n = tg_utf8_decode(p, end - p, &code);
        if (*p == '"' || *p == '\\')
            put(to, (char[]){'\\', *p}, 2);
        else if (n == 1 && (code < 0x20 || code == 0x7f))
            put(to, escape, (size_t)snprintf(escape, sizeof escape, "\\u%04x", (unsigned)code));
        else if (n == 0)
            put(to, "\\ufffd", 6);
        else
            put(to, p, (size_t)n);
        p += n ? n : 1;
    }
    put(to, "\"", 1);
}
