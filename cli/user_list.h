/* Lists of users, one a line, in files: who is at home in a region, as the directory says, and what
 * a command has done. A user id holds no line break. */
#pragma once

#include "catalogue/catalogue.h"
#include "cli/link.h"

#include <stdio.h>

/* Writes who is at home in `region` to a file that is gone when it is closed. `on_user` is told of
 * each. -ETIMEDOUT, -ENOMEM, -EIO. */
MUST_USE int cli_user_list_of(struct cli_link *link, const struct catalogue *catalogue,
                              const struct catalogue_region *region, void *context,
                              void (*on_user)(void *context, struct text user), FILE **ret_list,
                              struct error_text *reterr_why);

struct cli_user_lines { /* zero-initialise but for the file; free with cli_user_lines_done() */
    FILE *file;         /* borrowed */
    char *line;
    size_t capacity;
};
/* The next line, borrowed until the next call; empty ones are passed over. False: the end. */
bool cli_user_lines_next(struct cli_user_lines *lines, struct text *ret_user);
void cli_user_lines_done(struct cli_user_lines *lines);
