/* Shorthands of the core tests. */
#ifndef TESTS_CORE_HELPERS_H
#define TESTS_CORE_HELPERS_H

#include "core/error.h"

#include <check.h>
#include <string.h>

#define COUNT(table) ((int)(sizeof(table) / sizeof *(table)))

extern const char *program; /* what main was called as */

/* The pending error is this one, and its text holds `words`; then it is cleared. */
#define expect_error(status, words) expect_error_at(__LINE__, (status), (words))
static inline void expect_error_at(int line, tg_status status, const char *words) {
    ck_assert_msg(tg_error_status() == status, "line %d: %s instead of %s: %s", line,
                  tg_status_name(tg_error_status()), tg_status_name(status), tg_error_message());
    ck_assert_msg(strstr(tg_error_message(), words), "line %d: no \"%s\" in: %s", line, words,
                  tg_error_message());
    tg_error_clear();
}

/* The same, and the text is no more than that and the place of the call. */
#define expect_message(status, text) expect_message_at(__LINE__, (status), (text))
static inline void expect_message_at(int line, tg_status status, const char *text) {
    size_t n = strlen(text);
    const char *rest = strncmp(tg_error_message(), text, n) == 0 ? tg_error_message() + n : text;
    ck_assert_msg(*rest == '\0' || strncmp(rest, "   (test_", 9) == 0, "line %d: \"%s\" instead of \"%s\"",
                  line, tg_error_message(), text);
    expect_error_at(line, status, text);
}

#define expect_ok() ck_assert_msg(tg_error_status() == TG_OK, "line %d: %s", __LINE__, tg_error_message())

#endif
