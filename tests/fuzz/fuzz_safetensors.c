#include "core/io/safetensors.h"
#include "tests/fuzz/fuzz_file.h"

#include <string.h>

const char fuzz_name[] = "fuzz_safetensors", fuzz_suffix[] = ".out";

static void require_equal_texts(const tg_safetensors *a, const tg_safetensors *b) {
    require(tg_safetensors_text_count(a) == tg_safetensors_text_count(b), "the number of texts changed");
    for (int64_t i = 0; i < tg_safetensors_text_count(a); i++) {
        const char *key = tg_safetensors_key(a, i), *text = tg_safetensors_text(b, key);
        require(text && strcmp(text, tg_safetensors_text(a, key)) == 0, "a text changed");
    }
}

/* A bool may be neither 0 nor 1, which is found when it is read: the set can still be saved. */
static void require_equal_sets(const tg_safetensors *a, const tg_safetensors *b) {
    require(tg_safetensors_count(a) == tg_safetensors_count(b), "the number of tensors changed");
    for (int64_t i = 0; i < tg_safetensors_count(a); i++) {
        const char *name = tg_safetensors_name(a, i);
        const tg_tensor *x = tg_safetensors_get(a, name),
                        *y = tg_error_status() == TG_OK ? tg_safetensors_get(b, name) : x;
        if (tg_error_status() == TG_OK) {
            require_equal(x, y);
            const tg_tensor *mapped = tg_safetensors_map(a, name);
            if (tg_error_status() == TG_OK)
                require_equal(x, mapped);
            else
                require(tg_error_status() == TG_ERR_FORMAT, "a tensor cannot be mapped");
        } else {
            require(tg_is_poison(x) && strstr(tg_error_message(), "a bool is 0 or 1"),
                    "a tensor cannot be read");
        }
        tg_error_clear();
    }
}

void fuzz_load(const char *input, const char *output) {
    tg_safetensors *set = tg_safetensors_open(input);
    if (!set) return;
    require(tg_safetensors_save(set, output) == TG_OK, "what was loaded cannot be saved");
    tg_safetensors *back = tg_safetensors_open(output);
    require(back != NULL, "what was saved cannot be loaded");
    require_equal_sets(set, back);
    require_equal_texts(set, back);
    tg_safetensors_free(back);
    tg_safetensors_free(set);
    require(tg_error_status() == TG_OK, "a set cannot be freed");
}
