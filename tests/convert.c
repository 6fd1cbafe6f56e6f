/* Reads each file and writes what is in it to another, in the formats that their names end in. Of a set of tensors each is
 * read and put into a new set, as F16 or BF16 where its name ends in that. CSV is read as the dtype in the name, ".f32.csv".
 * usage: convert IN OUT [IN OUT]...
 */
#include <string.h>
#include <tapegrad.h>

static tg_status save_csv(const tg_tensor *t, const char *path) { return tg_save_csv(t, path); }

static tg_tensor *load_csv(const char *path) {
    tg_load_csv_opts opts = {.missing_as_nan = false};
    for (int i = 0; i < TG_DTYPES; i++) {
        char suffix[16];
        snprintf(suffix, sizeof suffix, ".%s.csv", tg_dtype_name((tg_dtype)i));
        if (strstr(path, suffix)) opts.dtype = (tg_dtype)i;
    }
    return tg_load_csv_with(path, opts);
}

static const struct format {
    const char *suffix;
    tg_tensor *(*load)(const char *path);
    tg_status (*save)(const tg_tensor *t, const char *path);
} formats[] = {
    {".idx", tg_load_idx, tg_save_idx}, {".npy", tg_load_npy, tg_save_npy}, {".csv", load_csv, save_csv}};

static const struct format *format_of(const char *path) {
    for (size_t i = 0; i < sizeof formats / sizeof *formats; i++)
        if (strstr(path, formats[i].suffix)) return &formats[i];
    return NULL;
}

static tg_status put(tg_safetensors *set, const char *name, const tg_tensor *t) {
    const size_t n = strlen(name);
    if (n >= 4 && strcmp(name + n - 4, "BF16") == 0)
        return tg_safetensors_put_half(set, name, t, TG_HALF_BF16);
    if (n >= 3 && strcmp(name + n - 3, "F16") == 0) return tg_safetensors_put_half(set, name, t, TG_HALF_F16);
    return tg_safetensors_put(set, name, t);
}

static void convert_set(const char *in, const char *out) {
    tg_safetensors *from = tg_safetensors_open(in), *to = tg_safetensors_new();
    for (int64_t i = 0; from && i < tg_safetensors_count(from); i++) {
        const char *name = tg_safetensors_name(from, i);
        put(to, name, tg_safetensors_get(from, name));
    }
    for (int64_t i = 0; from && i < tg_safetensors_text_count(from); i++) {
        const char *key = tg_safetensors_key(from, i);
        tg_safetensors_put_text(to, key, tg_safetensors_text(from, key));
    }
    tg_safetensors_save(to, out);
    tg_safetensors_free(from);
    tg_safetensors_free(to);
}

/* By the name of the new file, its arrays are compressed. */
static void convert_arrays(const char *in, const char *out) {
    tg_npz *from = tg_npz_open(in), *to = tg_npz_new();
    for (int64_t i = 0; from && i < tg_npz_count(from); i++) {
        const char *name = tg_npz_name(from, i);
        tg_npz_put(to, name, tg_npz_get(from, name));
    }
    tg_npz_save(to, out, .compress = strstr(out, "compressed") != NULL);
    tg_npz_free(from);
    tg_npz_free(to);
}

static void convert(const char *from, const char *to) {
    const struct format *in = format_of(from), *out = format_of(to);
    if (strstr(from, ".safetensors"))
        convert_set(from, to);
    else if (strstr(from, ".npz"))
        convert_arrays(from, to);
    else if (in && out)
        out->save(in->load(from), to);
    else
        tg_fail(TG_ERR_ARGUMENT, "convert: no format has this name: %s or %s", from, to);
}

int main(int argc, char **argv) {
    for (int i = 1; i + 1 < argc; i += 2) {
        const tg_mark mark = tg_tape_mark();
        convert(argv[i], argv[i + 1]);
        if (tg_error_status() != TG_OK) {
            fprintf(stderr, "%s\n", tg_error_message());
            return 1;
        }
        tg_tape_rewind(mark);
    }
    return 0;
}
