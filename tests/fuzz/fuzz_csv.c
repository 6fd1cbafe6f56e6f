#include "core/io/csv.h"
#include "tests/fuzz/fuzz_file.h"

#include <string.h>

const char fuzz_name[] = "fuzz_csv";
#if TG_HAVE_ZLIB
const char fuzz_suffix[] = ".gz";
#else
const char fuzz_suffix[] = ".out";
#endif

/* Each input is read in all these ways. What was read is written as text that gives it back, so a second time gives the
 * same. */
static const tg_load_csv_opts ways[] = {
    {.dtype = TG_F64},
    {.missing_as_nan = true, .delimiter = ";"},
    {.dtype = TG_F64, .header = true, .columns = "x,\"y, z\",w", .missing_as_nan = true},
    {.dtype = TG_F64, .header = true, .columns = "1\t2\t3", .delimiter = "\t"},
    {.dtype = TG_I64, .columns = "0", .header = true},
    {.dtype = TG_U8, .columns = "label,4", .header = true, .classes = "row 0,row 1,plain,\"two\nlines\""},
    {.dtype = TG_BOOL},
};

static void fuzz_way(const char *input, const char *output, tg_load_csv_opts opts) {
    const tg_tensor *t = tg_load_csv_with(input, opts);
    if (tg_error_status() != TG_OK) {
        require(tg_is_poison(t), "an error without poison");
        return;
    }
    require(tg_save_csv_with(t, output, (tg_save_csv_opts){.header = tg_size(t, 1) == 1 ? "one" : NULL}) ==
                TG_OK,
            "what was loaded cannot be saved");
    if (tg_size(t, 0) == 0 && tg_size(t, 1) != 1) return; /* a file without lines */
    const tg_tensor *back =
        tg_load_csv_with(output, (tg_load_csv_opts){.dtype = opts.dtype, .header = tg_size(t, 1) == 1});
    require(tg_error_status() == TG_OK, "what was saved cannot be loaded");
    require_equal(t, back);
}

void fuzz_load(const char *input, const char *output) {
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        fuzz_way(input, output, ways[i]);
        require(tg_error_status() == TG_OK || strstr(tg_error_message(), input),
                "an error without the name of the file");
        if (i + 1 < sizeof ways / sizeof *ways) tg_error_clear();
    }
}
