/* A CSV file to a matrix: which columns are kept, and a place for each number. */
#include "core/io/csv_private.h"
#include "core/io/elements.h"

#include <inttypes.h>
#include <string.h>

typedef struct table {
    tg_csv csv;
    tg_load_csv_opts opts;
    bool some;                    /* only `wanted` columns are kept */
    tg_csv_names wanted, classes; /* as the options have them */
    int64_t *place; /* of each column that is kept, in a row of the result: -1 for the others; with `some` */
    int64_t n_places, cap;
    int64_t columns, first_line; /* of the file; 0 before the first line is read */
    int64_t width, rows;         /* of the result */
    tg_array a;                  /* a vector with room for more elements than there are */
} table;

/* ---- which columns ---- */

/* The place of column i is `to`; those before it that have none yet get -1. */
static tg_status set_place(table *t, int64_t i, int64_t to) {
    if (!tg_grow((void **)&t->place, &t->cap, t->n_places, i + 1, sizeof *t->place))
        return tg_fail_memory((size_t)(i + 1) * sizeof *t->place);
    while (t->n_places <= i) t->place[t->n_places++] = -1;
    if (to >= 0 && t->place[i] >= 0)
        return tg_fail(TG_ERR_ARGUMENT, "load_csv: column %" PRId64 " is to be loaded twice: %s", i,
                       t->csv.subject);
    if (to >= 0) t->place[i] = to;
    return TG_OK;
}

/* The number that the text is, of a column that can be; -1: it is none. */
static int64_t column_number(const char *text) {
    int64_t v = 0;
    for (const char *p = text; *p; p++) {
        if (*p < '0' || *p > '9') return -1;
        v = v * 10 + (*p - '0');
        if (v >= TG_CSV_COLUMNS) return -1;
    }
    return v;
}

/* The wanted columns that the header has not named must be numbers. */
static tg_status place_numbers(table *t, const bool *named) {
    const char *name = t->wanted.text;
    for (int64_t k = 0; k < t->wanted.n; k++, name += strlen(name) + 1) {
        if (named && named[k]) continue;
        const int64_t i = column_number(name);
        if (i < 0 || (t->columns > 0 && i >= t->columns))
            return tg_fail(TG_ERR_FORMAT, "load_csv: there is no column %.100s%s: %s", name,
                           t->opts.header ? " in the header" : "", t->csv.subject);
        if (set_place(t, i, k) != TG_OK) return tg_error_status();
    }
    return TG_OK;
}

static tg_status read_names(table *t, bool *named) {
    tg_csv *c = &t->csv;
    for (tg_csv_ending ending = TG_CSV_DELIMITER; ending == TG_CSV_DELIMITER; c->column++) {
        ending = tg_csv_next(c, t->some);
        if (ending == TG_CSV_FAILED) return tg_error_status();
        if (ending == TG_CSV_NOTHING)
            return tg_fail(TG_ERR_FORMAT, "load_csv: the file is empty: %s", c->subject);
        if (c->column == TG_CSV_COLUMNS)
            return tg_csv_fail(c, "the line has more than %d fields", TG_CSV_COLUMNS);
        const int64_t k = t->some ? tg_csv_names_find(&t->wanted, c->field) : -1;
        if (k >= 0 && named[k])
            return tg_csv_fail(c, "a column of the name \"%.100s\" is there twice", c->field);
        if (k >= 0) named[k] = true;
        if (k >= 0 && set_place(t, c->column, k) != TG_OK) return tg_error_status();
    }
    t->columns = c->column;
    t->first_line = c->line;
    return TG_OK;
}

static tg_status read_header(table *t) {
    const size_t bytes = (size_t)t->wanted.n * sizeof(bool);
    bool *named = tg_sys_alloc(bytes);
    if (!named) return tg_fail_memory(bytes);
    memset(named, 0, bytes);
    tg_status status = read_names(t, named);
    if (status == TG_OK && t->some) status = place_numbers(t, named);
    if (!t->some) t->width = t->columns;
    tg_sys_free(named, bytes);
    return status;
}

/* ---- numbers ---- */

/* Makes room for `need` elements, twice as many as there was. */
static tg_status reserve(table *t, int64_t need) {
    if (need <= t->a.numel) return TG_OK;
    tg_array bigger = {0};
    const int64_t most = need < 512 ? 1024 : need > INT64_MAX / 2 ? need : 2 * need;
    if (tg_array_alloc(&bigger, t->opts.dtype, TG_SHAPE(most)) != TG_OK) return tg_error_status();
    if (t->a.numel > 0) memcpy(bigger.data, t->a.data, (size_t)t->a.numel * tg_dtype_size(t->opts.dtype));
    tg_array_drop(&t->a);
    t->a = bigger;
    return TG_OK;
}

static bool is_missing(const tg_csv *c) { return c->length == 0 || strcmp(c->field, "NA") == 0; }

/* The element that the field is, to *to. */
static tg_status convert(const table *t, void *to) {
    const tg_csv *c = &t->csv;
    const tg_dtype dtype = t->opts.dtype;
    const char *text = c->field, *wrong;
    char number[TG_NUMBER_TEXT];
    if (t->classes.n > 0) {
        const int64_t class = tg_csv_names_find(&t->classes, text);
        if (class < 0) return tg_csv_fail(c, "\"%.100s\" is none of the classes", text);
        tg_number_write(number, TG_I64, &class);
        text = number;
    } else if (is_missing(c)) {
        if (!t->opts.missing_as_nan) return tg_csv_fail(c, "the value is missing");
        text = "nan";
    }
    wrong = tg_number_read(text, dtype, to);
    return wrong ? tg_csv_fail(c, "\"%.100s\" %s", text, wrong) : TG_OK;
}

/* Puts the field to its place in the row that is being read. In the first line the row is as long as was read. */
static tg_status put(table *t, int64_t place) {
    const int64_t start = t->rows * t->width, row = t->width > 0 ? t->width : place + 1;
    if (reserve(t, start + row) != TG_OK) return tg_error_status();
    return convert(t, (char *)t->a.data + (size_t)(start + place) * tg_dtype_size(t->opts.dtype));
}

static tg_status fail_fields(const table *t, bool more) {
    return tg_csv_fail(&t->csv, "the line has %s fields than the %" PRId64 " of line %" PRId64,
                       more ? "more" : "fewer", t->columns, t->first_line);
}

/* Takes the first line without a header for the measure of all. */
static tg_status end_first(table *t) {
    const tg_csv *c = &t->csv;
    t->columns = c->column;
    t->first_line = c->line;
    if (!t->some) t->width = t->columns;
    if (t->some && t->n_places > t->columns)
        return tg_fail(TG_ERR_FORMAT,
                       "load_csv: line %" PRId64 ": there is no column %" PRId64 " among the %" PRId64 ": %s",
                       c->line, t->n_places - 1, t->columns, c->subject);
    return TG_OK;
}

/* Reads a line; *more is false when there is none. */
static tg_status read_row(table *t, bool *more) {
    tg_csv *c = &t->csv;
    c->column = 0;
    for (tg_csv_ending ending = TG_CSV_DELIMITER; ending == TG_CSV_DELIMITER; c->column++) {
        const int64_t place = !t->some ? c->column : c->column < t->n_places ? t->place[c->column] : -1;
        ending = tg_csv_next(c, place >= 0);
        if (ending == TG_CSV_FAILED) return tg_error_status();
        if (ending == TG_CSV_NOTHING) return *more = false, TG_OK;
        if (t->columns > 0 && c->column == t->columns) return fail_fields(t, true);
        if (c->column == TG_CSV_COLUMNS)
            return tg_csv_fail(c, "the line has more than %d fields", TG_CSV_COLUMNS);
        if (place >= 0 && put(t, place) != TG_OK) return tg_error_status();
    }
    if (t->columns == 0 && end_first(t) != TG_OK) return tg_error_status();
    if (c->column < t->columns) return fail_fields(t, false);
    t->rows++;
    return TG_OK;
}

static tg_status read_table(table *t) {
    if (t->opts.columns && tg_csv_names_read(&t->wanted, "load_csv", "the columns to load", t->opts.columns,
                                             t->csv.delimiter) != TG_OK)
        return tg_error_status();
    if (t->opts.classes &&
        tg_csv_names_read(&t->classes, "load_csv", "the classes", t->opts.classes, t->csv.delimiter) != TG_OK)
        return tg_error_status();
    t->width = t->wanted.n;
    const tg_status status = t->opts.header ? read_header(t) : t->some ? place_numbers(t, NULL) : TG_OK;
    if (status != TG_OK) return status;
    for (bool more = true; more;)
        if (read_row(t, &more) != TG_OK) return tg_error_status();
    if (t->columns == 0) return tg_fail(TG_ERR_FORMAT, "load_csv: the file is empty: %s", t->csv.subject);
    return TG_OK;
}

/* The rows in a buffer of their own size. */
static tg_status finish(const table *t, tg_array *out) {
    const tg_status status = tg_array_alloc(out, t->opts.dtype, TG_SHAPE(t->rows, t->width));
    if (status == TG_OK && out->numel > 0)
        memcpy(out->data, t->a.data, (size_t)out->numel * tg_dtype_size(t->opts.dtype));
    return status;
}

static tg_status load(tg_reader *r, const tg_load_csv_opts *opts, char delimiter, tg_array *out) {
    table t = {.opts = *opts, .some = opts->columns != NULL};
    tg_plain_locale locale;
    if (!tg_plain_locale_begin(&locale)) return tg_fail(TG_ERR_MEMORY, "load_csv: no memory for a locale");
    tg_csv_open(&t.csv, r, delimiter);
    tg_status status = tg_error_status();
    if (status == TG_OK) status = read_table(&t);
    if (status == TG_OK) status = finish(&t, out);
    tg_plain_locale_end(&locale);
    tg_csv_names_free(&t.wanted);
    tg_csv_names_free(&t.classes);
    tg_sys_free(t.place, (size_t)t.cap * sizeof *t.place);
    tg_array_drop(&t.a);
    return status;
}

static tg_status check_options(const char *path, const tg_load_csv_opts *opts) {
    if (!path) return tg_fail(TG_ERR_ARGUMENT, "load_csv: the path is NULL");
    if ((unsigned)opts->dtype >= TG_DTYPES)
        return tg_fail(TG_ERR_DTYPE, "load_csv: there is no dtype %d", (int)opts->dtype);
    if (opts->missing_as_nan && !tg_dtype_is_float(opts->dtype))
        return tg_fail(TG_ERR_ARGUMENT, "load_csv: missing_as_nan needs a dtype with NaN, f32 or f64, not %s",
                       tg_dtype_name(opts->dtype));
    return TG_OK;
}

tg_tensor *tg_load_csv_with(const char *path, tg_load_csv_opts opts) {
    if (tg_error_status() != TG_OK || check_options(path, &opts) != TG_OK) return tg_poison();
    const char delimiter = tg_csv_delimiter("load_csv", opts.delimiter);
    tg_reader r;
    if (!delimiter || tg_reader_open(&r, "load_csv", path, TG_MAYBE_GZIP) != TG_OK) return tg_poison();
    tg_array a = {0};
    const tg_status status = load(&r, &opts, delimiter, &a);
    tg_reader_close(&r);
    if (status == TG_OK) return tg_elements_tensor("load_csv", &a);
    tg_error_by("load_csv", TG_OK);
    return tg_poison();
}
