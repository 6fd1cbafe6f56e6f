"""Arrays through NumPy's files and ours, both ways: what NumPy writes, tapegrad reads and writes again, to the same bytes
as np.save writes of the array in row-major order, and NumPy reads that.

    python3 tests/golden/round_trip_npy.py build/tests/convert [COUNT]
"""
import gzip
import io
import subprocess
import sys
import tempfile

import numpy as np

convert, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 500
rng = np.random.default_rng(1)


def random_array():
    dtype = np.dtype(rng.choice(['f4', 'f8', 'i4', 'i8', 'u1', '?']))
    shape = tuple(rng.choice([0, 1, 2, 3, 5, 17], p=[.02, .28, .2, .2, .2, .1], size=rng.integers(0, 9)))
    n = int(np.prod(shape, dtype=np.int64))
    if n > 1 << 18:
        shape = (n % 65536,)
        n = shape[0]
    raw = rng.integers(0, 2 if dtype.kind == 'b' else 256, size=n * dtype.itemsize, dtype=np.uint8)
    a = raw.view(dtype).reshape(shape)  # any bits: infinities and NaNs with them
    if rng.random() < .5:
        a = a.astype(dtype.newbyteorder('>'))
    if rng.random() < .5:
        a = np.asfortranarray(a)
    return a


def plain_bytes(a):
    out = io.BytesIO()
    np.save(out, np.ascontiguousarray(a, dtype=a.dtype.newbyteorder('=')).reshape(a.shape))
    return out.getvalue()


with tempfile.TemporaryDirectory() as folder:
    arrays, names = [random_array() for _ in range(count)], []
    for i, a in enumerate(arrays):
        version = [(1, 0), (2, 0), (3, 0)][rng.integers(3)]
        suffix = '.gz' if rng.random() < .2 else ''
        with (gzip.open if suffix else open)(f'{folder}/in{i}.npy{suffix}', 'wb') as f:
            np.lib.format.write_array(f, a, version=version)
        names += [f'{folder}/in{i}.npy{suffix}', f'{folder}/out{i}.npy']
    for i in range(0, len(names), 200):
        subprocess.run([convert] + names[i:i + 200], check=True)
    for i, a in enumerate(arrays):
        path = f'{folder}/out{i}.npy'
        back = np.load(path)
        assert back.shape == a.shape and back.dtype == a.dtype.newbyteorder('='), (i, a.dtype, a.shape)
        assert back.tobytes() == a.astype(a.dtype.newbyteorder('=')).tobytes(), (i, a.dtype, a.shape)
        assert open(path, 'rb').read() == plain_bytes(a), (i, a.dtype, a.shape)
print(f'{count} arrays, NumPy {np.__version__}')
