/* Which web pages may use an edge: the setting `origins`, and the header Origin that a browser, and
 * no page in it, writes to every WebSocket. A list of exact origins with commas between, or "*".
 * Pure; all texts are borrowed.
 *
 * Source: RFC 6454 section 6.2 (an origin as text), RFC 6455 section 10.2 (why a server looks). */
#pragma once

#include "base/text.h"

enum { EDGE_ORIGINS_SIZE = 2048 }; /* of the setting, with its terminator */

/* Whether pages of this origin may; byte for byte, as browsers write them all alike. An empty list,
 * or "*", lets all of them. "null", what a page of no origin says, is in no other list. */
bool edge_origins_allow(struct text list, struct text origin);

/* For SETTING_TEXT_VALID: what is in no browser's form would let nobody in, and is an error. */
bool edge_origins_are_valid(struct text list);
#define EDGE_ORIGINS_RULE                                                                          \
    "\"*\", or origins as browsers write them with commas between: scheme://host, small letters, " \
    ":port where it is not the scheme's own, nothing behind"
