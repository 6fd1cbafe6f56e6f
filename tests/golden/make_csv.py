"""The files in tests/golden/csv: one matrix as Python's csv module and NumPy write it, and as an npy file.

    python3 tests/golden/make_csv.py
"""
import csv
import pathlib

import numpy as np

out = pathlib.Path(__file__).parent / 'csv'
out.mkdir(exist_ok=True)
values = np.array([[0.1, -2.5, 3], [1e300, 5e-324, -0.0], [np.inf, -np.inf, np.nan], [1 / 3, 2**53 + 1., 123456789]])
names = ['label', 'x', 'y, z', 'w', 'note']
notes = ['plain', 'with, comma', 'with "quotes"', 'two\nlines']


def write(name, **dialect):
    with open(out / f'{name}.csv', 'w', newline='') as f:
        w = csv.writer(f, **dialect)
        w.writerow(names)
        for i, row in enumerate(values.tolist()):
            w.writerow([f'row {i}', *row, notes[i]])


np.save(out / 'values.npy', values)
write('excel')
write('quoted', quoting=csv.QUOTE_ALL)
write('semicolons', delimiter=';', lineterminator='\n')
write('tabs', delimiter='\t', quoting=csv.QUOTE_NONNUMERIC)
np.savetxt(out / 'savetxt.csv', values, delimiter=',')
