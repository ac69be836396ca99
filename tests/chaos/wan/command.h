/* What the control socket can be told, a line of text each; docs/chaos.md lists them. Pure. */
#pragma once

#include "base/error_text.h"
#include "base/text.h"
#include "wan/knobs.h"
#include "wan/sites.h"

#include <stdbool.h>
#include <stdint.h>

enum { WAN_COMMAND_MAX_BYTES = 1024 }; /* without its line end */

enum wan_verb { WAN_SET, WAN_CUT, WAN_FLAP, WAN_ISOLATE, WAN_HEAL, WAN_SEED, WAN_SHOW, WAN_VERBS };

/* It is about the lines from each site of `from` to each of `to`, and back unless it is one way. */
struct wan_command {
    enum wan_verb verb;
    uint32_t from, to;
    bool one_way;
    uint32_t given;          /* SET: a bit for each knob... */
    struct wan_knobs knobs;  /* ...and the values of those */
    uint64_t down_ns, up_ns; /* FLAP */
    uint64_t seed;           /* SEED */
};

/* -EINVAL with a sentence that names what is wrong; -EMSGSIZE past WAN_COMMAND_MAX_BYTES. */
MUST_USE int wan_command_parse(const struct wan_sites *sites, struct text line,
                               struct wan_command *ret_command, struct error_text *reterr_why);
/* Whether the command is about the line between the two sites. */
bool wan_command_concerns(const struct wan_command *command, size_t from, size_t to);
