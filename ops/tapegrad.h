/* tapegrad: reverse-mode automatic differentiation of tensor programs.
 *
 * This is the one header to include. The manual is the headers below, each a page:
 *
 *   core/error.h      how errors are reported           core/tensor.h   tensors: creation, access, lifetime
 *   core/random.h     random numbers                    core/memory.h   statistics, failure injection
 *   core/parallel.h   threads                           core/io/idx.h   IDX files
 *   autograd/op.h     the op contract: ops of your own  autograd/tape.h the tape: mark, rewind, print
 *   autograd/grad.h   tg_backward and tg_grad           autograd/gradcheck.h  checking gradients
 *   autograd/functional.h  Jacobians, Hessians          autograd/checkpoint.h  memory for time
 *   autograd/composed.h    functions made of others
 *   ops/...           the differentiable primitives     ops/nn/...      parameters, layers, losses, optimisers
 */
#ifndef TAPEGRAD_H
#define TAPEGRAD_H

#include "core/error.h"
#include "core/io/idx.h"
#include "core/memory.h"
#include "core/parallel.h"
#include "core/random.h"
#include "core/tensor.h"

#include "autograd/checkpoint.h"
#include "autograd/composed.h"
#include "autograd/functional.h"
#include "autograd/grad.h"
#include "autograd/gradcheck.h"
#include "autograd/op.h"
#include "autograd/tape.h"

#include "ops/elementwise/activation.h"
#include "ops/reduce/aggregate.h"
#include "ops/elementwise/arithmetic.h"
#include "ops/structured/attention.h"
#include "ops/elementwise/binary.h"
#include "ops/structured/conv.h"
#include "ops/shape/create.h"
#include "ops/shape/diagonal.h"
#include "ops/products/einsum.h"
#include "ops/elementwise/basic.h"
#include "ops/index/embedding.h"
#include "ops/elementwise/math.h"
#include "ops/index/gather.h"
#include "ops/elementwise/inplace.h"
#include "ops/structured/interpolate.h"
#include "ops/shape/join.h"
#include "ops/linalg/linalg.h"
#include "ops/elementwise/logical.h"
#include "ops/products/matmul.h"
#include "ops/reduce/variance.h"
#include "ops/structured/norm.h"
#include "ops/shape/pad.h"
#include "ops/shape/split.h"
#include "ops/structured/pool.h"
#include "ops/recurrent/recurrent.h"
#include "ops/reduce/reduce.h"
#include "ops/registry.h"
#include "ops/reduce/scan.h"
#include "ops/index/scatter.h"
#include "ops/elementwise/compare.h"
#include "ops/loss/softmax.h"
#include "ops/loss/cross_entropy.h"
#include "ops/index/sort.h"
#include "ops/shape/view.h"

#include "ops/nn/init.h"
#include "ops/nn/layer.h"
#include "ops/nn/layers.h"
#include "ops/nn/loss.h"
#include "ops/nn/loss_more.h"
#include "ops/nn/loss_parts.h"
#include "ops/nn/model.h"
#include "ops/nn/object.h"
#include "ops/nn/optim.h"
#include "ops/nn/recurrent.h"

#endif
