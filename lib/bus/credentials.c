#include "bus/credentials.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct bus_credentials bus_credentials_of(const char *folder)
{
    struct bus_credentials files;
    (void)!snprintf(files.authority, sizeof files.authority, "%s/ca.pem", folder);
    (void)!snprintf(files.certificate, sizeof files.certificate, "%s/certificate.pem", folder);
    (void)!snprintf(files.key, sizeof files.key, "%s/key.pem", folder);
    return files;
}

int bus_credentials_check(const char *folder, struct error_text *reterr_why)
{
    const struct bus_credentials files = bus_credentials_of(folder);
    const char *const paths[] = {files.authority, files.certificate, files.key};
    struct stat key;

    if (strlen(folder) + sizeof "/certificate.pem" > sizeof files.certificate)
        return error_text_set(reterr_why, -ENAMETOOLONG, "the path '%s' is too long", folder);
    for (size_t i = 0; i < COUNT_OF(paths); i++)
        if (access(paths[i], R_OK) != 0)
            return error_text_set(reterr_why, -errno, "cannot read %s: %s", paths[i],
                                  strerrordesc_np(errno));
    if (stat(files.key, &key) != 0)
        return error_text_set(reterr_why, -errno, "cannot read %s: %s", files.key,
                              strerrordesc_np(errno));
    if ((key.st_mode & S_IRWXO) != 0)
        return error_text_set(reterr_why, -EPERM, "%s can be read by everybody: chmod 0600",
                              files.key);
    return 0;
}
