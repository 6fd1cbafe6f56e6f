/* Arrays that are broadcast to a longer one in rows: a bias that is added to each row, a scale that each row has one of. */
#include "autograd/plan/record.h"

/* How many elements the axes from the last one on hold that are dense, or of which all are one; *axis: the one before them. */
static int64_t innermost(const tg_array *a, bool dense, int *axis) {
    int64_t n = 1;
    int i = a->rank - 1;
    for (; i >= 0; i--) {
        if (a->shape[i] == 1) continue;
        if (a->stride[i] != (dense ? n : 0)) break;
        n *= a->shape[i];
    }
    *axis = i;
    return n;
}

/* Whether the axes up to this one are dense, or all of their elements are one. */
static bool are_alike(const tg_array *a, int axis, bool dense) {
    int64_t n = 1;
    for (int i = axis; i >= 0; i--) {
        if (a->shape[i] == 1) continue;
        if (a->stride[i] != (dense ? n : 0)) return false;
        n *= a->shape[i];
    }
    return true;
}

int tg_broadcast_in_rows(const tg_array *a, int64_t *row) {
    for (int how = TG_SAME_ROW; how <= TG_ONE_A_ROW; how++) {
        const bool same = how == TG_SAME_ROW;
        int axis;
        int64_t n = innermost(a, same, &axis);
        if (n == 1 || axis < 0 || !are_alike(a, axis, !same)) continue;
        *row = n;
        return how;
    }
    return TG_EACH;
}
