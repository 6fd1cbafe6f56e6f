/* npz files, NumPy's format for several arrays: a zip archive with an npy file for each, stored or compressed.
 *
 *     tg_npz *s = tg_npz_open("batch.npz");
 *     tg_tensor *x = tg_npz_get(s, "x");                 // the entry x.npy, np.load("batch.npz")["x"]
 *     tg_npz_put(s, "y", y);
 *     tg_npz_save(s, "batch.npz", .compress = true);     // np.savez_compressed
 *     tg_npz_free(s);
 *
 * A set is what is in such a file, or is to be. It is opened from a file, of which only the list of entries and their headers
 * are read then, or made anew; arrays are asked for and put in by name; it is saved as a whole. A set may be used by one
 * thread at a time. To every function below a NULL set, and one that was freed, are an error (TG_ERR_ARGUMENT), not a crash. So
 * are names that are NULL, longer than 1,024 bytes, not UTF-8, or a path that leads out of a folder: empty, beginning
 * with '/', with a part that is empty, "." or "..", or with a backslash.
 */
#ifndef TG_CORE_IO_NPZ_H
#define TG_CORE_IO_NPZ_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_npz tg_npz; /* opaque */

/* An empty set. NULL with an error raised where there is no memory, and while an error is pending. */
TG_API tg_npz *tg_npz_new(void);

/* The set in a file, which stays open for the elements until the set is freed. NULL with an error raised on failure, and
 * while an error is pending.
 *
 * Nothing in the file is trusted, and nothing is ever written to a path that it names. TG_ERR_FORMAT, with a message that
 * names the entry and what is wrong with it, is for: what is no zip archive, is cut off or contradicts itself; more than
 * 65,536 entries; an entry that is encrypted, is compressed other than by deflate, claims more than 1,032 times its
 * compressed length, overlaps others, is called anything but NAME.npy with a name as above, or has the name of another; and
 * headers that are not as core/io/npy.h says, or declare another length than the entry has. TG_ERR_DTYPE is for elements that
 * no dtype of ours holds, Python's objects among them, TG_ERR_IO for a file that is missing, unreadable or not a regular
 * file, and for a build of the library without libzip. The library's own memory is asked for in proportion to the number of
 * entries, libzip's to the list of them. */
TG_API tg_npz *tg_npz_open(const char *path);

/* Closes the file and frees the set; tensors that it has given stay. NULL is ignored; a second free is an error. */
TG_API void tg_npz_free(tg_npz *set);

/* How many arrays there are, and the name of number i in the order of their bytes, without ".npy"; NULL with an error when
 * there is none. The text is valid until the set is changed or freed. */
TG_API int64_t tg_npz_count(const tg_npz *set);
TG_API const char *tg_npz_name(const tg_npz *set, int64_t i);

/* Whether there is an array of this name; a missing one is no error here. */
TG_API bool tg_npz_has(const tg_npz *set, const char *name);

/* Its dtype and shape, without reading it. Of a missing one TG_F32, a scalar's shape, and TG_ERR_ARGUMENT. */
TG_API tg_dtype tg_npz_dtype(const tg_npz *set, const char *name);
TG_API tg_shape tg_npz_shape(const tg_npz *set, const char *name);

/* The array, on the current tape and without a history: read from the file, each time anew, or the one that was put in. A
 * missing one is TG_ERR_ARGUMENT; a wrong checksum (CRC-32), damaged data and a bool that is neither 0 nor 1 are
 * TG_ERR_FORMAT. */
TG_API tg_tensor *tg_npz_get(const tg_npz *set, const char *name);

/* Puts t in under this name, in the place of one that has it. The set refers to t's elements and copies none: changes in
 * place until it is saved are saved with it. */
TG_API tg_status tg_npz_put(tg_npz *set, const char *name, const tg_tensor *t);

typedef struct tg_npz_save_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    bool compress;                /* by deflate; otherwise arrays are stored as they are */
} tg_npz_save_opts;

/* Writes all arrays, in the order of their names. Equal sets give equal files, whatever the time. Elements stream to the file:
 * memory is asked for one array at a time, of views and of those that are still in the file that the set was opened from. The file appears whole or not at all, and is on disk when the
 * call returns: a failure leaves an old file as it was. A symbolic link stays, and the file it leads to is replaced. It may
 * be the file that the set was opened from. */
TG_API tg_status tg_npz_save_with(const tg_npz *set, const char *path, tg_npz_save_opts opts);

#ifdef __cplusplus
}
#endif

#endif
