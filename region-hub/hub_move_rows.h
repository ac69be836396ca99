/* The messages of a mailbox that moves, read from the view page by page. One shard thread. */
#pragma once

#include "region-hub/hub_apply.h"
#include "wire/frame.h"

enum { HUB_MOVE_PAGE_BYTES = 512 * 1024 };

/* Adds the user's rows from seq `from` on as entries, as many as a page takes, at least one when
 * there is one. What is expired or not there any more is passed over. Errors as view_read(). */
MUST_USE int hub_move_rows_add(struct wire_frame_writer *frame, const struct hub_apply *apply,
                               const struct mailbox_user *user, uint64_t move, uint64_t from);
