#include "cli/login.h"

#include "base/text.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* As issuers write them: one line, with its end or without. */
static int take(struct cli_login *login, struct text from, const char *where,
                struct error_text *reterr_why)
{
    while (from.size > 0 && strchr(" \t\r\n", from.data[from.size - 1]) != NULL)
        from.size--;
    for (size_t i = 0; i < from.size; i++)
        if (from.data[i] <= ' ' || from.data[i] > '~')
            return error_text_set(reterr_why, -EINVAL, "%s is no token", where);
    if (from.size == 0 || from.size > CLI_TOKEN_MAX)
        return error_text_set(reterr_why, -EINVAL, "%s must be a token of 1 to %d bytes", where,
                              CLI_TOKEN_MAX);
    return text_put(login->token, sizeof login->token, from);
}

static int read_file(struct cli_login *login, struct error_text *reterr_why)
{
    char bytes[CLI_TOKEN_MAX + 3]; /* with its line end, and one more */
    FILE *file = fopen(login->file, "re");
    if (file == NULL)
        return error_text_set(reterr_why, -errno, "%s: %s", login->file, strerror(errno));
    size_t size = fread(bytes, 1, sizeof bytes, file);
    int err = ferror(file) ? -EIO : 0;
    fclose(file);
    if (err < 0)
        return error_text_set(reterr_why, err, "%s cannot be read", login->file);
    return take(login, (struct text){bytes, size}, login->file, reterr_why);
}

int cli_login_choose(struct cli_login *login, const struct cli_arguments *arguments,
                     struct error_text *reterr_why)
{
    const char *token = cli_value(arguments, "token");
    const char *named = getenv("MERIDIAN_TOKEN");

    *login = (struct cli_login){.file = cli_value(arguments, "token-file")};
    if (token != NULL && login->file != NULL)
        return error_text_set(reterr_why, -EINVAL, "--token and --token-file say the same");
    if (login->file != NULL)
        return read_file(login, reterr_why);
    if (token != NULL)
        return take(login, text_of(token), "--token", reterr_why);
    return named == NULL ? 0 : take(login, text_of(named), "MERIDIAN_TOKEN", reterr_why);
}

const char *cli_login_token(const struct cli_login *login)
{
    return login->token[0] == '\0' ? NULL : login->token;
}

bool cli_login_renew(struct cli_login *login)
{
    struct cli_login read = *login;
    struct error_text why;

    if (login->file == NULL || read_file(&read, &why) < 0 || strcmp(read.token, login->token) == 0)
        return false;
    *login = read;
    return true;
}

const char *cli_login_name(const struct cli_login *login, const struct cli_arguments *arguments,
                           const char *name, const char *otherwise)
{
    return cli_value_or(arguments, name, login->token[0] == '\0' ? otherwise : NULL);
}
