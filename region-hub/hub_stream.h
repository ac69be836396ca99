/* The few requests to JetStream's API that a hub makes. All are best effort: in a region that is
 * cut off nobody answers but to direct gets. */
#pragma once

#include "bus/bus_stream.h"

/* The message at a position. The answer is for bus_entry_read(). Errors as bus_publish(). */
MUST_USE int hub_stream_get(struct bus *bus, struct bus_request *request, const char *stream,
                            uint64_t position, int64_t timeout_ms);
/* The last message of a subject, which may hold wildcards. The answer is for bus_entry_read(). */
MUST_USE int hub_stream_get_last(struct bus *bus, struct bus_request *request, const char *stream,
                                 const char *subject, int64_t timeout_ms);

struct hub_stream_info {
    uint64_t bytes;
    uint64_t max_bytes; /* 0: no limit */
    uint64_t first;     /* positions */
    uint64_t last;
};
MUST_USE int hub_stream_info(struct bus *bus, struct bus_request *request, const char *stream,
                             int64_t timeout_ms);
/* -EBADMSG: no answer to it, or an error of the server. */
MUST_USE int hub_stream_info_read(struct text json, struct hub_stream_info *ret_info);
uint16_t hub_stream_permille(const struct hub_stream_info *info);

/* Removes the messages of `subject` below `position`. */
MUST_USE int hub_stream_purge(struct bus *bus, struct bus_request *request, const char *stream,
                              const char *subject, uint64_t position, int64_t timeout_ms);
