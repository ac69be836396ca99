/* The frames of meridian.v1: what an edge says, read; what a client says, written. Pure. */
#pragma once

#include "base/buffer.h"
#include "base/text.h"

#include <stdbool.h>
#include <stdint.h>

enum meridian_frame_kind {
    MERIDIAN_FRAME_OTHER, /* not known to this client: to be ignored */
    MERIDIAN_FRAME_WELCOME,
    MERIDIAN_FRAME_ACCEPTED,
    MERIDIAN_FRAME_REJECTED,
    MERIDIAN_FRAME_MSG,
    MERIDIAN_FRAME_RECEIPT,
    MERIDIAN_FRAME_ACKED,
    MERIDIAN_FRAME_GAP,
    MERIDIAN_FRAME_RESYNC,
    MERIDIAN_FRAME_STATE,
    MERIDIAN_FRAME_GOAWAY,
    MERIDIAN_FRAME_ERROR,
    MERIDIAN_FRAME_HISTORY,
    MERIDIAN_FRAME_EXPIRING,
    MERIDIAN_FRAME_REFRESHED,
    MERIDIAN_FRAME_THROTTLE,
};

/* Strings are terminated; those that are not there are empty. `strings` holds them. */
struct meridian_frame {
    enum meridian_frame_kind kind;
    const char *region, *edge, *home, *cursor, *id, *from, *to, *code, *message, *reason;
    const char *receipt, *by, *of_cursor, *device;
    struct text ids;       /* a JSON array, borrowed from the frame's bytes */
    struct text body;      /* borrowed from the frame's bytes */
    struct text messages;  /* a JSON array, borrowed from the frame's bytes */
    struct text endpoints; /* the same */
    uint64_t endpoints_ttl_s;
    int64_t at_ms;
    uint64_t retry_after_ms;
    uint64_t reconnect_ms;
    uint64_t sends_per_s;
    int64_t expires_at_ms;
    int64_t left_ms;
    bool resumed;
    bool retryable;
    bool more;
};

/* `strings` is cleared and then belongs to the frame. -EBADMSG when it is no frame; -ENOMEM. */
int meridian_frame_read(struct text bytes, struct buffer *strings,
                        struct meridian_frame *ret_frame);

/* All append one frame. */
/* Each may be NULL. */
struct meridian_hello {
    const char *token, *user, *device, *cursor;
    bool from_head;
};
void meridian_frame_hello(struct buffer *out, const struct meridian_hello *hello);
void meridian_frame_refresh(struct buffer *out, const char *token);
void meridian_frame_send(struct buffer *out, const char *id, const char *to, unsigned wants,
                         struct text body);
void meridian_frame_ack(struct buffer *out, const char *cursor);
void meridian_frame_read_up_to(struct buffer *out, const char *from, const char *cursor);

/* "epoch:seq": the form only. */
bool meridian_is_cursor(const char *cursor);
