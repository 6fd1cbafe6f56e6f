#include "core/io/text.h"
#include "ops/nn/data/vocab.h"
#include "tests/fuzz/fuzz_file.h"

#include <string.h>

const char fuzz_name[] = "fuzz_text";
#if TG_HAVE_ZLIB
const char fuzz_suffix[] = ".gz";
#else
const char fuzz_suffix[] = ".out";
#endif

/* What is UTF-8 has a vocabulary, by whose numbers it comes back; so has its vocabulary. */
static void fuzz_vocab(const tg_tensor *t) {
    tg_vocab *v = tg_vocab_of(t);
    if (!v) {
        require(tg_error_status() == TG_ERR_FORMAT || (tg_error_status() == TG_ERR_SHAPE && tg_numel(t) == 0),
                "a text without a vocabulary");
        tg_error_clear();
        return;
    }
    tg_vocab *again = tg_vocab_new(tg_vocab_text(v));
    require(again && strcmp(tg_vocab_text(v), tg_vocab_text(again)) == 0,
            "another vocabulary of the same characters");
    const tg_tensor *ids = tg_vocab_encode_with(v, t, (tg_vocab_encode_opts){.unknown = NULL});
    require(tg_error_status() == TG_OK && tg_numel(ids) <= tg_numel(t), "a text without numbers");
    require_equal(t, tg_vocab_decode(again, ids));
    tg_vocab_free(v);
    tg_vocab_free(again);
}

void fuzz_load(const char *input, const char *output) {
    const tg_tensor *t = tg_load_text(input);
    if (tg_error_status() != TG_OK) {
        require(tg_is_poison(t), "an error without poison");
        return;
    }
    require(tg_save_text(t, output) == TG_OK, "what was loaded cannot be saved");
    const tg_tensor *back = tg_load_text(output);
    require(tg_error_status() == TG_OK, "what was saved cannot be loaded");
    if (tg_numel(t) > 0 && ((const unsigned char *)tg_data(t))[0] != 0x1f) require_equal(t, back);
    fuzz_vocab(t);
}
