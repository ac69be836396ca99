/* `meridian token revoke` and `token revocations`: the bucket REVOKED by hand. */
#include "cli/token.h"

#include "auth/revocations.h"
#include "base/clock.h"
#include "bus/bus_stream.h"
#include "cli/catalogue_choice.h"
#include "cli/jetstream.h"
#include "cli/revoke.h"
#include "cli/scan.h"
#include "cli/token_config.h"
#include "wire/names.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum {
    CONNECT_MS = 5000,
    PATIENCE_MS = 5000,
    GET_MS = 2000,
    TRIES = 10,
    PAUSE_MS = 50,
    BACK_S = 600, /* so long ago is over by every clock */
};

struct revoking {
    struct catalogue *catalogue;
    struct cli_link link;
    struct wire_revoked wanted; /* borrows the arguments */
    int64_t keep_s;             /* in the bucket */
    bool undo;
};

/* What is there about the same. */
struct there {
    uint64_t position;
    struct wire_revoked revoked; /* without texts */
};

static int on_there(void *context, const struct bus_message *answer)
{
    struct there *there = context;
    struct bus_entry entry;
    int err = bus_entry_read(answer, &entry, NULL);
    if (err != 0)
        return err == -ENOENT ? 0 : err;
    there->position = entry.position;
    if (wire_revoked_read(entry.data, entry.size, &there->revoked) != 0)
        there->revoked = (struct wire_revoked){0}; /* damaged, or newer: replaced */
    return 0;
}

static int write_once(struct revoking *revoking, uint64_t *ret_position,
                      struct wire_revoked *ret_written, struct error_text *reterr_why)
{
    struct cli_jetstream js = {.link = &revoking->link, .patience_ms = PATIENCE_MS};
    struct wire_revoked revoked = revoking->wanted;
    struct wire_name subject = wire_revoked_subject(&revoked);
    struct there there = {0};
    struct buffer bytes = {0};
    int err = cli_link_get_last(&revoking->link, WIRE_REVOKED_STREAM, subject.text, GET_MS,
                                on_there, &there);
    if (err != 0)
        return error_text_set(reterr_why, err, "cannot read %s: %s", WIRE_REVOKED_STREAM,
                              strerror(-err));
    if (!revoking->undo)
        cli_revoke_merge(&revoked, &there.revoked);
    int64_t keep_s = revoking->keep_s;
    if (revoked.until_s - revoked.at_s > keep_s)
        keep_s = revoked.until_s - revoked.at_s;
    err = wire_revoked_write(&bytes, &revoked);
    if (err == 0)
        err = cli_js_publish_for(&js, subject.text, there.position, keep_s, buffer_text(&bytes),
                                 ret_position, reterr_why);
    buffer_free(&bytes);
    *ret_written = revoked;
    return err;
}

static int write_it(struct revoking *revoking, struct error_text *reterr_why)
{
    struct wire_revoked written;
    struct buffer line = {0};
    uint64_t position = 0;
    int err = write_once(revoking, &position, &written, reterr_why);
    for (int i = 1; i < TRIES && err == -ESTALE; i++) {
        cli_link_rest(&revoking->link, PAUSE_MS);
        err = write_once(revoking, &position, &written, reterr_why);
    }
    if (err != 0)
        return err;
    cli_revoke_print(&written, &line);
    printf("%s: %.*s", revoking->undo ? "not revoked any more" : "revoked",
           TEXT_ARGS(buffer_text(&line)));
    buffer_free(&line);
    return 0;
}

/* How long tokens live stands in an edge's settings. */
static int read_times(const struct cli_arguments *arguments, struct revoking *revoking,
                      struct error_text *reterr_why)
{
    struct auth_settings settings;
    const int64_t now_s = clock_wall_ms() / 1000;
    struct wire_revoked *wanted = &revoking->wanted;
    int err = cli_auth_config_load(cli_value(arguments, "config"), &settings, reterr_why);
    if (err == 0) {
        wanted->at_s = now_s;
        wanted->until_s = auth_revoked_until_s(&settings, now_s);
        revoking->keep_s = wanted->until_s - now_s;
    }
    if (err == 0 && revoking->undo) {
        wanted->at_s = now_s - BACK_S;
        wanted->until_s = wanted->at_s + 1;
    }
    cli_auth_config_free(&settings);
    return err;
}

static int open_primary(const struct cli_arguments *arguments, struct revoking *revoking,
                        struct error_text *reterr_why)
{
    revoking->catalogue = cli_catalogue_choose(arguments, reterr_why);
    if (revoking->catalogue == NULL)
        return -ENOENT;
    return cli_link_open(&revoking->link, catalogue_primary(revoking->catalogue), CONNECT_MS,
                         reterr_why);
}

static int finish(const struct cli_arguments *arguments, struct revoking *revoking, int err,
                  const struct error_text *why)
{
    if (err != 0)
        fprintf(stderr, "meridian %s: %s\n", arguments->command->name, why->text);
    cli_link_close(&revoking->link);
    catalogue_free(revoking->catalogue);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}

int cli_token_revoke(const struct cli_arguments *arguments)
{
    struct revoking revoking = {.undo = cli_flag(arguments, "undo")};
    struct error_text why = {0};
    const struct cli_revoke_options options = {
        .user = cli_value(arguments, "user"),
        .device = cli_value(arguments, "device"),
        .token_id = cli_value(arguments, "token-id"),
        .issued_before = cli_value(arguments, "issued-before"),
    };
    int err = cli_revoke_read(&options, clock_wall_ms() / 1000, &revoking.wanted, &why);
    if (err == 0)
        err = read_times(arguments, &revoking, &why);
    if (err == 0)
        err = open_primary(arguments, &revoking, &why);
    if (err == 0)
        err = write_it(&revoking, &why);
    return finish(arguments, &revoking, err, &why);
}

/* What is over is no revocation, however long it stays in the bucket. */
static int print_page(const struct cli_scan *scan, int64_t now_s)
{
    struct buffer lines = {0};
    int damaged = 0;
    for (size_t i = 0; i < scan->count; i++) {
        struct cli_scan_entry entry = cli_scan_at(scan, i);
        struct wire_revoked revoked;
        int err = wire_revoked_read(entry.data.data, entry.data.size, &revoked);
        if (err == 0 && revoked.until_s > now_s)
            cli_revoke_print(&revoked, &lines);
        damaged += err != 0 && entry.data.size > 0;
    }
    if (lines.size > 0)
        fwrite(lines.data, 1, lines.size, stdout);
    buffer_free(&lines);
    return damaged;
}

static int list_all(struct revoking *revoking, struct error_text *reterr_why)
{
    struct cli_scan scan;
    int damaged = 0;
    int err = cli_scan_open(&scan, &revoking->link, WIRE_REVOKED_STREAM, WIRE_REVOKED_SUBJECTS, 1,
                            reterr_why);
    if (err < 0)
        return err;
    while ((err = cli_scan_next(&scan, reterr_why)) == 1)
        damaged += print_page(&scan, clock_wall_ms() / 1000);
    cli_scan_close(&scan);
    if (err == 0 && damaged > 0)
        err = error_text_set(reterr_why, -EBADMSG, "%d entries cannot be read", damaged);
    return err;
}

int cli_token_revocations(const struct cli_arguments *arguments)
{
    struct revoking revoking = {0};
    struct error_text why = {0};
    int err = open_primary(arguments, &revoking, &why);
    if (err == 0)
        err = list_all(&revoking, &why);
    return finish(arguments, &revoking, err, &why);
}
