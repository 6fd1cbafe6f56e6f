/* Private. What a profile of gradients holds. */
#ifndef TG_OPS_NN_TRAIN_GRAD_PROFILE_PRIVATE_H
#define TG_OPS_NN_TRAIN_GRAD_PROFILE_PRIVATE_H

#include "ops/nn/train/grad_profile.h"

typedef struct tg_grad_seen { /* one parameter at one step */
    int64_t step;
    int entry;
    double scale, square; /* the squares of g / scale, added */
    double zeros, numel, min, max;
} tg_grad_seen;

typedef struct tg_grad_entry { /* one parameter; both names are its own */
    char *name, *layer;
    int first; /* the first entry of the same layer */
} tg_grad_entry;

typedef struct tg_grad_record {
    tg_model *model;
    int64_t every, step; /* step: the next one's number */
    int64_t steps;       /* that were looked at */
    int64_t calls;
    tg_grad_entry *entry;
    tg_grad_seen *seen; /* in the order of steps, and in a step of entries */
    int64_t n_entries, room_entries, n_seen, room_seen;
} tg_grad_record;

/* The record behind the handle; NULL with the error raised. */
tg_grad_record *tg_grad_record_of(const tg_grad_profile *p, const char *who);

/* Whether a picture of norms has anything to show: one that is finite and not 0. */
bool tg_grad_shows(const tg_grad_profile *p);

double tg_grad_norm_of(const tg_grad_seen *s);

/* Adds what was seen of one parameter to what was seen of others. */
void tg_grad_add(tg_grad_seen *to, const tg_grad_seen *s);

#endif
