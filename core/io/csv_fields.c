/* Taking CSV apart. libcsv would, too, but it keeps each field whole, however long, and lets stray quotes pass. */
#include "core/io/csv_private.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { END = -1, FAILED = -2 }; /* in the place of a byte */

tg_status tg_csv_fail(const tg_csv *c, const char *format, ...) {
    char what[300];
    va_list args;
    va_start(args, format);
    vsnprintf(what, sizeof what, format, args);
    va_end(args);
    return tg_fail(c->status, "%s: line %" PRId64 ", column %" PRId64 ": %s: %s", c->who, c->line, c->column,
                   what, c->subject);
}

/* ---- bytes ---- */

static int fail_for_good(tg_csv *c) {
    c->failed = true;
    c->next = c->end;
    return FAILED;
}

/* Gets the next piece of the file. */
static int refill(tg_csv *c) {
    if (c->failed) return FAILED;
    const int64_t n = c->file ? tg_reader_read(c->file, c->piece, TG_CSV_PIECE) : 0;
    if (n < 0) return fail_for_good(c);
    if (n == 0) return c->file && tg_reader_end(c->file) != TG_OK ? fail_for_good(c) : END;
    c->next = c->piece;
    c->end = c->piece + n;
    return 0;
}

static int next_byte(tg_csv *c) {
    if (c->next == c->end) {
        const int missing = refill(c);
        if (missing) return missing;
    }
    const unsigned char byte = *c->next++;
    if (byte) return byte;
    tg_csv_fail(c, "the line has a byte 0");
    return fail_for_good(c);
}

/* Makes the byte that next_byte gave the next one again; an END or failure comes again by itself. */
static void put_back(tg_csv *c, int byte) {
    if (byte >= 0) c->next--;
}

/* Whether this byte, or it and the next, which then is passed, end a line: "\n", "\r\n", or the end of the text. */
static bool ends_line(tg_csv *c, int byte) {
    if (byte == '\n' || byte == END) return true;
    if (byte != '\r') return false;
    const int after = next_byte(c);
    if (after != '\n') put_back(c, after);
    return after == '\n';
}

static bool is_blank(const tg_csv *c, int byte) {
    return (byte == ' ' || byte == '\t') && byte != c->delimiter;
}

static int after_blanks(tg_csv *c) {
    int byte;
    do byte = next_byte(c);
    while (is_blank(c, byte));
    return byte;
}

/* ---- fields ---- */

static bool keep(tg_csv *c, int byte) {
    if (c->length == TG_CSV_FIELD)
        return tg_csv_fail(c, "the field has more than %d bytes", TG_CSV_FIELD), false;
    c->field[c->length++] = (char)byte;
    return true;
}

/* What follows a field, of which `byte` is the first behind it. */
static tg_csv_ending end_field(tg_csv *c, int byte) {
    if (byte == FAILED) return TG_CSV_FAILED;
    if (byte == (unsigned char)c->delimiter) return TG_CSV_DELIMITER;
    c->lines += byte != END;
    return TG_CSV_LINE;
}

static tg_csv_ending plain_field(tg_csv *c, int byte, bool wanted) {
    while (byte != FAILED && byte != (unsigned char)c->delimiter && !ends_line(c, byte)) {
        if (byte == '"')
            return tg_csv_fail(c, "there is a quote inside of a field that has none around it"), TG_CSV_FAILED;
        if (wanted && !keep(c, byte)) return TG_CSV_FAILED;
        byte = next_byte(c);
    }
    while (c->length > 0 && is_blank(c, c->field[c->length - 1])) c->length--;
    return end_field(c, byte);
}

/* The opening quote is passed. */
static tg_csv_ending quoted_field(tg_csv *c, bool wanted) {
    for (;;) {
        int byte = next_byte(c);
        if (byte == FAILED) return TG_CSV_FAILED;
        if (byte == END) return tg_csv_fail(c, "the field's quote is not closed"), TG_CSV_FAILED;
        if (byte == '"') {
            byte = next_byte(c);
            if (byte != '"') {
                put_back(c, byte);
                break;
            }
        }
        c->lines += byte == '\n';
        if (wanted && !keep(c, byte)) return TG_CSV_FAILED;
    }
    const int byte = after_blanks(c);
    if (byte == FAILED || byte == (unsigned char)c->delimiter || ends_line(c, byte))
        return end_field(c, byte);
    return tg_csv_fail(c, "something follows the field's closing quote"), TG_CSV_FAILED;
}

/* The first byte of the next field; empty lines in front of it are passed. */
static int start_field(tg_csv *c) {
    c->line = c->lines + 1;
    int byte = after_blanks(c);
    while (c->column == 0 && byte != END && byte != FAILED && ends_line(c, byte)) {
        c->line = ++c->lines + 1;
        byte = after_blanks(c);
    }
    return byte;
}

tg_csv_ending tg_csv_next(tg_csv *c, bool wanted) {
    c->length = 0;
    const int byte = start_field(c);
    if (byte == END && c->column == 0) return TG_CSV_NOTHING;
    const tg_csv_ending ending = byte == '"' ? quoted_field(c, wanted) : plain_field(c, byte, wanted);
    c->field[c->length] = '\0';
    return ending;
}

void tg_csv_open_text(tg_csv *c, const char *who, const char *subject, const char *text, char delimiter) {
    c->file = NULL;
    c->who = who, c->subject = subject;
    c->status = TG_ERR_ARGUMENT;
    c->delimiter = delimiter;
    c->line = c->lines = c->column = 0;
    c->failed = false;
    c->next = (const unsigned char *)text;
    c->end = c->next + strlen(text);
}

void tg_csv_open(tg_csv *c, tg_reader *file, char delimiter) {
    tg_csv_open_text(c, file->who, file->path, "", delimiter);
    c->file = file;
    c->status = TG_ERR_FORMAT;
    if (refill(c) == 0 && c->end - c->next >= 3 && memcmp(c->next, "\xef\xbb\xbf", 3) == 0) c->next += 3;
}

char tg_csv_delimiter(const char *who, const char *text) {
    if (!text) return ',';
    const unsigned char c = (unsigned char)text[0];
    if (strnlen(text, 2) == 1 && c < 0x7f && (c >= ' ' || c == '\t') && !isalnum(c) && !strchr("+-.\"", c))
        return (char)c;
    tg_fail(TG_ERR_ARGUMENT, "%s: the delimiter must be one character that no number has, and is \"%.20s\"",
            who, text);
    return '\0';
}

/* ---- names ---- */

void tg_csv_names_free(tg_csv_names *names) { tg_sys_free(names->text, names->size); }

int64_t tg_csv_names_find(const tg_csv_names *names, const char *name) {
    const char *p = names->text;
    for (int64_t i = 0; i < names->n; i++, p += strlen(p) + 1)
        if (strcmp(p, name) == 0) return i;
    return -1;
}

static tg_status check_name(const tg_csv *c, const tg_csv_names *names) {
    if (c->length == 0) return tg_csv_fail(c, "there is an empty name");
    if (tg_csv_names_find(names, c->field) >= 0) return tg_csv_fail(c, "\"%.100s\" is there twice", c->field);
    return TG_OK;
}

/* A name takes no more room than the field that it was, and what ended that. */
tg_status tg_csv_names_read(tg_csv_names *names, const char *who, const char *subject, const char *text,
                            char delimiter) {
    tg_csv c;
    names->n = 0;
    names->size = strlen(text) + 1;
    names->text = tg_sys_alloc(names->size);
    if (!names->text) {
        tg_fail_memory(names->size);
        return tg_error_by(who, TG_OK);
    }
    tg_csv_open_text(&c, who, subject, text, delimiter);
    char *to = names->text;
    for (;; c.column++) {
        const tg_csv_ending ending = tg_csv_next(&c, true);
        if (ending == TG_CSV_FAILED) return tg_error_status();
        if (ending == TG_CSV_NOTHING) return tg_csv_fail(&c, "there is no name");
        if (check_name(&c, names) != TG_OK) return tg_error_status();
        memcpy(to, c.field, (size_t)c.length + 1);
        to += c.length + 1;
        names->n++;
        if (ending == TG_CSV_LINE) break;
    }
    c.column = 0;
    return tg_csv_next(&c, false) == TG_CSV_NOTHING ? TG_OK : tg_csv_fail(&c, "there is more than one line");
}
