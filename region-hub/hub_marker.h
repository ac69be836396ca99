/* Finds out that applying one position ends the process: the position is noted in a mapped file
 * around each apply, which costs no system call and outlives the process. Two ends at one position
 * stop the shard on this hub. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stdint.h>

struct hub_marker; /* opaque, see hub_marker.c */

/* Opens or creates the file. -errno. */
MUST_USE int hub_marker_open(const char *path, struct hub_marker **ret_marker);
void hub_marker_close(struct hub_marker *marker); /* NULL is fine */
/* Before a position is applied. False: the process ended twice while it was; do not. */
bool hub_marker_enter(struct hub_marker *marker, uint64_t position);
/* It was applied. */
void hub_marker_leave(struct hub_marker *marker, uint64_t position);
