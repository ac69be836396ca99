/* The origins (RFC 6454) of web pages that may talk to an edge: the setting `origins`. Pure. */
#pragma once

#include "base/text.h"

#include <stdbool.h>

#define EDGE_ORIGINS_RULE                                                                          \
    "origins as browsers send them, scheme://host or scheme://host:port, with commas between, or " \
    "*"

/* Each is in small letters, with neither a path nor a user; "null" is none: any page can be it. An
 * empty list is good. */
bool edge_origins_are_valid(struct text list);
/* Whether a page of this origin may: it is one of the list, character by character, or the list is
 * "*". An empty list allows none. */
bool edge_origins_allow(struct text list, struct text origin);
/* Whether the list is "*": then an answer does not depend on who asks. */
bool edge_origins_are_any(struct text list);
