#include "edge/edge_new_home.h"

#include <errno.h>

int edge_new_home_of_token(const struct catalogue *catalogue, const struct edge_token *token,
                           const struct catalogue_region **ret_region)
{
    struct text name = token == NULL ? TEXT("") : edge_token_home(token);
    *ret_region = NULL;
    if (name.size == 0)
        return 0;
    const struct catalogue_region *region = catalogue_region(catalogue, name);
    if (region == NULL)
        return -ENOENT;
    if (region->new_homes)
        *ret_region = region;
    return 0;
}

int edge_new_home(const struct catalogue *catalogue, const struct edge_near *near,
                  const struct edge_token *token, const struct address *client,
                  const struct catalogue_region **ret_region)
{
    int err = edge_new_home_of_token(catalogue, token, ret_region);
    const struct edge_near_client at = {client, edge_token_tenant(token)};
    if (err == 0 && *ret_region == NULL)
        *ret_region = edge_near_home(near, &at);
    return err;
}
