/* A trace as a page: the text of autograd/trace/page/, with the JSON in its place. */
#include "autograd/trace/write.h"

#include "autograd/trace_page.inc"

void tg_trace_write_html(tg_trace *t, tg_sink *o) {
    tg_sink_put(o, before_trace, sizeof before_trace - 1);
    o->page = true;
    tg_trace_write_json(t, o);
    o->page = false;
    tg_sink_put(o, behind_trace, sizeof behind_trace - 1);
}
