/* Private. The fields of CSV files, and lists of names that are written as a line of one, between csv_fields.c, csv_read.c
 * and csv_write.c.
 */
#ifndef TG_CORE_IO_CSV_PRIVATE_H
#define TG_CORE_IO_CSV_PRIVATE_H

#include "core/alloc.h"
#include "core/io/csv.h"
#include "core/io/number.h"
#include "core/io/stream.h"

enum {
    TG_CSV_FIELD = 4095,      /* bytes of a field that is kept */
    TG_CSV_COLUMNS = 1 << 20, /* fields of a line */
    TG_CSV_PIECE = 1 << 14    /* bytes read at once */
};

/* What follows a field. */
typedef enum tg_csv_ending {
    TG_CSV_DELIMITER, /* another one in its line */
    TG_CSV_LINE,      /* the end of its line */
    TG_CSV_NOTHING,   /* there was no field: all lines are read */
    TG_CSV_FAILED     /* an error was raised */
} tg_csv_ending;

typedef struct tg_csv {
    tg_reader *file; /* NULL: the text is all in memory */
    const char *who,
        *subject;     /* that messages begin and end with: the function; the path, or which text it is */
    tg_status status; /* of what is wrong in the text: TG_ERR_FORMAT, or TG_ERR_ARGUMENT of the caller's own */
    char delimiter;
    int64_t line, lines,
        column; /* where the field starts, from 1; how many lines have ended; its number, from 0 */
    const unsigned char *next, *end; /* what is read and not yet used */
    bool failed;                     /* an error was raised by what was read; nothing more comes */
    int64_t length;
    char field[TG_CSV_FIELD + 1];
    unsigned char piece[TG_CSV_PIECE];
} tg_csv;

/* Starts at the first field of a file that is open, or of a text. */
void tg_csv_open(tg_csv *c, tg_reader *file, char delimiter);
void tg_csv_open_text(tg_csv *c, const char *who, const char *subject, const char *text, char delimiter);

/* Reads the next field to c->field, without the blanks around it and with a NUL behind it; of one that is not wanted
 * nothing is kept. Empty lines are passed. c->column and c->line are its own until the next call. */
tg_csv_ending tg_csv_next(tg_csv *c, bool wanted);

/* Raises "who: line 2, column 0: <what is wrong>: path". */
tg_status tg_csv_fail(const tg_csv *c, const char *format, ...) TG_PRINTF(2, 3);

/* The delimiter that is meant by an option; 0 with an error raised where it is none. */
char tg_csv_delimiter(const char *who, const char *text);

/* Names, each with a NUL behind it. */
typedef struct tg_csv_names {
    char *text;
    size_t size;
    int64_t n;
} tg_csv_names;

/* The fields of one line, the caller's own text, which is called `subject` in messages: none empty, no two equal. Freed by
 * tg_csv_names_free, after a failure too. */
tg_status tg_csv_names_read(tg_csv_names *names, const char *who, const char *subject, const char *text,
                            char delimiter);
void tg_csv_names_free(tg_csv_names *names);
int64_t tg_csv_names_find(const tg_csv_names *names, const char *name); /* -1: it is not there */

#endif
