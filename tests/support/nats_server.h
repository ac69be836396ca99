/* A NATS server of one test, on a free loopback port, with JetStream that syncs every write. It is
 * killed with the test, also when that crashes. */
#pragma once

#include "bus/bus.h"
#include "loop/loop.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct server {
    pid_t pid; /* 0: not running */
    int port;
    char url[64];
    char folder[64];
    const char *users; /* a line of configuration, or NULL; may change between starts */
};

/* The binary: $NATS_SERVER, else what scripts/setup unpacked under build/nats. NULL: none. */
const char *server_binary(void);
/* Chooses the port and makes the folder; does not start it. */
void server_init(struct server *server);
void server_start(struct server *server); /* returns when it answers */
void server_kill(struct server *server);  /* kill -9 */
void server_done(struct server *server);  /* kills it and removes its folder */
/* Creates a stream by its JSON configuration, waiting for JetStream. */
void server_create_stream(struct loop *loop, struct bus *bus, const char *name, const char *json);

/* For groups that need a server: without one they are skipped. */
enum { SKIPPED = 77 };
#define RUN_GROUP_WITH_SERVER(tests)                                                               \
    (server_binary() == NULL                                                                       \
         ? (print_message("skipped: no nats-server; run scripts/setup or set NATS_SERVER\n"),      \
            SKIPPED)                                                                               \
         : cmocka_run_group_tests(tests, NULL, NULL))

/* Turns `loop` until `condition` holds, and fails the test when it does not in `ms`. */
#define WAIT_FOR(loop, ms, condition)                                                              \
    do {                                                                                           \
        int64_t wait_until_ms = loop_now_ms(loop) + (ms);                                          \
        while (!(condition) && loop_now_ms(loop) < wait_until_ms)                                  \
            assert_int_equal(loop_turn((loop), 10), 0);                                            \
        assert_true(condition);                                                                    \
    } while (0)

/* Turns `loop` for `ms`. */
#define TURN_FOR(loop, ms)                                                                         \
    do {                                                                                           \
        int64_t turn_until_ms = loop_now_ms(loop) + (ms);                                          \
        while (loop_now_ms(loop) < turn_until_ms)                                                  \
            assert_int_equal(loop_turn((loop), 10), 0);                                            \
    } while (0)
