/* Bytes to a file that appears whole or not at all, or to one that is there. */
#include "autograd/trace/write.h"
#include "core/io/json.h"
#include "core/io/number.h"
#include "core/io/text.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <string.h>

tg_status tg_sink_open(tg_sink *o, const char *who) {
    o->who = who, o->status = TG_OK, o->n = 0;
    return o->file ? TG_OK : tg_writer_open(&o->w, who, o->path, o->gzip ? TG_MAYBE_GZIP : TG_NEVER_GZIP);
}

static tg_status fail_file(tg_sink *o) {
    return tg_fail(TG_ERR_IO, "%s: the file cannot be written: %s", o->who, strerror(errno));
}

static void flush(tg_sink *o) {
    if (o->status == TG_OK && !o->file)
        o->status = tg_writer_put(&o->w, o->piece, o->n);
    else if (o->status == TG_OK && fwrite(o->piece, 1, (size_t)o->n, o->file) != (size_t)o->n)
        o->status = fail_file(o);
    o->n = 0;
}

tg_status tg_sink_close(tg_sink *o) {
    flush(o);
    if (!o->file) return tg_writer_close(&o->w, o->status);
    if (o->status == TG_OK && fflush(o->file) != 0) o->status = fail_file(o);
    return o->status;
}

void tg_sink_put(tg_sink *o, const char *bytes, size_t n) {
    while (n > 0) {
        size_t part = sizeof o->piece - (size_t)o->n;
        if (part > n) part = n;
        memcpy(o->piece + o->n, bytes, part);
        o->n += (int)part, bytes += part, n -= part;
        if ((size_t)o->n == sizeof o->piece) flush(o);
    }
}

void tg_sink_text(tg_sink *o, const char *text) { tg_sink_put(o, text, strlen(text)); }

void tg_sink_format(tg_sink *o, const char *format, ...) {
    char text[512];
    va_list args;
    va_start(args, format);
    const int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    tg_sink_put(o, text, n < 0 ? 0 : (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

/* ---- strings ---- */

static void put_json(void *to, const char *bytes, size_t n) {
    tg_sink *o = to;
    if (!o->page) {
        tg_sink_put(o, bytes, n);
        return;
    }
    for (size_t i = 0; i < n; i++)
        if (bytes[i] == '<')
            tg_sink_text(o, "\\u003c");
        else
            tg_sink_put(o, bytes + i, 1);
}

void tg_sink_string(tg_sink *o, const char *string) {
    if (string)
        tg_json_string(put_json, o, string);
    else
        tg_sink_text(o, "null");
}

void tg_sink_xml(tg_sink *o, const char *text) {
    const char *end = text + strlen(text);
    while (text < end) {
        uint32_t code;
        const int n = tg_utf8_decode(text, end - text, &code);
        const bool none =
            n == 0 || (code < 0x20 && code != '\t') || code == 0x7f || code == 0xfffe || code == 0xffff;
        if (none)
            tg_sink_text(o, "\xef\xbf\xbd");
        else if (code == '<' || code == '>' || code == '&' || code == '"')
            tg_sink_text(o, code == '<' ? "&lt;" : code == '>' ? "&gt;" : code == '&' ? "&amp;" : "&quot;");
        else
            tg_sink_put(o, text, (size_t)n);
        text += n ? n : 1;
    }
}

/* ---- numbers ---- */

static void put_number(tg_sink *o, tg_dtype dtype, const void *of, bool json) {
    char text[TG_NUMBER_TEXT];
    const int n = tg_number_write(text, dtype, of);
    const bool quoted = json && (text[n - 1] == 'n' || text[n - 1] == 'f');
    if (quoted) tg_sink_put(o, "\"", 1);
    tg_sink_put(o, text, (size_t)n);
    if (quoted) tg_sink_put(o, "\"", 1);
}

void tg_sink_element(tg_sink *o, const tg_traced_values *v, int i, bool json) {
    put_number(o, v->dtype, (const char *)v->e + (size_t)i * tg_dtype_size(v->dtype), json);
}

void tg_sink_number(tg_sink *o, const tg_traced_values *v, double number, bool json) {
    const float narrow = (float)number;
    if (v->dtype == TG_F32)
        put_number(o, TG_F32, &narrow, json);
    else
        put_number(o, TG_F64, &number, json);
}

double tg_trace_element(const tg_traced_values *v, int i) {
    const int64_t n = v->shown;
    const tg_array a = {.data = (void *)(uintptr_t)v->e,
                        .numel = n,
                        .dtype = (uint8_t)v->dtype,
                        .rank = 1,
                        .shape = {n},
                        .stride = {1}};
    return tg_array_get(&a, i);
}
