"""Exchanges tensors with PyTorch and NumPy by DLPack, in one process, and holds both sides to the same memory.
usage: exchange_dlpack.py LIBRARY     (the shared one: build/libtapegrad.so)"""
import ctypes
import gc
import sys

import numpy as np
import torch
from torch.utils.dlpack import from_dlpack, to_dlpack

SHAPE = type("Shape", (ctypes.Structure,), {"_fields_": [("rank", ctypes.c_int), ("dim", ctypes.c_int64 * 8)]})
DTYPES = [(torch.float32, np.float32), (torch.float64, np.float64), (torch.int32, np.int32), (torch.int64, np.int64),
          (torch.uint8, np.uint8), (torch.bool, np.bool_)]

tg = ctypes.CDLL(sys.argv[1])
pointers = ["tg_full_with", "tg_from_dlpack_unversioned", "tg_to_dlpack_unversioned", "tg_from_dlpack", "tg_to_dlpack", "tg_keep", "tg_data"]
for name in pointers:
    getattr(tg, name).restype = ctypes.c_void_p
tg.tg_full_with.argtypes = [ctypes.c_int, ctypes.c_double, SHAPE]
for name in pointers[1:] + ["tg_free", "tg_get", "tg_numel", "tg_dtype_of"]:
    getattr(tg, name).argtypes = [ctypes.c_void_p]
tg.tg_get.argtypes = [ctypes.c_void_p, ctypes.c_int64]
tg.tg_get.restype = ctypes.c_double
tg.tg_numel.restype = ctypes.c_int64
tg.tg_error_message.restype = ctypes.c_char_p

api = ctypes.pythonapi
api.PyCapsule_New.restype = ctypes.py_object
api.PyCapsule_New.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
api.PyCapsule_GetPointer.restype = ctypes.c_void_p
api.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
api.PyCapsule_SetName.argtypes = [ctypes.py_object, ctypes.c_char_p]
USED = b"used_dltensor"


class Ours:
    """One of our tensors, for whoever asks in Python's manner."""

    def __init__(self, tensor):
        self.tensor = tensor

    def __dlpack__(self, **kwargs):
        return api.PyCapsule_New(tg.tg_to_dlpack_unversioned(self.tensor), b"dltensor", None)

    def __dlpack_device__(self):
        return 1, 0


def take(capsule):
    tensor = tg.tg_from_dlpack_unversioned(api.PyCapsule_GetPointer(capsule, b"dltensor"))
    api.PyCapsule_SetName(capsule, USED)
    return tensor


for number, (in_torch, in_numpy) in enumerate(DTYPES):
    ours = tg.tg_full_with(number, 1, SHAPE(2, (2, 3)))
    theirs, array = from_dlpack(Ours(ours).__dlpack__()), np.from_dlpack(Ours(ours))
    assert theirs.dtype == in_torch and array.dtype == in_numpy and theirs.shape == (2, 3) == array.shape
    assert theirs.data_ptr() == tg.tg_data(ours) == array.ctypes.data
    theirs[1, 2] = 0
    assert array[1, 2] == 0 == tg.tg_get(ours, 5) and tg.tg_get(ours, 4) == 1

    source = torch.arange(12).reshape(3, 4).to(in_torch).t()[1:]
    back = tg.tg_keep(take(to_dlpack(source)))
    assert tg.tg_dtype_of(back) == number and tg.tg_numel(back) == 9
    for i, v in enumerate(source.flatten().tolist()):
        assert tg.tg_get(back, i) == v, (in_torch, i)
    tg.tg_free(back)
    array = np.arange(12).reshape(3, 4).astype(in_numpy)[::-1, 1:]
    back = take(array.__dlpack__())
    for i, v in enumerate(array.flatten().tolist()):
        assert tg.tg_get(back, i) == v, (in_numpy, i)

capsule = to_dlpack(torch.zeros(3, dtype=torch.float16))
take(capsule)
assert b"taken are f32, f64" in tg.tg_error_message(), tg.tg_error_message()
tg.tg_error_clear()
assert tg.tg_error_status() == 0
gc.collect()
print(f"{len(DTYPES)} dtypes to and from PyTorch {torch.__version__} and NumPy {np.__version__}: the same memory, the same numbers")
