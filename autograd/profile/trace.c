/* A profile as a file of Chrome's trace-event format: a JSON object whose traceEvents are complete events (ph "X"), with times in
 * microseconds. */
#include "autograd/profile/profile_private.h"
#include "core/io/json.h"
#include "core/io/stream.h"
#include "core/work.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

typedef struct json {
    tg_writer w;
    tg_status status;
    int n;
    char piece[1 << 13];
} json;

static void flush(json *j) {
    if (j->status == TG_OK) j->status = tg_writer_put(&j->w, j->piece, j->n);
    j->n = 0;
}

static void put(json *j, const char *bytes, size_t n) {
    if (sizeof j->piece - (size_t)j->n < n) flush(j);
    memcpy(j->piece + j->n, bytes, n);
    j->n += (int)n;
}

TG_PRINTF(2, 3) static void put_format(json *j, const char *format, ...) {
    char text[256];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    put(j, text, (size_t)n < sizeof text ? (size_t)n : sizeof text - 1);
}

static void put_bytes(void *to, const char *bytes, size_t n) { put(to, bytes, n); }
static void put_string(json *j, const char *string) { tg_json_string(put_bytes, j, string); }

static void put_name(json *j, const tg_profile_row *r) {
    char text[TG_ROW_NAME];
    tg_profile_row_name(r, text);
    put_string(j, text);
}

static void put_event(json *j, const tg_profile *p, const tg_profile_event *e) {
    static const char *const phase[] = {"forward", "backward", "update"};
    const tg_profile_row *r = &p->entry[e->row].row;
    put_format(
        j, ",\n{\"ph\":\"X\",\"pid\":%d,\"tid\":%" PRIu64 ",\"ts\":%" PRId64 ".%03d,\"dur\":%" PRId64 ".%03d,",
        (int)getpid(), p->thread, e->began / 1000, (int)(e->began % 1000), e->took / 1000,
        (int)(e->took % 1000));
    put_format(j, "\"cat\":\"%s\",\"name\":", phase[r->phase]);
    put_name(j, r);
    put_format(j, ",\"args\":{\"bytes\":%.0f,\"flops\":%.0f", e->bytes, e->flops);
    if (r->file) {
        put_format(j, ",\"line\":%d,\"file\":", r->line);
        put_string(j, r->file);
    }
    put_format(j, "}}");
}

static void put_all(json *j, const tg_profile *p) {
    put_format(j, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"dropped\":%" PRId64 ",\"lost\":%" PRId64 "},\n",
               p->dropped, p->lost);
    put_format(
        j,
        "\"traceEvents\":[\n{\"ph\":\"M\",\"pid\":%d,\"name\":\"process_name\",\"args\":{\"name\":\"tapegrad\"}}",
        (int)getpid());
    for (const tg_profile_chunk *c = p->first; c; c = c->next)
        for (int64_t i = 0; i < c->n && j->status == TG_OK; i++) put_event(j, p, &c->event[i]);
    put_format(j, "\n]}\n");
    flush(j);
}

tg_status tg_profile_save_trace(const tg_profile *handle, const char *path) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    const tg_profile *p = tg_profile_ended(handle, "tg_profile_save_trace");
    if (p && !path) tg_fail(TG_ERR_ARGUMENT, "tg_profile_save_trace: the path is NULL");
    if (!p || !path || !tg_may_do("tg_profile_save_trace")) return tg_error_status();
    json j = {.status = TG_OK};
    tg_status s = tg_writer_open(&j.w, "tg_profile_save_trace", path, TG_MAYBE_GZIP);
    if (s != TG_OK) return s;
    put_all(&j, p);
    return tg_writer_close(&j.w, j.status);
}
