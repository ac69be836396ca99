#include "geo/geo_command.h"

#include "base/clock.h"
#include "geo/geo_arguments.h"
#include "geo/geo_check.h"
#include "geo/geo_follow.h"
#include "geo/geo_render.h"
#include "geo/geo_report.h"
#include "geo/geo_route53.h"
#include "geo/geo_status.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { EXIT_OK = 0, EXIT_FAILED = 1, EXIT_USAGE = 2 };

struct context {
    const struct geo_arguments *arguments;
    struct catalogue *catalogue;
    struct geo_database *database; /* NULL: there is none */
    struct geo_region_state states[CATALOGUE_REGIONS_MAX];
};

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
    const struct geo_arguments *arguments = context->arguments;
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

static int run_route53(struct context *context)
{
    const struct geo_arguments *arguments = context->arguments;
    struct error_text why = {0};
    struct buffer out = {0};
    size_t left_out = 0;
    if (arguments->zone == NULL || arguments->out == NULL) {
        fprintf(stderr, "meridian-geo: render route53 needs --zone and --out\n");
        return EXIT_USAGE;
    }
    int err =
        geo_route53_render(context->catalogue, text_of(arguments->zone), &out, &left_out, &why);
    if (err == 0)
        err = geo_render_put_file(arguments->out, "meridian.auto.tfvars.json", &out, &why);
    buffer_free(&out);
    if (err == 0 && left_out > 0)
        fprintf(stderr, "meridian-geo: %zu pins of networks or tenants are left out\n", left_out);
    return err == 0 ? EXIT_OK : fail(&why);
}

static int run_follow(struct context *context)
{
    struct error_text why = {0};
    int err = geo_follow_run(context->catalogue, context->arguments->state_dir, &why);
    return err == 0 ? EXIT_OK : fail(&why);
}

static int run_status(struct context *context)
{
    struct error_text why = {0};
    struct buffer out = {0};
    int err = geo_status_run(context->catalogue, &out, &why);
    print(&out);
    return err == 0 ? EXIT_OK : fail(&why);
}

static const struct command {
    const char *name;
    const char *kind; /* of what it takes as an operand; NULL: an address, or nothing */
    bool takes_address;
    bool locates; /* by the database, where there is one */
    int (*run)(struct context *context);
} commands[] = {
    {"check", NULL, false, true, run_check},      {"locate", NULL, true, true, run_locate},
    {"rank", NULL, true, true, run_rank},         {"explain", NULL, true, true, run_explain},
    {"render", "gdnsd", false, true, run_render}, {"render", "route53", false, false, run_route53},
    {"follow", NULL, false, false, run_follow},   {"status", NULL, false, false, run_status},
};

/* --- which command --- */

static int find_command(struct geo_arguments *arguments, int count, char **operands,
                        const struct command **ret_command, struct error_text *reterr_why)
{
    const struct command *command = NULL;
    for (size_t i = 0; count > 0 && i < COUNT_OF(commands); i++)
        if (strcmp(operands[0], commands[i].name) == 0 &&
            (command == NULL || (count == 2 && commands[i].kind != NULL &&
                                 strcmp(operands[1], commands[i].kind) == 0)))
            command = &commands[i];
    if (command == NULL)
        return error_text_set(reterr_why, -EINVAL, "no such command; try --help");
    if (command->kind != NULL) {
        if (count != 2 || strcmp(operands[1], command->kind) != 0)
            return error_text_set(reterr_why, -EINVAL, "%s takes '%s'", command->name,
                                  command->kind);
    } else if (count != (command->takes_address ? 2 : 1))
        return error_text_set(reterr_why, -EINVAL, "%s takes %s", command->name,
                              command->takes_address ? "one address" : "no operand");
    if (command->takes_address && address_parse(text_of(operands[1]), &arguments->address) != 0)
        return error_text_set(reterr_why, -EINVAL, "'%s' is no IP address", operands[1]);
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

static int open_context(struct context *context, bool locates, struct error_text *reterr_why)
{
    const struct geo_arguments *arguments = context->arguments;
    context->catalogue = catalogue_load_file(arguments->catalogue, reterr_why);
    if (context->catalogue == NULL)
        return -EINVAL;
    const char *path = arguments->database;
    if (path == NULL)
        path = context->catalogue->geo_database;
    if (locates && path[0] != '\0') {
        context->database = geo_database_open(path, reterr_why);
        if (context->database == NULL)
            return -EINVAL;
    }
    int err = mark(context, arguments->down, true, reterr_why);
    return err == 0 ? mark(context, arguments->drain, false, reterr_why) : err;
}

int geo_command_run(int argc, char **argv)
{
    struct geo_arguments arguments;
    const struct command *command = NULL;
    struct error_text why = {0};
    int first;
    int err = geo_arguments_read(argc, argv, &arguments, &first, &why);
    if (err == 0)
        err = find_command(&arguments, argc - first, argv + first, &command, &why);
    if (err == -ECANCELED)
        return EXIT_OK;
    if (err != 0) {
        (void)fail(&why);
        return EXIT_USAGE;
    }
    struct context context = {.arguments = &arguments};
    int code =
        open_context(&context, command->locates, &why) == 0 ? command->run(&context) : fail(&why);
    geo_database_close(context.database);
    catalogue_free(context.catalogue);
    return code;
}
