/* Tokens for whoever tries out or operates edges: `meridian token make`, `check` and `key`. */
#pragma once

#include "cli/arguments.h"

int cli_token_make(const struct cli_arguments *arguments);
int cli_token_check(const struct cli_arguments *arguments);
int cli_token_key(const struct cli_arguments *arguments);
