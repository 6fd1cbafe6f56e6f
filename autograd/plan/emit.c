/* Groups as C: one loop over the elements, in which each kernel is the expression that the table has for it.
 *
 * A value is loaded when it is first read, and stored behind the last kernel unless nobody else uses it. Written memory has
 * one place in a group (schedule.c), so a memory and a place name one value at a time. */
#include "autograd/plan/emit.h"
#include "core/span.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct value {
    int memory; /* -1: a number of the program's own */
    int64_t at;
    int stride, along, size, number; /* number: of the variable v<number> */
    int operand;                     /* of the group; -1: it is not in memory */
    bool written;
} value;

typedef struct emitter {
    FILE *file;
    tg_program *p;
    value *value;
    tg_group_operand *operand;
    int values, variables, operands;
} emitter;

static int64_t kernels_of(const tg_part *part) { return part->end - part->first; }

/* ---- operands ---- */

static int add_operand(emitter *e, int64_t kernel, int k) {
    e->operand[e->operands] = (tg_group_operand){kernel, k};
    return e->operands++;
}

static value *find(const emitter *e, const tg_plan_map *m, int k) {
    for (int i = 0; i < e->values; i++) {
        value *v = &e->value[i];
        if (m->memory[k] >= 0 && v->memory == m->memory[k] && v->at == m->of->at[k] &&
            v->stride == m->of->stride[k] && v->along == m->of->along[k] && v->size == m->of->size[k])
            return v;
    }
    return NULL;
}

static value *add_value(emitter *e, const tg_plan_map *m, int k, int operand) {
    value *v = &e->value[e->values++];
    *v = (value){m->memory[k],   m->of->at[k],   m->of->stride[k], m->of->along[k],
                 m->of->size[k], e->variables++, operand,          false};
    return v;
}

static void load(emitter *e, const value *v) {
    static const char *const rows[] = {[TG_SAME_ROW] = "i % ROW", [TG_ONE_A_ROW] = "i / ROW"};
    const char *place = v->along != TG_EACH ? rows[v->along] : v->stride ? "i" : "0";
    fprintf(e->file, v->size == 1 ? "    M v%d = " : "    V v%d = ", v->number);
    if (v->size == 1 && v->stride)
        fprintf(e->file, "load_truth((const unsigned char *)at[%d], %s, m);\n", v->operand, place);
    else if (v->size == 1)
        fprintf(e->file, "at[%d][%s] ? first(W) : first(0);\n", v->operand, place);
    else if (v->stride)
        fprintf(e->file, "load((const S *)at[%d], %s, m);\n", v->operand, place);
    else
        fprintf(e->file, "K(((const S *)at[%d])[%s]);\n", v->operand, place);
}

/* The number of the variable that holds operand k of the kernel, which is loaded where it is not there yet. */
static int operand_of(emitter *e, const tg_plan_map *m, int64_t kernel, int k) {
    value *v = find(e, m, k);
    if (!v) load(e, v = add_value(e, m, k, add_operand(e, kernel, k)));
    return v->number;
}

/* The same for the result. */
static int result_of(emitter *e, const tg_plan_map *m, int64_t kernel) {
    bool local = e->p->rec.memory[m->memory[0]].local;
    value *v = find(e, m, 0);
    if (v)
        v->number = e->variables++;
    else
        v = add_value(e, m, 0, -1);
    if (!local && v->operand < 0) v->operand = add_operand(e, kernel, 0);
    v->written = !local;
    return v->number;
}

static void store_all(const emitter *e) {
    for (int i = 0; i < e->values; i++) {
        const value *v = &e->value[i];
        if (!v->written) continue;
        fprintf(e->file,
                v->size == 1 ? "    store_truth((unsigned char *)at[%d], i, m, v%d);\n"
                             : "    store((S *)at[%d], i, m, v%d);\n",
                v->operand, v->number);
    }
}

/* ---- kernels ---- */

static void put_parameters(const emitter *e, const tg_plan_map *m, int64_t number) {
    static const double none[2];
    if (memcmp(m->of->arg, none, sizeof none) == 0)
        fputs(", K(0), K(0))", e->file);
    else
        fprintf(e->file, ", K(arg[%" PRId64 "]), K(arg[%" PRId64 "]))", 2 * number, 2 * number + 1);
}

bool tg_emit_expression(FILE *file, const tg_expression *x, const int *v) {
    static const char *const name[] = {
        [TG_VALUE] = "value_", [TG_GRADIENT] = "gradient_", [TG_BINARY] = "binary_", [TG_AFFINE] = "value_affine", [TG_AXPY] = "value_axpy"};
    if (x->kind == TG_COMPARE) return fprintf(file, "v%d %s v%d", v[0], x->name, v[1]), false;
    if (x->kind == TG_WHERE) return fprintf(file, "select(v%d, v%d, v%d)", v[2], v[0], v[1]), false;
    int n = x->kind == TG_GRADIENT ? 3 : x->kind == TG_BINARY || x->kind == TG_AXPY ? 2 : 1;
    fprintf(file, "%s%s(", name[x->kind], x->name);
    for (int i = 0; i < n; i++) fprintf(file, i ? ", v%d" : "v%d", v[i]);
    return true;
}

void tg_emit_comment(FILE *file, const tg_plan_call *c) {
    fprintf(file, "; /* %s%s", c->of->name, c->kind == TG_CALL_GRADIENT ? " backward" : "");
    if (c->file) fprintf(file, ", %s:%d", tg_base_name(c->file), c->line);
    fputs(" */\n", file);
}

static void put_kernel(emitter *e, const tg_plan_call *c, const tg_plan_map *m, const tg_expression *x,
                       int64_t number, int64_t first) {
    int v[TG_MAX_OPERANDS];
    for (int k = 1; k < TG_MAX_OPERANDS; k++) /* a gradient's operands that are not there: the first for them */
        v[k - 1] = k < m->of->operands ? operand_of(e, m, first + number, k) : v[0];
    fprintf(e->file, "    %s v%d = ", x->kind == TG_COMPARE ? "M" : "V", result_of(e, m, first + number));
    if (tg_emit_expression(e->file, x, v)) put_parameters(e, m, number);
    tg_emit_comment(e->file, c);
}

/* f is called for each kernel of the group. False: one of them returned false. */
typedef bool each_kernel(emitter *e, const tg_plan_call *c, const tg_plan_map *m, int64_t number,
                         void *context);

static bool for_each(emitter *e, const tg_part *part, each_kernel *f, void *context) {
    const tg_recording *rec = &e->p->rec;
    int64_t number = 0;
    for (int64_t c = part->call; number < kernels_of(part); c++)
        for (int i = 0; i < rec->call[c].maps; i++)
            if (!f(e, &rec->call[c], &rec->map[rec->call[c].map + i], number++, context)) return false;
    return true;
}

/* Whether there is an expression for each kernel, all of one type; how many operands they have. */
typedef struct kind {
    int dtype, operands;
    int64_t row;
} kind;
static bool look(emitter *e, const tg_plan_call *c, const tg_plan_map *m, int64_t number, void *context) {
    kind *k = context;
    tg_expression x;
    (void)e, (void)c;
    if (!tg_expression_of(m->of->run, &x) || x.kind == TG_FOLD || (number > 0 && x.dtype != k->dtype))
        return false;
    k->dtype = x.dtype, k->operands += m->of->operands;
    if (m->of->row) k->row = m->of->row;
    return m->of->row % tg_kernels_for(x.dtype)->lanes == 0; /* vectors do not go from one row to the next */
}

static bool emit_kernel(emitter *e, const tg_plan_call *c, const tg_plan_map *m, int64_t number, void *context) {
    const tg_part *part = context;
    tg_expression x;
    tg_expression_of(m->of->run, &x);
    put_kernel(e, c, m, &x, number, part->first);
    return true;
}

/* ---- a group ---- */

static bool take_argument(emitter *e, const tg_plan_call *c, const tg_plan_map *m, int64_t number,
                          void *context) {
    const tg_group *g = context;
    (void)e, (void)c;
    for (int i = 0; i < 2; i++)
        if (g->dtype == TG_F32)
            ((float *)(uintptr_t)g->arg)[2 * number + i] = (float)m->of->arg[i];
        else
            ((double *)(uintptr_t)g->arg)[2 * number + i] = m->of->arg[i];
    return true;
}

static bool take_group(emitter *e, tg_part *part) {
    tg_group *g = &part->group;
    tg_group_operand *o = tg_program_take(e->p, e->operands, sizeof *o);
    g->arg = tg_program_take(e->p, 2 * kernels_of(part), sizeof(double));
    g->at = tg_program_take(e->p, e->operands, sizeof *g->at);
    if (!o || !g->arg || !g->at) return false;
    g->operand = memcpy(o, e->operand, (size_t)e->operands * sizeof *o), g->operands = e->operands;
    return for_each(e, part, take_argument, g);
}

/* Elements take part in the accumulators as in reduce_block of core/kernels/reduce/pairwise.h. */
static void put_sums(emitter *e, const tg_part *part) {
    for (int k = 0; k < part->sums; k++)
        for (int i = 0; i < e->values; i++)
            if (e->value[i].memory == part->sum[k].memory)
                fprintf(e->file, "    sum[%d] = (m == W ? v%d : select(first(m), v%d, K(0))) + sum[%d];\n", k,
                        e->value[i].number, e->value[i].number, k);
}

static void put_loop_with_sums(emitter *e, const tg_part *part, int64_t number) {
    fprintf(e->file,
            "}\n__attribute__((visibility(\"default\"))) void group_%" PRId64
            "(int64_t begin, int64_t end, char *const *at, const S *arg) {\n"
            "    enum { SUMS = %d, CHUNK = %d, VECTORS = 256 / (int)sizeof(S) / W };\n"
            "    for (int64_t chunk = begin; chunk < end; chunk += CHUNK) {\n"
            "        V sum[VECTORS * SUMS];\n"
            "        int64_t i = chunk, last = end - chunk < CHUNK ? end : chunk + CHUNK, k = 0;\n"
            "        for (int j = 0; j < VECTORS * SUMS; j++) sum[j] = K(0);\n"
            "        for (; i + W <= last; i += W, k = (k + 1) %% VECTORS) step_%" PRId64
            "(i, W, at, arg, sum + k * SUMS);\n"
            "        if (i < last) step_%" PRId64 "(i, last - i, at, arg, sum + k * SUMS);\n"
            "        for (int h = VECTORS / 2; h > 0; h /= 2)\n"
            "            for (int j = 0; j < h * SUMS; j++) sum[j] = sum[j] + sum[h * SUMS + j];\n",
            number, part->sums, TG_SUM_CHUNK, number, number);
    for (int k = 0; k < part->sums; k++)
        fprintf(e->file, "        ((S *)at[%d])[chunk / CHUNK] = across(sum[%d], plus);\n",
                add_operand(e, -1, k), k);
    fputs("    }\n}\n", e->file);
}

static void put_loop(FILE *file, int64_t number) {
    fprintf(file,
            "}\n__attribute__((visibility(\"default\"))) void group_%" PRId64
            "(int64_t begin, int64_t end, char *const *at, const S *arg) {\n"
            "    int64_t i = begin;\n"
            "    for (; i + W <= end; i += W) step_%" PRId64 "(i, W, at, arg);\n"
            "    if (i < end) step_%" PRId64 "(i, end - i, at, arg);\n"
            "}\n",
            number, number, number);
}

/* The group as functions step_<number> and group_<number>. */
static bool emit_group(FILE *file, tg_program *p, tg_part *part, const kind *k) {
    size_t bytes = (size_t)(k->operands + TG_SUMS) * (sizeof(value) + sizeof(tg_group_operand));
    value *values = tg_sys_alloc(bytes);
    if (!values) return false;
    emitter e = {.file = file,
                 .p = p,
                 .value = values,
                 .operand = (tg_group_operand *)(void *)(values + k->operands + TG_SUMS)};
    int64_t number = part - p->part;
    fprintf(file,
            "\n/* %" PRId64 " kernels. at: where operands begin; arg: two parameters a kernel. */\n"
            "INLINE void step_%" PRId64
            "(int64_t i, int64_t m, char *const *restrict at, const S *restrict arg%s) {\n    (void)arg;\n",
            kernels_of(part), number, part->sums ? ", V *restrict sum" : "");
    if (k->row) fprintf(file, "    const int64_t ROW = %" PRId64 ";\n", k->row);
    for_each(&e, part, emit_kernel, part);
    put_sums(&e, part);
    store_all(&e);
    if (part->sums)
        put_loop_with_sums(&e, part, number);
    else
        put_loop(file, number);
    part->group.dtype = k->dtype;
    bool taken = take_group(&e, part);
    tg_sys_free(values, bytes);
    return taken;
}

/* All groups of one type that have expressions; how many there are. */
static int64_t emit(FILE *file, tg_program *p, int dtype) {
    const char *text[3];
    int64_t groups = 0;
    emitter e = {.p = p};
    tg_kernel_text(text);
    fprintf(file,
            "/* Elementwise work of a plan, by tapegrad. It is at the end. */\n#define TG_REAL %d\n%s%s%s"
            "\nINLINE V plus(V a, V b) { return a + b; }\n",
            dtype == TG_F32 ? 32 : 64, text[0], text[1], text[2]);
    for (int64_t i = 0; i < p->n_parts; i++) {
        kind k = {0};
        if (p->part[i].kind != TG_PART_BLOCKS || !for_each(&e, &p->part[i], look, &k) || k.dtype != dtype)
            continue;
        if (!emit_group(file, p, &p->part[i], &k)) return 0;
        groups++;
    }
    int64_t straight = tg_emit_straight(file, p, dtype);
    return straight < 0 ? 0 : groups + straight;
}

/* ---- all ---- */

static void take_functions(tg_program *p, int dtype) {
    for (int64_t i = 0; i < p->n_parts; i++) {
        tg_part *part = &p->part[i];
        char name[32];
        if (part->group.dtype != dtype) continue;
        if (part->kind == TG_PART_STRAIGHT && part->body >= 0) {
            snprintf(name, sizeof name, "straight_%d", part->body);
            part->straight = (tg_straight_fn *)tg_compiled_function(&p->compiled[dtype], name);
        } else if (part->group.operand) {
            snprintf(name, sizeof name, "group_%" PRId64, i);
            part->group.run = (tg_group_fn *)tg_compiled_function(&p->compiled[dtype], name);
        }
    }
}

static void compile(tg_program *p, int dtype) {
    char *text = NULL, options[512];
    size_t n = 0;
    FILE *file = open_memstream(&text, &n);
    int64_t groups = file ? emit(file, p, dtype) : 0;
    bool written = file && fclose(file) == 0;
    snprintf(options, sizeof options, "-O2 -fvisibility=hidden -fno-math-errno -ffp-contract=off %s",
             tg_kernel_flags());
    if (written && groups) p->compiled[dtype] = tg_compile(text, n, options, tg_kernel_library());
    free(text);
    if (p->compiled[dtype].library) take_functions(p, dtype);
}

void tg_program_compile(tg_program *p) {
    int64_t begin = tg_span_now();
    for (int dtype = TG_F32; dtype <= TG_F64; dtype++) compile(p, dtype);
    p->compile_seconds = (double)(tg_span_now() - begin) / 1e9;
}

bool tg_program_share_groups(tg_program *p) {
    for (int64_t i = 0; i < p->n_parts; i++) {
        tg_group *g = &p->part[i].group;
        *g = p->first->part[i].group;
        g->tries = 0, g->blocks = false;
        p->part[i].straight = p->first->part[i].straight;
        if (g->run && !(g->at = tg_program_take(p, g->operands, sizeof *g->at))) return false;
    }
    return true;
}
