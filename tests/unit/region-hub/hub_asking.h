/* For tests of home moves: what operators and owners ask about one, asked by the test. */
#pragma once

#include "hub_lab.h"

struct asked { /* a question and its answer */
    struct bus_request request;
    bool ended;
    bool answered;
    uint8_t code;
    uint64_t move;
    uint64_t generation;
    char region[TEXT_REGION_MAX + 1];
    struct wire_mailbox mailbox; /* but its devices */
    size_t rows;
    uint64_t first;
    uint64_t last;
};
struct asked ask_once(struct lab *lab, const char *at, const struct wire_move_ask *ask,
                      int64_t timeout_ms);
/* Without waiting for the answer, which goes to `reply`. */
void ask_with_reply(struct lab *lab, const char *at, const struct wire_move_ask *ask,
                    const char *reply);
/* Until it is answered, and not by "wait"; so are all that follow. */
struct asked ask_move(struct lab *lab, const char *at, struct wire_move_ask ask);
struct asked begin(struct lab *lab, const char *user, const char *to);
struct asked freeze(struct lab *lab, const char *user, const char *at, const char *to,
                    uint64_t move);
struct asked give_up(struct lab *lab, const char *user, const char *at);
struct asked rows(struct lab *lab, const char *user, const char *at, const char *to, uint64_t move,
                  uint64_t from);
/* Writes the user's entry in the directory, whatever is there. */
void set_home(struct lab *lab, const char *user, const char *home);
