/* Answers what edges ask of an owner: attach, detach, report, read, fetch, ephemeral messages,
 * claims, history, what devices show; and what forwarders ask about their lanes. It answers nothing
 * unless it serves. One shard thread. */
#pragma once

#include "catalogue/catalogue.h"
#include "region-hub/hub_acks.h"
#include "region-hub/hub_apply.h"
#include "region-hub/hub_claims.h"
#include "region-hub/hub_delivery.h"
#include "region-hub/hub_history.h"
#include "region-hub/hub_presence.h"
#include "region-hub/hub_reads.h"
#include "region-hub/hub_shown.h"

struct hub_service; /* opaque, see hub_service.c */

struct hub_service_settings { /* all borrowed */
    struct loop *loop;
    struct bus *bus;
    const struct catalogue *catalogue;
    const struct catalogue_region *region;
    unsigned shard;
    const char *hub;
    struct hub_apply *apply;
    struct hub_presence *presence;
    struct hub_delivery *delivery;
    struct hub_acks *acks;
    struct hub_claims *claims;
    const struct hub_reads *reads;
    struct hub_history *history;
    struct hub_shown *shown;
    void *context;
    /* False: not now, ask again. Told for each attach. */
    bool (*may_serve)(void *context, struct text user);
};
MUST_USE struct hub_service *hub_service_new(const struct hub_service_settings *settings);
void hub_service_free(struct hub_service *service); /* NULL is fine */
/* 0: does not serve. */
void hub_service_serve(struct hub_service *service, uint64_t generation);

/* A message on one of the shard's subjects, or a beat of an edge. */
void hub_service_message(struct hub_service *service, const struct bus_message *message);
void hub_service_edge_beat(struct hub_service *service, const struct bus_message *message);
/* A device's cursor was confirmed in the log. */
void hub_service_acked(struct hub_service *service, struct text user, struct text device,
                       uint32_t epoch, uint64_t seq);
/* The log has dropped a device, since its user has too many: it is attached no more. */
void hub_service_dropped(struct hub_service *service, struct text user, struct text device);
