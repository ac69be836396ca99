#include "cli/user_link.h"

#include "cli/beats.h"
#include "cli/catalogue_choice.h"

#include <errno.h>
#include <stdio.h>

enum { CONNECT_MS = 5000 };

int cli_user_link_open(struct cli_user_link *to, enum cli_user_link_to which,
                       const struct cli_arguments *arguments, struct error_text *reterr_why)
{
    to->user = text_of(arguments->operands[0]);
    if (!text_is_user_id(to->user))
        return error_text_set(reterr_why, -EINVAL,
                              "a user id is 1 to 128 bytes of UTF-8 without control characters");
    to->catalogue = cli_catalogue_choose(arguments, reterr_why);
    if (to->catalogue == NULL)
        return -ENOENT;
    if (which == CLI_LINK_PRIMARY)
        return cli_link_open(&to->link, catalogue_primary(to->catalogue), CONNECT_MS, reterr_why);
    return cli_link_open_any(&to->link, to->catalogue, reterr_why);
}

int cli_user_link_close(struct cli_user_link *to, const struct cli_arguments *arguments, int err,
                        const struct error_text *why)
{
    if (err < 0)
        fprintf(stderr, "meridian %s: %s\n", arguments->command->name, why->text);
    cli_link_close(&to->link);
    catalogue_free(to->catalogue);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}
