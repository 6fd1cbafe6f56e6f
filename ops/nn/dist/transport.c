/* A transport over sockets of one machine. */
#include "ops/nn/dist/transport.h"

#include "core/memory.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { MOST = 64, ALARM = -1 };

/* What precedes the bytes of a message. */
typedef struct frame {
    int64_t tag;
    uint64_t bytes;
} frame;

/* The connection to one other rank. */
typedef struct peer {
    int fd;               /* -1: this rank itself, or closed */
    tg_transfer *sending; /* first come first served */
    tg_transfer *posted;  /* receives that wait for their message */
    frame out;            /* the header of the first of those that are sent */
    frame in;
    size_t sent, got;       /* bytes, of header and data */
    tg_transfer *receiving; /* whose data follows the header; NULL: not known yet */
    char text[TG_TRANSPORT_TEXT];
} peer;

typedef struct sockets {
    tg_transport t;
    int alarm_from; /* -1: none */
    char alarm[TG_TRANSPORT_TEXT];
    peer at[MOST];
} sockets;

static bool fail(sockets *s, int with, const char *what, int error) {
    s->t.culprit = with;
    snprintf(s->t.fault, sizeof s->t.fault, "%s%s%s", what, error ? ": " : "", error ? strerror(error) : "");
    return false;
}

static void append(tg_transfer **list, tg_transfer *x) {
    while (*list) list = &(*list)->next;
    x->next = NULL;
    x->done = false;
    *list = x;
}

/* Takes the first of a tag out of the list. */
static tg_transfer *take(tg_transfer **list, int64_t tag) {
    for (; *list; list = &(*list)->next)
        if ((*list)->tag == tag) {
            tg_transfer *x = *list;
            *list = x->next;
            return x;
        }
    return NULL;
}

/* ---- sending ---- */

/* Some of the bytes from *done on, of a header and what follows it. 0: no room now; below 0: -errno. */
static ssize_t write_some(int fd, const frame *f, const void *data, size_t done) {
    const bool head = done < sizeof *f;
    const char *from = head ? (const char *)f + done : (const char *)data + (done - sizeof *f);
    const size_t n = head ? sizeof *f - done : f->bytes - (done - sizeof *f);
    ssize_t k = send(fd, from, n, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (k < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    return k;
}

static bool push(sockets *s, int i) {
    peer *p = &s->at[i];
    while (p->sending) {
        tg_transfer *x = p->sending;
        if (p->sent == 0) p->out = (frame){x->tag, x->bytes};
        while (p->sent < sizeof p->out + x->bytes) {
            const ssize_t k = write_some(p->fd, &p->out, x->data, p->sent);
            if (k < 0) return fail(s, i, "the connection is broken", (int)-k);
            if (k == 0) return true;
            p->sent += (size_t)k;
        }
        p->sending = x->next;
        p->sent = 0;
        x->done = true;
    }
    return true;
}

static bool begin_send(tg_transport *t, tg_transfer *x) {
    sockets *s = t->own;
    if (s->at[x->peer].fd < 0) return fail(s, x->peer, "the connection was closed", 0);
    append(&s->at[x->peer].sending, x);
    return push(s, x->peer);
}

/* ---- receiving ---- */

/* 0: nothing now; below 0: -errno; the end of the stream is -EPIPE. */
static ssize_t read_some(int fd, void *to, size_t n) {
    ssize_t k = recv(fd, to, n, MSG_DONTWAIT);
    if (k < 0) return errno == EAGAIN || errno == EWOULDBLOCK || errno == EINTR ? 0 : -errno;
    return k ? k : -EPIPE;
}

/* Where the data of the message goes whose header is there; NULL: nobody has asked for it yet. */
static void *place_of(sockets *s, int i) {
    peer *p = &s->at[i];
    if (p->in.tag == ALARM) return p->in.bytes <= sizeof p->text ? p->text : NULL;
    if (!p->receiving) p->receiving = take(&p->posted, p->in.tag);
    return p->receiving ? p->receiving->data : NULL;
}

static void finish(sockets *s, int i) {
    peer *p = &s->at[i];
    p->got = 0;
    if (p->receiving) p->receiving->done = true;
    p->receiving = NULL;
    if (p->in.tag != ALARM || s->alarm_from >= 0) return;
    s->alarm_from = i;
    p->text[sizeof p->text - 1] = '\0';
    memcpy(s->alarm, p->text, sizeof s->alarm);
}

/* Closed by the other side, which is a failure where something is still to come from it or go to it. */
static bool hang_up(sockets *s, int i, int error) {
    peer *p = &s->at[i];
    (void)close(p->fd);
    p->fd = -1;
    if (s->alarm_from >= 0 || (!p->posted && !p->receiving && !p->sending)) return true;
    return fail(s, i,
                error == EPIPE || error == ECONNRESET ? "its process has ended" : "the connection is broken",
                error == EPIPE || error == ECONNRESET ? 0 : error);
}

static bool pull(sockets *s, int i) {
    peer *p = &s->at[i];
    for (;;) {
        ssize_t k;
        if (p->got < sizeof p->in) {
            k = read_some(p->fd, (char *)&p->in + p->got, sizeof p->in - p->got);
        } else {
            char *to = place_of(s, i);
            if (!to) return true;
            if (p->receiving && p->receiving->bytes != p->in.bytes)
                return fail(s, i, "a message has another size than was expected", 0);
            const size_t at = p->got - sizeof p->in;
            k = at < p->in.bytes ? read_some(p->fd, to + at, p->in.bytes - at) : 0;
        }
        if (k < 0) return hang_up(s, i, (int)-k);
        p->got += (size_t)k;
        if (p->got == sizeof p->in + p->in.bytes && (p->in.bytes > 0 || place_of(s, i)))
            finish(s, i);
        else if (k == 0)
            return true;
    }
}

static bool begin_receive(tg_transport *t, tg_transfer *x) {
    sockets *s = t->own;
    if (s->at[x->peer].fd < 0) return fail(s, x->peer, "its process has ended", 0);
    append(&s->at[x->peer].posted, x);
    return true;
}

static bool progress(tg_transport *t) {
    sockets *s = t->own;
    bool well = true;
    for (int i = 0; i < t->size; i++) {
        if (s->at[i].fd < 0) continue;
        const bool pulled = pull(s, i); /* first: an alarm says more than a connection that is broken */
        if (!pulled || (s->at[i].fd >= 0 && !push(s, i))) well = false;
    }
    return well || s->alarm_from >= 0;
}

/* ---- alarms, and the end ---- */

/* Sends the rest of a message that is half sent, so that the alarm can follow. */
static bool push_rest(sockets *s, int i, int *patience) {
    peer *p = &s->at[i];
    if (p->sent > 0)
        p->sending->next = NULL; /* those behind it have no end any more */
    else
        p->sending = NULL;
    while (push(s, i) && p->sending && --*patience > 0)
        (void)nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    return !p->sending;
}

static void alarm_all(tg_transport *t, const char *text) {
    sockets *s = t->own;
    char all[sizeof(frame) + TG_TRANSPORT_TEXT] = {0};
    int patience = 100;
    memcpy(all, &(frame){ALARM, TG_TRANSPORT_TEXT}, sizeof(frame));
    snprintf(all + sizeof(frame), TG_TRANSPORT_TEXT, "%s", text);
    for (int i = 0; i < t->size; i++) {
        peer *p = &s->at[i];
        if (p->fd >= 0 && push_rest(s, i, &patience))
            (void)send(p->fd, all, sizeof all, MSG_DONTWAIT | MSG_NOSIGNAL);
        p->sending = p->posted = p->receiving = NULL;
    }
}

static bool alarmed(tg_transport *t, int *from, char text[TG_TRANSPORT_TEXT]) {
    const sockets *s = t->own;
    if (s->alarm_from < 0) return false;
    *from = s->alarm_from;
    memcpy(text, s->alarm, TG_TRANSPORT_TEXT);
    return true;
}

static void end_of(tg_transport *t, bool broken) {
    (void)broken;
    sockets *s = t->own;
    for (int i = 0; i < t->size; i++)
        if (s->at[i].fd >= 0) (void)close(s->at[i].fd);
    tg_dealloc(s, sizeof *s);
}

static sockets *make(int rank, int n) {
    sockets *s = tg_alloc(sizeof *s);
    if (!s) {
        tg_fail(TG_ERR_MEMORY, "tg_transport_pairs: there is no memory for %d transports", n);
        return NULL;
    }
    memset(s, 0, sizeof *s);
    s->t = (tg_transport){.name = "sockets",
                          .rank = rank,
                          .size = n,
                          .send = begin_send,
                          .receive = begin_receive,
                          .progress = progress,
                          .alarm = alarm_all,
                          .alarmed = alarmed,
                          .end = end_of,
                          .culprit = -1,
                          .own = s};
    s->alarm_from = -1;
    for (int i = 0; i < MOST; i++) s->at[i].fd = -1;
    return s;
}

static bool connect_all(int n, tg_transport **end) {
    for (int i = 0; i < n; i++)
        for (int k = i + 1; k < n; k++) {
            int fd[2];
            if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0)
                return tg_fail(TG_ERR_IO, "tg_transport_pairs: %s", strerror(errno)), false;
            ((sockets *)end[i]->own)->at[k].fd = fd[0];
            ((sockets *)end[k]->own)->at[i].fd = fd[1];
        }
    return true;
}

bool tg_transport_pairs(int n, tg_transport **end) {
    if (tg_error_status() != TG_OK) return false;
    if (n < 1 || n > MOST || !end)
        return tg_fail(TG_ERR_ARGUMENT, "tg_transport_pairs: connects 1 to %d transports, not %d", MOST, n),
               false;
    int made = 0;
    for (sockets *s; made < n && (s = make(made, n)); made++) end[made] = &s->t;
    if (made == n && connect_all(n, end)) return true;
    for (int i = 0; i < made; i++) end_of(end[i], true);
    return false;
}
