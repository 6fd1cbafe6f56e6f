/* A small GPT over the characters of a text: it learns to say what comes next, and then writes on by itself.
 *
 * With a vocabulary of V characters and x_0 .. x_T-1 in front, the network gives the logits z_t of the character t + 1, of which
 * P(x_t+1 | x_0 .. x_t) = softmax(z_t). The loss is the mean of -log P, in nats; 1 nat is 1.44 bits a character.
 *     h = token(x) + place(0 .. T-1)                           [n, T, size]
 *     h = h + attention(norm1(h)),  h = h + mlp(norm2(h))      in each block; a step sees those before it only
 *     z = out(norm(h))                                         [n, T, V]
 * Its weights have PyTorch's names, and tests/golden/char_gpt.py takes the same first steps with that.
 *
 *     char_gpt --text shakespeare.txt                          trains on a text; without one, on the GPL
 *     char_gpt --steps 20 --every 20 --profile step.json       says where the time goes, by op and by line
 *     char_gpt --steps 1 --every 1 --trace step.html           writes a page that plays one step (docs/tracing.md)
 *     char_gpt --sample gpt/best.safetensors --prompt "The "   writes with a model that was saved
 */
#include <tapegrad.h>

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CONTEXT = 64, SIZE = 96, HEADS = 4, BLOCKS = 3, BATCH = 16, START_STEPS = 50 };

/* ---- options ---- */

enum {
    TEXT,
    STEPS,
    EVERY,
    LR,
    DROPOUT,
    FOLDER,
    START,
    SAMPLE,
    PROMPT,
    LENGTH,
    TEMPERATURE,
    TOP_K,
    PROFILE,
    TRACE,
    DIST,
    HASH,
    OPTIONS
};
static struct {
    const char *name, *value, *help;
} option[OPTIONS] = {
    [TEXT] = {"--text", "/usr/share/common-licenses/GPL-3", "what it learns from"},
    [STEPS] = {"--steps", "1500", "of training"},
    [EVERY] = {"--every", "100", "so many steps the validation loss is found, and what is best so far saved"},
    [LR] = {"--lr", "0.003", "the learning rate: up to it in 100 steps, and down along a cosine"},
    [DROPOUT] = {"--dropout", "0.1", "how much of a layer is left out in training"},
    [FOLDER] = {"--folder", "gpt", "where checkpoints, a log and curves go"},
    [START] = {"--save-start", "", "a file for the initial weights and the first 50 batches"},
    [SAMPLE] = {"--sample", "", "a model that was saved; writes with it, and trains nothing"},
    [PROMPT] = {"--prompt", "", "what it is to go on from"},
    [LENGTH] = {"--length", "400", "how many characters it writes"},
    [TEMPERATURE] = {"--temperature", "0.8", "below 1 likely characters become likelier"},
    [TOP_K] = {"--top-k", "10", "it chooses among so many characters, the likeliest"},
    [PROFILE] = {"--profile", "", "a file for the trace of the first operations; says where the time went"},
    [TRACE] = {"--trace", "", "a file for a page that plays the first step, forward and backward"},
    [DIST] = {"--dist", "", "flag: shares the training with the other processes of mpirun"},
    [HASH] = {"--hash", "", "flag: at the end prints a number that tells the weights to the last bit"},
};

static double number(int i) { return atof(option[i].value); }

static bool parse(char **argv) {
    for (argv++; *argv; argv++) {
        int i = 0;
        while (i < OPTIONS && strcmp(*argv, option[i].name) != 0) i++;
        if (i == OPTIONS || (i < DIST && !argv[1])) return false;
        option[i].value = i < DIST ? *++argv : "yes";
    }
    return true;
}

/* ---- the network ---- */

/* Logits [n, t, V] of the characters after each of x [n, t], which stand behind those that the cache, if there is one, has
 * seen; CONTEXT in all at most. */
static tg_tensor *gpt(tg_model *m, tg_tensor *x, int64_t vocabulary, tg_kv_cache *cache) {
    tg_init small = tg_init_normal(0, 0.02);
    double past = cache ? (double)tg_kv_cache_length(cache) : 0, p = number(DROPOUT);
    tg_tensor *place = tg_arange(TG_I64, past, past + (double)tg_size(x, 1), 1);
    tg_tensor *h = tg_nn_embedding(m, "token", x, vocabulary, SIZE, .init = small);
    h = tg_nn_dropout(m, tg_add(h, tg_nn_embedding(m, "place", place, CONTEXT, SIZE, .init = small)), p);
    for (int i = 0; i < BLOCKS; i++) {
        char name[32];
        snprintf(name, sizeof name, "blocks.%d", i);
        h = tg_nn_transformer_block(m, name, h, HEADS, .causal = true, .dropout = p, .cache = cache);
    }
    return tg_nn_linear(m, "out", tg_nn_layer_norm(m, "norm", h), vocabulary, .no_bias = true, .init = small);
}

/* batch[0] has windows of the text, [n, CONTEXT + 1]: all but the last character are given, all but the first asked for. */
static tg_tensor *loss(tg_model *m, tg_tensor **batch, void *vocab) {
    tg_tensor *x = tg_narrow(batch[0], 1, 0, CONTEXT), *y = tg_narrow(batch[0], 1, 1, CONTEXT);
    return tg_cross_entropy(tg_transpose(gpt(m, x, tg_vocab_size(vocab), NULL), 1, 2), y);
}

/* ---- the text ---- */

/* The loader's transform: of places in the text ids makes windows that begin there. */
static tg_status cut(tg_tensor **batch, int n, tg_rng *rng, void *ids) {
    (void)n, (void)rng;
    tg_tensor *index = tg_add(tg_unsqueeze(batch[0], 1), tg_arange(TG_I64, 0, CONTEXT + 1, 1));
    batch[0] = tg_reshape(tg_index_select(ids, 0, tg_reshape(index, -1)), -1, CONTEXT + 1);
    return tg_error_status();
}

/* All windows of ids that begin `apart` characters apart; of those of a batch, the shards of this process. */
static tg_loader *windows(tg_tensor *ids, int64_t apart, bool shuffle, const tg_dist *d) {
    if (tg_numel(ids) <= CONTEXT) tg_fail(TG_ERR_ARGUMENT, "the text is too short to be cut in windows");
    tg_tensor *places = tg_arange(TG_I64, 0, (double)(tg_numel(ids) - CONTEXT), (double)apart);
    return tg_loader_new(1, &places, .batch = BATCH, .shuffle = shuffle, .seed = 1, .drop_last = shuffle,
                         .transform = cut, .user = ids, .shards = tg_dist_shards(d), .rank = tg_dist_rank(d),
                         .ranks = tg_dist_size(d));
}

/* ---- writing ---- */

/* Draws from softmax(z / temperature), of the k largest logits alone. */
static int64_t draw(tg_tensor *z) {
    tg_tensor *index;
    tg_tensor *largest = tg_topk(z, (int64_t)fmin(number(TOP_K), (double)tg_numel(z)), 0, .index = &index);
    tg_tensor *choice = tg_multinomial(tg_softmax(tg_mul_scalar(largest, 1 / number(TEMPERATURE)), 0), 1);
    const int64_t *next = tg_data(tg_index_select(index, 0, choice));
    return next ? *next : 0;
}

/* Writes the prompt, and what it says next. Without one it begins behind the first character of the vocabulary, which in
 * most texts ends a line. The cache has what has been read; when it is full, it begins anew with the latter half. */
static void write_on(tg_model *m, const tg_vocab *v) {
    const char *said = option[PROMPT].value;
    tg_tensor *prompt = tg_zeros(TG_I64, 1);
    if (*said) prompt = tg_vocab_encode(v, tg_from(TG_U8, said, (int64_t)strlen(said)));
    int64_t n = tg_numel(prompt), end = n + (int64_t)fmax(0, number(LENGTH)), read = 0;
    int64_t *ids = calloc((size_t)end, sizeof *ids);
    tg_kv_cache *cache = tg_kv_cache_new(CONTEXT);
    if (ids) tg_copy_out(prompt, ids, (size_t)n * sizeof *ids);
    tg_model_set_training(m, false);
    bool was = tg_set_grad_enabled(false);
    for (tg_mark step = tg_tape_mark(); ids && n < end && tg_error_status() == TG_OK; tg_tape_rewind(step)) {
        if (tg_kv_cache_length(cache) + n - read > CONTEXT) {
            tg_kv_cache_truncate(cache, 0);
            read = n - CONTEXT / 2;
        }
        tg_tensor *z = gpt(m, tg_from(TG_I64, ids + read, 1, n - read), tg_vocab_size(v), cache);
        read = n;
        ids[n++] = draw(tg_select(tg_select(z, 1, -1), 0, 0));
    }
    tg_set_grad_enabled(was);
    tg_tensor *text = tg_vocab_decode(v, tg_from(TG_I64, ids, end));
    if (tg_error_status() == TG_OK) printf("%.*s\n", (int)tg_numel(text), (const char *)tg_data(text));
    tg_kv_cache_free(cache), free(ids);
}

/* The same with a model and a vocabulary from a file that training has written. */
static void sample(const char *file) {
    tg_safetensors *set = tg_safetensors_open(file);
    tg_model *m = tg_model_new(0);
    tg_vocab *v = set ? tg_vocab_new(tg_safetensors_text(set, "text/vocabulary")) : NULL;
    if (v && tg_model_take(m, set) == TG_OK) write_on(m, v);
    tg_vocab_free(v), tg_model_free(m), tg_safetensors_free(set);
}

/* ---- training ---- */

/* Saves the initial weights and the first batches, so that another program can take the same steps. */
static void save_start(tg_model *m, tg_vocab *v, tg_tensor *ids) {
    tg_tensor *batch[START_STEPS] = {NULL};
    tg_loader *train = windows(ids, 1, true, NULL);
    for (int i = 0; i < START_STEPS; i++) tg_loader_next(train, &batch[i]);
    loss(m, batch, v); /* makes the weights */
    tg_safetensors *set = tg_safetensors_new();
    tg_model_put(m, set);
    tg_safetensors_put(set, "batches", tg_stack_with(0, START_STEPS, batch));
    tg_safetensors_save(set, option[START].value);
    tg_safetensors_free(set), tg_loader_free(train);
}

/* The page of one step: a mark, what is recorded from there on, and the file. */
static void trace(tg_model *m, tg_vocab *v, tg_tensor *ids) {
    tg_tensor *batch;
    tg_loader *train = windows(ids, 1, true, NULL);
    tg_loader_next(train, &batch);
    tg_mark step = tg_tape_mark();
    loss(m, &batch, v);
    tg_trace_html(option[TRACE].value, step, .title = "char_gpt", .sources = "examples");
    tg_tape_rewind(step);
    tg_loader_free(train);
}

/* By op and by line as tables, and as a file that chrome://tracing and ui.perfetto.dev open. */
static void report(tg_profile *p) {
    if (tg_profile_end(p) != TG_OK) return;
    tg_profile_print(stdout, p, .rows = 12);
    tg_profile_save_trace(p, option[PROFILE].value);
    tg_profile_free(p);
}

/* Nine tenths of the text are trained on, and the last is for validation. */
static void train(void) {
    char vocabulary[4096] = "", best[4096];
    int64_t steps = (int64_t)number(STEPS), every = (int64_t)fmax(1, number(EVERY));
    tg_tensor *text = tg_load_text(option[TEXT].value);
    tg_vocab *v = tg_vocab_of(text);
    tg_tensor *ids = tg_vocab_encode(v, text);
    int64_t n = tg_numel(ids), part = n - n / 10;
    if (v) snprintf(vocabulary, sizeof vocabulary, "%s", tg_vocab_text(v));
    tg_model *m = tg_model_new(1);
    tg_dist *d = *option[DIST].value ? tg_dist_begin(m) : NULL;
    bool speaks = tg_dist_rank(d) == 0;
    if (v && speaks)
        printf("%lld characters, %lld different ones\n", (long long)n, (long long)tg_vocab_size(v));
    tg_tensor *taught = tg_narrow(ids, 0, 0, part), *asked = tg_narrow(ids, 0, part, n - part);
    tg_loader *train = windows(taught, 1, true, d), *test = windows(asked, CONTEXT, false, d);
    if (*option[START].value) save_start(m, v, taught);
    if (*option[TRACE].value) trace(m, v, taught);
    tg_optim *adam = tg_adamw(m, number(LR), .weight_decay = 0.1);
    tg_schedule *rate = tg_schedule_new(adam, tg_lr_linear(100, .start_factor = 0.01), tg_lr_cosine(steps));
    tg_training run = {.model = m, .optim = adam, .schedule = rate, .loader = train, .dist = d};
    run.texts = (tg_text[]){{"vocabulary", vocabulary, sizeof vocabulary}, {0}};
    tg_profile *profile = *option[PROFILE].value ? tg_profile_begin(100000) : NULL;
    tg_fit_report r;
    tg_fit(&run, loss, .epochs = steps / every, .epoch_steps = every, .validation = test, .user = v,
           .log = stdout, .folder = option[FOLDER].value, .report = &r);
    if (tg_dist_end(d) == TG_OK && speaks) {
        printf("%lld weights; validation loss %.4f after %lld steps\n\n", (long long)tg_model_numel(m),
               r.best, (long long)(r.best_epoch * every));
        snprintf(best, sizeof best, "%s/best.safetensors", option[FOLDER].value);
        sample(best);
    }
    if (*option[HASH].value && tg_error_status() == TG_OK && speaks)
        printf("parameters 0x%016" PRIx64 "\n", tg_model_hash(m));
    if (profile && speaks) report(profile);
    tg_schedule_free(rate), tg_optim_free(adam), tg_loader_free(train), tg_loader_free(test);
    tg_model_free(m), tg_vocab_free(v);
}

int main(int argc, char **argv) {
    if (argc < 1 || !parse(argv)) {
        fprintf(stderr, "usage: char_gpt [option value]..\n");
        for (int i = 0; i < OPTIONS; i++)
            fprintf(stderr, "  %-13s %-5s  %s\n", option[i].name, option[i].value, option[i].help);
        return 2;
    }
    tg_seed(1);
    *option[SAMPLE].value ? sample(option[SAMPLE].value) : train();
    if (tg_error_status() != TG_OK) fprintf(stderr, "char_gpt: %s\n", tg_error_message());
    return tg_error_status() != TG_OK;
}
