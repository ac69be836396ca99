/* The records of a log. [format 1] Layouts are in record.c, one function pair a kind; golden files
 * in tests/unit/lib/wire/golden pin them. All texts are borrowed from the bytes decoded. */
#pragma once

#include "base/hash.h"
#include "wire/batch.h"
#include "wire/move.h"

enum wire_kind {
    WIRE_MESSAGE = 1,     /* from edges and lanes; from hubs: notices */
    WIRE_GENESIS = 16,    /* the first record of a log or outbox */
    WIRE_CONFIG = 17,     /* what apply needs to know; the last one counts */
    WIRE_OWN = 18,        /* a hub takes or gives up the shard */
    WIRE_TICK = 19,       /* the owner's clock and the hash of its view */
    WIRE_ACK = 20,        /* the confirmed cursor of a device; makes the device known */
    WIRE_CHECKPOINT = 21, /* here all hubs save their state [level 2] */
    WIRE_FREEZE = 22,     /* a mailbox takes nothing more, since it moves [level 3] */
    WIRE_MOVE_IN = 23,    /* a mailbox that was copied is at home here [level 3] */
    WIRE_MOVE_END = 24,   /* a move is done or aborted [level 3] */
    WIRE_SKIP = 25,       /* reserved: an operator passes a position over */
    WIRE_NOTICED = 26,    /* notices that are stored where they belong [level 2] */
    WIRE_READ = 27,       /* a user has read what another sent [level 2] */
    WIRE_MOVE_ROW = 28,   /* a message of a mailbox that moves here [level 3] */
};

enum {
    WIRE_LEVEL = 3, /* the highest level of records and of config this program knows */
    WIRE_RECIPIENTS_MAX = 256,
    WIRE_BODY_MAX = 256 * 1024, /* what the format takes; edges allow less (64 KiB by default) */
};

enum wire_recipient_kind { WIRE_USER = 0, WIRE_GROUP = 1, WIRE_CONNECTION = 2 }; /* user for now */
enum wire_class { WIRE_DURABLE = 0, WIRE_EPHEMERAL = 1 };
enum { WIRE_WANT_STORED = 1, WIRE_WANT_DELIVERED = 2, WIRE_WANT_READ = 4 };
/* Flags of a message. PLAIN: the body is the whole object a plain client gets, byte for byte. */
enum { WIRE_FLAG_PLAIN = 1, WIRE_FLAG_NOTICE = 2 };
/* Who sends notices. No user may be called so: edges refuse it as a user, sender or recipient. */
#define WIRE_NOTICE_SENDER "$meridian"
/* A user id that somebody may have. */
bool wire_is_person(struct text user);

struct wire_recipient {
    uint8_t kind;
    struct text name; /* a user id */
};

struct wire_message {
    uint8_t message_class;
    uint8_t wants;
    uint16_t flags;
    uint32_t ttl_s;     /* 0: none */
    int64_t created_ms; /* the sender's edge's wall clock; for people, never for decisions */
    uint8_t trace[16];
    struct text sender; /* a user id */
    struct text device; /* of the sender; may be empty */
    struct text id;     /* 1 to 64 printable ASCII */
    struct text body;   /* a JSON value, exactly as it came */
    uint16_t recipient_count;
    struct wire_cursor recipients; /* for wire_recipient_next(); checked by the decoder */
};

struct wire_genesis {
    uint8_t stream; /* 0: log of a shard, 1: outbox */
    uint8_t incarnation[16];
    struct text region;
    struct text destination; /* of an outbox; empty for a log */
    uint16_t shard;          /* of a log; 0 for an outbox */
    uint16_t shards;         /* of the region (log), or of the destination (outbox) */
    struct text hash_name;   /* HASH_SHARD_NAME */
    uint8_t hash_version;
};

struct wire_config {
    uint8_t level;
    uint32_t dedupe_window_s;
    uint32_t retention_s;
    uint32_t mailbox_max_messages;
    uint64_t mailbox_max_bytes;
    uint16_t devices_max;
    uint8_t dedupe_key[16];
};

struct wire_own {
    struct text hub;  /* empty: given up */
    uint64_t start;   /* random for each start of a hub process */
    uint64_t expects; /* the generation it succeeds; applied only if that is the current one */
};

struct wire_tick {
    uint64_t generation;
    uint64_t position; /* what the owner had applied when it wrote this */
    struct fingerprint hash;
};

struct wire_ack {
    uint64_t generation;
    struct text user;
    struct text device;
    uint32_t epoch;
    uint64_t seq; /* all up to here is confirmed; 0: nothing yet */
};

struct wire_checkpoint {
    uint64_t generation;
};

struct wire_noticed {
    uint64_t generation;
    uint64_t number; /* all notices up to this one: see mailbox_notice() */
};

struct wire_read {
    uint64_t generation;
    struct text user; /* who has read */
    struct text of;   /* whose messages */
    uint32_t epoch;
    uint64_t seq; /* in the mailbox of `user`: all of `of` up to here */
};

/* In the order of their seqs; the message is for this user alone, and durable. */
struct wire_move_row {
    uint64_t generation;
    uint64_t move;
    uint32_t epoch;
    uint64_t seq;
    int64_t at_ms; /* log time, where it was given its seq */
    struct text user;
    struct wire_message message;
};

struct wire_record {
    uint8_t kind;
    uint8_t level;
    union {
        struct wire_message message;
        struct wire_genesis genesis;
        struct wire_config config;
        struct wire_own own;
        struct wire_tick tick;
        struct wire_ack ack;
        struct wire_checkpoint checkpoint;
        struct wire_noticed noticed;
        struct wire_read read;
        struct wire_freeze freeze;
        struct wire_move_row move_row;
        struct wire_move_in move_in;
        struct wire_move_end move_end;
    };
};

/* Takes the next record out of a batch's body and decodes it. 0; -EBADMSG: malformed, and so is all
 * that follows; -EPROTO: a kind, level, class, flag or recipient kind this program does not know
 * (kind and level are then set, and the record is passed over); -ENODATA: no more. */
MUST_USE int wire_record_next(struct wire_cursor *body, struct wire_record *ret_record);
/* The next recipient, false at the end. */
bool wire_recipient_next(struct wire_cursor *recipients, struct wire_recipient *ret_recipient);

/* What wire_message_write() will take, for wire_batch_has_room(). */
size_t wire_message_size(const struct wire_message *message,
                         const struct wire_recipient *recipients, size_t recipient_count);
/* Append one record to the batch. The fields are within their bounds: asserted. `recipients` of
 * `message` is not used; they come as an array, 1 to 256. */
void wire_message_write(struct wire_batch_writer *writer, const struct wire_message *message,
                        const struct wire_recipient *recipients, size_t recipient_count);
void wire_genesis_write(struct wire_batch_writer *writer, const struct wire_genesis *genesis);
void wire_config_write(struct wire_batch_writer *writer, const struct wire_config *config);
void wire_own_write(struct wire_batch_writer *writer, const struct wire_own *own);
void wire_tick_write(struct wire_batch_writer *writer, const struct wire_tick *tick);
void wire_ack_write(struct wire_batch_writer *writer, const struct wire_ack *ack);
void wire_checkpoint_write(struct wire_batch_writer *writer,
                           const struct wire_checkpoint *checkpoint);
void wire_noticed_write(struct wire_batch_writer *writer, const struct wire_noticed *noticed);
void wire_read_write(struct wire_batch_writer *writer, const struct wire_read *read);
void wire_freeze_write(struct wire_batch_writer *writer, const struct wire_freeze *freeze);
/* `recipients` of the message is not used: `user` is. */
void wire_move_row_write(struct wire_batch_writer *writer, const struct wire_move_row *row);
void wire_move_in_write(struct wire_batch_writer *writer, const struct wire_move_in *move);
void wire_move_end_write(struct wire_batch_writer *writer, const struct wire_move_end *end);

/* The payload of a message alone (no record head), for frames that carry one. -EBADMSG, -EPROTO. */
MUST_USE int wire_message_decode(struct wire_cursor payload, struct wire_message *ret_message);
void wire_message_encode(struct buffer *out, const struct wire_message *message,
                         const struct wire_recipient *recipients, size_t recipient_count);
/* The payload of a move row alone, as for an entry of a frame. False: a value that is not known. */
bool wire_move_row_read(struct wire_cursor *in, struct wire_move_row *row);
void wire_move_row_put(struct buffer *out, const struct wire_move_row *row);
