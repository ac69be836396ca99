/* What the files of the service share: the service itself, and what one file does for the other. */
#pragma once

#include "log/log.h"
#include "region-hub/hub_service.h"

struct hub_service {
    struct hub_service_settings settings;
    uint64_t generation;
    struct log_limit stranger_limit;
    struct log_limit acks_limit;
    struct log_limit broken_limit;
};

static inline int64_t hub_service_now(const struct hub_service *service)
{
    return loop_now_ms(service->settings.loop);
}

static inline void hub_service_send(struct hub_service *service, const struct hub_edge *edge,
                                    const struct wire_entry *entry)
{
    hub_delivery_send(service->settings.delivery, edge, entry);
}

/* hub_service_attach.c */
void hub_service_attach(struct hub_service *service, struct hub_edge *edge,
                        const struct wire_attach *asked);
/* Whether this token opens this mailbox. -EACCES. */
MUST_USE int hub_service_admit(struct hub_service *service, struct text token, struct text user,
                               struct text device, int64_t *ret_until_ms);
/* As the log has it, or as one to whom nothing came yet. */
struct mailbox_user hub_service_user(const struct hub_service *service, struct text name);
bool hub_service_takes_acks(const struct hub_service *service, struct text user);
/* Says when an ack could not be noted. */
void hub_service_check_noted(struct hub_service *service, int err);
