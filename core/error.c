/* The error state of a thread: the first failure, its text, and the user's line once a macro tells. */
#include "core/slot.h"
#include "core/thread.h"
#include "core/work.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Storage of threads is scarce in a program that loads the library late (dlopen), so that there is little of it for each
 * thread. A text of more than BRIEF_TEXT characters, to which 100 of a name and 120 of a place may come, has room of its own,
 * which the thread then keeps; where there is none, it is cut. */
enum { BRIEF_MAX = 512, BRIEF_TEXT = 280, TEXT_MAX = 4096 };
static _Thread_local char brief[BRIEF_MAX];
static _Thread_local char *full; /* of TEXT_MAX */
static _Thread_local bool in_full;

static char *message(void) { return in_full ? full : brief; }
static size_t room(void) { return in_full ? TEXT_MAX : BRIEF_MAX; }

_Thread_local TG_HOT tg_status tg_error_pending;
_Thread_local TG_HOT bool tg_error_unstamped;

/* ---- strict mode: of the process ---- */

static atomic_int strict = -1; /* -1: the environment has not been asked yet */

static bool is_strict(void) {
    int on = atomic_load_explicit(&strict, memory_order_relaxed);
    if (on >= 0) return on;
    const char *text = getenv("TG_STRICT");
    int unread = -1;
    atomic_compare_exchange_strong(&strict, &unread, text && strcmp(text, "1") == 0);
    return atomic_load(&strict);
}

bool tg_set_strict(bool on) {
    bool was = is_strict();
    atomic_store(&strict, on);
    return was;
}

static void stop_if_strict(void) {
    if (!is_strict()) return;
    fprintf(stderr, "%s\n", message());
    abort();
}

/* ---- raising ---- */

static _Thread_local TG_HOT const char *named; /* the function that errors name; NULL: they name the one that raises them */

const char *tg_named_begin(const char *name) {
    const char *outer = named;
    if (!outer || !name) named = name;
    return outer;
}

bool tg_error_is_of(const char *who) { return !named || strcmp(named, who) == 0; }

void tg_named_end(const char *const *outer) { named = *outer; }

/* "conv2d: .." becomes "<named>: ..", and so does a text that names no function. */
static void rename_function(const char *name_now) {
    char text[TEXT_MAX];
    memcpy(text, message(), room());
    size_t name = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_");
    const char *rest = name > 0 && strncmp(text + name, ": ", 2) == 0 ? text + name + 2 : text;
    snprintf(message(), room(), "%.100s: %.*s", name_now, TEXT_MAX - 103, rest);
}

/* Names and paths are the user's: whatever is in them, a message is one line of text. */
static void make_printable(char *text) {
    for (; *text; text++)
        if ((unsigned char)*text < ' ' || *text == 0x7f) *text = '?';
}

static void drop_full(tg_thread_end *end) {
    (void)end;
    free(full);
    full = NULL, in_full = false;
}

/* Not by tg_sys_alloc: errors are also told of where that is made to fail. */
static bool make_full(void) {
    static _Thread_local tg_thread_end end = {.run = drop_full};
    if (full) return true;
    full = malloc(TEXT_MAX);
    if (full && !tg_at_thread_end(&end)) drop_full(&end);
    return full != NULL;
}

static void write_message(const char *format, va_list args) {
    va_list again;
    va_copy(again, args);
    in_full = vsnprintf(brief, sizeof brief, format, args) > BRIEF_TEXT && make_full();
    if (in_full) vsnprintf(full, TEXT_MAX, format, again);
    va_end(again);
    make_printable(message());
}

static _Thread_local bool from_below;

static tg_status raise(tg_status status, bool below, const char *format, va_list args) {
    if (tg_error_pending != TG_OK) {
        if (tg_error_unstamped) stop_if_strict();
        return tg_error_pending;
    }
    if (status == TG_OK) return TG_OK;
    write_message(format ? format : "the error has no text", args);
    from_below = below && !named;
    if (named) rename_function(named);
    tg_error_pending = status;
    tg_error_unstamped = true;
    return status;
}

tg_status tg_fail(tg_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tg_status s = raise(status, false, format, args);
    va_end(args);
    return s;
}

tg_status tg_fail_below(tg_status status, const char *format, ...) {
    va_list args;
    va_start(args, format);
    tg_status s = raise(status, true, format, args);
    va_end(args);
    return s;
}

tg_status tg_error_by(const char *who, tg_status before) {
    if (before != TG_OK) return tg_error_pending;
    if (tg_error_pending != TG_OK && from_below && tg_error_unstamped) rename_function(who);
    from_below = false;
    return tg_error_pending;
}

tg_status tg_fail_memory(size_t bytes) {
    return tg_fail_below(TG_ERR_MEMORY, "tg_alloc: out of memory: %zu bytes could not be allocated", bytes);
}

const char *tg_base_name(const char *path) {
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

void tg_error_stamp(const char *file, int line) {
    if (tg_error_pending == TG_OK || !tg_error_unstamped) return;
    if (file) {
        char site[128];
        int n = snprintf(site, sizeof site, "   (%.100s:%d)", tg_base_name(file), line);
        make_printable(site);
        size_t end = strlen(message()), last = room() - 1 - (size_t)n;
        memcpy(message() + (end < last ? end : last), site, (size_t)n + 1);
    }
    tg_error_unstamped = false;
    stop_if_strict();
}

tg_status tg_status_at(tg_status status, const char *file, int line) {
    if (tg_error_unstamped) tg_error_stamp(file, line);
    tg_work_place(file, line);
    return status;
}

/* ---- asking ---- */

tg_status tg_error_status(void) { return tg_error_pending; }

const char *tg_error_message(void) { return message(); }

void tg_error_clear(void) {
    tg_error_pending = TG_OK;
    brief[0] = '\0';
    in_full = false;
    tg_error_unstamped = false;
}

const char *tg_status_name(tg_status status) {
    static const char *const name[] = {"TG_OK",           "TG_ERR_SHAPE", "TG_ERR_DTYPE",  "TG_ERR_ARGUMENT",
                                       "TG_ERR_LIFETIME", "TG_ERR_TAPE",  "TG_ERR_MEMORY", "TG_ERR_IO",
                                       "TG_ERR_FORMAT",   "TG_ERR_PEER"};
    return (unsigned)status < sizeof name / sizeof *name ? name[status] : "unknown status";
}
