/* Objects behind handles, such as models and optimisers, and stores of your own. Use after free, and a second free, are
 * errors. The memory is that of a kept tensor, and the handle is the tensor's (core/tensor.h, rule 3) under another type. */
#ifndef TG_OPS_NN_OBJECT_H
#define TG_OPS_NN_OBJECT_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A handle to `bytes` bytes of zeros, aligned to 16; NULL with TG_ERR_MEMORY raised. `kind`, a static string, says what
 * the object is and is compared by address. `who` is the function that errors name. */
TG_API void *tg_object_new(size_t bytes, const char *kind, const char *who);

/* The memory; NULL with TG_ERR_ARGUMENT raised for NULL, for an object that was freed, and for one of another kind. */
TG_API void *tg_object_of(const void *handle, const char *kind, const char *who);

/* Frees an object that tg_object_of has found. */
TG_API void tg_object_free(void *handle);

#ifdef __cplusplus
}
#endif
#endif
