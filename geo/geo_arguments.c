#include "geo/geo_arguments.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <string.h>

static const char usage[] =
    "meridian-geo: where clients are and which region they should use.\n"
    "\n"
    "  meridian-geo check         is the GeoIP database fit for steering?\n"
    "  meridian-geo locate IP     where an address is\n"
    "  meridian-geo rank IP       the regions for it, best first, as JSON\n"
    "  meridian-geo explain IP    the same for people, with the rule that decided\n"
    "  meridian-geo render gdnsd  the configuration of a name server into the folder --out\n"
    "  meridian-geo render route53   variables for Terraform into the folder --out\n"
    "  meridian-geo follow        keeps a name server's admin_state as the regions are\n"
    "  meridian-geo status        how every region and edge is\n"
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
    "  --run-dir FOLDER, --state-dir FOLDER   render, follow: gdnsd's (/run/gdnsd, "
    "/var/lib/gdnsd)\n"
    "  --help, --version\n";

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

static int add_known(struct geo_arguments *arguments, const char *value,
                     struct error_text *reterr_why)
{
    struct geo_known *known = &arguments->known[arguments->known_count];
    const char *equals = strchr(value, '=');
    if (arguments->known_count == GEO_KNOWN_MAX)
        return error_text_set(reterr_why, -EINVAL, "more than %d --known", GEO_KNOWN_MAX);
    if (equals == NULL || strlen(equals + 1) != 2 ||
        address_parse((struct text){value, (size_t)(equals - value)}, &known->address) != 0)
        return error_text_set(reterr_why, -EINVAL, "--known is %s, must be IP=CC", value);
    memcpy(known->country, equals + 1, sizeof known->country);
    arguments->known_count++;
    return 0;
}

/* 0; -ECANCELED: something was asked for and printed; -EINVAL. */
static int take_option(struct geo_arguments *arguments, int option, const char *value,
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

int geo_arguments_read(int argc, char **argv, struct geo_arguments *ret_arguments, int *ret_first,
                       struct error_text *reterr_why)
{
    struct geo_arguments arguments = {.catalogue = "config/regions.yaml",
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
    *ret_arguments = arguments;
    *ret_first = optind;
    return 0;
}
