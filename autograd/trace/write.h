/* Private. Where the writers of a trace put what they write. */
#ifndef TG_AUTOGRAD_TRACE_WRITE_H
#define TG_AUTOGRAD_TRACE_WRITE_H

#include "autograd/trace/model.h"
#include "core/io/stream.h"

typedef struct tg_sink {
    const char *path; /* of a new file; NULL: */
    FILE *file;       /* what is there */
    bool gzip;        /* where the path says so */
    bool page;        /* "<" of strings is \u003c, as what stands in a page must have it */
    const char *who;
    tg_writer w;
    tg_status status;
    int n;
    char piece[1 << 13];
} tg_sink;

tg_status tg_sink_open(tg_sink *o, const char *who);
tg_status tg_sink_close(tg_sink *o); /* all is written, or an error raised */

void tg_sink_put(tg_sink *o, const char *bytes, size_t n);
void tg_sink_text(tg_sink *o, const char *text);
void tg_sink_format(tg_sink *o, const char *format, ...) TG_PRINTF(2, 3); /* 500 bytes at most */
void tg_sink_string(tg_sink *o, const char *string);                      /* of JSON; NULL is null */
void tg_sink_xml(tg_sink *o, const char *text); /* escaped; what is no UTF-8, and control characters, are U+FFFD */

/* Element i of those that the values show, and a number of their dtype. Of JSON: what is no number is in quotes. */
void tg_sink_element(tg_sink *o, const tg_traced_values *v, int i, bool json);
void tg_sink_number(tg_sink *o, const tg_traced_values *v, double number, bool json);
double tg_trace_element(const tg_traced_values *v, int i);

/* In the plain locale. */
typedef void tg_trace_write(tg_trace *t, tg_sink *o);
tg_trace_write tg_trace_write_html, tg_trace_write_json, tg_trace_write_text, tg_trace_write_dot,
    tg_trace_write_svg;

/* The members "seeds" and "flow", each with a comma before it, where there are any. */
void tg_trace_put_sections(const tg_trace *t, tg_sink *o);

/* "hidden [64, 10]", or without a name "#3 [64, 10]" for a result, "[64, 10]" for others. */
void tg_trace_label(const tg_trace *t, int tensor, char *text, size_t n);

#endif
