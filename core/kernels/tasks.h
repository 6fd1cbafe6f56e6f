/* Private. A loop over tasks that need scratch memory. */
#ifndef TG_CORE_KERNELS_TASKS_H
#define TG_CORE_KERNELS_TASKS_H

#include "core/array.h"

typedef void tg_task_fn(const void *context, int64_t task, char *scratch);

/* Calls body for each of n tasks, in a group of neighbours for each thread, and of `least` of them or more. The tasks of
 * a group run one after the other and share scratch memory for `elements` of the dtype. TG_ERR_MEMORY, with nothing
 * called, where there is none. */
tg_status tg_parallel_tasks(int64_t n, int64_t least, tg_dtype dtype, int64_t elements, tg_task_fn *body,
                            const void *context);

/* The same, with one call for the tasks [begin, end) of a group, which may keep in the scratch memory what all of them use. */
typedef void tg_group_fn(const void *context, int64_t begin, int64_t end, char *scratch);
tg_status tg_parallel_groups(int64_t n, int64_t least, tg_dtype dtype, int64_t elements, tg_group_fn *body,
                             const void *context);

#endif
