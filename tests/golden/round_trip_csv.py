"""Tables through Python's csv module and ours, both ways: what Python writes, tapegrad reads, each number to the bit of
what it is in exact arithmetic; what tapegrad then writes, Python reads.

    python3 tests/golden/round_trip_csv.py build/tests/convert [COUNT]
"""
import csv
import gzip
import subprocess
import sys
import tempfile
from fractions import Fraction

import numpy as np

convert, count = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 300
rng = np.random.default_rng(1)
TYPES = {'f32': np.float32, 'f64': np.float64, 'i32': np.int32, 'i64': np.int64, 'u8': np.uint8, 'bool': np.bool_}


def digits(n):
    return ''.join(rng.choice(list('0123456789'), size=n))


def random_float(kind):
    """A text: any bits, many digits, halfway between two numbers or next to it."""
    way, bits = rng.integers(5), {'f32': 'u4', 'f64': 'u8'}[kind]
    v = rng.integers(0, 256, size=np.dtype(bits).itemsize, dtype=np.uint8).view(TYPES[kind])[0]
    if way == 0 or not np.isfinite(v):
        return repr(float(v))
    if way == 1:
        return f'{rng.choice(["", "-", "+"])}{digits(rng.integers(1, 30))}.{digits(rng.integers(0, 30))}'
    if way == 2:
        return f'{digits(rng.integers(1, 20))}{rng.choice(["e", "E"])}{rng.integers(-40, 20)}'
    half = (Fraction(float(v)) + Fraction(float(np.nextafter(v, TYPES[kind](0), dtype=TYPES[kind])))) / 2
    scale = 0  # a binary fraction ends in decimal: times 10^scale it is whole
    while half.denominator > 1:
        half, scale = half * 10, scale + 1
    return f'{half.numerator}{rng.choice(["", "0", "1"]) if way == 3 else ""}e-{scale}'


def random_text(kind):
    if kind in ('f32', 'f64'):
        return random_float(kind)
    if kind == 'bool':
        return str(rng.choice(['0', '1', 'True', 'False', 'true', 'false']))
    low, high = np.iinfo(TYPES[kind]).min, np.iinfo(TYPES[kind]).max
    return str(rng.choice([low, high, 0, rng.integers(low, high, endpoint=True)]))


def is_nearest(text, v, kind):
    if kind not in ('f32', 'f64'):
        return int(v) == ({'True': 1, 'true': 1, 'False': 0, 'false': 0}.get(text) if kind == 'bool' and len(text) > 1 else int(text))
    if kind == 'f64':
        return np.float64(text).tobytes() == v.tobytes() or (np.isnan(v) and 'nan' in text)
    if not np.isfinite(v):
        return repr(float(v)) == text
    x, f = Fraction(text), Fraction(float(v))
    for to in (np.float32(-np.inf), np.float32(np.inf)):
        other = np.nextafter(v, to, dtype=np.float32)
        if np.isfinite(other):
            near, far = abs(x - f), abs(x - Fraction(float(other)))
            if far < near or (far == near and v.view(np.uint32) & 1):
                return False
    return True


def in_range(text, kind):
    most = {'f32': 2**127, 'f64': 2**1023}.get(kind)
    return not most or 'inf' in text or 'nan' in text or abs(Fraction(text)) < most


tables, names = [], []
with tempfile.TemporaryDirectory() as folder:
    for i in range(count):
        kind = str(rng.choice(list(TYPES)))
        rows, columns = rng.integers(1, 12), rng.integers(1, 8)
        table = [[t if in_range(t, kind) else '1' for t in (random_text(kind) for _ in range(columns))] for _ in range(rows)]
        suffix = '.gz' if rng.random() < .2 else ''
        with (gzip.open if suffix else open)(f'{folder}/in{i}.{kind}.csv{suffix}', 'wt', newline='') as f:
            w = csv.writer(f, quoting=int(rng.choice([csv.QUOTE_MINIMAL, csv.QUOTE_ALL])), lineterminator=str(rng.choice(['\n', '\r\n', '\r\n\r\n'])))
            w.writerows(table)
        tables.append((kind, table))
        names += [f'{folder}/in{i}.{kind}.csv{suffix}', f'{folder}/out{i}.npy', f'{folder}/out{i}.npy', f'{folder}/back{i}.{kind}.csv']
    for i in range(0, len(names), 200):
        subprocess.run([convert] + names[i:i + 200], check=True)
    numbers = 0
    for i, (kind, table) in enumerate(tables):
        a = np.load(f'{folder}/out{i}.npy')
        assert a.dtype == TYPES[kind] and a.shape == (len(table), len(table[0])), (i, a.dtype, a.shape)
        for texts, row in zip(table, a):
            for text, v in zip(texts, row):
                assert is_nearest(text, v, kind), (i, kind, text, v)
                numbers += 1
        with open(f'{folder}/back{i}.{kind}.csv', newline='') as f:
            back = [[float(t) if a.dtype.kind == 'f' else int(t) for t in row] for row in csv.reader(f)]
        assert np.array_equal(np.array(back).astype(a.dtype), a, equal_nan=a.dtype.kind == 'f'), (i, kind)
print(f'{count} tables, {numbers} numbers, Python {sys.version.split()[0]}, NumPy {np.__version__}')
