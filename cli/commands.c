#include "cli/commands.h"

#include "cli/archive.h"
#include "cli/dev.h"
#include "cli/directory.h"
#include "cli/drain.h"
#include "cli/evacuate.h"
#include "cli/history.h"
#include "cli/homes.h"
#include "cli/listen.h"
#include "cli/move.h"
#include "cli/nats_print.h"
#include "cli/pki.h"
#include "cli/promote.h"
#include "cli/provision.h"
#include "cli/rebuild.h"
#include "cli/send.h"
#include "cli/status.h"
#include "cli/token.h"

#include <stdio.h>
#include <string.h>

#define OPTION_CATALOGUE                                                                           \
    {                                                                                              \
        "catalogue", "FILE", "The catalogue of regions (config/regions.yaml)."                     \
    }
#define OPTION_DATA                                                                                \
    {                                                                                              \
        "data", "DIR", "Where it keeps its data (~/.local/state/meridian/dev)."                    \
    }

#define OPTION_EDGE                                                                                \
    {                                                                                              \
        "edge", "URL", "The edge to connect to (any of the catalogue)."                            \
    }

#define OPTION_TOKEN                                                                               \
    {                                                                                              \
        "token", "TOKEN", "Logs in with this token (MERIDIAN_TOKEN, else none)."                   \
    }

#define OPTION_CA                                                                                  \
    {                                                                                              \
        "ca", "FILE", "Whom an edge of https:// must be vouched for by, PEM (the system's)."       \
    }

#define OPTION_PKI                                                                                 \
    {                                                                                              \
        "dir", "DIR", "The folder of the authorities and of all certificates."                     \
    }
#define OPTION_DAYS                                                                                \
    {                                                                                              \
        "days", "NUMBER", "How long what is issued is good (398)."                                 \
    }

#define OPTION_ARCHIVE                                                                             \
    {                                                                                              \
        "url", "URL", "postgresql://... or sqlite:PATH (MERIDIAN_ARCHIVE_URL)."                    \
    }

static int run_help(const struct cli_arguments *arguments);

const struct cli_command cli_commands[] = {
    {.name = "dev up",
     .operands = "",
     .summary = "Brings up the regions of a catalogue on this machine.",
     .help =
         "Starts NATS servers, provisions, starts hubs and edges, waits until all are ready and\n"
         "prints the address of each edge. What dies is started again.",
     .options = {{"config", "FILE", "The catalogue of regions (config/regions.yaml)."},
                 OPTION_DATA,
                 {"edge-config", "FILE",
                  "Settings of all edges (those that config/edge.yaml says)."},
                 {"foreground", NULL, "Stays, until it is stopped by ^C."}},
     .run = cli_dev_up},
    {.name = "dev down",
     .operands = "",
     .summary = "Stops what `meridian dev up` has started, and waits until it is gone.",
     .options = {OPTION_DATA},
     .run = cli_dev_down},
    {.name = "dev status",
     .operands = "",
     .summary = "Tells what runs here, and who owns which shard.",
     .options = {OPTION_DATA},
     .run = cli_dev_status},
    {.name = "send",
     .operands = "BODY",
     .summary = "Sends a message and tells what became of it.",
     .help =
         "A BODY that is JSON is sent as it is, anything else as a JSON string. What was not\n"
         "answered is repeated with the same id, on another edge if need be, until --timeout.\n"
         "\n"
         "It prints one line and exits with\n"
         "  0  accepted: stored; it will reach the mailbox, once\n"
         "  1  rejected, or not sent: it will never be delivered; the line says why\n"
         "  3  unknown: it may have been stored or not; repeated with the same --id it will be\n"
         "     delivered once",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"to", "USER", "Whom it is for."},
                 {"from", "USER", "Who sends it (the token's, else " CLI_USER_DEFAULT ")."},
                 {"device", "DEVICE", "The sender's device, as its token may ask (cli-send)."},
                 {"id", "ID", "Its id: the same one is delivered once (a new one)."},
                 {"timeout", "SECONDS", "How long to go on trying (30)."},
                 {"want", "KINDS", "Be told, by listen: stored,delivered,read (nothing)."},
                 OPTION_TOKEN,
                 {"token-file", "FILE", "The same, from a file."},
                 OPTION_CA,
                 OPTION_EDGE,
                 OPTION_CATALOGUE},
     .run = cli_send},
    {.name = "listen",
     .operands = "",
     .summary = "Prints the messages that come for a user.",
     .help = "One JSON object a line. What was printed is acknowledged: the same device goes on\n"
             "after it next time. When the connection ends it takes another edge and resumes.",
     .options = {{"user", "USER", "Whose messages (the token's, else " CLI_USER_DEFAULT ")."},
                 {"device", "DEVICE", "Each device of a user has a cursor of its own (cli)."},
                 {"cursor", "CURSOR", "Goes on after this message, whatever the device has seen."},
                 {"count", "NUMBER", "Ends after so many messages."},
                 {"read", NULL, "Tells the senders that want to know that theirs are read."},
                 OPTION_TOKEN,
                 {"token-file", "FILE", "The same, from a file: a new one in it takes its place."},
                 OPTION_CA,
                 OPTION_EDGE,
                 OPTION_CATALOGUE},
     .run = cli_listen},
    {.name = "history",
     .operands = "USER",
     .summary = "Prints a page of all that a user has got.",
     .help =
         "One JSON object a line, the oldest first. It confirms nothing. What is to be said of\n"
         "the page goes to stderr: with which cursor to go on, and what is missing.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"before", "CURSOR", "What is older than this (the newest)."},
                 {"limit", "NUMBER", "Messages at most (50)."},
                 OPTION_TOKEN,
                 {"token-file", "FILE", "The same, from a file."},
                 OPTION_EDGE,
                 OPTION_CATALOGUE},
     .run = cli_history},
    {.name = "where",
     .operands = "USER",
     .summary = "Tells a user's home region, shard and who serves it.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {OPTION_CATALOGUE},
     .run = cli_where},
    {.name = "status",
     .operands = "",
     .summary = "Tells who owns which shard, how far it is, and what is wrong.",
     .help =
         "By what hubs and edges say within 2.5 seconds, seen from the first region that answers.\n"
         "Each alarm names the section of docs/operations.md that says what to do. Exit code 1\n"
         "when something is not heard, or an alarm is an error.",
     .options = {OPTION_CATALOGUE},
     .run = cli_status},
    {.name = "directory get",
     .operands = "USER",
     .summary = "Prints a user's home region, epoch and revision.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {OPTION_CATALOGUE},
     .run = cli_directory_get},
    {.name = "directory set",
     .operands = "USER REGION",
     .summary = "Writes a user's home region by compare-and-set; it moves no messages.",
     .help =
         "For registering users ahead, and for repair. A user that is at home elsewhere is left\n"
         "alone without --force; an epoch never goes back.",
     .operands_min = 2,
     .operands_max = 2,
     .options = {OPTION_CATALOGUE,
                 {"epoch", "NUMBER", "The epoch of the entry (1; with another home, the next)."},
                 {"if-revision", "NUMBER", "Only when `directory get` still says so; 0: no entry."},
                 {"force", NULL, "Also when the user is at home elsewhere: messages stay there."}},
     .run = cli_directory_set},
    {.name = "directory count",
     .operands = "",
     .summary = "Counts users by home region, and entries that cannot be read.",
     .help = "Reads the whole directory. Exit code 1 when an entry cannot be read.",
     .options = {OPTION_CATALOGUE},
     .run = cli_directory_count},
    {.name = "directory rebuild",
     .operands = "",
     .summary = "Fills an empty or damaged directory from the archive.",
     .help = "Each entry by compare-and-set; an epoch never goes back. It can be stopped and run\n"
             "again. Users that have messages in the archive and no home are told, not made up.\n"
             "docs/operations.md tells what to stop before.",
     .options = {OPTION_ARCHIVE,
                 OPTION_CATALOGUE,
                 {"dry-run", NULL, "Only tells what it would write."}},
     .run = cli_directory_rebuild},
    {.name = "directory promote",
     .operands = "REGION",
     .summary = "Makes REGION's mirrors the origins: the primary region is lost.",
     .help =
         "It tells each step, and what is left for you to do. Twice changes nothing; one that was\n"
         "interrupted is gone on with. Refused while the primary still answers.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {OPTION_CATALOGUE,
                 {"dry-run", NULL, "Only tells the steps."},
                 {"force", NULL, "Also while the primary answers: its last words may be lost."}},
     .run = cli_directory_promote},
    {.name = "move",
     .operands = "USER REGION",
     .summary = "Gives users another home region; their mailboxes go with them.",
     .help = "meridian move USER REGION\n"
             "meridian move --users FILE REGION    many, one a line; - is the standard input\n"
             "meridian move --abort USER           gives up a move that is not decided yet\n"
             "\n"
             "A user receives nothing for a moment, five seconds at most, and loses nothing.\n"
             "Who is there already is passed over: run it again until all are. Exit code 0: all\n"
             "are at home there; 1: some are not, each with the reason.",
     .operands_min = 1,
     .operands_max = 2,
     .options = {{"users", "FILE", "Whom: one user a line."},
                 {"parallel", "NUMBER", "How many at once (32)."},
                 {"dry-run", NULL, "Only tells what would become of each."},
                 {"abort", NULL, "The user stays where it is."},
                 OPTION_CATALOGUE},
     .run = cli_move},
    {.name = "drain region",
     .operands = "REGION",
     .summary = "Sends the clients of a region to others; nobody's home moves.",
     .help =
         "Names follow within seconds (meridian-geo follow), edges tell their clients where to go\n"
         "and close them at their rate (geo.drain_rate), and nobody new gets a home there. It\n"
         "lasts until `undrain region`. Needs the primary region. Exit code 1: with --wait, not\n"
         "all had left.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"wait", "TIME", "Waits so long for the last connection to leave (0)."},
                 {"force", NULL, "Also the last region in use."},
                 OPTION_CATALOGUE},
     .run = cli_drain_region},
    {.name = "undrain region",
     .operands = "REGION",
     .summary = "Takes a region that drains into use again, by and by.",
     .help = "It takes more and more clients, until it has all that it is built for.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"over", "TIME", "How long that takes (10m); 0: at once."}, OPTION_CATALOGUE},
     .run = cli_undrain_region},
    {.name = "drain edge",
     .operands = "EDGE",
     .summary = "Sends the clients of an edge to others, and takes it out of use.",
     .help = "It answers 503 to new clients and to /readyz, and closes those it has at its rate\n"
             "(limits.drain_per_s). EDGE may be one process of an edge: NAME-p2. It lasts until\n"
             "`undrain edge`, also over restarts. Needs the primary region. Exit code 1: with\n"
             "--wait, not all had left.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"wait", "TIME", "Waits so long for the last connection to leave (0)."},
                 {"force", NULL, "Also the last edge in use."},
                 OPTION_CATALOGUE},
     .run = cli_drain_edge},
    {.name = "undrain edge",
     .operands = "EDGE",
     .summary = "Takes an edge that drains into use again.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {OPTION_CATALOGUE},
     .run = cli_undrain_edge},
    {.name = "region evacuate",
     .operands = "REGION",
     .summary = "Gives all users of a region another home.",
     .help =
         "Users whose shard's owner is heard are moved with their mailboxes, and lose nothing.\n"
         "Those of a region that is cut off or dead are fetched out of the archive with --dead:\n"
         "what it had accepted and not archived comes when it returns, or is lost with its disks.\n"
         "--dry-run says how many go where, and what that costs. Run it again until all are\n"
         "moved: exit code 0.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"to", "REGION", "All go there (spread over the others by their weight)."},
                 {"dry-run", NULL, "Only tells what would be done."},
                 {"dead", NULL, "Fetches users of shards that are not heard out of the archive."},
                 {"force", NULL, "With --dead: of shards that are heard, too."},
                 {"list", "FILE", "Who was moved is added there (evacuated-REGION.users)."},
                 OPTION_CATALOGUE},
     .run = cli_region_evacuate},
    {.name = "region restore",
     .operands = "REGION",
     .summary = "Brings users that were evacuated back to a region.",
     .help =
         "By planned moves: nobody loses anything. Who is there already is passed over: run it\n"
         "again until all are.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"users", "FILE", "Whom: one user a line (evacuated-REGION.users)."},
                 {"dry-run", NULL, "Only tells what would become of each."},
                 OPTION_CATALOGUE},
     .run = cli_region_restore},
    {.name = "provision",
     .operands = "",
     .summary = "Makes the streams and buckets of a catalogue and begins its logs.",
     .help = "Twice changes nothing. A stream with other settings than expected is named field by\n"
             "field and left alone, and so is everything else then. When retention or limits of\n"
             "the catalogue have changed, each log gets a new config record.",
     .options = {OPTION_CATALOGUE,
                 {"check", NULL, "Only tells what is missing; exit code 1 when something is."},
                 {"level", "NUMBER",
                  "The level of logs that are begun now: that of the oldest hub (the newest)."},
                 {"renew-outbox", "STREAM",
                  "Gives an outbox that was restored from a backup a new incarnation."}},
     .run = cli_provision},
    {.name = "archive migrate",
     .operands = "",
     .summary = "Makes the central database's tables, or brings them up to date.",
     .help = "A schema that is newer than this program is left alone: exit code 1.",
     .options = {OPTION_ARCHIVE},
     .run = cli_archive_migrate},
    {.name = "archive status",
     .operands = "",
     .summary = "Tells how far logs and the directory are archived, and what is missing.",
     .options = {OPTION_ARCHIVE, OPTION_CATALOGUE},
     .run = cli_archive_status},
    {.name = "archive expire",
     .operands = "DAYS",
     .summary = "Deletes what is older: in PostgreSQL, whole months.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {OPTION_ARCHIVE},
     .run = cli_archive_expire},
    {.name = "user erase",
     .operands = "USER",
     .summary = "Deletes a user's messages from the archive.",
     .help = "The logs and the hubs' views forget them by their retention. What is not archived\n"
             "yet comes later: erase again when the archive's lag is 0.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {OPTION_ARCHIVE, {"sent", NULL, "Also what the user sent to others."}},
     .run = cli_user_erase},
    {.name = "token make",
     .operands = "",
     .summary = "Makes a token for a user, signed with a key of yours.",
     .help =
         "For trying out: in earnest whoever lets users log in issues tokens. The key's file is a\n"
         "private key in PEM, P-256 (ES256) or RSA (RS256), or else a secret (HS256).",
     .options = {{"user", "USER", "Who shows it."},
                 {"device", "DEVICE", "The only device it is for (any)."},
                 {"ttl", "TIME", "How long it lives: 90s, 15m, 1h (1h)."},
                 {"key", "FILE", "What it is signed with; see token key."},
                 {"kid", "KID", "What the edge calls the key (nothing)."},
                 {"issuer", "ISSUER", "Who issues it, as the edge expects it."},
                 {"audience", "AUDIENCE", "For whom, as the edge expects it."},
                 {"config", "FILE", "Issuer and audience of an edge's settings."},
                 {"id", "ID", "The token's own id (a new one)."},
                 {"home", "REGION", "The home of a user that nobody has seen (none)."},
                 {"tenant", "TENANT", "Whose pins of the catalogue hold for it (none)."}},
     .run = cli_token_make},
    {.name = "token check",
     .operands = "TOKEN",
     .summary = "Tells what a token says, and every reason to refuse it.",
     .help =
         "As an edge with these settings would judge it now; clients are not told the reasons.\n"
         "Exit code 1 when it is refused.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"config", "FILE", "Settings of an edge; only their section auth is read."}},
     .run = cli_token_check},
    {.name = "token key",
     .operands = "",
     .summary = "Makes a new key to sign tokens with.",
     .help =
         "FILE gets the private key or the secret, readable for you alone; FILE.pub the public\n"
         "key, which is what an edge needs. A file that is there is left alone.",
     .options = {{"alg", "ALG", "ES256, RS256 or HS256 (ES256)."},
                 {"out", "FILE", "Where it goes."}},
     .run = cli_token_key},
    {.name = "token revoke",
     .operands = "",
     .summary = "Takes tokens back before they end, in all regions.",
     .help =
         "One of: --user (all the user's tokens, also those that are issued before it is over),\n"
         "--user with --device (what this device shows), --token-id (one token), and\n"
         "--issued-before, of a user or of everybody. Who is connected with one is closed (4401).\n"
         "It is over when the last of these tokens has ended: after the settings'\n"
         "auth.lifetime_max. Needs the primary region.",
     .options = {{"user", "USER", "Whose tokens."},
                 {"device", "DEVICE", "Only as shown by this device of the user."},
                 {"token-id", "ID", "The token with this jti."},
                 {"issued-before", "TIME",
                  "With a lower iat: 2026-11-24T17:00:00Z, seconds since 1970, or now."},
                 {"undo", NULL, "Takes back what was revoked by the same options."},
                 {"config", "FILE", "Settings of an edge: how long tokens may live (a day)."},
                 OPTION_CATALOGUE},
     .run = cli_token_revoke},
    {.name = "token revocations",
     .operands = "",
     .summary = "Lists what is revoked now.",
     .options = {OPTION_CATALOGUE},
     .run = cli_token_revocations},
    {.name = "pki make",
     .operands = "",
     .summary = "Makes authorities and a certificate for each process of the bus.",
     .help =
         "DIR/NAME is for the process of that name: copy it there as a whole. `operator` is for\n"
         "whoever runs this command. What is there already is left alone, but for what has less\n"
         "than a third of its time left: run it again now and then. The keys in DIR/authority\n"
         "open everything; keep them off the machines of the regions.",
     .options = {OPTION_PKI, OPTION_DAYS, OPTION_CATALOGUE},
     .run = cli_pki_make},
    {.name = "pki renew",
     .operands = "[NAME...]",
     .summary = "Issues certificates anew, of the named processes or of all.",
     .operands_max = CLI_OPERANDS_MAX,
     .options = {OPTION_PKI, OPTION_DAYS, OPTION_CATALOGUE},
     .run = cli_pki_renew},
    {.name = "pki authority",
     .operands = "",
     .summary = "Makes new authorities beside those that are believed.",
     .help =
         "Copy ca.pem and clients.pem of every DIR/NAME to where they belong and reload the NATS\n"
         "servers; only then `pki renew`, which issues by the new ones. The old ones are believed\n"
         "until they end.",
     .options = {OPTION_PKI, OPTION_DAYS, OPTION_CATALOGUE},
     .run = cli_pki_new_authority},
    {.name = "nats config",
     .operands = "NODE",
     .summary = "Prints the configuration of a NATS server of the catalogue.",
     .help =
         "With its users, and what each may do: it changes when a hub or an edge of the region\n"
         "comes or goes. `nats-server --signal reload` takes it without a break.",
     .operands_min = 1,
     .operands_max = 1,
     .options = {{"data", "DIR", "Where it keeps its streams (/var/lib/meridian-nats)."},
                 {"credentials", "DIR", "Where its certificates are (/etc/meridian/nats)."},
                 OPTION_CATALOGUE},
     .run = cli_nats_print},
    {.name = "help",
     .operands = "[COMMAND]",
     .summary = "Tells what there is, or how one command is used.",
     .operands_max = 2,
     .run = run_help},
    {.name = NULL},
};

static const char worked_example[] =
    "An example, three regions on this machine:\n"
    "\n"
    "  meridian dev up                                 prints the address of each edge\n"
    "  meridian listen --user bob --count 1 &          bob is at home where he connects first\n"
    "  meridian send --from alice --to bob 'hello'     accepted, and bob's terminal shows it\n"
    "  meridian where bob                              his home region, his shard, who serves it\n"
    "  meridian dev status                             every process and every shard\n"
    "  meridian dev down                               stops it; the data stays\n";

static void print_overview(FILE *out)
{
    fprintf(out, "usage: meridian COMMAND [options] [arguments]\n\n"
                 "The command of Meridian, a geo-distributed message relay.\n\n");
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++)
        fprintf(out, "  %-15s %s\n", command->name, command->summary);
    fprintf(out, "\n`meridian help COMMAND` tells more. %s", worked_example);
}

static int print_help(const struct cli_command *command)
{
    struct buffer text = {0};

    cli_command_help(command, &text);
    fwrite(text.data, 1, text.size, stdout);
    buffer_free(&text);
    return CLI_OK;
}

/* "dev" alone, or "directory": which commands begin so? */
static bool print_group(const char *word)
{
    bool any = false;
    for (const struct cli_command *command = cli_commands; command->name != NULL; command++) {
        size_t size = strlen(word);
        if (strncmp(command->name, word, size) == 0 && command->name[size] == ' ') {
            fprintf(stderr, "  meridian %-16s %s\n", command->name, command->summary);
            any = true;
        }
    }
    return any;
}

static int refuse(int argc, char *const *argv)
{
    if (argc == 1 && print_group(argv[0]))
        return CLI_USAGE;
    fprintf(stderr, "meridian: unknown command '%s%s%s'; `meridian help` tells what there is\n",
            argv[0], argc > 1 && argv[1][0] != '-' ? " " : "",
            argc > 1 && argv[1][0] != '-' ? argv[1] : "");
    return CLI_USAGE;
}

static int run_help(const struct cli_arguments *arguments)
{
    int argc = (int)arguments->operand_count, words;
    char *argv[CLI_OPERANDS_MAX];

    if (argc == 0) {
        print_overview(stdout);
        return CLI_OK;
    }
    memcpy(argv, arguments->operands, sizeof argv);
    const struct cli_command *command = cli_command_find(cli_commands, argc, argv, &words);
    return command == NULL ? refuse(argc, argv) : print_help(command);
}

int cli_run(int argc, char *const *argv)
{
    struct cli_arguments arguments;
    struct error_text why = {0};
    int words = 0;

    if (argc == 0) {
        print_overview(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[0], "--help") == 0 || strcmp(argv[0], "-h") == 0) {
        print_overview(stdout);
        return CLI_OK;
    }
    if (strcmp(argv[0], "--version") == 0) {
        printf("meridian %s\n", MERIDIAN_VERSION);
        return CLI_OK;
    }
    const struct cli_command *command = cli_command_find(cli_commands, argc, argv, &words);
    if (command == NULL)
        return refuse(argc, argv);
    if (cli_arguments_parse(command, argc - words, argv + words, &arguments, &why) < 0) {
        fprintf(stderr, "meridian %s: %s; `meridian help %s` tells more\n", command->name, why.text,
                command->name);
        return CLI_USAGE;
    }
    return arguments.help ? print_help(command) : command->run(&arguments);
}
