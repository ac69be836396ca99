/* The emulator: reads packets from the sites' devices, keeps each until it is due, and writes it to
 * the device of its destination. One thread. */
#pragma once

#include "base/error_text.h"
#include "wan/sites.h"

#include <stdint.h>

struct wan; /* opaque, see wan.c */

struct wan_settings {
    struct wan_sites sites;
    const char *control_path;
    uint64_t seed;
    uint64_t held_max_bytes; /* of one line */
};

/* Attaches to the devices of all sites and listens. NULL with a sentence. Free with wan_free(). */
struct wan *wan_new(const struct wan_settings *settings, struct error_text *reterr_why);
void wan_free(struct wan *wan);
void wan_run(struct wan *wan); /* until SIGTERM or SIGINT */
