/* `meridian history USER`: a page of what a user has got, by the API of an edge. */
#pragma once

#include "base/buffer.h"
#include "base/macros.h"
#include "cli/arguments.h"

int cli_history(const struct cli_arguments *arguments);

/* For the tests. The path of the request; `before` may be empty, `limit` NULL. */
void cli_history_path(const char *user, const char *before, const char *limit, struct buffer *out);
/* What an edge has answered with 200: a line for each message to `out`; to `notes` what else there
 * is to say. -EBADMSG. */
MUST_USE int cli_history_lines(struct text body, struct buffer *out, struct buffer *notes);
