/* A hub: all shards of its region, each on a thread of its own, and what watches over them. */
#pragma once

#include "base/error_text.h"
#include "loop/loop.h"
#include "region-hub/hub_settings.h"

struct hub; /* opaque, see hub.c */

/* Borrows settings and loop. NULL with the reason. The data folder is made when it is not there,
 * and locked: another hub with the same folder is refused. */
MUST_USE struct hub *hub_start(struct loop *loop, const struct hub_settings *settings,
                               struct error_text *reterr_why);
/* Reads the files of keys again, each shard when it looks at the next token. */
void hub_reload(struct hub *hub);
/* Gives up all shards, saves and ends the threads. Within 2 s; true when all of it was done, false
 * when a thread did not come to its end: then the process must end without freeing anything. */
MUST_USE bool hub_stop(struct hub *hub);
