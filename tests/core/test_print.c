#include "ops/tapegrad.h"
#include "core/slot.h"

#include <check.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

TCase *tcase_print(void);

typedef struct golden {
    tg_dtype dtype;
    tg_shape shape;
    const double *values; /* NULL: start + step * i */
    double start, step;
    const char *text;
} golden;

static const golden table[] = {
#include "tests/golden/print.def"
};
enum { ROWS = sizeof table / sizeof table[0], LONGEST = 1 << 14 };

static int64_t tensors_before;

static void setup(void) {
    tg_error_clear();
    tensors_before = tg_region_current()->count;
}

static void teardown(void) {
    tg_error_clear();
    tg_region_rewind(tg_region_current(), tensors_before);
}

static tg_tensor *build(const golden *g) {
    tg_array a = {0};
    ck_assert_int_eq(tg_array_alloc(&a, g->dtype, g->shape), TG_OK);
    for (int64_t i = 0; i < a.numel; i++)
        tg_array_set(&a, i, g->values ? g->values[i] : g->start + g->step * (double)i);
    tg_tensor *t = tg_from_array(&a);
    tg_array_drop(&a);
    return t;
}

/* Not ck_assert_str_eq: Check stops the program over messages as long as these texts. */
static void expect(const tg_tensor *t, const char *text) {
    static char buf[LONGEST];
    memset(buf, '#', sizeof buf);
    const size_t n = tg_to_text(t, buf, sizeof buf);
    size_t same = 0;
    while (text[same] && buf[same] == text[same]) same++;
    ck_assert_msg(buf[same] == text[same], "at %zu, \"%.80s\" should be \"%.80s\"", same, buf + same,
                  text + same);
    ck_assert_uint_eq(n, strlen(text));
}

START_TEST(prints_as_numpy) {
    const golden *g = &table[_i];
    expect(build(g), g->text);
    ck_assert_int_eq(tg_error_status(), TG_OK);
}
END_TEST

/* Rows of rank 2 and more: the same elements behind other strides give the same text. */
START_TEST(strides_do_not_matter) {
    const golden *g = &table[_i];
    const int rank = g->shape.rank;
    if (rank < 2) return;
    int order[TG_MAX_RANK];
    golden turned = *g;
    for (int i = 0; i < rank; i++) {
        order[i] = rank - 1 - i;
        turned.shape.dim[i] = g->shape.dim[rank - 1 - i];
    }
    const tg_array *plain = tg_array_of(build(g));
    tg_array a = {0}, view = {0};
    ck_assert_int_eq(tg_array_alloc(&a, g->dtype, turned.shape), TG_OK);
    tg_array_permute(&view, &a, order);
    tg_array_copy(&view, plain);
    expect(tg_from_array(&view), g->text);
    tg_array_drop(&view);
    tg_array_drop(&a);
}
END_TEST

START_TEST(repeated_and_reversed_views) {
    const float v[3] = {1, -2.5f, 3};
    const tg_array *a = tg_array_of(tg_from(TG_F32, v, 3));
    tg_array view = {0};
    ck_assert_int_eq(tg_array_broadcast(&view, a, TG_SHAPE(2, 3)), TG_OK);
    expect(tg_from_array(&view), "[[ 1.  -2.5  3. ]\n [ 1.  -2.5  3. ]]");
    tg_array_drop(&view);
    tg_array_share(&view, a);
    view.data = (float *)a->data + 2;
    view.stride[0] = -1;
    expect(tg_from_array(&view), "[ 3.  -2.5  1. ]");
    tg_array_drop(&view);
}
END_TEST

START_TEST(extreme_integers) {
    const int64_t wide[2] = {INT64_MIN, INT64_MAX};
    const int32_t narrow[2] = {INT32_MIN, INT32_MAX};
    expect(tg_from(TG_I64, wide, 2), "[-9223372036854775808  9223372036854775807]");
    expect(tg_from(TG_I64, wide + 1, 1), "[9223372036854775807]");
    expect(tg_from(TG_I32, narrow, 2), "[-2147483648  2147483647]");
}
END_TEST

START_TEST(cut_to_the_buffer) {
    const float v[2] = {1, 2};
    const tg_tensor *t = tg_from(TG_F32, v, 2);
    const char *whole = "[1. 2.]";
    ck_assert_uint_eq(tg_to_text(t, NULL, 0), 7);
    for (size_t n = 1; n <= 9; n++) {
        char buf[16];
        memset(buf, '#', sizeof buf);
        ck_assert_uint_eq(tg_to_text(t, buf, n), 7);
        const size_t kept = n - 1 < 7 ? n - 1 : 7;
        ck_assert_uint_eq(strlen(buf), kept);
        ck_assert_int_eq(strncmp(buf, whole, kept), 0);
        for (size_t i = n; i < sizeof buf; i++) ck_assert_int_eq(buf[i], '#');
    }
}
END_TEST

START_TEST(print_adds_a_newline) {
    const float v[4] = {1, 2, 3, 4};
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    tg_print(file, tg_from(TG_F32, v, 2, 2));
    rewind(file);
    char buf[64];
    const size_t n = fread(buf, 1, sizeof buf - 1, file);
    buf[n] = '\0';
    ck_assert_str_eq(buf, "[[1. 2.]\n [3. 4.]]\n");
    fclose(file);
}
END_TEST

START_TEST(bad_handles) {
    char buf[8] = "#######";
    ck_assert_uint_eq(tg_to_text(NULL, buf, sizeof buf), 0);
    ck_assert_str_eq(buf, "");
    ck_assert_int_eq(tg_error_status(), TG_ERR_ARGUMENT);
    ck_assert_ptr_nonnull(strstr(tg_error_message(), "to_text"));
    tg_error_clear();
    FILE *file = tmpfile();
    ck_assert_ptr_nonnull(file);
    tg_print(file, NULL);
    ck_assert_int_eq(ftell(file), 0);
    ck_assert_ptr_nonnull(strstr(tg_error_message(), "print"));
    fclose(file);
}
END_TEST

TCase *tcase_print(void) {
    TCase *tc = tcase_create("print");
    tcase_add_checked_fixture(tc, setup, teardown);
    tcase_add_loop_test(tc, prints_as_numpy, 0, ROWS);
    tcase_add_loop_test(tc, strides_do_not_matter, 0, ROWS);
    tcase_add_test(tc, repeated_and_reversed_views);
    tcase_add_test(tc, extreme_integers);
    tcase_add_test(tc, cut_to_the_buffer);
    tcase_add_test(tc, print_adds_a_newline);
    tcase_add_test(tc, bad_handles);
    return tc;
}
