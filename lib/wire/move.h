/* What is said of a home move, in records (record.h) and between owners (frame.h). All texts are
 * borrowed from the bytes decoded. */
#pragma once

#include "wire/cursor.h"

/* A mailbox without its messages, as one region hands it to another. Bounds, checked when read:
 * oldest is 1 to head + 1; nothing else is above the head; skipped_from <= skipped_to <= delivered;
 * the first epoch has no base. */
struct wire_mailbox {
    uint32_t epoch;
    uint64_t head;
    uint64_t oldest;
    bool asked; /* some message wanted its delivery or reading to be told; else the next are 0 */
    uint64_t delivered;
    uint64_t delivered_to;
    uint64_t read_to;
    uint64_t skipped_from;
    uint64_t skipped_to;
    uint64_t base; /* up to it the epoch before this one has the same seqs; 0: none */
    uint8_t device_count;
    struct wire_cursor devices; /* for wire_mailbox_device_next() */
};
struct wire_mailbox_device {
    struct text name;
    uint64_t seq;
    int64_t used_ms;
};

struct wire_freeze { /* the mailbox takes nothing any more: it moves */
    uint64_t generation;
    uint64_t move; /* random; names this freeze and all that is made of it */
    struct text user;
    struct text to;
};
struct wire_move_in { /* the rows that were copied before, and this, are the user's mailbox here */
    uint64_t generation;
    uint64_t move;
    struct text user;
    struct text from;
    struct wire_mailbox mailbox;
};
enum wire_move_outcome { WIRE_MOVE_ABORTED = 0, WIRE_MOVE_DONE = 1 };
struct wire_move_end {
    uint64_t generation;
    uint64_t move;
    struct text user;
    uint8_t outcome;
    struct text home; /* where the user is at home now */
    uint64_t from;    /* when that is elsewhere: messages from this seq on go there too; 0: none */
};

/* What owners ask one another, and operators ask owners: move.<r>.<s>. Answered on the reply
 * subject by a move state; asked again as long as it is not, or says "wait". */
enum wire_move_what {
    WIRE_MOVE_BEGIN = 1, /* to whom the user shall come: fetch it. Goes on with one that is begun */
    WIRE_MOVE_ABORT = 2, /* to whose the user is: gives a move up that is not decided */
    WIRE_MOVE_FREEZE =
        3,               /* to whose the user is, from the owner in `region`: freeze it. With a move
                             that is not 0: if it is frozen by that one already, and not anew */
    WIRE_MOVE_ROWS = 4,  /* the same: the rows from seq `from` on, as move rows behind the state */
    WIRE_MOVE_MOVED = 5, /* the same: the directory says that the user is at home elsewhere */
    WIRE_MOVE_RESCUE = 6, /* as begin, without the home in `region`, which is gone: out of the
                             archive. With `from` WIRE_MOVE_FORCED also if that home is heard */
    WIRE_MOVE_BASE = 7,   /* to whose the user is now, from the owner in `region`, which has come
                             back: where do you go on from? */
};
enum { WIRE_MOVE_FORCED = 1 };
struct wire_move_ask {
    uint8_t what;
    uint64_t move; /* 0: none */
    struct text user;
    struct text region;
    uint64_t from; /* of ROWS: a seq, 0: the first there is; of MOVED: the entry's new revision */
};
enum wire_move_code {
    WIRE_MOVE_AT_HOME = 0, /* nothing moves: the user is at home in `region` */
    WIRE_MOVE_WAIT = 1,    /* it is on its way: ask again */
    WIRE_MOVE_FROZEN = 2,  /* by `move`; the mailbox follows */
    WIRE_MOVE_NOT_FROZEN = 3,
    WIRE_MOVE_UNKNOWN_USER = 4,
    WIRE_MOVE_ELSEWHERE = 5,   /* it moves to `region` */
    WIRE_MOVE_REFUSED = 6,     /* users that are pinned may not be at home there */
    WIRE_MOVE_BUSY = 7,        /* too many move at once: ask again later */
    WIRE_MOVE_UNSURE = 8,      /* the directory cannot be read or written now */
    WIRE_MOVE_GIVEN_UP = 9,    /* it was aborted */
    WIRE_MOVE_TOO_OLD = 10,    /* the log's level is too low */
    WIRE_MOVE_KEPT = 11,       /* it is at home here, as the mailbox that follows */
    WIRE_MOVE_ALIVE = 12,      /* not rescued from `region`, which is heard: move it */
    WIRE_MOVE_NO_ARCHIVE = 13, /* there is none to rescue from */
    WIRE_MOVE_CODES
};
struct wire_move_state {
    uint8_t code;
    uint64_t move;
    struct text user;
    struct text region;          /* may be empty */
    struct wire_mailbox mailbox; /* when it is frozen, or kept */
};

/* The readers return false for a value that is not known; what is malformed fails the cursor. */
bool wire_mailbox_read(struct wire_cursor *in, struct wire_mailbox *mailbox);
void wire_mailbox_write(struct buffer *out, const struct wire_mailbox *mailbox);
/* Appends one of `mailbox->devices`, which is the bytes of all of them. */
void wire_mailbox_device_write(struct buffer *out, const struct wire_mailbox_device *device);
/* The next one; false at the end. */
bool wire_mailbox_device_next(struct wire_cursor *devices, struct wire_mailbox_device *ret_device);

bool wire_freeze_read(struct wire_cursor *in, struct wire_freeze *freeze);
void wire_freeze_put(struct buffer *out, const struct wire_freeze *freeze);
bool wire_move_in_read(struct wire_cursor *in, struct wire_move_in *move);
void wire_move_in_put(struct buffer *out, const struct wire_move_in *move);
bool wire_move_end_read(struct wire_cursor *in, struct wire_move_end *end);
void wire_move_end_put(struct buffer *out, const struct wire_move_end *end);
bool wire_move_ask_read(struct wire_cursor *in, struct wire_move_ask *ask);
void wire_move_ask_put(struct buffer *out, const struct wire_move_ask *ask);
bool wire_move_state_read(struct wire_cursor *in, struct wire_move_state *state);
void wire_move_state_put(struct buffer *out, const struct wire_move_state *state);
