/* tapegrad: reverse-mode automatic differentiation of tensor programs.
 *
 * This is the one header to include. The manual is the headers below, each a page:
 *
 *   core/error.h      how errors are reported           core/tensor.h   tensors: creation, access, lifetime
 *   core/random.h     random numbers                    core/discrete.h random whole numbers and decisions
 *   core/memory.h     statistics, failure injection
 *   core/parallel.h   threads                           core/update.h   steps of optimisers on arrays
 *   core/version.h    which version this is             core/dlpack.h   tensors shared with other libraries
 *   core/io/idx.h     IDX files, of MNIST               core/io/npy.h   npy files, of NumPy
 *   core/io/safetensors.h  named tensors and texts      core/io/csv.h   CSV files, of numbers
 *   core/io/npz.h     npz files, of NumPy               core/io/text.h  bytes of files
 *   autograd/op.h     the op contract: ops of your own  autograd/tape.h the tape: mark, rewind, print
 *   autograd/backward.h    tg_backward and tg_grad      autograd/check/...     checking gradients
 *   autograd/functional.h  Jacobians, Hessians          autograd/checkpoint.h  memory for time
 *   autograd/plan/plan.h   a step recorded once         autograd/profile/profile.h  where the time goes
 *   autograd/composed.h    functions made of others    autograd/blame/nonfinite.h  where a NaN comes from
 *   autograd/trace/trace.h the tape as a page          autograd/blame/why.h   why a gradient is missing or zero
 *   ops/...           the differentiable primitives     ops/nn/...      parameters, layers, losses, optimisers, loaders,
 *                                                                     vocabularies, pictures, the training loop, several machines
 *   ops/calls.h       how a call is written: named options, sizes, the line it notes
 *
 * Names. A function is called as PyTorch's where it has one, and its axes are arguments named `axis`, after the tensor:
 *   tg_<op>           an op: tg_conv2d(x, w)            tg_nn_<op>     the layer that owns its parameters: tg_nn_conv2d(m, "c1", x, 16)
 *   tg_<op>_          changes its first argument        tg_<op>_with   takes in a variable what tg_<op> takes written out
 *   tg_<op>_opts      the options of tg_<op>: 0, left out, is the default; TG_ZERO asks for 0 where that is another number
 * Shapes are written out, tg_zeros(TG_F32, 2, 3), or given in a variable, tg_zeros_with(TG_F32, shape).
 */
#ifndef TAPEGRAD_H
#define TAPEGRAD_H

#include "core/discrete.h"
#include "core/dlpack.h"
#include "core/error.h"
#include "core/io/csv.h"
#include "core/io/idx.h"
#include "core/io/npy.h"
#include "core/io/npz.h"
#include "core/io/safetensors.h"
#include "core/io/text.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/tensor.h"
#include "core/update.h"
#include "core/version.h"

#include "autograd/backward.h"
#include "autograd/blame/nonfinite.h"
#include "autograd/blame/why.h"
#include "autograd/check/function.h"
#include "autograd/check/grade.h"
#include "autograd/check/gradcheck.h"
#include "autograd/check/verdict.h"
#include "autograd/checkpoint.h"
#include "autograd/composed.h"
#include "autograd/functional.h"
#include "autograd/op.h"
#include "autograd/plan/plan.h"
#include "autograd/profile/profile.h"
#include "autograd/tape.h"
#include "autograd/trace/trace.h"

#include "ops/rooms.h"

#include "ops/nn/optim/hyper.h"
#include "ops/nn/layers/attention.h"
#include "ops/nn/layers/conv.h"
#include "ops/nn/layers/init.h"
#include "ops/nn/layers/kv_cache.h"
#include "ops/nn/layers/layer.h"
#include "ops/nn/layers/layers.h"
#include "ops/nn/data/loader.h"
#include "ops/nn/losses/loss.h"
#include "ops/nn/losses/loss_distance.h"
#include "ops/nn/losses/loss_parts.h"
#include "ops/nn/optim/lr.h"
#include "ops/nn/model/model.h"
#include "ops/nn/model/model_file.h"
#include "ops/nn/model/object.h"
#include "ops/nn/optim/optim.h"
#include "ops/nn/layers/recurrent.h"
#include "ops/nn/layers/transformer.h"
#include "ops/nn/optim/schedule.h"
#include "ops/nn/plot/plot.h"
#include "ops/nn/check/model.h"
#include "ops/nn/check/suite.h"
#include "ops/nn/train/evaluate.h"
#include "ops/nn/train/fit.h"
#include "ops/nn/train/grad_profile.h"
#include "ops/nn/train/interrupt.h"
#include "ops/nn/train/progress.h"
#include "ops/nn/train/training.h"
#include "ops/nn/data/vocab.h"
#include "ops/nn/dist/dist.h"
#include "ops/nn/dist/transport.h"

#include "ops/calls.h" /* last: the macros of the calls */

#endif
