/* A session that lives as long as one HTTP request: what it is told gathers to a JSON array, which
 * is the answer. Of two kinds:
 *
 * A poll is attached, as a stream is. It is answered when what is there is gathered, or when the
 * first thing has come that it waits for. The cursor that the client shows confirms what is up to
 * it; what is answered is not confirmed, so nothing is lost with an answer that does not arrive.
 *
 * Frames come in the request's body, and are answered when each of them is. Such a session is not
 * attached: the device may be, here or anywhere. */
#pragma once

#include "base/buffer.h"
#include "edge/edge_session.h"

struct edge_exchange; /* opaque, see edge_exchange_internal.h */

/* Begins one, or refuses the request. Takes who->token; `body` NULL: it is a poll. */
void edge_exchange_open(struct edge_sessions *sessions, struct edge_request *request,
                        const struct edge_upgrade *who, const struct text *body);

/* For the session's files. */

/* Where the next text is appended. */
struct buffer *edge_exchange_output(struct edge_exchange *exchange);
/* The session asks for nothing any more. */
void edge_exchange_leave(struct edge_exchange *exchange);
/* Answers with what there is; the session ends when the answer is out, which may be at once. */
void edge_exchange_answer(struct edge_exchange *exchange);
/* The session is dead: a request without an answer is refused. */
void edge_exchange_end(struct edge_exchange *exchange);
void edge_exchange_free(struct edge_exchange *exchange); /* NULL is fine */

/* What a session has come to, for the kinds to go on. A NULL exchange is fine: there is none. */
void edge_exchange_attached(struct edge_exchange *exchange, const struct wire_attached *attached,
                            bool again, bool resync);
void edge_exchange_got(struct edge_exchange *exchange);   /* a message, or a gap */
void edge_exchange_hurry(struct edge_exchange *exchange); /* this edge goes */
/* So many outcomes of this send will come... */
void edge_exchange_sends(struct edge_exchange *exchange, size_t recipients);
/* ...and one is about to be written. */
void edge_exchange_outcome(struct edge_exchange *exchange, struct text id);
/* One was rejected, since it came too fast: when the next one may. */
void edge_exchange_limited(struct edge_exchange *exchange, uint32_t again_ms);
/* The page of history is about to be written. */
void edge_exchange_page(struct edge_exchange *exchange);
/* The device has all up to there; or, unless `of` is empty, the user has read all of its. */
void edge_exchange_show(struct edge_exchange *exchange, struct text of, uint32_t epoch,
                        uint64_t seq);
