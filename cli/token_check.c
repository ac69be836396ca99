#include "cli/token.h"

#include "auth/base64url.h"
#include "auth/token.h"
#include "base/clock.h"
#include "cli/token_config.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

/* On one line, and without what a terminal would act on: whose token it is, nobody knows yet. */
static void print_safely(struct text json)
{
    for (size_t i = 0; i < json.size; i++) {
        unsigned char byte = (unsigned char)json.data[i];
        bool is_c1 = byte == 0xC2 && i + 1 < json.size && (unsigned char)json.data[i + 1] < 0xA0;
        if (is_c1)
            i++;
        putchar(is_c1 || byte == 0x7F ? '?' : byte < ' ' ? ' ' : byte);
    }
    putchar('\n');
}

static void print_part(const char *name, struct text part)
{
    uint8_t room[AUTH_TOKEN_MAX];
    struct json_value value;
    size_t size;
    struct text json = {(const char *)room, 0};
    if (auth_base64url_read(part, room, sizeof room, &size) == 0)
        json.size = size;
    bool good = json_parse(json, &value) == 0;
    printf("%-8s ", name);
    print_safely(good ? value.raw : TEXT("is no JSON in base64url"));
}

static void print_good(const struct auth_identity *identity, int64_t now_ms)
{
    printf("good     user %s", identity->user);
    if (identity->device[0] != '\0')
        printf(", device %s", identity->device);
    if (identity->token_id[0] != '\0')
        printf(", id %s", identity->token_id);
    if (identity->home[0] != '\0')
        printf(", home %s", identity->home);
    printf(", ends in %" PRIi64 " s\n", identity->expires_at_s - now_ms / 1000);
}

static int tell(const struct auth_settings *settings, const struct auth_keys *keys,
                struct text token)
{
    struct auth_token_parts parts;
    struct auth_verdict verdict;
    int64_t now_ms = clock_wall_ms();
    auth_token_judge(settings, keys, token, now_ms, true, &verdict);
    if (token.size <= AUTH_TOKEN_MAX && auth_token_split(token, &parts) == 0) {
        print_part("header", parts.header);
        print_part("claims", parts.claims);
    }
    for (enum auth_reason reason = 0; reason < AUTH_REASONS_COUNT; reason++)
        if ((verdict.reasons >> reason & 1) != 0)
            printf("refused  %s\n", auth_reason_text(reason));
    if (verdict.reasons == 0)
        print_good(&verdict.identity, now_ms);
    return verdict.reasons == 0 ? CLI_OK : CLI_FAILED;
}

int cli_token_check(const struct cli_arguments *arguments)
{
    struct auth_settings settings;
    struct error_text why = {0};
    const char *path = cli_value(arguments, "config");
    int code = CLI_FAILED;

    if (path == NULL) {
        fprintf(stderr, "meridian token check: --config FILE is missing: by which keys?\n");
        return CLI_USAGE;
    }
    int err = cli_auth_config_load(path, &settings, &why);
    struct auth_keys *keys = err == 0 ? auth_keys_load(&settings, &why) : NULL;
    if (keys == NULL)
        fprintf(stderr, "meridian token check: %s\n", why.text);
    else
        code = tell(&settings, keys, text_of(arguments->operands[0]));
    auth_keys_free(keys);
    cli_auth_config_free(&settings);
    return code;
}
