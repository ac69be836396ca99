/* What the files of exchanges share: all of them, and the two kinds. */
#pragma once

#include "edge/edge_exchange.h"
#include "edge/edge_refusal.h"
#include "edge/edge_session_internal.h"

struct edge_frames; /* see edge_frames_internal.h */

struct edge_exchange {
    struct edge_session *session;
    struct edge_request *request; /* NULL once it has gone */
    struct edge_request_owner owner;
    const struct edge_exchange_kind *kind;
    struct loop_timer timer; /* of the kind */
    struct loop_later look;
    struct buffer json; /* the answer's elements; of frames: behind those of each */
    bool answered;
    uint32_t limited; /* sends that came too fast */
    uint32_t again_ms;

    bool confirms; /* a poll's: the cursor that it shows */
    uint32_t got;
    uint64_t head;         /* what is up to here is there already */
    int64_t wait_until_ms; /* for the first message */
    int64_t quiet_ms;      /* until then what should come may still come */

    struct edge_frames *frames;
};

struct edge_exchange_kind {
    void (*begin)(struct edge_exchange *exchange, const struct edge_upgrade *who);
    /* Something has changed: is it done? At the end of the turn, and when the timer is due. */
    void (*look)(struct edge_exchange *exchange);
};
extern const struct edge_exchange_kind edge_exchange_poll;
extern const struct edge_exchange_kind edge_exchange_frames;

/* edge_exchange.c */
static inline int64_t edge_exchange_now(const struct edge_exchange *exchange)
{
    return loop_now_ms(exchange->session->sessions->settings.loop);
}
/* It is looked at at the end of the turn. */
void edge_exchange_look_later(struct edge_exchange *exchange);
void edge_exchange_look_in(struct edge_exchange *exchange, int64_t delay_ms);
/* It is done, and answered. */
void edge_exchange_finish(struct edge_exchange *exchange);

/* edge_frames.c: the client's frames in a body, and what answers each. */
/* NULL with how to refuse the request. Borrows the body. */
MUST_USE struct edge_frames *edge_frames_new(struct edge_exchange *exchange, struct text body,
                                             uint32_t frames_max,
                                             struct edge_refusal *reterr_refusal);
void edge_frames_free(struct edge_frames *frames);             /* NULL is fine */
struct buffer *edge_frames_output(struct edge_frames *frames); /* NULL: that of the exchange */
size_t edge_frames_count(const struct edge_frames *frames);
void edge_frames_leave(struct edge_frames *frames);
/* Appends all that answers them. */
void edge_frames_write(const struct edge_frames *frames, struct buffer *out);
void edge_frames_sends(struct edge_frames *frames, size_t recipients);
void edge_frames_outcome(struct edge_frames *frames, struct text id);
void edge_frames_page(struct edge_frames *frames);
void edge_frames_show(struct edge_frames *frames, struct text of, uint32_t epoch, uint64_t seq);
