/* All mailboxes of one shard, as a pure state machine: a batch and its position go in, decisions
 * come out. It knows no wall clock, no socket and no database, and nothing but the log: two of them
 * that were given the same log are equal, whatever the chunks, the machine or the version.
 *
 * Rules, in the order they are checked (docs/architecture.md, "The log"):
 *  1. Positions follow one another without a hole; position 1 is `genesis`.
 *  2. Log time T = max(T, min(the stream's timestamp, T + 60 s)); the genesis sets it.
 *  3. A batch applies whole or not at all. A damaged or malformed one is quarantined and passed
 *     over; a kind, level or version that is not known stops the shard (-EPROTO).
 *  4. Edges and lanes write messages only, of the level of the log; whatever else they write is
 *     quarantined, known or not. Hubs write all other kinds, and notices. A config raises the
 *     level and never lowers it.
 *  5. A lane's batch applies only when its stamp's `previous` is what was applied last of it. A
 *     damaged body, a malformed record or a forbidden kind moves the lane on; a damaged header not.
 *  6. `own` applies only when it expects the current generation; its position is the new one.
 *     Acks and ticks of another generation are passed over.
 *     So are checkpoints, noticed and read records.
 *  7. A message whose (recipient, sender, id) was seen within the dedupe window is a repeat.
 *  8. From config.level 2 on: checkpoints, noticed and read records have an effect (below it they
 *     are refused) and notices are made. A message that carries WIRE_FLAG_NOTICE without being of
 *     WIRE_NOTICE_SENDER, or the other way round, is quarantined with its batch; and so is a notice
 *     that an edge wrote. The level is that before the batch.
 *  9. Home moves (level 3): what comes for a mailbox that is frozen is held: it has a row, and no
 *     seq. When the move is done it is passed on, as is all that comes later (see
 *     MAILBOX_NOTICE_PASS_ON); and before it, if the end says so, the newest of the mailbox itself,
 *     which another region has gone on without. When the move is aborted it is appended, in its
 *     order. A repeat of what is in the mailbox stays one. Acks and reads of a mailbox that is not
 *     here are refused.
 * 10. From level 2 on, rows expire by log time; see mailbox_state.
 *
 * One thread uses it; nothing is locked. When memory is short it aborts: half an apply is no
 * state. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "base/hash.h"
#include "wire/names.h"
#include "wire/record.h"

struct mailbox; /* opaque: the mailboxes of one shard */

MUST_USE struct mailbox *mailbox_new(void); /* at position 0; NULL when memory is short */
void mailbox_free(struct mailbox *mailbox);
/* The highest level that may be applied (default: WIRE_LEVEL): a record or a config above it stops
 * the shard as one that the program does not know. Holds an upgrade back; not part of the state. */
void mailbox_limit_level(struct mailbox *mailbox, uint8_t level);

struct mailbox_input {
    uint64_t position;
    int64_t time_ms; /* the stream's timestamp */
    enum wire_writer writer;
    struct text source; /* of a lane: the region it comes from */
    const void *data;   /* a batch */
    size_t size;
};

/* A message with its place in a mailbox. Rows are numbered 1, 2, 3... over the whole shard; each
 * names the row of the same user before it (0: none). Borrowed for the callback's duration. */
struct mailbox_row {
    uint64_t row;
    uint64_t previous_row;
    uint64_t position;
    struct text user;
    uint32_t epoch;
    uint64_t seq;
    int64_t at_ms; /* log time */
    const struct wire_message *message;
};

/* Why a batch, or a part of it, was passed over. */
enum mailbox_passed {
    MAILBOX_QUARANTINED, /* damaged, malformed, or a kind its writer may not write */
    MAILBOX_LANE_REPEAT,
    MAILBOX_LANE_HOLE,
    MAILBOX_LANE_OLD, /* of an incarnation that was replaced */
    MAILBOX_DEPOSED,  /* of a generation that is over */
    /* An ack or read above the head, of another epoch or of another shard's user; a noticed above
     * what there is; a kind above the level of the log. */
    MAILBOX_REFUSED,
};

/* Where a user's mailbox is, as far as this log knows. */
enum mailbox_where {
    MAILBOX_AT_HOME, /* here, or nobody knows: the directory does */
    MAILBOX_FROZEN,  /* here, and takes nothing: it moves to `region` */
    MAILBOX_STAGED,  /* rows are copied here; not here yet */
    MAILBOX_ARRIVED, /* here, from `region`; the directory may not say so yet */
    MAILBOX_AWAY,    /* in `region` */
};
struct mailbox_move {
    enum mailbox_where where;
    uint64_t move;
    struct text user;
    struct text region;   /* empty: not known */
    int64_t since_ms;     /* log time */
    uint64_t copied_from; /* the first seq that was copied here; 0: none */
    size_t held;          /* messages that wait for the end of the move */
};

/* What apply decided, in order. Callbacks may be NULL; they must not call mailbox_apply(). */
struct mailbox_effects {
    void *context;
    void (*appended)(void *context, const struct mailbox_row *row);
    void (*repeated)(void *context, struct text user, const struct wire_message *message,
                     uint32_t epoch, uint64_t seq); /* the cursor of the first one */
    void (*acked)(void *context, struct text user, struct text device, uint32_t epoch,
                  uint64_t seq);
    void (*device_dropped)(void *context, struct text user, struct text device);
    void (*owned)(void *context, uint64_t generation, struct text hub, uint64_t start);
    void (*lane_moved)(void *context, struct text source, uint64_t sequence);
    void (*passed)(void *context, const struct mailbox_input *input, enum mailbox_passed why,
                   const char *reason);
    void (*misrouted)(void *context, struct text user, const struct wire_message *message);
    /* The state is to be saved as it is when this apply returns: see mailbox_save(). */
    void (*checkpoint)(void *context, uint64_t position);
    void (*read)(void *context, const struct wire_read *read);
    /* A message got a row and no seq (epoch and seq are 0); it is delivered to nobody here. */
    void (*held)(void *context, const struct mailbox_row *row);
    /* What is in `held_row` is appended after all, as this row; its message is NULL. */
    void (*released)(void *context, const struct mailbox_row *row, uint64_t held_row);
    void (*moved)(void *context, const struct mailbox_move *move); /* as it is now */
};

/* Applies the batch at input->position, which must be the next one. 0, or the shard must stop, with
 * the state as it was: -ESTALE: a hole or a step back in positions; -EPROTO: from a newer program,
 * or the log does not begin with a genesis, or a genesis of another log; -EILSEQ: the owner's hash
 * of the log differs from ours, or the owner had applied more than the log holds.
 * -EIO: a stored segment could not be read. Then a part of the batch has been applied: the mailbox
 * and what the effects have made must be thrown away; it gives nothing but -EIO from then on. */
MUST_USE int mailbox_apply(struct mailbox *mailbox, const struct mailbox_input *input,
                           const struct mailbox_effects *effects, struct error_text *reterr_why);

/* Owners tick every few seconds, and one takes over from another within a few more. */
enum { MAILBOX_PAUSE_MS = 15000 };
struct mailbox_state { /* borrowed until the next apply */
    uint64_t position;
    struct fingerprint hash;
    int64_t time_ms; /* T */
    uint8_t incarnation[16];
    struct text region;
    uint16_t shard;
    uint16_t shards;
    uint64_t generation; /* 0: nobody has owned it */
    struct text owner;   /* empty: nobody owns it now */
    uint64_t owner_start;
    /* Log time when somebody owned it again after MAILBOX_PAUSE_MS and more without a sign of an
     * owner; 0: that never was. */
    int64_t returned_ms;
    struct wire_config config;
    uint64_t rows;          /* the last row's number */
    uint64_t expired_rows;  /* all rows up to this one are older than the retention: see below */
    uint64_t notices_first; /* the oldest that waits; notices_last + 1 when none does */
    uint64_t notices_last;
    uint64_t notices_dropped;     /* for want of room, ever */
    uint64_t checkpoint_position; /* of the last checkpoint; 0: there was none */
    int64_t checkpoint_ms;        /* its log time */
    size_t users;
    size_t dedupe_entries;
    size_t dedupe_in_memory; /* of them; see mailbox_segments.h */
};
struct mailbox_state mailbox_state(const struct mailbox *mailbox);
/* expired_rows, from level 2 on: by log time, at any position (a tick too), never back. A row is
 * expired when it is retention_s old, and not before; at the latest it counts as expired a grain
 * and the time between two positions after that. The grain is retention_s / 8192, 1 s at least.
 * retention_s 0: none expire. Users know nothing of it: their `oldest` is a matter of the caps. */
/* Of a lane: false when nothing was applied of it yet. */
bool mailbox_lane(const struct mailbox *mailbox, struct text source, uint8_t ret_incarnation[16],
                  uint64_t *ret_sequence);
/* Calls on_lane for each lane, in the order they were first seen. */
void mailbox_each_lane(const struct mailbox *mailbox, void *context,
                       void (*on_lane)(void *context, struct text source,
                                       const uint8_t incarnation[16], uint64_t sequence));

struct mailbox_user { /* borrowed until the next apply */
    struct text name;
    uint32_t epoch;    /* from 1 */
    uint64_t head;     /* the last seq given; 0: none yet */
    uint64_t oldest;   /* the first seq still kept; head + 1 when none is */
    uint64_t base;     /* up to it, seqs are those of the epoch before too; 0: none are */
    uint64_t last_row; /* 0: none yet */
    void *internal;
};
struct mailbox_device {
    struct text name;
    uint32_t epoch;
    uint64_t seq;    /* confirmed */
    int64_t used_ms; /* log time of its last ack */
};
bool mailbox_find_user(const struct mailbox *mailbox, struct text user,
                       struct mailbox_user *ret_user);
/* The user that came into being next after `after` (empty: the first of all), which is not
 * forgotten: users stay. False at the end. */
bool mailbox_next_user(const struct mailbox *mailbox, struct text after,
                       struct mailbox_user *ret_user);
bool mailbox_find_device(const struct mailbox_user *user, struct text device,
                         struct mailbox_device *ret_device);
size_t mailbox_device_count(const struct mailbox_user *user);
/* A row of this user at or after `seq`, less than 256 messages after it: from where to walk back to
 * `seq`, or to `oldest` when seq is below. 0 when seq is above the head. */
uint64_t mailbox_row_near(const struct mailbox_user *user, uint64_t seq);
/* The other way round, for expired_rows: a seq still kept and in a row above `row`, less than 256
 * messages after the first such one. mailbox_row_near() of it is where to walk back from. head + 1
 * when all there is, is in rows up to `row`. */
uint64_t mailbox_seq_after_row(const struct mailbox_user *user, uint64_t row);

/* The caps. config.mailbox_max_messages is exact: no more than these are kept. From level 2 on,
 * config.mailbox_max_bytes: so much of the newest is kept always, and more up to a grain and one
 * message; a message weighs its body and MAILBOX_MESSAGE_BYTES. Caps count as messages come; 0: no
 * cap. The newest message is always kept. */
enum { MAILBOX_MESSAGE_BYTES = 64, MAILBOX_BYTES_GRAIN = 256 * 1024 };

/* What somebody is to be told, made by apply and kept in the state until a `noticed` record says
 * that it is stored where it belongs; numbered 1, 2, 3... in the order of the log, so whoever owns
 * the shard next goes on where the one before stopped. At most MAILBOX_NOTICES_MAX wait; beyond it
 * the oldest are dropped, on every hub alike, and counted.
 *
 * STORED: a row whose message wants it. DELIVERED: a device went on over one that wants it, and is
 * the first of the user's to do so; some in the range may not want it. The ack that makes a device
 * known says where it begins, and delivers nothing. READ: a read record, of a user who has ever had
 * a message that wants it. DROPPED: see device_dropped. Repeats make none, and a message that is a
 * notice itself never wants any. */
enum { MAILBOX_NOTICES_MAX = 262144 };
enum mailbox_notice_kind {
    MAILBOX_NOTICE_STORED,    /* to the sender of seq `to`, which is in row `row` */
    MAILBOX_NOTICE_DELIVERED, /* to the senders that want it of seqs `from` to `to` */
    MAILBOX_NOTICE_READ,      /* to `other`: `user` has read all of its up to seq `to` */
    MAILBOX_NOTICE_DROPPED,   /* to the user itself: its device `other` was, its cursor at `to` */
    /* No notice: a message for `user`, who is elsewhere. The one in `row`, which has no seq; or
     * with `from` not 0 those from seq `from` to `to`, and `row` is where to walk back from. */
    MAILBOX_NOTICE_PASS_ON,
};
struct mailbox_notice { /* borrowed until the next apply */
    enum mailbox_notice_kind kind;
    struct text user; /* whose mailbox it is about */
    struct text other;
    uint32_t epoch;
    uint64_t from;
    uint64_t to;
    uint64_t row;
};
/* False: no such notice waits. */
bool mailbox_notice(const struct mailbox *mailbox, uint64_t number,
                    struct mailbox_notice *ret_notice);

/* False: the user is at home here, or was never heard of. */
bool mailbox_move_of(const struct mailbox *mailbox, struct text user,
                     struct mailbox_move *ret_move);
/* Those that are frozen, staged or arrived, in no order. */
void mailbox_each_moving(const struct mailbox *mailbox, void *context,
                         void (*on_move)(void *context, const struct mailbox_move *move));
/* What waits for moves to end. */
struct mailbox_moving {
    size_t users;          /* that are frozen, staged or arrived */
    size_t held;           /* messages that came for those frozen */
    int64_t held_since_ms; /* the freeze of longest ago of those; 0: nothing is held */
    uint64_t to_pass_on;   /* notices of that kind */
};
struct mailbox_moving mailbox_moving(const struct mailbox *mailbox);
/* What a frozen mailbox hands over. `devices` is appended to, and borrowed by the result. */
void mailbox_hand_over(const struct mailbox_user *user, struct buffer *devices,
                       struct wire_mailbox *ret_mailbox);

/* The whole state without bodies, in a form of its own with a version and a checksum; equal states
 * give equal bytes. With a store, closed segments are referred to: see mailbox_segments.h. -ENOMEM,
 * -EIO. */
MUST_USE int mailbox_save(const struct mailbox *mailbox, struct buffer *out);
/* -EBADMSG: damaged or of another version. */
MUST_USE int mailbox_load(const void *bytes, size_t size, struct mailbox **ret_mailbox);
