"""Writes few.golden, which a build without zlib reads: of each call with the same options the shortest case, where it is
short, and of each call one.

    python3 tests/golden/few.py > tests/golden/few.golden
"""
import glob
import gzip
import os
import re

SHORT = 500  # characters

here = os.path.dirname(os.path.abspath(__file__))
shortest = {}
for name in sorted(glob.glob(os.path.join(here, "*.golden.gz"))):
    if "sweep" in name:  # another format
        continue
    with gzip.open(name, "rt") as f:
        text = re.sub(r"(?m)^#.*\n", "", f.read())
    for case in re.split(r"(?m)^(?=case )", text)[1:]:
        head = case.split("\n", 1)[0]
        if head not in shortest or len(case) < len(shortest[head]):
            shortest[head] = case
of_call = {}
for case in shortest.values():
    of_call.setdefault(case.split()[1], []).append(case)
print("# The shortest cases of the other files; written by few.py")
for cases in of_call.values():
    few = [c for c in cases if len(c) <= SHORT] or [min(cases, key=len)]
    print("".join(few), end="")
