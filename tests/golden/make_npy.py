"""Files of npy/ as NumPy writes them, for tests/core/test_npy.c, which says what is in them.

    python3 tests/golden/make_npy.py FOLDER
"""
import sys

import numpy as np

from file_values import values

folder = sys.argv[1]


def write(name, array, version=None):
    with open(f'{folder}/{name}.npy', 'wb') as f:
        np.lib.format.write_array(f, array, version=version, allow_pickle=True)


for dtype in ['f4', 'f8', 'i4', 'i8', 'u1', '?']:
    for order in '<>' if np.dtype(dtype).itemsize > 1 else '|':
        full = np.dtype(dtype).newbyteorder(order) if order != '|' else np.dtype(dtype)
        label = full.str[1:] + {'<': '_little', '>': '_big', '|': ''}[order]
        write(label, values(full, (2, 3)))
        write(label + '_fortran', np.asfortranarray(values(full, (2, 3))))
write('scalar', values('<f8', ()))
write('empty', values('<f4', (0, 3)))
write('empty_fortran', np.asfortranarray(values('<f4', (3, 0, 2))))
write('rank_1', values('<i4', (5,)))
write('rank_8', values('<i4', (1, 2, 1, 3, 1, 2, 1, 2)))
write('rank_8_fortran', np.asfortranarray(values('<i4', (1, 2, 1, 3, 1, 2, 1, 2))))
write('version_2', values('<f4', (2, 3)), (2, 0))
write('version_3', values('<f4', (2, 3)), (3, 0))
write('bad_rank_9', values('<f4', (1,) * 9))
write('bad_f2', values('<f2', (2, 3)))
write('bad_c8', values('<c8', (2, 3)))
write('bad_i2', values('<i2', (2, 3)))
write('bad_u4', values('<u4', (2, 3)))
write('bad_objects', np.array([1, 'two', None], dtype=object))
write('bad_fields', np.zeros(3, dtype=[('a', '<f4'), ('b', '<i4')]))
write('bad_text', np.array(['one', 'two']))
write('bad_date', np.array(['2026-01-01'], dtype='M8[D]'))
