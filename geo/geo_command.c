#include "geo/geo_command.h"

#include "base/clock.h"
#include "geo/geo_check.h"
#include "geo/geo_render.h"
#include "geo/geo_report.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

enum { KNOWN_MAX = 64, EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct arguments {
    const char *catalogue;
    const char *database; /* NULL: the catalogue's */
    const char *tenant;
    const char *down;  /* comma-separated regions */
    const char *drain; /* the same */
    struct geo_known known[KNOWN_MAX];
    size_t known_count;
    struct address address; /* of the commands that take one */
    const char *out, *zone, *listen, *nameserver, *run_dir, *state_dir; /* of render */
};

struct context {
    const struct arguments *arguments;
    struct catalogue *catalogue;
    struct geo_database *database; /* NULL: there is none */
    struct geo_region_state states[CATALOGUE_REGIONS_MAX];
};

static const char usage[] =
    "meridian-geo: where clients are and which region they should use.\n"
    "\n"
    "  meridian-geo check         is the GeoIP database fit for steering?\n"
    "  meridian-geo locate IP     where an address is\n"
    "  meridian-geo rank IP       the regions for it, best first, as JSON\n"
    "  meridian-geo explain IP    the same for people, with the rule that decided\n"
    "  meridian-geo render gdnsd  the configuration of a name server into the folder --out\n"
    "\n"
    "  --catalogue FILE     the catalogue of regions (config/regions.yaml)\n"
    "  --database FILE      a MaxMind DB file (as the catalogue says: geo_database)\n"
    "  --known IP=CC        check: an address whose country is certain; may be given often\n"
    "  --tenant NAME        rank, explain: the user's tenant, for its pins\n"
    "  --down REGION,...    rank, explain: as if these were down\n"
    "  --drain REGION,...   rank, explain: as if these drained\n"
    "  --zone NAME          render: the name that clients ask for\n"
    "  --out FOLDER         render: gdnsd's configuration, /etc/gdnsd\n"
    "  --listen IP:PORT     render: where gdnsd answers\n"
    "  --nameserver NAME    render: its own name within the zone (ns1)\n"
    "  --run-dir FOLDER, --state-dir FOLDER   render: gdnsd's (/run/gdnsd, /var/lib/gdnsd)\n"
    "  --help, --version\n";

static int fail(const struct error_text *why)
{
    fprintf(stderr, "meridian-geo: %s\n", why->text);
    return EXIT_FAILED;
}

static void print(struct buffer *out)
{
    if (!out->failed)
        fwrite(out->data, 1, out->size, stdout);
    buffer_free(out);
}

/* --- commands --- */

static int run_check(struct context *context)
{
    struct buffer out = {0};
    if (context->database == NULL) {
        fprintf(stderr, "meridian-geo: no database is named, by --database or the catalogue\n");
        return EXIT_FAILED;
    }
    bool good =
        geo_check_database(context->database, clock_wall_ms() / 1000, context->arguments->known,
                           context->arguments->known_count, &out);
    print(&out);
    return good ? EXIT_OK : EXIT_FAILED;
}

/* The place as far as it is known; a damaged file is said and counts as not knowing. */
static struct geo_place locate(const struct context *context)
{
    struct geo_place place = {.prefix = 0};
    if (context->database == NULL)
        return place;
    int err = geo_database_find(context->database, &context->arguments->address, &place);
    if (err == -EILSEQ)
        fprintf(stderr, "meridian-geo: the database is damaged at this address\n");
    return place;
}

static int run_locate(struct context *context)
{
    struct buffer out = {0};
    struct geo_place place = locate(context);
    bool known = place.country[0] != '\0' || place.continent[0] != '\0' || place.has_coordinates;
    geo_report_place(&context->arguments->address, &place, &out);
    buffer_append_text(&out, TEXT("\n"));
    print(&out);
    return known ? EXIT_OK : EXIT_FAILED;
}

static struct geo_client client_of(const struct context *context)
{
    return (struct geo_client){
        .address = context->arguments->address,
        .tenant = text_of(context->arguments->tenant == NULL ? "" : context->arguments->tenant),
        .place = locate(context),
    };
}

static int run_rank(struct context *context)
{
    struct buffer out = {0};
    struct geo_client client = client_of(context);
    struct geo_ranking ranking;
    geo_rank(context->catalogue, context->states, &client, &ranking);
    geo_report_ranking(context->catalogue, &ranking, &out);
    buffer_append_text(&out, TEXT("\n"));
    print(&out);
    return EXIT_OK;
}

static int run_explain(struct context *context)
{
    struct buffer out = {0};
    struct geo_client client = client_of(context);
    struct geo_ranking ranking;
    geo_rank(context->catalogue, context->states, &client, &ranking);
    geo_report_explanation(context->catalogue, &client, &ranking, &out);
    print(&out);
    return EXIT_OK;
}

static int run_render(struct context *context)
{
    const struct arguments *arguments = context->arguments;
    struct error_text why = {0};
    if (arguments->zone == NULL || arguments->out == NULL || arguments->listen == NULL) {
        fprintf(stderr, "meridian-geo: render needs --zone, --out and --listen\n");
        return EXIT_USAGE;
    }
    int err =
        geo_render_gdnsd(&(struct geo_gdnsd_settings){.catalogue = context->catalogue,
                                                      .database = context->database,
                                                      .zone = text_of(arguments->zone),
                                                      .nameserver = text_of(arguments->nameserver),
                                                      .listen = text_of(arguments->listen),
                                                      .run_dir = text_of(arguments->run_dir),
                                                      .state_dir = text_of(arguments->state_dir)},
                         arguments->out, &why);
    return err == 0 ? EXIT_OK : fail(&why);
}

static const struct command {
    const char *name;
    const char *kind; /* of what it takes as an operand; NULL: an address, or nothing */
    bool takes_address;
    int (*run)(struct context *context);
} commands[] = {
    {"check", NULL, false, run_check},      {"locate", NULL, true, run_locate},
    {"rank", NULL, true, run_rank},         {"explain", NULL, true, run_explain},
    {"render", "gdnsd", false, run_render},
};

/* --- arguments --- */

enum {
    OPTION_CATALOGUE = 1,
    OPTION_DATABASE,
    OPTION_KNOWN,
    OPTION_TENANT,
    OPTION_DOWN,
    OPTION_DRAIN,
    OPTION_ZONE,
    OPTION_OUT,
    OPTION_LISTEN,
    OPTION_NAMESERVER,
    OPTION_RUN_DIR,
    OPTION_STATE_DIR,
    OPTION_HELP,
    OPTION_VERSION,
};

static const struct option options[] = {
    {"catalogue", required_argument, NULL, OPTION_CATALOGUE},
    {"database", required_argument, NULL, OPTION_DATABASE},
    {"known", required_argument, NULL, OPTION_KNOWN},
    {"tenant", required_argument, NULL, OPTION_TENANT},
    {"down", required_argument, NULL, OPTION_DOWN},
    {"drain", required_argument, NULL, OPTION_DRAIN},
    {"zone", required_argument, NULL, OPTION_ZONE},
    {"out", required_argument, NULL, OPTION_OUT},
    {"listen", required_argument, NULL, OPTION_LISTEN},
    {"nameserver", required_argument, NULL, OPTION_NAMESERVER},
    {"run-dir", required_argument, NULL, OPTION_RUN_DIR},
    {"state-dir", required_argument, NULL, OPTION_STATE_DIR},
    {"help", no_argument, NULL, OPTION_HELP},
    {"version", no_argument, NULL, OPTION_VERSION},
    {NULL, 0, NULL, 0},
};

static int add_known(struct arguments *arguments, const char *value, struct error_text *reterr_why)
{
    struct geo_known *known = &arguments->known[arguments->known_count];
    const char *equals = strchr(value, '=');
    if (arguments->known_count == KNOWN_MAX)
        return error_text_set(reterr_why, -EINVAL, "more than %d --known", KNOWN_MAX);
    if (equals == NULL || strlen(equals + 1) != 2 ||
        address_parse((struct text){value, (size_t)(equals - value)}, &known->address) != 0)
        return error_text_set(reterr_why, -EINVAL, "--known is %s, must be IP=CC", value);
    memcpy(known->country, equals + 1, sizeof known->country);
    arguments->known_count++;
    return 0;
}

/* 0; -ECANCELED: something was asked for and printed; -EINVAL. */
static int take_option(struct arguments *arguments, int option, const char *value,
                       struct error_text *reterr_why)
{
    const char **const texts[] = {
        [OPTION_CATALOGUE] = &arguments->catalogue,
        [OPTION_DATABASE] = &arguments->database,
        [OPTION_TENANT] = &arguments->tenant,
        [OPTION_DOWN] = &arguments->down,
        [OPTION_DRAIN] = &arguments->drain,
        [OPTION_ZONE] = &arguments->zone,
        [OPTION_OUT] = &arguments->out,
        [OPTION_LISTEN] = &arguments->listen,
        [OPTION_NAMESERVER] = &arguments->nameserver,
        [OPTION_RUN_DIR] = &arguments->run_dir,
        [OPTION_STATE_DIR] = &arguments->state_dir,
    };
    if (option > 0 && (size_t)option < COUNT_OF(texts) && texts[option] != NULL) {
        *texts[option] = value;
        return 0;
    }
    switch (option) {
    case OPTION_KNOWN:
        return add_known(arguments, value, reterr_why);
    case OPTION_HELP:
    case OPTION_VERSION:
        fputs(option == OPTION_HELP ? usage : "meridian-geo " MERIDIAN_VERSION "\n", stdout);
        return -ECANCELED;
    default:
        return error_text_set(reterr_why, -EINVAL, "an unknown option; try --help");
    }
}

static int read_arguments(int argc, char **argv, struct arguments *ret_arguments,
                          const struct command **ret_command, struct error_text *reterr_why)
{
    struct arguments arguments = {.catalogue = "config/regions.yaml",
                                  .nameserver = "ns1",
                                  .run_dir = "/run/gdnsd",
                                  .state_dir = "/var/lib/gdnsd"};
    int option;
    int err = 0;
    optind = 1;
    opterr = 0;
    while (err == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1)
        err = take_option(&arguments, option, optarg, reterr_why);
    if (err != 0)
        return err;
    const struct command *command = NULL;
    for (size_t i = 0; optind < argc && i < COUNT_OF(commands); i++)
        if (strcmp(argv[optind], commands[i].name) == 0)
            command = &commands[i];
    if (command == NULL)
        return error_text_set(reterr_why, -EINVAL, "no such command; try --help");
    if (command->kind != NULL) {
        if (argc - optind != 2 || strcmp(argv[optind + 1], command->kind) != 0)
            return error_text_set(reterr_why, -EINVAL, "%s takes '%s'", command->name,
                                  command->kind);
    } else if (argc - optind != (command->takes_address ? 2 : 1))
        return error_text_set(reterr_why, -EINVAL, "%s takes %s", command->name,
                              command->takes_address ? "one address" : "no operand");
    if (command->takes_address && address_parse(text_of(argv[optind + 1]), &arguments.address) != 0)
        return error_text_set(reterr_why, -EINVAL, "'%s' is no IP address", argv[optind + 1]);
    *ret_arguments = arguments;
    *ret_command = command;
    return 0;
}

/* --- the context --- */

static int mark(struct context *context, const char *names, bool down,
                struct error_text *reterr_why)
{
    struct text left = text_of(names == NULL ? "" : names);
    struct text name;
    size_t region;
    while (catalogue_pin_next(&left, &name)) {
        if (catalogue_region_index(context->catalogue, name, &region) != 0)
            return error_text_set(reterr_why, -EINVAL, "there is no region '%.*s'",
                                  TEXT_ARGS(name));
        if (down)
            context->states[region].health = GEO_HEALTH_DOWN;
        else
            context->states[region].drain = true;
    }
    return 0;
}

static int open_context(struct context *context, struct error_text *reterr_why)
{
    const struct arguments *arguments = context->arguments;
    context->catalogue = catalogue_load_file(arguments->catalogue, reterr_why);
    if (context->catalogue == NULL)
        return -EINVAL;
    const char *path = arguments->database;
    if (path == NULL)
        path = context->catalogue->geo_database;
    if (path[0] != '\0') {
        context->database = geo_database_open(path, reterr_why);
        if (context->database == NULL)
            return -EINVAL;
    }
    int err = mark(context, arguments->down, true, reterr_why);
    return err == 0 ? mark(context, arguments->drain, false, reterr_why) : err;
}

int geo_command_run(int argc, char **argv)
{
    struct arguments arguments;
    const struct command *command = NULL;
    struct error_text why = {0};
    int err = read_arguments(argc, argv, &arguments, &command, &why);
    if (err == -ECANCELED)
        return EXIT_OK;
    if (err != 0) {
        (void)fail(&why);
        return EXIT_USAGE;
    }
    struct context context = {.arguments = &arguments};
    int code = open_context(&context, &why) == 0 ? command->run(&context) : fail(&why);
    geo_database_close(context.database);
    catalogue_free(context.catalogue);
    return code;
}
