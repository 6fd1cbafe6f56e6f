/* CSV files: a table of numbers, a row a line, as spreadsheets, NumPy and pandas write them (RFC 4180), plain or
 * gzip-compressed.
 *
 *     length,width,species
 *     5.1,3.5,setosa
 *     6.2,"2.9",versicolor
 *
 *     tg_tensor *x = tg_load_csv("iris.csv", .header = true, .columns = "length,width");
 *     tg_tensor *y = tg_load_csv("iris.csv", .header = true, .columns = "species", .dtype = TG_I64,
 *                                .classes = "setosa,versicolor,virginica");
 *
 * Fields end at a delimiter, lines at a newline with or without a carriage return before it. A field may stand in quotes,
 * and then holds delimiters, newlines, and quotes, which are doubled. Blanks around a field do not count, empty lines are
 * skipped, and so is a byte order mark at the start. Messages count lines from 1 and columns, as options do, from 0.
 */
#ifndef TG_CORE_IO_CSV_H
#define TG_CORE_IO_CSV_H

#include "core/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct tg_load_csv_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    tg_dtype dtype;               /* of the result; f32 unless another is named */
    bool header;                  /* the first line has the names of the columns */
    const char *columns; /* the columns to load, in this order: names in the header, or numbers from 0 on; NULL: all */
    const char *delimiter; /* between fields: one character that no number has; NULL: "," */
    bool missing_as_nan;   /* an empty field, and NA, is NaN; otherwise it is an error */
    const char *classes; /* fields are these words, and become their numbers from 0 on; NULL: they are numbers */
} tg_load_csv_opts;

/* The numbers in the file, [rows, columns], on the current tape. `columns` and `classes` are written as a line of the file
 * would be: names with the delimiter in them stand in quotes.
 *
 * f32 and f64 are decimal numbers, with or without a fraction and an exponent, rounded to nearest at once from all digits,
 * and inf, infinity and nan in upper or lower case. i32, i64 and u8 are whole numbers without a fraction or exponent and
 * exact; bool is 0, 1, true or false. Numbers in hexadecimal, and with separators between thousands, are none. The locale
 * changes nothing.
 *
 * Nothing in the file is trusted. TG_ERR_FORMAT, with a message that names line and column, is for: a field that is no
 * number of the dtype, or lies beyond its range; one that is none of the classes; a missing value; a line with more or
 * fewer fields than the first; a column that the first line does not have, or has twice; a quote inside a field without
 * quotes, something behind a closing quote, a quote that is not closed; a byte 0; a field of more than 4,095 bytes, and
 * more than 1,048,576 of them in a line; no lines at all; and damage of the compression. TG_ERR_ARGUMENT is for an unfit
 * delimiter, for columns or classes that are empty, twice the same or not one line, for missing_as_nan of a dtype without
 * NaN; TG_ERR_IO for a file that is missing, unreadable or not a regular file. The file is read once, in pieces: memory is
 * asked for in proportion to the numbers that are kept. While an error is pending the result is poison. */
TG_API tg_tensor *tg_load_csv_with(const char *path, tg_load_csv_opts opts);

typedef struct tg_save_csv_opts {
    tg_options_are_named by_name; /* no option: ops/calls.h */
    const char *header;           /* the first line, a name for each column; NULL: none */
    const char *delimiter;        /* as above */
} tg_save_csv_opts;

/* Writes t, a matrix, or a vector as one column, of at least one column: each number in as few digits, of 6 to 9 in f32 and 15 to
 * 17 in f64, as give it back exactly; inf, -inf, nan; bools as 0 and 1. The file is compressed when the path ends in
 * ".gz". It appears whole or not at all, and is on disk when the call returns: a failure leaves an old file as it was. A
 * symbolic link stays, and the file it leads to is replaced.
 *     tg_save_csv(t, "losses.csv", .header = "train,test") */
TG_API tg_status tg_save_csv_with(const tg_tensor *t, const char *path, tg_save_csv_opts opts);

#ifdef __cplusplus
}
#endif

#endif
