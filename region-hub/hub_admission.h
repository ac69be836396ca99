/* Who may read a mailbox. An edge passes on the token that a client has shown it; a hub that has
 * keys looks at it itself, so that an edge that was broken into reads only who logged in at it.
 * What was found good is remembered, by a hash, so that attaching again costs next to nothing.
 *
 * One shard thread. The keys are read again when `reloads` has changed. */
#pragma once

#include "auth/settings.h"
#include "base/text.h"

#include <stdatomic.h>

enum {
    HUB_ADMISSION_CACHE = 4096,     /* tokens remembered; one more takes another one's place */
    HUB_ADMISSION_GRACE_MS = 60000, /* after its end, for the edge to close the connection */
};

struct hub_admission; /* opaque */

/* Borrows both; `reloads` NULL: the keys stay as they are. NULL with the reason, as when a file of
 * keys is damaged. */
MUST_USE struct hub_admission *hub_admission_new(const struct auth_settings *settings,
                                                 const atomic_uint *reloads,
                                                 struct error_text *reterr_why);
void hub_admission_free(struct hub_admission *admission); /* NULL is fine */

struct hub_admission_ask {
    struct text token; /* empty: none was shown */
    struct text user;
    struct text device; /* empty: whichever */
    int64_t wall_ms;    /* now, since 1970... */
    int64_t now_ms;     /* ...and by the loop's clock */
};
/* 0: the mailbox may be read until `ret_until_ms` by the loop's clock, INT64_MAX: without end.
 * -EACCES: there is no good token of this user and device and there must be one, or a bad one. */
MUST_USE int hub_admission_judge(struct hub_admission *admission,
                                 const struct hub_admission_ask *ask, int64_t *ret_until_ms);
