"""Files of safetensors/ as the reference library writes them, for tests/core/test_safetensors.c, which says what is in
them.

    python3 tests/golden/make_safetensors.py FOLDER        # needs safetensors and NumPy
"""
import sys

import numpy as np
from safetensors import TensorSpec, serialize_file

from file_values import values

folder = sys.argv[1]
NAMES = {'f4': 'float32', 'f8': 'float64', 'i4': 'int32', 'i8': 'int64', 'u1': 'uint8', '?': 'bool', 'f2': 'float16',
         'i2': 'int16'}


def entry(dtype, shape):
    if dtype == 'bf16':  # the upper halves of f32, which these numbers fill
        return 'bfloat16', (values('<f4', shape).view('<u4') >> 16).astype('<u2')
    return NAMES[dtype], np.ascontiguousarray(values('<' + dtype if dtype != '?' else dtype, shape)).reshape(shape)


def write(name, tensors, metadata=None):
    specs = {key: TensorSpec(dtype=dtype, shape=a.shape, data_ptr=a.ctypes.data, data_len=a.nbytes)
             for key, (dtype, a) in tensors.items()}
    serialize_file(specs, f'{folder}/{name}.safetensors', metadata)


ALL = {'f32': 'f4', 'f64': 'f8', 'i32': 'i4', 'i64': 'i8', 'u8': 'u1', 'bool': '?', 'f16': 'f2', 'bf16': 'bf16'}
tensors = {name: entry(dtype, [2, 3]) for name, dtype in ALL.items()}
tensors |= {'scalar': entry('f8', []), 'empty': entry('f4', [0, 3]), 'rank 8': entry('i4', [1, 2, 1, 3, 1, 2, 1, 2]),
            'a "name" in \\ \u00e9\u4e2d\U0001f600\n': entry('u1', [1])}
write('all', tensors, {'format': 'pt \u00e9 "quoted" \\ \n\t\x01'})
write('plain', {'fc1.weight': entry('f4', [2, 3]), 'fc1.bias': entry('f4', [3]), 'steps': entry('i8', [])})
write('nothing', {})
write('texts', {}, {'epoch': '3'})
write('bad_i16', {'x': entry('i2', [2, 3])})
