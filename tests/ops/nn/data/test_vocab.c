/* Vocabularies: numbers of characters and back, and what is no text. */
#include "tests/ops/nn/helpers.h"

#include <stdio.h>
#include <unistd.h>

static tg_tensor *text(const char *s) { return tg_from(TG_U8, s, (int64_t)strlen(s)); }

static void expect_text(const tg_tensor *t, const char *s) {
    expect_ok();
    ck_assert_int_eq(tg_dtype_of(t), TG_U8);
    ck_assert_int_eq(tg_numel(t), (int64_t)strlen(s));
    if (*s) ck_assert_mem_eq(tg_data(t), s, strlen(s));
}

/* ---- what it is for ---- */

static const struct good {
    const char *text, *characters; /* in order of their code points */
    int n;
    double ids[8];
} goods[] = {
    {"banana", "abn", 3, {1, 0, 2, 0, 2, 0}},
    {"a", "a", 1, {0}},
    {"B\na\t", "\t\nBa", 4, {2, 1, 3, 0}},
    {"\x01\x7f", "\x01\x7f", 2, {0, 1}},
    {"z\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"
     "a",
     "az\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80",
     5,
     {1, 2, 3, 4, 0}},
    /* the first and the last of each length, and both sides of the surrogates */
    {"\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
     "\xc2\x80\xdf\xbf\xe0\xa0\x80\xed\x9f\xbf\xee\x80\x80\xef\xbf\xbf\xf0\x90\x80\x80\xf4\x8f\xbf\xbf",
     8,
     {0, 1, 2, 3, 4, 5, 6, 7}},
};

START_TEST(there_and_back) {
    const struct good *g = &goods[_i];
    tg_vocab *v = tg_vocab_of(text(g->text)), *again = tg_vocab_new(tg_vocab_text(v));
    expect_ok();
    ck_assert_str_eq(tg_vocab_text(v), g->characters);
    ck_assert_str_eq(tg_vocab_text(again), g->characters);
    ck_assert_int_eq(tg_vocab_size(v), g->n);
    const tg_tensor *ids = tg_vocab_encode(v, text(g->text));
    expect_elements(ids, g->ids, 0);
    ck_assert(tg_dtype_of(ids) == TG_I64 && tg_rank(ids) == 1);
    expect_text(tg_vocab_decode(again, ids), g->text);
    expect_text(tg_vocab_decode(again, tg_to((tg_tensor *)(uintptr_t)ids, TG_I32)), g->text);
    tg_vocab_free(v);
    tg_vocab_free(again);
}
END_TEST

/* A vocabulary of one's own has its own order; views are read as they are, and numbers may have any shape. */
START_TEST(orders_and_views) {
    tg_vocab *v = tg_vocab_new("ba\xc3\xa9 ");
    const double ids[] = {1, 0, 2, 3};
    expect_elements(tg_vocab_encode(v, text("ab\xc3\xa9 ")), ids, 0);
    expect_text(tg_vocab_decode(v, tg_from(TG_I64, (int64_t[]){0, 1, 2, 2, 1, 0}, 2, 3)), "ba\xc3\xa9\xc3\xa9"
                                                                                          "ab");
    expect_text(tg_vocab_decode(v, tg_transpose(tg_from(TG_I64, (int64_t[]){0, 1, 2, 3}, 2, 2), 0, 1)),
                "b\xc3\xa9"
                "a ");
    expect_text(tg_vocab_decode(v, tg_slice(tg_from(TG_I32, (int32_t[]){0, 1, 2, 3}, 4), 0, 0, 4, 2)),
                "b\xc3\xa9");
    expect_elements(tg_vocab_encode(v, tg_slice(text("axbx"), 0, 0, 4, 2)), ids, 0);
    expect_text(tg_vocab_decode(v, tg_zeros(TG_I64, 0)), "");
    ck_assert_int_eq(tg_numel(tg_vocab_encode(v, tg_zeros(TG_U8, 0))), 0);
    const double unknown[] = {1, 3, 0, 3};
    expect_elements(tg_vocab_encode(v, text("axb\xf0\x9f\x98\x80"), .unknown = " "), unknown, 0);
    expect_ok();
    tg_vocab_free(v);
}
END_TEST

/* All code points there are. */
START_TEST(all_of_unicode) {
    enum { ALL = 0x110000 - 0x800 - 1 };
    static unsigned char b[4 * ALL + 1];
    size_t n = 0;
    for (unsigned c = 1; c < 0x110000; c++) {
        if (c >= 0xd800 && c < 0xe000) continue;
        if (c < 0x80) b[n++] = (unsigned char)c;
        if (c >= 0x80 && c < 0x800) b[n++] = (unsigned char)(0xc0 | c >> 6);
        if (c >= 0x800 && c < 0x10000) b[n++] = (unsigned char)(0xe0 | c >> 12);
        if (c >= 0x10000)
            b[n++] = (unsigned char)(0xf0 | c >> 18), b[n++] = (unsigned char)(0x80 | (c >> 12 & 63));
        if (c >= 0x800) b[n++] = (unsigned char)(0x80 | (c >> 6 & 63));
        if (c >= 0x80) b[n++] = (unsigned char)(0x80 | (c & 63));
    }
    const tg_tensor *t = tg_from(TG_U8, b, (int64_t)n);
    tg_vocab *v = tg_vocab_of(t);
    ck_assert_int_eq(tg_vocab_size(v), ALL);
    ck_assert_str_eq(tg_vocab_text(v), (char *)b);
    const tg_tensor *ids = tg_vocab_encode(v, t), *back = tg_vocab_decode(v, ids);
    ck_assert_int_eq(tg_numel(ids), ALL);
    for (int64_t i = 0; i < ALL; i++) ck_assert(((const int64_t *)tg_data(ids))[i] == i);
    ck_assert_int_eq(tg_numel(back), (int64_t)n);
    ck_assert_mem_eq(tg_data(back), b, n);
    tg_vocab_free(v);
}
END_TEST

#if TG_HAVE_JANSSON
/* With a model's tensors in one file. */
START_TEST(saved_with_a_model) {
    char path[] = "/tmp/vocab-XXXXXX";
    const int fd = mkstemp(path);
    ck_assert_int_ge(fd, 0);
    close(fd);
    const char *characters = "\x01\t\n \"\\az\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80";
    tg_vocab *v = tg_vocab_new(characters);
    tg_safetensors *file = tg_safetensors_new();
    tg_safetensors_put(file, "w", tg_ones(TG_F32, 2));
    tg_safetensors_put_text(file, "vocabulary", tg_vocab_text(v));
    ck_assert_int_eq(tg_safetensors_save(file, path), TG_OK);
    tg_safetensors_free(file);
    tg_vocab_free(v);
    file = tg_safetensors_open(path);
    v = tg_vocab_new(tg_safetensors_text(file, "vocabulary"));
    expect_ok();
    ck_assert_str_eq(tg_vocab_text(v), characters);
    ck_assert_ptr_null(tg_vocab_new(tg_safetensors_text(file, "another")));
    expect_error(TG_ERR_ARGUMENT, "tg_vocab_new: the characters are NULL");
    tg_safetensors_free(file);
    tg_vocab_free(v);
    remove(path);
}
END_TEST
#endif

/* ---- what is refused ---- */

static const struct bad {
    const char *text;
    int64_t n;
    const char *says;
} bads[] = {
    {"ab\0c", 4, "byte 2 of the text, 0x00, is not UTF-8 or the end of a text"},
    {"ab\x80", 3, "byte 2 of the text, 0x80, is not UTF-8"},
    {"\xbf", 1, "byte 0 of the text, 0xbf"},
    {"a\xc3", 2, "byte 1 of the text, 0xc3"},
    {"a\xc3z", 3, "byte 1 of the text, 0xc3"},
    {"\xc0\xaf", 2, "byte 0 of the text, 0xc0"}, /* longer than it need be */
    {"\xc1\xbf", 2, "byte 0 of the text, 0xc1"},
    {"\xe0\x9f\xbf", 3, "byte 0 of the text, 0xe0"},
    {"\xe2\x82", 2, "byte 0 of the text, 0xe2"},
    {"\xe2\x82z", 3, "byte 0 of the text, 0xe2"},
    {"\xed\xa0\x80", 3, "byte 0 of the text, 0xed"}, /* a surrogate */
    {"\xed\xbf\xbf", 3, "byte 0 of the text, 0xed"},
    {"\xf0\x8f\xbf\xbf", 4, "byte 0 of the text, 0xf0"},
    {"\xf0\x9f\x98", 3, "byte 0 of the text, 0xf0"},
    {"\xf0\x9f\x98z", 4, "byte 0 of the text, 0xf0"},
    {"\xf4\x90\x80\x80", 4, "byte 0 of the text, 0xf4"}, /* beyond U+10FFFF */
    {"\xf5\x80\x80\x80", 4, "byte 0 of the text, 0xf5"},
    {"\xff", 1, "byte 0 of the text, 0xff"},
};

START_TEST(not_utf8) {
    const struct bad *b = &bads[_i];
    const tg_tensor *t = tg_from(TG_U8, b->text, b->n);
    tg_vocab *v = tg_vocab_new("abc");
    const size_t live = tg_memory_now().live_buffer_bytes;
    ck_assert_ptr_null(tg_vocab_of(t));
    expect_error(TG_ERR_FORMAT, "tg_vocab_of: ", b->says);
    ck_assert(tg_is_poison(tg_vocab_encode(v, t, .unknown = "a")));
    expect_error(TG_ERR_FORMAT, "tg_vocab_encode: ", b->says);
    if (strlen(b->text) == (size_t)b->n) {
        ck_assert_ptr_null(tg_vocab_new(b->text));
        expect_error(TG_ERR_FORMAT, "tg_vocab_new: ", b->says);
    }
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    tg_vocab_free(v);
}
END_TEST

START_TEST(refused) {
    tg_vocab *v = tg_vocab_new("ab\xc3\xa9");
    ck_assert_ptr_null(tg_vocab_new(""));
    expect_error(TG_ERR_ARGUMENT, "tg_vocab_new: there are no characters");
    ck_assert_ptr_null(tg_vocab_new("a\xc3\xa9"
                                    "b\xc3\xa9"));
    expect_error(TG_ERR_ARGUMENT, "tg_vocab_new: character U+00E9 is there twice");
    ck_assert_ptr_null(tg_vocab_of(tg_zeros(TG_U8, 0)));
    expect_error(TG_ERR_SHAPE, "tg_vocab_of: the text is empty");
    ck_assert_ptr_null(tg_vocab_of(tg_zeros(TG_U8, 2, 2)));
    expect_error(TG_ERR_SHAPE, "tg_vocab_of: a text is u8 [bytes], not [2, 2] u8");
    ck_assert_ptr_null(tg_vocab_of(tg_zeros(TG_I64, 2)));
    expect_error(TG_ERR_DTYPE, "tg_vocab_of: a text is u8 [bytes], not [2] i64");
    ck_assert_ptr_null(tg_vocab_of(NULL));
    expect_error(TG_ERR_ARGUMENT, "tg_vocab_of: ", "NULL");
    ck_assert(tg_is_poison(tg_vocab_encode(v, text("ab\xe2\x82\xac"))));
    expect_error(
        TG_ERR_ARGUMENT,
        "tg_vocab_encode: character 2 of the text, U+20AC \"\xe2\x82\xac\" at byte 2, is not in the vocabulary");
    static const char *const unknowns[] = {"", "x", "ab", "\xc3", "\xff"};
    for (int i = 0; i < COUNT(unknowns); i++) {
        ck_assert(tg_is_poison(tg_vocab_encode(v, text("a"), .unknown = unknowns[i])));
        expect_error(TG_ERR_ARGUMENT, "tg_vocab_encode: unknown is ",
                     "which is not one character of the vocabulary");
    }
    ck_assert(tg_is_poison(tg_vocab_encode(v, tg_zeros(TG_F32, 2))));
    expect_error(TG_ERR_DTYPE, "tg_vocab_encode: a text is u8 [bytes]");
    ck_assert(tg_is_poison(tg_vocab_decode(v, tg_from(TG_I64, (int64_t[]){0, 3}, 2))));
    expect_error(TG_ERR_ARGUMENT, "tg_vocab_decode: number 1 is 3, outside of the vocabulary's [0, 3)");
    ck_assert(tg_is_poison(tg_vocab_decode(v, tg_from(TG_I32, (int32_t[]){-1}, 1))));
    expect_error(TG_ERR_ARGUMENT, "number 0 is -1, outside");
    ck_assert(tg_is_poison(tg_vocab_decode(v, tg_zeros(TG_F32, 2))));
    expect_error(TG_ERR_DTYPE, "tg_vocab_decode: numbers are i64 or i32, not [2] f32");
    tg_fail(TG_ERR_IO, "earlier");
    ck_assert_ptr_null(tg_vocab_new("a"));
    ck_assert_ptr_null(tg_vocab_of(text("a")));
    ck_assert(tg_is_poison(tg_vocab_encode(v, tg_zeros(TG_U8, 0))));
    expect_error(TG_ERR_IO, "earlier");
    tg_vocab_free(v);
    tg_vocab *const none[] = {NULL, v};
    for (int i = 0; i < 2; i++) {
        ck_assert_int_eq(tg_vocab_size(none[i]), 0);
        expect_error(TG_ERR_ARGUMENT, "tg_vocab_size: the vocabulary ");
        ck_assert_ptr_null(tg_vocab_text(none[i]));
        expect_error(TG_ERR_ARGUMENT, "tg_vocab_text: the vocabulary ");
        ck_assert(tg_is_poison(tg_vocab_encode(none[i], text("a"))));
        expect_error(TG_ERR_ARGUMENT, "tg_vocab_encode: the vocabulary ");
        ck_assert(tg_is_poison(tg_vocab_decode(none[i], tg_zeros(TG_I64, 1))));
        expect_error(TG_ERR_ARGUMENT, "tg_vocab_decode: the vocabulary ");
        tg_vocab_free(none[i]);
        if (none[i]) expect_error(TG_ERR_ARGUMENT, "tg_vocab_free: the vocabulary was freed");
        expect_ok();
    }
}
END_TEST

START_TEST(no_memory) {
    const tg_tensor *t = text("to be or not to be"), *all = tg_slice(text("t o   b e"), 0, 0, 9, 2);
    int failures = 0, done = 0;
    for (int64_t at = 1; done < 3; at++) {
        const size_t live = tg_memory_now().live_buffer_bytes;
        const tg_mark mark = tg_tape_mark();
        tg_memory_fail_at(at);
        tg_vocab *v = tg_vocab_of(t);
        const tg_tensor *back = v ? tg_vocab_decode(v, tg_to(tg_vocab_encode(v, all), TG_I32)) : tg_poison();
        tg_memory_fail_at(-1);
        if (tg_is_poison(back)) {
            expect_error(TG_ERR_MEMORY, "");
            failures++, done = 0;
        } else {
            expect_text(back, "to be");
            done++;
        }
        tg_vocab_free(v);
        tg_tape_rewind(mark);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    }
    ck_assert_int_ge(failures, 6);
}
END_TEST

TCase *tcase_vocab(void);

TCase *tcase_vocab(void) {
    TCase *tc = tcase_create("vocab");
    tcase_set_timeout(tc, 60);
    tcase_add_loop_test(tc, there_and_back, 0, COUNT(goods));
    tcase_add_test(tc, orders_and_views);
    tcase_add_test(tc, all_of_unicode);
#if TG_HAVE_JANSSON
    tcase_add_test(tc, saved_with_a_model);
#endif
    tcase_add_loop_test(tc, not_utf8, 0, COUNT(bads));
    tcase_add_test(tc, refused);
    tcase_add_test(tc, no_memory);
    return tc;
}
