/* What a call looks like. tapegrad.h includes this header last, and the library itself never does, so every function above
 * stands under its plain name, and the macro of that name, below, is its call in a program:
 *
 *     tg_tensor *y = tg_tanh(x);                      // tg_tanh(x), and y and its errors know this file and line
 *     tg_tensor *s = tg_sum(y, .keepdim = true);      // tg_sum_with(y, (tg_sum_opts){.keepdim = true})
 *     tg_tensor *r = tg_reshape(y, 3, -1);            // tg_reshape_with(y, TG_SHAPE(3, -1))
 *     tg_tensor *c = tg_concat(0, x, y);              // tg_concat_with(0, 2, (tg_tensor *[]){x, y})
 *
 * So a function tg_f_with takes in a variable what tg_f takes written out: a struct of options, a shape, or a list. In
 * options 0, left out, stands for the default (TG_ZERO, core/error.h, asks for 0 itself where that differs).
 * C++ has the same calls; there options are named in the order of their struct, and arrays in an argument, such as
 * (tg_tensor *[]){a, b}, are variables.
 *
 * The table at the end is printed from the headers by `sh tests/calls.sh`; the structure test holds it equal to them.
 */
#ifndef TG_OPS_CALLS_H
#define TG_OPS_CALLS_H

#include "autograd/blame/nonfinite.h"
#include "autograd/blame/why.h"
#include "autograd/checkpoint.h"
#include "autograd/functional.h"
#include "autograd/check/gradcheck.h"
#include "autograd/plan/plan.h"
#include "ops/nn/data/loader.h"
#include "ops/nn/model/model.h"
#include "ops/nn/optim/lr.h"
#include "ops/nn/plot/plot.h"

/* ---- the place of the call ---- */

#define TG_AT(call) tg_at((call), __FILE__, __LINE__)
#define TG_STATUS_AT(call) tg_status_at((call), __FILE__, __LINE__)
#define TG_VALUE_AT(type, call) tg_##type##_at((call), __FILE__, __LINE__)
#define TG_POINTER_AT(type, call) ((type)tg_pointer_at((call), __FILE__, __LINE__))
#define TG_VOID_AT(call) ((call), (void)tg_status_at(TG_OK, __FILE__, __LINE__))

#define TG_DEFINE_AT(type) \
    static inline type tg_##type##_at(type value, const char *file, int line) { \
        tg_status_at(TG_OK, file, line); \
        return value; \
    }
TG_DEFINE_AT(double)
TG_DEFINE_AT(int)
TG_DEFINE_AT(int64_t)
TG_DEFINE_AT(uint64_t)
TG_DEFINE_AT(size_t)
TG_DEFINE_AT(bool)
TG_DEFINE_AT(tg_dtype)
TG_DEFINE_AT(tg_shape)
TG_DEFINE_AT(tg_lr)
TG_DEFINE_AT(tg_init)
TG_DEFINE_AT(tg_cause)
TG_DEFINE_AT(tg_finite_check)
static inline void *tg_pointer_at(const void *p, const char *file, int line) {
    tg_status_at(TG_OK, file, line);
    return (void *)(uintptr_t)p;
}

/* ---- options, shapes and lists written out ---- */

/* The first n arguments, and those after them. Each is used with one argument more than the call has, so that neither
 * part of it is empty, which C before C23 does not allow. */
#define TG_FIRST_1(a, ...) a
#define TG_FIRST_2(a, b, ...) a, b
#define TG_FIRST_3(a, b, c, ...) a, b, c
#define TG_FIRST_4(a, b, c, d, ...) a, b, c, d
#define TG_FIRST_5(a, b, c, d, e, ...) a, b, c, d, e
#define TG_REST_1(a, ...) __VA_ARGS__
#define TG_REST_2(a, b, ...) __VA_ARGS__
#define TG_REST_3(a, b, c, ...) __VA_ARGS__
#define TG_REST_4(a, b, c, d, ...) __VA_ARGS__
#define TG_REST_5(a, b, c, d, e, ...) __VA_ARGS__

#ifndef __cplusplus

/* n arguments, then the struct of options from what follows them. `by_name` keeps the list of named options from being
 * empty, and takes the place of one without a name. */
#define TG_WITH_OPTIONS(n, type, ...) TG_FIRST_##n(__VA_ARGS__, ~), (type){TG_REST_##n(__VA_ARGS__, .by_name = 0)}

/* n arguments, then the shape of the sizes that follow them, none being a scalar's. */
#define TG_WITH_SHAPE(n, ...) \
    TG_FIRST_##n(__VA_ARGS__, ~), TG_SIZES(sizeof((int64_t[]){TG_REST_##n(__VA_ARGS__, 0)}), TG_REST_##n(__VA_ARGS__, 0))
/* `bytes` are those of the sizes and the 0 behind them; more than eight sizes do not compile (an array of size -1). */
#define TG_SIZES(bytes, ...) \
    tg_sizes((int)((bytes) / sizeof(int64_t) - sizeof(char[(bytes) <= sizeof(int64_t[TG_MAX_RANK + 1]) ? 1 : -1])), \
             (int64_t[]){__VA_ARGS__})
static inline tg_shape tg_sizes(int rank, const int64_t *size) {
    tg_shape shape = {rank, {0}};
    for (int i = 0; i < rank; i++) shape.dim[i] = size[i];
    return shape;
}

/* One argument, then the number of those of this type that follow it, and the array of them. */
#define TG_WITH_LIST(type, first, ...) \
    first, (int)(sizeof((type[]){__VA_ARGS__}) / sizeof(type)), (type[]){__VA_ARGS__}

#else
#include <initializer_list>
#pragma GCC system_header /* named options are C++20, and fields left out a warning; neither is the caller's doing */
#define TG_WITH_OPTIONS(n, type, ...) TG_FIRST_##n(__VA_ARGS__, ~), type{TG_REST_##n(__VA_ARGS__)}
#define TG_WITH_SHAPE(n, ...) TG_FIRST_##n(__VA_ARGS__, ~), tg_sizes{TG_REST_##n(__VA_ARGS__)}.shape
#define TG_WITH_LIST(type, first, ...) \
    first, (int)std::initializer_list<type>{__VA_ARGS__}.size(), std::initializer_list<type>{__VA_ARGS__}.begin()
struct tg_sizes {
    tg_shape shape;
    template <class... N> tg_sizes(N... size) : shape(TG_SHAPE(size...)) {}
};
#endif

/* ---- functions with their own form ---- */

/* The preprocessor sees commas in (int32_t[]){1, 2}, the compiler does not: it takes the sizes apart. */
#define TG_NO_SIZES \
    TG_NO_SIZE, TG_NO_SIZE, TG_NO_SIZE, TG_NO_SIZE, TG_NO_SIZE, TG_NO_SIZE, TG_NO_SIZE, TG_NO_SIZE, TG_NO_SIZE
#define tg_from(...) TG_AT(tg_from_sizes(__VA_ARGS__, TG_NO_SIZES))

#define tg_checkpoint(...) TG_AT(tg_checkpoint_with(TG_TEXT(__VA_ARGS__, ~), __VA_ARGS__))
#define TG_TEXT(a, ...) #a

/* Calls whose arguments may be arrays written out: all are members of one struct, in order, of which the options are the
 * last but `end`. Arguments left out are NULL or 0, which the function then refuses. */
#ifndef __cplusplus
#define TG_PACKED(function, ...) function##_packed((struct function##_pack){__VA_ARGS__, .end = 0})
#define TG_FUNCTION_AND_INPUTS \
    tg_function f; \
    void *user; \
    int n; \
    tg_tensor *const *in

struct tg_grad_pack {
    int n_out;
    tg_tensor *const *out;
    int n_in;
    tg_tensor *const *in;
    tg_tensor **grads;
    tg_tensor *const *seeds;
    bool retain, create_graph, allow_unused, end;
};
static inline tg_status tg_grad_packed(struct tg_grad_pack p) {
    const tg_grad_opts opts = {NULL, p.seeds, p.retain, p.create_graph, p.allow_unused};
    return tg_grad_with(p.n_out, p.out, p.n_in, p.in, p.grads, opts);
}
struct tg_vjp_pack {
    TG_FUNCTION_AND_INPUTS;
    tg_tensor *v;
    tg_tensor **y;
    tg_tensor **out;
    bool allow_unused, end;
};
static inline tg_status tg_vjp_packed(struct tg_vjp_pack p) {
    return tg_vjp_with(p.f, p.user, p.n, p.in, p.v, p.y, p.out, (tg_functional_opts){NULL, p.allow_unused});
}
struct tg_jvp_pack {
    TG_FUNCTION_AND_INPUTS;
    tg_tensor *const *v;
    tg_tensor **y;
    tg_tensor **out;
    bool allow_unused, end;
};
static inline tg_status tg_jvp_packed(struct tg_jvp_pack p) {
    return tg_jvp_with(p.f, p.user, p.n, p.in, p.v, p.y, p.out, (tg_functional_opts){NULL, p.allow_unused});
}
struct tg_jacobian_pack {
    TG_FUNCTION_AND_INPUTS;
    tg_tensor **out;
    bool allow_unused, end;
};
static inline tg_status tg_jacobian_packed(struct tg_jacobian_pack p) {
    return tg_jacobian_with(p.f, p.user, p.n, p.in, p.out, (tg_functional_opts){NULL, p.allow_unused});
}
struct tg_hessian_pack {
    TG_FUNCTION_AND_INPUTS;
    bool allow_unused, end;
};
static inline tg_tensor *tg_hessian_packed(struct tg_hessian_pack p) {
    return tg_hessian_with(p.f, p.user, p.n, p.in, (tg_functional_opts){NULL, p.allow_unused});
}
struct tg_hvp_pack {
    TG_FUNCTION_AND_INPUTS;
    tg_tensor *const *v;
    tg_tensor **out;
    bool allow_unused, end;
};
static inline tg_status tg_hvp_packed(struct tg_hvp_pack p) {
    return tg_hvp_with(p.f, p.user, p.n, p.in, p.v, p.out, (tg_functional_opts){NULL, p.allow_unused});
}
struct tg_gradcheck_pack {
    tg_gradcheck_fn f;
    void *user;
    int n;
    tg_tensor *const *in;
    tg_gradcheck_report *report;
    double eps, atol, rtol;
    int projections;
    uint64_t seed;
    int order;
    bool allow_empty, allow_zero;
    int64_t samples;
    int directions;
    bool full;
    double seconds;
    tg_check_progress progress;
    void *progress_user;
    tg_checked_fn each;
    void *each_user;
    FILE *page, *json;
    bool no_search, tolerances, end;
};
static inline bool tg_gradcheck_packed(struct tg_gradcheck_pack p) {
    const tg_gradcheck_opts opts = {
        NULL,       p.eps,      p.atol,    p.rtol,     p.projections,   p.seed, p.order,     p.allow_empty, p.allow_zero, p.samples,
        p.directions, p.full,   p.seconds, p.progress, p.progress_user, p.each, p.each_user, p.page,        p.json,       p.no_search,
        p.tolerances};
    return tg_gradcheck_with(p.f, p.user, p.n, p.in, p.report, opts);
}

/* In a test by Check (include <check.h>): fails it, with the message, unless the gradient passes. As tg_gradcheck:
 *     tg_ck_assert_gradient(f, NULL, 2, (tg_tensor *[]){x, w}, .order = 2); */
#define tg_ck_assert_gradient(...) \
    do { \
        tg_gradcheck_report tg_ck_report; \
        if (!tg_gradcheck_packed((struct tg_gradcheck_pack){__VA_ARGS__, .report = &tg_ck_report})) \
            ck_abort_msg("%s", tg_ck_report.message); \
    } while (0)

struct tg_loader_new_pack {
    int n;
    tg_tensor *const *tensors;
    int64_t batch;
    bool shuffle;
    uint64_t seed;
    bool drop_last;
    int64_t rank, ranks, shards, parts, prefetch;
    tg_transform transform;
    void *user;
    bool end;
};
static inline tg_loader *tg_loader_new_packed(struct tg_loader_new_pack p) {
    const tg_loader_new_opts opts = {NULL, p.batch, p.shuffle, p.seed, p.drop_last, p.rank, p.ranks, p.shards, p.parts, p.prefetch, p.transform, p.user};
    return tg_loader_new_with(p.n, p.tensors, opts);
}
struct tg_plot_lines_pack {
    const char *path;
    int n;
    const tg_series *series;
    const char *title, *x, *y;
    bool log_x, log_y;
    double x_min, x_max, y_min, y_max;
    int width, height;
    bool end;
};
#define tg_plot_scatter_pack tg_plot_lines_pack
static inline tg_plot_lines_opts tg_plot_lines_opts_of(const struct tg_plot_lines_pack *p) {
    return (tg_plot_lines_opts){NULL, p->title, p->x, p->y, p->log_x, p->log_y, p->x_min, p->x_max, p->y_min, p->y_max, p->width, p->height};
}
static inline tg_status tg_plot_lines_packed(struct tg_plot_lines_pack p) {
    return tg_plot_lines_with(p.path, p.n, p.series, tg_plot_lines_opts_of(&p));
}
static inline tg_status tg_plot_scatter_packed(struct tg_plot_scatter_pack p) {
    return tg_plot_scatter_with(p.path, p.n, p.series, tg_plot_lines_opts_of(&p));
}

#define tg_grad(...) TG_STATUS_AT(TG_PACKED(tg_grad, __VA_ARGS__))
#define tg_vjp(...) TG_STATUS_AT(TG_PACKED(tg_vjp, __VA_ARGS__))
#define tg_jvp(...) TG_STATUS_AT(TG_PACKED(tg_jvp, __VA_ARGS__))
#define tg_jacobian(...) TG_STATUS_AT(TG_PACKED(tg_jacobian, __VA_ARGS__))
#define tg_hessian(...) TG_AT(TG_PACKED(tg_hessian, __VA_ARGS__))
#define tg_hvp(...) TG_STATUS_AT(TG_PACKED(tg_hvp, __VA_ARGS__))
#define tg_gradcheck(...) TG_VALUE_AT(bool, TG_PACKED(tg_gradcheck, __VA_ARGS__))
#define tg_loader_new(...) TG_POINTER_AT(tg_loader *, TG_PACKED(tg_loader_new, __VA_ARGS__))
#define tg_plot_lines(...) TG_STATUS_AT(TG_PACKED(tg_plot_lines, __VA_ARGS__))
#define tg_plot_scatter(...) TG_STATUS_AT(TG_PACKED(tg_plot_scatter, __VA_ARGS__))
#else
#define TG_FIRST_7(a, b, c, d, e, f, g, ...) a, b, c, d, e, f, g
#define TG_REST_7(a, b, c, d, e, f, g, ...) __VA_ARGS__
#define TG_FIRST_6(a, b, c, d, e, f, ...) a, b, c, d, e, f
#define TG_REST_6(a, b, c, d, e, f, ...) __VA_ARGS__
#define tg_grad(...) TG_STATUS_AT(tg_grad_with(TG_WITH_OPTIONS(5, tg_grad_opts, __VA_ARGS__)))
#define tg_vjp(...) TG_STATUS_AT(tg_vjp_with(TG_WITH_OPTIONS(7, tg_functional_opts, __VA_ARGS__)))
#define tg_jvp(...) TG_STATUS_AT(tg_jvp_with(TG_WITH_OPTIONS(7, tg_functional_opts, __VA_ARGS__)))
#define tg_jacobian(...) TG_STATUS_AT(tg_jacobian_with(TG_WITH_OPTIONS(5, tg_functional_opts, __VA_ARGS__)))
#define tg_hessian(...) TG_AT(tg_hessian_with(TG_WITH_OPTIONS(4, tg_functional_opts, __VA_ARGS__)))
#define tg_hvp(...) TG_STATUS_AT(tg_hvp_with(TG_WITH_OPTIONS(6, tg_functional_opts, __VA_ARGS__)))
#define tg_gradcheck(...) TG_VALUE_AT(bool, tg_gradcheck_with(TG_WITH_OPTIONS(5, tg_gradcheck_opts, __VA_ARGS__)))
#define tg_loader_new(...) TG_POINTER_AT(tg_loader *, tg_loader_new_with(TG_WITH_OPTIONS(2, tg_loader_new_opts, __VA_ARGS__)))
#define tg_plot_lines(...) TG_STATUS_AT(tg_plot_lines_with(TG_WITH_OPTIONS(3, tg_plot_lines_opts, __VA_ARGS__)))
#define tg_plot_scatter(...) TG_STATUS_AT(tg_plot_scatter_with(TG_WITH_OPTIONS(3, tg_plot_scatter_opts, __VA_ARGS__)))
#endif

/* ---- all the others: what `sh tests/calls.sh` prints ---- */

/* core/discrete.h */
#define tg_randint(...) TG_AT(tg_randint_with(TG_WITH_SHAPE(3, __VA_ARGS__)))
#define tg_randperm(...) TG_AT(tg_randperm_with(TG_WITH_OPTIONS(1, tg_randperm_opts, __VA_ARGS__)))
#define tg_bernoulli(...) TG_AT(tg_bernoulli_with(TG_WITH_OPTIONS(1, tg_bernoulli_opts, __VA_ARGS__)))
#define tg_multinomial(...) TG_AT(tg_multinomial_with(TG_WITH_OPTIONS(2, tg_multinomial_opts, __VA_ARGS__)))

/* core/dlpack.h */
#define tg_to_dlpack(...) TG_POINTER_AT(DLManagedTensorVersioned *, tg_to_dlpack(__VA_ARGS__))
#define tg_to_dlpack_unversioned(...) TG_POINTER_AT(DLManagedTensor *, tg_to_dlpack_unversioned(__VA_ARGS__))
#define tg_from_dlpack(...) TG_AT(tg_from_dlpack(__VA_ARGS__))
#define tg_from_dlpack_unversioned(...) TG_AT(tg_from_dlpack_unversioned(__VA_ARGS__))

/* core/io/csv.h */
#define tg_load_csv(...) TG_AT(tg_load_csv_with(TG_WITH_OPTIONS(1, tg_load_csv_opts, __VA_ARGS__)))
#define tg_save_csv(...) TG_STATUS_AT(tg_save_csv_with(TG_WITH_OPTIONS(2, tg_save_csv_opts, __VA_ARGS__)))

/* core/io/idx.h */
#define tg_load_idx(...) TG_AT(tg_load_idx(__VA_ARGS__))
#define tg_map_idx(...) TG_AT(tg_map_idx(__VA_ARGS__))
#define tg_save_idx(...) TG_STATUS_AT(tg_save_idx(__VA_ARGS__))

/* core/io/npy.h */
#define tg_load_npy(...) TG_AT(tg_load_npy(__VA_ARGS__))
#define tg_map_npy(...) TG_AT(tg_map_npy(__VA_ARGS__))
#define tg_save_npy(...) TG_STATUS_AT(tg_save_npy(__VA_ARGS__))

/* core/io/npz.h */
#define tg_npz_new(...) TG_POINTER_AT(tg_npz *, tg_npz_new(__VA_ARGS__))
#define tg_npz_open(...) TG_POINTER_AT(tg_npz *, tg_npz_open(__VA_ARGS__))
#define tg_npz_free(...) TG_VOID_AT(tg_npz_free(__VA_ARGS__))
#define tg_npz_count(...) TG_VALUE_AT(int64_t, tg_npz_count(__VA_ARGS__))
#define tg_npz_name(...) TG_POINTER_AT(const char *, tg_npz_name(__VA_ARGS__))
#define tg_npz_has(...) TG_VALUE_AT(bool, tg_npz_has(__VA_ARGS__))
#define tg_npz_dtype(...) TG_VALUE_AT(tg_dtype, tg_npz_dtype(__VA_ARGS__))
#define tg_npz_shape(...) TG_VALUE_AT(tg_shape, tg_npz_shape(__VA_ARGS__))
#define tg_npz_get(...) TG_AT(tg_npz_get(__VA_ARGS__))
#define tg_npz_put(...) TG_STATUS_AT(tg_npz_put(__VA_ARGS__))
#define tg_npz_save(...) TG_STATUS_AT(tg_npz_save_with(TG_WITH_OPTIONS(2, tg_npz_save_opts, __VA_ARGS__)))

/* core/io/safetensors.h */
#define tg_safetensors_new(...) TG_POINTER_AT(tg_safetensors *, tg_safetensors_new(__VA_ARGS__))
#define tg_safetensors_open(...) TG_POINTER_AT(tg_safetensors *, tg_safetensors_open(__VA_ARGS__))
#define tg_safetensors_free(...) TG_VOID_AT(tg_safetensors_free(__VA_ARGS__))
#define tg_safetensors_count(...) TG_VALUE_AT(int64_t, tg_safetensors_count(__VA_ARGS__))
#define tg_safetensors_name(...) TG_POINTER_AT(const char *, tg_safetensors_name(__VA_ARGS__))
#define tg_safetensors_has(...) TG_VALUE_AT(bool, tg_safetensors_has(__VA_ARGS__))
#define tg_safetensors_dtype(...) TG_VALUE_AT(tg_dtype, tg_safetensors_dtype(__VA_ARGS__))
#define tg_safetensors_shape(...) TG_VALUE_AT(tg_shape, tg_safetensors_shape(__VA_ARGS__))
#define tg_safetensors_get(...) TG_AT(tg_safetensors_get(__VA_ARGS__))
#define tg_safetensors_get_rows(...) TG_AT(tg_safetensors_get_rows(__VA_ARGS__))
#define tg_safetensors_map(...) TG_AT(tg_safetensors_map(__VA_ARGS__))
#define tg_safetensors_put(...) TG_STATUS_AT(tg_safetensors_put(__VA_ARGS__))
#define tg_safetensors_put_half(...) TG_STATUS_AT(tg_safetensors_put_half(__VA_ARGS__))
#define tg_safetensors_text_count(...) TG_VALUE_AT(int64_t, tg_safetensors_text_count(__VA_ARGS__))
#define tg_safetensors_key(...) TG_POINTER_AT(const char *, tg_safetensors_key(__VA_ARGS__))
#define tg_safetensors_text(...) TG_POINTER_AT(const char *, tg_safetensors_text(__VA_ARGS__))
#define tg_safetensors_put_text(...) TG_STATUS_AT(tg_safetensors_put_text(__VA_ARGS__))
#define tg_safetensors_save(...) TG_STATUS_AT(tg_safetensors_save(__VA_ARGS__))

/* core/io/text.h */
#define tg_load_text(...) TG_AT(tg_load_text(__VA_ARGS__))
#define tg_save_text(...) TG_STATUS_AT(tg_save_text(__VA_ARGS__))

/* core/random.h */
#define tg_rand(...) TG_AT(tg_rand_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_randn(...) TG_AT(tg_randn_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_uniform(...) TG_AT(tg_uniform_with(TG_WITH_SHAPE(3, __VA_ARGS__)))
#define tg_normal(...) TG_AT(tg_normal_with(TG_WITH_SHAPE(3, __VA_ARGS__)))
#define tg_rand_like(...) TG_AT(tg_rand_like(__VA_ARGS__))
#define tg_randn_like(...) TG_AT(tg_randn_like(__VA_ARGS__))

/* core/tensor.h */
#define tg_zeros(...) TG_AT(tg_zeros_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_ones(...) TG_AT(tg_ones_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_full(...) TG_AT(tg_full_with(TG_WITH_SHAPE(2, __VA_ARGS__)))
#define tg_zeros_like(...) TG_AT(tg_zeros_like(__VA_ARGS__))
#define tg_ones_like(...) TG_AT(tg_ones_like(__VA_ARGS__))
#define tg_full_like(...) TG_AT(tg_full_like(__VA_ARGS__))
#define tg_scalar(...) TG_AT(tg_scalar(__VA_ARGS__))
#define tg_from_blob(...) TG_AT(tg_from_blob_with(TG_WITH_OPTIONS(3, tg_from_blob_opts, __VA_ARGS__)))
#define tg_is_read_only(...) TG_VALUE_AT(bool, tg_is_read_only(__VA_ARGS__))
#define tg_from_array(...) TG_AT(tg_from_array(__VA_ARGS__))
#define tg_rank(...) TG_VALUE_AT(int, tg_rank(__VA_ARGS__))
#define tg_numel(...) TG_VALUE_AT(int64_t, tg_numel(__VA_ARGS__))
#define tg_size(...) TG_VALUE_AT(int64_t, tg_size(__VA_ARGS__))
#define tg_shape_of(...) TG_VALUE_AT(tg_shape, tg_shape_of(__VA_ARGS__))
#define tg_dtype_of(...) TG_VALUE_AT(tg_dtype, tg_dtype_of(__VA_ARGS__))
#define tg_is_contiguous(...) TG_VALUE_AT(bool, tg_is_contiguous(__VA_ARGS__))
#define tg_check_argument(...) TG_VALUE_AT(bool, tg_check_argument(__VA_ARGS__))
#define tg_set_name(...) TG_AT(tg_set_name(__VA_ARGS__))
#define tg_name(...) TG_POINTER_AT(const char *, tg_name(__VA_ARGS__))
#define tg_item(...) TG_VALUE_AT(double, tg_item(__VA_ARGS__))
#define tg_get(...) TG_VALUE_AT(double, tg_get(__VA_ARGS__))
#define tg_data(...) TG_POINTER_AT(const void *, tg_data(__VA_ARGS__))
#define tg_data_mut(...) TG_POINTER_AT(void *, tg_data_mut(__VA_ARGS__))
#define tg_copy_out(...) TG_STATUS_AT(tg_copy_out(__VA_ARGS__))
#define tg_array_of(...) TG_POINTER_AT(const tg_array *, tg_array_of(__VA_ARGS__))
#define tg_keep(...) TG_AT(tg_keep(__VA_ARGS__))
#define tg_free(...) TG_VOID_AT(tg_free(__VA_ARGS__))
#define tg_drop_elements(...) TG_VOID_AT(tg_drop_elements(__VA_ARGS__))
#define tg_to_text(...) TG_VALUE_AT(size_t, tg_to_text(__VA_ARGS__))
#define tg_print(...) TG_VOID_AT(tg_print(__VA_ARGS__))

/* autograd/backward.h */
#define tg_backward(...) TG_STATUS_AT(tg_backward_with(TG_WITH_OPTIONS(1, tg_backward_opts, __VA_ARGS__)))
#define tg_grad_of(...) TG_AT(tg_grad_of(__VA_ARGS__))
#define tg_has_grad(...) TG_VALUE_AT(bool, tg_has_grad(__VA_ARGS__))
#define tg_zero_grad(...) TG_STATUS_AT(tg_zero_grad(__VA_ARGS__))
#define tg_register_hook(...) TG_STATUS_AT(tg_register_hook(__VA_ARGS__))
#define tg_remove_hook(...) TG_STATUS_AT(tg_remove_hook(__VA_ARGS__))
#define tg_hook_is_last(...) TG_VALUE_AT(bool, tg_hook_is_last(__VA_ARGS__))
#define tg_remove_hooks(...) TG_STATUS_AT(tg_remove_hooks(__VA_ARGS__))

/* autograd/blame/nonfinite.h */
#define tg_set_finite_check(...) TG_VALUE_AT(tg_finite_check, tg_set_finite_check(__VA_ARGS__))
#define tg_is_finite(...) TG_VALUE_AT(bool, tg_is_finite(__VA_ARGS__))
#define tg_find_nonfinite(...) TG_VALUE_AT(bool, tg_find_nonfinite(__VA_ARGS__))
#define tg_find_nonfinite_in(...) TG_VALUE_AT(bool, tg_find_nonfinite_in(__VA_ARGS__))
#define tg_find_nonfinite_grad(...) TG_VALUE_AT(bool, tg_find_nonfinite_grad(__VA_ARGS__))

/* autograd/blame/why.h */
#define tg_why(...) TG_VALUE_AT(tg_cause, tg_why(__VA_ARGS__))

/* autograd/check/grade.h */
#define tg_slip_name(...) TG_POINTER_AT(const char *, tg_slip_name(__VA_ARGS__))
#define tg_grade(...) TG_VALUE_AT(bool, tg_grade(__VA_ARGS__))
#define tg_grade_rule(...) TG_VALUE_AT(bool, tg_grade_rule(__VA_ARGS__))

/* autograd/check/gradcheck.h */

/* autograd/checkpoint.h */

/* autograd/functional.h */

/* autograd/op.h */
#define tg_apply(...) TG_AT(tg_apply(__VA_ARGS__))
#define tg_apply_multi(...) TG_STATUS_AT(tg_apply_multi(__VA_ARGS__))

/* autograd/plan/plan.h */
#define tg_plan_new(...) \
    TG_POINTER_AT(tg_plan *, tg_plan_new_with(TG_WITH_OPTIONS(2, tg_plan_new_opts, __VA_ARGS__)))
#define tg_plan_free(...) TG_VOID_AT(tg_plan_free(__VA_ARGS__))
#define tg_plan_run(...) TG_AT(tg_plan_run_with(TG_WITH_LIST(tg_tensor *, __VA_ARGS__)))
#define tg_plan_print(...) TG_VOID_AT(tg_plan_print(__VA_ARGS__))

/* autograd/profile/profile.h */
#define tg_profile_begin(...) TG_POINTER_AT(tg_profile *, tg_profile_begin(__VA_ARGS__))
#define tg_profile_end(...) TG_STATUS_AT(tg_profile_end(__VA_ARGS__))
#define tg_profile_free(...) TG_VOID_AT(tg_profile_free(__VA_ARGS__))
#define tg_profile_rows(...) TG_VALUE_AT(int64_t, tg_profile_rows(__VA_ARGS__))
#define tg_profile_print(...) \
    TG_VOID_AT(tg_profile_print_with(TG_WITH_OPTIONS(2, tg_profile_print_opts, __VA_ARGS__)))
#define tg_profile_save_trace(...) TG_STATUS_AT(tg_profile_save_trace(__VA_ARGS__))

/* autograd/tape.h */
#define tg_tape_rewind(...) TG_STATUS_AT(tg_tape_rewind(__VA_ARGS__))
#define tg_tape_new(...) TG_POINTER_AT(tg_tape *, tg_tape_new(__VA_ARGS__))
#define tg_tape_free(...) TG_VOID_AT(tg_tape_free(__VA_ARGS__))
#define tg_tape_use(...) TG_POINTER_AT(tg_tape *, tg_tape_use(__VA_ARGS__))
#define tg_tape_node(...) TG_POINTER_AT(const tg_node *, tg_tape_node(__VA_ARGS__))
#define tg_node_of(...) TG_POINTER_AT(const tg_node *, tg_node_of(__VA_ARGS__))
#define tg_tape_print(...) TG_VOID_AT(tg_tape_print_with(TG_WITH_OPTIONS(2, tg_tape_print_opts, __VA_ARGS__)))
#define tg_tape_print_node(...) TG_VOID_AT(tg_tape_print_node(__VA_ARGS__))
#define tg_set_requires_grad(...) TG_AT(tg_set_requires_grad(__VA_ARGS__))
#define tg_requires_grad(...) TG_VALUE_AT(bool, tg_requires_grad(__VA_ARGS__))
#define tg_param(...) TG_AT(tg_param(__VA_ARGS__))
#define tg_detach(...) TG_AT(tg_detach(__VA_ARGS__))
#define tg_retain_grad(...) TG_STATUS_AT(tg_retain_grad(__VA_ARGS__))

/* autograd/trace/trace.h */
#define tg_trace_html(...) TG_STATUS_AT(tg_trace_html_with(TG_WITH_OPTIONS(2, tg_trace_html_opts, __VA_ARGS__)))
#define tg_trace_json(...) TG_STATUS_AT(tg_trace_json_with(TG_WITH_OPTIONS(2, tg_trace_json_opts, __VA_ARGS__)))
#define tg_trace_text(...) TG_STATUS_AT(tg_trace_text_with(TG_WITH_OPTIONS(2, tg_trace_text_opts, __VA_ARGS__)))
#define tg_trace_dot(...) TG_STATUS_AT(tg_trace_dot_with(TG_WITH_OPTIONS(2, tg_trace_dot_opts, __VA_ARGS__)))
#define tg_trace_svg(...) TG_STATUS_AT(tg_trace_svg_with(TG_WITH_OPTIONS(2, tg_trace_svg_opts, __VA_ARGS__)))

/* ops/elementwise/activation.h */
#define tg_relu(...) TG_AT(tg_relu(__VA_ARGS__))
#define tg_tanh(...) TG_AT(tg_tanh(__VA_ARGS__))
#define tg_sigmoid(...) TG_AT(tg_sigmoid(__VA_ARGS__))
#define tg_softplus(...) TG_AT(tg_softplus(__VA_ARGS__))
#define tg_logsigmoid(...) TG_AT(tg_logsigmoid(__VA_ARGS__))
#define tg_leaky_relu(...) TG_AT(tg_leaky_relu(__VA_ARGS__))
#define tg_elu(...) TG_AT(tg_elu(__VA_ARGS__))
#define tg_selu(...) TG_AT(tg_selu(__VA_ARGS__))
#define tg_celu(...) TG_AT(tg_celu(__VA_ARGS__))
#define tg_gelu(...) TG_AT(tg_gelu(__VA_ARGS__))
#define tg_gelu_tanh(...) TG_AT(tg_gelu_tanh(__VA_ARGS__))
#define tg_silu(...) TG_AT(tg_silu(__VA_ARGS__))
#define tg_mish(...) TG_AT(tg_mish(__VA_ARGS__))
#define tg_softsign(...) TG_AT(tg_softsign(__VA_ARGS__))
#define tg_softplus_beta(...) TG_AT(tg_softplus_beta(__VA_ARGS__))
#define tg_hardtanh(...) TG_AT(tg_hardtanh(__VA_ARGS__))
#define tg_hardsigmoid(...) TG_AT(tg_hardsigmoid(__VA_ARGS__))
#define tg_hardswish(...) TG_AT(tg_hardswish(__VA_ARGS__))
#define tg_glu(...) TG_AT(tg_glu(__VA_ARGS__))
#define tg_prelu(...) TG_AT(tg_prelu(__VA_ARGS__))

/* ops/elementwise/arithmetic.h */
#define tg_add(...) TG_AT(tg_add(__VA_ARGS__))
#define tg_sub(...) TG_AT(tg_sub(__VA_ARGS__))
#define tg_mul(...) TG_AT(tg_mul(__VA_ARGS__))
#define tg_div(...) TG_AT(tg_div(__VA_ARGS__))
#define tg_affine(...) TG_AT(tg_affine(__VA_ARGS__))
#define tg_add_scalar(...) TG_AT(tg_add_scalar(__VA_ARGS__))
#define tg_mul_scalar(...) TG_AT(tg_mul_scalar(__VA_ARGS__))
#define tg_neg(...) TG_AT(tg_neg(__VA_ARGS__))

/* ops/elementwise/binary.h */
#define tg_pow(...) TG_AT(tg_pow(__VA_ARGS__))
#define tg_pow_scalar(...) TG_AT(tg_pow_scalar(__VA_ARGS__))
#define tg_maximum(...) TG_AT(tg_maximum(__VA_ARGS__))
#define tg_minimum(...) TG_AT(tg_minimum(__VA_ARGS__))
#define tg_fmod(...) TG_AT(tg_fmod(__VA_ARGS__))
#define tg_remainder(...) TG_AT(tg_remainder(__VA_ARGS__))
#define tg_atan2(...) TG_AT(tg_atan2(__VA_ARGS__))
#define tg_hypot(...) TG_AT(tg_hypot(__VA_ARGS__))
#define tg_xlogy(...) TG_AT(tg_xlogy(__VA_ARGS__))
#define tg_logaddexp(...) TG_AT(tg_logaddexp(__VA_ARGS__))
#define tg_half_square_over(...) TG_AT(tg_half_square_over(__VA_ARGS__))
#define tg_copysign(...) TG_AT(tg_copysign(__VA_ARGS__))
#define tg_lerp(...) TG_AT(tg_lerp(__VA_ARGS__))
#define tg_addcmul(...) TG_AT(tg_addcmul(__VA_ARGS__))
#define tg_addcdiv(...) TG_AT(tg_addcdiv(__VA_ARGS__))

/* ops/elementwise/compare.h */
#define tg_eq(...) TG_AT(tg_eq(__VA_ARGS__))
#define tg_ne(...) TG_AT(tg_ne(__VA_ARGS__))
#define tg_lt(...) TG_AT(tg_lt(__VA_ARGS__))
#define tg_le(...) TG_AT(tg_le(__VA_ARGS__))
#define tg_gt(...) TG_AT(tg_gt(__VA_ARGS__))
#define tg_ge(...) TG_AT(tg_ge(__VA_ARGS__))
#define tg_where(...) TG_AT(tg_where(__VA_ARGS__))
#define tg_masked_fill(...) TG_AT(tg_masked_fill(__VA_ARGS__))

/* ops/elementwise/inplace.h */
#define tg_copy_(...) TG_STATUS_AT(tg_copy_(__VA_ARGS__))
#define tg_fill_(...) TG_STATUS_AT(tg_fill_(__VA_ARGS__))
#define tg_zero_(...) TG_STATUS_AT(tg_zero_(__VA_ARGS__))
#define tg_add_(...) TG_STATUS_AT(tg_add_(__VA_ARGS__))
#define tg_mul_(...) TG_STATUS_AT(tg_mul_(__VA_ARGS__))
#define tg_inplace(...) TG_POINTER_AT(const tg_array *, tg_inplace(__VA_ARGS__))

/* ops/elementwise/logical.h */
#define tg_logical_not(...) TG_AT(tg_logical_not(__VA_ARGS__))
#define tg_logical_and(...) TG_AT(tg_logical_and(__VA_ARGS__))
#define tg_logical_or(...) TG_AT(tg_logical_or(__VA_ARGS__))
#define tg_logical_xor(...) TG_AT(tg_logical_xor(__VA_ARGS__))
#define tg_isnan(...) TG_AT(tg_isnan(__VA_ARGS__))
#define tg_isfinite(...) TG_AT(tg_isfinite(__VA_ARGS__))

/* ops/elementwise/math.h */
#define tg_exp(...) TG_AT(tg_exp(__VA_ARGS__))
#define tg_log(...) TG_AT(tg_log(__VA_ARGS__))
#define tg_sqrt(...) TG_AT(tg_sqrt(__VA_ARGS__))
#define tg_square(...) TG_AT(tg_square(__VA_ARGS__))
#define tg_abs(...) TG_AT(tg_abs(__VA_ARGS__))
#define tg_sign(...) TG_AT(tg_sign(__VA_ARGS__))
#define tg_rsqrt(...) TG_AT(tg_rsqrt(__VA_ARGS__))
#define tg_reciprocal(...) TG_AT(tg_reciprocal(__VA_ARGS__))
#define tg_exp2(...) TG_AT(tg_exp2(__VA_ARGS__))
#define tg_expm1(...) TG_AT(tg_expm1(__VA_ARGS__))
#define tg_log2(...) TG_AT(tg_log2(__VA_ARGS__))
#define tg_log10(...) TG_AT(tg_log10(__VA_ARGS__))
#define tg_log1p(...) TG_AT(tg_log1p(__VA_ARGS__))
#define tg_sin(...) TG_AT(tg_sin(__VA_ARGS__))
#define tg_cos(...) TG_AT(tg_cos(__VA_ARGS__))
#define tg_tan(...) TG_AT(tg_tan(__VA_ARGS__))
#define tg_asin(...) TG_AT(tg_asin(__VA_ARGS__))
#define tg_acos(...) TG_AT(tg_acos(__VA_ARGS__))
#define tg_atan(...) TG_AT(tg_atan(__VA_ARGS__))
#define tg_sinh(...) TG_AT(tg_sinh(__VA_ARGS__))
#define tg_cosh(...) TG_AT(tg_cosh(__VA_ARGS__))
#define tg_asinh(...) TG_AT(tg_asinh(__VA_ARGS__))
#define tg_acosh(...) TG_AT(tg_acosh(__VA_ARGS__))
#define tg_atanh(...) TG_AT(tg_atanh(__VA_ARGS__))
#define tg_erf(...) TG_AT(tg_erf(__VA_ARGS__))
#define tg_erfc(...) TG_AT(tg_erfc(__VA_ARGS__))
#define tg_erfinv(...) TG_AT(tg_erfinv(__VA_ARGS__))
#define tg_lgamma(...) TG_AT(tg_lgamma(__VA_ARGS__))
#define tg_digamma(...) TG_AT(tg_digamma(__VA_ARGS__))
#define tg_polygamma(...) TG_AT(tg_polygamma(__VA_ARGS__))
#define tg_sinc(...) TG_AT(tg_sinc(__VA_ARGS__))
#define tg_sinc_derivative(...) TG_AT(tg_sinc_derivative(__VA_ARGS__))
#define tg_sigmoid_derivative(...) TG_AT(tg_sigmoid_derivative(__VA_ARGS__))
#define tg_gaussian_derivative(...) TG_AT(tg_gaussian_derivative(__VA_ARGS__))
#define tg_floor(...) TG_AT(tg_floor(__VA_ARGS__))
#define tg_ceil(...) TG_AT(tg_ceil(__VA_ARGS__))
#define tg_round(...) TG_AT(tg_round(__VA_ARGS__))
#define tg_trunc(...) TG_AT(tg_trunc(__VA_ARGS__))
#define tg_frac(...) TG_AT(tg_frac(__VA_ARGS__))
#define tg_clamp(...) TG_AT(tg_clamp(__VA_ARGS__))
#define tg_nan_to_num(...) TG_AT(tg_nan_to_num(__VA_ARGS__))

/* ops/shape/create.h */
#define tg_arange(...) TG_AT(tg_arange(__VA_ARGS__))
#define tg_linspace(...) TG_AT(tg_linspace(__VA_ARGS__))
#define tg_eye(...) TG_AT(tg_eye(__VA_ARGS__))

/* ops/shape/diagonal.h */
#define tg_diagonal(...) TG_AT(tg_diagonal(__VA_ARGS__))
#define tg_diagonal_scatter(...) TG_AT(tg_diagonal_scatter(__VA_ARGS__))
#define tg_diag_embed(...) TG_AT(tg_diag_embed(__VA_ARGS__))
#define tg_diag(...) TG_AT(tg_diag(__VA_ARGS__))
#define tg_tril(...) TG_AT(tg_tril(__VA_ARGS__))
#define tg_triu(...) TG_AT(tg_triu(__VA_ARGS__))

/* ops/shape/join.h */
#define tg_concat(...) TG_AT(tg_concat_with(TG_WITH_LIST(tg_tensor *, __VA_ARGS__)))
#define tg_stack(...) TG_AT(tg_stack_with(TG_WITH_LIST(tg_tensor *, __VA_ARGS__)))
#define tg_tile(...) TG_AT(tg_tile_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_repeat(...) TG_AT(tg_repeat_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_flip(...) TG_AT(tg_flip_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_roll(...) TG_AT(tg_roll(__VA_ARGS__))

/* ops/shape/pad.h */
#define tg_pad(...) TG_AT(tg_pad_with(TG_WITH_OPTIONS(1, tg_pad_opts, __VA_ARGS__)))

/* ops/shape/pixel_shuffle.h */
#define tg_pixel_shuffle(...) TG_AT(tg_pixel_shuffle(__VA_ARGS__))
#define tg_pixel_unshuffle(...) TG_AT(tg_pixel_unshuffle(__VA_ARGS__))

/* ops/shape/split.h */
#define tg_flatten(...) TG_AT(tg_flatten(__VA_ARGS__))
#define tg_select(...) TG_AT(tg_select(__VA_ARGS__))
#define tg_narrow(...) TG_AT(tg_narrow(__VA_ARGS__))
#define tg_split(...) TG_STATUS_AT(tg_split(__VA_ARGS__))
#define tg_chunk(...) TG_VALUE_AT(int, tg_chunk(__VA_ARGS__))

/* ops/shape/view.h */
#define tg_reshape(...) TG_AT(tg_reshape_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_permute(...) TG_AT(tg_permute_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_transpose(...) TG_AT(tg_transpose(__VA_ARGS__))
#define tg_slice(...) TG_AT(tg_slice(__VA_ARGS__))
#define tg_slice_scatter(...) TG_AT(tg_slice_scatter(__VA_ARGS__))
#define tg_expand(...) TG_AT(tg_expand_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_broadcast_to(...) TG_AT(tg_broadcast_to_with(TG_WITH_SHAPE(1, __VA_ARGS__)))
#define tg_squeeze(...) TG_AT(tg_squeeze(__VA_ARGS__))
#define tg_unsqueeze(...) TG_AT(tg_unsqueeze(__VA_ARGS__))
#define tg_contiguous(...) TG_AT(tg_contiguous(__VA_ARGS__))
#define tg_to(...) TG_AT(tg_to(__VA_ARGS__))

/* ops/index/embedding.h */
#define tg_embedding(...) TG_AT(tg_embedding_with(TG_WITH_OPTIONS(2, tg_embedding_opts, __VA_ARGS__)))
#define tg_dropout(...) TG_AT(tg_dropout_with(TG_WITH_OPTIONS(3, tg_dropout_opts, __VA_ARGS__)))

/* ops/index/gather.h */
#define tg_gather(...) TG_AT(tg_gather(__VA_ARGS__))
#define tg_scatter_add(...) TG_AT(tg_scatter_add(__VA_ARGS__))
#define tg_index_select(...) TG_AT(tg_index_select(__VA_ARGS__))

/* ops/index/scatter.h */
#define tg_scatter(...) TG_AT(tg_scatter(__VA_ARGS__))
#define tg_take_along_dim(...) TG_AT(tg_take_along_dim(__VA_ARGS__))
#define tg_one_hot(...) TG_AT(tg_one_hot(__VA_ARGS__))

/* ops/index/sort.h */
#define tg_sort(...) TG_AT(tg_sort_with(TG_WITH_OPTIONS(2, tg_sort_opts, __VA_ARGS__)))
#define tg_topk(...) TG_AT(tg_topk_with(TG_WITH_OPTIONS(3, tg_topk_opts, __VA_ARGS__)))

/* ops/reduce/aggregate.h */
#define tg_prod(...) TG_AT(tg_prod_with(TG_WITH_OPTIONS(1, tg_prod_opts, __VA_ARGS__)))
#define tg_logsumexp(...) TG_AT(tg_logsumexp_with(TG_WITH_OPTIONS(1, tg_logsumexp_opts, __VA_ARGS__)))
#define tg_all(...) TG_AT(tg_all_with(TG_WITH_OPTIONS(1, tg_all_opts, __VA_ARGS__)))
#define tg_any(...) TG_AT(tg_any_with(TG_WITH_OPTIONS(1, tg_any_opts, __VA_ARGS__)))
#define tg_count_nonzero(...) TG_AT(tg_count_nonzero_with(TG_WITH_OPTIONS(1, tg_count_nonzero_opts, __VA_ARGS__)))

/* ops/reduce/reduce.h */
#define tg_sum(...) TG_AT(tg_sum_with(TG_WITH_OPTIONS(1, tg_sum_opts, __VA_ARGS__)))
#define tg_mean(...) TG_AT(tg_mean_with(TG_WITH_OPTIONS(1, tg_mean_opts, __VA_ARGS__)))
#define tg_amax(...) TG_AT(tg_amax_with(TG_WITH_OPTIONS(1, tg_amax_opts, __VA_ARGS__)))
#define tg_amin(...) TG_AT(tg_amin_with(TG_WITH_OPTIONS(1, tg_amin_opts, __VA_ARGS__)))
#define tg_max(...) TG_AT(tg_max_with(TG_WITH_OPTIONS(2, tg_max_opts, __VA_ARGS__)))
#define tg_min(...) TG_AT(tg_min_with(TG_WITH_OPTIONS(2, tg_min_opts, __VA_ARGS__)))
#define tg_argmax(...) TG_AT(tg_argmax(__VA_ARGS__))
#define tg_argmin(...) TG_AT(tg_argmin(__VA_ARGS__))
#define tg_sum_to(...) TG_AT(tg_sum_to(__VA_ARGS__))

/* ops/reduce/scan.h */
#define tg_cumsum(...) TG_AT(tg_cumsum_with(TG_WITH_OPTIONS(2, tg_cumsum_opts, __VA_ARGS__)))
#define tg_cumprod(...) TG_AT(tg_cumprod_with(TG_WITH_OPTIONS(2, tg_cumprod_opts, __VA_ARGS__)))
#define tg_linear_scan(...) TG_AT(tg_linear_scan(__VA_ARGS__))

/* ops/reduce/variance.h */
#define tg_var(...) TG_AT(tg_var_with(TG_WITH_OPTIONS(1, tg_var_opts, __VA_ARGS__)))
#define tg_std(...) TG_AT(tg_std_with(TG_WITH_OPTIONS(1, tg_std_opts, __VA_ARGS__)))

/* ops/reduce/vector_norm.h */
#define tg_norm(...) TG_AT(tg_norm_with(TG_WITH_OPTIONS(1, tg_norm_opts, __VA_ARGS__)))
#define tg_normalize(...) TG_AT(tg_normalize_with(TG_WITH_OPTIONS(2, tg_normalize_opts, __VA_ARGS__)))

/* ops/products/einsum.h */
#define tg_einsum(...) TG_AT(tg_einsum_with(TG_WITH_LIST(tg_tensor *, __VA_ARGS__)))

/* ops/products/matmul.h */
#define tg_matmul(...) TG_AT(tg_matmul(__VA_ARGS__))
#define tg_linear(...) TG_AT(tg_linear_with(TG_WITH_OPTIONS(2, tg_linear_opts, __VA_ARGS__)))
#define tg_dot(...) TG_AT(tg_dot(__VA_ARGS__))
#define tg_outer(...) TG_AT(tg_outer(__VA_ARGS__))
#define tg_bmm(...) TG_AT(tg_bmm(__VA_ARGS__))
#define tg_addmm(...) TG_AT(tg_addmm(__VA_ARGS__))

/* ops/linalg/linalg.h */
#define tg_cholesky(...) TG_AT(tg_cholesky_with(TG_WITH_OPTIONS(1, tg_cholesky_opts, __VA_ARGS__)))
#define tg_solve(...) TG_AT(tg_solve(__VA_ARGS__))
#define tg_triangular_solve(...) \
    TG_AT(tg_triangular_solve_with(TG_WITH_OPTIONS(2, tg_triangular_solve_opts, __VA_ARGS__)))
#define tg_inverse(...) TG_AT(tg_inverse(__VA_ARGS__))
#define tg_det(...) TG_AT(tg_det(__VA_ARGS__))
#define tg_cofactor(...) TG_AT(tg_cofactor(__VA_ARGS__))
#define tg_slogdet(...) TG_AT(tg_slogdet_with(TG_WITH_OPTIONS(1, tg_slogdet_opts, __VA_ARGS__)))

/* ops/structured/attention.h */
#define tg_scaled_dot_product_attention(...) \
    TG_AT(tg_scaled_dot_product_attention_with(TG_WITH_OPTIONS(3, tg_scaled_dot_product_attention_opts, __VA_ARGS__)))

/* ops/structured/avg_pool.h */
#define tg_avg_pool2d(...) TG_AT(tg_avg_pool2d_with(TG_WITH_OPTIONS(1, tg_avg_pool2d_opts, __VA_ARGS__)))
#define tg_avg_pool2d_input(...) \
    TG_AT(tg_avg_pool2d_input_with(TG_WITH_OPTIONS(3, tg_avg_pool2d_input_opts, __VA_ARGS__)))
#define tg_adaptive_avg_pool2d(...) TG_AT(tg_adaptive_avg_pool2d(__VA_ARGS__))
#define tg_avg_pool1d(...) TG_AT(tg_avg_pool1d_with(TG_WITH_OPTIONS(1, tg_avg_pool1d_opts, __VA_ARGS__)))
#define tg_adaptive_avg_pool1d(...) TG_AT(tg_adaptive_avg_pool1d(__VA_ARGS__))

/* ops/structured/batch_norm.h */
#define tg_batch_norm(...) TG_AT(tg_batch_norm_with(TG_WITH_OPTIONS(1, tg_batch_norm_opts, __VA_ARGS__)))
#define tg_group_norm(...) TG_AT(tg_group_norm_with(TG_WITH_OPTIONS(2, tg_group_norm_opts, __VA_ARGS__)))
#define tg_instance_norm(...) TG_AT(tg_instance_norm_with(TG_WITH_OPTIONS(1, tg_instance_norm_opts, __VA_ARGS__)))

/* ops/structured/conv.h */
#define tg_conv2d(...) TG_AT(tg_conv2d_with(TG_WITH_OPTIONS(2, tg_conv2d_opts, __VA_ARGS__)))
#define tg_conv1d(...) TG_AT(tg_conv1d_with(TG_WITH_OPTIONS(2, tg_conv1d_opts, __VA_ARGS__)))
#define tg_conv_transpose2d(...) \
    TG_AT(tg_conv_transpose2d_with(TG_WITH_OPTIONS(2, tg_conv_transpose2d_opts, __VA_ARGS__)))
#define tg_conv_transpose1d(...) \
    TG_AT(tg_conv_transpose1d_with(TG_WITH_OPTIONS(2, tg_conv_transpose1d_opts, __VA_ARGS__)))
#define tg_conv2d_input(...) TG_AT(tg_conv2d_input_with(TG_WITH_OPTIONS(4, tg_conv2d_input_opts, __VA_ARGS__)))
#define tg_conv2d_weight(...) TG_AT(tg_conv2d_weight_with(TG_WITH_OPTIONS(4, tg_conv2d_weight_opts, __VA_ARGS__)))

/* ops/structured/interpolate.h */
#define tg_interpolate(...) TG_AT(tg_interpolate_with(TG_WITH_OPTIONS(1, tg_interpolate_opts, __VA_ARGS__)))

/* ops/structured/layer_norm.h */
#define tg_layer_norm(...) TG_AT(tg_layer_norm_with(TG_WITH_OPTIONS(1, tg_layer_norm_opts, __VA_ARGS__)))
#define tg_rms_norm(...) TG_AT(tg_rms_norm_with(TG_WITH_OPTIONS(1, tg_rms_norm_opts, __VA_ARGS__)))

/* ops/structured/max_pool.h */
#define tg_max_pool2d(...) TG_AT(tg_max_pool2d_with(TG_WITH_OPTIONS(1, tg_max_pool2d_opts, __VA_ARGS__)))
#define tg_max_pool1d(...) TG_AT(tg_max_pool1d_with(TG_WITH_OPTIONS(1, tg_max_pool1d_opts, __VA_ARGS__)))

/* ops/structured/rotary.h */
#define tg_rotary(...) TG_AT(tg_rotary_with(TG_WITH_OPTIONS(1, tg_rotary_opts, __VA_ARGS__)))

/* ops/structured/unfold.h */
#define tg_unfold(...) TG_AT(tg_unfold_with(TG_WITH_OPTIONS(1, tg_unfold_opts, __VA_ARGS__)))
#define tg_fold(...) TG_AT(tg_fold_with(TG_WITH_OPTIONS(3, tg_fold_opts, __VA_ARGS__)))

/* ops/recurrent/recurrent.h */
#define tg_lstm_cell(...) TG_AT(tg_lstm_cell_with(TG_WITH_OPTIONS(2, tg_lstm_cell_opts, __VA_ARGS__)))
#define tg_lstm_scan(...) TG_AT(tg_lstm_scan_with(TG_WITH_OPTIONS(2, tg_lstm_scan_opts, __VA_ARGS__)))
#define tg_rnn_scan(...) TG_AT(tg_rnn_scan_with(TG_WITH_OPTIONS(2, tg_rnn_scan_opts, __VA_ARGS__)))
#define tg_gru_cell(...) TG_AT(tg_gru_cell_with(TG_WITH_OPTIONS(3, tg_gru_cell_opts, __VA_ARGS__)))
#define tg_gru_scan(...) TG_AT(tg_gru_scan_with(TG_WITH_OPTIONS(2, tg_gru_scan_opts, __VA_ARGS__)))

/* ops/loss/cross_entropy.h */
#define tg_softmax_cross_entropy(...) TG_AT(tg_softmax_cross_entropy(__VA_ARGS__))

/* ops/loss/softmax.h */
#define tg_softmax(...) TG_AT(tg_softmax(__VA_ARGS__))
#define tg_log_softmax(...) TG_AT(tg_log_softmax(__VA_ARGS__))

/* ops/registry.h */
#define tg_op_table(...) TG_POINTER_AT(const tg_op_entry *, tg_op_table(__VA_ARGS__))
#define tg_op_find(...) TG_POINTER_AT(const tg_op *, tg_op_find(__VA_ARGS__))

/* ops/nn/optim/hyper.h */
#define tg_hyper_check(...) TG_STATUS_AT(tg_hyper_check(__VA_ARGS__))
#define tg_hyper_complete(...) TG_STATUS_AT(tg_hyper_complete(__VA_ARGS__))
#define tg_hyper_find(...) TG_POINTER_AT(const tg_hyper *, tg_hyper_find(__VA_ARGS__))
#define tg_hyper_get(...) TG_VALUE_AT(double, tg_hyper_get(__VA_ARGS__))
#define tg_hyper_set(...) TG_STATUS_AT(tg_hyper_set(__VA_ARGS__))
#define tg_hyper_print(...) TG_VOID_AT(tg_hyper_print(__VA_ARGS__))

/* ops/nn/layers/attention.h */
#define tg_nn_multihead_attention(...) \
    TG_AT(tg_nn_multihead_attention_with(TG_WITH_OPTIONS(4, tg_nn_multihead_attention_opts, __VA_ARGS__)))

/* ops/nn/layers/conv.h */
#define tg_nn_conv2d(...) TG_AT(tg_nn_conv2d_with(TG_WITH_OPTIONS(4, tg_nn_conv2d_opts, __VA_ARGS__)))
#define tg_nn_conv1d(...) TG_AT(tg_nn_conv1d_with(TG_WITH_OPTIONS(4, tg_nn_conv1d_opts, __VA_ARGS__)))
#define tg_nn_conv_transpose2d(...) \
    TG_AT(tg_nn_conv_transpose2d_with(TG_WITH_OPTIONS(4, tg_nn_conv_transpose2d_opts, __VA_ARGS__)))
#define tg_nn_conv_transpose1d(...) \
    TG_AT(tg_nn_conv_transpose1d_with(TG_WITH_OPTIONS(4, tg_nn_conv_transpose1d_opts, __VA_ARGS__)))

/* ops/nn/layers/init.h */
#define tg_init_zeros(...) TG_VALUE_AT(tg_init, tg_init_zeros(__VA_ARGS__))
#define tg_init_ones(...) TG_VALUE_AT(tg_init, tg_init_ones(__VA_ARGS__))
#define tg_init_constant(...) TG_VALUE_AT(tg_init, tg_init_constant(__VA_ARGS__))
#define tg_init_uniform(...) TG_VALUE_AT(tg_init, tg_init_uniform(__VA_ARGS__))
#define tg_init_normal(...) TG_VALUE_AT(tg_init, tg_init_normal(__VA_ARGS__))
#define tg_init_trunc_normal(...) TG_VALUE_AT(tg_init, tg_init_trunc_normal(__VA_ARGS__))
#define tg_init_calculate_gain(...) TG_VALUE_AT(double, tg_init_calculate_gain(__VA_ARGS__))
#define tg_init_kaiming_uniform(...) \
    TG_VALUE_AT(tg_init, tg_init_kaiming_uniform_with(TG_WITH_OPTIONS(1, tg_init_kaiming_uniform_opts, __VA_ARGS__)))
#define tg_init_kaiming_normal(...) \
    TG_VALUE_AT(tg_init, tg_init_kaiming_normal_with(TG_WITH_OPTIONS(1, tg_init_kaiming_normal_opts, __VA_ARGS__)))
#define tg_init_xavier_uniform(...) TG_VALUE_AT(tg_init, tg_init_xavier_uniform(__VA_ARGS__))
#define tg_init_xavier_normal(...) TG_VALUE_AT(tg_init, tg_init_xavier_normal(__VA_ARGS__))
#define tg_init_orthogonal(...) TG_VALUE_AT(tg_init, tg_init_orthogonal(__VA_ARGS__))
#define tg_init_eye(...) TG_VALUE_AT(tg_init, tg_init_eye(__VA_ARGS__))
#define tg_init_dirac(...) TG_VALUE_AT(tg_init, tg_init_dirac(__VA_ARGS__))
#define tg_init_fill(...) TG_STATUS_AT(tg_init_fill(__VA_ARGS__))
#define tg_init_option(...) TG_VALUE_AT(tg_init, tg_init_option(__VA_ARGS__))

/* ops/nn/layers/kv_cache.h */
#define tg_kv_cache_new(...) TG_POINTER_AT(tg_kv_cache *, tg_kv_cache_new(__VA_ARGS__))
#define tg_kv_cache_free(...) TG_VOID_AT(tg_kv_cache_free(__VA_ARGS__))
#define tg_kv_cache_length(...) TG_VALUE_AT(int64_t, tg_kv_cache_length(__VA_ARGS__))
#define tg_kv_cache_truncate(...) TG_STATUS_AT(tg_kv_cache_truncate(__VA_ARGS__))
#define tg_kv_cache_append(...) TG_STATUS_AT(tg_kv_cache_append(__VA_ARGS__))
#define tg_kv_cache_past(...) TG_VALUE_AT(int64_t, tg_kv_cache_past(__VA_ARGS__))

/* ops/nn/layers/layers.h */
#define tg_nn_linear(...) TG_AT(tg_nn_linear_with(TG_WITH_OPTIONS(4, tg_nn_linear_opts, __VA_ARGS__)))
#define tg_nn_layer_norm(...) TG_AT(tg_nn_layer_norm_with(TG_WITH_OPTIONS(3, tg_nn_layer_norm_opts, __VA_ARGS__)))
#define tg_nn_rms_norm(...) TG_AT(tg_nn_rms_norm_with(TG_WITH_OPTIONS(3, tg_nn_rms_norm_opts, __VA_ARGS__)))
#define tg_nn_batch_norm(...) TG_AT(tg_nn_batch_norm_with(TG_WITH_OPTIONS(3, tg_nn_batch_norm_opts, __VA_ARGS__)))
#define tg_nn_group_norm(...) TG_AT(tg_nn_group_norm_with(TG_WITH_OPTIONS(4, tg_nn_group_norm_opts, __VA_ARGS__)))
#define tg_nn_prelu(...) TG_AT(tg_nn_prelu_with(TG_WITH_OPTIONS(3, tg_nn_prelu_opts, __VA_ARGS__)))
#define tg_nn_embedding(...) TG_AT(tg_nn_embedding_with(TG_WITH_OPTIONS(5, tg_nn_embedding_opts, __VA_ARGS__)))
#define tg_nn_dropout(...) TG_AT(tg_nn_dropout_with(TG_WITH_OPTIONS(3, tg_nn_dropout_opts, __VA_ARGS__)))

/* ops/nn/data/loader.h */
#define tg_loader_next(...) TG_VALUE_AT(bool, tg_loader_next(__VA_ARGS__))
#define tg_loader_last(...) TG_STATUS_AT(tg_loader_last(__VA_ARGS__))
#define tg_loader_batches(...) TG_VALUE_AT(int64_t, tg_loader_batches(__VA_ARGS__))
#define tg_loader_get_state(...) TG_STATUS_AT(tg_loader_get_state(__VA_ARGS__))
#define tg_loader_set_state(...) TG_STATUS_AT(tg_loader_set_state(__VA_ARGS__))
#define tg_loader_free(...) TG_VOID_AT(tg_loader_free(__VA_ARGS__))

/* ops/nn/losses/loss.h */
#define tg_mse_loss(...) TG_AT(tg_mse_loss_with(TG_WITH_OPTIONS(2, tg_mse_loss_opts, __VA_ARGS__)))
#define tg_binary_cross_entropy_with_logits(...) \
    TG_AT(tg_binary_cross_entropy_with_logits_with(TG_WITH_OPTIONS(2, tg_binary_cross_entropy_with_logits_opts, __VA_ARGS__)))
#define tg_binary_cross_entropy(...) \
    TG_AT(tg_binary_cross_entropy_with(TG_WITH_OPTIONS(2, tg_binary_cross_entropy_opts, __VA_ARGS__)))
#define tg_cross_entropy(...) TG_AT(tg_cross_entropy_with(TG_WITH_OPTIONS(2, tg_cross_entropy_opts, __VA_ARGS__)))
#define tg_nll_loss(...) TG_AT(tg_nll_loss_with(TG_WITH_OPTIONS(2, tg_nll_loss_opts, __VA_ARGS__)))
#define tg_accuracy(...) TG_VALUE_AT(double, tg_accuracy(__VA_ARGS__))

/* ops/nn/losses/loss_distance.h */
#define tg_l1_loss(...) TG_AT(tg_l1_loss_with(TG_WITH_OPTIONS(2, tg_l1_loss_opts, __VA_ARGS__)))
#define tg_huber_loss(...) TG_AT(tg_huber_loss_with(TG_WITH_OPTIONS(2, tg_huber_loss_opts, __VA_ARGS__)))
#define tg_smooth_l1_loss(...) TG_AT(tg_smooth_l1_loss_with(TG_WITH_OPTIONS(2, tg_smooth_l1_loss_opts, __VA_ARGS__)))
#define tg_kl_div(...) TG_AT(tg_kl_div_with(TG_WITH_OPTIONS(2, tg_kl_div_opts, __VA_ARGS__)))
#define tg_hinge_embedding_loss(...) \
    TG_AT(tg_hinge_embedding_loss_with(TG_WITH_OPTIONS(2, tg_hinge_embedding_loss_opts, __VA_ARGS__)))
#define tg_hinge_loss(...) TG_AT(tg_hinge_loss_with(TG_WITH_OPTIONS(2, tg_hinge_loss_opts, __VA_ARGS__)))
#define tg_gaussian_nll_loss(...) \
    TG_AT(tg_gaussian_nll_loss_with(TG_WITH_OPTIONS(3, tg_gaussian_nll_loss_opts, __VA_ARGS__)))
#define tg_cosine_similarity(...) \
    TG_AT(tg_cosine_similarity_with(TG_WITH_OPTIONS(3, tg_cosine_similarity_opts, __VA_ARGS__)))

/* ops/nn/optim/lr.h */
#define tg_lr_constant(...) \
    TG_VALUE_AT(tg_lr, tg_lr_constant_with(TG_WITH_OPTIONS(1, tg_lr_constant_opts, __VA_ARGS__)))
#define tg_lr_linear(...) TG_VALUE_AT(tg_lr, tg_lr_linear_with(TG_WITH_OPTIONS(1, tg_lr_linear_opts, __VA_ARGS__)))
#define tg_lr_step(...) TG_VALUE_AT(tg_lr, tg_lr_step_with(TG_WITH_OPTIONS(1, tg_lr_step_opts, __VA_ARGS__)))
#define tg_lr_multi_step(...) \
    TG_VALUE_AT(tg_lr, tg_lr_multi_step_with(TG_WITH_OPTIONS(1, tg_lr_multi_step_opts, __VA_ARGS__)))
#define tg_lr_exponential(...) \
    TG_VALUE_AT(tg_lr, tg_lr_exponential_with(TG_WITH_OPTIONS(1, tg_lr_exponential_opts, __VA_ARGS__)))
#define tg_lr_cosine(...) TG_VALUE_AT(tg_lr, tg_lr_cosine_with(TG_WITH_OPTIONS(1, tg_lr_cosine_opts, __VA_ARGS__)))
#define tg_lr_one_cycle(...) \
    TG_VALUE_AT(tg_lr, tg_lr_one_cycle_with(TG_WITH_OPTIONS(2, tg_lr_one_cycle_opts, __VA_ARGS__)))
#define tg_lr_plateau(...) \
    TG_VALUE_AT(tg_lr, tg_lr_plateau_with(TG_WITH_OPTIONS(1, tg_lr_plateau_opts, __VA_ARGS__)))
#define tg_lr_lambda(...) TG_VALUE_AT(tg_lr, tg_lr_lambda_with(TG_WITH_OPTIONS(2, tg_lr_lambda_opts, __VA_ARGS__)))

/* ops/nn/model/model.h */
#define tg_model_new(...) TG_POINTER_AT(tg_model *, tg_model_new(__VA_ARGS__))
#define tg_model_free(...) TG_VOID_AT(tg_model_free(__VA_ARGS__))
#define tg_model_param(...) TG_AT(tg_model_param(__VA_ARGS__))
#define tg_model_buffer(...) TG_AT(tg_model_buffer(__VA_ARGS__))
#define tg_nn_scope(...) TG_POINTER_AT(tg_model *, tg_nn_scope(__VA_ARGS__))
#define tg_model_count(...) TG_VALUE_AT(int, tg_model_count(__VA_ARGS__))
#define tg_model_at(...) TG_AT(tg_model_at(__VA_ARGS__))
#define tg_model_find(...) TG_AT(tg_model_find(__VA_ARGS__))
#define tg_model_buffer_count(...) TG_VALUE_AT(int, tg_model_buffer_count(__VA_ARGS__))
#define tg_model_buffer_at(...) TG_AT(tg_model_buffer_at(__VA_ARGS__))
#define tg_model_truncate(...) TG_VOID_AT(tg_model_truncate(__VA_ARGS__))
#define tg_model_numel(...) TG_VALUE_AT(int64_t, tg_model_numel(__VA_ARGS__))
#define tg_model_buffer_numel(...) TG_VALUE_AT(int64_t, tg_model_buffer_numel(__VA_ARGS__))
#define tg_model_hash(...) TG_VALUE_AT(uint64_t, tg_model_hash(__VA_ARGS__))
#define tg_model_set_training(...) TG_VALUE_AT(bool, tg_model_set_training(__VA_ARGS__))
#define tg_model_training(...) TG_VALUE_AT(bool, tg_model_training(__VA_ARGS__))
#define tg_model_freeze(...) \
    TG_STATUS_AT(tg_model_freeze_with(TG_WITH_OPTIONS(2, tg_model_freeze_opts, __VA_ARGS__)))
#define tg_model_print(...) TG_VOID_AT(tg_model_print(__VA_ARGS__))
#define tg_model_copy(...) TG_POINTER_AT(tg_model *, tg_model_copy(__VA_ARGS__))
#define tg_model_average(...) TG_STATUS_AT(tg_model_average(__VA_ARGS__))

/* ops/nn/model/model_file.h */
#define tg_model_save(...) TG_STATUS_AT(tg_model_save_with(TG_WITH_OPTIONS(2, tg_model_save_opts, __VA_ARGS__)))
#define tg_model_load(...) TG_STATUS_AT(tg_model_load_with(TG_WITH_OPTIONS(2, tg_model_load_opts, __VA_ARGS__)))
#define tg_model_put(...) TG_STATUS_AT(tg_model_put_with(TG_WITH_OPTIONS(2, tg_model_put_opts, __VA_ARGS__)))
#define tg_model_take(...) TG_STATUS_AT(tg_model_take_with(TG_WITH_OPTIONS(2, tg_model_take_opts, __VA_ARGS__)))

/* ops/nn/optim/optim.h */
#define tg_optim_evaluate(...) TG_STATUS_AT(tg_optim_evaluate(__VA_ARGS__))
#define tg_optim_new(...) TG_POINTER_AT(tg_optim *, tg_optim_new(__VA_ARGS__))
#define tg_optim_step(...) TG_STATUS_AT(tg_optim_step(__VA_ARGS__))
#define tg_optim_step_closure(...) TG_STATUS_AT(tg_optim_step_closure(__VA_ARGS__))
#define tg_optim_free(...) TG_VOID_AT(tg_optim_free(__VA_ARGS__))
#define tg_optim_print(...) TG_VOID_AT(tg_optim_print(__VA_ARGS__))
#define tg_model_zero_grad(...) TG_VOID_AT(tg_model_zero_grad(__VA_ARGS__))
#define tg_optim_group(...) TG_STATUS_AT(tg_optim_group_with(TG_WITH_OPTIONS(2, tg_optim_group_opts, __VA_ARGS__)))
#define tg_optim_get_of(...) TG_VALUE_AT(double, tg_optim_get_of(__VA_ARGS__))
#define tg_clip_grad_norm(...) \
    TG_VALUE_AT(double, tg_clip_grad_norm_with(TG_WITH_OPTIONS(2, tg_clip_grad_norm_opts, __VA_ARGS__)))
#define tg_clip_grad_value(...) TG_STATUS_AT(tg_clip_grad_value(__VA_ARGS__))
#define tg_optim_rule_of(...) TG_POINTER_AT(const tg_optim_rule *, tg_optim_rule_of(__VA_ARGS__))
#define tg_optim_get(...) TG_VALUE_AT(double, tg_optim_get(__VA_ARGS__))
#define tg_optim_set(...) TG_STATUS_AT(tg_optim_set(__VA_ARGS__))
#define tg_optim_lr(...) TG_VALUE_AT(double, tg_optim_lr(__VA_ARGS__))
#define tg_optim_set_lr(...) TG_STATUS_AT(tg_optim_set_lr(__VA_ARGS__))
#define tg_optim_get_state(...) TG_STATUS_AT(tg_optim_get_state(__VA_ARGS__))
#define tg_optim_set_state(...) TG_STATUS_AT(tg_optim_set_state(__VA_ARGS__))
#define tg_sgd(...) TG_POINTER_AT(tg_optim *, tg_sgd_with(TG_WITH_OPTIONS(2, tg_sgd_opts, __VA_ARGS__)))
#define tg_adam(...) TG_POINTER_AT(tg_optim *, tg_adam_with(TG_WITH_OPTIONS(2, tg_adam_opts, __VA_ARGS__)))
#define tg_adamw(...) TG_POINTER_AT(tg_optim *, tg_adamw_with(TG_WITH_OPTIONS(2, tg_adamw_opts, __VA_ARGS__)))
#define tg_adamax(...) TG_POINTER_AT(tg_optim *, tg_adamax_with(TG_WITH_OPTIONS(2, tg_adamax_opts, __VA_ARGS__)))
#define tg_rmsprop(...) TG_POINTER_AT(tg_optim *, tg_rmsprop_with(TG_WITH_OPTIONS(2, tg_rmsprop_opts, __VA_ARGS__)))
#define tg_adagrad(...) TG_POINTER_AT(tg_optim *, tg_adagrad_with(TG_WITH_OPTIONS(2, tg_adagrad_opts, __VA_ARGS__)))
#define tg_adadelta(...) \
    TG_POINTER_AT(tg_optim *, tg_adadelta_with(TG_WITH_OPTIONS(2, tg_adadelta_opts, __VA_ARGS__)))
#define tg_lion(...) TG_POINTER_AT(tg_optim *, tg_lion_with(TG_WITH_OPTIONS(2, tg_lion_opts, __VA_ARGS__)))
#define tg_muon(...) TG_POINTER_AT(tg_optim *, tg_muon_with(TG_WITH_OPTIONS(2, tg_muon_opts, __VA_ARGS__)))
#define tg_lbfgs(...) TG_POINTER_AT(tg_optim *, tg_lbfgs_with(TG_WITH_OPTIONS(2, tg_lbfgs_opts, __VA_ARGS__)))

/* ops/nn/layers/recurrent.h */
#define tg_nn_rnn(...) TG_AT(tg_nn_rnn_with(TG_WITH_OPTIONS(4, tg_nn_rnn_opts, __VA_ARGS__)))
#define tg_nn_lstm(...) TG_AT(tg_nn_lstm_with(TG_WITH_OPTIONS(4, tg_nn_lstm_opts, __VA_ARGS__)))
#define tg_nn_gru(...) TG_AT(tg_nn_gru_with(TG_WITH_OPTIONS(4, tg_nn_gru_opts, __VA_ARGS__)))

/* ops/nn/layers/transformer.h */
#define tg_nn_transformer_block(...) \
    TG_AT(tg_nn_transformer_block_with(TG_WITH_OPTIONS(4, tg_nn_transformer_block_opts, __VA_ARGS__)))

/* ops/nn/optim/schedule.h */
#define tg_schedule_new(...) TG_POINTER_AT(tg_schedule *, tg_schedule_new_with(TG_WITH_LIST(tg_lr, __VA_ARGS__)))
#define tg_schedule_step(...) TG_STATUS_AT(tg_schedule_step(__VA_ARGS__))
#define tg_schedule_step_metric(...) TG_STATUS_AT(tg_schedule_step_metric(__VA_ARGS__))
#define tg_schedule_at(...) TG_VALUE_AT(double, tg_schedule_at(__VA_ARGS__))
#define tg_schedule_free(...) TG_VOID_AT(tg_schedule_free(__VA_ARGS__))
#define tg_schedule_print(...) TG_VOID_AT(tg_schedule_print(__VA_ARGS__))
#define tg_schedule_get_state(...) TG_STATUS_AT(tg_schedule_get_state(__VA_ARGS__))
#define tg_schedule_set_state(...) TG_STATUS_AT(tg_schedule_set_state(__VA_ARGS__))

/* ops/nn/plot/plot.h */
#define tg_plot_histogram(...) \
    TG_STATUS_AT(tg_plot_histogram_with(TG_WITH_OPTIONS(2, tg_plot_histogram_opts, __VA_ARGS__)))
#define tg_plot_heatmap(...) \
    TG_STATUS_AT(tg_plot_heatmap_with(TG_WITH_OPTIONS(2, tg_plot_heatmap_opts, __VA_ARGS__)))
#define tg_plot_confusion(...) \
    TG_STATUS_AT(tg_plot_confusion_with(TG_WITH_OPTIONS(3, tg_plot_confusion_opts, __VA_ARGS__)))
#define tg_plot_images(...) TG_STATUS_AT(tg_plot_images_with(TG_WITH_OPTIONS(2, tg_plot_images_opts, __VA_ARGS__)))

/* ops/nn/check/model.h */
#define tg_gradcheck_model(...) \
    TG_VALUE_AT(bool, tg_gradcheck_model_with(TG_WITH_OPTIONS(5, tg_gradcheck_model_opts, __VA_ARGS__)))

/* ops/nn/check/suite.h */
#define tg_check_kind_name(...) TG_POINTER_AT(const char *, tg_check_kind_name(__VA_ARGS__))
#define tg_check_suite(...) \
    TG_VALUE_AT(bool, tg_check_suite_with(TG_WITH_OPTIONS(4, tg_check_suite_opts, __VA_ARGS__)))
#define tg_require_gradient(...) \
    TG_STATUS_AT(tg_require_gradient_with(TG_WITH_OPTIONS(4, tg_require_gradient_opts, __VA_ARGS__)))

/* ops/nn/train/evaluate.h */
#define tg_meter_add_mean(...) TG_VOID_AT(tg_meter_add_mean(__VA_ARGS__))
#define tg_meter_add(...) TG_STATUS_AT(tg_meter_add(__VA_ARGS__))
#define tg_meter_mean(...) TG_VALUE_AT(double, tg_meter_mean(__VA_ARGS__))
#define tg_meter_error(...) TG_VALUE_AT(double, tg_meter_error(__VA_ARGS__))
#define tg_evaluate(...) TG_STATUS_AT(tg_evaluate(__VA_ARGS__))

/* ops/nn/train/fit.h */
#define tg_fit(...) TG_STATUS_AT(tg_fit_with(TG_WITH_OPTIONS(2, tg_fit_opts, __VA_ARGS__)))

/* ops/nn/train/grad_profile.h */
#define tg_grad_profile_new(...) \
    TG_POINTER_AT(tg_grad_profile *, tg_grad_profile_new_with(TG_WITH_OPTIONS(1, tg_grad_profile_new_opts, __VA_ARGS__)))
#define tg_grad_profile_free(...) TG_VOID_AT(tg_grad_profile_free(__VA_ARGS__))
#define tg_grad_profile_step(...) TG_STATUS_AT(tg_grad_profile_step(__VA_ARGS__))
#define tg_grad_profile_rows(...) TG_VALUE_AT(int64_t, tg_grad_profile_rows(__VA_ARGS__))
#define tg_grad_profile_save(...) TG_STATUS_AT(tg_grad_profile_save(__VA_ARGS__))
#define tg_grad_profile_plot(...) \
    TG_STATUS_AT(tg_grad_profile_plot_with(TG_WITH_OPTIONS(2, tg_grad_profile_plot_opts, __VA_ARGS__)))

/* ops/nn/train/training.h */
#define tg_training_save(...) TG_STATUS_AT(tg_training_save(__VA_ARGS__))
#define tg_training_load(...) TG_STATUS_AT(tg_training_load(__VA_ARGS__))
#define tg_training_keep(...) \
    TG_STATUS_AT(tg_training_keep_with(TG_WITH_OPTIONS(4, tg_training_keep_opts, __VA_ARGS__)))

/* ops/nn/data/vocab.h */
#define tg_vocab_of(...) TG_POINTER_AT(tg_vocab *, tg_vocab_of(__VA_ARGS__))
#define tg_vocab_new(...) TG_POINTER_AT(tg_vocab *, tg_vocab_new(__VA_ARGS__))
#define tg_vocab_free(...) TG_VOID_AT(tg_vocab_free(__VA_ARGS__))
#define tg_vocab_size(...) TG_VALUE_AT(int64_t, tg_vocab_size(__VA_ARGS__))
#define tg_vocab_text(...) TG_POINTER_AT(const char *, tg_vocab_text(__VA_ARGS__))
#define tg_vocab_encode(...) TG_AT(tg_vocab_encode_with(TG_WITH_OPTIONS(2, tg_vocab_encode_opts, __VA_ARGS__)))
#define tg_vocab_decode(...) TG_AT(tg_vocab_decode(__VA_ARGS__))

/* ops/nn/dist/dist.h */
#define tg_dist_begin(...) \
    TG_POINTER_AT(tg_dist *, tg_dist_begin_with(TG_WITH_OPTIONS(1, tg_dist_begin_opts, __VA_ARGS__)))
#define tg_dist_end(...) TG_STATUS_AT(tg_dist_end(__VA_ARGS__))
#define tg_dist_rank(...) TG_VALUE_AT(int, tg_dist_rank(__VA_ARGS__))
#define tg_dist_size(...) TG_VALUE_AT(int, tg_dist_size(__VA_ARGS__))
#define tg_dist_shards(...) TG_VALUE_AT(int64_t, tg_dist_shards(__VA_ARGS__))
#define tg_dist_gradients(...) TG_VALUE_AT(bool, tg_dist_gradients(__VA_ARGS__))
#define tg_dist_evaluate(...) TG_STATUS_AT(tg_dist_evaluate(__VA_ARGS__))
#define tg_dist_broadcast(...) TG_STATUS_AT(tg_dist_broadcast(__VA_ARGS__))
#define tg_dist_sum(...) TG_STATUS_AT(tg_dist_sum(__VA_ARGS__))
#define tg_dist_agree(...) TG_STATUS_AT(tg_dist_agree(__VA_ARGS__))

#endif
