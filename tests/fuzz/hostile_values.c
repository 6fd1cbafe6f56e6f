/* Numbers, texts, shapes and memory: mostly such as fit, and now and then the worst of their kind. */
#include "tests/fuzz/hostile.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- memory that lives until the end of the sequence ---- */

static struct piece { struct piece *next; } * pieces;

void *scratch(size_t bytes) {
    struct piece *p = calloc(1, sizeof *p + 8 + bytes);
    if (!p) abort();
    p->next = pieces;
    pieces = p;
    return (char *)p + sizeof *p + 8;
}

void forget_scratch(void) {
    while (pieces) {
        struct piece *next = pieces->next;
        free(pieces);
        pieces = next;
    }
}

/* ---- numbers ---- */

/* "n", "n_in": how many elements an array has. What the array holds cannot be checked, so it has CAPACITY of them. */
static bool is_count(const char *name) { return name[0] == 'n' && (name[1] == '\0' || name[1] == '_'); }

static const int64_t monsters[] = {-1,
                                   -2,
                                   -9,
                                   9,
                                   17,
                                   100,
                                   4097,
                                   65536,
                                   1 << 20,
                                   INT_MAX,
                                   INT_MIN,
                                   1LL << 32,
                                   1LL << 40,
                                   1LL << 60,
                                   INT64_MAX,
                                   INT64_MIN,
                                   INT64_MAX - 1,
                                   INT64_MIN + 1,
                                   (1LL << 31) + 1,
                                   -(1LL << 33)};

int64_t monster(void) { return monsters[below(COUNT(monsters))]; }

static int draw_number_of(void) {
    static const int absurd[] = {-1, -2, INT_MIN, 9, 17, 40, 300, CAPACITY};
    return bad() ? absurd[below(COUNT(absurd))] : (int)below(4);
}

/* More random vectors, each an exact repetition, take longer and show nothing. */
static int few(int64_t v) { return (int)(v > 3 ? 3 : v < INT_MIN ? INT_MIN : v); }

int draw_int(const char *name) {
    int v;
    if (is_count(name))
        v = draw_number_of();
    else if (strcmp(name, "projections") == 0)
        v = few(bad() ? monster() : below(3));
    else
        v = bad() ? (int)monster() : (int)(one_in(2) ? below(3) : below(5) - 2);
    if (is_count(name)) FRAME->count = v;
    note(" %s=%d", name, v);
    return v;
}

/* A loader's thread would change the live bytes at any time: it has one where prefetch is in [1, 1024]. */
static int64_t draw_prefetch(void) {
    const int64_t v = bad() ? monster() : 0;
    return v < 0 || v > 1024 ? v : 0;
}

int64_t draw_int64_t(const char *name) {
    int64_t v = strcmp(name, "prefetch") == 0 ? draw_prefetch()
                : bad()                       ? monster()
                : one_in(4)                   ? below(7) - 2
                                              : below(4);
    note(" %s=%lld", name, (long long)v);
    return v;
}

static bool is_room(const char *name) { return strcmp(name, "n") == 0; }

/* `n` bytes of a buffer: it has that many. */
size_t draw_size_t(const char *name) {
    static const size_t large[] = {SIZE_MAX, SIZE_MAX - 1, SIZE_MAX / 2, (size_t)1 << 40, 4097, 3};
    static const size_t sizes[] = {0, 1, 2, 4, 8, 12, 24, 36, 48, 64, 72, CAPACITY};
    size_t v = bad() && !is_room(name) ? large[below(COUNT(large))] : sizes[below(COUNT(sizes))];
    note(" %s=%zu", name, v);
    return v;
}

uint64_t draw_uint64_t(const char *name) {
    uint64_t v = bad() ? random_bits() : (uint64_t)below(5);
    note(" %s=%llu", name, (unsigned long long)v);
    return v;
}

double draw_double(const char *name) {
    static const double hard[] = {NAN,   INFINITY, -INFINITY, 1e308,     -1e308, 5e-324, 1e20,
                                  -1e20, 1e-50,    3e38,      -0.0,      -1,     -1e-9,  2,
                                  1e9,   9.3e18,   -9.3e18,   1.0000001, 4e9,    1e-310};
    static const double usual[] = {0, 0, 0.5, 1, 1, 2, 0.1, 1e-3, 0.9, 3};
    double v = bad() ? hard[below(COUNT(hard))] : usual[below(COUNT(usual))];
    note(" %s=%.9g", name, v);
    return v;
}

bool draw_bool(const char *name) {
    bool v = one_in(2);
    note(" %s=%d", name, v);
    return v;
}

int draw_enum(const char *name, int count) {
    static const int outside[] = {-1, 99, INT_MAX, INT_MIN, 255, 256};
    int64_t pick = below(COUNT(outside) + 1);
    int v = !bad() ? (int)below(count) : pick < COUNT(outside) ? outside[pick] : count;
    if (!bad() && strcmp(name, "dtype") == 0 && one_in(2)) v = TG_F32;
    note(" %s=%d", name, v);
    return v;
}

tg_shape draw_tg_shape(const char *name) {
    static const int ranks[] = {-1, 9, 1000, INT_MIN, INT_MAX, 8, 7};
    tg_shape s = {bad() ? ranks[below(COUNT(ranks))] : (int)below(4), {0}};
    note(" %s=", name);
    for (int i = 0; i < TG_MAX_RANK; i++) {
        s.dim[i] = bad() ? monster() : below(4);
        if (i < s.rank) note("%s%lld", i ? "," : "[", (long long)s.dim[i]);
    }
    note("%s rank %d", s.rank > 0 ? "]" : "", s.rank);
    return s;
}

tg_shape *draw_tg_shape_p(const char *name) {
    note(" %s=", name);
    return bad() ? (note("NULL"), NULL) : scratch(sizeof(tg_shape));
}

size_t *draw_size_t_p(const char *name) {
    note(" %s=", name);
    return bad() ? (note("NULL"), NULL) : scratch(sizeof(size_t));
}

int *draw_int_p(const char *name) {
    note(" %s=", name);
    return bad() ? (note("NULL"), NULL) : scratch(sizeof(int));
}

/* CAPACITY sizes, such as add up to the size of an axis. */
int64_t *draw_int64_t_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    int64_t *v = scratch(CAPACITY * sizeof *v);
    for (int i = 0; i < CAPACITY; i++) v[i] = i < 8 && bad() ? monster() : i < 3;
    return v;
}

double *draw_double_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    double *v = scratch(CAPACITY * sizeof *v);
    for (int i = 0; i < CAPACITY; i++) v[i] = i < 8 ? draw_double("") : 1;
    return v;
}

uint32_t *draw_uint32_t_p(const char *name) {
    note(" %s=", name);
    return bad() ? (note("NULL"), NULL) : scratch(CAPACITY * sizeof(uint32_t));
}

/* ---- texts ---- */

static const char *const equations[] = {
    "ij,jk->ik", "ii->i",     "ii->",         "ij->ji", "...ij,...jk",
    "ij,ij->",   "i,j->ij",   "bij,bjk->bik", "",       "->",
    ",",         "ij,jk->ii", "i..j",         "....",   "ij,jk->iq",
    "1",         "ij->",      "abcdefghij->", "...->",  "i j , j k -> i k",
    "->->",      "ii",        "ij,jk,kl->il", "\xff"};
static const char *const names[] = {"fc1", "fc2", "a.b", "x", "fc1.weight"};

static const char *long_text(void) {
    size_t n = (size_t)(one_in(4) ? 100000 : 240 + below(300));
    char *s = scratch(n + 1);
    memset(s, 'n', n);
    return s;
}

/* It has no arguments. */
static const char *bad_format(void) {
    if (one_in(2)) return one_in(2) ? "hostile: 100%%, and\nanother line" : "hostile: ";
    char *s = scratch(6001);
    memset(s, 'n', 6000);
    memcpy(s, "hostile: ", 9);
    return s;
}

static const char *bad_text(void) {
    static const char *const bad_ones[] = {"",  "%s%s%n", "two\nlines", "\x01\x7f\xff",   "\n",
                                           " ", "..",     "tab\there",  "%99999d%*s%1$s", "\x1b[2J"};
    int64_t i = below(COUNT(bad_ones) + 2);
    return i < COUNT(bad_ones) ? bad_ones[i] : i == COUNT(bad_ones) ? long_text() : NULL;
}

/* The user's own name of a function, with which the message then begins. */
static bool starts_message(const char *name) {
    return strcmp(name, "op") == 0 || strcmp(name, "layer") == 0 ||
           (FRAME->call == find_hostile("tg_checkpoint") && strcmp(name, "name") == 0);
}

static const char *pick_text(const char *name) {
    if (strcmp(name, "path") == 0) return draw_path(name);
    if (strcmp(name, "folder") == 0) return draw_folder();
    if (strcmp(name, "format") == 0) return bad() ? bad_format() : "hostile: a text";
    if (bad()) return starts_message(name) ? NULL : bad_text();
    if (starts_message(name)) return "hostile_layer";
    if (strcmp(name, "equation") == 0) return equations[below(COUNT(equations))];
    if (one_in(2)) return names[below(COUNT(names))];
    return hostile_calls[below(n_hostile_calls)].name + 3; /* of an op, perhaps */
}

const char *draw_text(const char *name) {
    const char *s = pick_text(name);
    note(" %s=\"%.40s\"", name, s ? s : "(NULL)");
    return s;
}

char *draw_char_p(const char *name) {
    note(" %s=", name);
    return bad() ? (note("NULL"), NULL) : scratch(CAPACITY);
}

/* ---- memory ---- */

void *draw_void_p(const char *name) {
    if (strcmp(name, "user") == 0) return draw_user();
    note(" %s=", name);
    return bad() ? (note("NULL"), NULL) : scratch(MOST_BYTES);
}

/* Bytes of 0 and 1, which every dtype takes. */
static void *bytes_to_read(void) {
    static unsigned char data[MOST_BYTES];
    for (int i = 0; i < 64; i++) data[i] = (unsigned char)below(2);
    return data;
}

/* `user` of an initialiser: a number. */
const void *draw_const_void_p(const char *name) {
    static double number;
    if (strcmp(name, "attr") == 0) return draw_attr();
    if (bad()) return note(" %s=NULL", name), NULL;
    if (strcmp(name, "user") != 0) return note(" %s=", name), bytes_to_read();
    number = draw_double(name);
    return &number;
}

/* Options that were never set have anything in every field. */
void draw_open(const char *name) {
    FRAME->garbage = bad() && one_in(3);
    note(" %s={", name);
}
void draw_close(void) {
    FRAME->garbage = false;
    note(" }");
}
bool draw_field(void) { return FRAME->garbage || one_in(3); }
