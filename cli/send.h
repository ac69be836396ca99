/* `meridian send`: one message, and what became of it. */
#pragma once

#include "cli/arguments.h"

int cli_send(const struct cli_arguments *arguments);
