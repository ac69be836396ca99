/* `meridian listen`: prints what comes for a user, one JSON object a line. */
#pragma once

#include "base/buffer.h"
#include "cli/arguments.h"
#include "meridian/client.h"

int cli_listen(const struct cli_arguments *arguments);
/* The line of one message or receipt, with its end. Pure. */
void cli_listen_line(const struct meridian_message *message, struct buffer *out);
void cli_listen_receipt(const struct meridian_receipt *receipt, struct buffer *out);
