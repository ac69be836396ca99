/* The control socket: a Unix stream socket that takes lines of text and answers each with a line of
 * JSON, in order. On the loop's thread.
 *
 * Bounded: WAN_CONTROL_PEERS_MAX at a time (one more is closed at once), WAN_COMMAND_MAX_BYTES a
 * line (past it the peer is answered and closed), one answer at a time that waits to be read. */
#pragma once

#include "base/buffer.h"
#include "base/error_text.h"
#include "loop/loop.h"

enum { WAN_CONTROL_PEERS_MAX = 8 };

struct wan_control; /* opaque, see control.c */

/* Appends the answer to `line`, which has no line end, with a line end. */
typedef void wan_control_answer(void *context, struct text line, struct buffer *out);

/* Listens at `path`; a socket that is there and that nobody listens at is replaced. NULL with a
 * sentence. Free with wan_control_free(), which removes the path; NULL is fine there. */
struct wan_control *wan_control_new(struct loop *loop, const char *path, wan_control_answer *answer,
                                    void *context, struct error_text *reterr_why);
void wan_control_free(struct wan_control *control);
