#include "region-hub/hub_directory.h"

#include "base/buffer.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

enum { WRITE_TIMEOUT_MS = 3000, READ_TIMEOUT_MS = 1000, PRIMARY_TIMEOUT_MS = 2000 };

int hub_directory_read(struct bus *bus, struct bus_request *request, struct text user,
                       unsigned buckets)
{
    struct wire_name subject = wire_directory_subject(user, buckets);
    struct wire_name stream = wire_directory_stream(wire_directory_bucket(user, buckets));
    return bus_get_last(bus, request, stream.text, subject.text, READ_TIMEOUT_MS);
}

int hub_directory_read_primary(struct bus *bus, struct bus_request *request, struct text user,
                               unsigned buckets)
{
    struct wire_name subject = wire_directory_subject(user, buckets);
    struct wire_name stream = wire_directory_stream(wire_directory_bucket(user, buckets));
    return bus_get_last_of_leader(bus, request, stream.text, subject.text, PRIMARY_TIMEOUT_MS);
}

static enum hub_directory_found found(int err, const void *bytes, size_t size, uint64_t revision,
                                      struct hub_directory_entry *ret_entry)
{
    struct wire_directory_entry value;
    if (err == -ENOENT)
        return HUB_DIRECTORY_NOBODY;
    if (err != 0 || wire_directory_entry_read(bytes, size, &value) != 0)
        return HUB_DIRECTORY_SILENT;
    *ret_entry = (struct hub_directory_entry){
        .revision = revision, .epoch = value.epoch, .home = value.home};
    return HUB_DIRECTORY_FOUND;
}

enum hub_directory_found hub_directory_found(const struct bus_message *message,
                                             struct hub_directory_entry *ret_entry)
{
    struct bus_entry entry = {0};
    const int err = message == NULL ? -ETIMEDOUT : bus_entry_read(message, &entry, NULL);
    return found(err, entry.data, entry.size, entry.position, ret_entry);
}

enum hub_directory_found hub_directory_found_at_primary(const struct bus_message *message,
                                                        uint8_t room[static HUB_DIRECTORY_ROOM],
                                                        struct hub_directory_entry *ret_entry)
{
    uint64_t position = 0;
    size_t size = 0;
    const int err = message == NULL ? -ETIMEDOUT
                                    : bus_leader_entry_read(message, room, HUB_DIRECTORY_ROOM,
                                                            &position, &size);
    return found(err, room, size, position, ret_entry);
}

int hub_directory_write(struct bus *bus, struct bus_request *request, struct text user,
                        unsigned buckets, const struct hub_directory_entry *entry)
{
    const struct wire_directory_entry value = {.home = entry->home, .epoch = entry->epoch};
    struct wire_name subject = wire_directory_subject(user, buckets);
    char revision[24];
    struct buffer bytes = {0};
    (void)snprintf(revision, sizeof revision, "%" PRIu64, entry->revision);
    wire_directory_entry_write(&bytes, &value);
    int err = bytes.failed
                  ? -ENOMEM
                  : bus_request_with_header(bus, request, subject.text,
                                            "Nats-Expected-Last-Subject-Sequence", revision,
                                            bytes.data, bytes.size, WRITE_TIMEOUT_MS);
    buffer_free(&bytes);
    return err;
}

enum hub_directory_written hub_directory_written(const struct bus_message *message,
                                                 uint64_t *ret_revision)
{
    struct bus_puback ack;
    if (message == NULL || bus_puback_read(message, &ack) != 0)
        return HUB_DIRECTORY_UNKNOWN;
    if (ack.position == 0)
        return ack.err_code == BUS_ERR_WRONG_LAST_SEQUENCE ? HUB_DIRECTORY_CHANGED
                                                           : HUB_DIRECTORY_REFUSED;
    *ret_revision = ack.position;
    return HUB_DIRECTORY_WRITTEN;
}

void hub_directory_tell(struct bus *bus, struct text user, struct log_limit *limit)
{
    if (bus_publish(bus, WIRE_DIRECTORY_CHANGED, NULL, user.data, user.size) != 0)
        log_limited(limit, LOG_LEVEL_WARNING, "a change of the directory was not told");
}
