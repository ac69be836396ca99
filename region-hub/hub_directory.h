/* The directory as a hub reads and writes it: one entry, where it stands, and the compare-and-set
 * at the primary region. The waiting is the caller's, who owns the request. One shard thread. */
#pragma once

#include "bus/bus_stream.h"
#include "log/log.h"
#include "wire/names.h"

struct hub_directory_entry {
    uint64_t revision; /* 0: there is none yet */
    uint32_t epoch;
    struct text home;
};

/* Asks for a user's entry. Of how many buckets the catalogue says.
 * The answer is for hub_directory_found(). A mirror near by may give it,
 * and be behind: what is decided by it must be safe then, or be written. Errors as
 * bus_request(). */
MUST_USE int hub_directory_read(struct bus *bus, struct bus_request *request, struct text user,
                                unsigned buckets);
enum hub_directory_found {
    HUB_DIRECTORY_FOUND,
    HUB_DIRECTORY_NOBODY, /* no such user, as far as the one who answered knows */
    HUB_DIRECTORY_SILENT, /* no answer, or none that can be read */
};
/* `message` may be NULL. The entry borrows from it. */
enum hub_directory_found hub_directory_found(const struct bus_message *message,
                                             struct hub_directory_entry *ret_entry);

/* The same of the primary region, which is never behind. Dearer. The answer is for
 * hub_directory_found_at_primary(), whose entry borrows from `room`. */
enum { HUB_DIRECTORY_ROOM = 512 };
MUST_USE int hub_directory_read_primary(struct bus *bus, struct bus_request *request,
                                        struct text user, unsigned buckets);
enum hub_directory_found hub_directory_found_at_primary(const struct bus_message *message,
                                                        uint8_t room[static HUB_DIRECTORY_ROOM],
                                                        struct hub_directory_entry *ret_entry);

/* Writes it at the primary, if what is there has entry->revision. */
MUST_USE int hub_directory_write(struct bus *bus, struct bus_request *request, struct text user,
                                 unsigned buckets, const struct hub_directory_entry *entry);
enum hub_directory_written {
    HUB_DIRECTORY_WRITTEN,
    HUB_DIRECTORY_CHANGED, /* it has another revision by now: nothing was written */
    HUB_DIRECTORY_REFUSED, /* nothing was written either */
    HUB_DIRECTORY_UNKNOWN, /* it may have been written or not */
};
/* `message` may be NULL. `ret_revision` is set when it was written. */
enum hub_directory_written hub_directory_written(const struct bus_message *message,
                                                 uint64_t *ret_revision);
/* Tells all who remember homes that this user's has changed. */
void hub_directory_tell(struct bus *bus, struct text user, struct log_limit *limit);
