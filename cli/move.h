/* meridian move: users get another home region, and their mailboxes go with them. */
#pragma once

#include "cli/arguments.h"

int cli_move(const struct cli_arguments *arguments);
