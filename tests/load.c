/* A host that loads the library, uses it in threads that outlive the handle, and unloads it, many times; and one that has
 * no thread-specific key to spare. usage: load LIBRARY */
#define _POSIX_C_SOURCE 200809L
#include "core/tensor.h"

#include <dlfcn.h>
#include <limits.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdlib.h>
#include <string.h>

typedef struct library {
    void *handle;
    tg_tensor *(*scalar)(tg_dtype, double);
    double (*item)(const tg_tensor *);
    tg_status (*status)(void);
    void (*clear)(void);
} library;

static void fail(const char *what) {
    fprintf(stderr, "load: %s\n", what);
    exit(1);
}

static void *symbol(const library *l, const char *name) {
    void *p = dlsym(l->handle, name);
    if (!p) fail(name);
    return p;
}

#define TAKE(field, name) \
    do { \
        void *p = symbol(&l, name); \
        memcpy(&l.field, &p, sizeof p); \
    } while (0)

static library load(const char *path) {
    library l = {.handle = dlopen(path, RTLD_NOW | RTLD_LOCAL)};
    if (!l.handle) fail(dlerror());
    TAKE(scalar, "tg_scalar");
    TAKE(item, "tg_item");
    TAKE(status, "tg_error_status");
    TAKE(clear, "tg_error_clear");
    return l;
}

static bool works(const library *l) {
    bool right = l->item(l->scalar(TG_F64, 2.5)) == 2.5 && l->status() == TG_OK;
    l->clear();
    return right;
}

/* ---- threads that end after dlclose ---- */

static sem_t used, closed;

static void *user(void *p) {
    if (!works(p)) fail("wrong in a thread");
    sem_post(&used);
    sem_wait(&closed);
    return NULL;
}

static pthread_key_t next_key(void) {
    pthread_key_t key;
    if (pthread_key_create(&key, NULL) != 0) fail("no key");
    pthread_key_delete(key);
    return key;
}

static void load_and_unload(const char *path) {
    library l = load(path);
    pthread_t thread = 0;
    if (!works(&l) || pthread_create(&thread, NULL, user, &l) != 0) fail("wrong after dlopen");
    sem_wait(&used);
    dlclose(l.handle);
    sem_post(&closed);
    pthread_join(thread, NULL);
}

/* ---- no key left ---- */

static pthread_key_t keys[PTHREAD_KEYS_MAX];
static int mine[PTHREAD_KEYS_MAX];

static void without_keys(const char *path) {
    library l = load(path);
    int n = 0;
    while (n < PTHREAD_KEYS_MAX && pthread_key_create(&keys[n], NULL) == 0) {
        if (pthread_setspecific(keys[n], &mine[n]) != 0) fail("no memory");
        n++;
    }
    for (int i = 0; i < 3; i++) {
        l.scalar(TG_F32, 1);
        if (l.status() != TG_ERR_MEMORY) fail("no TG_ERR_MEMORY without a key");
        l.clear();
    }
    for (int i = 0; i < n; i++)
        if (pthread_getspecific(keys[i]) != &mine[i]) fail("a key of the host was overwritten");
    pthread_key_delete(keys[--n]);
    if (!works(&l)) fail("one key is enough");
    for (int i = 0; i < n; i++)
        if (pthread_getspecific(keys[i]) != &mine[i]) fail("a key of the host was overwritten");
    while (n > 0) pthread_key_delete(keys[--n]);
    dlclose(l.handle);
}

int main(int argc, char **argv) {
    if (argc < 2 || sem_init(&used, 0, 0) != 0 || sem_init(&closed, 0, 0) != 0) return 2;
    without_keys(argv[1]);
    load_and_unload(argv[1]);
    pthread_key_t first = next_key();
    for (int i = 0; i < 8; i++) load_and_unload(argv[1]);
    if (next_key() != first) fail("keys leak");
    puts("load: ok");
    return 0;
}
