/* From a set to an archive, which libzip writes through the stream that every file is written by. */
#include "core/io/npz_private.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#if TG_HAVE_LIBZIP
#include <zip.h>

/* ---- an array as an npy file, which libzip reads from its start to its end ---- */

typedef struct input {
    tg_npz_set *set;
    const tg_named *from;
    tg_array a; /* in row-major order; without data while it is not open */
    char header[TG_NPY_HEADER];
    int64_t length, bytes, at; /* of the header, of all, and where reading is */
    zip_error_t error;
} input;

static void prepare(input *in, tg_npz_set *set, const tg_named *from) {
    *in = (input){.set = set, .from = from};
    zip_error_init(&in->error);
    in->length = tg_npy_make_header(&from->a, in->header);
    in->bytes = in->length + from->a.numel * (int64_t)tg_dtype_size((tg_dtype)from->a.dtype);
}

static int64_t open_input(input *in) {
    const tg_named *from = in->from;
    in->at = 0;
    const tg_status status =
        from->offset > 0 ? tg_npz_read_array(in->set, from, &in->a) : tg_array_contiguous(&in->a, &from->a);
    if (status == TG_OK) return 0;
    tg_array_drop(&in->a);
    zip_error_set(&in->error, ZIP_ER_READ, 0);
    return -1;
}

static int64_t read_input(input *in, char *to, int64_t n) {
    int64_t total = 0;
    while (total < n && in->at < in->bytes) {
        const bool header = in->at < in->length;
        const char *from = header ? in->header + in->at : (const char *)in->a.data + (in->at - in->length);
        const int64_t left = (header ? in->length : in->bytes) - in->at,
                      count = n - total < left ? n - total : left;
        memcpy(to + total, from, (size_t)count);
        total += count;
        in->at += count;
    }
    return total;
}

static zip_int64_t input_call(void *context, void *data, zip_uint64_t n, zip_source_cmd_t command) {
    input *in = context;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_READABLE;
    case ZIP_SOURCE_OPEN:
        return open_input(in);
    case ZIP_SOURCE_READ:
        return read_input(in, data, (int64_t)n);
    case ZIP_SOURCE_CLOSE:
        tg_array_drop(&in->a);
        return 0;
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&in->error, data, n);
    case ZIP_SOURCE_FREE:
        return 0;
    case ZIP_SOURCE_STAT: {
        zip_stat_t *st = data;
        zip_stat_init(st);
        st->size = (zip_uint64_t)in->bytes;
        st->valid = ZIP_STAT_SIZE;
        return sizeof *st;
    }
    default:
        zip_error_set(&in->error, ZIP_ER_OPNOTSUPP, 0);
        return -1;
    }
}

/* ---- the archive: what is written goes to the new file ---- */

typedef struct output {
    tg_writer w;
    uint64_t at, end;
    zip_error_t error;
} output;

static int64_t fail_output(output *out, int code, int of_system) {
    zip_error_set(&out->error, code, of_system);
    return -1;
}

static int64_t write_output(output *out, const void *data, uint64_t n) {
    if (tg_writer_put(&out->w, data, (int64_t)n) != TG_OK) return fail_output(out, ZIP_ER_WRITE, 0);
    out->at += n;
    if (out->at > out->end) out->end = out->at;
    return (int64_t)n;
}

static int64_t seek_output(output *out, void *data, uint64_t n) {
    const int64_t to = zip_source_seek_compute_offset(out->at, out->end, data, n, &out->error);
    if (to < 0) return -1;
    if (tg_writer_seek(&out->w, to) != TG_OK) return fail_output(out, ZIP_ER_SEEK, 0);
    out->at = (uint64_t)to;
    return 0;
}

static zip_int64_t output_call(void *context, void *data, zip_uint64_t n, zip_source_cmd_t command) {
    output *out = context;
    switch (command) {
    case ZIP_SOURCE_SUPPORTS:
        return ZIP_SOURCE_SUPPORTS_WRITABLE;
    case ZIP_SOURCE_STAT:
        return fail_output(out, ZIP_ER_READ, ENOENT); /* a new file */
    case ZIP_SOURCE_WRITE:
        return write_output(out, data, n);
    case ZIP_SOURCE_SEEK_WRITE:
        return seek_output(out, data, n);
    case ZIP_SOURCE_TELL_WRITE:
        return (zip_int64_t)out->at;
    case ZIP_SOURCE_ERROR:
        return zip_error_to_data(&out->error, data, n);
    case ZIP_SOURCE_BEGIN_WRITE:
    case ZIP_SOURCE_COMMIT_WRITE:
    case ZIP_SOURCE_ROLLBACK_WRITE:
    case ZIP_SOURCE_REMOVE:
    case ZIP_SOURCE_FREE:
        return 0;
    default:
        return fail_output(out, ZIP_ER_OPNOTSUPP, 0);
    }
}

static tg_status fail_zip(const output *out, const zip_error_t *error) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    zip_error_t copy = *error;
    const int code = zip_error_code_zip(error);
    return tg_fail(code == ZIP_ER_MEMORY ? TG_ERR_MEMORY : TG_ERR_IO,
                   "%s: libzip could not write the file: %s: %s", out->w.who, zip_error_strerror(&copy),
                   out->w.path);
}

/* Adds an array, as entry NAME.npy of 1980, the first year that zip knows. */
static bool add(tg_npz_set *set, zip_t *zip, const tg_named *e, input *in, bool compress) {
    char name[TG_NAME + sizeof TG_NPZ_SUFFIX];
    snprintf(name, sizeof name, "%s" TG_NPZ_SUFFIX, e->name);
    prepare(in, set, e);
    zip_source_t *source = zip_source_function(zip, input_call, in);
    if (!source) return false;
    const int64_t i = zip_file_add(zip, name, source, ZIP_FL_ENC_UTF_8);
    if (i < 0) zip_source_free(source);
    return i >= 0 &&
           zip_set_file_compression(zip, (zip_uint64_t)i, compress ? ZIP_CM_DEFLATE : ZIP_CM_STORE, 0) == 0 &&
           zip_file_set_dostime(zip, (zip_uint64_t)i, 0, 1 << 5 | 1, 0) == 0;
}

static tg_status write_archive(tg_npz_set *set, output *out, input *in, bool compress) {
    zip_error_t error;
    zip_error_init(&error);
    zip_source_t *target = zip_source_function_create(output_call, out, &error);
    zip_t *zip = target ? zip_open_from_source(target, ZIP_CREATE | ZIP_TRUNCATE, &error) : NULL;
    if (!zip) {
        if (target) zip_source_free(target);
        return fail_zip(out, &error);
    }
    bool added = true;
    for (int64_t i = 0; i < set->arrays.n && added; i++)
        added = add(set, zip, &set->arrays.at[i], &in[i], compress);
    if (added && zip_close(zip) == 0) return TG_OK;
    const tg_status status = fail_zip(out, zip_get_error(zip));
    zip_discard(zip);
    return status;
}

tg_status tg_npz_write(tg_npz_set *set, const char *path, bool compress) {
    static const char empty[22] = "PK\5\6"; /* of which libzip makes no file */
    output out = {0};
    const size_t bytes = (size_t)set->arrays.n * sizeof(input);
    input *in = tg_sys_alloc(bytes);
    if (!in) return tg_fail_memory(bytes);
    zip_error_init(&out.error);
    tg_status status = tg_writer_open(&out.w, set->file.who, path, TG_NEVER_GZIP);
    if (status == TG_OK) {
        status = set->arrays.n > 0 ? write_archive(set, &out, in, compress)
                                   : tg_writer_put(&out.w, empty, sizeof empty);
        status = tg_writer_close(&out.w, status);
    }
    tg_sys_free(in, bytes);
    return status;
}
#else
tg_status tg_npz_write(tg_npz_set *set, const char *path, bool compress) {
    (void)compress;
    return tg_fail(TG_ERR_IO, "%s: this build of the library has no libzip (Debian: libzip-dev): %s",
                   set->file.who, path);
}
#endif
