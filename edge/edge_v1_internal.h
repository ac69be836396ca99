/* What the files of meridian.v1 share: a client's frame, and what one file does for the others. */
#pragma once

#include "edge/edge_v1.h"
#include "json/json.h"

/* The members of all kinds, picked in one pass. */
struct edge_v1_frame {
    struct json_value t, user, device, cursor, start, id, to, body, message_class, ttl, want, kind,
        from, before, after, limit, token;
};

/* edge_v1.c */
/* An error, and when to come again. */
void edge_v1_write_later(struct edge_session *session, const char *code, const char *message,
                         uint32_t again_ms);
void edge_v1_write_error(struct edge_session *session, const char *code, const char *message);
/* An error that ends the session. */
void edge_v1_fail(struct edge_session *session, const char *code, const char *message);
/* `message` NULL: what is always said of that code. */
void edge_v1_write_rejected(struct edge_session *session, const struct edge_outcome *outcome,
                            const char *message);
/* How far the session's acks are confirmed. */
void edge_v1_write_acked(struct edge_session *session);
/* A new token is in place. */
void edge_v1_write_refreshed(struct edge_session *session);

/* edge_v1_read.c */
void edge_v1_on_text(struct edge_session *session, struct text text);

/* edge_v1_send.c */
void edge_v1_on_send(struct edge_session *session, const struct edge_v1_frame *frame);
