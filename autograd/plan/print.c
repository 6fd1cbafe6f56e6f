/* A plan as text: one line a call. */
#include "autograd/plan/program.h"

#include <inttypes.h>
#include <stdio.h>

static void print_operand(FILE *file, const tg_program *p, const tg_operand *o) {
    static const char letter[] = {
        [TG_MEMORY_INPUT] = 'i', [TG_MEMORY_KEPT] = 'k', [TG_MEMORY_CONSTANT] = 'c', [TG_MEMORY_MADE] = 'm'};
    char text[160];
    if (o->memory == TG_ABSENT) {
        fputs("none", file);
        return;
    }
    if (o->memory >= 0) fprintf(file, "%c%d", letter[p->rec.memory[o->memory].kind], o->memory);
    fputs(tg_shape_text(tg_array_shape(&o->a), text, sizeof text), file);
}

/* Operands [from, to) of the call, without those that are only there for their layouts. */
static void print_operands(FILE *file, const tg_program *p, const tg_program_call *c, int from, int to) {
    const char *between = "";
    for (int i = from; i < to; i++) {
        if (c->operand[i].memory < 0) continue;
        fputs(between, file);
        print_operand(file, p, &c->operand[i]);
        between = " ";
    }
}

/* The first operand that the call writes; those before it are read. */
static int first_written(const tg_plan_call *c) {
    if (c->kind == TG_CALL_FORWARD) return c->n_in;
    return c->kind == TG_CALL_GRADIENT ? c->n_in + 2 * c->n_out : c->n;
}

static void print_changed(FILE *file, const tg_program *p, const tg_program_call *c) {
    for (int i = 0; i < c->call->n; i++) {
        if (!((c->call->makes | c->call->changes) >> i & 1)) continue;
        fputs(" -> ", file);
        print_operand(file, p, &c->operand[i]);
    }
}

static void print_call(FILE *file, const tg_program *p, int64_t i) {
    static const char *const of[] = {
        [TG_CALL_FORWARD] = "", [TG_CALL_GRADIENT] = " backward", [TG_CALL_WORK] = "", [TG_CALL_DECISION] = "?", [TG_CALL_STORE] = ": gradient"};
    const tg_program_call *c = &p->call[i];
    int written = first_written(c->call);
    fprintf(file, "%4" PRId64 "  %s%s(", i, c->call->name, of[c->call->kind]);
    print_operands(file, p, c, 0, written);
    fputs(")", file);
    if (written < c->call->n) fputs(" -> ", file);
    print_operands(file, p, c, written, c->call->n);
    if (c->call->kind == TG_CALL_WORK) print_changed(file, p, c);
    if (c->call->file) fprintf(file, "   %s:%d", tg_base_name(c->call->file), c->call->line);
    fputc('\n', file);
}

void tg_program_print(FILE *file, const tg_program *p) {
    fprintf(file,
            "%" PRId64 " calls, arena %zu bytes of at least %zu   (i input, k kept, c constant, m made)\n",
            p->rec.n_calls, p->bytes, p->lower_bound);
    for (int i = 0; i < 2; i++)
        if (*p->compiled[i].why) fprintf(file, "groups were not compiled: %s\n", p->compiled[i].why);
    for (int64_t i = 0; i < p->rec.n_calls; i++) print_call(file, p, i);
}
