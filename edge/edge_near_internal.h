/* What the files of nearness share. */
#pragma once

#include "auth/key.h"
#include "edge/edge_near.h"
#include "regions/feed.h"

struct edge_near {
    struct edge_near_settings settings;
    struct geo_database *database; /* NULL: there was no good one yet */
    struct auth_key *sign_key;     /* NULL: nothing is signed */
    struct regions *regions;
    struct regions_feed *feed;
    bool drains; /* this edge's region, and its clients are to leave */
    int64_t ticked_ms;
    int64_t reloaded_ms;
};
