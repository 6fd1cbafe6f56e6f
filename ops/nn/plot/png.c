/* Pixels, as PNG files and inside of pictures. */
#include "ops/nn/plot/plot_private.h"

#include "core/memory.h"

#include <stdlib.h>
#include <string.h>
#if TG_HAVE_LIBPNG
#include <png.h>
#endif

tg_status tg_pixels_new(tg_pixels *p, const char *who, int64_t width, int64_t height) {
    const int64_t most = INT64_C(1) << 26;
    *p = (tg_pixels){width, height, NULL};
    if (width < 1 || height < 1 || width > most / height)
        return tg_fail(
            TG_ERR_ARGUMENT,
            "%s: %lld by %lld pixels are more than a picture may have: take fewer images or a lower .scale",
            who, (long long)width, (long long)height);
    p->rgba = tg_alloc((size_t)(4 * width * height));
    if (!p->rgba)
        return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for %lld pixels", who,
                       (long long)(width * height));
    memset(p->rgba, 0, (size_t)(4 * width * height));
    return TG_OK;
}

void tg_pixels_free(tg_pixels *p) { tg_dealloc(p->rgba, p->rgba ? (size_t)(4 * p->width * p->height) : 0); }

#if TG_HAVE_LIBPNG
/* Takes the channels together that are not needed, in place, and returns how many are left: 1 grey, 3 colours, 4. */
static int pack(uint8_t *to, const tg_pixels *p) {
    const int64_t n = p->width * p->height;
    int channels = 1;
    for (int64_t i = 0; i < n && channels < 4; i++) {
        const uint8_t *c = p->rgba + 4 * i;
        if (c[3] != 255)
            channels = 4;
        else if (c[0] != c[1] || c[0] != c[2])
            channels = 3;
    }
    for (int64_t i = 0; i < n; i++) memcpy(to + channels * i, p->rgba + 4 * i, (size_t)channels);
    return channels;
}

tg_status tg_png_encode(const tg_pixels *p, const char *who, void **bytes, size_t *n) {
    uint8_t *packed = tg_alloc((size_t)(4 * p->width * p->height));
    if (!packed) return tg_fail(TG_ERR_MEMORY, "%s: there is no memory for the pixels", who);
    int channels = pack(packed, p);
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)p->width,
                       .height = (png_uint_32)p->height,
                       .format = channels == 1   ? PNG_FORMAT_GRAY
                                 : channels == 3 ? PNG_FORMAT_RGB
                                                 : PNG_FORMAT_RGBA};
    png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(image);
    void *out = malloc(size);
    bool done = out && png_image_write_to_memory(&image, out, &size, 0, packed, 0, NULL);
    tg_dealloc(packed, (size_t)(4 * p->width * p->height));
    if (done) {
        *bytes = out;
        *n = size;
        return TG_OK;
    }
    free(out);
    return tg_fail(TG_ERR_MEMORY, "%s: libpng made no picture: %s", who,
                   out ? image.message : "there is no memory");
}
#else
tg_status tg_png_encode(const tg_pixels *p, const char *who, void **bytes, size_t *n) {
    (void)p, (void)bytes, (void)n;
    return tg_fail(TG_ERR_ARGUMENT,
                   "%s: pixels need libpng, without which this library was built: -Dlibpng=enabled", who);
}
#endif

tg_status tg_png_save(const tg_pixels *p, const char *who, const char *path) {
    void *bytes = NULL;
    size_t n = 0;
    if (tg_png_encode(p, who, &bytes, &n) != TG_OK) return tg_error_status();
    tg_status s = tg_plot_save(path, bytes, n);
    free(bytes);
    return s;
}

static void put_base64(FILE *file, const uint8_t *b, size_t n) {
    static const char digit[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v =
            (uint32_t)b[i] << 16 | (i + 1 < n ? (uint32_t)b[i + 1] << 8 : 0) | (i + 2 < n ? b[i + 2] : 0);
        fputc(digit[v >> 18], file);
        fputc(digit[v >> 12 & 63], file);
        fputc(i + 1 < n ? digit[v >> 6 & 63] : '=', file);
        fputc(i + 2 < n ? digit[v & 63] : '=', file);
    }
}

tg_status tg_svg_put_pixels(tg_svg *s, const char *who, const tg_pixels *p, double x, double y, double width,
                            double height) {
    void *bytes = NULL;
    size_t n = 0;
    if (!s->file) return TG_OK; /* which the end of the picture finds */
    if (tg_png_encode(p, who, &bytes, &n) != TG_OK) return tg_error_status();
    fprintf(s->file,
            "<image x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" preserveAspectRatio=\"none\" "
            "style=\"image-rendering:pixelated\" href=\"data:image/png;base64,",
            x, y, width, height);
    put_base64(s->file, bytes, n);
    fputs("\"/>\n", s->file);
    free(bytes);
    return TG_OK;
}
