/* Reads each file and writes what is in it to another, in the formats that their names end in.
 * usage: convert IN OUT [IN OUT]...
 */
#include <string.h>
#include <tapegrad.h>

static const struct format {
    const char *suffix;
    tg_tensor *(*load)(const char *path);
    tg_status (*save)(const tg_tensor *t, const char *path);
} formats[] = {{".idx", tg_load_idx, tg_save_idx}, {".npy", tg_load_npy, tg_save_npy}};

static const struct format *format_of(const char *path) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strstr(path, formats[i].suffix)) return &formats[i];
    fprintf(stderr, "convert: no format has this name: %s\n", path);
    return NULL;
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const tg_mark mark = tg_tape_mark();
        const struct format *in = format_of(argv[i]), *out = format_of(argv[i + 1]);
        if (!in || !out) return 2;
        if (out->save(in->load(argv[i]), argv[i + 1]) != TG_OK) {
            fprintf(stderr, "%s\n", tg_error_message());
            return 1;
        }
        tg_tape_rewind(mark);
    }
    return 0;
}
