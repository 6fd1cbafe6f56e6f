/* A plan as text: one line a call. */
#include "autograd/plan/program.h"
#include "autograd/profile/cost.h"

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
    fputs(tg_shape_text(tg_array_shape(o->a), text, sizeof text), file);
}

/* Operands [from, to) of the call, without those that are only there for their layouts. */
static void print_operands(FILE *file, const tg_program *p, const tg_plan_call *c, int from, int to) {
    const tg_operand *operand = &p->rec.operand[c->operand];
    const char *between = "";
    for (int i = from; i < to; i++) {
        if (operand[i].memory < 0) continue;
        fputs(between, file);
        print_operand(file, p, &operand[i]);
        between = " ";
    }
}

/* The first operand that the call writes; those before it are read. */
static int first_written(const tg_plan_call *c) {
    if (c->kind == TG_CALL_FORWARD) return c->of->n_in;
    return c->kind == TG_CALL_GRADIENT ? c->of->n_in + 2 * c->of->n_out : c->of->n;
}

static void print_changed(FILE *file, const tg_program *p, const tg_plan_call *c) {
    for (int i = 0; i < c->of->n; i++) {
        if (!((c->of->makes | c->of->changes) >> i & 1)) continue;
        fputs(" -> ", file);
        print_operand(file, p, &p->rec.operand[c->operand + i]);
    }
}

static void print_call(FILE *file, const tg_program *p, int64_t i) {
    static const char *const of[] = {
        [TG_CALL_FORWARD] = "", [TG_CALL_GRADIENT] = " backward", [TG_CALL_WORK] = "", [TG_CALL_DECISION] = "?", [TG_CALL_STORE] = ": gradient"};
    const tg_plan_call *c = &p->rec.call[i];
    int written = first_written(c);
    fprintf(file, "%4" PRId64 "  %s%s(", i, c->of->name, of[c->kind]);
    print_operands(file, p, c, 0, written);
    fputs(")", file);
    if (written < c->of->n) fputs(" -> ", file);
    print_operands(file, p, c, written, c->of->n);
    if (c->kind == TG_CALL_WORK) print_changed(file, p, c);
    if (c->summed) fputs("   summed by the pass above", file);
    if (c->file) fprintf(file, "   %s:%d", tg_base_name(c->file), c->line);
    fputc('\n', file);
}

/* ---- figures ---- */

static double seconds_of(const tg_piece *piece) {
    int64_t runs = atomic_load_explicit(&piece->runs, memory_order_relaxed);
    return runs ? (double)atomic_load_explicit(&piece->took, memory_order_relaxed) / 1e9 / (double)runs : 0;
}

static double whole_run(const tg_program *p, const tg_piece *piece) {
    double sum = 0;
    for (int64_t i = 0; piece && i < p->rec.n_calls; i++) sum += seconds_of(&piece[i]);
    return sum;
}

/* The columns before a line; NULL: nothing is known of it alone. all: seconds of the whole run, 0 where it was not measured. */
static void print_figures(FILE *file, const tg_piece *piece, double all) {
    char bytes[16], flops[16];
    if (!piece) {
        fprintf(file, "%*s", (int)(all > 0 ? 19 : 0) + 2 * TG_FIGURE + 1, "");
        return;
    }
    if (all > 0) fprintf(file, "%10.2f %5.1f %% ", seconds_of(piece) * 1e6, seconds_of(piece) / all * 100);
    fprintf(file, "%s %s", tg_figure(piece->bytes, bytes), tg_figure(piece->flops, flops));
}

static void print_part(FILE *file, const tg_program *p, const tg_part *part, const tg_piece *piece, double all) {
    static const char *const how[] = {[TG_PART_CALLS] = "",
                                      [TG_PART_NUMBERS] = "single numbers",
                                      [TG_PART_KERNELS] = "one after the other",
                                      [TG_PART_BLOCKS] = "fused, block by block",
                                      [TG_PART_STRAIGHT] = "one after the other"};
    int64_t end = tg_part_end_call(p, part);
    bool together = part->kind != TG_PART_CALLS && end > part->call + 1;
    if (together) {
        print_figures(file, piece ? &piece[part->call] : NULL, all);
        fprintf(file, "  %" PRId64 " calls, %s:\n", end - part->call,
                part->group.blocks ? "fused, block by block, as compiled they are slower"
                : part->group.run  ? "fused and compiled"
                : part->straight   ? "compiled as straight-line code"
                                   : how[part->kind]);
    }
    for (int64_t i = part->call; i < end; i++) {
        print_figures(file, piece && !together ? &piece[i] : NULL, all);
        fputs(together ? "  | " : "  ", file);
        print_call(file, p, i);
    }
}

void tg_program_print(FILE *file, tg_program *p) {
    const tg_piece *piece = tg_program_pieces(p);
    double all = whole_run(p, piece);
    fprintf(file, "%" PRId64 " calls, ", p->rec.n_calls);
    if (p->rec.n_unused) fprintf(file, "%" PRId64 " left out that nobody uses, ", p->rec.n_unused);
    fprintf(file, "arena %zu bytes of at least %zu   (i input, k kept, c constant, m made)\n", p->bytes,
            p->lower_bound);
    for (int i = 0; i < 2; i++)
        if (*p->compiled[i].why) fprintf(file, "groups were not compiled: %s\n", p->compiled[i].why);
    if (all > 0) fprintf(file, "%10s %7s ", "us a run", "share");
    fprintf(file, "%*s %*s\n", TG_FIGURE, "bytes", TG_FIGURE, "flops");
    for (const tg_part *part = p->part, *last = part + p->n_parts; part < last; part++)
        print_part(file, p, part, piece, all);
    if (all > 0) fprintf(file, "%10.2f %5.1f %%  in all\n", all * 1e6, 100.0);
}
