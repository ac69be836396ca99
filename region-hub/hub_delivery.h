/* What an owner sends to edges: frames gathered over one turn of the loop, new rows as they are
 * applied, and older ones read from the view for devices that are behind. Only rows that are
 * applied are sent, in order, within each device's credit; nothing depends on any of it arriving.
 * One shard thread. */
#pragma once

#include "region-hub/hub_apply.h"
#include "region-hub/hub_presence.h"
#include "wire/frame.h"

struct hub_delivery; /* opaque, see hub_delivery.c */

struct hub_delivery_settings {
    struct loop *loop;
    struct bus *bus;
    struct hub_presence *presence;
    struct hub_apply *apply;
    const char *region; /* borrowed, as `hub` is */
    const char *hub;
    unsigned shard;
    size_t edges_max;
    struct hub_credit_limits credit;
    uint64_t turn_bytes;
};
MUST_USE struct hub_delivery *hub_delivery_new(const struct hub_delivery_settings *settings);
void hub_delivery_free(struct hub_delivery *delivery); /* NULL is fine */
/* Frames carry this generation from now on; 0: nothing is sent, and what was gathered is
 * dropped. */
void hub_delivery_serve(struct hub_delivery *delivery, uint64_t generation);

/* An entry for an edge; leaves at the end of the turn. */
void hub_delivery_send(struct hub_delivery *delivery, const struct hub_edge *edge,
                       const struct wire_entry *entry);
/* A row was applied: to all devices of the user that have everything before it. */
void hub_delivery_row(struct hub_delivery *delivery, const struct mailbox_row *row);
/* To the user's devices that are attached now, once, without a cursor. */
void hub_delivery_ephemeral(struct hub_delivery *delivery, struct text user,
                            const struct wire_message *message, int64_t at_ms);
/* There may be something for this device: serves it from the view in the next turns. */
void hub_delivery_pump(struct hub_delivery *delivery, struct hub_attachment *attachment);
/* Before an attachment is freed. */
void hub_delivery_gone(struct hub_delivery *delivery, struct hub_attachment *attachment);
