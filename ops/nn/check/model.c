/* A model as the function of its parameters that a gradient check asks for. */
#include "ops/nn/check/model.h"

#include "core/memory.h"
#include "ops/elementwise/inplace.h"
#include "ops/shape/create.h"

#include <stdio.h>

typedef struct subject {
    tg_model *model;
    tg_batch_fn f;
    tg_tensor **batch;
    void *user;
    int n;
    tg_tensor **parameter; /* those that are not frozen */
    int n_buffers, made;   /* all buffers; those that f made in its first call are as that left them */
    tg_tensor **buffer;    /* kept copies of what the buffers were */
} subject;

static tg_status put_buffers_back(const subject *s) {
    for (int i = 0; i < s->n_buffers && tg_error_status() == TG_OK; i++)
        tg_copy_(tg_model_buffer_at(s->model, i), s->buffer[i]);
    return tg_error_status();
}

static tg_tensor *of_parameters(tg_tensor *const *in, void *user) {
    const subject *s = user;
    (void)in;
    if (put_buffers_back(s) != TG_OK) return tg_detach(in[0]);
    return s->f(s->model, s->batch, s->user);
}

/* Copies of the buffers from number s->n_buffers on, in an array of their own. */
static tg_status keep_buffers(subject *s) {
    int m = tg_model_buffer_count(s->model);
    tg_tensor **all = tg_alloc((size_t)m * sizeof(tg_tensor *));
    if (!all) return tg_fail(TG_ERR_MEMORY, "tg_gradcheck_model: there is no memory for %d buffers", m);
    for (int i = 0; i < s->n_buffers; i++) all[i] = s->buffer[i];
    if (s->buffer) tg_dealloc(s->buffer, (size_t)s->made * sizeof(tg_tensor *));
    s->buffer = all, s->made = m;
    while (s->n_buffers < m && tg_error_status() == TG_OK) {
        const tg_tensor *b = tg_model_buffer_at(s->model, s->n_buffers);
        tg_mark mark = tg_tape_mark();
        tg_tensor *copy = tg_keep(tg_zeros_with(tg_dtype_of(b), tg_shape_of(b)));
        tg_tape_rewind(mark);
        if (tg_error_status() == TG_OK) tg_copy_(copy, b), s->buffer[s->n_buffers++] = copy;
    }
    return tg_error_status();
}

/* The first call makes what is not there yet; what it records is dropped. */
static tg_status make_parameters(subject *s) {
    if (keep_buffers(s) != TG_OK) return tg_error_status();
    tg_mark mark = tg_tape_mark();
    bool was = tg_set_grad_enabled(false);
    s->f(s->model, s->batch, s->user);
    tg_set_grad_enabled(was);
    tg_tape_rewind(mark);
    return tg_error_status() == TG_OK ? keep_buffers(s) : tg_error_status();
}

static tg_status gather(subject *s, int n) {
    s->parameter = tg_alloc((size_t)n * sizeof(tg_tensor *));
    if (!s->parameter)
        return tg_fail(TG_ERR_MEMORY, "tg_gradcheck_model: there is no memory for %d parameters", n);
    for (int i = 0; i < n; i++) {
        tg_tensor *p = tg_model_at(s->model, i);
        if (tg_requires_grad(p)) s->parameter[s->n++] = p;
    }
    return s->n > 0 ? tg_error_status()
                    : tg_fail(TG_ERR_ARGUMENT,
                              "tg_gradcheck_model: the model has no parameters that require a gradient");
}

static void release(subject *s, int n) {
    for (int i = 0; i < s->n_buffers; i++) tg_free(s->buffer[i]);
    if (s->parameter) tg_dealloc(s->parameter, (size_t)n * sizeof(tg_tensor *));
    if (s->buffer) tg_dealloc(s->buffer, (size_t)s->made * sizeof(tg_tensor *));
}

static void run(subject *s, tg_gradcheck_report *r, tg_gradcheck_opts opts) {
    int n = make_parameters(s) == TG_OK ? tg_model_count(s->model) : 0;
    if (tg_error_status() == TG_OK && gather(s, n) == TG_OK) {
        if (opts.samples == 0 && opts.directions == 0 && !opts.tolerances) opts.samples = 64;
        tg_gradcheck_with(of_parameters, s, s->n, s->parameter, r, opts);
    }
    if (tg_error_status() != TG_OK) snprintf(r->message, sizeof r->message, "%s", tg_error_message());
    tg_error_clear();
    put_buffers_back(s);
    release(s, n);
}

bool tg_gradcheck_model_with(tg_model *model, tg_batch_fn f, tg_tensor **batch, void *user,
                             tg_gradcheck_report *report, tg_gradcheck_model_opts opts) {
    tg_gradcheck_report none, *r = report ? report : &none;
    *r = (tg_gradcheck_report){.input = -1, .element = -1};
    if (tg_error_status() != TG_OK) { /* it stays */
        snprintf(r->message, sizeof r->message, "%s", tg_error_message());
        return false;
    }
    if (f) tg_model_count(model); /* raises what is wrong with the model */
    if (!f) tg_fail(TG_ERR_ARGUMENT, "tg_gradcheck_model: the function is NULL");
    if (tg_error_status() == TG_OK)
        run(&(subject){.model = model, .f = f, .batch = batch, .user = user}, r, opts);
    else
        snprintf(r->message, sizeof r->message, "%s", tg_error_message());
    tg_error_clear();
    return r->ok;
}
