/* The token that a client shows: in its hello, and in place when a new one comes while it is
 * connected. The edge looks at one a second, so it is said again until it is answered, a few times.
 * Pure: times come in. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

enum {
    MERIDIAN_TOKEN_MAX = 4096, /* bytes; a longer one is none to any edge */
    MERIDIAN_SHOWN_APART_MS = 1100,
    MERIDIAN_SHOWN_ANSWER_MS = 3000,
    MERIDIAN_SHOWN_TRIES = 4,
};

struct meridian_shown {
    char *token;      /* owned; NULL: none */
    unsigned tries;   /* left, to say it on this connection; 0: nothing is to be said */
    bool waits;       /* for the answer to what was said last */
    int64_t due_ms;   /* when it is to be said, at the earliest */
    int64_t apart_ms; /* no other one before */
};

/* Copies it. -EINVAL: empty, too long, or not of printable characters; -ENOMEM. `connected`: the
 * edge knows the one of before. */
MUST_USE int meridian_shown_set(struct meridian_shown *shown, const char *token, bool connected,
                                int64_t now_ms);
void meridian_shown_done(struct meridian_shown *shown);
/* A hello has said it, or the connection is lost: nothing is to be said in place. */
void meridian_shown_forget(struct meridian_shown *shown);
/* Whether it is to be said now; the caller says it, and that it did. */
bool meridian_shown_is_due(const struct meridian_shown *shown, int64_t now_ms);
void meridian_shown_said(struct meridian_shown *shown, int64_t now_ms);
void meridian_shown_answered(struct meridian_shown *shown);
/* When to ask again; -1: nothing is due by itself. */
int64_t meridian_shown_due_ms(const struct meridian_shown *shown);
