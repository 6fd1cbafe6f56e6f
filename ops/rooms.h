/* The headers of all rooms, one paragraph a room. tapegrad.h includes this file, and through it the ops
 * see each other. */
#ifndef TG_OPS_ROOMS_H
#define TG_OPS_ROOMS_H

#include "ops/elementwise/activation.h"
#include "ops/elementwise/arithmetic.h"
#include "ops/elementwise/binary.h"
#include "ops/elementwise/compare.h"
#include "ops/elementwise/inplace.h"
#include "ops/elementwise/logical.h"
#include "ops/elementwise/math.h"

#include "ops/shape/create.h"
#include "ops/shape/diagonal.h"
#include "ops/shape/join.h"
#include "ops/shape/pad.h"
#include "ops/shape/pixel_shuffle.h"
#include "ops/shape/split.h"
#include "ops/shape/view.h"

#include "ops/index/embedding.h"
#include "ops/index/gather.h"
#include "ops/index/scatter.h"
#include "ops/index/sort.h"

#include "ops/reduce/aggregate.h"
#include "ops/reduce/reduce.h"
#include "ops/reduce/scan.h"
#include "ops/reduce/variance.h"
#include "ops/reduce/vector_norm.h"

#include "ops/products/einsum.h"
#include "ops/products/matmul.h"

#include "ops/linalg/linalg.h"

#include "ops/structured/attention.h"
#include "ops/structured/avg_pool.h"
#include "ops/structured/batch_norm.h"
#include "ops/structured/conv.h"
#include "ops/structured/interpolate.h"
#include "ops/structured/layer_norm.h"
#include "ops/structured/max_pool.h"
#include "ops/structured/rotary.h"
#include "ops/structured/unfold.h"

#include "ops/recurrent/recurrent.h"

#include "ops/loss/cross_entropy.h"
#include "ops/loss/softmax.h"

#include "ops/registry.h"

#endif
