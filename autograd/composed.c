#include "autograd/composed.h"

tg_composed tg_composed_begin(const char *name) {
    tg_composed c = {.outer = tg_named_begin(name)};
    c.outermost = !c.outer && tg_error_status() == TG_OK;
    if (c.outermost) c.mark = tg_tape_mark();
    return c;
}

void tg_composed_end(const tg_composed *c) {
    if (c->outermost && tg_error_status() != TG_OK) tg_tape_rewind(c->mark);
    tg_named_end(&c->outer);
}
