/* Reading and writing the header of npy. It is text that anyone may have written: it is parsed here, byte by byte, and never
 * evaluated.
 */
#include "core/io/npy_header.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    START = 8,          /* bytes of magic string and version */
    HEADER_MAX = 10000, /* NumPy refuses longer ones, since Python takes too long over them */
    STRING_MAX = 63,    /* characters of a key or a dtype */
    ALIGN = 64          /* the elements begin at a multiple of this */
};

static const char magic[6] = {'\x93', 'N', 'U', 'M', 'P', 'Y'};

/* dtypes as NumPy calls them, in the order of tg_dtype. */
static const char names[TG_DTYPES][3] = {"f4", "f8", "i4", "i8", "u1", "b1"};

/* ---- the header's text ---- */

enum key { DESCR, FORTRAN_ORDER, SHAPE, KEYS };
static const char *const keys[KEYS] = {"descr", "fortran_order", "shape"};

typedef struct parser {
    const tg_npy_source *source;
    const char *p; /* the text ends with a NUL, and has none before */
    tg_npy_header *h;
    bool seen[KEYS];
} parser;

static tg_status fail_header(const parser *s, const char *what) {
    return tg_fail(TG_ERR_FORMAT, "%s: the header %s, at \"%.20s\": %s", s->source->who, what, s->p,
                   s->source->where);
}

/* Whether `c` comes next, after blanks; if so, it is passed. */
static bool passes(parser *s, char c) {
    s->p += strspn(s->p, " \n");
    if (*s->p != c) return false;
    s->p++;
    return true;
}

static tg_status parse_string(parser *s, char out[STRING_MAX + 1]) {
    const char quote = passes(s, '\'') ? '\'' : passes(s, '"') ? '"' : '\0';
    if (!quote) return fail_header(s, "should have a string");
    size_t n = 0;
    while (s->p[n] && s->p[n] != quote && s->p[n] != '\\') n++;
    if (s->p[n] != quote || n > STRING_MAX)
        return fail_header(s, "has a string that is too long or does not end");
    memcpy(out, s->p, n);
    out[n] = '\0';
    s->p += n + 1;
    return TG_OK;
}

static tg_status fail_dtype(const parser *s, const char *what, const char *dtype) {
    return tg_fail(TG_ERR_DTYPE, "%s: %s, and can be f4, f8, i4, i8, u1 or b1: dtype %.63s: %s",
                   s->source->who, what, dtype, s->source->where);
}

/* '<f4', '>i8', '|b1': elements of several bytes say their order, others have none. */
static tg_status parse_descr(parser *s) {
    char text[STRING_MAX + 1];
    if (passes(s, '[')) return fail_dtype(s, "the elements have fields", "[(..), ..]");
    const tg_status status = parse_string(s, text);
    if (status != TG_OK) return status;
    if (strchr(text, 'O'))
        return fail_dtype(s, "the elements are Python objects, which are never loaded", text);
    for (int i = 0; i < TG_DTYPES; i++) {
        const bool one_byte = tg_dtype_size((tg_dtype)i) == 1;
        if (!text[0] || strcmp(text + 1, names[i]) != 0 || !strchr(one_byte ? "|<>" : "<>", text[0]))
            continue;
        s->h->dtype = (tg_dtype)i;
        s->h->order = text[0] == '>' ? TG_BIG_ENDIAN : TG_LITTLE_ENDIAN;
        return TG_OK;
    }
    return fail_dtype(s, "the elements are of another type", text);
}

static tg_status parse_order(parser *s) {
    s->p += strspn(s->p, " \n");
    const bool yes = strncmp(s->p, "True", 4) == 0;
    if (!yes && strncmp(s->p, "False", 5) != 0) return fail_header(s, "should have True or False");
    s->h->fortran = yes;
    s->p += yes ? 4 : 5;
    return TG_OK;
}

/* A decimal number without a sign or leading zeros; Python 2 ends a long one with an L. */
static tg_status parse_size(parser *s, int64_t *out) {
    s->p += strspn(s->p, " \n");
    const size_t digits = strspn(s->p, "0123456789");
    if (digits == 0 || (s->p[0] == '0' && digits > 1)) return fail_header(s, "should have a size");
    int64_t v = 0;
    for (size_t i = 0; i < digits; i++)
        if (__builtin_mul_overflow(v, 10, &v) || __builtin_add_overflow(v, s->p[i] - '0', &v))
            return fail_header(s, "has a size beyond 2^63");
    s->p += digits;
    if (*s->p == 'L') s->p++;
    *out = v;
    return TG_OK;
}

/* (), (2,), (2, 3), (2, 3,): a comma ends each size, but for the last of several. */
static tg_status parse_shape(parser *s) {
    tg_shape *shape = &s->h->shape;
    bool comma = true;
    if (!passes(s, '(')) return fail_header(s, "should have a tuple");
    for (shape->rank = 0; !passes(s, ')'); shape->rank++) {
        if (!comma) return fail_header(s, "should have a comma or the end of the tuple");
        if (shape->rank == TG_MAX_RANK) return fail_header(s, "has more than 8 sizes");
        const tg_status status = parse_size(s, &shape->dim[shape->rank]);
        if (status != TG_OK) return status;
        comma = passes(s, ',');
    }
    return shape->rank == 1 && !comma ? fail_header(s, "should have a tuple, and has a number in parentheses")
                                      : TG_OK;
}

static tg_status parse_entry(parser *s) {
    char text[STRING_MAX + 1];
    tg_status status = parse_string(s, text);
    if (status != TG_OK) return status;
    int key = 0;
    while (key < KEYS && strcmp(text, keys[key]) != 0) key++;
    if (key == KEYS)
        return tg_fail(TG_ERR_FORMAT, "%s: the header has an unknown key \"%s\": %s", s->source->who, text,
                       s->source->where);
    if (s->seen[key])
        return tg_fail(TG_ERR_FORMAT, "%s: the header has the key \"%s\" twice: %s", s->source->who, text,
                       s->source->where);
    s->seen[key] = true;
    if (!passes(s, ':')) return fail_header(s, "should have a colon");
    return key == DESCR ? parse_descr(s) : key == FORTRAN_ORDER ? parse_order(s) : parse_shape(s);
}

static tg_status parse(parser *s) {
    bool comma = true;
    if (!passes(s, '{')) return fail_header(s, "should begin with a brace");
    while (!passes(s, '}')) {
        if (!comma) return fail_header(s, "should have a comma or the closing brace");
        const tg_status status = parse_entry(s);
        if (status != TG_OK) return status;
        comma = passes(s, ',');
    }
    s->p += strspn(s->p, " \n");
    if (*s->p) return fail_header(s, "goes on after its closing brace");
    for (int i = 0; i < KEYS; i++)
        if (!s->seen[i])
            return tg_fail(TG_ERR_FORMAT, "%s: the header has no key \"%s\": %s", s->source->who, keys[i],
                           s->source->where);
    return TG_OK;
}

/* ---- reading ---- */

/* Reads n bytes in front of the elements, whose number is not known yet. */
static tg_status read_start(tg_npy_source *s, void *to, int64_t n) {
    const int64_t got = s->read(s->from, to, n);
    if (got < 0) return tg_error_status();
    s->done += got;
    if (got < n)
        return tg_fail(TG_ERR_FORMAT,
                       "%s: the file is truncated: its header should have %" PRId64 " bytes, and %" PRId64
                       " are present: %s",
                       s->who, s->done - got + n, s->done, s->where);
    return TG_OK;
}

/* Reads magic string, version and length of the header. */
static tg_status read_length(tg_npy_source *s, int64_t *length) {
    unsigned char b[START + 4];
    tg_status status = read_start(s, b, START);
    if (status != TG_OK) return status;
    if (memcmp(b, magic, sizeof magic) != 0)
        return tg_fail(TG_ERR_FORMAT, "%s: this is not an npy file, which starts with 0x93 \"NUMPY\": %s",
                       s->who, s->where);
    if (b[6] < 1 || b[6] > 3 || b[7] != 0)
        return tg_fail(TG_ERR_FORMAT, "%s: the version must be 1.0, 2.0 or 3.0, and is %d.%d: %s", s->who,
                       b[6], b[7], s->where);
    const int bytes = b[6] == 1 ? 2 : 4;
    status = read_start(s, b, bytes);
    if (status != TG_OK) return status;
    for (int i = bytes - 1; i >= 0; i--) *length = *length << 8 | b[i];
    if (*length > HEADER_MAX)
        return tg_fail(TG_ERR_FORMAT, "%s: the header may have %d bytes, and has %" PRId64 ": %s", s->who,
                       HEADER_MAX, *length, s->where);
    return TG_OK;
}

static bool is_text(unsigned char c) { return (c >= ' ' && c < 0x7f) || c == '\n'; }

static tg_status read_text(tg_npy_source *s, tg_npy_header *h) {
    char text[HEADER_MAX + 1];
    int64_t length = 0;
    tg_status status = read_length(s, &length);
    if (status == TG_OK) status = read_start(s, text, length);
    if (status != TG_OK) return status;
    text[length] = '\0';
    for (int64_t i = 0; i < length; i++)
        if (!is_text((unsigned char)text[i]))
            return tg_fail(TG_ERR_FORMAT,
                           "%s: byte %" PRId64 " of the header is 0x%02x, which is not text in ASCII: %s",
                           s->who, i, (unsigned char)text[i], s->where);
    h->length = s->done;
    return parse(&(parser){.source = s, .p = text, .h = h});
}

tg_status tg_npy_read_header(tg_npy_source *s, tg_npy_header *h) {
    *h = (tg_npy_header){0};
    const tg_status status = read_text(s, h);
    if (status != TG_OK) return status;
    size_t bytes = 0;
    h->numel = tg_shape_numel(h->shape);
    if (h->numel < 0 || !tg_size_mul((size_t)h->numel, tg_dtype_size(h->dtype), &bytes) ||
        !tg_size_add(bytes, (size_t)h->length, &bytes) || bytes > INT64_MAX) {
        char text[200];
        return tg_fail(TG_ERR_FORMAT, "%s: the header declares more bytes than can be counted: %s: %s",
                       s->who, tg_shape_text(h->shape, text, sizeof text), s->where);
    }
    h->bytes = (int64_t)bytes;
    return TG_OK;
}

static void reverse_axes(const tg_npy_header *h, int order[TG_MAX_RANK]) {
    for (int i = 0; i < h->shape.rank; i++) order[i] = h->shape.rank - 1 - i;
}

/* The elements of column-major order are those of the axes in reverse. */
tg_status tg_npy_lay_out(const tg_npy_header *h, tg_array *a) {
    tg_shape shape = h->shape;
    int reverse[TG_MAX_RANK];
    reverse_axes(h, reverse);
    for (int i = 0; i < shape.rank; i++)
        if (h->fortran) shape.dim[i] = h->shape.dim[reverse[i]];
    return tg_array_layout(a, h->dtype, shape);
}

void tg_npy_finish(const tg_npy_header *h, tg_array *a) {
    int reverse[TG_MAX_RANK];
    reverse_axes(h, reverse);
    if (h->fortran) tg_array_permute(a, a, reverse);
}

tg_status tg_npy_check(const tg_npy_source *s, const tg_npy_header *h, const tg_array *a) {
    tg_elements_to_host(a->data, h->numel, tg_dtype_size(h->dtype), h->order);
    const int64_t odd = h->dtype == TG_BOOL ? tg_elements_bad_bool(a->data, h->numel) : -1;
    if (odd < 0) return TG_OK;
    return tg_fail(TG_ERR_FORMAT, "%s: a bool is 0 or 1, and element %" PRId64 " is %d: %s", s->who, odd,
                   ((const unsigned char *)a->data)[odd], s->where);
}

/* ---- writing ---- */

/* The header of NumPy 1.23 and later: with blanks for a first size of 21 digits, so that arrays can grow in place, then
 * blanks, 1 to 64, and a newline up to a multiple of 64. Returns its length. */
int tg_npy_make_header(const tg_array *a, char text[TG_NPY_HEADER]) {
    const size_t width = tg_dtype_size((tg_dtype)a->dtype);
    const char order = width == 1 ? '|' : TG_HOST_ORDER == TG_BIG_ENDIAN ? '>' : '<';
    int n = START + 2;
    memcpy(text, magic, sizeof magic);
    text[6] = 1;
    text[7] = 0;
    n += snprintf(text + n, TG_NPY_HEADER - (size_t)n, "{'descr': '%c%s', 'fortran_order': False, 'shape': (",
                  order, names[a->dtype]);
    for (int i = 0; i < a->rank; i++)
        n += snprintf(text + n, TG_NPY_HEADER - (size_t)n, i == 0 ? "%" PRId64 : ", %" PRId64, a->shape[i]);
    n += snprintf(text + n, TG_NPY_HEADER - (size_t)n, a->rank == 1 ? ",), }" : "), }");
    if (a->rank > 0)
        n += snprintf(text + n, TG_NPY_HEADER - (size_t)n, "%*s",
                      21 - snprintf(NULL, 0, "%" PRId64, a->shape[0]), "");
    n += snprintf(text + n, TG_NPY_HEADER - (size_t)n, "%*s\n", ALIGN - (n + 1) % ALIGN, "");
    const int length = n - START - 2;
    text[START] = (char)(length & 0xff);
    text[START + 1] = (char)(length >> 8);
    return n;
}
