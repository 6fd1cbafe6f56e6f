/* A matrix to a CSV file. */
#include "core/io/csv_private.h"
#include "core/slot.h"
#include "core/work.h"

#include <inttypes.h>
#include <string.h>

enum { PIECE = 1 << 13 }; /* bytes written at once */

/* The header must be read back as one name for each column. */
static tg_status check_header(const char *header, int64_t columns, char delimiter) {
    tg_csv_names names;
    tg_status status = tg_csv_names_read(&names, "save_csv", "the header", header, delimiter);
    if (status == TG_OK && names.n != columns)
        status = tg_fail(TG_ERR_SHAPE, "save_csv: the header has %" PRId64 " names for %" PRId64 " columns",
                         names.n, columns);
    tg_csv_names_free(&names);
    return status;
}

static tg_status put_rows(tg_writer *w, const tg_array *a, int64_t columns, char delimiter) {
    const size_t width = tg_dtype_size((tg_dtype)a->dtype);
    char piece[PIECE];
    int n = 0;
    for (int64_t i = 0; i < a->numel; i++) {
        n += tg_number_write(piece + n, (tg_dtype)a->dtype, (const char *)a->data + (size_t)i * width);
        piece[n++] = (i + 1) % columns == 0 ? '\n' : delimiter;
        if (n <= PIECE - TG_NUMBER_TEXT - 1 && i + 1 < a->numel) continue;
        if (tg_writer_put(w, piece, n) != TG_OK) return tg_error_status();
        n = 0;
    }
    return TG_OK;
}

static tg_status save(const tg_array *a, int64_t columns, const char *path, const char *header, char delimiter) {
    tg_writer w;
    tg_plain_locale locale;
    tg_status status = tg_writer_open(&w, "save_csv", path, TG_MAYBE_GZIP);
    if (status != TG_OK) return status;
    if (header) status = tg_writer_put(&w, header, (int64_t)strlen(header));
    if (header && status == TG_OK) status = tg_writer_put(&w, "\n", 1);
    if (status == TG_OK && !tg_plain_locale_begin(&locale)) {
        status = tg_fail(TG_ERR_MEMORY, "save_csv: no memory for a locale");
    } else if (status == TG_OK) {
        status = put_rows(&w, a, columns, delimiter);
        tg_plain_locale_end(&locale);
    }
    return tg_writer_close(&w, status);
}

tg_status tg_save_csv_with(const tg_tensor *t, const char *path, tg_save_csv_opts opts) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!path) return tg_fail(TG_ERR_ARGUMENT, "save_csv: the path is NULL");
    const tg_slot *s = tg_slot_with_data(t, "save_csv");
    if (!s || !tg_may_read(&s->a, "tg_save_csv")) return tg_error_status();
    const int64_t columns = s->a.rank == 2 ? s->a.shape[1] : 1;
    if (s->a.rank < 1 || s->a.rank > 2 || columns == 0) {
        char text[96];
        return tg_fail(TG_ERR_SHAPE, "save_csv: this is no matrix with columns, and no vector: %s",
                       tg_describe(t, text, sizeof text));
    }
    const char delimiter = tg_csv_delimiter("save_csv", opts.delimiter);
    if (!delimiter || (opts.header && check_header(opts.header, columns, delimiter) != TG_OK))
        return tg_error_status();
    tg_array a = {0};
    tg_status status = tg_array_contiguous(&a, &s->a);
    if (status != TG_OK) return tg_error_by("save_csv", TG_OK);
    status = save(&a, columns, path, opts.header, delimiter);
    tg_array_drop(&a);
    return status;
}
