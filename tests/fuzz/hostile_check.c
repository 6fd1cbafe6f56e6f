/* Before and after a call: what errors promise, and what a failing call must leave as it was. */
#define _POSIX_C_SOURCE 200809L
#include "tests/fuzz/hostile.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void note(const char *format, ...) {
    hostile_frame *f = FRAME;
    int room = (int)sizeof f->text - f->used;
    va_list args;
    va_start(args, format);
    int n = vsnprintf(f->text + f->used, (size_t)room, format, args);
    va_end(args);
    f->used += n < room ? n : room - 1;
}

/* ---- nothing is printed: stdout and stderr lead to a file that must stay empty ---- */

static int output = -1;
static off_t printed;

bool watch_output(void) {
    FILE *file = tmpfile();
    if (!file) return false;
    output = dup(fileno(file));
    fclose(file);
    return output >= 0 && dup2(output, STDOUT_FILENO) >= 0 && dup2(output, STDERR_FILENO) >= 0;
}

void show_output(int fd) {
    char text[4096];
    ssize_t n;
    if (output < 0 || lseek(output, 0, SEEK_SET) != 0) return;
    while ((n = read(output, text, sizeof text)) > 0)
        if (write(fd, text, (size_t)n) < 0) return;
}

static void check_silence(void) {
    fflush(stdout);
    off_t now = output < 0 ? 0 : lseek(output, 0, SEEK_CUR);
    if (now == printed) return;
    printed = now;
    finding("prints");
}

/* ---- state ---- */

hostile_state state_now(void) {
    return (hostile_state){tg_memory_now().live_buffer_bytes,
                           tg_tape_tensors(),
                           tg_tape_nodes(),
                           tg_tape_current(),
                           tg_grad_enabled(),
                           tg_num_threads(),
                           *tg_default_rng()};
}

static bool is_call(const char *name) { return strcmp(FRAME->call->name, name) == 0; }

/* These return what they are given, tg_set_name also when there is no memory for the name. */
static bool passes_on(void) {
    return is_call("tg_at") || is_call("tg_set_name") || is_call("tg_status_at") || is_call("tg_layer_end");
}

/* A walk that fails has given up what the nodes that it passed had saved (autograd/backward.h), such as the elements of a
 * released tensor. */
static bool gives_up(void) { return is_call("tg_backward") || is_call("tg_grad"); }

static void check_same(const char *what, int64_t before, int64_t now) {
    if (before != now)
        finding("fails and leaves %s at %lld, before %lld", what, (long long)now, (long long)before);
}

/* tg_layer_end takes back what the layer did, which is its purpose. */
static void check_unchanged(void) {
    hostile_frame *f = FRAME;
    hostile_state now = state_now();
    if (f->disturbed || hostile_composed || is_call("tg_layer_end")) return;
    bool fewer = gives_up() && now.live_bytes < f->before.live_bytes;
    if (!fewer && (!hostile_frames[0].working || hostile_depth == 1))
        check_same("live bytes", (int64_t)f->before.live_bytes, (int64_t)now.live_bytes);
    check_same("tensors on the tape", f->before.tensors, now.tensors);
    check_same("nodes on the tape", f->before.nodes, now.nodes);
    check_same("recording", f->before.recording, now.recording);
    check_same("threads", f->before.threads, now.threads);
    check_same("random numbers", (int64_t)f->before.rng.next, (int64_t)now.rng.next);
    if (f->before.tape != now.tape) finding("fails and leaves another tape");
}

static void check_modes(void) {
    hostile_frame *f = FRAME;
    if (f->disturbed) return;
    if (f->before.recording != tg_grad_enabled() && !is_call("tg_set_grad_enabled"))
        finding("changes recording");
    if (f->before.tape != tg_tape_current() && !is_call("tg_tape_use") && !is_call("tg_tape_free"))
        finding("changes the current tape");
    if (f->before.threads != tg_num_threads() && !is_call("tg_set_num_threads"))
        finding("changes the threads");
}

/* ---- errors ---- */

/* "matmul: ..": a public function, with or without tg_, or an op of the harness. */
static bool names_a_function(const char *message) {
    char name[64] = "tg_";
    size_t n = strspn(message, "abcdefghijklmnopqrstuvwxyz_0123456789"),
           skip = strncmp(message, "tg_", 3) == 0 ? 3 : 0;
    if (n <= skip || n > 50 || message[n] != ':') return false;
    memcpy(name + 3, message + skip, n - skip);
    return find_hostile(name) || strncmp(message, "hostile", 7) == 0 || strncmp(message, "hook:", 5) == 0 ||
           tg_op_find(name + 3);
}

static void check_message(const char *message) {
    if (!names_a_function(message)) finding("an error that names no function: %s", message);
    for (const char *c = message; *c; c++) /* names and paths may be UTF-8 */
        if ((unsigned char)*c < ' ' || *c == 0x7f) {
            finding("an error of more than one line, or with byte %d", *c);
            return;
        }
}

static void make_pending(void) {
    hostile_frame *f = FRAME;
    if (hostile_depth == 1 && one_in(16)) tg_fail(TG_ERR_ARGUMENT, "hostile: an error before the call");
    f->pending = tg_error_status() != TG_OK;
    if (f->pending) snprintf(f->message, sizeof f->message, "%s", tg_error_message());
}

/* Says that it is called while no other thread makes or frees kept tensors. */
static bool is_alone(void) { return is_call("tg_memory_sites") || is_call("tg_memory_print"); }

void call_begin(void) {
    hostile_frame *f = FRAME;
    make_pending();
    if (is_alone() && hostile_frames[0].working) await_work();
    f->before = state_now();
    if (hostile_depth > 1 || !one_in(8)) return;
    f->working = one_in(2) && !is_alone();
    if (f->working) {
        note(" [another thread works]");
        start_work();
        return;
    }
    int64_t n = 1 + below(one_in(4) ? 200 : 20);
    bool from = one_in(2);
    note(" [allocation %lld%s fails]", (long long)n, from ? " and later" : "");
    (from ? tg_memory_fail_from : tg_memory_fail_at)(n);
}

/* The first error stays; what notes the user's line may add it, to a text of 4,095 characters in place of the last 127. */
static void check_pending(void) {
    const size_t n = strnlen(FRAME->message, sizeof FRAME->message - 128);
    if (!is_call("tg_error_clear") && !FRAME->disturbed && strncmp(FRAME->message, tg_error_message(), n) != 0)
        finding("the pending error is now: %s", tg_error_message());
}

/* `says`: 1, the result says that the call failed; 0, that it did not; -1, it says nothing. */
static void end(int says) {
    hostile_frame *f = FRAME;
    if (hostile_depth == 1) tg_memory_fail_at(-1);
    if (f->working) await_work();
    check_silence();
    bool failed = tg_error_status() != TG_OK;
    if (f->pending) {
        check_pending();
    } else {
        if (says == 1 && !failed) finding("fails without an error");
        if (says == 0 && failed && !f->disturbed) finding("succeeds, with an error: %s", tg_error_message());
        if (failed) check_message(tg_error_message());
    }
    if (hostile_depth == 1 || (!f->pending && one_in(2))) tg_error_clear();
    if (failed && !f->pending) check_unchanged();
    check_modes();
}

void end_void(void) { end(-1); }
void end_tg_status(tg_status s) { end(passes_on() ? -1 : s != TG_OK); }
void end_bool_failed(bool failed, const char *as) {
    note(" -> %s", as);
    end(failed);
}

void end_tg_tensor_p(tg_tensor *t) {
    if (!t && !passes_on())
        finding("returns NULL");
    else if (!passes_on() && !tg_is_poison(t) && !tg_is_alive(t))
        finding("returns a handle that is not alive");
    end(passes_on() || is_call("tg_poison") ? -1 : tg_is_poison(t));
    if (is_call("tg_keep") || is_call("tg_param")) own_tensor(t);
    add_tensor(t);
}

/* ---- other results are looked at ---- */

static volatile char seen;

void end_text(const char *s) {
    for (; s && *s; s++) seen = *s;
    end(-1);
}
void end_char_p(char *s) { end_text(s); }
void end_const_void_p(const void *p) {
    if (p) seen = *(const char *)p;
    end(-1);
}
void end_void_p(void *p) { end_const_void_p(p); }
void end_tg_array_p(const tg_array *a) { end_const_void_p(a); }
void end_tg_node_p(const tg_node *n) { end_text(n ? n->op->name : NULL); }
void end_tg_op_p(const tg_op *op) { end_text(op ? op->name : NULL); }
void end_tg_op_entry_p(const tg_op_entry *e) {
    if (e) seen = *e->room;
    end_text(e ? e->file : NULL);
}
void end_tg_rng_p(tg_rng *rng) { end_const_void_p(rng); }
