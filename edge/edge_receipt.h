/* Notices as a meridian.v1 client gets them. What a hub wrote is read again, and only what it may
 * say is passed on: a notice of a newer hub, or one that makes no sense, becomes a receipt of the
 * kind "unknown", which keeps its place in the mailbox. Pure. */
#pragma once

#include "base/buffer.h"
#include "wire/frame.h"

/* Appends the whole frame, {"t":"receipt",...}. */
void edge_receipt_write(struct buffer *out, const struct wire_deliver *deliver);
