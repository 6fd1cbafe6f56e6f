/* DLPack: tensors handed to and taken from other libraries of the same process without a copy (NumPy, PyTorch, JAX, TVM).
 *
 *     DLManagedTensorVersioned *m = tg_to_dlpack(x);     // ours, for others: they call m->deleter(m) once
 *     tg_tensor *y = tg_from_dlpack(m);                  // theirs, for us
 *
 * The structs are those of DLPack's specification, version 1; where its own dlpack.h is included before tapegrad.h, they are
 * from there. The functions _unversioned are for libraries from before version 1, in Python capsules called "dltensor";
 * those of the others are called "dltensor_versioned". */
#ifndef TG_CORE_DLPACK_H
#define TG_CORE_DLPACK_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

#ifndef DLPACK_DLPACK_H_

typedef struct DLPackVersion {
    uint32_t major, minor;
} DLPackVersion;

typedef enum { kDLCPU = 1, kDLCUDA = 2, kDLCUDAHost = 3 } DLDeviceType; /* of which only the first is taken */

typedef struct {
    DLDeviceType device_type;
    int32_t device_id;
} DLDevice;

typedef enum { kDLInt, kDLUInt, kDLFloat, kDLOpaqueHandle, kDLBfloat, kDLComplex, kDLBool } DLDataTypeCode;

typedef struct {
    uint8_t code, bits; /* a DLDataTypeCode, and the bits of each of the lanes */
    uint16_t lanes;
} DLDataType;

typedef struct {
    void *data;
    DLDevice device;
    int32_t ndim;
    DLDataType dtype;
    int64_t *shape, *strides; /* strides: in elements; NULL: row-major order */
    uint64_t byte_offset;     /* from data to the first element */
} DLTensor;

typedef struct DLManagedTensor {
    DLTensor dl_tensor;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensor *self);
} DLManagedTensor;

#define DLPACK_FLAG_BITMASK_READ_ONLY (1UL << 0UL)

typedef struct DLManagedTensorVersioned {
    DLPackVersion version;
    void *manager_ctx;
    void (*deleter)(struct DLManagedTensorVersioned *self);
    uint64_t flags;
    DLTensor dl_tensor;
} DLManagedTensorVersioned;

#endif

/* t for others. The elements stay until the deleter is called, on any thread, whatever becomes of t and of its tape;
 * what others change t shows, but the check of gradients for changed elements does not notice. A view of any strides goes as
 * it is. NULL with an error raised: TG_ERR_TAPE for a tensor that requires a gradient (give tg_detach(t)), TG_ERR_ARGUMENT
 * for elements in memory whose owner is not known (tg_from_array without a buffer) and, unversioned, for read-only ones,
 * which that form cannot say; TG_ERR_MEMORY; and while an error is pending. */
TG_API DLManagedTensorVersioned *tg_to_dlpack(const tg_tensor *t);
TG_API DLManagedTensor *tg_to_dlpack_unversioned(const tg_tensor *t);

/* The tensor of others on the current tape, sharing the elements. m is taken over in any case: its deleter is called once,
 * when the last reference to the elements goes, or before the call returns where it fails (see tg_from_blob, also for the
 * thread). Elements that are flagged read-only may only be read here too. TG_ERR_DTYPE is for anything but f32, f64, i32, i64,
 * u8 and bool of one lane; TG_ERR_ARGUMENT for NULL, for another major version than 1, for another device than the CPU, and
 * for what tg_from_blob refuses; TG_ERR_SHAPE for more than 8 axes or a negative size. A bool must be 0 or 1. */
TG_API tg_tensor *tg_from_dlpack(DLManagedTensorVersioned *m);
TG_API tg_tensor *tg_from_dlpack_unversioned(DLManagedTensor *m);

#ifdef __cplusplus
}
#endif

#endif
