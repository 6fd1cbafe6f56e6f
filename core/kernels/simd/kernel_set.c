/* The kernels of one instruction set and one real type; core/kernels/simd/vector.h says how the build chooses them. */
#include "core/kernels/attention/forward.h"
#include "core/kernels/attention/backward.h"
#include "core/kernels/gemm/gemv.h"
#include "core/kernels/reduce/finite.h"
#include "core/kernels/reduce/pairwise.h"
#include "core/kernels/map/elementwise.h"
#include "core/kernels/map/recurrent.h"
#include "core/kernels/reduce/norm_channel.h"
#include "core/kernels/map/optimizer.h"
#include "core/kernels/gemm/micro_kernel.h"
#include "core/kernels/conv/lanes.h"
#include "core/kernels/conv/max_pool_2x2.h"
#include "core/kernels/simd/transpose.h"

#define SET_NAME PASTE(PASTE(tg_kernels_, TG_ISA), PASTE(_, REAL_SUFFIX))
extern const tg_kernel_set SET_NAME;
const tg_kernel_set SET_NAME = {
#define TG_UNARY(NAME, X, Y, VALUE, GRADIENT) \
    .unary[TG_UNARY_##NAME] = run_##NAME, .unary_grad[TG_UNARY_##NAME] = run_gradient_##NAME,
#include "core/kernels/map/unary.def"
#undef TG_UNARY
#define TG_BINARY(NAME, VALUE) .binary[TG_BINARY_##NAME] = run_binary_##NAME,
#include "core/kernels/map/binary.def"
#undef TG_BINARY
    .compare =
        {[TG_EQ] = run_EQ, [TG_NE] = run_NE, [TG_LT] = run_LT, [TG_LE] = run_LE, [TG_GT] = run_GT, [TG_GE] = run_GE},
    .where = run_where,
    .spread_numbers = spread_numbers,
    .affine = run_affine,
    .axpy = run_axpy,
    .sum = run_sum,
    .sgd = run_sgd,
    .momentum = run_momentum,
    .adam = run_adam,
    .amsgrad = run_amsgrad,
    .rms = {run_rms, run_rms_centered, run_rms_momentum, run_rms_both},
    .adadelta = run_adadelta,
    .adamax = run_adamax,
    .lion = run_lion,
    .row = {[TG_SUM] = row_sum, [TG_PROD] = row_prod, [TG_MAX] = row_max, [TG_MIN] = row_min},
    .col = {[TG_SUM] = col_sum, [TG_PROD] = col_prod, [TG_MAX] = col_max, [TG_MIN] = col_min},
    .finite = all_finite,
    .softmax = row_softmax,
    .softmax_grad = row_softmax_grad,
    .log_softmax = row_log_softmax,
    .log_softmax_grad = row_log_softmax_grad,
    .cross_entropy = row_cross_entropy,
    .cross_entropy_grad = row_cross_entropy_grad,
    .norm = norm_rows,
    .norm_grad = norm_rows_grad,
    .norm_channel = norm_channel,
    .norm_channel_grad = norm_channel_grad,
    .product = product,
    .row_dots = row_dots,
    .column_dots = column_dots,
    .attention = attention,
    .attention_grad = attention_grad,
    .lstm = lstm_row,
    .lstm_grad = lstm_grad_row,
    .gru = gru_row,
    .gru_grad = gru_grad_row,
    .rnn = rnn_row,
    .rnn_grad = rnn_grad_row,
    .transpose = transpose,
    .interleave = interleave,
    .deinterleave = deinterleave,
    .lane_product = lane_product,
    .max_two = max_two,
    .lanes = W,
    .mr = MR_2,
    .nr = NR,
};
