/* What a command about one user needs: the catalogue, a link, and the user of its first operand. */
#pragma once

#include "catalogue/catalogue.h"
#include "cli/arguments.h"
#include "cli/link.h"

struct cli_user_link {
    struct catalogue *catalogue;
    struct cli_link link;
    struct text user;
};

enum cli_user_link_to {
    CLI_LINK_ANY,     /* the first region that answers: to look */
    CLI_LINK_PRIMARY, /* the one that has the directory's origin: to write what was looked at */
};
/* -EINVAL when it is no user id. Close it after a failure, too. */
MUST_USE int cli_user_link_open(struct cli_user_link *to, enum cli_user_link_to which,
                                const struct cli_arguments *arguments,
                                struct error_text *reterr_why);
/* Tells the failure, frees, and returns the exit code. */
int cli_user_link_close(struct cli_user_link *to, const struct cli_arguments *arguments, int err,
                        const struct error_text *why);
