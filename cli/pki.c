#include "cli/pki.h"

#include "catalogue/catalogue.h"
#include "cli/catalogue_choice.h"
#include "cli/nats_rights.h"
#include "cli/pki_folder.h"
#include "settings/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { DAYS_DEFAULT = 398, DAYS_MAX = 3650 };

struct run {
    const struct cli_arguments *arguments;
    const char *command;
    struct catalogue *catalogue;
    struct cli_pki pki;
    bool renew; /* what the operands name, else all */
    size_t renewed;
    size_t written;
};

static bool is_named(const struct run *run, const char *name)
{
    for (size_t i = 0; i < run->arguments->operand_count; i++)
        if (strcmp(run->arguments->operands[i], name) == 0)
            return true;
    return run->arguments->operand_count == 0;
}

static int do_holder(struct run *run, const struct cli_pki_holder *holder,
                     struct error_text *reterr_why)
{
    bool renew = run->renew && is_named(run, holder->name);
    run->renewed += renew;
    int err = cli_pki_holder(&run->pki, holder, renew ? CLI_PKI_ALWAYS : CLI_PKI_DUE, reterr_why);
    if (err == 1)
        printf("%s/%s\n", run->pki.folder, holder->name);
    run->written += err == 1;
    return err < 0 ? err : 0;
}

/* As a subject's alternative name has it (RFC 5280, section 4.2.1.6). */
static void add_host(struct buffer *out, const char *address)
{
    struct settings_address parsed;
    unsigned char number[sizeof(struct in6_addr)];
    if (settings_address_parse(text_of(address), &parsed) != 0)
        return; /* the catalogue has seen to it */
    bool is_number = inet_pton(AF_INET, parsed.host, number) == 1 ||
                     inet_pton(AF_INET6, parsed.host, number) == 1;
    char entry[SETTINGS_HOST_MAX + 8];
    int size = snprintf(entry, sizeof entry, ",%s:%s,", is_number ? "IP" : "DNS", parsed.host);
    buffer_append_text(out, TEXT(",")); /* so that each entry is between two */
    bool is_there = !out->failed && memmem(out->data, out->size, entry, (size_t)size) != NULL;
    out->size -= !out->failed;
    if (!is_there)
        buffer_append(out, entry, (size_t)size - 1);
}

static int do_node(struct run *run, const struct catalogue_region *region,
                   const struct catalogue_node *node, struct error_text *reterr_why)
{
    struct buffer hosts = {0};
    buffer_printf(&hosts, "DNS:" CLI_NATS_NODES_OF, region->name);
    add_host(&hosts, node->client);
    add_host(&hosts, node->cluster);
    add_host(&hosts, node->gateway);
    buffer_append(&hosts, "", 1);
    int err = hosts.failed ? error_text_set(reterr_why, -ENOMEM, "out of memory")
                           : do_holder(run,
                                       &(struct cli_pki_holder){
                                           .name = node->name,
                                           .unit = "node",
                                           .hosts = (const char *)hosts.data,
                                       },
                                       reterr_why);
    buffer_free(&hosts);
    return err;
}

static int do_region(struct run *run, const struct catalogue_region *region,
                     struct error_text *reterr_why)
{
    int err = 0;
    for (size_t i = 0; i < region->node_count && err == 0; i++)
        err = do_node(run, region, &region->nodes[i], reterr_why);
    for (size_t i = 0; i < region->hub_count && err == 0; i++)
        err =
            do_holder(run, &(struct cli_pki_holder){region->hubs[i].name, "hub", NULL}, reterr_why);
    for (size_t i = 0; i < region->edge_count && err == 0; i++)
        err = do_holder(run, &(struct cli_pki_holder){region->edges[i].name, "edge", NULL},
                        reterr_why);
    return err;
}

static int do_authorities(struct run *run, enum cli_pki_when when, struct error_text *reterr_why)
{
    for (unsigned which = CLI_PKI_NODES; which <= CLI_PKI_CLIENTS; which++) {
        int err = cli_pki_authority(&run->pki, which, when, reterr_why);
        if (err < 0)
            return err;
        run->written += err == 1;
    }
    return 0;
}

static int do_all(struct run *run, struct error_text *reterr_why)
{
    const struct cli_pki_holder person = {CLI_PKI_OPERATOR, "operator", NULL};
    int err = 0;
    for (size_t i = 0; i < run->catalogue->region_count && err == 0; i++)
        err = do_region(run, &run->catalogue->regions[i], reterr_why);
    if (err == 0)
        err = do_holder(run, &person, reterr_why);
    if (err == 0 && run->renew && run->renewed < run->arguments->operand_count)
        err = error_text_set(reterr_why, -ENOENT,
                             "not all of these names are in the catalogue: nothing is known of "
                             "the others");
    return err;
}

static int read_days(const struct cli_arguments *arguments, int64_t *ret_days)
{
    const char *given = cli_value(arguments, "days");
    char *end = NULL;
    long days = given == NULL ? DAYS_DEFAULT : strtol(given, &end, 10);
    if (given != NULL && (end == given || *end != '\0' || days < 1 || days > DAYS_MAX))
        return -EINVAL;
    *ret_days = days;
    return 0;
}

static int run_with(const struct cli_arguments *arguments, bool renew, enum cli_pki_when authority)
{
    struct error_text why = {0};
    struct run run = {
        .arguments = arguments,
        .command = arguments->command->name,
        .pki = {.folder = cli_value(arguments, "dir"), .now_s = time(NULL)},
        .renew = renew,
    };
    if (run.pki.folder == NULL || read_days(arguments, &run.pki.days) != 0) {
        fprintf(stderr, "meridian %s: %s\n", run.command,
                run.pki.folder == NULL ? "--dir DIR is missing" : "'--days' must be 1 to 3650");
        return CLI_USAGE;
    }
    run.catalogue = cli_catalogue_choose(arguments, &why);
    int err = run.catalogue == NULL ? -EINVAL : do_authorities(&run, authority, &why);
    if (err == 0)
        err = do_all(&run, &why);
    catalogue_free(run.catalogue);
    if (err != 0)
        fprintf(stderr, "meridian %s: %s\n", run.command, why.text);
    else if (run.written == 0)
        printf("all certificates are there, and good for long enough\n");
    return err == 0 ? CLI_OK : CLI_FAILED;
}

int cli_pki_make(const struct cli_arguments *arguments)
{
    return run_with(arguments, false, CLI_PKI_DUE);
}

int cli_pki_renew(const struct cli_arguments *arguments)
{
    return run_with(arguments, true, CLI_PKI_DUE);
}

int cli_pki_new_authority(const struct cli_arguments *arguments)
{
    return run_with(arguments, false, CLI_PKI_ALWAYS);
}
