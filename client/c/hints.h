/* Where an edge that sends its clients away says it is best to connect next: the endpoints of its
 * goaway. Pure. */
#pragma once

#include "base/text.h"
#include "c/url.h"

#include <stdint.h>

enum { MERIDIAN_HINTS_MAX = 3 }; /* tried, before its own list is again */

struct meridian_hints {                           /* zeroed: none */
    struct meridian_url urls[MERIDIAN_HINTS_MAX]; /* the best one first */
    size_t count;
    size_t next;
    int64_t until_ms;
};

/* Takes the place of those of before. `endpoints` is a JSON array of objects with a `url`; what is
 * none, or is with TLS where `tls` is not or the other way round, is passed over: a hint must lead
 * nobody off TLS. */
void meridian_hints_take(struct meridian_hints *hints, struct text endpoints, bool tls,
                         int64_t until_ms);
void meridian_hints_forget(struct meridian_hints *hints);
/* The next one to try, once; NULL: there is none, or they are too old. */
const struct meridian_url *meridian_hints_next(struct meridian_hints *hints, int64_t now_ms);
