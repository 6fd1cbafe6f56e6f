#include "core/kernels/tasks.h"
#include "core/parallel.h"

enum { GROUPS = 64 };

typedef struct groups {
    tg_group_fn *body;
    const void *context;
    int64_t grain;
    size_t scratch_size;
    char *scratch;
} groups;

static void run_group(void *context, int64_t begin, int64_t end) {
    const groups *all = context;
    all->body(all->context, begin, end, all->scratch + (size_t)(begin / all->grain) * all->scratch_size);
}

tg_status tg_parallel_groups(int64_t n, int64_t least, tg_dtype dtype, int64_t elements, tg_group_fn *body,
                             const void *context) {
    if (n == 0) return TG_OK;
    int64_t threads = tg_threads_here() < GROUPS ? tg_threads_here() : GROUPS,
            grain = (n + threads - 1) / threads;
    if (grain < least) grain = least;
    tg_array scratch = {0};
    tg_status s =
        elements ? tg_array_alloc(&scratch, dtype, TG_SHAPE((n + grain - 1) / grain, elements)) : TG_OK;
    if (s != TG_OK) return s;
    groups all = {body, context, grain, (size_t)elements * tg_dtype_size(dtype), scratch.data};
    tg_parallel_for(n, grain, run_group, &all);
    tg_array_drop(&scratch);
    return TG_OK;
}

typedef struct tasks {
    tg_task_fn *body;
    const void *context;
} tasks;

static void some_tasks(const void *context, int64_t begin, int64_t end, char *scratch) {
    const tasks *all = context;
    for (int64_t i = begin; i < end; i++) all->body(all->context, i, scratch);
}

tg_status tg_parallel_tasks(int64_t n, int64_t least, tg_dtype dtype, int64_t elements, tg_task_fn *body,
                            const void *context) {
    return tg_parallel_groups(n, least, dtype, elements, some_tasks, &(tasks){body, context});
}
