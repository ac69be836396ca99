/* What the two calls of plain mode share. */
#pragma once

#include "edge/edge_api.h"

struct edge_api {
    struct edge_api_settings settings;
    struct list posts;
    struct list polls;
    size_t poll_count;
    struct list ended; /* freed at the end of the turn */
    struct loop_later later;
};

static inline int64_t edge_api_now(const struct edge_api *api)
{
    return loop_now_ms(api->settings.loop);
}

/* edge_api_post.c */
void edge_api_end_posts(struct edge_api *api); /* their outcome is unknown */
void edge_api_tick_posts(struct edge_api *api, int64_t now_ms);

/* edge_api_poll.c */
void edge_api_end_polls(struct edge_api *api); /* they are answered 503 */
void edge_api_tick_polls(struct edge_api *api, int64_t now_ms);
