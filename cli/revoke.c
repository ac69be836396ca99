#include "cli/revoke.h"

#include <errno.h>
#include <time.h>

/* Of seconds since 1970, or of a moment of UTC. */
static int read_moment(const char *from, int64_t now_s, int64_t *ret_s)
{
    struct tm utc = {0};
    uint64_t seconds;
    if (text_equal(text_of(from), TEXT("now"))) {
        *ret_s = now_s;
        return 0;
    }
    if (text_to_u64(text_of(from), INT64_MAX, &seconds) == 0) {
        *ret_s = (int64_t)seconds;
        return 0;
    }
    const char *end = strptime(from, "%Y-%m-%dT%H:%M:%SZ", &utc);
    if (end == NULL || *end != '\0')
        return -EINVAL;
    *ret_s = timegm(&utc);
    return 0;
}

static int read_before(const char *from, int64_t now_s, struct wire_revoked *revoked,
                       struct error_text *reterr_why)
{
    if (read_moment(from, now_s, &revoked->before_s) != 0 || revoked->before_s < 0)
        return error_text_set(reterr_why, -EINVAL,
                              "--issued-before is a time: 2026-11-24T17:00:00Z, seconds since "
                              "1970, or now");
    if (revoked->before_s > now_s)
        return error_text_set(reterr_why, -EINVAL,
                              "--issued-before is still to come: revoke a user, or wait");
    revoked->kind = revoked->user.size > 0 ? WIRE_REVOKED_BEFORE : WIRE_REVOKED_ALL_BEFORE;
    return 0;
}

static int read_texts(const struct cli_revoke_options *options, struct wire_revoked *revoked,
                      struct error_text *reterr_why)
{
    if (options->user != NULL)
        revoked->user = text_of(options->user);
    if (options->device != NULL)
        revoked->device = text_of(options->device);
    if (options->token_id != NULL)
        revoked->token_id = text_of(options->token_id);
    if (options->user != NULL && !text_is_user_id(revoked->user))
        return error_text_set(reterr_why, -EINVAL,
                              "--user is a user id: 1 to 128 bytes of UTF-8 without controls");
    if (options->device != NULL && !text_is_device_id(revoked->device))
        return error_text_set(reterr_why, -EINVAL,
                              "--device is a device id: 1 to 64 printable ASCII characters");
    if (options->token_id != NULL && !text_is_message_id(revoked->token_id))
        return error_text_set(reterr_why, -EINVAL,
                              "--token-id is a token's jti: 1 to 64 printable ASCII characters");
    return 0;
}

int cli_revoke_read(const struct cli_revoke_options *options, int64_t now_s,
                    struct wire_revoked *ret_revoked, struct error_text *reterr_why)
{
    struct wire_revoked revoked = {0};
    const bool user = options->user != NULL, device = options->device != NULL;
    const bool token = options->token_id != NULL, before = options->issued_before != NULL;
    if (token + device + before > 1 || (token && user))
        return error_text_set(reterr_why, -EINVAL,
                              "one of --token-id, --device of a user, and --issued-before");
    if (device && !user)
        return error_text_set(reterr_why, -EINVAL, "a device of whom? --user USER is missing");
    if (!token && !user && !before)
        return error_text_set(reterr_why, -EINVAL,
                              "what? --user, --device, --token-id or --issued-before is missing");
    int err = read_texts(options, &revoked, reterr_why);
    if (err != 0)
        return err;
    revoked.kind = token ? WIRE_REVOKED_TOKEN : device ? WIRE_REVOKED_DEVICE : WIRE_REVOKED_USER;
    if (before)
        err = read_before(options->issued_before, now_s, &revoked, reterr_why);
    if (err == 0)
        *ret_revoked = revoked;
    return err;
}

void cli_revoke_merge(struct wire_revoked *revoked, const struct wire_revoked *earlier)
{
    if (earlier->until_s > revoked->until_s)
        revoked->until_s = earlier->until_s;
    if (earlier->before_s > revoked->before_s)
        revoked->before_s = earlier->before_s;
}

static void put_moment(struct buffer *out, const char *word, int64_t seconds)
{
    struct tm utc;
    char room[40] = "";
    const time_t at = seconds;
    if (gmtime_r(&at, &utc) != NULL)
        (void)strftime(room, sizeof room, "%Y-%m-%dT%H:%M:%SZ", &utc);
    buffer_printf(out, " %s %s", word, room);
}

void cli_revoke_print(const struct wire_revoked *revoked, struct buffer *out)
{
    if (revoked->kind == WIRE_REVOKED_TOKEN)
        buffer_printf(out, "token %.*s", TEXT_ARGS(revoked->token_id));
    else if (revoked->kind == WIRE_REVOKED_ALL_BEFORE)
        buffer_append_text(out, TEXT("everybody"));
    else
        buffer_printf(out, "user %.*s", TEXT_ARGS(revoked->user));
    if (revoked->kind == WIRE_REVOKED_DEVICE)
        buffer_printf(out, " device %.*s", TEXT_ARGS(revoked->device));
    if (revoked->kind == WIRE_REVOKED_BEFORE || revoked->kind == WIRE_REVOKED_ALL_BEFORE)
        put_moment(out, "issued before", revoked->before_s);
    put_moment(out, "until", revoked->until_s);
    buffer_append_text(out, TEXT("\n"));
}
