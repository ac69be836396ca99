#include "cli/nats_accounts.h"

#include "cli/nats_rights.h"
#include "cli/nats_subjects.h"
#include "wire/names.h"

#include <stdio.h>

#define STREAMS_ACCOUNT "MERIDIAN"
#define IMPORTED(kind) "{" kind ": {account: " STREAMS_ACCOUNT ", subject: \""

/* Answers of services come back to who asked, one each. Only revoked tokens are read in batches,
 * which end with an empty answer; other answers of several would be waited for, and never end. */
static void write_exports(struct buffer *out)
{
    buffer_append_text(out, TEXT("    exports: [\n"
                                 "      {service: \"log.*.*.e\"}\n"
                                 "      {service: \"out.*.*.*\"}\n"
                                 "      {service: \"hub.*.*.*\"}\n"
                                 "      {service: \"" WIRE_EDGE_BEATS "\"}\n"
                                 "      {service: \"$JS.API.STREAM.MSG.GET.*\"}\n"
                                 "      {service: \"$JS.API.DIRECT.GET.>\"}\n"
                                 "      {service: \"$JS.API.DIRECT.GET." WIRE_REVOKED_STREAM
                                 "\", response: stream}\n"
                                 "      {stream: \"edge.*.*\"}\n"
                                 "      {stream: \"" WIRE_HUB_BEATS "\"}\n"
                                 "      {stream: \"" WIRE_EDGE_BEATS "\"}\n"
                                 "      {stream: \"" WIRE_DIRECTORY_CHANGED "\"}\n"
                                 "    ]\n"));
}

static void write_streams_account(const struct catalogue *catalogue,
                                  const struct catalogue_region *region, struct buffer *out)
{
    buffer_append_text(out,
                       TEXT("  " STREAMS_ACCOUNT " {\n    jetstream: enabled\n    users: [\n"));
    cli_nats_users(catalogue, region, out);
    buffer_append_text(out, TEXT("    ]\n"));
    write_exports(out);
    buffer_append_text(out, TEXT("  }\n"));
}

static void write_edge_account(const struct catalogue *catalogue,
                               const struct catalogue_region *region,
                               const struct catalogue_edge *edge, struct buffer *out)
{
    buffer_printf(out, "  EDGE_%s {\n    users: [\n", edge->name);
    cli_nats_edge_user(catalogue, region, edge, out);
    buffer_append_text(out, TEXT("    ]\n"));
    struct cli_nats_subjects imports = cli_nats_subjects_begin(out, "imports");
    imports.before = IMPORTED("service");
    imports.after = "\"}}";
    cli_nats_add_edge_asks(&imports, catalogue, region, edge);
    imports.before = IMPORTED("stream");
    cli_nats_add_edge_hears(&imports, region, edge);
    cli_nats_subjects_end(&imports);
    buffer_append_text(out, TEXT("  }\n"));
}

void cli_nats_accounts(const struct catalogue *catalogue, const struct catalogue_region *region,
                       struct buffer *out)
{
    buffer_append_text(out, TEXT("accounts {\n"));
    write_streams_account(catalogue, region, out);
    for (size_t i = 0; i < region->edge_count; i++)
        write_edge_account(catalogue, region, &region->edges[i], out);
    buffer_append_text(out, TEXT("}\n"));
}
