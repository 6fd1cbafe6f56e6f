/* Reading, mapping and writing npy files. */
#include "core/io/npy.h"
#include "core/io/mapping.h"
#include "core/io/npy_header.h"
#include "core/slot.h"
#include "core/work.h"

static int64_t read_file(void *reader, void *to, int64_t n) { return tg_reader_read(reader, to, n); }

/* Reads the header and holds the length of the file against it. */
static tg_status open_array(tg_reader *r, tg_npy_source *s, tg_npy_header *h) {
    *s = (tg_npy_source){.who = r->who, .where = r->path, .read = read_file, .from = r};
    const tg_status status = tg_npy_read_header(s, h);
    return status == TG_OK ? tg_reader_declare(r, h->bytes) : status;
}

static tg_status load(tg_reader *r, tg_array *a) {
    tg_npy_source s;
    tg_npy_header h;
    tg_status status = open_array(r, &s, &h);
    if (status == TG_OK) status = tg_npy_lay_out(&h, a);
    if (status == TG_OK) status = tg_array_alloc_like(a, a);
    if (status == TG_OK) status = tg_reader_exactly(r, a->data, h.bytes - h.length);
    if (status == TG_OK) status = tg_reader_end(r);
    if (status == TG_OK) status = tg_npy_check(&s, &h, a);
    if (status == TG_OK) {
        tg_npy_finish(&h, a);
        status = tg_array_contiguous(a, a);
    }
    return status;
}

static tg_status map(tg_reader *r, tg_array *a) {
    tg_npy_source s;
    tg_npy_header h;
    tg_status status = open_array(r, &s, &h);
    if (status == TG_OK) status = tg_npy_lay_out(&h, a);
    if (status == TG_OK) status = tg_map_elements(r, h.length, h.order, "tg_load_npy", a);
    if (status == TG_OK) tg_npy_finish(&h, a);
    return status;
}

tg_tensor *tg_load_npy(const char *path) { return tg_elements_of_file("load_npy", path, load); }
tg_tensor *tg_map_npy(const char *path) { return tg_elements_of_file("map_npy", path, map); }

static tg_status save(const tg_array *a, const char *path) {
    tg_writer w;
    char text[TG_NPY_HEADER];
    tg_status status = tg_writer_open(&w, "save_npy", path, TG_MAYBE_GZIP);
    if (status != TG_OK) return status;
    status = tg_writer_put(&w, text, tg_npy_make_header(a, text));
    if (status == TG_OK)
        status = tg_writer_put(&w, a->data, a->numel * (int64_t)tg_dtype_size((tg_dtype)a->dtype));
    return tg_writer_close(&w, status);
}

tg_status tg_save_npy(const tg_tensor *t, const char *path) {
    if (tg_error_status() != TG_OK) return tg_error_status();
    if (!path) return tg_fail(TG_ERR_ARGUMENT, "save_npy: the path is NULL");
    const tg_slot *s = tg_slot_with_data(t, "save_npy");
    if (!s || !tg_may_read(&s->a, "tg_save_npy")) return tg_error_status();
    tg_array a = {0};
    tg_status status = tg_array_contiguous(&a, &s->a);
    if (status != TG_OK) return tg_error_by("save_npy", TG_OK);
    status = save(&a, path);
    tg_array_drop(&a);
    return status;
}
