/* How HTTP says no: one JSON object for all refusals, {"code","message","retryable"}. Pure. */
#pragma once

#include "base/buffer.h"
#include "edge/edge_outcome.h"

struct edge_refusal {
    int status;              /* of HTTP */
    const char *code;        /* a word for programs */
    const char *message;     /* a sentence for people */
    bool retryable;          /* the same, sent again, may be let through */
    uint32_t retry_after_ms; /* Retry-After; 0: nobody knows */
    const char *outcome;     /* "status", where a message was refused; NULL: none was */
    struct text id;          /* of that message; empty: it had none */
};

/* 429 and 503 are of this moment, and may be tried again after a second. */
struct edge_refusal edge_refusal(int status, const char *code, const char *message);
/* Of a message; borrows the id. */
struct edge_refusal edge_refusal_of_message(enum edge_code code, struct text id);
/* Of a message whose outcome did not come in time. */
struct edge_refusal edge_refusal_unknown(struct text id);
void edge_refusal_write(struct buffer *json, const struct edge_refusal *refusal);
