"""Sets of arrays through NumPy's npz files and ours, both ways: what NumPy writes, tapegrad reads and writes again, and NumPy
reads that: the same names, dtypes, shapes and bits.

    python3 tests/golden/round_trip_npz.py build/tests/convert [COUNT]
"""
import subprocess
import sys
import tempfile
import zipfile

import numpy as np

convert, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 200
rng = np.random.default_rng(1)


def random_array():
    dtype = np.dtype(rng.choice(['f4', 'f8', 'i4', 'i8', 'u1', '?']))
    shape = tuple(rng.choice([0, 1, 2, 3, 5, 17], p=[.02, .28, .2, .2, .2, .1], size=rng.integers(0, 6)))
    raw = rng.integers(0, 2 if dtype.kind == 'b' else 256, size=int(np.prod(shape, dtype=np.int64)) * dtype.itemsize, dtype=np.uint8)
    a = raw.view(dtype).reshape(shape)
    if rng.random() < .3:
        a = a.astype(dtype.newbyteorder('>'))
    return np.asfortranarray(a) if rng.random() < .3 else a


with tempfile.TemporaryDirectory() as folder:
    sets, names = [], []
    for i in range(count):
        sets.append({rng.choice(['x', 'layer/w', 'é', 'a b']) + str(k): random_array() for k in range(rng.integers(0, 6))})
        (np.savez_compressed if rng.random() < .5 else np.savez)(f'{folder}/in{i}.npz', **sets[i])
        names += [f'{folder}/in{i}.npz', f'{folder}/out{i}{"_compressed" if i % 2 else ""}.npz']
    for i in range(0, len(names), 200):
        subprocess.run([convert] + names[i:i + 200], check=True)
    for arrays, path in zip(sets, names[1::2]):
        with zipfile.ZipFile(path) as z:
            assert z.testzip() is None
        back = np.load(path)
        assert sorted(back.files) == sorted(arrays), path
        for name, a in arrays.items():
            assert back[name].shape == a.shape and back[name].dtype == a.dtype.newbyteorder('='), (path, name)
            assert back[name].tobytes() == a.astype(a.dtype.newbyteorder('=')).tobytes(), (path, name)
print(f'{count} sets, NumPy {np.__version__}')
