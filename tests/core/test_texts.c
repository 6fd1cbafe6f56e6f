/* Integers printed by core/print.c against a plain printer for them: one wide number in each place that is shown and in
 * some that are not, of every rank, in every layout, rows that wrap, axes that are cut. */
#include "core/slot.h"
#include "tests/core/layouts.h"

#include <inttypes.h>
#include <stdio.h>

TCase *tcase_texts(void);

enum { EDGE = 3, MOST = 1000, LINE = 75, ROOM = 1 << 16 };

static char text[ROOM];
static size_t length;
static void add(const char *s) {
    while (*s) text[length++] = *s++;
    text[length] = '\0';
}

typedef struct plain {
    const tg_array *a;
    int width;
    bool cut;
} plain;

static int64_t value(const tg_array *a, int64_t i) {
    int64_t rest = i, at = 0;
    for (int d = a->rank - 1; d >= 0; rest /= a->shape[d], d--) at += rest % a->shape[d] * a->stride[d];
    return a->dtype == TG_I64 ? ((const int64_t *)a->data)[at] : ((const int32_t *)a->data)[at];
}

static bool is_cut(const plain *p, int axis) { return p->cut && p->a->shape[axis] > 2 * EDGE; }

/* The widest of the shown, from element `first` of the axis on. */
static void measure(plain *p, int axis, int64_t first) {
    if (axis == p->a->rank) {
        char word[32];
        int n = snprintf(word, sizeof word, "%" PRId64, value(p->a, first));
        p->width = n > p->width ? n : p->width;
        return;
    }
    for (int64_t i = 0, n = p->a->shape[axis]; i < n; i++)
        if (!is_cut(p, axis) || i < EDGE || i >= n - EDGE) measure(p, axis + 1, first * n + i);
}

static void write_row(const plain *p, int axis, int64_t first) {
    char word[40];
    int column = axis + 1;
    int64_t n = p->a->shape[axis];
    for (int64_t i = 0; i < n; i++) {
        bool gap = is_cut(p, axis) && i >= EDGE && i < n - EDGE;
        if (gap && i > EDGE) continue;
        snprintf(word, sizeof word, "%*" PRId64, p->width, value(p->a, first * n + i));
        if (gap) strcpy(word, "...");
        int wide = (int)strlen(word);
        if (column + wide > LINE - axis - 1 && column > axis + 1) {
            text[--length] = '\n'; /* in place of the blank */
            for (int k = 0; k <= axis; k++) text[++length] = ' ';
            text[++length] = '\0';
            column = axis + 1;
        }
        add(word);
        add(" ");
        column += wide + 1;
    }
    text[--length] = '\0';
}

static void write_axis(const plain *p, int axis, int64_t first) {
    add("[");
    int64_t n = p->a->shape[axis];
    if (axis == p->a->rank - 1) write_row(p, axis, first);
    for (int64_t i = 0; axis < p->a->rank - 1 && i < n; i++) {
        bool gap = is_cut(p, axis) && i >= EDGE && i < n - EDGE;
        if (gap && i > EDGE) continue;
        for (int k = 0; i > 0 && k < p->a->rank - 1 - axis; k++) add("\n");
        for (int k = 0; i > 0 && k <= axis; k++) add(" ");
        if (gap)
            add("...");
        else
            write_axis(p, axis + 1, first * n + i);
    }
    add("]");
}

static void check_text(const tg_array *a) {
    static char is[ROOM];
    plain p = {a, 0, a->numel > MOST};
    length = 0;
    measure(&p, 0, 0);
    write_axis(&p, 0, 0);
    tg_array held = {0};
    tg_array_share(&held, a);
    tg_tensor *t = tg_from_array(&held);
    size_t n = tg_to_text(t, is, sizeof is);
    tg_array_drop(&held);
    REQUIRE(n == length && strcmp(is, text) == 0, "rank %d: %.300s\nshould be %.300s", a->rank, is, text);
    for (size_t room = 1; room < 40; room += 6) { /* cut to its room, whose length is told all the same */
        memset(is, '#', sizeof is);
        ck_assert_uint_eq(tg_to_text(t, is, room), n);
        ck_assert(strncmp(is, text, room - 1) == 0 && is[room < n + 1 ? room - 1 : n] == '\0' &&
                  is[room] == '#');
    }
}

static const tg_shape shapes[] = {{1, {5}},
                                  {1, {1003}},
                                  {2, {3, 40}},
                                  {2, {7, 200}},
                                  {3, {2, 3, 4}},
                                  {3, {9, 8, 20}},
                                  {4, {7, 2, 8, 10}},
                                  {5, {2, 2, 7, 3, 13}},
                                  {5, {7, 7, 1, 7, 7}},
                                  {6, {2, 3, 2, 2, 3, 2}},
                                  {8, {2, 1, 2, 2, 2, 1, 2, 2}}};
enum { SHAPES = sizeof shapes / sizeof *shapes };

START_TEST(one_wide_number) {
    tg_shape s = shapes[_i];
    int64_t n = tg_shape_numel(s), tensors = tg_region_current()->count;
    static const int64_t wide[] = {-7, 1234567, -2147483648, INT64_MAX, INT64_MIN, INT64_C(3) << 40};
    for (int how = 0; how <= BACK; how++) {
        tg_dtype dtype = how % 2 ? TG_I64 : TG_I32;
        laid l = lay_out(dtype, s, (lay)how);
        for (int64_t i = 0; i < l.whole.numel; i++) tg_array_set(&l.whole, i, 0);
        for (int64_t at = 0; at < n; at += n < 60 ? 1 : 1 + n / (fast() ? 40 : 150)) {
            int64_t number = wide[(at + how) % (dtype == TG_I64 ? 6 : 3)];
            int32_t narrow = (int32_t)number;
            memcpy(place_of(&l, at), dtype == TG_I64 ? (void *)&number : (void *)&narrow, l.size);
            check_text(&l.a);
            memset(place_of(&l, at), 0, l.size);
            tg_region_rewind(tg_region_current(), tensors);
        }
        lay_down(&l);
    }
    ck_assert_int_eq(tg_error_status(), TG_OK);
}
END_TEST

TCase *tcase_texts(void) {
    TCase *tc = tcase_create("texts");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, one_wide_number, 0, SHAPES);
    return tc;
}
