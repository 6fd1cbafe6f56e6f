"""Files of npz/ as NumPy writes them, and bad ones, for tests/core/test_npz.c, which says what is in them.

    python3 tests/golden/make_npz.py FOLDER
"""
import io
import struct
import sys
import zipfile

import numpy as np

from file_values import values

folder = sys.argv[1]
arrays = {dtype.strip('?') or 'b1': values(dtype, (2, 3)) for dtype in ['f4', 'f8', 'i4', 'i8', 'u1', '?']}
arrays |= {'big': values('>f4', (2, 3)), 'fortran': np.asfortranarray(values('f8', (2, 3))), 'scalar': values('f8', ()),
           'empty': values('f4', (0, 3)), 'layer/weight': values('f4', (40, 50)), 'é中😀': values('i4', (5,))}
np.savez(f'{folder}/stored.npz', **arrays)
np.savez_compressed(f'{folder}/compressed.npz', **arrays)
np.savez(f'{folder}/none.npz')


def npy(array):
    out = io.BytesIO()
    np.lib.format.write_array(out, array, allow_pickle=True)
    return out.getvalue()


def archive(name, *entries, method=zipfile.ZIP_STORED, change=lambda b: b):
    out = io.BytesIO()
    with zipfile.ZipFile(out, 'w', method) as z:
        for entry, data in entries:
            z.writestr(zipfile.ZipInfo(entry), data, compress_type=method)
    with open(f'{folder}/bad_{name}.npz', 'wb') as f:
        f.write(bytes(change(bytearray(out.getvalue()))))


def both_headers(local, central, form, value):
    """Writes a number at these places of the first entry's local and central header."""
    def change(b):
        struct.pack_into(form, b, local, value)
        struct.pack_into(form, b, b.index(b'PK\1\2') + central, value)
        return b
    return change


one = npy(values('f4', (2, 3)))
for name, entry in {'up': '../x.npy', 'absolute': '/etc/x.npy', 'dot': 'a/./x.npy', 'double': 'a//x.npy',
                    'backslash': 'a\\..\\x.npy', 'nameless': '.npy', 'text': 'README.txt', 'long': 'n' * 1025 + '.npy'}.items():
    archive(name, (entry, one))
archive('twice', ('a.npy', one), ('b.npy', one), ('a.npy', one))
archive('objects', ('a.npy', npy(np.array([1, None], dtype=object))))
archive('header', ('a.npy', one[:60]))
archive('short', ('a.npy', one[:-1]))
archive('extra', ('a.npy', one + b'\0'))
archive('bzip2', ('a.npy', one), method=zipfile.ZIP_BZIP2)
archive('encrypted', ('a.npy', one), change=both_headers(6, 8, '<H', 1))
archive('crc', ('a.npy', one), change=both_headers(14, 16, '<I', 1))
archive('bomb', ('a.npy', npy(np.zeros(1 << 16))), method=zipfile.ZIP_DEFLATED, change=both_headers(22, 24, '<I', 1 << 30))
archive('bool', ('a.npy', npy(np.array([0, 2, 1], dtype='u1')).replace(b'|u1', b'|b1')))
