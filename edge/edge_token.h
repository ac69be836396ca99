/* What is kept of a client's token while it is connected: who it is, and until when. Pure: the
 * caller passes the time. */
#pragma once

#include "auth/revocations.h"

struct edge_token {
    int64_t expires_ms;    /* `exp` by the loop's clock */
    int64_t end_ms;        /* that and the leeway: then the connection ends */
    int64_t expires_at_ms; /* `exp`, since 1970 */
    int64_t refresh_ms;    /* by the loop's clock: no other one is looked at before */
    int64_t issued_at_s;   /* `iat` */
    bool told;             /* that it ends soon */
    bool admin;            /* it may ask about any user */
    bool service;          /* it is of no person: see edge_limits.h */
    uint8_t user_size;
    uint8_t device_size; /* 0: of any device */
    uint8_t id_size;     /* 0: it has none */
    uint8_t home_size;   /* 0: it says none */
    uint8_t tenant_size; /* 0: it says none */
    uint16_t raw_size;
    char names[]; /* user, device, the token's id, home, tenant, the token itself */
};

/* `wall_ms` and `now_ms` are the same moment by the two clocks: from here on a clock that steps
 * ends nobody's connection. NULL when memory is short. Free with free(). */
MUST_USE struct edge_token *edge_token_new(const struct auth_identity *identity, struct text raw,
                                           int64_t leeway_ms, int64_t wall_ms, int64_t now_ms);
struct text edge_token_user(const struct edge_token *token);
struct text edge_token_device(const struct edge_token *token); /* empty: of any device */
struct text edge_token_home(const struct edge_token *token);   /* empty: not said */
/* Empty: not said, or a NULL token. */
struct text edge_token_tenant(const struct edge_token *token);
/* As it was shown, for the hub that has the user's mailbox. Empty for NULL. */
struct text edge_token_raw(const struct edge_token *token);
/* What a revocation may be about; `device` is the one in use, empty: that of the token. */
struct auth_holder edge_token_holder(const struct edge_token *token, struct text device);
/* Whether it is of this user and device; empty: not said yet, which any token fits. */
bool edge_token_fits(const struct edge_token *token, struct text user, struct text device);

enum edge_token_due { EDGE_TOKEN_GOOD, EDGE_TOKEN_EXPIRING, EDGE_TOKEN_ENDED };
/* EXPIRING from `expiring_ms` before `exp` on, until `told` is set. */
enum edge_token_due edge_token_due(const struct edge_token *token, int64_t expiring_ms,
                                   int64_t now_ms);
/* Until the answer of edge_token_due() is another one; 0 when it is not GOOD. */
int64_t edge_token_wait_ms(const struct edge_token *token, int64_t expiring_ms, int64_t now_ms);
