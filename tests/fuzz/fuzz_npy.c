#include "core/io/npy.h"
#include "ops/shape/view.h"
#include "tests/fuzz/fuzz_file.h"

#include <string.h>

const char fuzz_name[] = "fuzz_npy";
#if TG_HAVE_ZLIB
const char fuzz_suffix[] = ".gz";
#else
const char fuzz_suffix[] = ".out";
#endif

void fuzz_load(const char *input, const char *output) {
    const tg_tensor *t = tg_load_npy(input);
    if (tg_error_status() != TG_OK) {
        require(tg_is_poison(t), "an error without poison");
        return;
    }
    require(tg_save_npy(t, output) == TG_OK, "what was loaded cannot be saved");
    tg_tensor *mapped = tg_map_npy(input);
    require(tg_error_status() == TG_OK || strstr(tg_error_message(), "cannot be mapped"),
            "what was loaded cannot be mapped");
    if (tg_error_status() == TG_OK) require_equal(t, tg_contiguous(mapped));
    tg_error_clear();
    const tg_tensor *back = tg_load_npy(output);
    require(tg_error_status() == TG_OK, "what was saved cannot be loaded");
    require_equal(t, back);
}
