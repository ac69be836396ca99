#include "cli/listen.h"

#include "base/clock.h"
#include "cli/edges.h"
#include "cli/login.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

enum { TURN_MS = 500, CONFIRM_MS = 2000, CURSOR_ROOM = 64 };

struct listening {
    struct meridian_client *client;
    struct cli_login *login;
    bool wants_token; /* another one, as soon as the file has it */
    uint64_t left;    /* messages to wait for; 0: without end */
    bool reads;       /* --read */
    bool done;
    int code;
    char last[CURSOR_ROOM];      /* cursor of the last message */
    char confirmed[CURSOR_ROOM]; /* what the mailbox has acknowledged */
};

static volatile sig_atomic_t interrupted;

static void on_signal(int number)
{
    (void)number;
    interrupted = 1;
}

void cli_listen_line(const struct meridian_message *message, struct buffer *out)
{
    buffer_append_text(out, TEXT("{\"cursor\":"));
    json_write_string(out, text_of(message->cursor));
    buffer_append_text(out, TEXT(",\"id\":"));
    json_write_string(out, text_of(message->id));
    buffer_append_text(out, TEXT(",\"from\":"));
    json_write_string(out, text_of(message->from));
    buffer_printf(out, ",\"at\":%" PRId64 ",\"body\":", message->at_ms);
    buffer_append(out, message->body, message->body_size);
    buffer_append_text(out, TEXT("}\n"));
}

void cli_listen_receipt(const struct meridian_receipt *receipt, struct buffer *out)
{
    buffer_append_text(out, TEXT("{\"cursor\":"));
    json_write_string(out, text_of(receipt->cursor));
    buffer_append_text(out, TEXT(",\"receipt\":"));
    json_write_string(out, text_of(receipt->kind));
    if (receipt->by[0] != '\0') {
        buffer_append_text(out, TEXT(",\"by\":"));
        json_write_string(out, text_of(receipt->by));
    }
    if (receipt->device[0] != '\0') {
        buffer_append_text(out, TEXT(",\"device\":"));
        json_write_string(out, text_of(receipt->device));
    }
    buffer_append_text(out, TEXT(",\"ids\":["));
    for (size_t i = 0; i < receipt->id_count; i++) {
        buffer_append_text(out, i == 0 ? TEXT("") : TEXT(","));
        json_write_string(out, text_of(receipt->ids[i]));
    }
    buffer_printf(out, "],\"at\":%" PRId64 "}\n", receipt->at_ms);
}

/* Prints a line, and acknowledges what it was about when it was printed. */
static bool print(struct listening *listening, const struct buffer *line, const char *cursor)
{
    if (line->failed || fwrite(line->data, 1, line->size, stdout) != line->size ||
        fflush(stdout) != 0) { /* nobody reads any more: it stays unacknowledged */
        listening->done = true;
        listening->code = CLI_FAILED;
        return false;
    }
    (void)meridian_client_ack(listening->client, cursor);
    snprintf(listening->last, sizeof listening->last, "%s", cursor);
    return true;
}

static void on_receipt(void *context, const struct meridian_receipt *receipt)
{
    struct listening *listening = context;
    struct buffer line = {0};

    if (listening->done)
        return;
    cli_listen_receipt(receipt, &line);
    (void)print(listening, &line, receipt->cursor);
    buffer_free(&line);
}

static void on_message(void *context, const struct meridian_message *message)
{
    struct listening *listening = context;
    struct buffer line = {0};

    if (listening->done) /* only the confirmation is waited for; this one is for the next time */
        return;
    cli_listen_line(message, &line);
    if (print(listening, &line, message->cursor)) {
        if (listening->reads && message->cursor[0] != '\0')
            (void)meridian_client_has_read(listening->client, message->from, message->cursor);
        if (listening->left > 0 && --listening->left == 0)
            listening->done = true;
    }
    buffer_free(&line);
}

static void on_acked(void *context, const char *cursor)
{
    struct listening *listening = context;
    snprintf(listening->confirmed, sizeof listening->confirmed, "%s", cursor);
}

static void on_welcome(void *context, const struct meridian_welcome *welcome)
{
    (void)context;
    fprintf(stderr, "connected to %s in %s; home %s, cursor %s\n", welcome->edge, welcome->region,
            welcome->home, welcome->cursor);
}

static void on_lost(void *context, const char *why, int64_t retry_ms)
{
    (void)context;
    fprintf(stderr, "not connected (%s), next attempt in %" PRId64 " ms\n", why, retry_ms);
}

static void on_refused(void *context, const char *why)
{
    struct listening *listening = context;
    fprintf(stderr, "meridian listen: refused: %s\n", why);
    listening->done = true;
    listening->code = CLI_FAILED;
}

static void on_token(void *context, int64_t left_ms)
{
    struct listening *listening = context;
    if (left_ms > 0)
        fprintf(stderr, "the token ends in %" PRId64 " s; %s is read for another one\n",
                left_ms / 1000, listening->login->file);
    else
        fprintf(stderr, "the token is refused; waiting for another one in %s\n",
                listening->login->file);
    listening->wants_token = true;
}

static void on_refreshed(void *context, int64_t expires_at_ms)
{
    (void)context;
    fprintf(stderr, "logged in with another token until %" PRId64 "\n", expires_at_ms / 1000);
}

static void renew(struct listening *listening)
{
    if (listening->wants_token && cli_login_renew(listening->login))
        listening->wants_token =
            meridian_client_set_token(listening->client, listening->login->token) < 0;
}

static void on_gap(void *context, const char *from, const char *to, const char *reason)
{
    (void)context;
    fprintf(stderr, "messages %s to %s are lost: %s\n", from, to, reason);
}

static void on_resync(void *context, const char *cursor)
{
    (void)context;
    fprintf(stderr, "the cursor could not be honoured; going on after %s\n", cursor);
}

static void on_home(void *context, bool reachable)
{
    (void)context;
    fprintf(stderr, "the home region is %s\n", reachable ? "reachable again" : "not reachable");
}

static void run(struct listening *listening)
{
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART: it ends the wait */

    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    while (!listening->done && !interrupted) {
        meridian_client_turn(listening->client, TURN_MS);
        renew(listening);
    }

    /* What was printed should not be printed again by the next one: wait until that is certain. */
    int64_t until_ms = clock_monotonic_ms() + CONFIRM_MS;
    while (meridian_client_is_connected(listening->client) &&
           strcmp(listening->last, listening->confirmed) != 0 && listening->last[0] != '\0' &&
           clock_monotonic_ms() < until_ms)
        meridian_client_turn(listening->client, until_ms - clock_monotonic_ms());
}

static int listen_by(const struct cli_edges *edges, struct cli_login *login,
                     const struct cli_arguments *arguments, uint64_t count)
{
    struct listening listening = {
        .login = login, .left = count, .reads = cli_flag(arguments, "read"), .code = CLI_OK};
    const struct meridian_options options = {
        .edges = edges->urls,
        .edge_count = edges->count,
        .ca_file = cli_value(arguments, "ca"),
        .token = cli_login_token(login),
        .user = cli_login_name(login, arguments, "user", CLI_USER_DEFAULT),
        .device = cli_value_or(arguments, "device", "cli"),
        .cursor = cli_value(arguments, "cursor"),
        .acknowledges_itself = true,
        .on_welcome = on_welcome,
        .on_message = on_message,
        .on_receipt = on_receipt,
        .on_acked = on_acked,
        .on_gap = on_gap,
        .on_resync = on_resync,
        .on_home = on_home,
        .on_token = login->file == NULL ? NULL : on_token,
        .on_refreshed = on_refreshed,
        .on_lost = on_lost,
        .on_refused = on_refused,
        .context = &listening,
    };

    listening.client = meridian_client_new(&options);
    if (listening.client == NULL) {
        fprintf(stderr, "meridian listen: %s\n",
                errno == EINVAL ? "bad edge, user, device or cursor (\"epoch:seq\")"
                                : strerror(errno));
        return errno == EINVAL ? CLI_USAGE : CLI_FAILED;
    }
    run(&listening);
    meridian_client_free(listening.client);
    return listening.code;
}

int cli_listen(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_edges edges = {0};
    struct cli_login login;
    const char *count_word = cli_value(arguments, "count");
    uint64_t count = 0;
    int code = CLI_FAILED;

    if (count_word != NULL &&
        (text_to_u64(text_of(count_word), UINT32_MAX, &count) < 0 || count == 0)) {
        fprintf(stderr, "meridian listen: '--count' is %s, must be a number from 1\n", count_word);
        return CLI_USAGE;
    }
    if (cli_login_choose(&login, arguments, &why) < 0 ||
        cli_edges_choose(&edges, arguments, &why) < 0)
        fprintf(stderr, "meridian listen: %s\n", why.text);
    else
        code = listen_by(&edges, &login, arguments, count);
    cli_edges_done(&edges);
    return code;
}
