#include "cli/dev_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct cli_path cli_path_of(const char *folder, const char *what, ...)
{
    struct cli_path path;
    va_list arguments;
    int size = snprintf(path.text, sizeof path.text, "%s/", folder);

    if (size < 0 || (size_t)size >= sizeof path.text)
        return path;
    va_start(arguments, what);
    vsnprintf(path.text + size, sizeof path.text - (size_t)size, what, arguments);
    va_end(arguments);
    return path;
}

/* As an absolute name, since the supervisor works from another folder. */
static int make_absolute(const char *path, struct cli_path *ret_path)
{
    char here[PATH_MAX];

    if (path[0] == '/')
        *ret_path = cli_path_of("", "%s", path + 1);
    else if (getcwd(here, sizeof here) != NULL)
        *ret_path = cli_path_of(here, "%s", path);
    else
        return -errno;
    return 0;
}

int cli_dev_folder(const char *chosen, struct cli_path *ret_folder, struct error_text *reterr_why)
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int err = 0;

    if (chosen != NULL)
        err = make_absolute(chosen, ret_folder);
    else if (state != NULL && state[0] == '/')
        *ret_folder = cli_path_of(state, "meridian/dev");
    else if (home != NULL && home[0] == '/')
        *ret_folder = cli_path_of(home, ".local/state/meridian/dev");
    else
        return error_text_set(reterr_why, -ENOENT, "HOME is not set: name a folder by --data");
    if (err < 0)
        return error_text_set(reterr_why, err, "cannot use %s: %s", chosen, strerror(-err));
    /* Names of what is in it are longer still. */
    if (strlen(ret_folder->text) > PATH_MAX / 2)
        return error_text_set(reterr_why, -ENAMETOOLONG, "the name of the data folder is too long");
    return 0;
}

int cli_make_folders(const char *path)
{
    struct cli_path part;

    snprintf(part.text, sizeof part.text, "%s", path);
    for (char *slash = strchr(part.text + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        if (mkdir(part.text, 0755) < 0 && errno != EEXIST)
            return -errno;
        *slash = '/';
    }
    return mkdir(part.text, 0755) < 0 && errno != EEXIST ? -errno : 0;
}

int cli_write_file(const char *path, struct text content)
{
    char aside[PATH_MAX + 8];
    snprintf(aside, sizeof aside, "%s.new", path);
    FILE *file = fopen(aside, "we");

    if (file == NULL)
        return -errno;
    bool written = fwrite(content.data, 1, content.size, file) == content.size;
    if (fclose(file) != 0 || !written || rename(aside, path) < 0) {
        int err = errno == 0 ? -EIO : -errno;
        unlink(aside);
        return err;
    }
    return 0;
}

int cli_read_file(const char *path, struct buffer *out)
{
    FILE *file = fopen(path, "re");
    char chunk[4096];
    size_t got;

    if (file == NULL)
        return -errno;
    while ((got = fread(chunk, 1, sizeof chunk, file)) > 0)
        buffer_append(out, chunk, got);
    int err = ferror(file) ? -EIO : 0;
    fclose(file);
    return out->failed ? -ENOMEM : err;
}

/* A record lock ends with the process, is not inherited by children, and tells who holds it; so
 * there is no stale process id to be fooled by. */
static struct flock whole_file(void)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET};
}

int cli_dev_lock(const char *folder)
{
    struct cli_path path = cli_path_of(folder, "lock");
    struct flock lock = whole_file();
    int fd = open(path.text, O_RDWR | O_CREAT | O_CLOEXEC, 0644);

    if (fd < 0)
        return -errno;
    if (fcntl(fd, F_SETLK, &lock) == 0)
        return 0; /* the descriptor stays open: closing it would give the lock up */
    int err = errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
    close(fd);
    return err;
}

pid_t cli_dev_lock_holder(const char *folder)
{
    struct cli_path path = cli_path_of(folder, "lock");
    struct flock lock = whole_file();
    int fd = open(path.text, O_RDWR | O_CLOEXEC);

    if (fd < 0)
        return 0;
    bool asked = fcntl(fd, F_GETLK, &lock) == 0;
    close(fd);
    return asked && lock.l_type != F_UNLCK ? lock.l_pid : 0;
}

int cli_dev_write_processes(const char *folder, const struct cli_child *children, size_t count)
{
    struct cli_path path = cli_path_of(folder, "processes");
    struct buffer lines = {0};
    int err = -ENOMEM;

    for (size_t i = 0; i < count; i++)
        buffer_printf(&lines, "%s %s %s %ld %s %s\n", cli_child_kind_name(children[i].kind),
                      children[i].region, children[i].name, (long)children[i].pid,
                      children[i].address, children[i].path);
    if (!lines.failed)
        err = cli_write_file(path.text, buffer_text(&lines));
    buffer_free(&lines);
    return err;
}

bool cli_dev_next_process(struct text *rest, struct cli_dev_process *ret_process)
{
    char line[512];
    const char *end = rest->size == 0 ? NULL : memchr(rest->data, '\n', rest->size);
    size_t size = end == NULL ? 0 : (size_t)(end - rest->data);

    if (end == NULL || size >= sizeof line)
        return false;
    memcpy(line, rest->data, size);
    line[size] = '\0';
    *rest = (struct text){end + 1, rest->size - size - 1};
    return sscanf(line, "%7s %16s %32s %ld %299s %15s", ret_process->kind, ret_process->region,
                  ret_process->name, &ret_process->pid, ret_process->address,
                  ret_process->path) == 6;
}
