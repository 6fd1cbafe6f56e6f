/* The functions that write a trace: what they refuse, and the model from its beginning to its end. */
#include "autograd/trace/write.h"
#include "core/io/number.h"
#include "core/work.h"

#include <inttypes.h>
#include <string.h>

/* ---- memory ---- */

void *tg_trace_room(tg_trace *t, size_t n, size_t size) {
    size_t bytes;
    void *p = tg_size_mul(n, size, &bytes) ? tg_arena_alloc(&t->arena, bytes ? bytes : 1) : NULL;
    if (p) return memset(p, 0, bytes);
    tg_fail_memory(n * size);
    return NULL;
}

const char *tg_trace_copy(tg_trace *t, const char *text, size_t n) {
    static const char mark[] = "\xe2\x80\xa6";
    const bool cut = n > TG_TRACE_TEXT;
    if (cut) n = TG_TRACE_TEXT;
    while (cut && n > TG_TRACE_TEXT - 4 && (text[n] & 0xc0) == 0x80) n--; /* not within a character */
    char *copy = tg_trace_room(t, n + sizeof mark, 1);
    if (!copy) return NULL;
    memcpy(copy, text, n);
    if (cut) memcpy(copy + n, mark, sizeof mark);
    return copy;
}

bool tg_trace_grow(void **p, int64_t *cap, int64_t used, size_t element) {
    if (tg_grow(p, cap, used, used + 1, element)) return true;
    return tg_fail_memory((size_t)(used + 1) * element), false;
}

static void end(tg_trace *t) {
    for (int64_t i = 0; i < t->n_files; i++)
        tg_sys_free(t->file[i].line, (size_t)t->file[i].cap_lines * sizeof *t->file[i].line);
    tg_sys_free(t->value, (size_t)t->cap_values * sizeof *t->value);
    tg_sys_free(t->tensor, (size_t)t->cap_tensors * sizeof *t->tensor);
    tg_sys_free(t->op, (size_t)t->cap_ops * sizeof *t->op);
    tg_sys_free(t->file, (size_t)t->cap_files * sizeof *t->file);
    tg_sys_free(t->index, (size_t)t->cap_index * sizeof *t->index);
    tg_sys_free(t->step, (size_t)t->cap_steps * sizeof *t->step);
    tg_sys_free(t->part, (size_t)t->cap_parts * sizeof *t->part);
    tg_sys_free(t->orders.step, (size_t)t->orders.cap_steps * sizeof *t->orders.step);
    tg_sys_free(t->orders.part, (size_t)t->orders.cap_parts * sizeof *t->orders.part);
    tg_arena_free(&t->arena);
}

/* ---- what is refused ---- */

static tg_status check_mark(tg_trace *t, const tg_mark *mark) {
    t->tape = tg_tape_get();
    if (!t->tape) return tg_error_status();
    if (!tg_mark_is_genuine(mark) || mark->tape != t->tape || mark->serial != t->tape->serial)
        return tg_fail(
            TG_ERR_TAPE,
            "%s: the mark is not one that tg_tape_mark gave, or it belongs to another tape than the current one",
            t->who);
    if (tg_mark_is_rewound(mark))
        return tg_fail(
            TG_ERR_TAPE,
            "%s: the tape was already rewound past this mark, and what was recorded after it is gone", t->who);
    t->first = mark->nodes, t->end = t->tape->n_nodes;
    if (t->first == t->end)
        return tg_fail(
            TG_ERR_ARGUMENT,
            "%s: the tape has nothing from the mark on: no op was recorded, because none was called, or none of an "
            "input that requires a gradient, or recording was off",
            t->who);
    return TG_OK;
}

/* The last result of one element that requires a gradient. */
static tg_status find_loss(tg_trace *t) {
    for (int64_t id = t->end - 1; id >= t->first; id--) {
        tg_slot *s = tg_slot_peek(tg_node_at(t->tape, id)->out[0]);
        if (s && s->node && s->node->id == id && s->a.numel == 1 && s->requires_grad)
            return t->loss = s, TG_OK;
    }
    return tg_fail(TG_ERR_ARGUMENT,
                   "%s: of the %" PRId64
                   " nodes on the tape from the mark on none made one number that requires a gradient; "
                   ".loss may name one",
                   t->who, t->end - t->first);
}

static tg_status check_loss(tg_trace *t, tg_tensor *loss) {
    char text[160];
    const tg_slot *s = t->loss = tg_slot_of_loss(loss, t->who);
    if (!s) return tg_error_status();
    if (s->node->id < t->first)
        return tg_fail(TG_ERR_TAPE, "%s: the loss, %s, was recorded before the mark", t->who,
                       tg_describe(loss, text, sizeof text));
    return TG_OK;
}

static tg_status begin(tg_trace *t, tg_mark mark, tg_trace_opts opts) {
    if (opts.most < 0) return tg_fail(TG_ERR_ARGUMENT, "%s: .most is %d", t->who, opts.most);
    if (!tg_may_do(t->who)) return tg_error_status();
    tg_status s = check_mark(t, &mark);
    if (s == TG_OK) s = opts.loss ? check_loss(t, opts.loss) : find_loss(t);
    if (s != TG_OK) return s;
    const tg_maker *m = tg_slot_maker(t->loss);
    const char *title = opts.title ? opts.title : m->file ? tg_base_name(m->file) : "tapegrad";
    t->most = opts.most ? opts.most : t->end - t->first <= TG_TRACE_FEW ? 64 : 16;
    t->folder = opts.sources;
    t->title = tg_trace_copy(t, title, strlen(title));
    return t->title ? TG_OK : tg_error_status();
}

/* Makes the model, and writes it. */
static tg_status write_all(tg_trace *t, tg_mark mark, tg_trace_opts opts, tg_trace_write *write, bool data,
                           tg_sink *out) {
    tg_plain_locale plain;
    tg_status s = begin(t, mark, opts);
    if (s == TG_OK) s = tg_trace_collect(t);
    if (s == TG_OK && data) s = tg_trace_read_sources(t);
    if (s == TG_OK) s = tg_trace_walk(t);
    if (s == TG_OK && data) s = tg_trace_orders(t);
    if (s == TG_OK) s = tg_trace_sections(t, &opts);
    if (s != TG_OK) return s;
    if (!tg_plain_locale_begin(&plain)) return tg_fail_memory(0);
    s = tg_sink_open(out, t->who);
    if (s == TG_OK) {
        write(t, out);
        s = tg_sink_close(out);
    }
    tg_plain_locale_end(&plain);
    return s;
}

/* ---- the functions ---- */

static tg_status trace_to(const char *who, const char *path, tg_mark mark, tg_trace_opts opts,
                          tg_trace_write *write, bool data) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!path) return tg_fail(TG_ERR_ARGUMENT, "%s: the path is NULL", who);
    tg_trace t = {.who = who};
    tg_sink out = {.path = path, .gzip = write == tg_trace_write_json};
    tg_status s = write_all(&t, mark, opts, write, data, &out);
    end(&t);
    return s;
}

tg_status tg_trace_html_with(const char *path, tg_mark mark, tg_trace_html_opts opts) {
    return trace_to("tg_trace_html", path, mark, opts, tg_trace_write_html, true);
}

tg_status tg_trace_json_with(const char *path, tg_mark mark, tg_trace_json_opts opts) {
    return trace_to("tg_trace_json", path, mark, opts, tg_trace_write_json, true);
}

tg_status tg_trace_dot_with(const char *path, tg_mark mark, tg_trace_dot_opts opts) {
    return trace_to("tg_trace_dot", path, mark, opts, tg_trace_write_dot, false);
}

tg_status tg_trace_svg_with(const char *path, tg_mark mark, tg_trace_svg_opts opts) {
    return trace_to("tg_trace_svg", path, mark, opts, tg_trace_write_svg, false);
}

tg_status tg_trace_text_with(FILE *file, tg_mark mark, tg_trace_text_opts opts) {
    static const char who[] = "tg_trace_text";
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!file) return tg_fail(TG_ERR_ARGUMENT, "%s: the file is NULL", who);
    tg_trace t = {.who = who};
    tg_sink out = {.file = file};
    tg_status s = write_all(&t, mark, opts, tg_trace_write_text, false, &out);
    end(&t);
    return s;
}
