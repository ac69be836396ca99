/* meridian-edge: the process users connect to. */
#include "edge/edge.h"
#include "edge/edge_auth.h"
#include "edge/edge_near.h"
#include "edge/edge_parent.h"
#include "edge/edge_tls.h"
#include "log/log.h"

#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

enum { SETS_MAX = 64 };

static const char help[] =
    "Usage: meridian-edge --catalogue FILE --region NAME --name NAME [OPTION]...\n"
    "The edge of a Meridian region: WebSockets and HTTP calls of clients.\n\n"
    "  --config FILE       settings; without it the defaults hold\n"
    "  --catalogue FILE    the regions, the same file for every process\n"
    "  --region NAME       the region this edge is in\n"
    "  --name NAME         this edge's name in the catalogue\n"
    "  --set KEY=VALUE     overrides one setting; may be repeated\n"
    "  --check-config      says whether the settings are good, and ends\n"
    "  --print-config      prints the settings as they are understood, and ends\n"
    "  --version, --help\n";

struct arguments {
    const char *config, *catalogue, *region, *name;
    const char *sets[SETS_MAX];
    size_t set_count;
    bool check, print;
};

static const struct option options[] = {
    {"config", required_argument, NULL, 'c'}, {"catalogue", required_argument, NULL, 'r'},
    {"region", required_argument, NULL, 'g'}, {"name", required_argument, NULL, 'n'},
    {"set", required_argument, NULL, 's'},    {"check-config", no_argument, NULL, 'k'},
    {"print-config", no_argument, NULL, 'p'}, {"version", no_argument, NULL, 'v'},
    {"help", no_argument, NULL, 'h'},         {NULL, 0, NULL, 0},
};

/* 0 to go on, 1 to end well, negative to end badly. */
static int parse_arguments(int argc, char **argv, struct arguments *ret)
{
    for (int option; (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            ret->config = optarg;
            break;
        case 'r':
            ret->catalogue = optarg;
            break;
        case 'g':
            ret->region = optarg;
            break;
        case 'n':
            ret->name = optarg;
            break;
        case 's':
            if (ret->set_count == SETS_MAX)
                return -EINVAL;
            ret->sets[ret->set_count++] = optarg;
            break;
        case 'k':
            ret->check = true;
            break;
        case 'p':
            ret->print = true;
            break;
        case 'v':
            puts("meridian-edge " MERIDIAN_VERSION);
            return 1;
        case 'h':
            fputs(help, stdout);
            return 1;
        default:
            return -EINVAL;
        }
    }
    return optind == argc ? 0 : -EINVAL;
}

static int load_settings(const struct arguments *arguments, struct edge_settings *settings,
                         struct error_text *reterr_why)
{
    int err = 0;
    settings_defaults(edge_settings_table, settings);
    if (arguments->config != NULL)
        err = settings_load_file(edge_settings_table, settings, arguments->config, reterr_why);
    if (err == 0 && arguments->region != NULL &&
        text_put(settings->region, sizeof settings->region, text_of(arguments->region)) != 0)
        err = error_text_set(reterr_why, -EINVAL, "--region is too long");
    if (err == 0 && arguments->name != NULL &&
        text_put(settings->name, sizeof settings->name, text_of(arguments->name)) != 0)
        err = error_text_set(reterr_why, -EINVAL, "--name is too long");
    for (size_t i = 0; err == 0 && i < arguments->set_count; i++)
        err = settings_set(edge_settings_table, settings, arguments->sets[i], reterr_why);
    return err == 0 ? settings_check(edge_settings_table, settings, reterr_why) : err;
}

static int print_settings(const struct edge_settings *settings)
{
    struct buffer out = {0};
    settings_print(edge_settings_table, settings, &out);
    fwrite(out.data, 1, out.size, stdout);
    buffer_free(&out);
    return EXIT_SUCCESS;
}

static int serve(const struct edge_settings *settings, const struct catalogue *catalogue,
                 struct error_text *reterr_why)
{
    uint32_t processes = edge_settings_processes(settings, catalogue);
    if (processes > 0)
        return edge_parent_run(settings, catalogue, processes, reterr_why) == 0 ? EXIT_SUCCESS
                                                                                : EXIT_FAILURE;
    struct edge *edge = edge_new(settings, catalogue, NULL, reterr_why);
    if (edge == NULL)
        return EXIT_FAILURE;
    edge_run(edge);
    edge_free(edge);
    return EXIT_SUCCESS;
}

/* What the settings name is part of them. */
static int check_files(const struct edge_settings *settings, struct error_text *reterr_why)
{
    struct edge_tls *tls = NULL;
    struct edge_auth *auth = edge_auth_new(&settings->auth, reterr_why);
    if (auth != NULL && settings->tls.certificate[0] != '\0')
        tls = edge_tls_new(&settings->tls, 0, reterr_why);
    bool good = auth != NULL && (tls != NULL || settings->tls.certificate[0] == '\0') &&
                edge_near_check(settings, reterr_why) == 0;
    edge_auth_free(auth);
    edge_tls_free(tls);
    return good ? EXIT_SUCCESS : EXIT_FAILURE;
}

static int run(const struct arguments *arguments, struct edge_settings *settings,
               struct error_text *reterr_why)
{
    if (load_settings(arguments, settings, reterr_why) != 0)
        return EXIT_FAILURE;
    if (arguments->print)
        return print_settings(settings);
    if (arguments->catalogue == NULL && arguments->check)
        return EXIT_SUCCESS;
    if (arguments->catalogue == NULL) {
        error_text_set(reterr_why, -EINVAL, "--catalogue is missing; see --help");
        return EXIT_FAILURE;
    }
    struct catalogue *catalogue = catalogue_load_file(arguments->catalogue, reterr_why);
    if (catalogue == NULL)
        return EXIT_FAILURE;
    log_set_name(settings->name);
    log_set_level((enum log_level)settings->log_level);
    int code = edge_settings_fit(settings, catalogue, reterr_why) != 0 ? EXIT_FAILURE
               : arguments->check ? check_files(settings, reterr_why)
                                  : serve(settings, catalogue, reterr_why);
    catalogue_free(catalogue);
    return code;
}

int main(int argc, char **argv)
{
    struct arguments arguments = {0};
    struct edge_settings settings;
    struct error_text why = {0};
    int parsed = parse_arguments(argc, argv, &arguments);
    if (parsed != 0) {
        if (parsed < 0)
            fputs("See meridian-edge --help.\n", stderr);
        return parsed < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
    }
    signal(SIGPIPE, SIG_IGN);
    int code = run(&arguments, &settings, &why);
    settings_free(edge_settings_table, &settings);
    if (code != EXIT_SUCCESS)
        fprintf(stderr, "meridian-edge: %s\n", why.text[0] == '\0' ? "memory is short" : why.text);
    return code;
}
