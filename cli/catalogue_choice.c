#include "cli/catalogue_choice.h"

#include "cli/dev_folder.h"

#include <stdlib.h>

struct catalogue *cli_catalogue_choose(const struct cli_arguments *arguments,
                                       struct error_text *reterr_why)
{
    const char *path = cli_value(arguments, "catalogue");
    struct cli_path folder, copy;

    if (path == NULL)
        path = getenv("MERIDIAN_CATALOGUE");
    if (path == NULL && cli_dev_folder(NULL, &folder, NULL) == 0 &&
        cli_dev_lock_holder(folder.text) != 0) {
        copy = cli_path_of(folder.text, "catalogue.yaml");
        path = copy.text;
    }
    return catalogue_load_file(path == NULL ? CLI_CATALOGUE_DEFAULT : path, reterr_why);
}
