/* Who a client is: the keys in use, and the judgement on the token it shows. Whatever is wrong with
 * a token, the client is told the same (EDGE_AUTH_...); why goes to the log alone. */
#pragma once

#include "auth/settings.h"
#include "edge/edge_token.h"

/* The one answer to who shows no good token. */
#define EDGE_AUTH_CODE "unauthorized"
#define EDGE_AUTH_MESSAGE "a good token of this user and device is needed"

struct edge_auth; /* opaque */
struct revoked;

/* Borrows the settings, and reads the keys they name. NULL with the reason. */
MUST_USE struct edge_auth *edge_auth_new(const struct auth_settings *settings,
                                         struct error_text *reterr_why);
void edge_auth_free(struct edge_auth *auth); /* NULL is fine */
/* Reads the key files again and puts the new set in the old one's place. When a file is damaged
 * the old set stays. Says in the log how it went. Connections that are open stay as they are. */
void edge_auth_reload(struct edge_auth *auth);
/* Whether clients without a token are refused. False for NULL, as the next: who has no keys looks
 * at no tokens. */
bool edge_auth_requires(const struct edge_auth *auth);
bool edge_auth_has_keys(const struct edge_auth *auth);
/* From here on who is covered by a revocation has no good token. Borrowed; NULL: there are none. */
void edge_auth_follow(struct edge_auth *auth, const struct revoked *revoked);
/* Whether a token that was good is covered by now, shown by `device` (empty: its own). False for a
 * NULL auth or token. */
bool edge_auth_is_revoked(const struct edge_auth *auth, const struct edge_token *token,
                          struct text device);
/* 0: let in; `ret_token` says as whom and is the caller's, or is NULL: as who it says. -EACCES:
 * there is no good token and there must be one, or there is a bad one. -ENOMEM. An empty text is no
 * token. `now_ms` is the loop's. */
MUST_USE int edge_auth_judge(const struct edge_auth *auth, struct text shown, int64_t now_ms,
                             struct edge_token **ret_token);

/* 0 when the token, NULL for none, is of this user and device (see edge_token_fits()), and not
 * revoked for it. -EACCES. */
MUST_USE int edge_auth_fit(const struct edge_auth *auth, const struct edge_token *token,
                           struct text user, struct text device);

/* What stands in a request; empty when there is none. Of "Bearer TOKEN", an Authorization... */
struct text edge_auth_of_authorization(struct text header);
/* ...and of "meridian.v1, bearer.TOKEN", a Sec-WebSocket-Protocol: browsers can send no other
 * header with a WebSocket. */
struct text edge_auth_of_protocols(struct text header);
