/* Settings from files. */
#include "settings/value.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* One byte more than allowed is enough to know that it is too long. */
static int read_whole(int fd, struct buffer *content)
{
    while (content->size <= SETTINGS_FILE_MAX_BYTES) {
        uint8_t *room = buffer_reserve(content, 65536);
        if (room == NULL)
            return -ENOMEM;
        ssize_t size = read(fd, room, 65536);
        if (size < 0 && errno == EINTR)
            continue;
        if (size < 0)
            return -errno;
        if (size == 0)
            return 0;
        content->size += (size_t)size;
    }
    return 0;
}

static int load_file(const struct setting *table, void *into, const char *path, bool part,
                     struct error_text *reterr_why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return error_text_set(reterr_why, -errno, "%s: %s", path, strerrordesc_np(errno));
    struct buffer content = {0};
    int err = read_whole(fd, &content);
    close(fd);
    if (err < 0)
        error_text_set(reterr_why, err, "%s: %s", path, strerrordesc_np(-err));
    else
        err = setting_load(table, into, buffer_text(&content), path, part, reterr_why);
    buffer_free(&content);
    return err;
}

int settings_load_file(const struct setting *table, void *into, const char *path,
                       struct error_text *reterr_why)
{
    return load_file(table, into, path, false, reterr_why);
}

int settings_load_part(const struct setting *table, void *into, const char *path,
                       struct error_text *reterr_why)
{
    return load_file(table, into, path, true, reterr_why);
}
