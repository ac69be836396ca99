#include "cli/dev_prepare.h"

#include "cli/nats_config.h"
#include "cli/port.h"
#include "cli/streams.h"
#include "cli/version.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int check_node_ports(const struct catalogue *catalogue,
                            const struct catalogue_region *region,
                            const struct catalogue_node *node, struct error_text *reterr_why)
{
    const char *const addresses[] = {node->client, node->monitor,
                                     cli_nats_has_cluster(catalogue, region) ? node->cluster : "",
                                     catalogue->region_count > 1 ? node->gateway : ""};
    int err = 0;

    for (size_t i = 0; i < COUNT_OF(addresses) && err == 0; i++)
        err = addresses[i][0] == '\0' ? 0 : cli_port_check(addresses[i], reterr_why);
    return err;
}

/* Every address that will be listened at. */
static int check_ports(const struct catalogue *catalogue, struct error_text *reterr_why)
{
    int err = 0;

    for (size_t r = 0; r < catalogue->region_count; r++) {
        const struct catalogue_region *region = &catalogue->regions[r];
        for (size_t i = 0; i < region->node_count && err == 0; i++)
            err = check_node_ports(catalogue, region, &region->nodes[i], reterr_why);
        for (size_t i = 0; i < region->hub_count && err == 0; i++)
            err = cli_port_check(region->hubs[i].health, reterr_why);
        for (size_t i = 0; i < region->edge_count && err == 0; i++)
            err = cli_port_check(region->edges[i].listen, reterr_why);
    }
    return err;
}

static int check_monitors(const struct catalogue *catalogue, struct error_text *reterr_why)
{
    for (size_t r = 0; r < catalogue->region_count; r++) {
        const struct catalogue_region *region = &catalogue->regions[r];
        for (size_t i = 0; i < region->node_count; i++) {
            if (region->nodes[i].monitor[0] == '\0')
                return error_text_set(reterr_why, -EINVAL,
                                      "node %s has no 'monitor' address in the catalogue, which "
                                      "tells when it is ready",
                                      region->nodes[i].name);
        }
    }
    return 0;
}

static int check_nats_version(const char *program, struct error_text *reterr_why)
{
    char command[PATH_MAX + 32], line[128] = "";
    snprintf(command, sizeof command, "'%s' --version 2>&1", program);
    FILE *answer = strchr(program, '\'') == NULL ? popen(command, "re") : NULL;

    if (answer == NULL)
        return error_text_set(reterr_why, -ENOENT, "cannot run %s", program);
    const char *got = fgets(line, sizeof line, answer);
    pclose(answer);
    line[strcspn(line, "\n")] = '\0';
    static const char prefix[] = "nats-server: "; /* v2.15.1 */
    bool named = got != NULL && strncmp(line, prefix, strlen(prefix)) == 0;
    const char *version = named ? line + strlen(prefix) : "";
    switch (cli_version_judge(version)) {
    case CLI_VERSION_GOOD:
        return 0;
    case CLI_VERSION_OLD:
        fprintf(stderr, "warning: %s is version %s, which has known ways to lose data\n", program,
                version);
        return 0;
    case CLI_VERSION_REFUSED:
    case CLI_VERSION_UNKNOWN:
        break;
    }
    return error_text_set(reterr_why, -ENOTSUP, "%s says '%s'; version %s or newer is needed",
                          program, line, CLI_VERSION_MINIMUM);
}

/* What the streams reserve must fit the disk. Streams that are there already have their room. */
static int check_disk(const struct cli_dev *dev, const struct cli_plan *plan,
                      struct error_text *reterr_why)
{
    struct cli_path store = cli_path_of(dev->folder.text, "nats");
    struct statvfs disk;
    uint64_t needed = 0;

    if (access(store.text, F_OK) == 0 || statvfs(dev->folder.text, &disk) < 0)
        return 0;
    for (size_t i = 0; i < dev->catalogue->region_count; i++)
        needed += cli_plan_bytes(plan, &dev->catalogue->regions[i]);
    uint64_t room = (uint64_t)disk.f_bavail * disk.f_frsize;
    if (needed <= room)
        return 0;
    return error_text_set(reterr_why, -ENOSPC,
                          "the streams reserve %" PRIu64 " MiB and %s has %" PRIu64
                          " MiB free: make log_max_bytes and outbox_max_bytes of the catalogue "
                          "smaller, or name another folder by --data",
                          needed >> 20, dev->folder.text, room >> 20);
}

static int write_nats_config(const struct cli_dev *dev, const struct cli_plan *plan,
                             const struct catalogue_region *region,
                             const struct catalogue_node *node)
{
    struct cli_path config = cli_path_of(dev->folder.text, "nats/%s.conf", node->name);
    struct cli_path store = cli_path_of(dev->folder.text, "nats/%s", node->name);
    struct buffer text = {0};
    /* JetStream counts a little more than what is reserved; a node may get all of its region. */
    const struct cli_nats_place place = {
        .title = "Written by `meridian dev up`, anew each time.",
        .store_dir = store.text,
        .max_bytes = cli_plan_bytes(plan, region) / 4 * 5,
    };

    cli_nats_config(dev->catalogue, region, node, &place, &text);
    int err = text.failed ? -ENOMEM : cli_write_file(config.text, buffer_text(&text));
    buffer_free(&text);
    return err;
}

static int make_folders(const struct cli_dev *dev)
{
    int err = cli_make_folders(cli_path_of(dev->folder.text, "nats").text);
    if (err == 0)
        err = cli_make_folders(cli_path_of(dev->folder.text, "log").text);
    for (size_t r = 0; r < dev->catalogue->region_count; r++) {
        const struct catalogue_region *region = &dev->catalogue->regions[r];
        for (size_t i = 0; i < region->hub_count && err == 0; i++)
            err = cli_make_folders(
                cli_path_of(dev->folder.text, "hub/%s", region->hubs[i].name).text);
    }
    return err;
}

static int copy_catalogue(const struct cli_dev *dev, const char *from)
{
    struct cli_path to = cli_path_of(dev->folder.text, "catalogue.yaml");
    struct buffer content = {0};
    int err = cli_read_file(from, &content);

    if (err == 0)
        err = cli_write_file(to.text, buffer_text(&content));
    buffer_free(&content);
    return err;
}

static int write_files(const struct cli_dev *dev, const struct cli_plan *plan,
                       const char *catalogue_path)
{
    int err = make_folders(dev);

    for (size_t r = 0; r < dev->catalogue->region_count; r++) {
        const struct catalogue_region *region = &dev->catalogue->regions[r];
        for (size_t i = 0; i < region->node_count && err == 0; i++)
            err = write_nats_config(dev, plan, region, &region->nodes[i]);
    }
    return err < 0 ? err : copy_catalogue(dev, catalogue_path);
}

static int fill_folder(const struct cli_dev *dev, const char *catalogue_path,
                       struct error_text *reterr_why)
{
    struct cli_plan plan;
    int err = cli_plan_init(&plan, dev->catalogue);

    if (err < 0)
        return error_text_set(reterr_why, err, "out of memory");
    err = cli_make_folders(dev->folder.text);
    int fits = err < 0 ? 0 : check_disk(dev, &plan, reterr_why);
    if (err == 0 && fits == 0)
        err = write_files(dev, &plan, catalogue_path);
    cli_plan_done(&plan);
    if (err < 0)
        error_text_set(reterr_why, err, "cannot write to %s: %s", dev->folder.text, strerror(-err));
    return fits < 0 ? fits : err;
}

int cli_dev_prepare(struct cli_dev *dev, const char *catalogue_path, const char *folder,
                    struct error_text *reterr_why)
{
    pid_t holder = 0;
    int err = 0;

    dev->catalogue = catalogue_load_file(catalogue_path, reterr_why);
    if (dev->catalogue == NULL)
        return -EINVAL;
    err = cli_dev_folder(folder, &dev->folder, reterr_why);
    if (err == 0 && (holder = cli_dev_lock_holder(dev->folder.text)) != 0)
        err = error_text_set(reterr_why, -EBUSY, "it is up already (process %ld, data in %s)",
                             (long)holder, dev->folder.text);
    if (err == 0)
        err = cli_programs_find(&dev->programs, reterr_why);
    if (err == 0)
        err = check_nats_version(dev->programs.nats.text, reterr_why);
    if (err == 0)
        err = check_monitors(dev->catalogue, reterr_why);
    if (err == 0)
        err = check_ports(dev->catalogue, reterr_why);
    if (err == 0)
        err = fill_folder(dev, catalogue_path, reterr_why);
    return err;
}

void cli_dev_done(struct cli_dev *dev)
{
    catalogue_free(dev->catalogue);
}
