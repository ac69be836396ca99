/* What the files of the client share: the client itself, and what one file does for the other. */
#pragma once

#include "meridian/client.h"

#include "c/frames.h"
#include "c/hints.h"
#include "c/reads.h"
#include "c/recall.h"
#include "c/sends.h"
#include "c/shown.h"
#include "c/socket.h"

enum { CURSOR_MAX = 32, TURN_MAX_MS = 60000 };
enum { RETRY_FIRST_MS = 50, RETRY_LAST_MS = 5000, RETRY_LATER_MS = 2000 };

enum client_state {
    CLIENT_WAITING,    /* for the next attempt */
    CLIENT_CONNECTING, /* until the edge's welcome */
    CLIENT_READY,
    CLIENT_TOKENLESS, /* its token was refused: until there is another one */
    CLIENT_REFUSED,   /* for good */
};

struct meridian_client {
    struct meridian_options options; /* its strings are owned */
    struct meridian_url *edges;
    size_t edge;                 /* the one in use or tried next */
    struct meridian_hints hints; /* tried before them */
    bool tls;                    /* so is the edge in use */
    enum client_state state;
    int64_t due_ms; /* WAITING: of the next attempt; CONNECTING: of giving it up */
    int64_t retry_ms;
    int64_t goaway_ms; /* what the edge has asked for; 0: nothing */
    int64_t later_ms;  /* when it may log in, as it said; 0: it did not */
    bool says_hello;
    bool acknowledges;
    char cursor[CURSOR_MAX]; /* the last one seen; empty: none */
    char acked[CURSOR_MAX];  /* the last one acknowledged */
    struct meridian_socket *socket;
    struct meridian_sends sends;
    struct meridian_reads reads;
    struct meridian_recall recall;
    struct meridian_shown shown;
    struct buffer strings; /* of the frame that is being handled */
    struct buffer body;
    struct buffer output;
    uint64_t id_prefix;
    uint64_t id_count;
};

/* client.c */
/* The connection has ended; the next attempt is in `retry_ms`. */
void meridian_client_lose(struct meridian_client *client, int64_t retry_ms, const char *why);

/* client_take.c */
/* Does what the frame says. */
void meridian_client_take(struct meridian_client *client, const struct meridian_frame *frame);
void meridian_client_keep_cursor(char to[CURSOR_MAX], const char *cursor);
/* Tells what became of a send, and forgets it. `frame` NULL: nothing was answered. */
void meridian_client_tell_result(struct meridian_client *client, struct meridian_send *send,
                                 const struct meridian_frame *frame, enum meridian_outcome outcome);
