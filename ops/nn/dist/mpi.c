/* The transport over MPI; without MPI, what says so. No other file knows MPI. */
#include "ops/nn/dist/dist_private.h"

#include <string.h>
#include <time.h>

#if TG_HAVE_MPI

#include <mpi.h>

/* Messages under way are a list, each with its MPI_Request in `own`. */
typedef struct engine {
    tg_transport t;
    MPI_Comm comm;
    bool began; /* MPI, which we end then */
    tg_transfer *busy;
    MPI_Request hears; /* an alarm, from whoever */
    char heard[TG_TRANSPORT_TEXT], said[TG_TRANSPORT_TEXT];
    int alarm_from; /* -1: none */
} engine;

enum { ALARM = TG_TRANSPORT_TAGS };

static bool well(engine *e, int code, int with) {
    if (code == MPI_SUCCESS) return true;
    char text[MPI_MAX_ERROR_STRING] = "";
    int n = 0;
    MPI_Error_string(code, text, &n);
    e->t.culprit = with;
    snprintf(e->t.fault, sizeof e->t.fault, "%.250s", text);
    return false;
}

static bool begin(engine *e, tg_transfer *x, int code, MPI_Request request) {
    if (!well(e, code, x->peer)) return false;
    memset(x->own, 0, sizeof x->own);
    memcpy(x->own, &request, sizeof request);
    x->done = false;
    x->next = e->busy;
    e->busy = x;
    return true;
}

static bool fits(engine *e, const tg_transfer *x) {
    if (x->bytes <= INT32_MAX) return true;
    e->t.culprit = x->peer;
    snprintf(e->t.fault, sizeof e->t.fault, "a message of %zu bytes is too large for MPI", x->bytes);
    return false;
}

static bool begin_send(tg_transport *t, tg_transfer *x) {
    engine *e = t->own;
    MPI_Request r = MPI_REQUEST_NULL;
    if (!fits(e, x)) return false;
    const int code = MPI_Isend(x->data, (int)x->bytes, MPI_BYTE, x->peer, x->tag, e->comm, &r);
    return begin(e, x, code, r);
}

static bool begin_receive(tg_transport *t, tg_transfer *x) {
    engine *e = t->own;
    MPI_Request r = MPI_REQUEST_NULL;
    if (!fits(e, x)) return false;
    const int code = MPI_Irecv(x->data, (int)x->bytes, MPI_BYTE, x->peer, x->tag, e->comm, &r);
    return begin(e, x, code, r);
}

static bool test(engine *e, tg_transfer *x) {
    MPI_Request r;
    int done = 0;
    memcpy(&r, x->own, sizeof r);
    const int code = MPI_Test(&r, &done, MPI_STATUS_IGNORE);
    memcpy(x->own, &r, sizeof r);
    if (done) x->done = true;
    return well(e, code, x->peer);
}

static void test_alarm(engine *e) {
    MPI_Status from;
    int done = 0;
    if (e->alarm_from >= 0 || MPI_Test(&e->hears, &done, &from) != MPI_SUCCESS || !done) return;
    e->alarm_from = from.MPI_SOURCE;
    e->heard[sizeof e->heard - 1] = '\0';
}

static bool progress(tg_transport *t) {
    engine *e = t->own;
    for (tg_transfer **x = &e->busy; *x;) {
        if (!test(e, *x)) return test_alarm(e), e->alarm_from >= 0;
        if ((*x)->done)
            *x = (*x)->next;
        else
            x = &(*x)->next;
    }
    test_alarm(e);
    return true;
}

/* MPI may still write to what was asked for: cancelled or not, nobody waits for that. */
static void alarm_all(tg_transport *t, const char *text) {
    engine *e = t->own;
    snprintf(e->said, sizeof e->said, "%s", text);
    t->holds = true;
    int left = 0;
    tg_transfer out[64] = {0};
    for (int i = 1; i < t->size && left < 64; i++) {
        MPI_Request r = MPI_REQUEST_NULL;
        tg_transfer *x = &out[left];
        x->peer = (t->rank + i) % t->size;
        if (MPI_Isend(e->said, sizeof e->said, MPI_BYTE, x->peer, ALARM, e->comm, &r) != MPI_SUCCESS)
            continue;
        memcpy(x->own, &r, sizeof r);
        left++;
    }
    bool all = false;
    for (int patience = 100; !all && patience > 0; patience--) {
        all = true;
        for (int i = 0; i < left; i++) all = (out[i].done || (test(e, &out[i]) && out[i].done)) && all;
        if (!all) (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    e->busy = NULL;
}

static bool alarmed(tg_transport *t, int *from, char text[TG_TRANSPORT_TEXT]) {
    const engine *e = t->own;
    if (e->alarm_from < 0) return false;
    *from = e->alarm_from;
    memcpy(text, e->heard, TG_TRANSPORT_TEXT);
    return true;
}

/* After a failure MPI is left as it is: to end it would be to wait for the others. mpirun ends them when this process does. The
 * engine itself stays then, since an alarm may be under way into it. */
static void end_of(tg_transport *t, bool broken) {
    engine *e = t->own;
    if (broken) return;
    if (e->alarm_from < 0) {
        MPI_Cancel(&e->hears);
        MPI_Wait(&e->hears, MPI_STATUS_IGNORE);
    }
    MPI_Comm_free(&e->comm);
    if (e->began) MPI_Finalize();
    tg_dealloc(e, sizeof *e);
}

static bool start(engine *e, const void *communicator) {
    int running = 0, ended = 0, level = 0, *most = NULL, known = 0;
    MPI_Finalized(&ended);
    MPI_Initialized(&running);
    if (ended || (communicator && !running)) {
        tg_fail(TG_ERR_ARGUMENT, "tg_dist_begin: MPI %s",
                ended ? "was ended, and begins once in a process" : "has not begun");
        return false;
    }
    e->began = !running;
    if (!running && MPI_Init_thread(NULL, NULL, MPI_THREAD_SERIALIZED, &level) != MPI_SUCCESS) return false;
    MPI_Comm of;
    if (communicator)
        memcpy(&of, communicator, sizeof of);
    else
        of = MPI_COMM_WORLD;
    if (MPI_Comm_dup(of, &e->comm) != MPI_SUCCESS) return false;
    MPI_Comm_set_errhandler(e->comm, MPI_ERRORS_RETURN);
    MPI_Comm_rank(e->comm, &e->t.rank);
    MPI_Comm_size(e->comm, &e->t.size);
    MPI_Comm_get_attr(e->comm, MPI_TAG_UB, (void *)&most, &known);
    if (known && *most < ALARM) {
        tg_fail(TG_ERR_PEER, "tg_dist_begin: this MPI has tags up to %d, and %d are needed", *most, ALARM);
        return false;
    }
    return MPI_Irecv(e->heard, sizeof e->heard, MPI_BYTE, MPI_ANY_SOURCE, ALARM, e->comm, &e->hears) ==
           MPI_SUCCESS;
}

tg_transport *tg_transport_mpi(const void *communicator) {
    engine *e = tg_alloc(sizeof *e);
    if (!e) return tg_fail(TG_ERR_MEMORY, "tg_dist_begin: there is no memory for a transport"), NULL;
    memset(e, 0, sizeof *e);
    e->t = (tg_transport){.name = "mpi",
                          .send = begin_send,
                          .receive = begin_receive,
                          .progress = progress,
                          .alarm = alarm_all,
                          .alarmed = alarmed,
                          .end = end_of,
                          .culprit = -1,
                          .own = e};
    e->alarm_from = -1;
    _Static_assert(sizeof(MPI_Request) <= sizeof((tg_transfer *)0)->own, "a request fits in a transfer");
    if (start(e, communicator)) return &e->t;
    tg_fail(TG_ERR_PEER, "tg_dist_begin: MPI does not begin");
    tg_dealloc(e, sizeof *e);
    return NULL;
}

#else

tg_transport *tg_transport_mpi(const void *communicator) {
    (void)communicator;
    tg_fail(TG_ERR_ARGUMENT,
            "tg_dist_begin: this library was built without MPI: configure it with -Dmpi=enabled (Debian: libopenmpi-dev, "
            "openmpi-bin), or give a .transport");
    return NULL;
}

#endif
