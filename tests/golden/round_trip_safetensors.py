"""Sets of tensors through files of the reference library and ours, both ways: what the library writes, tapegrad reads and
writes again, to the same tensors and texts and, but for the order of several texts, the same bytes.

    python3 tests/golden/round_trip_safetensors.py build/tests/convert [COUNT]      # needs safetensors and NumPy
"""
import subprocess
import sys
import tempfile

import numpy as np
from safetensors import TensorSpec, safe_open, serialize_file

convert, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
rng = np.random.default_rng(1)
TYPES = {'F32': ('float32', 'f4'), 'F64': ('float64', 'f8'), 'I32': ('int32', 'i4'), 'I64': ('int64', 'i8'), 'U8': ('uint8', 'u1'),
         'BOOL': ('bool', '?'), 'F16': ('float16', 'f2'), 'BF16': ('bfloat16', 'u2')}
LETTERS = list('abcdefghijklmnopqrstuvwxyz._0123456789 "\\/\n\x01\u00e9\u4e2d\U0001f600')


def text(most):
    return ''.join(rng.choice(LETTERS, size=rng.integers(0, most)))


def random_tensor():
    kind = rng.choice(list(TYPES))
    dtype, code = TYPES[kind]
    shape = tuple(int(n) for n in rng.choice([0, 1, 2, 3, 5, 17], p=[.02, .28, .2, .2, .2, .1], size=rng.integers(0, 9)))
    n = int(np.prod(shape, dtype=np.int64))
    if n > 1 << 16:
        shape, n = (7, 11), 77
    size = np.dtype(code).itemsize
    raw = rng.integers(0, 2 if kind == 'BOOL' else 256, size=n * size, dtype=np.uint8)
    a = raw.view(code).reshape(shape)
    if kind == 'F16':
        a = np.where(np.isnan(a), np.float16(1), a)  # a NaN becomes a quiet one
    if kind == 'BF16':
        a = np.where((a & 0x7f80) == 0x7f80, np.uint16(0x3f80), a)
    return f'{text(20)}.{kind}', dtype, np.ascontiguousarray(a).reshape(shape)


with tempfile.TemporaryDirectory() as folder:
    sets, names, tensors = [], [], 0
    for i in range(count):
        entries = {name: (dtype, a) for name, dtype, a in (random_tensor() for _ in range(rng.integers(0, 12)))}
        texts = {text(10): text(30) for _ in range(rng.integers(0, 4))}
        specs = {name: TensorSpec(dtype=dtype, shape=a.shape, data_ptr=a.ctypes.data, data_len=a.nbytes)
                 for name, (dtype, a) in entries.items()}
        serialize_file(specs, f'{folder}/in{i}.safetensors', texts or None)
        sets.append((entries, texts))
        tensors += len(entries)
        names += [f'{folder}/in{i}.safetensors', f'{folder}/out{i}.safetensors']
    for i in range(0, len(names), 200):
        subprocess.run([convert] + names[i:i + 200], check=True)
    for i, (entries, texts) in enumerate(sets):
        theirs, ours = (open(f'{folder}/{name}{i}.safetensors', 'rb').read() for name in ('in', 'out'))
        assert len(texts) > 1 or theirs == ours, i
        with safe_open(f'{folder}/out{i}.safetensors', framework='np') as f:
            assert set(f.keys()) == set(entries) and (f.metadata() or {}) == texts, i
            for name, (dtype, a) in entries.items():
                if dtype != 'bfloat16':  # which NumPy has not; the bytes were compared
                    back = f.get_tensor(name)
                    assert back.dtype == a.dtype and back.shape == a.shape and back.tobytes() == a.tobytes(), (i, name)
print(f'{count} sets of {tensors} tensors, NumPy {np.__version__}')
