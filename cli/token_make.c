#include "cli/token.h"

#include "auth/token.h"
#include "base/clock.h"
#include "base/hash.h"
#include "cli/token_config.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

/* The options, checked as settings are. */
struct token_options {
    char user[TEXT_USER_MAX + 1];
    char device[TEXT_DEVICE_MAX + 1];
    char id[TEXT_MESSAGE_ID_MAX + 1];
    char home[TEXT_REGION_MAX + 1];
    char tenant[TEXT_MESSAGE_ID_MAX + 1];
    char issuer[256];
    char audience[256];
    char kid[AUTH_KID_MAX + 1];
    int64_t ttl_ms;
};

#define TEXT_OPTION(member, valid, rule)                                                           \
    SETTING_TEXT_VALID(struct token_options, member, #member, "", 0, valid, rule, "")

static const struct setting options_table[] = {
    TEXT_OPTION(user, text_is_user_id, "a user id: 1 to 128 bytes of UTF-8 without controls"),
    TEXT_OPTION(device, text_is_device_id, "a device id: 1 to 64 printable ASCII characters"),
    TEXT_OPTION(id, text_is_message_id, "1 to 64 printable ASCII characters"),
    TEXT_OPTION(home, text_is_region_name, "a region's name"),
    TEXT_OPTION(tenant, text_is_message_id, "1 to 64 printable ASCII characters"),
    TEXT_OPTION(issuer, text_is_utf8, "UTF-8"),
    TEXT_OPTION(audience, text_is_utf8, "UTF-8"),
    TEXT_OPTION(kid, auth_is_kid, "a key's name: 1 to 64 printable ASCII characters"),
    SETTING_DURATION(struct token_options, ttl_ms, "ttl", 3600000, 1000, 366 * 86400000LL, ""),
    SETTINGS_END,
};

static int read_option(const struct cli_arguments *arguments, const char *name,
                       struct token_options *options, struct error_text *reterr_why)
{
    struct buffer assignment = {0};
    const char *value = cli_value(arguments, name);
    if (value == NULL)
        return 0;
    buffer_printf(&assignment, "%s=%s", name, value);
    int err = assignment.failed
                  ? -ENOMEM
                  : settings_set(options_table, options, (const char *)assignment.data, reterr_why);
    buffer_free(&assignment);
    return err;
}

/* The issuer and the audience of a daemon's settings, before the options say otherwise. */
static int read_config(const char *path, struct token_options *options,
                       struct error_text *reterr_why)
{
    struct auth_settings settings;
    if (path == NULL)
        return 0;
    int err = cli_auth_config_load(path, &settings, reterr_why);
    if (err == 0) {
        memcpy(options->issuer, settings.issuer, sizeof options->issuer);
        memcpy(options->audience, settings.audience, sizeof options->audience);
    }
    cli_auth_config_free(&settings);
    return err;
}

static int read_options(const struct cli_arguments *arguments, struct token_options *options,
                        struct error_text *reterr_why)
{
    settings_defaults(options_table, options);
    int err = read_config(cli_value(arguments, "config"), options, reterr_why);
    for (const struct setting *row = options_table; err == 0 && row->key != NULL; row++)
        err = read_option(arguments, row->key, options, reterr_why);
    if (err != 0)
        return err;
    if (options->user[0] == '\0')
        return error_text_set(reterr_why, -EINVAL, "for whom? --user USER is missing");
    if (options->issuer[0] == '\0' || options->audience[0] == '\0')
        return error_text_set(reterr_why, -EINVAL,
                              "--issuer and --audience are missing, or --config FILE that says "
                              "them");
    if (options->id[0] == '\0') { /* so that it can be revoked */
        uint64_t number;
        hash_random(&number, sizeof number);
        snprintf(options->id, sizeof options->id, "%016" PRIx64, number);
    }
    return 0;
}

/* A private key in PEM, else the bytes of a secret. */
static int read_key(const char *path, struct auth_key *key, struct error_text *reterr_why)
{
    struct buffer bytes = {0};
    struct error_text why = {0};
    if (path == NULL)
        return error_text_set(reterr_why, -EINVAL, "signed by what? --key FILE is missing");
    int err = auth_file_read(path, &bytes, reterr_why);
    if (err == 0) {
        struct text text = buffer_text(&bytes);
        bool is_pem = text.size > 0 && memmem(text.data, text.size, "-----BEGIN ", 11) != NULL;
        err = is_pem ? auth_key_of_pem(key, text, true, &why) : auth_key_of_secret(key, text, &why);
        if (err != 0)
            error_text_set(reterr_why, err, "%s: %s", path, why.text);
    }
    buffer_free(&bytes);
    return err;
}

static void member(struct buffer *out, const char *key, const char *value)
{
    if (value[0] == '\0')
        return;
    buffer_printf(out, "%s\"%s\":", out->size == 1 ? "" : ",", key);
    json_write_string(out, text_of(value));
}

static void write_claims(struct buffer *out, const struct token_options *options)
{
    int64_t now_s = clock_wall_ms() / 1000;
    buffer_append_text(out, TEXT("{"));
    member(out, "iss", options->issuer);
    member(out, "aud", options->audience);
    member(out, "sub", options->user);
    member(out, "device", options->device);
    member(out, "home", options->home);
    member(out, "tenant", options->tenant);
    member(out, "jti", options->id);
    buffer_printf(out, ",\"iat\":%" PRIi64 ",\"exp\":%" PRIi64 "}", now_s,
                  now_s + options->ttl_ms / 1000);
}

static int make(const struct token_options *options, const struct auth_key *key,
                struct error_text *reterr_why)
{
    struct buffer claims = {0}, token = {0};
    write_claims(&claims, options);
    int err = claims.failed ? -ENOMEM : auth_token_make(key, buffer_text(&claims), &token);
    if (err == 0)
        printf("%.*s\n", TEXT_ARGS(buffer_text(&token)));
    else
        error_text_set(reterr_why, err, "cannot sign: %s", strerrordesc_np(-err));
    buffer_free(&claims);
    buffer_free(&token);
    return err;
}

int cli_token_make(const struct cli_arguments *arguments)
{
    struct token_options options;
    struct auth_key key = {0};
    struct error_text why = {0};
    int err = read_options(arguments, &options, &why);

    if (err == 0)
        err = read_key(cli_value(arguments, "key"), &key, &why);
    if (err == 0) {
        memcpy(key.kid, options.kid, sizeof key.kid);
        err = make(&options, &key, &why);
    }
    auth_key_done(&key);
    if (err != 0)
        fprintf(stderr, "meridian token make: %s\n", why.text);
    return err == 0 ? CLI_OK : err == -EINVAL ? CLI_USAGE : CLI_FAILED;
}
