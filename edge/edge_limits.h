/* What one may do here: how fast it may send, and how often log in.
 *
 * A send takes from the bucket of its connection, of its user and of its neighbourhood, a /24 or an
 * IPv6 /48: from all, or from none when one of them has nothing. The token of a service takes from
 * the bucket of services alone. Each process of an edge has its own.
 *
 * Pure: the caller passes the time. */
#pragma once

#include "base/address.h"
#include "edge/edge_admission.h"
#include "edge/edge_settings.h"

/* What is said to a user who may not log in. */
#define EDGE_CROWDED_CODE "too_many_connections"
#define EDGE_CROWDED_MESSAGE "this user has as many connections here as one may"
#define EDGE_OFTEN_CODE "rate_limited"
#define EDGE_OFTEN_MESSAGE "this user logs in too often"
enum { EDGE_CROWDED_AGAIN_MS = 5000 }; /* by then another connection of the user may have ended */

struct edge_limits; /* opaque */

/* Borrows the settings. NULL when memory is short. */
MUST_USE struct edge_limits *edge_limits_new(const struct edge_settings *settings);
void edge_limits_free(struct edge_limits *limits); /* NULL is fine */
/* About twice a second. */
void edge_limits_tick(struct edge_limits *limits, int64_t now_ms);

struct edge_limits_who {
    const void *connection; /* its address tells it from others; NULL: a request of its own */
    struct text user;       /* empty: it says nobody, and takes from no user's bucket */
    struct address client;  /* one of this machine is of no neighbourhood */
    bool service;           /* its token says so */
};

struct edge_limits_wait {
    uint32_t again_ms; /* 0: it may; else when the next one may */
    uint32_t calm_ms;  /* when there is half a burst */
    uint32_t per_s;    /* what it may in the long run */
};
/* Takes one where it may. */
MUST_USE struct edge_limits_wait
edge_limits_send(struct edge_limits *limits, const struct edge_limits_who *who, int64_t now_ms);

enum edge_flood {
    EDGE_FLOOD_BEGINS,
    EDGE_FLOOD_GOES_ON,
    EDGE_FLOOD_TOO_LONG, /* for the settings' time, without a pause of EDGE_SHARE_QUIET_MS */
};
/* A send of the connection was refused. */
enum edge_flood edge_limits_flood(struct edge_limits *limits, const void *connection,
                                  int64_t now_ms);
/* The connection is over; another one may have its address. */
void edge_limits_forget(struct edge_limits *limits, const void *connection);

/* When the user may log in, in ms; 0: now. Who resumes, and shows a cursor, may twice as often at
 * once as who does not: after a failure all devices come again, and some more than once. */
uint32_t edge_limits_login_wait(const struct edge_limits *limits, struct text user, bool resumes,
                                int64_t now_ms);

struct edge_login {
    uint32_t again_ms; /* 0: it may, and has taken its turn */
    bool of_user;      /* the user comes too often; else too many come */
};
/* Asks the user's limit before the admission, and takes from neither when one of them refuses: who
 * is kept waiting for others loses nothing. NULL limits or admission: none. An empty user, as for a
 * service, has no limit of its own. */
MUST_USE struct edge_login edge_limits_login(struct edge_limits *limits,
                                             struct edge_admission *admission, struct text user,
                                             bool resumes, int64_t now_ms);
