/* Where a user that nobody has seen gets a home. The rules in their order: the token says it; it is
 * near the client; it is here. Of regions whose `new_homes` is false none is chosen. */
#pragma once

#include "catalogue/catalogue.h"
#include "edge/edge_near.h"
#include "edge/edge_token.h"

#define EDGE_NEW_HOME_CODE "unknown_home"
#define EDGE_NEW_HOME_MESSAGE "the token names a home that is no region here"

/* The first rule. `ret_region` NULL: the token, NULL for none, says nothing that counts, and the
 * next rule does. -ENOENT: it names a region that the catalogue does not have, so such a user gets
 * no home. */
MUST_USE int edge_new_home_of_token(const struct catalogue *catalogue,
                                    const struct edge_token *token,
                                    const struct catalogue_region **ret_region);
/* The first two of them. `ret_region` NULL: neither says anything, so it is here. `near` may be
 * NULL. -ENOENT as above. */
MUST_USE int edge_new_home(const struct catalogue *catalogue, const struct edge_near *near,
                           const struct edge_token *token, const struct address *client,
                           const struct catalogue_region **ret_region);
