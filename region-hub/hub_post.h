/* Sends notices, and messages that are passed on, to their addressees, wherever they are at home:
 * finds the home, writes to its log when it is here, else to the outbox that leads there, and tells
 * when it is stored. Those to one addressee are written in their order. What cannot go now is tried
 * again.
 *
 * It takes what it is given: how much is on its way is the caller's affair. One shard thread. */
#pragma once

#include "catalogue/catalogue.h"
#include "region-hub/hub_notice.h"
#include "region-hub/hub_settings.h"

struct bus;
struct bus_puback;
struct loop;
struct hub_post; /* opaque, see hub_post.c */

struct hub_post_settings { /* all borrowed */
    struct loop *loop;
    struct bus *bus;
    const struct hub_settings *settings;
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    const char *process;   /* whose PubAcks these are */
    uint64_t first_number; /* of them */
    void *context;
    /* The notice given with `number` is stored, or nobody has such an addressee. */
    void (*on_settled)(void *context, uint64_t number);
};
MUST_USE struct hub_post *hub_post_new(const struct hub_post_settings *settings); /* or NULL */
void hub_post_free(struct hub_post *post); /* drops what waits; NULL is fine */

/* Takes the notice, also when it fails. -ENOMEM. May call on_settled. */
MUST_USE int hub_post_add(struct hub_post *post, struct hub_notice *notice, uint64_t number);
/* The same where the home is known without the directory: an index in the catalogue. */
MUST_USE int hub_post_add_to(struct hub_post *post, size_t region, struct hub_notice *notice,
                             uint64_t number);
/* False: the number is of another's PubAck. */
bool hub_post_puback(struct hub_post *post, uint64_t number, const struct bus_puback *ack);
void hub_post_connected(struct hub_post *post);
/* Tries again what waits. About ten times a second. */
void hub_post_tick(struct hub_post *post);

size_t hub_post_waiting(const struct hub_post *post); /* not settled yet */
/* Something that was taken was lost since memory was short: all of it is to be sent again. */
bool hub_post_has_lost(const struct hub_post *post);
