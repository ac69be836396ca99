#include "cli/send.h"

#include "base/clock.h"
#include "cli/edges.h"
#include "cli/login.h"
#include "meridian/client.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { DEFAULT_S = 30, RETRY_MS = 500, TURN_MS = 1000 };

struct sending {
    struct meridian_client *client;
    const char *to;
    const char *id; /* NULL until it is known */
    unsigned wants;
    char made_id[TEXT_MESSAGE_ID_MAX + 1];
    struct buffer body;
    int64_t until_ms;
    int64_t again_ms; /* when a rejected one is sent again; 0: not */
    int code;         /* the exit code; -1: not known yet */
};

static void on_result(void *context, const struct meridian_result *result)
{
    struct sending *sending = context;
    int64_t pause_ms = result->retry_after_ms > 0 ? (int64_t)result->retry_after_ms : RETRY_MS;
    int64_t again_ms = clock_monotonic_ms() + pause_ms;

    switch (result->outcome) {
    case MERIDIAN_ACCEPTED:
        printf("accepted %s\n", result->id);
        sending->code = CLI_OK;
        break;
    case MERIDIAN_REJECTED:
        if (result->retryable && again_ms < sending->until_ms) {
            sending->again_ms = again_ms;
            break;
        }
        printf("rejected %s %s: %s\n", result->id, result->code, result->message);
        sending->code = CLI_FAILED;
        break;
    case MERIDIAN_UNKNOWN:
        if (result->attempts == 0) {
            fprintf(stderr, "meridian send: no edge could be reached; nothing was sent\n");
            sending->code = CLI_FAILED;
            break;
        }
        printf("unknown %s: no answer; the same command with --id %s asks again\n", result->id,
               result->id);
        sending->code = CLI_UNKNOWN;
        break;
    }
}

static void on_lost(void *context, const char *why, int64_t retry_ms)
{
    const struct sending *sending = context;
    if (sending->code < 0)
        fprintf(stderr, "not connected (%s), next attempt in %" PRId64 " ms\n", why, retry_ms);
}

static void on_refused(void *context, const char *why)
{
    struct sending *sending = context;
    fprintf(stderr, "meridian send: refused: %s\n", why);
    sending->code = CLI_FAILED;
}

/* What is JSON is sent as it is, everything else as a JSON string. */
static void make_body(const char *word, struct buffer *ret_body)
{
    struct json_value value;

    if (json_parse(text_of(word), &value) == 0)
        buffer_append_text(ret_body, value.raw);
    else
        json_write_string(ret_body, text_of(word));
}

static int send_now(struct sending *sending)
{
    const char *id = NULL;
    int err = meridian_client_send(sending->client, sending->to, sending->id, sending->wants,
                                   (const char *)sending->body.data, sending->body.size, &id);

    sending->again_ms = 0;
    if (err == 0 && sending->id == NULL) { /* a repeat keeps its id */
        snprintf(sending->made_id, sizeof sending->made_id, "%s", id);
        sending->id = sending->made_id;
    }
    return err;
}

static int run(struct sending *sending)
{
    int err = send_now(sending);

    while (err == 0 && sending->code < 0) {
        int64_t now_ms = clock_monotonic_ms();
        int64_t wait_ms = sending->again_ms > 0 ? sending->again_ms - now_ms : TURN_MS;
        if (sending->again_ms > 0 && wait_ms <= 0)
            err = send_now(sending);
        else
            meridian_client_turn(sending->client, wait_ms);
    }
    return err;
}

static int explain(int err)
{
    switch (err) {
    case 0:
        break;
    case -EINVAL:
        fprintf(stderr, "meridian send: a user id is 1 to 128 bytes without control characters, "
                        "an id or device 1 to 64 printable ASCII characters\n");
        return CLI_USAGE;
    default:
        fprintf(stderr, "meridian send: %s\n", strerror(-err));
        return CLI_FAILED;
    }
    return CLI_OK;
}

/* "stored,delivered,read", in any order. -EINVAL. */
static int read_wants(const char *words, unsigned *ret_wants)
{
    static const struct {
        struct text name;
        unsigned want;
    } rows[] = {{{"stored", 6}, MERIDIAN_WANT_STORED},
                {{"delivered", 9}, MERIDIAN_WANT_DELIVERED},
                {{"read", 4}, MERIDIAN_WANT_READ}};

    *ret_wants = 0;
    for (const char *word = words; word != NULL;) {
        const char *comma = strchr(word, ',');
        struct text name = {word, comma == NULL ? strlen(word) : (size_t)(comma - word)};
        unsigned want = 0;
        for (size_t i = 0; i < COUNT_OF(rows); i++)
            want |= text_equal(name, rows[i].name) ? rows[i].want : 0;
        if (want == 0)
            return -EINVAL;
        *ret_wants |= want;
        word = comma == NULL ? NULL : comma + 1;
    }
    return 0;
}

static int send_by(const struct cli_edges *edges, const struct cli_login *login,
                   const struct cli_arguments *arguments, unsigned wants, int64_t timeout_ms)
{
    struct sending sending = {.to = cli_value(arguments, "to"),
                              .id = cli_value(arguments, "id"),
                              .wants = wants,
                              .until_ms = clock_monotonic_ms() + timeout_ms,
                              .code = -1};
    const struct meridian_options options = {
        .edges = edges->urls,
        .edge_count = edges->count,
        .ca_file = cli_value(arguments, "ca"),
        .token = cli_login_token(login),
        .user = cli_login_name(login, arguments, "from", CLI_USER_DEFAULT),
        .device = cli_value_or(arguments, "device", "cli-send"),
        /* What comes for the sender meanwhile is left to the sender's own devices. */
        .from_head = true,
        .acknowledges_itself = true,
        .give_up_ms = timeout_ms,
        .on_result = on_result,
        .on_lost = on_lost,
        .on_refused = on_refused,
        .context = &sending,
    };
    sending.client = meridian_client_new(&options);
    int err = sending.client == NULL ? -errno : 0;

    make_body(arguments->operands[0], &sending.body);
    if (err == 0)
        err = sending.body.failed ? -ENOMEM : run(&sending);
    meridian_client_free(sending.client);
    buffer_free(&sending.body);
    return err < 0 ? explain(err) : sending.code;
}

int cli_send(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_edges edges = {0};
    struct cli_login login;
    uint64_t timeout_s = DEFAULT_S;
    unsigned wants = 0;
    const char *timeout = cli_value(arguments, "timeout");
    int code = CLI_FAILED;

    if (cli_value(arguments, "to") == NULL) {
        fprintf(stderr, "meridian send: to whom? --to USER is missing\n");
        return CLI_USAGE;
    }
    if (timeout != NULL &&
        (text_to_u64(text_of(timeout), 86400, &timeout_s) < 0 || timeout_s == 0)) {
        fprintf(stderr, "meridian send: '--timeout' is %s, must be 1 to 86400 seconds\n", timeout);
        return CLI_USAGE;
    }
    if (read_wants(cli_value(arguments, "want"), &wants) < 0) {
        fprintf(stderr,
                "meridian send: '--want' is %s, must be of stored, delivered and read, "
                "separated by commas\n",
                cli_value(arguments, "want"));
        return CLI_USAGE;
    }
    if (cli_login_choose(&login, arguments, &why) < 0 ||
        cli_edges_choose(&edges, arguments, &why) < 0)
        fprintf(stderr, "meridian send: %s\n", why.text);
    else
        code = send_by(&edges, &login, arguments, wants, (int64_t)timeout_s * 1000);
    cli_edges_done(&edges);
    return code;
}
