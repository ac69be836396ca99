/* Who is due for a look, coarsely: a ring of lists, one a tick. It takes the place of a timer
 * object per connection: adding and removing cost a list operation, and an idle connection two
 * pointers. Pure: the caller passes the time. */
#pragma once

#include "base/list.h"

#include <stdint.h>

enum { EDGE_WHEEL_SLOTS = 128, EDGE_WHEEL_TICK_MS = 500 };

struct edge_wheel {
    struct list slots[EDGE_WHEEL_SLOTS];
    int64_t tick; /* the last one that was looked at */
};

void edge_wheel_init(struct edge_wheel *wheel, int64_t now_ms);
/* Puts `node` (linked or not) where it is due after about `delay_ms`, never before it, but not
 * later than a round of the wheel (63 s): who wants to wait longer is looked at in between. */
void edge_wheel_set(struct edge_wheel *wheel, struct list *node, int64_t now_ms, int64_t delay_ms);
/* Removes and returns one node that is due by `now_ms`, or NULL. A node set again meanwhile is not
 * due in the same look. */
struct list *edge_wheel_next(struct edge_wheel *wheel, int64_t now_ms);
