/* Follows the buckets of the directory from where the archive has them, and hands what is new to
 * the archiver, a batch at a time. The owner of the primary's first shard does so; two at once
 * waste work and do no harm. One shard thread. */
#pragma once

#include "catalogue/catalogue.h"
#include "region-hub/hub_archiver.h"

struct bus;
struct hub_directory_feed; /* opaque, see hub_directory_feed.c */

struct hub_directory_feed_settings { /* borrowed */
    struct bus *bus;
    struct hub_archiver *archiver;
    unsigned buckets; /* of the directory */
};
MUST_USE struct hub_directory_feed *
hub_directory_feed_new(const struct hub_directory_feed_settings *settings); /* or NULL */
void hub_directory_feed_free(struct hub_directory_feed *feed);              /* NULL is fine */
/* Often: it takes what the archiver has done meanwhile. */
void hub_directory_feed_tick(struct hub_directory_feed *feed);
