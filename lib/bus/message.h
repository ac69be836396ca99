/* Between the library's messages and subscriptions and ours. */
#pragma once

#include "bus/bus.h"
#include "bus/link.h"

#include <limits.h>

static inline struct bus_message bus_message_of(natsMsg *raw)
{
    const char *reply = natsMsg_GetReply(raw);
    return (struct bus_message){
        .subject = text_of(natsMsg_GetSubject(raw)),
        .reply = reply == NULL ? (struct text){0} : text_of(reply),
        .data = (const uint8_t *)natsMsg_GetData(raw),
        .size = (size_t)natsMsg_GetDataLength(raw),
        .handle = raw,
    };
}

/* What a subscription holds, 0 also when it is closed. Asking costs less than a vain NextMsg. */
static inline int bus_queued(natsSubscription *subscription)
{
    uint64_t queued = 0;
    if (natsSubscription_QueuedMsgs(subscription, &queued) != NATS_OK)
        return 0;
    return queued > INT_MAX ? INT_MAX : (int)queued;
}

/* Without limits: a subscription is drained after every read, so it holds one read at most. */
static inline int bus_subscribe_sync(natsConnection *connection, const char *subject,
                                     natsSubscription **ret_subscription)
{
    natsSubscription *subscription = NULL;
    natsStatus status = natsConnection_SubscribeSync(&subscription, connection, subject);
    if (status == NATS_OK)
        status = natsSubscription_SetPendingLimits(subscription, -1, -1);
    if (status != NATS_OK) {
        natsSubscription_Destroy(subscription);
        return bus_status_to_errno(status);
    }
    *ret_subscription = subscription;
    return 0;
}
