/* Vocabularies: the characters of a text, each with a number, for models of characters.
 *
 *     tg_tensor *text = tg_load_text("shakespeare.txt");
 *     tg_vocab *v = tg_vocab_of(text);
 *     tg_tensor *ids = tg_vocab_encode(v, text);                      // i64 [characters], in [0, tg_vocab_size(v))
 *     tg_safetensors_put_text(file, "vocabulary", tg_vocab_text(v));  // beside the model's tensors
 *     ..
 *     tg_vocab *v = tg_vocab_new(tg_safetensors_text(file, "vocabulary"));
 *     tg_tensor *said = tg_vocab_decode(v, sampled);
 *     fwrite(tg_data(said), 1, (size_t)tg_numel(said), stdout);
 *
 * Texts are u8 [bytes], in UTF-8, and a character is one of its code points, U+0001 to U+10FFFF. What is not UTF-8
 * (Unicode's table 3-7 of well-formed sequences) and a byte 0 are TG_ERR_FORMAT, with the place of the byte.
 */
#ifndef TG_OPS_NN_VOCAB_H
#define TG_OPS_NN_VOCAB_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_vocab tg_vocab;

/* The vocabulary of all characters in the text, in the order of their code points. NULL with an error raised: TG_ERR_DTYPE
 * or TG_ERR_SHAPE for another tensor than u8 [n], TG_ERR_SHAPE for an empty text, TG_ERR_FORMAT, TG_ERR_MEMORY, or the
 * error that is pending. */
TG_API tg_vocab *tg_vocab_of(const tg_tensor *text);

/* The vocabulary of these characters, in this order: what tg_vocab_text gave, or one of your own. Besides, TG_ERR_ARGUMENT is
 * for NULL, for no characters, and for one that is there twice. */
TG_API tg_vocab *tg_vocab_new(const char *characters);

/* Frees it. NULL is ignored; a vocabulary that was freed is TG_ERR_ARGUMENT, here and everywhere. */
TG_API void tg_vocab_free(tg_vocab *vocab);

/* How many characters there are, and all of them, in order; 0 and NULL with the error raised when it is no vocabulary. The
 * text is valid until it is freed. */
TG_API int64_t tg_vocab_size(const tg_vocab *vocab);
TG_API const char *tg_vocab_text(const tg_vocab *vocab);

typedef struct tg_vocab_encode_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const char *unknown; /* a character of the vocabulary that stands for all that are not in it; NULL: these are an error */
} tg_vocab_encode_opts;

/* The number of each character of the text, i64 [characters], on the current tape. TG_ERR_ARGUMENT is for a character that
 * is not in the vocabulary, which the message names with its place, and for an `unknown` that is not one character of it. */
TG_API tg_tensor *tg_vocab_encode_with(const tg_vocab *vocab, const tg_tensor *text, tg_vocab_encode_opts opts);

/* The text of numbers, i64 or i32 of any shape: u8 [bytes], on the current tape. A number outside of the vocabulary is
 * TG_ERR_ARGUMENT. */
TG_API tg_tensor *tg_vocab_decode(const tg_vocab *vocab, const tg_tensor *ids);

#ifdef __cplusplus
}
#endif

#endif
