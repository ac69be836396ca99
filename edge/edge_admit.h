/* What a token does for a session: who may say hello, how long it stays, and a new one in place. */
#pragma once

#include "edge/edge_session.h"

/* Takes the token of a hello, which may be empty: then that of the handshake counts, where there
 * was one. -EACCES, -ENOMEM; the caller closes. */
MUST_USE int edge_admit_hello(struct edge_session *session, struct text shown);
/* Puts a new token in the old one's place. One that ends no later changes nothing. -EACCES when it
 * is bad or of another user or device; -EAGAIN within EDGE_REFRESH_APART_MS of the one before, for
 * verifying is dear; -ENOTSUP where no tokens are looked at; -ENOMEM. */
enum { EDGE_REFRESH_APART_MS = 1000 };
MUST_USE int edge_admit_refresh(struct edge_session *session, struct text shown);
/* Tells the client that its token ends soon, or ends the session with it: then true. */
bool edge_admit_look(struct edge_session *session);
/* Ends the session when its token is revoked by now. */
void edge_admit_revoked(struct edge_session *session);
/* How long nothing becomes due, at most `delay_ms`. */
int64_t edge_admit_wait_ms(const struct edge_session *session, int64_t delay_ms);
