/* What pictures are made of: series of tensors of all states, and lists of texts. */
#include "tests/fuzz/hostile.h"

tg_series *draw_tg_series_p(const char *name) {
    note(" %s=", name);
    if (bad()) return note("NULL"), NULL;
    tg_series *s = scratch(16 * sizeof *s); /* more are refused */
    for (int i = 0; i < 16; i++) {
        s[i] = (tg_series){.name = one_in(2) ? NULL : draw_text("name"), .y = draw_tg_tensor_p("y")};
        s[i].x = one_in(2) ? NULL : one_in(2) ? s[i].y : draw_tg_tensor_p("x");
        s[i].error = one_in(2) ? NULL : one_in(2) ? s[i].y : draw_tg_tensor_p("error");
    }
    return s;
}

const char **draw_char_in(const char *name) {
    note(" %s=", name);
    const char **text = scratch(CAPACITY * sizeof *text), *some = draw_text("some");
    for (int i = 0; i < CAPACITY; i++) text[i] = i % 3 ? some : NULL;
    return text;
}
