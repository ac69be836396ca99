/* Checks UTF-8 (RFC 3629) that comes in pieces, cut anywhere. Pure; zeroed is a good start. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct edge_utf8 {
    uint8_t left; /* bytes that the current character still needs */
    uint8_t low;  /* bounds of the next one of them */
    uint8_t high;
};

/* False as soon as no continuation could make it good; the state is then of no use. */
bool edge_utf8_feed(struct edge_utf8 *state, const uint8_t *bytes, size_t size);
/* The text may end here: no character is cut in two. */
bool edge_utf8_complete(const struct edge_utf8 *state);
