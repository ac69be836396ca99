/* For tests of a shard with a real NATS server: the server, the streams of two regions, and an edge
 * of the test's own that says what it is told and keeps what it hears. */
#pragma once

#include "base/buffer.h"
#include "bus/bus_stream.h"
#include "catalogue/catalogue.h"
#include "region-hub/hub_settings.h"
#include "region-hub/hub_shard.h"
#include "tests/support/nats_server.h"
#include "wire/beat.h"
#include "wire/frame.h"
#include "wire/names.h"

enum { LAB_HEARD_MAX = 8192 };

struct lab_heard { /* one entry that an edge was sent */
    uint8_t kind;
    uint8_t code; /* of an answer; the reason of a kick */
    uint8_t flags;
    uint64_t generation;
    uint64_t attach;
    uint64_t seq; /* of a gap: its `to` */
    uint64_t from;
    uint64_t head;
    char user[64];
    char id[64];
    char text[64]; /* the first bytes of a body, a home, the reason of a gap */
};

struct lab_hub {
    struct hub_settings settings;
    struct hub_shard *shard; /* NULL: it does not run */
};

struct lab {
    struct lab_hub hubs[3];
    void (*adjust)(struct hub_settings *settings); /* of hubs that are started; NULL: as they are */
    struct server server;
    struct loop *loop;
    struct bus *bus;
    struct catalogue *catalogue;
    struct bus_subscription *edge_subject;
    struct bus_subscription *pubacks;
    struct bus_subscription *beats;
    struct loop_timer beat_timer;
    uint64_t edge_start;
    uint64_t requests;
    uint64_t stored;    /* the highest position that a PubAck named */
    uint64_t published; /* attempts */
    uint64_t pubacks_counted;
    uint64_t beat_generation; /* of the last hub's beat of sin 0 */
    uint32_t beat_attached;
    struct lab_heard heard[LAB_HEARD_MAX];
    size_t heard_count;
    size_t shown; /* of heard: what lab_wait_for has given already */
};

struct lab *lab_new(void); /* server, streams, genesis and config records, edge "sin-1" */
void lab_free(struct lab *lab);
void lab_turn(struct lab *lab, int64_t ms);
/* Deletes a log and begins it again, with another incarnation. */
void lab_remake_log(struct lab *lab, const char *region);

/* A hub's shard 0 with settings fit for a test; `name` is "sin-h1", "sin-h2" or "dub-h1". What
 * still runs at the end of a test is stopped by lab_free(). */
void lab_hub_start(struct lab *lab, struct lab_hub *hub, const char *name);
void lab_hub_stop(struct lab *lab, struct lab_hub *hub, bool orderly);

/* Messages "<prefix>1".."<prefix>n" from alice to `user`, one batch, and waits until it is
 * stored. */
void lab_send(struct lab *lab, const char *subject, const char *user, const char *prefix,
              unsigned count);
/* The same with a ttl. */
void lab_send_ttl(struct lab *lab, const char *subject, const char *user, const char *prefix,
                  unsigned count, uint32_t ttl_s);
/* Another config record for sin, with this retention and this cap of messages. */
void lab_configure(struct lab *lab, uint32_t retention_s, uint32_t messages_max);
/* Publishes bytes to a subject of a stream and waits until they are stored. */
void lab_store(struct lab *lab, const char *subject, const void *bytes, size_t size);
/* Records of a move LAB_MOVE between sin and dub, by the owner as the last beat says: a freeze for
 * dub, its end, rows with the ids "c<seq>" that were in dub at LAB_COPIED_AT_MS + seq, and the
 * arrival from there. */
enum { LAB_MOVE = 77, LAB_COPIED_AT_MS = 1600000000 };
void lab_freeze(struct lab *lab, const char *user);
void lab_move_end(struct lab *lab, const char *user, enum wire_move_outcome outcome,
                  const char *home);
/* The same; what the mailbox has from a seq on goes after it. */
void lab_move_end_from(struct lab *lab, const char *user, enum wire_move_outcome outcome,
                       const char *home, uint64_t from);
void lab_move_rows(struct lab *lab, const char *user, uint64_t from, uint64_t to);
void lab_move_in(struct lab *lab, const char *user, uint64_t head, uint64_t oldest);
/* What an edge says to the owner of sin's shard 0. */
void lab_say(struct lab *lab, const char *verb, const struct wire_entry *entry);
uint64_t lab_attach(struct lab *lab, const char *user, const char *device, uint64_t number,
                    uint8_t flags, uint64_t seq); /* returns the attach number */
void lab_report(struct lab *lab, const char *user, const char *device, uint64_t attach,
                uint64_t received, uint64_t acked);
/* The next entry of that kind that was not looked at, waiting for it; fails the test after 10 s.
 * What is before it is passed over. */
const struct lab_heard *lab_wait_for(struct lab *lab, uint8_t kind);
const struct lab_heard *lab_wait_for_either(struct lab *lab, uint8_t kind, uint8_t other);
/* Nothing of that kind comes within `ms`. */
void lab_must_not_hear(struct lab *lab, uint8_t kind, int64_t ms);

#define LAB_WAIT(lab, condition)                                                                   \
    do {                                                                                           \
        bool lab_holds = false;                                                                    \
        for (int lab_i = 0; lab_i < 1000 && !lab_holds; lab_i++) {                                 \
            lab_holds = (condition);                                                               \
            if (!lab_holds)                                                                        \
                lab_turn((lab), 10);                                                               \
        }                                                                                          \
        if (!lab_holds)                                                                            \
            fail_msg("never: %s", #condition);                                                     \
    } while (0)
