#include "cli/token_config.h"

/* What the rows need: settings as a member. */
struct config {
    struct auth_settings auth;
};

static const struct setting config_table[] = {
    AUTH_SETTINGS_ROWS(struct config, auth),
    SETTINGS_END,
};

int cli_auth_config_load(const char *path, struct auth_settings *ret_settings,
                         struct error_text *reterr_why)
{
    struct config config;
    settings_defaults(config_table, &config);
    int err = path == NULL ? 0 : settings_load_part(config_table, &config, path, reterr_why);
    if (err == 0)
        err = auth_settings_fit(&config.auth, reterr_why);
    *ret_settings = config.auth;
    return err;
}

void cli_auth_config_free(struct auth_settings *settings)
{
    struct config config = {.auth = *settings};
    settings_free(config_table, &config);
    *settings = config.auth;
}
