#include "edge/edge_api_internal.h"

#include <stdlib.h>

static void on_free_ended(struct loop_later *later)
{
    struct edge_api *api = container_of(later, struct edge_api, later);
    list_each(node, &api->ended) free(node); /* posts and polls begin with their link */
    list_init(&api->ended);
}

struct edge_api *edge_api_new(const struct edge_api_settings *settings)
{
    struct edge_api *api = calloc(1, sizeof *api);
    if (api == NULL)
        return NULL;
    api->settings = *settings;
    api->later.on_later = on_free_ended;
    list_init(&api->posts);
    list_init(&api->polls);
    list_init(&api->ended);
    return api;
}

void edge_api_free(struct edge_api *api)
{
    if (api == NULL)
        return;
    edge_api_end_posts(api);
    edge_api_end_polls(api);
    loop_later_cancel(&api->later);
    on_free_ended(&api->later);
    free(api);
}

void edge_api_tick(struct edge_api *api, int64_t now_ms)
{
    edge_api_tick_posts(api, now_ms);
    edge_api_tick_polls(api, now_ms);
}

size_t edge_api_waiting(const struct edge_api *api)
{
    return api->poll_count + (list_empty(&api->posts) ? 0 : 1);
}
