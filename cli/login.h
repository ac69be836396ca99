/* How a command that is a client logs in: with the token that --token says, or the file of
 * --token-file holds, or MERIDIAN_TOKEN; or with none, and then as who it says. */
#pragma once

#include "base/error_text.h"
#include "base/macros.h"
#include "cli/arguments.h"

#include <stdbool.h>

enum { CLI_TOKEN_MAX = 4096 };

struct cli_login {
    const char *file;              /* NULL: the token is of none */
    char token[CLI_TOKEN_MAX + 2]; /* empty: none */
};

/* -EINVAL: both options, or what they say is no token; or what the file says, as -ENOENT. */
MUST_USE int cli_login_choose(struct cli_login *login, const struct cli_arguments *arguments,
                              struct error_text *reterr_why);
/* NULL: none. */
const char *cli_login_token(const struct cli_login *login);
/* Reads the file again. Whether it holds another token, which is then the one. */
bool cli_login_renew(struct cli_login *login);
/* The option `name`; NULL when it was not given and the token says it; else `otherwise`. */
const char *cli_login_name(const struct cli_login *login, const struct cli_arguments *arguments,
                           const char *name, const char *otherwise);
