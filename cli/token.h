/* Tokens for whoever tries out or operates edges: `meridian token make`, `check`, `key`, `revoke`
 * and `revocations`. */
#pragma once

#include "cli/arguments.h"

int cli_token_make(const struct cli_arguments *arguments);
int cli_token_check(const struct cli_arguments *arguments);
int cli_token_key(const struct cli_arguments *arguments);
/* What must not be taken any more: `revoke` and `revocations`. */
int cli_token_revoke(const struct cli_arguments *arguments);
int cli_token_revocations(const struct cli_arguments *arguments);
