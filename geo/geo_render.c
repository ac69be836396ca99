#include "geo/geo_render.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { PATH_SIZE = 4096 };

static int make_folder(const char *path, struct error_text *reterr_why)
{
    return mkdir(path, 0755) == 0 || errno == EEXIST
               ? 0
               : error_text_set(reterr_why, -errno, "%s: %s", path, strerror(errno));
}

int geo_render_put_file(const char *folder, const char *name, const struct buffer *bytes,
                        struct error_text *reterr_why)
{
    char path[PATH_SIZE], fresh[PATH_SIZE];
    int size = snprintf(path, sizeof path, "%s/%s", folder, name);
    int fresh_size = snprintf(fresh, sizeof fresh, "%s/%s.new", folder, name);
    if (size < 0 || fresh_size < 0 || (size_t)fresh_size >= sizeof fresh)
        return error_text_set(reterr_why, -ENAMETOOLONG, "%s: the name is too long", folder);
    FILE *file = fopen(fresh, "we");
    bool good = file != NULL && fwrite(bytes->data, 1, bytes->size, file) == bytes->size;
    int err = good ? 0 : errno;
    if (file != NULL && fclose(file) != 0 && err == 0)
        err = errno;
    if (err == 0 && rename(fresh, path) != 0)
        err = errno;
    if (err == 0)
        return 0;
    (void)unlink(fresh);
    return error_text_set(reterr_why, -err, "%s: %s", path, strerror(err));
}

static int put_all(const struct geo_gdnsd_settings *settings, const char *folder,
                   const struct geo_gdnsd_files *files, struct error_text *reterr_why)
{
    char zone[PATH_SIZE], sub[PATH_SIZE];
    (void)snprintf(zone, sizeof zone, "zones/%.*s", TEXT_ARGS(settings->zone));
    int err = make_folder(folder, reterr_why);
    for (size_t i = 0; err == 0 && i < 2; i++) {
        (void)snprintf(sub, sizeof sub, "%s/%s", folder, i == 0 ? "geoip" : "zones");
        err = make_folder(sub, reterr_why);
    }
    if (err == 0)
        err = geo_render_put_file(folder, zone, &files->zone, reterr_why);
    if (err == 0)
        err = geo_render_put_file(folder, "config", &files->config, reterr_why);
    if (err == 0)
        err = geo_render_put_file(folder, "geoip/meridian.nets", &files->networks, reterr_why);
    return err;
}

int geo_render_gdnsd(const struct geo_gdnsd_settings *settings, const char *folder,
                     struct error_text *reterr_why)
{
    struct geo_gdnsd_files files = {0};
    int err = geo_gdnsd_render(settings, &files, reterr_why);
    if (err == 0)
        err = put_all(settings, folder, &files, reterr_why);
    buffer_free(&files.config);
    buffer_free(&files.networks);
    buffer_free(&files.zone);
    return err;
}
