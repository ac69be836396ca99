/* The edge's side of presence, with an owner of a shard played by the test: what goes out and what
 * a device is told is noted in words. For the tests of edge_home. */
#pragma once

#include "base/buffer.h"
#include "base/hash.h"
#include "edge/edge_home.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

enum { GENERATION = 5 };

extern struct home_owner {
    struct catalogue *catalogue;
    struct edge_home *home;
    int64_t now_ms;
    uint32_t shard;
    bool dropping;    /* what is published is lost */
    char sent[2048];  /* what went out since the last look, in words */
    char told[2048];  /* what the device was told */
    uint64_t request; /* of the last attach or show that went out */
    uint8_t log;      /* its incarnation */
    int orphans;
    const char *token; /* that the client has shown; NULL: none */
    struct edge_attach attach;
} it;

int begin(void **state);
int end(void **state);
void expect_sent(const char *words);
void expect_told(const char *words);
void pass(int64_t ms);
void owner_says_as(uint64_t generation, const struct wire_entry *entry);
void owner_says(const struct wire_entry *entry);
struct wire_entry attached(uint64_t seq, uint64_t head);
void deliver(uint64_t seq);
void beat_told(uint64_t generation, const struct wire_edge_count *count);
void beat_as(uint64_t generation, uint32_t attached_here);
void pass_with_beats(int64_t ms);
void attach_bob(void);
