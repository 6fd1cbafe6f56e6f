#include "core/io/npz.h"
#include "tests/fuzz/fuzz_file.h"

const char fuzz_name[] = "fuzz_npz", fuzz_suffix[] = ".out";

/* Arrays whose data are damaged are found when they are read. */
static bool all_can_be_read(const tg_npz *set) {
    bool all = true;
    for (int64_t i = 0; i < tg_npz_count(set); i++) {
        const tg_tensor *t = tg_npz_get(set, tg_npz_name(set, i));
        require(tg_is_poison(t) == (tg_error_status() != TG_OK), "an error without poison");
        all = all && !tg_is_poison(t);
        tg_error_clear();
    }
    return all;
}

void fuzz_load(const char *input, const char *output) {
    tg_npz *set = tg_npz_open(input);
    if (!set) return;
    if (all_can_be_read(set)) {
        require(tg_npz_save_with(set, output, (tg_npz_save_opts){.compress = tg_npz_count(set) % 2 == 0}) ==
                    TG_OK,
                "what was loaded cannot be saved");
        tg_npz *back = tg_npz_open(output);
        require(back && tg_npz_count(back) == tg_npz_count(set), "what was saved cannot be loaded");
        for (int64_t i = 0; i < tg_npz_count(set); i++) {
            const char *name = tg_npz_name(set, i);
            require_equal(tg_npz_get(set, name), tg_npz_get(back, name));
        }
        tg_npz_free(back);
    }
    tg_npz_free(set);
    require(tg_error_status() == TG_OK, "a set cannot be freed");
}
