/* Pairs {height, width} in options, such as .kernel = {3, 3}. A width of 0, left out, is the height: {3} is {3, 3}. Where 0
 * beside another number has a meaning, as of paddings, TG_NONE asks for it: {1, TG_NONE} is 1 along the height and 0 along the
 * width. */
#ifndef TG_OPS_STRUCTURED_PAIR_H
#define TG_OPS_STRUCTURED_PAIR_H

#include <stdint.h>

#define TG_NONE INT64_MIN

#endif
