#include "cli/nats_print.h"

#include "cli/catalogue_choice.h"
#include "cli/nats_config.h"
#include "cli/streams.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static const struct catalogue_node *find_node(const struct catalogue *catalogue, const char *name,
                                              const struct catalogue_region **ret_region)
{
    for (size_t r = 0; r < catalogue->region_count; r++) {
        const struct catalogue_region *region = &catalogue->regions[r];
        for (size_t i = 0; i < region->node_count; i++) {
            if (strcmp(region->nodes[i].name, name) == 0) {
                *ret_region = region;
                return &region->nodes[i];
            }
        }
    }
    return NULL;
}

static int print(const struct cli_arguments *arguments, const struct catalogue *catalogue,
                 struct error_text *reterr_why)
{
    const struct catalogue_region *region;
    const char *name = arguments->operands[0];
    const struct catalogue_node *node = find_node(catalogue, name, &region);
    struct buffer text = {0};
    struct cli_plan plan;

    if (node == NULL)
        return error_text_set(reterr_why, -ENOENT, "the catalogue has no node '%s'", name);
    int err = cli_plan_init(&plan, catalogue);
    if (err == 0) {
        const struct cli_nats_place place = {
            .title = "Made by `meridian nats config` of the catalogue.",
            .store_dir = cli_value_or(arguments, "data", "/var/lib/meridian-nats"),
            .max_bytes = cli_plan_bytes(&plan, region) / 4 * 5,
            .credentials = cli_value_or(arguments, "credentials", "/etc/meridian/nats"),
        };
        cli_nats_config(catalogue, region, node, &place, &text);
        cli_plan_done(&plan);
    }
    if (err == 0 && text.failed)
        err = -ENOMEM;
    if (err == 0 && fwrite(text.data, 1, text.size, stdout) != text.size)
        err = -EIO;
    buffer_free(&text);
    return err == 0 ? 0 : error_text_set(reterr_why, err, "%s", strerrordesc_np(-err));
}

int cli_nats_print(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct catalogue *catalogue = cli_catalogue_choose(arguments, &why);
    int err = catalogue == NULL ? -EINVAL : print(arguments, catalogue, &why);

    catalogue_free(catalogue);
    if (err != 0)
        fprintf(stderr, "meridian nats config: %s\n", why.text);
    return err == 0 ? CLI_OK : CLI_FAILED;
}
