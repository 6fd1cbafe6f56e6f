/* The text of a picture, and its file. */
#include "ops/nn/plot/plot_private.h"

#include "core/io/text.h"

#include "autograd/tape.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* Colours of series: Okabe and Ito's in an order of contrast, black being the ink, and yellow darkened on white. */
static const char style[] =
    "text{font-family:system-ui,'DejaVu Sans',Helvetica,Arial,sans-serif;fill:#1f2328}.soft{fill:#59636e}"
    ".page{fill:#fff}.grid{stroke:#e4e7ea}.axis{stroke:#8b949e}.edge{stroke:#fff}"
    ".s{fill:none;stroke-width:1.8;stroke-linejoin:round;stroke-linecap:round}"
    ".band{stroke:none;fill-opacity:.18}.dots{fill:none;stroke-width:5;stroke-linecap:round;stroke-opacity:.75}"
    ".bars{stroke-width:1}.pale{fill:#fff}"
    ".c0{stroke:#0072b2}.c1{stroke:#d55e00}.c2{stroke:#009e73}.c3{stroke:#cc79a7}.c4{stroke:#e69f00}"
    ".c5{stroke:#56b4e9}.c6{stroke:#1f2328}.c7{stroke:#a89600}"
    ".f0{fill:#0072b2}.f1{fill:#d55e00}.f2{fill:#009e73}.f3{fill:#cc79a7}.f4{fill:#e69f00}.f5{fill:#56b4e9}"
    ".f6{fill:#1f2328}.f7{fill:#a89600}";
static const char dark[] =
    "@media screen and (prefers-color-scheme:dark){text{fill:#e6edf3}.soft{fill:#9da7b1}.page{fill:#0d1117}"
    ".grid{stroke:#262c34}.axis{stroke:#6e7681}.edge{stroke:#0d1117}.pale{fill:#fff}"
    ".c0{stroke:#4aa8e8}.c1{stroke:#f58231}.c2{stroke:#2cc295}.c3{stroke:#e59ac6}.c4{stroke:#f2b632}"
    ".c5{stroke:#9fd4f5}.c6{stroke:#e6edf3}.c7{stroke:#e8dc4a}"
    ".f0{fill:#4aa8e8}.f1{fill:#f58231}.f2{fill:#2cc295}.f3{fill:#e59ac6}.f4{fill:#f2b632}.f5{fill:#9fd4f5}"
    ".f6{fill:#e6edf3}.f7{fill:#e8dc4a}}";

/* Writes at most `most` characters, with an ellipsis where there are more, as text of XML. */
static void put_escaped(FILE *file, const char *text, int64_t most) {
    int64_t left = (int64_t)strlen(text);
    while (left > 0 && most > 0) {
        uint32_t code = 0;
        int n = tg_utf8_decode(text, left, &code);
        bool more = left > (n ? n : 1);
        if (most-- == 1 && more)
            fputs("\xe2\x80\xa6", file);
        else if (n == 0 || (code < 32 && code != '\t') || code == 0xfffe || code == 0xffff) /* not of XML */
            fputs("\xef\xbf\xbd", file);
        else if (code == '<' || code == '&' || code == '>' || code == '"')
            fprintf(file, "&#%u;", (unsigned)code);
        else
            fwrite(text, 1, (size_t)n, file);
        text += n ? n : 1;
        left -= n ? n : 1;
    }
}

/* About half as wide as high, letters of the East as wide. */
static double width_of(uint32_t code) { return code >= 0x1100 && code != 0x2026 ? 1.0 : 0.58; }

double tg_svg_width(const char *text, double size) {
    double width = 0;
    for (int64_t left = (int64_t)strlen(text); left > 0;) {
        uint32_t code = 'x';
        int n = tg_utf8_decode(text, left, &code);
        width += width_of(code);
        text += n ? n : 1;
        left -= n ? n : 1;
    }
    return width * size;
}

static int64_t characters(const char *text) {
    int64_t n = 0;
    for (; *text; text++) n += ((unsigned char)*text & 0xc0) != 0x80;
    return n;
}

void tg_svg_put_text(tg_svg *s, const char *text, tg_svg_text how) {
    if (!s->file || !text || !*text) return;
    double width = tg_svg_width(text, how.size), size = how.size;
    int64_t most = INT64_MAX;
    if (how.room > 0 && width > how.room) {
        size *= how.room / width < 0.67 ? 0.67 : how.room / width;
        double fits = how.room / (width / how.size * size);
        if (fits < 0.999) most = (int64_t)((double)characters(text) * fits);
        if (most < 1) most = 1;
    }
    fprintf(s->file, "<text class=\"%s\" font-size=\"%.1f\"", how.class, size);
    if (strcmp(how.anchor, "start") != 0) fprintf(s->file, " text-anchor=\"%s\"", how.anchor);
    if (how.turned)
        fprintf(s->file, " transform=\"translate(%.1f %.1f) rotate(-90)\">", how.x, how.y);
    else
        fprintf(s->file, " x=\"%.1f\" y=\"%.1f\">", how.x, how.y);
    put_escaped(s->file, text, most);
    fputs("</text>\n", s->file);
}

void tg_svg_begin(tg_svg *s, const char *title, double width, double height) {
    *s = (tg_svg){.before = (locale_t)0};
    s->plain = newlocale(LC_ALL_MASK, "C", (locale_t)0);
    if (s->plain) s->before = uselocale(s->plain);
    s->file = s->plain ? open_memstream(&s->text, &s->size) : NULL;
    if (!s->file) return;
    fprintf(
        s->file,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%.0f\" height=\"%.0f\" viewBox=\"0 0 %.0f %.0f\" role=\"img\">\n<title>",
        width, height, width, height);
    put_escaped(s->file, title ? title : "", INT64_MAX);
    fprintf(s->file,
            "</title>\n<style>%s\n%s</style>\n<rect class=\"page\" width=\"100%%\" height=\"100%%\"/>\n",
            style, dark);
}

tg_status tg_svg_end(tg_svg *s, const char *path, tg_status status) {
    bool whole = s->file && fprintf(s->file, "</svg>\n") > 0;
    if (s->file && fclose(s->file) != 0) whole = false;
    if (s->plain) {
        uselocale(s->before);
        freelocale(s->plain);
    }
    if (status == TG_OK && !whole)
        status = tg_fail(TG_ERR_MEMORY, "tg_plot: there is no memory for the picture");
    if (status == TG_OK) status = tg_plot_save(path, s->text, s->size);
    free(s->text);
    return status;
}

tg_status tg_plot_save(const char *path, const void *bytes, size_t n) {
    tg_mark mark = tg_tape_mark();
    tg_status s = tg_save_text(tg_from_with(TG_U8, bytes, TG_SHAPE((int64_t)n)), path);
    tg_tape_rewind(mark);
    return s;
}

static bool ends_in(const char *path, const char *ending) {
    size_t n = strlen(path), m = strlen(ending);
    return n > m && strcasecmp(path + n - m, ending) == 0;
}

tg_picture tg_picture_of(const char *path, const char *who, bool png) {
    if (tg_error_status() != TG_OK) return TG_PICTURE_NONE;
    if (!path)
        tg_fail(TG_ERR_ARGUMENT, "%s: the path is NULL", who);
    else if (ends_in(path, ".svg"))
        return TG_PICTURE_SVG;
    else if (ends_in(path, ".png") && png)
        return TG_PICTURE_PNG;
    else
        tg_fail(TG_ERR_ARGUMENT, "%s: %.200s ends in neither .svg%s", who, path,
                png ? " nor .png" : ", nor can a .png have axes and texts: name a file .svg");
    return TG_PICTURE_NONE;
}
