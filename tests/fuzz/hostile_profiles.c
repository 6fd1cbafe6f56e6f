/* Profiles, of which one may be measuring while all other calls are made. */
#include "tests/fuzz/hostile.h"

#include <string.h>

enum { N_PROFILES = 3 };

static tg_profile *profiles[N_PROFILES], *dead_profiles[N_PROFILES];

static tg_profile *bad_profile(void) {
    if (one_in(3)) return NULL;
    return one_in(3) ? (tg_profile *)(void *)draw_tg_model_p("model") : dead_profiles[below(N_PROFILES)];
}

tg_profile *draw_tg_profile_p(const char *name) {
    bool wrong = bad();
    tg_profile *p = wrong ? bad_profile() : profiles[below(N_PROFILES)];
    note(" %s=%s", name, !p ? "NULL" : wrong ? "no profile" : "a profile");
    return p;
}

tg_profile_row *draw_tg_profile_row_p(const char *name) {
    note(" %s", name);
    return bad() ? NULL : scratch(CAPACITY * sizeof(tg_profile_row));
}

static void free_profile(int i) {
    tg_profile *p = profiles[i];
    if (!p) return;
    tg_profile_free(p);
    if (tg_error_status() != TG_OK) return;
    dead_profiles[below(N_PROFILES)] = p;
    profiles[i] = NULL;
}

void own_tg_profile_free(void) {
    bool wrong = bad();
    call_begin();
    if (wrong)
        tg_profile_free(bad_profile());
    else if (!FRAME->pending)
        free_profile((int)below(N_PROFILES));
    end_void();
}

void own_tg_profile_begin(void) {
    int64_t events = bad() ? draw_int64_t("events") : below(4) * 1000;
    call_begin();
    tg_profile *p = tg_profile_begin(events);
    end_bool_failed(!p, p ? "a profile" : "NULL");
    if (!p) return;
    int i = (int)below(N_PROFILES);
    free_profile(i);
    if (!profiles[i]) {
        profiles[i] = p;
        return;
    }
    tg_error_clear(); /* the one before cannot be freed inside the step of a plan */
    tg_profile_free(p);
}

void make_profiles(void) {
    memset(profiles, 0, sizeof profiles);
    if (one_in(2)) profiles[0] = tg_profile_begin(0);
}

void free_profiles(void) {
    for (int i = 0; i < N_PROFILES; i++) free_profile(i);
    memset(dead_profiles, 0, sizeof dead_profiles);
}
