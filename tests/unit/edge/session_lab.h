/* Sessions on socket pairs, with a bus that never connects. One client at a time, on the test's
 * thread. */
#pragma once

#include "bus/bus.h"
#include "edge/edge_session.h"

struct session_lab {
    struct edge_settings settings;
    struct catalogue *catalogue;
    struct loop *loop;
    struct bus *bus;
    struct homes *directory;
    struct edge_home *home;
    struct edge_outbound *outbound;
    struct edge_dispatch *dispatch;
    struct edge_limits *limits;
    struct edge_sessions *sessions;
    int peer;
    const struct edge_auth *auth; /* NULL: who a client is, it says */
};
extern struct session_lab it;

/* For cmocka: before and after each test. */
int lab_begin(void **state);
int lab_end(void **state);
/* Makes the sessions, after a test has made its settings: at first there are no limits. */
void lab_build(void);
void lab_turn(void);

/* In place of the client before, if any. */
void connect_as(const struct edge_upgrade *upgrade);
/* Builds, and connects with meridian.v1. */
void connect_v1(void);
/* A text frame, which is taken before it returns. */
void say(const char *text);
/* The next frame; its text, or "close CODE". Empty when there is none. */
const char *hear(void);
/* Fails the test unless the next frame has the part; "": unless there is none. */
void expect(const char *part);
