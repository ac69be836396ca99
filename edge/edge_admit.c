#include "edge/edge_admit.h"

#include <errno.h>
#include <stdlib.h>

static int64_t now_of(const struct edge_session *session)
{
    return loop_now_ms(edge_session_shared(session)->loop);
}

static int64_t expiring_of(const struct edge_session *session)
{
    return edge_session_shared(session)->edge->auth.expiring_ms;
}

static void keep(struct edge_session *session, struct edge_token *token)
{
    free(session->token);
    session->token = token;
    edge_session_look_again(session);
}

int edge_admit_hello(struct edge_session *session, struct text shown)
{
    struct edge_token *token;
    if (shown.size == 0 && session->token != NULL)
        return 0;
    int err = edge_auth_judge(edge_session_shared(session)->auth, shown, now_of(session), &token);
    if (err != 0 || token == NULL)
        return err;
    /* Two tokens are of one and the same. */
    if (session->token != NULL &&
        !edge_token_fits(session->token, edge_token_user(token), edge_token_device(token))) {
        free(token);
        return -EACCES;
    }
    keep(session, token);
    return 0;
}

int edge_admit_refresh(struct edge_session *session, struct text shown)
{
    struct edge_token *token;
    const struct edge_auth *auth = edge_session_shared(session)->auth;
    if (!edge_auth_has_keys(auth))
        return -ENOTSUP;
    int64_t now_ms = now_of(session);
    if (session->token != NULL && now_ms < session->token->refresh_ms)
        return -EAGAIN;
    int err = shown.size == 0 ? -EACCES : edge_auth_judge(auth, shown, now_ms, &token);
    if (err != 0)
        return err;
    err = edge_auth_fit(auth, token, edge_session_user(session), edge_session_device(session));
    if (err == 0 && (session->token == NULL || token->end_ms > session->token->end_ms)) {
        keep(session, token);
        edge_home_renew(edge_session_shared(session)->home, &session->attach);
    } else {
        free(token);
    }
    if (err == 0)
        session->token->refresh_ms = now_ms + EDGE_REFRESH_APART_MS;
    return err;
}

bool edge_admit_look(struct edge_session *session)
{
    if (session->token == NULL)
        return false;
    switch (edge_token_due(session->token, expiring_of(session), now_of(session))) {
    case EDGE_TOKEN_ENDED:
        edge_session_close(session, EDGE_CLOSE_TOKEN, "the token has expired");
        return true;
    case EDGE_TOKEN_EXPIRING:
        if (session->state == EDGE_SESSION_OPEN) { /* it may come home only now */
            session->token->told = true;
            int64_t left_ms = session->token->expires_ms - now_of(session);
            if (session->dialect->on_expiring != NULL) /* within the leeway: it is over already */
                session->dialect->on_expiring(session, left_ms < 0 ? 0 : left_ms);
        }
        return false;
    case EDGE_TOKEN_GOOD:
        break;
    }
    return false;
}

void edge_admit_revoked(struct edge_session *session)
{
    if (session->state < EDGE_SESSION_CLOSING &&
        edge_auth_is_revoked(edge_session_shared(session)->auth, session->token,
                             edge_session_device(session)))
        edge_session_close(session, EDGE_CLOSE_TOKEN, "the token is revoked");
}

int64_t edge_admit_wait_ms(const struct edge_session *session, int64_t delay_ms)
{
    if (session->token == NULL || session->state >= EDGE_SESSION_CLOSING)
        return delay_ms;
    int64_t wait_ms = edge_token_wait_ms(session->token, expiring_of(session), now_of(session));
    return wait_ms < delay_ms ? wait_ms : delay_ms;
}
