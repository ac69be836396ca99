/* meridian-wan: joins network namespaces by lines with delay, loss and cuts. See docs/chaos.md. */
#include "wan/knobs.h"
#include "wan/wan.h"

#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

enum { HELD_DEFAULT = 64 << 20, HELD_MIN = 1 << 16, HELD_MAX = 1 << 30 };

static const char help[] =
    "Usage: meridian-wan --control PATH --site NAME=NETWORK@NAMESPACE... [OPTION]...\n"
    "Forwards IPv4 packets between network namespaces, as a wide area network would.\n\n"
    "  --control PATH     the Unix socket that takes commands; docs/chaos.md lists them\n"
    "  --site SPEC        as in sin=10.77.1.0/24@/run/netns/sin, whose device is wan0; repeated\n"
    "  --seed N           of all random numbers (1)\n"
    "  --held-max BYTES   in flight on one line; what is more is dropped (64MiB)\n"
    "  --help\n\n"
    "What can be set of a line, while it runs:\n";

static const struct option options[] = {
    {"control", required_argument, NULL, 'c'}, {"site", required_argument, NULL, 's'},
    {"seed", required_argument, NULL, 'r'},    {"held-max", required_argument, NULL, 'm'},
    {"help", no_argument, NULL, 'h'},          {NULL, 0, NULL, 0},
};

static void print_help(void)
{
    struct buffer rows = {0};
    wan_knobs_help(&rows);
    fputs(help, stdout);
    fwrite(rows.data, 1, rows.size, stdout);
    buffer_free(&rows);
}

static int read_option(int option, struct wan_settings *settings, struct error_text *reterr_why)
{
    int err = -EINVAL;
    switch (option) {
    case 'c':
        settings->control_path = optarg;
        return 0;
    case 's':
        return wan_sites_add(&settings->sites, text_of(optarg), reterr_why);
    case 'r':
        err = text_to_u64(text_of(optarg), UINT64_MAX, &settings->seed);
        return err == 0 ? 0 : error_text_set(reterr_why, err, "--seed must be a number");
    case 'm':
        err = wan_unit_parse(WAN_BYTES, text_of(optarg), &settings->held_max_bytes);
        if (err == 0 && settings->held_max_bytes >= HELD_MIN &&
            settings->held_max_bytes <= HELD_MAX)
            return 0;
        return error_text_set(reterr_why, -EINVAL, "--held-max must be 64KiB to 1GiB");
    default:
        return error_text_set(reterr_why, -EINVAL, "see --help");
    }
}

static int read_arguments(int argc, char **argv, struct wan_settings *settings,
                          struct error_text *reterr_why)
{
    int err = 0;
    for (int option; err == 0 && (option = getopt_long(argc, argv, "", options, NULL)) != -1;) {
        if (option == 'h') {
            print_help();
            exit(EXIT_SUCCESS);
        }
        err = read_option(option, settings, reterr_why);
    }
    if (err == 0 && (settings->control_path == NULL || settings->sites.count < 2 || optind != argc))
        err = error_text_set(reterr_why, -EINVAL, "--control and two sites must be given");
    return err;
}

int main(int argc, char **argv)
{
    struct wan_settings settings = {.seed = 1, .held_max_bytes = HELD_DEFAULT};
    struct error_text why = {0};
    struct wan *wan = NULL;
    if (read_arguments(argc, argv, &settings, &why) == 0)
        wan = wan_new(&settings, &why);
    if (wan == NULL) {
        fprintf(stderr, "meridian-wan: %s\n", why.text[0] == '\0' ? "memory is short" : why.text);
        return EXIT_FAILURE;
    }
    wan_run(wan);
    wan_free(wan);
    return EXIT_SUCCESS;
}
