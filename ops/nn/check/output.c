/* The results of a suite as TAP and as JUnit XML. */
#include "ops/nn/check/suite_private.h"

#include "core/io/text.h"

#include <inttypes.h>
#include <string.h>

/* One character of a text at a time, as the format has it; what is no UTF-8 becomes U+FFFD. */
typedef void (*write_fn)(FILE *file, uint32_t code, const char *bytes, int n);

static void write_text(FILE *file, const char *text, write_fn write) {
    for (const char *p = text, *end = text + strlen(text); p < end;) {
        uint32_t code = 0xfffd;
        int n = tg_utf8_decode(p, end - p, &code);
        if (n > 0)
            write(file, code, p, n);
        else
            write(file, 0xfffd, "\xef\xbf\xbd", 3);
        p += n > 0 ? n : 1;
    }
}

static bool is_control(uint32_t code) { return code < 0x20 || (code >= 0x7f && code < 0xa0); }

/* ---- TAP ---- */

/* A description ends at a #, which would begin a directive, and at the end of the line. */
static void write_described(FILE *file, uint32_t code, const char *bytes, int n) {
    if (is_control(code))
        fputc(' ', file);
    else {
        if (code == '#' || code == '\\') fputc('\\', file);
        fwrite(bytes, 1, (size_t)n, file);
    }
}

static void write_yaml(FILE *file, uint32_t code, const char *bytes, int n) {
    if (is_control(code))
        fprintf(file, "\\u%04x", (unsigned)code);
    else {
        if (code == '"' || code == '\\') fputc('\\', file);
        fwrite(bytes, 1, (size_t)n, file);
    }
}

static void write_line(FILE *file, int number, const tg_check_result *r) {
    fprintf(file, "%sok %d - ", r->outcome == TG_CHECK_FAILED ? "not " : "", number);
    write_text(file, r->row, write_described);
    fprintf(file, ": %s", tg_check_kind_name(r->kind));
    if (r->outcome == TG_CHECK_SKIPPED) {
        fputs(" # SKIP ", file);
        write_text(file, r->message, write_described);
    }
    fputc('\n', file);
    if (r->outcome != TG_CHECK_FAILED) return;
    fputs("  ---\n  message: \"", file);
    write_text(file, r->message, write_yaml);
    fputs("\"\n", file);
    if (r->verdict != TG_NO_VERDICT) fprintf(file, "  verdict: %s\n", tg_verdict_name(r->verdict));
    fputs("  ...\n", file);
}

void tg_write_tap(FILE *file, const tg_results *r) {
    fprintf(file, "TAP version 13\n1..%d\n# ", r->n);
    write_text(file, r->suite, write_described);
    fputc('\n', file);
    for (int i = 0; i < r->n; i++) write_line(file, i + 1, &r->result[i]);
    for (int k = 0; k < TG_CHECK_KINDS; k++) {
        int by[3] = {0};
        for (int i = 0; i < r->n; i++)
            if ((int)r->result[i].kind == k) by[r->result[i].outcome]++;
        fprintf(file, "# %s: %d passed, %d failed, %d skipped\n", tg_check_kind_name((tg_check_kind)k),
                by[TG_CHECK_PASSED], by[TG_CHECK_FAILED], by[TG_CHECK_SKIPPED]);
    }
}

/* ---- JUnit ---- */

/* XML 1.0 has no control characters but tab and the ends of lines, however they are written, and not U+FFFE and U+FFFF. */
static void write_xml(FILE *file, uint32_t code, const char *bytes, int n) {
    if (code == '\t' || code == '\n' || code == '\r')
        fprintf(file, "&#%u;", (unsigned)code);
    else if (code < 0x20 || code == 0xfffe || code == 0xffff)
        fputs("\xef\xbf\xbd", file);
    else if (code == '&' || code == '<' || code == '>' || code == '"' || code == '\'')
        fprintf(file, "&#%u;", (unsigned)code);
    else
        fwrite(bytes, 1, (size_t)n, file);
}

static void write_counts(FILE *file, const tg_results *r) {
    fprintf(file, " tests=\"%d\" failures=\"%d\" errors=\"0\" skipped=\"%d\" time=\"%.6f\"", r->n, r->failed,
            r->skipped, r->seconds);
}

static void write_case(FILE *file, const tg_results *all, const tg_check_result *r) {
    fputs("    <testcase classname=\"", file);
    write_text(file, all->suite, write_xml);
    fputc('.', file);
    write_text(file, r->row, write_xml);
    fprintf(file, "\" name=\"%s\" time=\"%.6f\"", tg_check_kind_name(r->kind), r->seconds);
    if (r->outcome == TG_CHECK_PASSED) {
        fputs("/>\n", file);
        return;
    }
    fprintf(file, ">\n      <%s message=\"", r->outcome == TG_CHECK_FAILED ? "failure" : "skipped");
    write_text(file, r->message, write_xml);
    fputs(r->outcome == TG_CHECK_FAILED ? "\" type=\"gradient\"/>\n    </testcase>\n"
                                        : "\"/>\n    </testcase>\n",
          file);
}

void tg_write_junit(FILE *file, const tg_results *r) {
    fputs("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites", file);
    write_counts(file, r);
    fputs(">\n  <testsuite name=\"", file);
    write_text(file, r->suite, write_xml);
    fputc('"', file);
    write_counts(file, r);
    fputs(">\n", file);
    for (int i = 0; i < r->n; i++) write_case(file, r, &r->result[i]);
    fputs("  </testsuite>\n</testsuites>\n", file);
}
