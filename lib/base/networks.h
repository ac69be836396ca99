/* Networks as they stand in settings: "10.0.0.0/8, 2001:db8::/32". Pure. */
#pragma once

#include "base/address.h"

#include <stddef.h>

enum { NETWORKS_MAX = 64 };

struct networks {
    struct network items[NETWORKS_MAX];
    size_t count;
};

/* Separated by commas, with spaces around as one likes; an empty text is no network. -EINVAL when
 * one is none, see network_parse(); -E2BIG past NETWORKS_MAX. */
MUST_USE int networks_parse(struct text from, struct networks *ret_networks);
bool networks_have(const struct networks *networks, const struct address *address);

/* For SETTING_TEXT_VALID. */
bool networks_are_valid(struct text from);
#define NETWORKS_RULE "at most 64 networks with commas between, as 10.0.0.0/8, 2001:db8::/32"
