/* Core alone has no tape: a region for each thread stands in for it. */
#include "core/slot.h"
#include "tests/core/helpers.h"

#include <check.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

TCase *tcase_error(void);
TCase *tcase_shape(void);
TCase *tcase_alloc(void);
TCase *tcase_buffer(void);
TCase *tcase_parallel(void);
TCase *tcase_array(void);
TCase *tcase_tensor(void);
TCase *tcase_update(void);
TCase *tcase_slot(void);
TCase *tcase_discrete(void);
TCase *tcase_work(void);
TCase *tcase_random(void);
TCase *tcase_print(void);
TCase *tcase_streams(void);
TCase *tcase_texts(void);
TCase *tcase_idx(void);
TCase *tcase_npy(void);
TCase *tcase_npz(void);
TCase *tcase_mapping(void);
TCase *tcase_mapping_long(void);
TCase *tcase_dlpack(void);
TCase *tcase_csv(void);
TCase *tcase_text(void);
TCase *tcase_places(void);
TCase *tcase_safetensors(void);
TCase *tcase_safetensors_headers(void);
TCase *tcase_kernels(void);
TCase *tcase_kernel_rows(void);
TCase *tcase_conv(void);
TCase *tcase_reduce(void);
TCase *tcase_gemm(void);
TCase *tcase_gemm_threads(void);
TCase *tcase_macro_kernel(void);
TCase *tcase_lapack(void);
TCase *tcase_attention(void);
TCase *tcase_prepacked(void);
TCase *tcase_elementwise(void);
TCase *tcase_axes(void);
TCase *tcase_channels(void);
TCase *tcase_edges(void);
TCase *tcase_views(void);
TCase *tcase_thread(void);
TCase *tcase_thread_ends(void);
TCase *tcase_scatter(void);
TCase *tcase_split_k(void);
TCase *tcase_cache(void);
int limited_program(const char *mode);
TCase *tcase_accounts(void);
TCase *tcase_kernel_threads(void);

const char *program;

static pthread_key_t key;

static void free_region(void *p) {
    tg_region_free(p);
    free(p);
}

static tg_region *make_region(void) {
    tg_region *r = calloc(1, sizeof *r);
    tg_current_region = r;
    pthread_setspecific(key, r);
    return r;
}

int main(int argc, char **argv) {
    program = argv[0];
    if (argc > 1 && strcmp(argv[1], "fail") == 0) { /* test_error.c runs this to see TG_STRICT at work */
        tg_fail(TG_ERR_SHAPE, "sizes differ");
        tg_status_at(tg_error_status(), "train.c", 41);
        return 0;
    }
    if (argc > 2 && strcmp(argv[1], "limited") == 0)
        _exit(limited_program(argv[2])); /* test_thread.c runs this */
    pthread_key_create(&key, free_region);
    tg_region_make = make_region;
    TCase *(*const make[])(void) = {
        tcase_cache, /* first: what others needed recently would stay for reuse */
        tcase_error,
        tcase_shape,
        tcase_alloc,
        tcase_buffer,
        tcase_parallel,
        tcase_array,
        tcase_slot,
        tcase_tensor,
        tcase_random,
        tcase_discrete,
        tcase_work,
        tcase_print,
        tcase_idx,
        tcase_npy,
        tcase_places,
        tcase_safetensors,
        tcase_safetensors_headers,
        tcase_kernels,
        tcase_reduce,
        tcase_gemm,
        tcase_gemm_threads,
        tcase_update,
        tcase_lapack,
        tcase_kernel_rows,
        tcase_prepacked,
        tcase_conv,
        tcase_attention,
        tcase_macro_kernel,
        tcase_thread,
        tcase_elementwise,
        tcase_axes,
        tcase_kernel_threads,
        tcase_accounts,
        tcase_views,
        tcase_edges,
        tcase_streams,
        tcase_texts,
        tcase_thread_ends,
        tcase_scatter,
        tcase_split_k,
        tcase_csv,
        tcase_mapping,
        tcase_mapping_long,
        tcase_text,
        tcase_dlpack,
        tcase_npz,
        tcase_channels,
    };
    Suite *suite = suite_create("core");
    for (size_t i = 0; i < sizeof make / sizeof *make; i++) suite_add_tcase(suite, make[i]());
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_NORMAL);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    if (tg_current_region) free_region(tg_current_region);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
