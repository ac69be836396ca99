#include "region-hub/hub_settings.h"

#include "base/buffer.h"
#include "base/macros.h"
#include "catalogue/catalogue.h"
#include "store/archive.h"
#include "wire/record.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define HUB struct hub_settings

static const char *const log_levels[] = {"error", "warning", "info", "debug", NULL};

const struct setting hub_settings_table[] = {
    SETTING_TEXT(HUB, catalogue, "catalogue", "", 1,
                 "Path of the catalogue of regions; --catalogue on the command line."),
    SETTING_TEXT_VALID(HUB, region, "region", "", 1, text_is_region_name, "a region's name",
                       "The region this hub works for; --region on the command line."),
    SETTING_TEXT_VALID(HUB, name, "name", "", 1, text_is_process_name, "a process's name",
                       "This hub, as the catalogue calls it; --name on the command line."),
    SETTING_TEXT(
        HUB, data, "data", "", 1,
        "Folder of the views, of this hub alone; --data on the command line. What is in it "
        "can be deleted while the hub is down: it is made again from the logs."),
    SETTING_TEXT_VALID(HUB, listen, "listen", "", 0, settings_is_address, SETTINGS_RULE_ADDRESS,
                       "Where /healthz and /readyz are answered; empty: as the catalogue says."),
    SETTING_ENUM(HUB, log_level, "log_level", LOG_LEVEL_INFO, log_levels,
                 "error, warning, info or debug."),

    SETTING_TEXT(HUB, nats_urls, "nats.urls", "", 0,
                 "Comma-separated nats:// addresses; empty: the region's nodes in the catalogue."),
    SETTING_TEXT(HUB, nats_user, "nats.user", "", 0, "User of NATS; empty: none."),
    SETTING_TEXT(HUB, nats_password, "nats.password", "", 0, "Its password.", SETTING_SECRET),
    SETTING_BYTES(HUB, nats_pending_max_bytes, "nats.pending_max_bytes", 64 << 20, 1 << 20, 1 << 30,
                  "Output of one shard that NATS has not taken; more is dropped and repaired."),

    SETTING_U32(HUB, devices_max, "limits.devices_max", 200000, 1, 10000000,
                "Attached devices of one shard; one more is answered busy."),
    SETTING_U32(HUB, claims_max, "limits.claims_max", 1024, 1, 100000,
                "Claims of homes on their way, of one shard; one more is answered busy."),
    SETTING_U32(HUB, acks_max, "limits.acks_max", 200000, 1, 10000000,
                "Devices of one shard whose acks wait to be written, or were in the last second."),
    SETTING_U32(
        HUB, shown_max, "limits.shown_max", 16384, 1, 1000000,
        "Acks and receipts of one shard that came by HTTP and wait for the log; more are taken, "
        "and asked for again."),

    SETTING_U32(HUB, credit_messages, "delivery.credit_messages", 256, 1, 4096,
                "Messages sent to a device and not acknowledged by it."),
    SETTING_BYTES(HUB, credit_bytes, "delivery.credit_bytes", 256 << 10, 4096, 16 << 20,
                  "The same in bytes; one message always goes."),
    SETTING_DURATION(HUB, repair_ms, "delivery.repair", 2000, 50, 60000,
                     "What an edge has not reported as received after that long is sent again."),
    SETTING_DURATION(HUB, edge_silent_ms, "delivery.edge_silent", 3000, 100, 60000,
                     "An edge without a beat for that long has lost its attached devices."),
    SETTING_DURATION(HUB, ack_interval_ms, "delivery.ack_interval", 1000, 10, 60000,
                     "The cursor of a device is written to the log at most that often."),
    SETTING_BYTES(HUB, turn_bytes, "delivery.turn_bytes", 1 << 20, 65536, 64 << 20,
                  "Read from the view for devices that are behind, in one turn of the loop."),

    SETTING_DURATION(HUB, beat_ms, "ownership.beat", 500, 10, 5000, "The owner's beat."),
    SETTING_DURATION(HUB, owner_silent_ms, "ownership.silent", 2500, 50, 60000,
                     "An owner without a beat for that long is challenged."),
    SETTING_DURATION(HUB, owner_step_ms, "ownership.step", 500, 0, 60000,
                     "Hubs that are not the first choice for a shard wait that much longer."),
    SETTING_DURATION(HUB, hand_over_ms, "ownership.hand_over", 1000, 0, 10000,
                     "How long a stopping hub waits until its shards are given up in the log."),
    SETTING_DURATION(HUB, tick_ms, "ownership.tick", 5000, 50, 600000,
                     "The owner writes the time and the hash of the log that often."),

    SETTING_BYTES(HUB, writer_queue_max_bytes, "writer.queue_max_bytes", 4 << 20, 1 << 20, 1 << 30,
                  "Records that wait to be written to the log by this hub, of one shard."),
    SETTING_DURATION(HUB, writer_retry_ms, "writer.retry", 1000, 20, 10000,
                     "A batch without an answer for that long is written again, byte for byte."),
    SETTING_DURATION(HUB, writer_pace_ms, "writer.pace", 20, 0, 1000,
                     "Least time between two writes of a busy shard; the first never waits."),

    SETTING_BYTES(HUB, lane_window_bytes, "lanes.window_bytes", 8 << 20, 65536, 1 << 30,
                  "Forwarded to another region and not known to be stored there, of one lane."),
    SETTING_U32(HUB, lane_window_batches, "lanes.window_batches", 4096, 1, 65536,
                "Batches of one lane forwarded and not known to be applied."),
    SETTING_DURATION(HUB, lane_stall_ms, "lanes.stall", 1000, 20, 60000,
                     "A lane without progress for that long asks the home where it stands."),
    SETTING_DURATION(HUB, lane_backoff_min_ms, "lanes.backoff_min", 250, 10, 60000,
                     "First pause of a lane whose batches are not taken; it doubles."),
    SETTING_DURATION(HUB, lane_backoff_max_ms, "lanes.backoff_max", 5000, 10, 600000,
                     "Longest pause."),
    SETTING_DURATION(HUB, trim_ms, "lanes.trim", 10000, 50, 3600000,
                     "Outboxes are trimmed below what is applied that often, sooner when filling."),
    SETTING_DURATION(HUB, stream_info_ms, "lanes.stream_info", 2000, 50, 600000,
                     "How full logs and outboxes are is asked that often."),

    SETTING_U32(HUB, moves_max, "moves.max", 64, 1, 4096,
                "Users that move here at once, and as many that move away, of one shard; one more "
                "is answered busy."),
    SETTING_DURATION(HUB, move_silent_ms, "moves.silent", 30000, 1000, 3600000,
                     "A new home that asks nothing for that long is given up: the user stays."),

    SETTING_U32(HUB, notice_window, "notices.window", 256, 1, 65536,
                "Notices to senders that are on their way, of one shard; the others wait."),
    SETTING_U32(HUB, notice_homes_max, "notices.homes_max", 20000, 16, 10000000,
                "Senders whose home is remembered, of one shard."),
    SETTING_DURATION(HUB, noticed_ms, "notices.noticed", 1000, 10, 60000,
                     "Up to where notices are stored is written to the log at most that often."),

    SETTING_U32(HUB, save_rows, "view.save_rows", 50000, 1, 100000000,
                "The state of the mailboxes is saved after that many rows."),
    SETTING_DURATION(HUB, save_ms, "view.save", 300000, 100, 86400000,
                     "The same by time, when something has changed."),
    SETTING_DURATION(HUB, log_check_ms, "view.log_check", 30000, 50, 3600000,
                     "That the log is still the same, and not shorter than the view, is checked "
                     "that often, at the start and after each reconnect."),
    SETTING_DURATION(
        HUB, log_doubt_ms, "view.log_doubt", 20000, 100, 600000,
        "For that long must a log or an outbox be too short to be taken for one that "
        "was put back to an older state: a leader that has no majority yet is behind."),
    SETTING_DURATION(HUB, trim_turn_ms, "view.trim_turn", 5, 1, 1000,
                     "Twenty times a second, rows older than the retention are removed for about "
                     "that long, while there are any."),

    SETTING_DURATION(HUB, checkpoint_interval_ms, "checkpoint.interval", 86400000, 100, 172800000,
                     "The owner makes a checkpoint of the shard that often, by the log's time."),
    SETTING_DURATION(HUB, checkpoint_retry_min_ms, "checkpoint.retry_min", 1000, 10, 600000,
                     "First pause after a checkpoint could not be stored; it doubles."),
    SETTING_DURATION(HUB, checkpoint_retry_max_ms, "checkpoint.retry_max", 300000, 10, 3600000,
                     "Longest pause."),

    SETTING_U32(HUB, level_max, "levels.max", WIRE_LEVEL, 1, WIRE_LEVEL,
                "The highest level of records this hub may know: less holds an upgrade back."),
    SETTING_DURATION(HUB, lane_hole_ms, "alarms.lane_hole", 30000, 50, 3600000,
                     "A lane that is passed over behind a hole for that long raises an alarm."),

    SETTING_TEXT(HUB, archive_url, "archive.url", "", 0,
                 "The central database: postgresql://..., or sqlite:PATH; empty: none.",
                 SETTING_SECRET_URL),
    SETTING_BOOL(HUB, archive_migrate, "archive.migrate", false,
                 "The hub makes PostgreSQL's tables, when its role may; a SQLite file's always."),
    SETTING_U32(HUB, archive_batch_rows, "archive.batch_rows", 5000, 1, 100000,
                "Messages of one shard archived in one transaction."),
    SETTING_BYTES(HUB, archive_batch_bytes, "archive.batch_bytes", 4 << 20, 65536, 64 << 20,
                  "The same in bytes of their bodies; a hub holds about four times that."),
    SETTING_DURATION(HUB, archive_connect_timeout_ms, "archive.connect_timeout", 5000, 100, 60000,
                     "How long the database may take to let a hub in."),
    SETTING_DURATION(HUB, archive_statement_timeout_ms, "archive.statement_timeout", 30000, 100,
                     600000, "How long it may take for one batch."),
    SETTING_DURATION(HUB, archive_pause_ms, "archive.pause", 200, 0, 60000,
                     "What comes within that time after a message is archived with it."),
    SETTING_DURATION(HUB, archive_backoff_min_ms, "archive.backoff_min", 250, 10, 60000,
                     "First pause after a failure; it doubles."),
    SETTING_DURATION(HUB, archive_backoff_max_ms, "archive.backoff_max", 5000, 10, 600000,
                     "Longest pause."),
    SETTING_DURATION(HUB, archive_follow_ms, "archive.follow", 30000, 100, 3600000,
                     "How far the shards of other hubs are archived is asked that often."),
    SETTING_DURATION(HUB, archive_hold_max_ms, "archive.hold_max", 172800000, 0, 2592000000,
                     "What is not archived stays in the view for that long beyond the retention."),
    SETTINGS_END,
};

static const char usage[] =
    "meridian-hub: applies the logs of a region and serves its mailboxes.\n"
    "\n"
    "  meridian-hub --catalogue regions.yaml --region NAME --name NAME --data FOLDER [options]\n"
    "\n"
    "  --config FILE      settings (config/hub.yaml explains each)\n"
    "  --catalogue FILE   the catalogue of regions\n"
    "  --region NAME      the region, as the catalogue calls it\n"
    "  --name NAME        this hub, as the catalogue calls it\n"
    "  --data FOLDER      where the views are kept\n"
    "  --set KEY=VALUE    one setting; may be given often\n"
    "  --check-config     check settings and catalogue, then end\n"
    "  --print-config     print the settings as they are in effect, then end\n"
    "  --version, --help\n"
    "\n"
    "It logs to standard error. SIGTERM hands the shards over and ends it.\n";

/* What an option means as a setting; options win over the file, in the order given. */
static int set(struct hub_settings *settings, const char *key, const char *value,
               struct error_text *reterr_why)
{
    char assignment[1024];
    int size = snprintf(assignment, sizeof assignment, "%s=%s", key, value);
    if (size < 0 || (size_t)size >= sizeof assignment)
        return error_text_set(reterr_why, -EINVAL, "the value of --%s is too long", key);
    return settings_set(hub_settings_table, settings, assignment, reterr_why);
}

static int check(const struct hub_settings *settings, struct error_text *reterr_why)
{
    int err = settings_check(hub_settings_table, settings, reterr_why);
    if (err != 0)
        return err;
    if (settings->archive_url[0] != '\0' && !archive_url_is_good(text_of(settings->archive_url)))
        return error_text_set(reterr_why, -EINVAL,
                              "'archive.url' must be postgresql://..., sqlite:PATH or empty");
    struct catalogue *catalogue = catalogue_load_file(settings->catalogue, reterr_why);
    if (catalogue == NULL)
        return -EINVAL;
    const struct catalogue_region *region = NULL;
    if (catalogue_region(catalogue, text_of(settings->region)) == NULL)
        err = error_text_set(reterr_why, -EINVAL, "%s has no region '%s'", settings->catalogue,
                             settings->region);
    else if (catalogue_hub(catalogue, text_of(settings->name), &region) == NULL ||
             strcmp(region->name, settings->region) != 0)
        err = error_text_set(reterr_why, -EINVAL, "%s has no hub '%s' in region '%s'",
                             settings->catalogue, settings->name, settings->region);
    catalogue_free(catalogue);
    return err;
}

static int print(const struct hub_settings *settings)
{
    struct buffer out = {0};
    settings_print(hub_settings_table, settings, &out);
    bool written = !out.failed && fwrite(out.data, 1, out.size, stdout) == out.size;
    buffer_free(&out);
    return written ? 0 : -EIO;
}

enum {
    OPTION_CONFIG = 1,
    OPTION_SET,
    OPTION_KEY,
    OPTION_CHECK,
    OPTION_PRINT,
    OPTION_VERSION,
    OPTION_HELP
};

static const struct option options[] = {
    {"config", required_argument, NULL, OPTION_CONFIG},
    {"catalogue", required_argument, NULL, OPTION_KEY},
    {"region", required_argument, NULL, OPTION_KEY},
    {"name", required_argument, NULL, OPTION_KEY},
    {"data", required_argument, NULL, OPTION_KEY},
    {"set", required_argument, NULL, OPTION_SET},
    {"check-config", no_argument, NULL, OPTION_CHECK},
    {"print-config", no_argument, NULL, OPTION_PRINT},
    {"version", no_argument, NULL, OPTION_VERSION},
    {"help", no_argument, NULL, OPTION_HELP},
    {NULL, 0, NULL, 0},
};

/* The file comes first, wherever it stands: the other options override it. */
static int load_file(int argc, char **argv, struct hub_settings *settings,
                     struct error_text *reterr_why)
{
    int err = 0;
    int option;
    optind = 1;
    opterr = 0;
    while (err == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        if (option == OPTION_CONFIG)
            err = settings_load_file(hub_settings_table, settings, optarg, reterr_why);
    return err;
}

int hub_settings_from_arguments(int argc, char **argv, struct hub_settings *ret_settings,
                                bool *ret_done, struct error_text *reterr_why)
{
    struct hub_settings settings;
    bool only_check = false;
    bool only_print = false;
    settings_defaults(hub_settings_table, &settings);
    int err = load_file(argc, argv, &settings, reterr_why);

    int option;
    int which = 0;
    optind = 1;
    while (err == 0 && (option = getopt_long(argc, argv, "", options, &which)) != -1) {
        if (option == OPTION_KEY)
            err = set(&settings, options[which].name, optarg, reterr_why);
        else if (option == OPTION_SET)
            err = settings_set(hub_settings_table, &settings, optarg, reterr_why);
        else if (option == OPTION_CHECK)
            only_check = true;
        else if (option == OPTION_PRINT)
            only_print = true;
        else if (option == OPTION_HELP || option == OPTION_VERSION) {
            printf("%s", option == OPTION_HELP ? usage : "meridian-hub " MERIDIAN_VERSION "\n");
            *ret_done = true;
            return 0;
        } else if (option != OPTION_CONFIG)
            err = error_text_set(reterr_why, -EINVAL,
                                 "unknown option, or one without its value: "
                                 "%s; try --help",
                                 argv[optind - 1]);
    }
    if (err == 0 && optind < argc)
        err = error_text_set(reterr_why, -EINVAL, "what is '%s'? try --help", argv[optind]);
    if (err == 0)
        err = check(&settings, reterr_why);
    if (err == 0 && only_print)
        err = print(&settings);
    if (err == 0 && only_check)
        printf("the settings and the catalogue are good\n");
    if (err != 0)
        return err;
    *ret_done = only_check || only_print;
    *ret_settings = settings;
    return 0;
}
