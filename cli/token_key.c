#include "cli/token.h"

#include "auth/key.h"
#include "cli/dev_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* Never over a file that is there: it may be the only copy of a key. */
static int write_new(const char *path, mode_t mode, struct text content,
                     struct error_text *reterr_why)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    int err = fd < 0 ? -errno : 0;
    if (err == 0 && write(fd, content.data, content.size) != (ssize_t)content.size)
        err = -EIO;
    if (fd >= 0 && close(fd) != 0 && err == 0)
        err = -errno;
    return err == 0 ? 0 : error_text_set(reterr_why, err, "%s: %s", path, strerrordesc_np(-err));
}

static int write_pair(const char *path, const struct buffer *secret, const struct buffer *open,
                      struct error_text *reterr_why)
{
    struct cli_path beside;
    int size = snprintf(beside.text, sizeof beside.text, "%s.pub", path);
    if (size >= (int)sizeof beside.text)
        return error_text_set(reterr_why, -ENAMETOOLONG, "'--out' is too long");
    int err = write_new(path, 0600, buffer_text(secret), reterr_why);
    if (err == 0 && open->size > 0)
        err = write_new(beside.text, 0644, buffer_text(open), reterr_why);
    if (err == 0)
        printf("%s%s%s\n", path, open->size > 0 ? " and " : "", open->size > 0 ? beside.text : "");
    return err;
}

int cli_token_key(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct buffer secret = {0}, open = {0};
    enum auth_alg alg;
    const char *path = cli_value(arguments, "out");
    const char *name = cli_value_or(arguments, "alg", auth_alg_name(AUTH_ES256));

    if (path == NULL || auth_alg_parse(text_of(name), &alg) != 0) {
        fprintf(stderr, "meridian token key: %s\n",
                path == NULL ? "--out FILE is missing" : "'--alg' must be ES256, RS256 or HS256");
        return CLI_USAGE;
    }
    int err = auth_key_make(alg, &secret, &open);
    if (err != 0)
        error_text_set(&why, err, "cannot make a key: %s", strerrordesc_np(-err));
    else
        err = write_pair(path, &secret, &open, &why);
    if (secret.data != NULL)
        explicit_bzero(secret.data, secret.capacity);
    buffer_free(&secret);
    buffer_free(&open);
    if (err != 0)
        fprintf(stderr, "meridian token key: %s\n", why.text);
    return err == 0 ? CLI_OK : CLI_FAILED;
}
