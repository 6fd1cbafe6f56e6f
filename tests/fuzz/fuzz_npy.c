#include "core/io/npy.h"
#include "tests/fuzz/fuzz_file.h"

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
    const tg_tensor *back = tg_load_npy(output);
    require(tg_error_status() == TG_OK, "what was saved cannot be loaded");
    require_equal(t, back);
}
