/* Files whose elements are mapped: the same numbers as loading gives, and memory only for what is touched. */
#define _GNU_SOURCE
#include "ops/tapegrad.h"
#include "core/io/idx.h"
#include "core/io/npy.h"
#include "core/io/safetensors.h"
#include "core/memory.h"
#include "tests/core/files.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

TCase *tcase_mapping(void);
TCase *tcase_mapping_long(void);

static bool same(const tg_tensor *a, const tg_tensor *b) {
    bool is = tg_dtype_of(a) == tg_dtype_of(b) && tg_shape_equal(tg_shape_of(a), tg_shape_of(b));
    for (int64_t i = 0; is && i < tg_numel(a); i++) is = tg_get(a, i) == tg_get(b, i);
    return is;
}

/* All that NumPy wrote: what loads can be mapped, or says why not. */
START_TEST(golden_npy) {
    char inner[400], path[1200];
    snprintf(path, sizeof path, "%s", golden_file("npy"));
    DIR *dir = opendir(path);
    ck_assert_ptr_nonnull(dir);
    int mapped = 0, refused = 0;
    for (struct dirent *e; (e = readdir(dir)) != NULL;) {
        snprintf(inner, sizeof inner, "npy/%s", e->d_name);
        const tg_tensor *t = strstr(e->d_name, ".npy") ? tg_load_npy(golden_file(inner)) : tg_poison();
        tg_error_clear();
        if (tg_is_poison(t)) continue;
        const size_t live = tg_memory_now().live_buffer_bytes;
        const tg_tensor *m = tg_map_npy(golden_file(inner));
        if (tg_error_status() == TG_OK) {
            mapped++;
            ck_assert_msg(same(t, m), "%s", inner);
            ck_assert(tg_is_read_only(m) || tg_numel(m) == 0);
            ck_assert(tg_numel(m) == 0 || tg_memory_now().live_buffer_bytes == live);
        } else {
            refused++;
            ck_assert_ptr_nonnull(strstr(tg_error_message(), "map_npy: the file cannot be mapped, as"));
            expect_error(TG_ERR_FORMAT, "tg_load_npy reads it");
        }
    }
    closedir(dir);
    ck_assert_msg(mapped >= 10 && refused >= 3, "%d mapped, %d refused", mapped, refused);
}
END_TEST

START_TEST(sets) {
    tg_safetensors *set = tg_safetensors_open(golden_file("safetensors/all.safetensors"));
    if (!set) { /* built without jansson */
        expect_error(TG_ERR_IO, "no jansson");
        return;
    }
    int mapped = 0;
    const tg_tensor *kept = NULL;
    for (int64_t i = 0; i < tg_safetensors_count(set); i++) {
        const char *name = tg_safetensors_name(set, i);
        const tg_tensor *t = tg_safetensors_get(set, name), *m = tg_safetensors_map(set, name);
        if (strcmp(name, "bf16") == 0 || strcmp(name, "f16") == 0 || strcmp(name, "bool") == 0) {
            ck_assert(tg_is_poison(m));
            expect_error(TG_ERR_FORMAT, "tg_safetensors_get reads it");
            continue;
        }
        expect_ok();
        ck_assert_msg(same(t, m), "%s", name);
        mapped++;
        if (strcmp(name, "f64") == 0) kept = m;
    }
    ck_assert_int_ge(mapped, 8);
    const double v = tg_get(kept, 3);
    ck_assert_int_eq(tg_safetensors_put(set, "more", kept), TG_OK);
    ck_assert_ptr_eq(tg_data(tg_safetensors_map(set, "more")), tg_data(kept));
    ck_assert(tg_is_poison(tg_safetensors_map(set, "missing")));
    expect_error(TG_ERR_ARGUMENT, "safetensors_map: there is no tensor \"missing\"");
    tg_safetensors_free(set);
    ck_assert(tg_get(kept, 3) == v);
}
END_TEST

START_TEST(refused) {
    const char *path = in_folder("x");
    ck_assert_int_eq(tg_save_idx(tg_ones(TG_I32, 3), path), TG_OK);
    ck_assert(tg_is_poison(tg_map_idx(path)));
    expect_file_error(TG_ERR_DTYPE, path, "only u8 can be mapped");
    ck_assert_int_eq(tg_save_npy(tg_ones(TG_BOOL, 3), path), TG_OK);
    ck_assert(tg_is_poison(tg_map_npy(path)));
    expect_file_error(TG_ERR_FORMAT, path, "of bools each has to be looked at");
    static const char odd[] =
        "\x93NUMPY\1\0\x3b\0{'descr': '<f4', 'fortran_order': False, 'shape': (1,)}    \n\0\0\0\0";
    write_file(path, odd, 10 + 59 + 4);
    ck_assert_int_eq(tg_numel(tg_load_npy(path)), 1);
    ck_assert(tg_is_poison(tg_map_npy(path)));
    expect_file_error(TG_ERR_FORMAT, path, "its elements are not at a multiple of their size");
    if (!has_zlib()) return;
    const char *packed = in_folder("x.gz");
    ck_assert_int_eq(tg_save_npy(tg_ones(TG_F32, 3), packed), TG_OK);
    ck_assert(tg_is_poison(tg_map_npy(packed)));
    expect_file_error(TG_ERR_FORMAT, packed, "it is compressed");
    ck_assert_int_eq(tg_save_idx(tg_ones(TG_U8, 3), packed), TG_OK);
    ck_assert(tg_is_poison(tg_map_idx(packed)));
    expect_file_error(TG_ERR_FORMAT, packed, "it is compressed");
}
END_TEST

/* The elements stay as they were when the file is replaced or removed, and cannot be changed. */
START_TEST(outlives_the_name) {
    const char *path = in_folder("x.npy");
    const int before = open_descriptors();
    ck_assert_int_eq(tg_save_npy(tg_full(TG_F32, 3, 5000), path), TG_OK);
    tg_tensor *m = tg_map_npy(path);
    ck_assert_int_eq(tg_save_npy(tg_full(TG_F32, 4, 5000), path), TG_OK);
    ck_assert(tg_get(m, 4999) == 3);
    remove(path);
    ck_assert(tg_get(m, 2500) == 3);
    ck_assert_ptr_null(tg_data_mut(m));
    expect_error(TG_ERR_ARGUMENT, "tg_data_mut: [5000] f32 lies in memory that may only be read");
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* Kilobytes of this process in memory. */
static long resident(void) {
    long pages = 0;
    FILE *f = fopen("/proc/self/statm", "r");
    if (!f || fscanf(f, "%*d %ld", &pages) != 1) pages = 0;
    if (f) fclose(f);
    return pages * (sysconf(_SC_PAGESIZE) / 1024);
}

/* A file with a header and no elements written, of which the file system keeps nothing, but for some rows. */
static int sparse_file(const char *path, const void *header, size_t n, int64_t bytes) {
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    ck_assert_int_ge(fd, 0);
    ck_assert_int_eq(pwrite(fd, header, n, 0), (ssize_t)n);
    ck_assert_int_eq(ftruncate(fd, (off_t)n + bytes), 0);
    return fd;
}

/* 64 GiB: rows of 16 KiB, of which four are read. */
START_TEST(larger_than_memory) {
    const int64_t rows = 4 << 20, columns = 4096, row[] = {0, 1, 2097152, 4194303};
    char header[128];
    memset(header, ' ', sizeof header);
    memcpy(header, "\x93NUMPY\1\0\x76\0", 10);
    const int n =
        snprintf(header + 10, 118, "{'descr': '<f4', 'fortran_order': False, 'shape': (4194304, 4096)}");
    header[10 + n] = ' ';
    header[127] = '\n';
    const char *path = in_folder("large.npy");
    const int fd = sparse_file(path, header, 128, rows * columns * 4);
    for (int i = 0; i < COUNT(row); i++) {
        const float v = (float)(i + 1);
        ck_assert_int_eq(pwrite(fd, &v, 4, 128 + (row[i] * columns + 7) * 4), 4);
    }
    close(fd);
    const long before = resident();
    tg_tensor *x = tg_map_npy(path);
    if (__BYTE_ORDER__ == __ORDER_BIG_ENDIAN__) {
        expect_error(TG_ERR_FORMAT, "other byte order");
        return;
    }
    ck_assert_msg(tg_error_status() == TG_OK, "%s", tg_error_message());
    ck_assert(tg_shape_equal(tg_shape_of(x), TG_SHAPE(rows, columns)));
    for (int i = 0; i < COUNT(row); i++) ck_assert(tg_get(x, row[i] * columns + 7) == i + 1);
    ck_assert_msg(resident() - before < 16 << 10, "%ld KiB", resident() - before);
    const unsigned char idx[16] = {0, 0, 8, 3, 0, 0x10, 0, 0, 0, 0, 0x10, 0, 0, 0, 0, 0x10};
    const char *other = in_folder("large.idx");
    close(sparse_file(other, idx, 16, INT64_C(1) << 36));
    x = tg_map_idx(other);
    ck_assert(tg_error_status() == TG_OK && tg_numel(x) == INT64_C(1) << 36 &&
              tg_get(x, (INT64_C(1) << 36) - 1) == 0);
    ck_assert_msg(resident() - before < 16 << 10, "%ld KiB", resident() - before);
}
END_TEST

TCase *tcase_mapping(void) {
    TCase *tc = tcase_create("mapping");
    tcase_add_checked_fixture(tc, files_setup, files_teardown);
    tcase_add_test(tc, golden_npy);
    tcase_add_test(tc, sets);
    tcase_add_test(tc, refused);
    tcase_add_test(tc, outlives_the_name);
    return tc;
}

/* Valgrind maps no 64 GiB. */
TCase *tcase_mapping_long(void) {
    TCase *tc = tcase_create("mapping_long");
    tcase_set_tags(tc, "slow");
    tcase_add_checked_fixture(tc, files_setup, files_teardown);
    tcase_add_test(tc, larger_than_memory);
    return tc;
}
