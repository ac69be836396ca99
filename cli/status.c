#include "cli/status.h"

#include "cli/beats.h"
#include "cli/catalogue_choice.h"

#include <stdio.h>

int cli_status(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct catalogue *catalogue = cli_catalogue_choose(arguments, &why);
    int code = CLI_OK;

    if (catalogue == NULL || cli_beats_print(catalogue, &why) < 0) {
        fprintf(stderr, "meridian status: %s\n", why.text);
        code = CLI_FAILED;
    }
    catalogue_free(catalogue);
    return code;
}
