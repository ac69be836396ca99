/* The rules of the mailbox once more, as plainly as can be: lists that are searched from end to
 * end, numbers for names, no bytes. The model test compares the two. */
#pragma once

#include "base/buffer.h"
#include "mailbox/mailbox.h"
#include "wire/names.h"
#include "wire/record.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    MODEL_USERS = 24,
    MODEL_DEVICES = 6,
    MODEL_SOURCES = 3,
    MODEL_INCARNATIONS = 5, /* fewer than are remembered as over */
    MODEL_RECORDS_MAX = 6,
    MODEL_RECIPIENTS_MAX = 3,
    MODEL_NOTICE_SENDER = -1, /* as a sender: WIRE_NOTICE_SENDER */
};
struct model_name { /* "u7" */
    char text[16];
};
enum model_damage { MODEL_GOOD, MODEL_BODY_DAMAGED, MODEL_HEADER_DAMAGED };

struct model_record {
    enum wire_kind kind;
    int sender; /* of a message; whose messages were read */
    int id;
    uint8_t wants;
    uint16_t flags;
    size_t body_size; /* 0: "{"text":"hello"}" */
    int recipients[MODEL_RECIPIENTS_MAX];
    size_t recipient_count;
    int user; /* of an ack, a read */
    int device;
    uint32_t epoch;
    uint64_t seq;
    uint64_t generation; /* of what the owner writes; expected by an own */
    uint64_t number;     /* of a noticed */
    uint64_t start;      /* of an own: of hub "hub-<start>" */
    struct wire_config config;
    uint64_t move; /* of what moves users */
    uint64_t oldest;
    uint64_t base;
    bool done;
    bool here; /* the region that is named is this one */
};
struct model_batch {
    int64_t time_ms;
    enum wire_writer writer;
    int source; /* of a lane */
    int incarnation;
    uint64_t sequence;
    uint64_t previous;
    enum model_damage damage;
    struct model_record records[MODEL_RECORDS_MAX];
    size_t count;
};

struct model_device {
    int device;
    uint64_t seq;
    int64_t used_ms;
};
/* By seq: what there was, whether it is still kept or not. */
struct model_message {
    uint64_t row;
    uint64_t bytes; /* of all up to it */
    bool marked;
};
struct model_held {
    struct model_record record;
    uint64_t row;
    uint8_t key;
};
struct model_user {
    bool exists;
    enum mailbox_where where;
    uint64_t move;
    bool region_known;
    uint64_t first; /* of the seqs that were copied */
    struct model_held *held;
    size_t held_count;
    struct model_message *messages; /* at their seq */
    bool asked;                     /* for its delivery or reading, by any message */
    uint64_t delivered;
    uint64_t delivered_to;
    uint64_t skipped_from; /* after it, up to the next: passed by, acked by nobody */
    uint64_t skipped_to;
    uint64_t read_to;
    uint32_t epoch;
    uint64_t head;
    uint64_t oldest;
    uint64_t base;
    uint64_t last_row;
    struct model_device devices[MODEL_DEVICES]; /* in the order they came */
    size_t device_count;
};
struct model_seen {
    int recipient;
    int sender;
    int id;
    uint8_t key;
    uint32_t epoch;
    uint64_t seq;
    int64_t end_ms; /* of its generation */
};
struct model_notice {
    const char *kind;
    int user;
    struct model_name other;
    uint32_t epoch;
    uint64_t from;
    uint64_t to;
    uint64_t row;
};
struct model_time {
    int64_t time_ms;
    uint64_t row;
};
struct model_lane {
    bool exists;
    int incarnation;
    uint64_t sequence;
    bool over[MODEL_INCARNATIONS];
};
struct model {
    uint64_t position;
    int64_t time_ms;
    uint64_t generation;
    uint64_t rows;
    struct wire_config config;
    struct model_user users[MODEL_USERS];
    struct model_lane lanes[MODEL_SOURCES];
    struct model_seen *seen;
    size_t seen_count;
    int64_t generation_end_ms;
    struct model_notice *notices; /* that wait */
    size_t notice_count;
    uint64_t notices_gone;
    struct model_time *times;
    size_t time_count;
    uint64_t expired_rows;
    uint64_t checkpoint_position;
    uint16_t shard;
    uint16_t shards;
    struct buffer *trace; /* lines as trace_effects() writes them */
};

void model_apply(struct model *model, const struct model_batch *batch);
/* A line for each notice that waits, as trace_notices() writes them. */
void model_tell_notices(const struct model *model, struct buffer *lines);
void model_free(struct model *model);
struct model_name model_name(const char *prefix, int number);
struct model_name model_sender_name(int sender);
