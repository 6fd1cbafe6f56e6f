/* From a header in JSON to a set, and the elements of its tensors. jansson parses the text; before it may, the text is
 * held against bounds on its depth and its number of values, so that what it allocates is bounded as well.
 */
#include "core/io/mapping.h"
#include "core/io/safetensors_private.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

tg_status tg_set_read_elements(tg_set *set, const tg_named *e, int64_t start, const tg_array *a) {
    const tg_stored_type *type = &tg_stored_types[e->stored];
    const int64_t width = type->width, n = a->numel;
    char *raw = (char *)a->data + n * ((int64_t)tg_dtype_size(type->dtype) - width);
    const tg_status status = tg_reader_at(&set->file, e->offset + start * width, raw, n * width);
    if (status != TG_OK) return status;
    tg_elements_to_host(raw, n, (size_t)width, TG_LITTLE_ENDIAN);
    if (e->stored == TG_STORED_F16) tg_elements_from_f16(a->data, n);
    if (e->stored == TG_STORED_BF16) tg_elements_from_bf16(a->data, n);
    const int64_t odd = e->stored == TG_STORED_BOOL ? tg_elements_bad_bool(raw, n) : -1;
    if (odd < 0) return TG_OK;
    return tg_fail(TG_ERR_FORMAT, "%s: a bool is 0 or 1, and element %" PRId64 " of \"%.100s\" is %d: %s",
                   set->file.who, start + odd, e->name, (unsigned char)raw[odd], set->file.path);
}

/* The file, if it has become shorter, must not be mapped past its end. */
tg_status tg_set_map_elements(tg_set *s, const tg_named *e, tg_array *a) {
    if (e->stored == TG_STORED_F16 || e->stored == TG_STORED_BF16)
        return tg_fail(TG_ERR_FORMAT,
                       "%s: \"%.100s\" is %s, which is converted; tg_safetensors_get reads it: %s",
                       s->file.who, e->name, tg_stored_types[e->stored].name, s->file.path);
    char last;
    const int64_t bytes = tg_named_bytes(e);
    const tg_status status = bytes > 0 ? tg_reader_at(&s->file, e->offset + bytes - 1, &last, 1) : TG_OK;
    if (status != TG_OK) return status;
    return tg_map_elements(&s->file, e->offset, TG_LITTLE_ENDIAN, "tg_safetensors_get", a);
}

#if TG_HAVE_JANSSON
#include <jansson.h>

enum {
    DEPTH = 3,                   /* {"name": {"shape": [2, 3]}} */
    VALUES = 16 * TG_NAMED_MOST, /* more than so many tensors of rank 8 have commas */
};

/* ---- the text ---- */

static tg_status fail_header(const tg_reader *r, const char *what) {
    return tg_fail(TG_ERR_FORMAT, "%s: the header %s: %s", r->who, what, r->path);
}

/* Bounds what the parser will allocate. */
static tg_status check_bounds(const tg_reader *r, const char *text, int64_t n) {
    int depth = 0, values = 0;
    bool quoted = false;
    for (int64_t i = 0; i < n; i++) {
        const char c = text[i];
        if (quoted && c == '\\') {
            i++;
        } else if (c == '"') {
            quoted = !quoted;
        } else if (!quoted) {
            depth += (c == '{' || c == '[') - (c == '}' || c == ']');
            values += c == ',';
            if (c == '-') return fail_header(r, "has a negative number");
            if (depth > DEPTH) return fail_header(r, "is nested deeper than tensors and their shapes are");
            if (values > VALUES) return fail_header(r, "has more values than 65536 tensors have");
        }
    }
    return TG_OK;
}

/* Whether as much memory can be had at once. jansson 2.14 does not notice when the buffer in which it collects a string
 * cannot grow, and writes past its end: with room for four times the text it can. */
static bool has_room(size_t bytes) {
    void *p = tg_sys_alloc(bytes);
    tg_sys_free(p, bytes);
    return p != NULL;
}

static tg_status parse(const tg_reader *r, const char *text, int64_t n, json_t **root) {
    json_error_t error;
    if (text[0] != '{') return fail_header(r, "should begin with a brace");
    const tg_status status = check_bounds(r, text, n);
    if (status != TG_OK) return status;
    if (!has_room(4 * (size_t)n)) return tg_fail_memory(4 * (size_t)n);
    *root = json_loadb(text, (size_t)n, JSON_REJECT_DUPLICATES, &error);
    if (*root) return TG_OK;
    if (json_error_code(&error) == json_error_out_of_memory || !error.text[0]) /* it is silent about some */
        return tg_fail(TG_ERR_MEMORY, "%s: jansson could not allocate memory: %s", r->who, r->path);
    return tg_fail(TG_ERR_FORMAT, "%s: the header is not proper JSON: %s, at byte %d: %s", r->who, error.text,
                   error.position, r->path);
}

/* Reads the length and the text of the header, and parses it. *start: from the start of the file to the elements. */
static tg_status read_header(tg_reader *r, json_t **root, int64_t *start) {
    unsigned char b[8];
    int64_t got = tg_reader_read(r, b, 8);
    if (got < 0) return tg_error_status();
    if (got < 8)
        return tg_fail(TG_ERR_FORMAT,
                       "%s: the file is truncated: it should begin with 8 bytes, and %" PRId64
                       " are present: %s",
                       r->who, got, r->path);
    uint64_t n = 0;
    for (int i = 7; i >= 0; i--) n = n << 8 | b[i];
    if (n > TG_SAFETENSORS_HEADER)
        return tg_fail(TG_ERR_FORMAT, "%s: the header may have %d bytes, and has %" PRIu64 ": %s", r->who,
                       TG_SAFETENSORS_HEADER, n, r->path);
    const int64_t length = (int64_t)n;
    *start = 8 + length;
    if (length > r->size - 8)
        return tg_fail(TG_ERR_FORMAT,
                       "%s: the file is truncated: its header has %" PRId64 " bytes, and %" PRId64
                       " are present: %s",
                       r->who, length, r->size - 8, r->path);
    char *text = tg_sys_alloc((size_t)length + 1);
    if (!text) return tg_fail_memory((size_t)length + 1);
    got = tg_reader_read(r, text, length);
    tg_status status = got < 0        ? tg_error_status()
                       : got < length ? fail_header(r, "has become shorter")
                                      : TG_OK;
    text[length] = '\0';
    if (status == TG_OK) status = parse(r, text, length, root);
    tg_sys_free(text, (size_t)length + 1);
    return status;
}

/* ---- a tensor ---- */

static tg_status fail_tensor(const tg_reader *r, const char *name, const char *format, ...) TG_PRINTF(3, 4);
static tg_status fail_tensor(const tg_reader *r, const char *name, const char *format, ...) {
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    return tg_fail(TG_ERR_FORMAT, "%s: \"%.100s\" %s: %s", r->who, name, text, r->path);
}

static tg_status read_dtype(const tg_reader *r, const char *name, const json_t *value, int *stored) {
    const char *text = json_string_value(value);
    if (!text) return fail_tensor(r, name, "has a dtype that is no text");
    for (*stored = 0; *stored < TG_STORED; ++*stored)
        if (strcmp(text, tg_stored_types[*stored].name) == 0) return TG_OK;
    return tg_fail(TG_ERR_DTYPE,
                   "%s: \"%.100s\" is of dtype %.40s, and can be F32, F64, I32, I64, U8, BOOL, F16 or BF16: %s",
                   r->who, name, text, r->path);
}

static tg_status read_shape(const tg_reader *r, const char *name, const json_t *value, tg_shape *shape) {
    if (!json_is_array(value)) return fail_tensor(r, name, "has a shape that is no array");
    if (json_array_size(value) > TG_MAX_RANK)
        return fail_tensor(r, name, "has %zu sizes, and can have %d", json_array_size(value), TG_MAX_RANK);
    shape->rank = (int)json_array_size(value);
    for (int i = 0; i < shape->rank; i++) {
        const json_t *size = json_array_get(value, (size_t)i);
        if (!json_is_integer(size)) return fail_tensor(r, name, "has a size that is no whole number");
        shape->dim[i] = json_integer_value(size);
    }
    return TG_OK;
}

static tg_status read_offsets(const tg_reader *r, const char *name, const json_t *value, int64_t offset[2]) {
    if (!json_is_array(value) || json_array_size(value) != 2)
        return fail_tensor(r, name, "has data_offsets that are not an array of two");
    for (size_t i = 0; i < 2; i++) {
        const json_t *number = json_array_get(value, i);
        if (!json_is_integer(number)) return fail_tensor(r, name, "has an offset that is no whole number");
        offset[i] = json_integer_value(number);
    }
    if (offset[0] > offset[1])
        return fail_tensor(r, name, "ends at offset %" PRId64 ", before it begins at %" PRId64, offset[1],
                           offset[0]);
    return TG_OK;
}

/* {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]}: three keys, no others. */
static tg_status read_fields(const tg_reader *r, json_t *value, tg_named *e, tg_shape *shape,
                             int64_t offset[2]) {
    const json_t *dtype = json_object_get(value, "dtype"), *sizes = json_object_get(value, "shape"),
                 *offsets = json_object_get(value, "data_offsets");
    if (!json_is_object(value))
        return fail_tensor(r, e->name, "is no object with dtype, shape and data_offsets");
    const char *missing = !dtype ? "dtype" : !sizes ? "shape" : !offsets ? "data_offsets" : NULL;
    if (missing) return fail_tensor(r, e->name, "has no %s", missing);
    if (json_object_size(value) > 3)
        return fail_tensor(r, e->name, "has more than dtype, shape and data_offsets");
    tg_status status = read_dtype(r, e->name, dtype, &e->stored);
    if (status == TG_OK) status = read_shape(r, e->name, sizes, shape);
    return status == TG_OK ? read_offsets(r, e->name, offsets, offset) : status;
}

static tg_status read_tensor(const tg_reader *r, json_t *value, tg_named *e) {
    tg_shape shape = {0};
    int64_t offset[2] = {0};
    char text[200];
    tg_status status = read_fields(r, value, e, &shape, offset);
    if (status != TG_OK) return status;
    const tg_stored_type *type = &tg_stored_types[e->stored];
    const int64_t numel = tg_shape_numel(shape);
    size_t bytes = 0, loaded = 0;
    if (numel < 0 || !tg_size_mul((size_t)numel, type->width, &bytes) ||
        !tg_size_mul((size_t)numel, tg_dtype_size(type->dtype), &loaded) || loaded > INT64_MAX)
        return fail_tensor(r, e->name, "has more bytes than can be counted, %s",
                           tg_shape_text(shape, text, sizeof text));
    if (offset[1] - offset[0] != (int64_t)bytes)
        return fail_tensor(r, e->name,
                           "has %" PRId64 " bytes by its offsets, and %zu by its shape and dtype, %s %s",
                           offset[1] - offset[0], bytes, tg_shape_text(shape, text, sizeof text), type->name);
    status = tg_array_layout(&e->a, type->dtype, shape);
    e->offset = offset[0];
    return status;
}

/* ---- the set ---- */

static tg_status read_texts(tg_set *set, json_t *object) {
    const tg_reader *r = &set->file;
    const char *key;
    json_t *value;
    if (!json_is_object(object)) return fail_header(r, "has metadata that are no object");
    json_object_foreach(object, key, value) {
        const char *text = json_string_value(value);
        if (!text) return fail_tensor(r, key, "of the metadata is no text");
        if (set->texts.n == TG_NAMED_MOST) return fail_header(r, "has more than 65536 texts");
        if (strlen(key) > TG_NAME)
            return fail_tensor(r, key, "is a key of the metadata with more than %d bytes", TG_NAME);
        tg_named e = {.name = tg_text_copy(key, strlen(key)), .text = tg_text_copy(text, strlen(text))};
        const tg_status status = e.name && e.text ? tg_named_append(&set->texts, &e) : tg_error_status();
        if (status != TG_OK) return tg_named_drop(&e), status;
    }
    return TG_OK;
}

static tg_status read_entry(tg_set *set, const char *name, json_t *value) {
    if (strcmp(name, TG_SAFETENSORS_METADATA) == 0) return read_texts(set, value);
    if (set->tensors.n == TG_NAMED_MOST) return fail_header(&set->file, "has more than 65536 tensors");
    if (strlen(name) > TG_NAME)
        return fail_tensor(&set->file, name, "has a name of more than %d bytes", TG_NAME);
    tg_named e = {.name = tg_text_copy(name, strlen(name))};
    tg_status status = e.name ? read_tensor(&set->file, value, &e) : tg_error_status();
    if (status == TG_OK) status = tg_named_append(&set->tensors, &e);
    if (status != TG_OK) tg_named_drop(&e);
    return status;
}

static int by_offset(const void *a, const void *b) {
    const tg_named *x = *(const tg_named *const *)a, *y = *(const tg_named *const *)b;
    if (x->offset != y->offset) return x->offset < y->offset ? -1 : 1;
    return (tg_named_bytes(x) > tg_named_bytes(y)) - (tg_named_bytes(x) < tg_named_bytes(y));
}

/* Checks that the tensors follow one another from offset 0 to the end of the file; from then on offsets are from its
 * start. */
static tg_status check_offsets(tg_set *set, tg_named **sorted, int64_t start) {
    int64_t end = 0;
    for (int64_t i = 0; i < set->tensors.n; i++) sorted[i] = &set->tensors.at[i];
    qsort(sorted, (size_t)set->tensors.n, sizeof *sorted, by_offset);
    for (int64_t i = 0; i < set->tensors.n; i++) {
        tg_named *e = sorted[i];
        if (e->offset != end)
            return fail_tensor(&set->file, e->name,
                               "begins at offset %" PRId64 ", %s the one before it ends at %" PRId64, e->offset,
                               e->offset < end ? "which it shares with others:" : "and there is a gap:", end);
        if (tg_named_bytes(e) > set->file.size - start - end)
            return fail_tensor(&set->file, e->name,
                               "goes past the end of the file, which is truncated: its %" PRId64
                               " bytes begin at offset %" PRId64 " of %" PRId64,
                               tg_named_bytes(e), end, set->file.size - start);
        end += tg_named_bytes(e);
        e->offset += start;
    }
    return tg_reader_declare(&set->file, start + end);
}

static tg_status place(tg_set *set, int64_t start) {
    const size_t bytes = (size_t)set->tensors.n * sizeof(tg_named *);
    tg_named **sorted = tg_sys_alloc(bytes);
    if (!sorted) return tg_fail_memory(bytes);
    const tg_status status = check_offsets(set, sorted, start);
    tg_sys_free(sorted, bytes);
    return status;
}

tg_status tg_set_read(tg_set *set) {
    json_t *root = NULL, *value;
    const char *name;
    int64_t start = 0;
    tg_status status = read_header(&set->file, &root, &start);
    if (status != TG_OK) return status;
    json_object_foreach(root, name, value) {
        status = read_entry(set, name, value);
        if (status != TG_OK) break;
    }
    json_decref(root);
    tg_named_sort(&set->tensors);
    tg_named_sort(&set->texts);
    return status == TG_OK ? place(set, start) : status;
}
#else
tg_status tg_set_read(tg_set *set) {
    return tg_fail(
        TG_ERR_IO,
        "%s: this build of the library has no jansson (Debian: libjansson-dev), which reads the header: %s",
        set->file.who, set->file.path);
}
#endif
