/* What edges and hubs say to each other over core NATS, where everything may be lost and is
 * repeated. One message is a frame: a head, then entries. [format 1]
 *
 *   u32 magic "MRF1", u8 version 1, u8 zero, u16 count, u64 generation, u16 shard,
 *   text8 region (the home), text8 from (the process that sent it), then the entries:
 *   u8 kind, u8 zero, u32 size, `size` bytes.
 *
 * `generation` is that of the owner: hubs set their own, edges the one they know (0: none). A lower
 * one than known is dropped. All texts are borrowed from the bytes decoded. No device is empty
 * but where it says so. */
#pragma once

#include "wire/record.h"

enum wire_entry_kind {
    /* edge -> owner: hub.<r>.<s>.attach, .detach, .ack, .read, .fetch, .eph, .claim, .lane,
     * .history, .who */
    WIRE_ATTACH = 1,
    WIRE_DETACH = 2,
    WIRE_REPORT = 3,
    WIRE_FETCH = 4,
    WIRE_EPHEMERAL_SEND = 5, /* payload: wire_message_encode() */
    WIRE_CLAIM = 6,
    WIRE_LANE_ASK = 7, /* a request: answered on its reply subject by WIRE_LANE_AT */
    WIRE_READ_UP_TO = 8,
    WIRE_MOVE_ASK = 9,     /* move.<r>.<s>, a request: see move.h */
    WIRE_HISTORY_ASK = 10, /* a request: answered by a frame with one WIRE_HISTORY_PAGE and rows */
    WIRE_SHOW = 11,        /* .ack */
    WIRE_WHO_ASK = 12,     /* a request: answered by a frame with one WIRE_WHO and connections */
    WIRE_TOKEN = 13,       /* right before a show or a history ask: whose token it is */
    /* owner -> edge: edge.<r>.<edge> */
    WIRE_ATTACHED = 32,
    WIRE_DELIVER = 33,
    WIRE_ACKED = 34,
    WIRE_KICK = 35,
    WIRE_GAP = 36,
    WIRE_UNATTACHED = 37,
    WIRE_CLAIMED = 38,
    WIRE_LANE_AT = 39,
    WIRE_READ_NOTED = 40,
    WIRE_MOVE_STATE = 41,
    WIRE_MOVE_ROW_COPY = 42,
    WIRE_HISTORY_PAGE = 43,
    WIRE_HISTORY_ROW = 44,
    WIRE_SHOWN = 45,
    WIRE_WHO = 46,
    WIRE_WHO_CONNECTION = 47,
};

/* Codes of ATTACHED, CLAIMED, HISTORY_PAGE, SHOWN and WHO; the last one of ATTACHED alone. */
enum wire_answer {
    WIRE_OK = 0,
    WIRE_NOT_HOME = 1, /* the user's home is not here: ask the directory again */
    WIRE_BUSY = 2,     /* ask again later */
    WIRE_REFUSED = 3,
    WIRE_UNSURE = 4,       /* the directory cannot be written now */
    WIRE_UNAUTHORIZED = 5, /* the token is not one of this user and device, or has ended */
};

enum {
    WIRE_ATTACH_HAS_CURSOR = 1, /* epoch and seq say what the device has; else the known cursor */
    WIRE_ATTACH_FROM_HEAD = 2,  /* a device not known yet starts at the head, not at the oldest */
    WIRE_ATTACHED_RESUMED = 1,  /* goes on exactly where the device was */
    WIRE_ATTACHED_RESYNC = 2,   /* its cursor could not be honoured */
    WIRE_HISTORY_BEFORE = 1,    /* what is before the cursor, the newest; else the newest of all */
    WIRE_HISTORY_AFTER = 2,     /* what is after the cursor, the oldest; not both */
    WIRE_HISTORY_MORE = 1,      /* of a page: there are more on that way */
};

struct wire_attach {
    uint64_t request; /* the edge's own; the answer repeats it */
    struct text user;
    struct text device;
    uint64_t attach; /* 0 the first time; the number given before, when attaching again */
    uint8_t flags;
    uint32_t epoch;
    uint64_t seq;
    struct text token; /* empty: the client has shown none */
};
/* An attach number is given by the owner and grows: generation << 20, plus a counter. The higher
 * one of two for the same device wins. */
struct wire_detach {
    struct text user;
    struct text device;
    uint64_t attach;
};
struct wire_report {
    struct text user;
    struct text device;
    uint64_t attach;
    uint32_t epoch;
    uint64_t received; /* written to the device's socket, without holes, up to here */
    uint64_t acked;    /* acknowledged by the device up to here */
};
struct wire_fetch {
    struct text user;
    struct text device;
    uint64_t attach;
    uint32_t epoch;
    uint64_t from; /* the first seq that is missing: deliver again from here */
};
struct wire_claim {
    uint64_t request;
    struct text user;
    struct text home;
};
struct wire_read_up_to { /* the user of this device has read all of `of` up to `seq` */
    struct text user;
    struct text device;
    uint64_t attach;
    struct text of;
    uint32_t epoch;
    uint64_t seq;
};
struct wire_attached {
    uint64_t request;
    struct text user;
    struct text device;
    uint64_t attach;
    uint8_t code; /* enum wire_answer */
    uint8_t flags;
    uint32_t epoch;
    uint64_t seq;   /* deliveries begin with seq + 1 */
    uint64_t head;  /* the last seq given in this mailbox */
    uint64_t acked; /* the device's confirmed cursor */
};
struct wire_deliver {
    uint64_t attach; /* 0: all devices of the user at this edge for which it is the next one */
    struct text user;
    uint32_t epoch;
    uint64_t seq;  /* 0: ephemeral */
    int64_t at_ms; /* log time */
    uint16_t flags;
    uint8_t trace[16];
    struct text sender;
    struct text id;
    struct text body;
};
struct wire_acked { /* also: where the device's confirmed cursor is */
    struct text user;
    struct text device;
    uint64_t attach;
    uint32_t epoch;
    uint64_t seq;
};
enum wire_kick_reason {
    WIRE_KICK_REPLACED = 1,
    WIRE_KICK_MOVED = 2,
    WIRE_KICK_REVOKED = 3,
    WIRE_KICK_DROPPED = 4, /* the user has more devices than may be kept, and this one is stale */
    WIRE_KICK_ENDED = 5,   /* somebody who may has asked for it: it is not to come back by itself */
    WIRE_KICK_RECONNECT = 6, /* the same, but it may come back at once */
};
struct wire_kick {
    struct text user;
    struct text device;
    uint64_t attach;
    uint8_t reason;
};
struct wire_gap {
    uint64_t attach;
    struct text user;
    uint32_t epoch;
    uint64_t from; /* from and to are lost for this device; deliveries go on at to + 1 */
    uint64_t to;
    struct text reason; /* retention, mailbox_full, ttl, lost */
};
struct wire_unattached { /* the owner knows no such attach: attach again */
    struct text user;
    struct text device;
    uint64_t attach;
};
struct wire_claimed {
    uint64_t request;
    struct text user;
    uint8_t code;
    struct text home;
    uint32_t epoch;
};
struct wire_lane_ask {
    struct text source;
};
struct wire_lane_at {
    struct text source;
    uint8_t incarnation[16]; /* zeros: nothing was applied of this lane yet */
    uint64_t sequence;       /* the outbox sequence applied last */
};

enum { WIRE_TOKEN_MAX = 4096 };
struct wire_token {
    struct text token; /* 1 to WIRE_TOKEN_MAX bytes */
};

/* A page of a user's mailbox, over all epochs. Asking again changes nothing. */
enum { WIRE_HISTORY_ROWS_MAX = 200, WIRE_HISTORY_BYTES_MAX = 512 * 1024 };
struct wire_history_ask {
    uint64_t request; /* the edge's own; the answer repeats it */
    struct text user;
    uint8_t flags;
    uint32_t epoch; /* of the cursor, exclusive; zeros without a flag */
    uint64_t seq;
    uint16_t rows_max;  /* 1 to WIRE_HISTORY_ROWS_MAX */
    uint32_t bytes_max; /* of the rows, about; at most WIRE_HISTORY_BYTES_MAX. One always fits. */
};
struct wire_history_page { /* `count` rows follow it in its frame, in rising order */
    uint64_t request;
    uint8_t code; /* enum wire_answer */
    uint8_t flags;
    uint16_t count;
    struct text reason; /* a word: why some that should be here are not; empty: none is missing */
};
struct wire_history_row {
    uint32_t epoch;
    uint64_t seq;
    int64_t at_ms; /* log time */
    uint16_t flags;
    struct text sender;
    struct text id;
    struct text body;
};

/* Which devices of a user are attached, all or one; and what is to become of them. */
enum wire_who_action {
    WIRE_WHO_TELL = 0,
    WIRE_WHO_END = 1,       /* each is kicked with WIRE_KICK_ENDED... */
    WIRE_WHO_RECONNECT = 2, /* ...or with WIRE_KICK_RECONNECT */
};
enum { WIRE_WHO_MAX = 128 };
struct wire_who_ask {
    uint64_t request; /* the edge's own; the answer repeats it */
    struct text user;
    struct text device; /* empty: all of them */
    uint8_t action;
};
struct wire_who { /* `count` connections follow it in its frame: those it was about */
    uint64_t request;
    uint8_t code;   /* enum wire_answer */
    uint16_t count; /* at most WIRE_WHO_MAX */
};
struct wire_connection {
    struct text device;
    struct text region; /* of the edge */
    struct text edge;
    int64_t since_ms; /* since 1970: when the owner first heard of it */
};

struct wire_read_noted { /* for all devices of the user: what WIRE_READ_UP_TO said is in the log */
    struct text user;
    struct text of;
    uint32_t epoch;
    uint64_t seq;
};

/* What a device says of its mailbox by another way than its attach, wherever that is, or without
 * one. It is repeated until it is answered. */
struct wire_show {
    uint64_t request; /* the edge's own; the answer repeats it */
    struct text user;
    struct text device;
    struct text of; /* empty: the device has all up to seq; else: the user has read all of `of` */
    uint32_t epoch;
    uint64_t seq;
};
struct wire_shown {
    uint64_t request;
    uint8_t code; /* OK: it is in the log; BUSY: not yet; REFUSED: there is no such cursor */
    uint32_t epoch;
    uint64_t seq; /* up to here: what is confirmed may be more than was shown */
};

struct wire_entry {
    uint8_t kind;
    union {
        struct wire_attach attach;
        struct wire_detach detach;
        struct wire_report report;
        struct wire_fetch fetch;
        struct wire_message ephemeral;
        struct wire_claim claim;
        struct wire_lane_ask lane_ask;
        struct wire_attached attached;
        struct wire_deliver deliver;
        struct wire_acked acked;
        struct wire_kick kick;
        struct wire_gap gap;
        struct wire_unattached unattached;
        struct wire_claimed claimed;
        struct wire_lane_at lane_at;
        struct wire_read_up_to read_up_to;
        struct wire_read_noted read_noted;
        struct wire_move_ask move_ask;
        struct wire_move_state move_state;
        struct wire_move_row move_row;
        struct wire_token token;
        struct wire_history_ask history_ask;
        struct wire_history_page history_page;
        struct wire_history_row history_row;
        struct wire_show show;
        struct wire_shown shown;
        struct wire_who_ask who_ask;
        struct wire_who who;
        struct wire_connection connection;
    };
};

struct wire_frame {
    uint64_t generation;
    uint16_t shard;
    struct text region;
    struct text from;
    uint16_t count; /* of the entries that are left: wire_entry_next() counts down */
    struct wire_cursor entries;
};

enum { WIRE_FRAME_SIZE_MAX = 768 * 1024, WIRE_FRAME_ENTRIES_MAX = 4096 };

/* -EBADMSG, -EPROTO (version). Checks the head alone. */
MUST_USE int wire_frame_read(const void *bytes, size_t size, struct wire_frame *ret_frame);
/* 0; -ENODATA at the end; -EBADMSG: malformed, or not as many entries as the head says (the rest is
 * lost too); -EPROTO: a kind, code or flag not known (the entry is passed over, go on). */
MUST_USE int wire_entry_next(struct wire_frame *frame, struct wire_entry *ret_entry);

struct wire_frame_writer {
    struct buffer *out;
    size_t start;
    uint16_t count;
};
/* `head->count` and `head->entries` are not used. */
void wire_frame_begin(struct wire_frame_writer *writer, struct buffer *out,
                      const struct wire_frame *head);
/* True when another entry of about `size` bytes should still go into this frame. */
bool wire_frame_has_room(const struct wire_frame_writer *writer, size_t size);
/* Any kind but WIRE_EPHEMERAL_SEND, which has a function of its own. The fields are within their
 * bounds: asserted. */
void wire_entry_write(struct wire_frame_writer *writer, const struct wire_entry *entry);
void wire_ephemeral_write(struct wire_frame_writer *writer, const struct wire_message *message,
                          const struct wire_recipient *recipients, size_t recipient_count);
MUST_USE int wire_frame_end(struct wire_frame_writer *writer); /* -ENOMEM */
