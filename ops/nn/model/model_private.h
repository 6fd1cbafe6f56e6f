/* Private. A model as those see it that save and load it (model_file.c, training.c). */
#ifndef TG_OPS_NN_MODEL_PRIVATE_H
#define TG_OPS_NN_MODEL_PRIVATE_H

#include "ops/nn/model/model_file.h"
#include "ops/nn/model/store.h"

typedef enum tg_holding { TG_PARAMETERS, TG_BUFFERS, TG_HOLDINGS } tg_holding;

/* What tg_model_freeze was told, in the order in which it holds. */
typedef struct tg_freeze {
    char *pattern; /* owned */
    bool thaw, allow_empty;
    bool matched; /* a parameter */
} tg_freeze;

/* The object behind a handle tg_model *: a model, or a scope of one. A name is in one store at most. */
typedef struct tg_model_object {
    uint64_t seed;
    tg_store store[TG_HOLDINGS];
    tg_store scopes; /* by prefix; their tensors are handles tg_model * */
    int freezes;
    tg_freeze *freeze;
    bool evaluating;
    bool whole_file; /* a file made it, of which all was to be loaded */
    int making;      /* the number of parameters and buffers whose initialiser is running */
    tg_model *whole; /* the handle of the model itself; a scope has nothing but this and its prefix */
    char prefix[];   /* "block3."; "" in a model */
} tg_model_object;

/* NULL with TG_ERR_ARGUMENT raised when the handle is not that of a model. */
tg_model_object *tg_model_object_of(const tg_model *model, const char *who);

/* A parameter that the model is given is frozen where a pattern says so. */
void tg_model_freeze_new(tg_model_object *m, const tg_entry *e);

/* Raises the error where a pattern has not matched a parameter yet. */
tg_status tg_model_check_freezes(const tg_model_object *m, const char *who);

void tg_model_freezes_free(tg_model_object *m);

/* The model of a handle that may also be a scope's; *prefix is what the scope puts before names, "" for a model. */
tg_model_object *tg_model_scope_of(const tg_model *model, const char **prefix, const char *who);

/* An empty model, or a scope of `whole`; NULL with the error raised. */
tg_model *tg_model_object_new(tg_model *whole, const char *prefix, const char *who);

/* tg_model_param and tg_model_buffer for a layer of kind `layer`, whose own name is the first `own` characters of `name`; the
 * name of a layer of another kind is TG_ERR_ARGUMENT. With `own` 0 no layer asks. */
tg_tensor *tg_model_ask(tg_model *model, tg_holding holding, const char *name, tg_dtype dtype, tg_shape shape,
                        tg_init init, const char *layer, size_t own);

/* ---- loading in two halves: what can fail, and then the change ---- */

typedef struct tg_model_item {
    const char *file; /* its name in the set */
    tg_tensor *value; /* kept: for a new entry its tensor, else the elements to be copied; NULL: not to be loaded */
    tg_holding holding; /* of the entry */
    int at;             /* its number there; -1: it is new */
} tg_model_item;

typedef struct tg_model_change {
    tg_model_object *model;
    const char *who, *path; /* for messages */
    tg_model_load_opts opts;
    tg_store names;      /* in the model, of the items, which have the same numbers */
    tg_model_item *item; /* of `room` places */
    int room;
    int left_out; /* tensors that the table of names leaves out */
    bool listed;  /* the set has lists of parameters and buffers */
} tg_model_change;

/* Reads the set and makes all that the change needs. `path` is where the set is from. After it the change is made by
 * tg_model_change_commit, which cannot fail, or dropped, as it is after a failure. */
tg_status tg_model_change_prepare(tg_model_change *c, const tg_safetensors *set);
void tg_model_change_commit(tg_model_change *c);
void tg_model_change_drop(tg_model_change *c);

/* The parameters that the model will have, in their order: up to `most` handles and names, and their numbers among those of
 * the file. Returns how many there are. */
int tg_model_change_params(const tg_model_change *c, int most, tg_tensor *param[], const char *name[],
                           int number[]);

#endif
