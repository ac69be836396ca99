/* What the files of this folder share: the state, and one group of functions for each part of it.
 * Order matters wherever something is saved: users, devices, lanes and dedupe entries are kept in
 * the order in which the log brought them, so that equal states give equal bytes. */
#pragma once

#include "base/list.h"
#include "mailbox/mailbox.h"
#include "mailbox/mailbox_segments.h"
#include "wire/beat.h"

#define uthash_fatal(reason) abort() /* half an apply is no state */
#include "base/table.h"

#include <stdlib.h>

enum {
    MAILBOX_HASHES = 4096,    /* positions whose hash is remembered for ticks */
    MAILBOX_MARK_EVERY = 256, /* seqs from one mark to the next, at most */
    MAILBOX_PAST_MAX = 8,     /* incarnations of a lane that are remembered as over */
    MAILBOX_LANES_MAX = WIRE_BEAT_LANES_MAX,
};

struct mailbox_device_entry {
    struct mailbox_device_entry *next;
    uint64_t seq;
    int64_t used_ms;
    uint32_t epoch;
    uint8_t name_size;
    char name[];
};

/* What the senders of a user's messages are to be told of. Seqs before the first that asked count
 * as delivered: nobody waits for them. */
struct mailbox_user_wants {
    uint64_t delivered;    /* the highest seq that any device has acked; never goes back */
    uint64_t delivered_to; /* the highest seq whose message wants WIRE_WANT_DELIVERED; 0: none */
    uint64_t read_to;      /* as this, WIRE_WANT_READ */
    /* Below `delivered`, the last that no device has acked, since one began behind it: the seqs
     * after the first up to the second; both 0: none. */
    uint64_t skipped_from;
    uint64_t skipped_to;
};

struct mailbox_mark {
    uint64_t seq;
    uint64_t row;   /* of that seq */
    uint64_t bytes; /* of all messages up to it */
};

/* A mark is set when 256 messages or 256 KiB have come since the one before. */
struct mailbox_user_entry {
    UT_hash_handle hh;
    struct mailbox_device_entry *devices;
    struct mailbox_user_wants *wants; /* NULL: no message of this user has asked for anything */
    struct mailbox_mark *marks;
    struct mailbox_move_entry *move; /* NULL: at home here; see mailbox_moves.c */
    uint64_t head;
    uint64_t oldest;
    uint64_t base;
    uint64_t last_row;
    uint32_t epoch;
    uint32_t mark_count;
    uint32_t bytes_since; /* the newest mark */
    uint16_t device_count;
    uint8_t name_size;
    char name[];
};

struct mailbox_lane_entry {
    char source[TEXT_REGION_MAX + 1];
    uint8_t incarnation[16];
    uint64_t sequence;
    uint8_t past[MAILBOX_PAST_MAX][16]; /* oldest first */
    uint8_t past_count;
};

struct mailbox_dedupe_segment {
    struct mailbox_segment info;
    struct mailbox_held *held; /* NULL: it is stored, or has no entry */
};
struct mailbox_dedupe {
    struct mailbox_dedupe_segment *segments; /* closed, oldest first */
    size_t count;
    size_t capacity;
    struct mailbox_dedupe_segment open; /* without id, count; end_ms is 0 before the first entry */
    uint64_t last_id;
    size_t entries;
    size_t in_memory;           /* of them */
    struct mailbox_store store; /* zeros: none */
};

struct mailbox_notice_entry; /* see mailbox_notices.c */
struct mailbox_notices {
    struct mailbox_notice_entry *ring; /* number n is at n % capacity */
    size_t capacity;                   /* a power of two, or 0 */
    uint64_t first;                    /* the oldest that waits; last + 1 when none does */
    uint64_t last;
    uint64_t dropped;
    uint64_t to_pass_on; /* of those that wait: of kind MAILBOX_NOTICE_PASS_ON */
};

struct mailbox_time_mark {
    int64_t time_ms;
    uint64_t row; /* the last one of then */
};
struct mailbox_retention {
    uint64_t expired_rows;
    struct mailbox_time_mark *ring; /* oldest at `first`; both members grow from one to the next */
    uint32_t capacity;              /* a power of two, or 0 */
    uint32_t first;
    uint32_t count;
};

struct mailbox {
    uint64_t position;
    struct fingerprint hash;
    int64_t time_ms;
    uint8_t incarnation[16];
    char region[TEXT_REGION_MAX + 1];
    uint16_t shard;
    uint16_t shards;
    uint64_t generation;
    char owner[TEXT_PROCESS_MAX + 1];
    uint64_t owner_start;
    int64_t heard_ms;    /* log time of the last own or tick that counted */
    int64_t returned_ms; /* of the last own after a pause in them */
    struct wire_config config;
    uint64_t rows;
    uint64_t checkpoint_position;
    int64_t checkpoint_ms;
    struct mailbox_user_entry *users;
    struct list moving; /* in no order that counts */
    size_t move_count;  /* users that move or are away */
    struct mailbox_dedupe dedupe;
    struct mailbox_lane_entry lanes[MAILBOX_LANES_MAX];
    size_t lane_count;
    struct mailbox_notices notices;
    struct mailbox_retention retention;
    bool broken; /* a look-up failed within an apply */
    /* Not part of the saved state: ticks of positions before `hashes_from` are passed over. */
    struct fingerprint hashes[MAILBOX_HASHES]; /* of position p at p % MAILBOX_HASHES */
    uint64_t hashes_from;
    uint8_t level_max; /* of records and config that may be applied; not saved either */
    struct wire_record records[WIRE_BATCH_RECORDS_MAX]; /* of the batch being applied */
};

/* Memory, or abort. */
void *mailbox_allocate(void *old, size_t size);
void mailbox_tell_passed(const struct mailbox_effects *effects, const struct mailbox_input *input,
                         enum mailbox_passed why, const char *reason);
/* Notices, retention and the cap of bytes count from this level on. */
static inline bool mailbox_at_level_2(const struct mailbox *mailbox)
{
    return mailbox->config.level >= 2;
}

/* What is to be done with a batch. Found without changing anything but mailbox->records. */
struct mailbox_verdict {
    bool passed; /* nothing of it applies, for the reason given */
    enum mailbox_passed why;
    const char *reason;
    bool lane_moves; /* whether it is passed or not */
    struct wire_stamp stamp;
    uint16_t count; /* of mailbox->records */
};
MUST_USE int mailbox_judge(struct mailbox *mailbox, const struct mailbox_input *input,
                           struct mailbox_verdict *ret_verdict, struct error_text *reterr_why);

/* The next row, with the user's next seq; its message is the caller's. */
struct mailbox_row mailbox_append_row(struct mailbox *mailbox, struct mailbox_user_entry *user,
                                      uint32_t bytes, int64_t at_ms);

/* Any kind but a message, which the judge has let through. */
void mailbox_records_apply(struct mailbox *mailbox, const struct mailbox_input *input,
                           const struct wire_record *record, const struct mailbox_effects *effects);

/* Notices: what each event makes of them, if anything. The user is as it is after the event. */
void mailbox_notices_appended(struct mailbox *mailbox, struct mailbox_user_entry *user,
                              const struct wire_message *message);
/* A device that was at `before` is at `seq`. */
void mailbox_notices_acked(struct mailbox *mailbox, struct mailbox_user_entry *user,
                           uint64_t before, uint64_t seq);
void mailbox_notices_read(struct mailbox *mailbox, const struct mailbox_user_entry *user,
                          const struct wire_read *read);
void mailbox_notices_dropped(struct mailbox *mailbox, const struct mailbox_user_entry *user,
                             const struct mailbox_device_entry *device);
void mailbox_notices_pass_on(struct mailbox *mailbox, const struct mailbox_user_entry *user,
                             uint64_t row);
/* The same for what has seqs: all from `from` on, a notice for each mark's worth of them. */
void mailbox_notices_pass_on_from(struct mailbox *mailbox, struct mailbox_user_entry *user,
                                  uint64_t from);
/* All up to `number`; false when there was no such number yet. */
bool mailbox_notices_remove(struct mailbox *mailbox, uint64_t number);
void mailbox_notices_free(struct mailbox *mailbox);
void mailbox_notices_save(const struct mailbox *mailbox, struct buffer *out);
/* The users are there. Fails the cursor. */
void mailbox_notices_load(struct mailbox *mailbox, struct wire_cursor *in);

/* Home moves. False: messages for the user are not for its mailbox here: they are held. */
bool mailbox_moves_is_here(const struct mailbox_user_entry *user);
void mailbox_moves_hold(struct mailbox *mailbox, struct mailbox_user_entry *user,
                        const struct wire_message *message, const struct fingerprint *print,
                        const struct mailbox_effects *effects);
/* One of the four kinds, of the current generation. */
void mailbox_moves_apply(struct mailbox *mailbox, const struct mailbox_input *input,
                         const struct wire_record *record, const struct mailbox_effects *effects);
void mailbox_moves_free_user(struct mailbox_user_entry *user);
void mailbox_moves_save_user(const struct mailbox_user_entry *user, struct buffer *out);
/* Fails the cursor. */
void mailbox_moves_load_user(struct mailbox *mailbox, struct mailbox_user_entry *user,
                             struct wire_cursor *in);

/* Retention. To be called before log time becomes `time_ms`, which may be as it is. */
void mailbox_retention_advance(struct mailbox *mailbox, int64_t time_ms);
void mailbox_retention_free(struct mailbox_retention *retention);
void mailbox_retention_save(const struct mailbox_retention *retention, struct buffer *out);
/* What the shard itself is comes first. Fails the cursor. */
void mailbox_retention_load(struct mailbox *mailbox, struct wire_cursor *in);

/* Users and their devices */
struct mailbox_user_entry *mailbox_users_find(const struct mailbox *mailbox, struct text name);
struct mailbox_user_entry *mailbox_users_take(struct mailbox *mailbox,
                                              struct text name); /* or new */
void mailbox_users_free(struct mailbox *mailbox);
/* Gives the next seq to `row`, whose message weighs `bytes`; the oldest messages go when there are
 * more than the caps (0: none) allow. */
void mailbox_user_append(struct mailbox_user_entry *user, uint64_t row, uint32_t bytes,
                         uint32_t messages_max, uint64_t bytes_max);
/* Sets a mark at the head, which is in no row. */
void mailbox_user_mark_head(struct mailbox_user_entry *user);
struct mailbox_device_entry *mailbox_user_device(const struct mailbox_user_entry *user,
                                                 struct text name);
struct mailbox_device_entry *mailbox_user_add_device(struct mailbox_user_entry *user,
                                                     struct text name);
/* Unlinks the one used longest ago; there is one. The caller frees it. */
struct mailbox_device_entry *mailbox_user_pop_stalest(struct mailbox_user_entry *user);

/* Dedupe: fingerprints of messages with their cursors, in generations by log time */
struct fingerprint mailbox_dedupe_print(const uint8_t key[16], struct text recipient,
                                        struct text sender, struct text id);
/* 1, 0, or the store's error. */
int mailbox_dedupe_find(const struct mailbox_dedupe *dedupe, const struct fingerprint *print,
                        uint32_t *ret_epoch, uint64_t *ret_seq);
/* The fingerprint is known not to be there. */
void mailbox_dedupe_add(struct mailbox_dedupe *dedupe, int64_t time_ms, uint32_t window_s,
                        const struct fingerprint *print, uint32_t epoch, uint64_t seq);
/* Closes and drops what the time says. */
void mailbox_dedupe_expire(struct mailbox_dedupe *dedupe, int64_t time_ms, uint32_t window_s);
void mailbox_dedupe_free(struct mailbox_dedupe *dedupe);
void mailbox_dedupe_save(const struct mailbox_dedupe *dedupe, struct buffer *out);
bool mailbox_dedupe_load(struct mailbox_dedupe *dedupe, struct wire_cursor *in);

/* The entries of one segment in memory; the rest is in mailbox_segments.h. */
struct mailbox_held *mailbox_held_new(void);
struct mailbox_held *mailbox_held_hold(struct mailbox_held *held);
uint32_t mailbox_held_count(const struct mailbox_held *held); /* NULL has none */
bool mailbox_held_find(const struct mailbox_held *held, const struct fingerprint *print,
                       uint32_t *ret_epoch, uint64_t *ret_seq);
/* Also to the sum. */
void mailbox_held_add(struct mailbox_held *held, const struct fingerprint *print, uint32_t epoch,
                      uint64_t seq, struct fingerprint *sum);
void mailbox_held_save(const struct mailbox_held *held, struct buffer *out);
void mailbox_held_load(struct mailbox_held *held, uint32_t count, struct wire_cursor *in);

/* Lanes */
const struct mailbox_lane_entry *mailbox_lanes_find(const struct mailbox *mailbox,
                                                    struct text source);
/* True when a batch with this stamp is the next one of its lane; else why it is not. */
bool mailbox_lanes_is_next(const struct mailbox *mailbox, struct text source,
                           const struct wire_stamp *stamp, enum mailbox_passed *ret_why,
                           const char **ret_reason);
void mailbox_lanes_move(struct mailbox *mailbox, struct text source,
                        const struct wire_stamp *stamp);

/* The form of a saved state; see mailbox_save.c. */
#define MAILBOX_SAVE_MAGIC 0x3153424du /* "MBS1" */
enum { MAILBOX_SAVE_VERSION = 7, MAILBOX_SAVE_CHECK_SIZE = 16 };
struct fingerprint mailbox_save_check(const void *bytes, size_t size);
/* True: whole, and of this version; `ret_in` is behind the head. */
bool mailbox_save_open(const void *bytes, size_t size, struct wire_cursor *ret_in);
