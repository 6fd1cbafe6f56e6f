/* Every format: what is no file to read, where none can be written, and that one is there whole or not at all. */
#define _GNU_SOURCE
#include "ops/tapegrad.h"
#include "core/io/idx.h"
#include "core/io/npy.h"
#include "core/io/safetensors.h"
#include "core/memory.h"
#include "tests/core/files.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

TCase *tcase_places(void);

#if TG_HAVE_JANSSON
/* A set of one tensor. */
static tg_status save_set(const tg_tensor *t, const char *path) {
    tg_safetensors *set = tg_safetensors_new();
    tg_status status = tg_safetensors_put(set, "x", t);
    if (status == TG_OK) status = tg_safetensors_save(set, path);
    tg_safetensors_free(set);
    return status;
}

static tg_tensor *from_set(const char *path, tg_tensor *(*get)(const tg_safetensors *set, const char *name)) {
    tg_safetensors *set = tg_safetensors_open(path);
    tg_tensor *t = set ? get(set, "x") : tg_poison();
    tg_safetensors_free(set);
    return t;
}

static tg_tensor *load_set(const char *path) { return from_set(path, tg_safetensors_get); }
static tg_tensor *map_set(const char *path) { return from_set(path, tg_safetensors_map); }
#endif

#if TG_HAVE_LIBZIP
static tg_status save_npz(const tg_tensor *t, const char *path) {
    tg_npz *set = tg_npz_new();
    tg_status status = tg_npz_put(set, "x", t);
    if (status == TG_OK) status = tg_npz_save(set, path);
    tg_npz_free(set);
    return status;
}

static tg_tensor *load_npz(const char *path) {
    tg_npz *set = tg_npz_open(path);
    tg_tensor *t = set ? tg_npz_get(set, "x") : tg_poison();
    tg_npz_free(set);
    return t;
}
#endif

static tg_status save_csv(const tg_tensor *t, const char *path) { return tg_save_csv(t, path); }
static tg_tensor *load_csv(const char *path) { return tg_load_csv(path, .dtype = TG_U8); }

static const struct format {
    const char *name, *save_name, *load_name;
    tg_status (*save)(const tg_tensor *t, const char *path);
    tg_tensor *(*load)(const char *path);
    bool gzip;
    const char *empty; /* what is said of a file without bytes; NULL: it is one of the format, which holds bytes alone */
} formats[] = {
    {"idx", "save_idx", "load_idx", tg_save_idx, tg_load_idx, true, "the file is truncated"},
    {"npy", "save_npy", "load_npy", tg_save_npy, tg_load_npy, true, "the file is truncated"},
    {"mapped_npy", "save_npy", "map_npy", tg_save_npy, tg_map_npy, false, "the file is truncated"},
    {"csv", "save_csv", "load_csv", save_csv, load_csv, true, "the file is empty"},
    {"txt", "save_text", "load_text", tg_save_text, tg_load_text, true, NULL},
#if TG_HAVE_LIBZIP
    {"npz", "npz_", "npz_", save_npz, load_npz, false, "the file is truncated"},
#endif
#if TG_HAVE_JANSSON
    {"safetensors", "safetensors_", "safetensors_", save_set, load_set, false, "the file is truncated"},
    {"mapped_set", "safetensors_", "safetensors_", save_set, map_set, false, "the file is truncated"},
#endif
};

static char *path_for(const struct format *f, const char *suffix) {
    char name[100];
    snprintf(name, sizeof name, "file.%s%s", f->name, suffix);
    return in_folder(name);
}

static void expect_no_load(const struct format *f, const char *path, tg_status status, const char *says) {
    ck_assert(tg_is_poison(f->load(path)));
    tg_status_at(tg_error_status(), __FILE__, __LINE__);
    ck_assert(strncmp(tg_error_message(), f->load_name, strlen(f->load_name)) == 0);
    expect_file_error(status, path, says);
}

static void expect_no_save(const struct format *f, const tg_tensor *t, const char *path, tg_status status,
                           const char *says) {
    ck_assert_int_eq(tg_status_at(f->save(t, path), __FILE__, __LINE__), status);
    ck_assert(strncmp(tg_error_message(), f->save_name, strlen(f->save_name)) == 0);
    expect_file_error(status, path, says);
}

START_TEST(no_file_to_read) {
    const struct format *f = &formats[_i];
    const int before = open_descriptors();
    char *path = path_for(f, "");
    expect_no_load(f, path, TG_ERR_IO, strerror(ENOENT));
    expect_no_load(f, folder, TG_ERR_IO, strerror(EISDIR));
    expect_no_load(f, "/dev/zero", TG_ERR_IO, "this is not a regular file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_no_load(f, path, TG_ERR_IO, "this is not a regular file");
    remove(path);
    write_file(path, "", 0);
    if (f->empty)
        expect_no_load(f, path, TG_ERR_FORMAT, f->empty);
    else
        ck_assert_int_eq(tg_numel(f->load(path)), 0);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

START_TEST(no_place_to_write) {
    const struct format *f = &formats[_i];
    const tg_tensor *t = tg_zeros(TG_U8, 4);
    const int before = open_descriptors();
    char *path = path_for(f, "");
    expect_no_save(f, t, in_folder("missing/x"), TG_ERR_IO, strerror(ENOENT));
    expect_no_save(f, t, folder, TG_ERR_IO, strerror(EISDIR));
    expect_no_save(f, t, "/dev/full", TG_ERR_IO, "this is not a regular file");
    ck_assert_int_eq(mkfifo(path, 0600), 0);
    expect_no_save(f, t, path, TG_ERR_IO, "this is not a regular file");
    remove(path);
    const bool root = geteuid() == 0; /* who may write everywhere */
    ck_assert_int_eq(chmod(folder, 0500), 0);
    if (root) ck_assert_int_eq(seteuid(65534), 0);
    expect_no_save(f, t, path, TG_ERR_IO, strerror(EACCES));
    if (root) ck_assert_int_eq(seteuid(0), 0);
    ck_assert_int_eq(chmod(folder, 0700), 0);
    ck_assert_int_eq(files_in_folder(false), 0);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* A link stays, and so does the mode of the file that it leads to. */
START_TEST(through_a_link) {
    const struct format *f = &formats[_i];
    struct stat st;
    char *inner = in_folder("inner"), *target = in_folder("inner/real"), *link = in_folder("link");
    ck_assert_int_eq(mkdir(inner, 0700), 0);
    write_file(target, "old", 3);
    ck_assert_int_eq(chmod(target, 0640), 0);
    ck_assert_int_eq(symlink("inner/real", link), 0);
    ck_assert_int_eq(f->save(tg_full(TG_U8, 7, 5), link), TG_OK);
    ck_assert(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
    ck_assert(lstat(target, &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & 0777) == 0640);
    ck_assert(tg_get(f->load(target), 4) == 7);
    ck_assert_int_eq(symlink("missing/x", in_folder("nowhere")), 0);
    expect_no_save(f, tg_zeros(TG_U8, 5), in_folder("nowhere"), TG_ERR_IO, strerror(ENOENT));
    remove(target);
    ck_assert_int_eq(files_in_folder(false), 3);
}
END_TEST

/* The bytes of a tensor, as one. */
static tg_tensor *bytes_of(const tg_tensor *t) {
    return tg_from(TG_U8, tg_data(t), tg_numel(t) * (int64_t)tg_dtype_size(tg_dtype_of(t)));
}

/* 800,000 bytes that do not compress. */
static tg_tensor *make_big(const struct format *f) {
    tg_tensor *big = tg_zeros(TG_F64, 100000);
    double *v = tg_data_mut(big);
    uint64_t x = 1;
    for (int i = 0; i < 100000; i++) {
        x = x * UINT64_C(6364136223846793005) + 1442695040888963407u;
        v[i] = (double)(x >> 11);
    }
    if (!f->empty) return bytes_of(big);
    return big;
}

START_TEST(full_disk) {
    const struct format *f = &formats[_i];
    const tg_tensor *big = make_big(f);
    const int before = open_descriptors(), packings = 1 + (f->gzip && has_zlib());
    for (int k = 0; k < packings; k++) {
        const char *path = path_for(f, k == 0 ? "" : ".gz");
        ck_assert_int_eq(f->save(tg_ones(TG_U8, 3), path), TG_OK);
        fill_disk(true);
        const tg_status status = tg_status_at(f->save(big, path), __FILE__, __LINE__);
        fill_disk(false);
        ck_assert_int_eq(status, TG_ERR_IO);
        expect_file_error(TG_ERR_IO, path, strerror(EFBIG));
        ck_assert_int_eq(tg_numel(f->load(path)), 3);
    }
    ck_assert_int_eq(files_in_folder(false), packings);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* clang's OpenMP notes each process, forked ones too, in a file that one that is killed leaves behind; a later process of the
 * same number would read it, and end where it is empty. */
static void forget_killed(pid_t child) {
    char note[80];
    snprintf(note, sizeof note, "/dev/shm/__KMP_REGISTERED_LIB_%ld_%ld", (long)child, (long)getuid());
    remove(note);
}

static bool all_are(const tg_tensor *t, uint8_t value) {
    const uint8_t *v = tg_data(t);
    int64_t k = 0;
    while (k < tg_numel(t) && v[k] == value) k++;
    return k == tg_numel(t);
}

/* A child saves two arrays in turn until it is killed, at any moment: one of them is there. */
START_TEST(killed_while_saving) {
    const struct format *f = &formats[_i];
    const tg_tensor *one = tg_full(TG_U8, 1, 30000), *two = tg_full(TG_U8, 2, 50000);
    const char *path = path_for(f, "");
    const char *kills = getenv("TG_KILLS");
    const int times = kills ? atoi(kills) : getenv("TG_FAST") ? 30 : 200;
    ck_assert_int_eq(f->save(one, path), TG_OK);
    for (int i = 0; i < times; i++) {
        const pid_t child = fork();
        if (child == 0)
            for (;;)
                if (f->save(two, path) != TG_OK || f->save(one, path) != TG_OK) _exit(1);
        ck_assert_int_gt(child, 0);
        usleep((useconds_t)(i * 7919 % 3000));
        kill(child, SIGKILL);
        int status = 0;
        ck_assert_int_eq(waitpid(child, &status, 0), child);
        ck_assert(WIFSIGNALED(status));
        forget_killed(child);
        const tg_tensor *t = f->load(path);
        ck_assert_msg(tg_error_status() == TG_OK, "kill %d: %s", i, tg_error_message());
        const double value = tg_get(t, 0);
        ck_assert(tg_numel(t) == (value == 1 ? 30000 : 50000));
        ck_assert(all_are(t, (uint8_t)value));
    }
}
END_TEST

/* What has to be copied before it can be written: a transposed matrix, or every second byte. */
static const tg_tensor *make_view(const struct format *f) {
    if (!f->empty) {
        tg_array half = *tg_array_of(tg_ones(TG_U8, 1200));
        half.shape[0] = half.numel = 600;
        half.stride[0] = 2;
        return tg_from_array(&half);
    }
    const int order[2] = {1, 0};
    tg_array view = {0};
    tg_array_permute(&view, tg_array_of(tg_ones(TG_F64, 20, 30)), order);
    const tg_tensor *t = tg_from_array(&view);
    tg_array_drop(&view);
    return t;
}

/* Every allocation of the library in turn fails; the message names the function that was called. */
START_TEST(no_memory) {
    const struct format *f = &formats[_i];
    const char *path = path_for(f, "");
    const tg_tensor *t = make_view(f);
    const int before = open_descriptors();
    const size_t live = tg_memory_now().live_buffer_bytes;
    int64_t n = 1;
    for (;; n++) {
        tg_memory_fail_at(n);
        const tg_status status = f->save(t, path);
        tg_memory_fail_at(-1);
        if (status == TG_OK) break;
        expect_error(TG_ERR_MEMORY, f->save_name);
        ck_assert_int_eq(files_in_folder(false), 0);
    }
    ck_assert_int_gt(n, 1);
    ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    for (n = 1;; n++) {
        tg_memory_fail_at(n);
        const tg_tensor *back = f->load(path);
        tg_memory_fail_at(-1);
        if (!tg_is_poison(back)) break;
        expect_error(TG_ERR_MEMORY, f->load_name);
        ck_assert_uint_eq(tg_memory_now().live_buffer_bytes, live);
    }
    ck_assert_int_gt(n, 1);
    ck_assert_int_eq(open_descriptors(), before);
}
END_TEST

/* While an error is pending neither starts. */
START_TEST(pending_error) {
    const struct format *f = &formats[_i];
    const tg_tensor *t = tg_zeros(TG_U8, 4);
    const char *path = path_for(f, "");
    ck_assert_int_eq(f->save(t, path), TG_OK);
    tg_fail(TG_ERR_TAPE, "earlier");
    ck_assert(tg_is_poison(f->load(path)));
    remove(path);
    ck_assert_int_eq(f->save(t, path), TG_ERR_TAPE);
    ck_assert(!exists(path));
    expect_error(TG_ERR_TAPE, "earlier");
}
END_TEST

TCase *tcase_places(void) {
    TCase *tc = tcase_create("places");
    tcase_set_timeout(tc, 300);
    tcase_add_checked_fixture(tc, files_setup, files_teardown);
    tcase_add_loop_test(tc, no_file_to_read, 0, COUNT(formats));
    tcase_add_loop_test(tc, no_place_to_write, 0, COUNT(formats));
    tcase_add_loop_test(tc, through_a_link, 0, COUNT(formats));
    tcase_add_loop_test(tc, full_disk, 0, COUNT(formats));
    tcase_add_loop_test(tc, killed_while_saving, 0, COUNT(formats));
    tcase_add_loop_test(tc, no_memory, 0, COUNT(formats));
    tcase_add_loop_test(tc, pending_error, 0, COUNT(formats));
    return tc;
}
