/* What the processes of one edge know of each other: who of them is ready. They share one port, and
 * whoever connects reaches any that listens, so one that is not ready leaves the port to those that
 * are. Memory that the parent makes and its children share; any of them may read and write. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct edge_siblings; /* opaque */

/* None of `count` is ready. NULL when memory is short. */
MUST_USE struct edge_siblings *edge_siblings_new(uint32_t count);
void edge_siblings_free(struct edge_siblings *siblings); /* NULL is fine */
/* `number` is from 1 on, as in its name. Of NULL, the siblings of who is alone: nothing. */
void edge_siblings_say(struct edge_siblings *siblings, uint32_t number, bool ready);
/* Of NULL: false. */
bool edge_siblings_another_is_ready(const struct edge_siblings *siblings, uint32_t number);
