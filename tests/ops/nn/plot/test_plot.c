/* Pictures: files that a parser of XML or libpng reads, with what was to be drawn in them. */
#include "ops/nn/plot/plot_private.h"
#include "tests/ops/nn/helpers.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#if TG_HAVE_LIBPNG
#include <png.h>
#endif

static char folder[64], path[128];

static void make_folder(void) {
    strcpy(folder, "/tmp/tapegrad-plot-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.svg", folder);
}
static void remove_folder(void) {
    unlink(path);
    rmdir(folder);
}

/* The file, as a text that the caller frees. */
static char *content(void) {
    expect_ok();
    size_t n;
    char *text = bytes_of(tg_load_text(path), &n);
    text[n] = '\0';
    ck_assert(strlen(text) == n);
    return text;
}

static int occurrences(const char *text, const char *word) {
    int n = 0;
    for (; (text = strstr(text, word)); text++) n++;
    return n;
}

/* Elements are closed in order, attributes are quoted, texts are escaped UTF-8, and no number is none. */
/* Where the word stands in the text, but for pixels, whose letters are any. */
static const char *find_outside_of_pixels(const char *text, const char *word) {
    const char *at = strstr(text, word), *pixels = strstr(text, ";base64,");
    while (at && pixels && at > pixels) {
        const char *end = strchr(pixels, '"');
        if (at < end) at = strstr(end, word);
        pixels = strstr(end, ";base64,");
    }
    return at;
}

static void expect_xml(const char *text) {
    char open[16][32];
    int depth = 0;
    ck_assert(strncmp(text, "<svg xmlns=\"http://www.w3.org/2000/svg\"", 39) == 0);
    for (const char *c = text; *c;) {
        uint32_t code = 0;
        if (*c != '<') {
            int n = tg_utf8_decode(c, (int64_t)strlen(c), &code);
            ck_assert_msg(n > 0 && code != '>' && (code != '&' || c[1] == '#'), "%.40s", c);
            c += n;
            continue;
        }
        bool closing = c[1] == '/';
        c += 1 + closing;
        int n = (int)strspn(c, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        ck_assert(n > 0 && n < 32 && depth < 16);
        if (closing) {
            ck_assert_msg(depth > 0 && strncmp(open[--depth], c, (size_t)n) == 0 && c[n] == '>', "%.40s", c);
            c += n + 1;
            continue;
        }
        snprintf(open[depth], sizeof open[0], "%.*s", n, c);
        bool style = strcmp(open[depth++], "style") == 0;
        for (c += n; *c == ' ';) {
            c += 1 + strcspn(c + 1, "= >");
            ck_assert_msg(c[0] == '=' && c[1] == '"', "%.40s", c);
            const char *end = strchr(c + 2, '"');
            ck_assert_ptr_nonnull(end);
            for (c += 2; c < end; c++) ck_assert_msg(*c != '<' && *c != '&', "%.40s", c);
            c = end + 1;
        }
        if (*c == '/') depth--, c++;
        ck_assert_msg(*c++ == '>', "%.40s", c - 1);
        if (style) c = strchr(c, '<'); /* rules have a > of their own, perhaps */
    }
    ck_assert(depth == 0);
    static const char *const words[] = {"nan", "inf\"", " inf"};
    for (int i = 0; i < 3; i++) {
        const char *at = find_outside_of_pixels(text, words[i]);
        ck_assert_msg(!at, "%.40s", at);
    }
}

static char *expect_picture(tg_status status) {
    ck_assert_msg(status == TG_OK, "%s", tg_error_message());
    char *text = content();
    expect_xml(text);
    return text;
}

static tg_tensor *ramp(int64_t n) { return tg_arange(TG_F64, 0, (double)n, 1); }

/* ---- what is in the pictures ---- */

START_TEST(texts_are_escaped) {
    make_folder();
    char *text = expect_picture(
        tg_plot_lines(path, 2, (tg_series[]){{"<a> & \"b\"", .y = ramp(3)}, {"\xff\x01z", .y = ramp(4)}},
                      .title = "\xc3\xbc<script>", .x = "\xe6\x90\x8d\xe5\xa4\xb1", .y = "a]]>b"));
    ck_assert_ptr_nonnull(strstr(text, "\xc3\xbc&#60;script&#62;"));
    ck_assert_ptr_nonnull(strstr(text, "&#60;a&#62; &#38; &#34;b&#34;"));
    ck_assert_ptr_nonnull(strstr(text, "\xef\xbf\xbd\xef\xbf\xbdz"));
    ck_assert_ptr_nonnull(strstr(text, "\xe6\x90\x8d\xe5\xa4\xb1"));
    ck_assert_ptr_nonnull(strstr(text, "prefers-color-scheme:dark"));
    free(text);
    char long_title[4000];
    memset(long_title, 'w', sizeof long_title);
    long_title[sizeof long_title - 1] = '\0';
    text = expect_picture(tg_plot_histogram(path, ramp(9), .title = long_title));
    ck_assert_ptr_nonnull(strstr(text, "wwww\xe2\x80\xa6</text>")); /* cut, and whole in <title> */
    ck_assert_ptr_nonnull(strstr(text, long_title));
    free(text);
    remove_folder();
}
END_TEST

START_TEST(what_is_not_finite_is_a_gap) {
    const double y[] = {1, 2, NAN, 3, INFINITY, 4, 5, 1e301, -1};
    make_folder();
    tg_tensor *t = tg_from(TG_F64, y, 9);
    char *text = expect_picture(tg_plot_lines(path, 1, (tg_series[]){{NULL, t, NULL, t}}));
    const char *line = strstr(text, "class=\"s c0\" d=\"");
    ck_assert_ptr_nonnull(line);
    int moves = 0;
    for (const char *c = line + 16; *c != '"'; c++) moves += *c == 'M';
    ck_assert_int_eq(moves, 4);
    ck_assert_int_eq(occurrences(strstr(text, "class=\"dots c0\" d=\""), "h0"), 2); /* 3 and -1 stand alone */
    free(text);
    text = expect_picture(tg_plot_lines(path, 1, (tg_series[]){{NULL, .y = t}}, .log_x = true,
                                        .log_y = true));                            /* nor the 0, and -1 */
    ck_assert_int_eq(occurrences(strstr(text, "class=\"dots c0\" d=\""), "h0"), 2); /* 2 and 3 */
    free(text);
    text = expect_picture(tg_plot_heatmap(path, tg_reshape(t, 3, 3)));
    ck_assert_int_eq(occurrences(text, "<path fill="), 6);
    free(text);
    text = expect_picture(tg_plot_histogram(path, t));
    free(text);
    remove_folder();
}
END_TEST

START_TEST(a_million_points_keep_their_extremes) {
    make_folder();
    const int64_t n = 1000000;
    tg_tensor *t = tg_rand(TG_F32, n);
    float *v = tg_data_mut(t);
    v[123456] = 7, v[765432] = -5;
    char *text = expect_picture(tg_plot_lines(path, 1, (tg_series[]){{NULL, .y = t}}));
    ck_assert_msg(strlen(text) < 120000, "%zu bytes", strlen(text));
    double least = 1e9, largest = -1e9, x, y;
    for (char *c = strstr(text, "class=\"s c0\" d=\"") + 16; *c == 'M' || *c == 'L';) {
        x = strtod(c + 1, &c), y = strtod(c, &c);
        ck_assert(x > 0 && x < 640);
        least = fmin(least, y), largest = fmax(largest, y);
    }
    tg_frame f = {.y = tg_axis_over((tg_extent){-5, 7, true}, false, 0.05, 0, 0)};
    f.y.from = 0, f.y.to = 1; /* in parts of the axis: the extremes are as far apart as they should be */
    double part = tg_axis_at(&f.y, 7) - tg_axis_at(&f.y, -5);
    ck_assert_msg(fabs((largest - least) / part - 340) < 40, "%g", (largest - least) / part);
    free(text);
    text = expect_picture(tg_plot_scatter(path, 1, (tg_series[]){{"noise", .y = t}}));
    ck_assert_msg(strlen(text) < 12000000, "%zu bytes", strlen(text));
    free(text);
    remove_folder();
}
END_TEST

START_TEST(any_dtype_and_layout) {
    make_folder();
    tg_tensor *base = tg_arange(TG_F64, 0, 24, 1);
    char *first = NULL;
    for (int d = 0; d < TG_DTYPES; d++) {
        if (d == TG_BOOL) continue;
        tg_tensor *t = tg_transpose(tg_reshape(tg_to(base, (tg_dtype)d), 4, 6), 0, 1);
        char *text = expect_picture(tg_plot_heatmap(path, t));
        if (first) ck_assert_str_eq(first, text);
        if (!first)
            first = text;
        else
            free(text);
    }
    free(first);
    free(expect_picture(tg_plot_heatmap(path, tg_broadcast_to(tg_scalar(TG_F32, 2), 2, 3))));
    free(expect_picture(tg_plot_histogram(path, tg_gt(base, tg_full(TG_F64, 3, 24)))));
    remove_folder();
}
END_TEST

START_TEST(extreme_numbers_make_pictures) {
    static const double table[][2] = {{1, 1},           {0, 0},           {-1e300, 1e300},  {5e-324, 1e-320},
                                      {1e-300, 2e-300}, {1e15, 1e15 + 1}, {1, 1 + 2.3e-16}, {-3, -3e-15},
                                      {1e-10, 1e10},    {1e5, 1.00001e5}, {-1e-7, 1e-7}};
    make_folder();
    for (int i = 0; i < COUNT(table); i++)
        for (int log = 0; log < 2; log++) {
            tg_tensor *t = tg_from(TG_F64, table[i], 2);
            if (log && !(table[i][0] >= 1e-300 || table[i][1] >= 1e-300)) continue;
            free(expect_picture(tg_plot_lines(path, 1, (tg_series[]){{"a", t, t, t}}, .log_x = log,
                                              .log_y = log, .title = "t", .y = "y")));
            free(expect_picture(
                tg_plot_scatter(path, 1, (tg_series[]){{"a", t, t, t}}, .log_x = log, .log_y = log)));
            free(expect_picture(tg_plot_histogram(path, t, .log_y = log)));
            free(expect_picture(tg_plot_heatmap(path, tg_reshape(t, 1, 2), .diverging = log)));
        }
    remove_folder();
}
END_TEST

START_TEST(counts_of_classes) {
    const int32_t target[] = {0, 0, 0, 0, 1, 1, 2, 2}, predicted[] = {0, 0, 1, 0, 1, 1, 2, 0};
    make_folder();
    char *text = expect_picture(tg_plot_confusion(path, tg_from(TG_I32, target, 8),
                                                  tg_to(tg_from(TG_I32, predicted, 8), TG_I64),
                                                  .names = ((const char *const[]){"cat", "<dog>", "owl"})));
    ck_assert_ptr_nonnull(strstr(text, "accuracy 0.750 (6 of 8)"));
    ck_assert_ptr_nonnull(strstr(text, ">75%<"));
    ck_assert_int_eq(occurrences(text, ">&#60;dog&#62;<"), 2);
    ck_assert_int_eq(occurrences(text, "class=\"f0\" fill-opacity"), 5);
    free(text);
    remove_folder();
}
END_TEST

/* ---- axes ---- */

START_TEST(ticks_are_round) {
    static const struct {
        double lo, hi;
        bool log, whole;
        int want;
        const char *texts;
    } table[] = {
        {0, 1, false, false, 5, "0.0 0.2 0.4 0.6 0.8 1.0"},
        {-3, 4.2, false, false, 4,
         "\xe2\x88\x92"
         "2 0 2 4"},
        {0.013, 0.087, false, false, 5, "0.02 0.04 0.06 0.08"},
        {0, 3e6, false, false, 3, "0 1 2 3 x6"},
        {2e-6, 5e-6, false, false, 3, "2 3 4 5 x-6"},
        {-0.5, 2.5, false, true, 9, "0 1 2"},
        {0.1, 1000, true, false, 5, "0.1 1 10 100 1000"},
        {1, 50, true, false, 5, "1 2 5 10 20 50"},
        {1e-8, 1e8, true, false, 5,
         "10\xe2\x81\xbb\xe2\x81\xb8 10\xe2\x81\xbb\xe2\x81\xb4 10\xe2\x81\xb0 10\xe2\x81\xb4 10\xe2\x81\xb8"},
        {3.1, 3.9, true, false, 5, "3.2 3.4 3.6 3.8"},
    };
    for (int i = 0; i < COUNT(table); i++) {
        tg_ticks t;
        char text[512] = "";
        tg_axis_ticks(
            &(tg_plot_axis){.lo = table[i].lo, .hi = table[i].hi, .log = table[i].log, .whole = table[i].whole},
            table[i].want, &t);
        for (int k = 0; k < t.n; k++) snprintf(text + strlen(text), 64, "%s%s", k ? " " : "", t.text[k]);
        if (t.power) snprintf(text + strlen(text), 64, " x%d", t.power);
        ck_assert_str_eq(text, table[i].texts);
    }
}
END_TEST

/* ---- pixels ---- */

#if TG_HAVE_LIBPNG
static uint8_t *read_png(png_uint_32 *width, png_uint_32 *height) {
    expect_ok();
    png_image image = {.version = PNG_IMAGE_VERSION};
    ck_assert_msg(png_image_begin_read_from_file(&image, path), "%s", image.message);
    image.format = PNG_FORMAT_RGBA;
    uint8_t *rgba = malloc(PNG_IMAGE_SIZE(image));
    ck_assert(png_image_finish_read(&image, NULL, rgba, 0, NULL));
    *width = image.width, *height = image.height;
    return rgba;
}

START_TEST(images_are_their_pixels) {
    const uint8_t grey[] = {0, 128, 255, 7, 9, 200};
    png_uint_32 w, h;
    make_folder();
    snprintf(path, sizeof path, "%s/a.png", folder);
    ck_assert_int_eq(tg_plot_images(path, tg_from(TG_U8, grey, 3, 1, 2), .scale = 2, .columns = 2), TG_OK);
    uint8_t *p = read_png(&w, &h);
    ck_assert(w == 12 && h == 8); /* two of four pixels, and four between them */
    for (int i = 0; i < 3; i++)
        for (int y = 0; y < 2; y++)
            for (int x = 0; x < 4; x++) {
                const uint8_t *c = p + 4 * ((i / 2 * 6 + y) * 12 + i % 2 * 8 + x);
                ck_assert(c[0] == grey[2 * i + x / 2] && c[1] == c[0] && c[2] == c[0] && c[3] == 255);
            }
    ck_assert(p[4 * 5 + 3] == 0 && p[4 * (6 * 12 + 9) + 3] == 0); /* between them, and where there is none */
    free(p);
    const float color[] = {0, 1, 0.5f, 1, NAN, 0};
    ck_assert_int_eq(tg_plot_images(path, tg_from(TG_F32, color, 1, 3, 1, 2), .scale = 1), TG_OK);
    p = read_png(&w, &h);
    ck_assert(w == 2 && h == 1 && p[3] == 0); /* NaN in one channel: transparent */
    ck_assert(p[4] == 255 && p[5] == 255 && p[6] == 0 && p[7] == 255);
    free(p);
    ck_assert_int_eq(tg_plot_heatmap(path, tg_from(TG_F32, color, 2, 3), .scale = 1), TG_OK);
    p = read_png(&w, &h);
    ck_assert(w == 3 && h == 2 && p[0] == 0x44 && p[1] == 0x01 && p[2] == 0x54 && p[4] == 0xfd &&
              p[5] == 0xe7 && p[6] == 0x25 && p[4 * 4 + 3] == 0);
    free(p);
    remove_folder();
}
END_TEST

START_TEST(pixels_inside_of_a_picture) {
    make_folder();
    char *text = expect_picture(tg_plot_images(path, tg_rand(TG_F32, 5, 3, 8, 9), .title = "five",
                                               .captions = ((const char *const[]){"a", "b", NULL, "d&", ""})));
    ck_assert_int_eq(occurrences(text, "data:image/png;base64,iVBORw0KGgo"), 1);
    ck_assert_ptr_nonnull(strstr(text, ">d&#38;</text>"));
    free(text);
    text = expect_picture(tg_plot_heatmap(path, tg_rand(TG_F32, 100, 80), .x_min = -1, .x_max = 1, .bar = "u"));
    ck_assert_int_eq(occurrences(text, "data:image/png"), 1);
    free(text);
    remove_folder();
}
END_TEST
#endif

/* ---- what is refused ---- */

START_TEST(errors_leave_the_old_file) {
    make_folder();
    free(expect_picture(tg_plot_lines(path, 1, (tg_series[]){{"a", .y = ramp(3)}})));
    char *before = content();
    tg_tensor *bad = tg_full(TG_F32, NAN, 4), *none = tg_zeros(TG_F32, 0),
              *cls = tg_from(TG_I64, ((int64_t[]){0, 1, 3}), 3);
    tg_plot_lines(NULL, 1, (tg_series[]){{"a", .y = ramp(3)}});
    expect_error(TG_ERR_ARGUMENT, "tg_plot_lines: the path is NULL");
    tg_plot_lines("loss.png", 1, (tg_series[]){{"a", .y = ramp(3)}});
    expect_error(TG_ERR_ARGUMENT, "loss.png ends in neither .svg, nor can a .png have axes and texts");
    tg_plot_images("loss.jpg", ramp(3));
    expect_error(TG_ERR_ARGUMENT, "tg_plot_images: loss.jpg ends in neither .svg nor .png");
    tg_plot_lines(path, 0, NULL);
    expect_error(TG_ERR_ARGUMENT, "needs 1 to 16 series, not 0");
    tg_plot_lines(path, 1, (tg_series[]){{"a", .y = NULL}});
    expect_error(TG_ERR_ARGUMENT, "tg_plot_lines: y of a series is NULL");
    tg_plot_lines(path, 1, (tg_series[]){{"a", .y = ramp(3), .x = ramp(4)}});
    expect_error(TG_ERR_SHAPE, "as many elements as y: [3] f64, [4] f64");
    tg_plot_scatter(path, 1, (tg_series[]){{"a", ramp(3), NULL, ramp(2)}});
    expect_error(TG_ERR_SHAPE, "tg_plot_scatter", "[3] f64, [2] f64");
    tg_plot_lines(path, 1, (tg_series[]){{"a", .y = bad}});
    expect_error(TG_ERR_ARGUMENT, "there is nothing to draw: no series has a point that is finite");
    tg_plot_lines(path, 1, (tg_series[]){{"a", .y = none}});
    expect_error(TG_ERR_ARGUMENT, "there is nothing to draw");
    tg_plot_lines(path, 1, (tg_series[]){{"a", .y = tg_neg(ramp(3))}}, .log_y = true);
    expect_error(TG_ERR_ARGUMENT, "on a logarithmic axis, positive");
    tg_plot_lines(path, 1, (tg_series[]){{"a", .y = ramp(3)}}, .width = 5);
    expect_error(TG_ERR_ARGUMENT, "each may be 100 to 10000");
    tg_plot_histogram(path, none);
    expect_error(TG_ERR_ARGUMENT, "tg_plot_histogram: there is nothing to draw");
    tg_plot_histogram(path, bad, .bins = -1);
    expect_error(TG_ERR_ARGUMENT, "-1 bins");
    tg_plot_heatmap(path, bad);
    expect_error(TG_ERR_SHAPE, "needs a matrix [rows, columns], not [4] f32");
    tg_plot_heatmap(path, tg_reshape(bad, 2, 2));
    expect_error(TG_ERR_ARGUMENT, "no element is finite");
    tg_plot_images(path, tg_zeros(TG_F32, 2, 2, 3, 3));
    expect_error(TG_ERR_SHAPE, "needs images [n, h, w], [n, 1, h, w] or [n, 3, h, w], not [2, 2, 3, 3] f32");
    tg_plot_images(path, tg_zeros(TG_F32, 0, 3, 3));
    expect_error(TG_ERR_ARGUMENT, "1 to 100000 images");
    tg_plot_images(path, tg_zeros(TG_F32, 1, 30, 30), .scale = 1000000);
    expect_error(TG_ERR_ARGUMENT, "take fewer images or a lower .scale");
    tg_plot_confusion(path, cls, tg_slice(cls, 0, 0, 2, 1));
    expect_error(TG_ERR_SHAPE, "must both be [n], and are [3] i64 and [2] i64");
    tg_plot_confusion(path, cls, ramp(3));
    expect_error(TG_ERR_DTYPE, "classes are integers", "[3] f64");
    tg_plot_confusion(path, cls, cls, .classes = 3);
    expect_error(TG_ERR_ARGUMENT, "element 2 has class 3, outside [0, 3)");
    tg_plot_confusion(path, tg_full(TG_I64, -1, 3), cls);
    expect_error(TG_ERR_ARGUMENT, "element 0 has class -1, outside [0, 4)");
    tg_plot_lines("/nowhere/at/all.svg", 1, (tg_series[]){{"a", .y = ramp(3)}});
    expect_error(TG_ERR_IO, "tg_plot_lines", "/nowhere/at");
    char *after = content();
    ck_assert_str_eq(before, after);
    free(before), free(after);
    remove_folder();
}
END_TEST

static void draw_all(void *context) {
    (void)context;
    tg_mark mark = tg_tape_mark();
    tg_tensor *t = tg_full(TG_F32, 2, 3, 4);
    tg_plot_lines(path, 1, (tg_series[]){{"a", t, t, t}});
    tg_plot_scatter(path, 1, (tg_series[]){{"a", t, t, t}});
    tg_plot_histogram(path, t);
    tg_plot_heatmap(path, t);
    tg_plot_confusion(path, tg_zeros(TG_I64, 3), tg_ones(TG_I64, 3));
#if TG_HAVE_LIBPNG
    tg_plot_images(path, t);
#endif
    tg_tape_rewind(mark);
}

START_TEST(every_allocation_may_fail) {
    make_folder();
    draw_all(NULL); /* what is made once */
    int64_t n = count_allocations(draw_all, NULL);
    ck_assert(n > 20);
    for (int64_t i = 1; i <= n; i++) {
        size_t live = tg_memory_now().live_buffer_bytes;
        tg_memory_fail_at(i);
        draw_all(NULL);
        tg_memory_fail_at(-1);
        expect_error(TG_ERR_MEMORY, "memory");
        ck_assert(tg_memory_now().live_buffer_bytes == live);
    }
    remove_folder();
}
END_TEST

TCase *tcase_plot(void);
TCase *tcase_plot(void) {
    TCase *t = tcase_create("plot");
    tcase_set_timeout(t, 300);
    tcase_add_test(t, texts_are_escaped);
    tcase_add_test(t, what_is_not_finite_is_a_gap);
    tcase_add_test(t, a_million_points_keep_their_extremes);
    tcase_add_test(t, any_dtype_and_layout);
    tcase_add_test(t, extreme_numbers_make_pictures);
    tcase_add_test(t, counts_of_classes);
    tcase_add_test(t, ticks_are_round);
#if TG_HAVE_LIBPNG
    tcase_add_test(t, images_are_their_pixels);
    tcase_add_test(t, pixels_inside_of_a_picture);
#endif
    tcase_add_test(t, errors_leave_the_old_file);
    tcase_add_test(t, every_allocation_may_fail);
    return t;
}
