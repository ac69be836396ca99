#include "c/client_internal.h"

#include "base/clock.h"
#include "base/hash.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PENDING_MAX = 1024 };
/* Close codes of the protocol. */
enum {
    CLOSE_POLICY = 1008,
    CLOSE_AGAIN = 4000,
    CLOSE_LATER = 4001,
    CLOSE_TOKEN = 4401,
    CLOSE_NEVER = 4403
};

static int64_t jitter(int64_t most_ms)
{
    uint32_t dice;
    hash_random(&dice, sizeof dice);
    return most_ms <= 0 ? 0 : (int64_t)(dice % (uint64_t)most_ms);
}

static void disconnected(struct meridian_client *client, enum client_state state)
{
    client->state = state;
    client->edge = (client->edge + 1) % client->options.edge_count;
    client->goaway_ms = client->later_ms = 0;
    meridian_sends_disconnected(&client->sends);
    meridian_reads_disconnected(&client->reads);
    meridian_shown_forget(&client->shown);
    client->recall.said = false;
}

void meridian_client_lose(struct meridian_client *client, int64_t retry_ms, const char *why)
{
    disconnected(client, CLIENT_WAITING);
    client->due_ms = clock_monotonic_ms() + retry_ms;
    if (client->options.on_lost != NULL)
        client->options.on_lost(client->options.context, why, retry_ms);
}

static void refuse(struct meridian_client *client, const char *why)
{
    client->state = CLIENT_REFUSED;
    if (client->options.on_refused != NULL)
        client->options.on_refused(client->options.context, why);
}

/* How long to wait: doubled with each failure, spread so that a crowd does not come at once. */
static int64_t next_retry_ms(struct meridian_client *client, int code)
{
    int64_t retry_ms = client->retry_ms / 2 + jitter(client->retry_ms / 2 + 1);

    client->retry_ms *= 2;
    if (client->retry_ms > RETRY_LAST_MS)
        client->retry_ms = RETRY_LAST_MS;
    if (code == CLOSE_LATER && client->later_ms > 0)
        return client->later_ms + jitter(client->later_ms / 4);
    if (code == CLOSE_LATER)
        return RETRY_LATER_MS + jitter(RETRY_LATER_MS);
    if (client->goaway_ms > 0)
        return jitter(client->goaway_ms);
    return code == CLOSE_AGAIN ? 0 : retry_ms;
}

static void on_closed(void *context, int code, const char *why)
{
    struct meridian_client *client = context;
    char text[192];

    if (code != 0)
        snprintf(text, sizeof text, "closed by the edge with code %d: %s", code, why);
    else
        snprintf(text, sizeof text, "%s", why);
    if (code == CLOSE_TOKEN && client->options.on_token != NULL && client->shown.token != NULL) {
        disconnected(client, CLIENT_TOKENLESS);
        client->options.on_token(client->options.context, 0);
    } else if (code == CLOSE_POLICY || code == CLOSE_TOKEN || code == CLOSE_NEVER) {
        refuse(client, text);
    } else {
        meridian_client_lose(client, next_retry_ms(client, code), text);
    }
}

static void on_open(void *context)
{
    struct meridian_client *client = context;
    client->says_hello = true;
    meridian_socket_want_write(client->socket);
}

static void write_frame(struct meridian_client *client)
{
    if (client->output.failed)
        client->output.size = 0;
    else if (meridian_socket_write(client->socket, buffer_text(&client->output)) < 0)
        return; /* on_closed follows */
    meridian_socket_want_write(client->socket);
}

static void write_hello(struct meridian_client *client)
{
    const struct meridian_hello hello = {.token = client->shown.token,
                                         .user = client->options.user,
                                         .device = client->options.device,
                                         .cursor =
                                             client->cursor[0] == '\0' ? NULL : client->cursor,
                                         .from_head = client->options.from_head};

    meridian_shown_forget(&client->shown);
    meridian_frame_hello(&client->output, &hello);
    write_frame(client);
}

/* One frame a call: the hello, then acknowledgements before sends, since they are few. */
static void on_writable(void *context)
{
    struct meridian_client *client = context;
    int64_t now_ms = clock_monotonic_ms();
    struct meridian_send *send;
    struct meridian_read *read;

    buffer_clear(&client->output);
    if (client->says_hello) {
        client->says_hello = false;
        write_hello(client);
    } else if (client->state != CLIENT_READY) {
        return;
    } else if (meridian_shown_is_due(&client->shown, now_ms)) {
        meridian_shown_said(&client->shown, now_ms);
        meridian_frame_refresh(&client->output, client->shown.token);
        write_frame(client);
    } else if (client->acknowledges) {
        client->acknowledges = false;
        meridian_frame_ack(&client->output, client->acked);
        write_frame(client);
    } else if ((read = meridian_reads_next(&client->reads)) != NULL) {
        read->said = true;
        meridian_frame_read_up_to(&client->output, read->from, read->cursor);
        write_frame(client);
    } else if (client->recall.waits && !client->recall.said) {
        client->recall.said = true;
        meridian_recall_write(&client->recall, &client->output);
        write_frame(client);
    } else if ((send = meridian_sends_next(&client->sends, now_ms)) != NULL) {
        buffer_append(&client->output, send->frame, send->size);
        meridian_sends_written(&client->sends, send, now_ms);
        write_frame(client);
    }
}

static void on_frame(void *context, struct text bytes)
{
    struct meridian_client *client = context;
    struct meridian_frame frame;

    if (meridian_frame_read(bytes, &client->strings, &frame) == 0) {
        meridian_client_take(client, &frame);
        return;
    }
    meridian_socket_close(client->socket);
    meridian_client_lose(client, next_retry_ms(client, 0), "the edge sent what is no frame");
}

static void connect_now(struct meridian_client *client)
{
    int64_t now_ms = clock_monotonic_ms();
    const struct meridian_url *url = meridian_hints_next(&client->hints, now_ms);

    if (url == NULL)
        url = &client->edges[client->edge];
    client->tls = url->tls;
    client->state = CLIENT_CONNECTING;
    client->due_ms = now_ms + client->options.connect_ms;
    client->says_hello = false;
    meridian_socket_connect(client->socket, url);
}

static void do_due(struct meridian_client *client)
{
    int64_t now_ms = clock_monotonic_ms();
    struct meridian_send *expired;

    while ((expired = meridian_sends_expired(&client->sends, now_ms)) != NULL)
        meridian_client_tell_result(client, expired, NULL, MERIDIAN_UNKNOWN);
    if (client->state == CLIENT_WAITING && now_ms >= client->due_ms) {
        connect_now(client);
    } else if (client->state == CLIENT_CONNECTING && now_ms >= client->due_ms) {
        meridian_socket_close(client->socket);
        meridian_client_lose(client, next_retry_ms(client, 0), "no welcome in time");
    } else if (client->state == CLIENT_READY &&
               (meridian_sends_next(&client->sends, now_ms) != NULL ||
                meridian_shown_is_due(&client->shown, now_ms))) {
        meridian_socket_want_write(client->socket);
    }
}

/* How long nothing is due by itself. */
static int64_t rest_ms(const struct meridian_client *client, int64_t wait_ms)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t sends_ms = meridian_sends_due_ms(&client->sends);
    int64_t shown_ms = meridian_shown_due_ms(&client->shown);

    if (wait_ms < 0 || wait_ms > TURN_MAX_MS)
        wait_ms = TURN_MAX_MS;
    if ((client->state == CLIENT_WAITING || client->state == CLIENT_CONNECTING) &&
        client->due_ms - now_ms < wait_ms)
        wait_ms = client->due_ms - now_ms;
    if (sends_ms >= 0 && sends_ms - now_ms < wait_ms)
        wait_ms = sends_ms - now_ms;
    if (shown_ms >= 0 && shown_ms - now_ms < wait_ms)
        wait_ms = shown_ms - now_ms;
    return wait_ms < 0 ? 0 : wait_ms;
}

int meridian_client_set_token(struct meridian_client *client, const char *token)
{
    int64_t now_ms = clock_monotonic_ms();
    bool knows = client->state == CLIENT_READY ||
                 (client->state == CLIENT_CONNECTING && !client->says_hello);

    if (client->shown.token == NULL)
        return -EINVAL;
    int err = meridian_shown_set(&client->shown, token, knows, now_ms);
    if (err < 0)
        return err;
    if (client->state == CLIENT_TOKENLESS) { /* not at once: this one may be bad, too */
        client->state = CLIENT_WAITING;
        client->due_ms = now_ms + next_retry_ms(client, 0);
    }
    if (client->state == CLIENT_READY)
        meridian_socket_want_write(client->socket);
    return 0;
}

void meridian_client_turn(struct meridian_client *client, int64_t wait_ms)
{
    do_due(client);
    meridian_socket_turn(client->socket, rest_ms(client, wait_ms));
    do_due(client);
}

bool meridian_client_is_connected(const struct meridian_client *client)
{
    return client->state == CLIENT_READY;
}

size_t meridian_client_pending(const struct meridian_client *client)
{
    return client->sends.count;
}

int meridian_client_send(struct meridian_client *client, const char *to, const char *id,
                         unsigned wants, const char *body, size_t body_size, const char **ret_id)
{
    struct text value = {body, body_size};
    struct json_value parsed;
    struct meridian_send *send;
    char made[40];

    if (id == NULL) {
        snprintf(made, sizeof made, "%016" PRIx64 "-%" PRIu64, client->id_prefix,
                 ++client->id_count);
        id = made;
    }
    if (!text_is_message_id(text_of(id)) || !text_is_user_id(text_of(to)) ||
        json_parse(value, &parsed) < 0)
        return -EINVAL;
    buffer_clear(&client->output);
    meridian_frame_send(&client->output, id, to, wants, parsed.raw);
    if (client->output.failed)
        return -ENOMEM;
    int err = meridian_sends_add(&client->sends, text_of(id), buffer_text(&client->output),
                                 clock_monotonic_ms(), &send);
    if (err < 0)
        return err;
    if (client->state == CLIENT_READY)
        meridian_socket_want_write(client->socket);
    if (ret_id != NULL)
        *ret_id = send->id;
    return 0;
}

int meridian_client_history(struct meridian_client *client, const char *before, const char *after,
                            unsigned limit)
{
    int err = meridian_recall_ask(&client->recall, before, after, limit);
    if (err == 0 && client->state == CLIENT_READY)
        meridian_socket_want_write(client->socket);
    return err;
}

int meridian_client_ack(struct meridian_client *client, const char *cursor)
{
    if (!meridian_is_cursor(cursor) || strlen(cursor) >= CURSOR_MAX)
        return -EINVAL;
    meridian_client_keep_cursor(client->acked, cursor);
    client->acknowledges = true;
    if (client->state == CLIENT_READY)
        meridian_socket_want_write(client->socket);
    return 0;
}

int meridian_client_has_read(struct meridian_client *client, const char *from, const char *cursor)
{
    if (!text_is_user_id(text_of(from)) || !meridian_is_cursor(cursor))
        return -EINVAL;
    int err = meridian_reads_set(&client->reads, from, cursor);
    if (err == 0 && client->state == CLIENT_READY)
        meridian_socket_want_write(client->socket);
    return err;
}

/* What is not said must be in the token. */
static bool is_said(const char *name, bool (*is_good)(struct text), const char *token)
{
    return name == NULL ? token != NULL : is_good(text_of(name));
}

static bool options_are_good(const struct meridian_options *options)
{
    return options->edge_count > 0 && is_said(options->user, text_is_user_id, options->token) &&
           is_said(options->device, text_is_device_id, options->token) &&
           (options->cursor == NULL ||
            (meridian_is_cursor(options->cursor) && strlen(options->cursor) < CURSOR_MAX));
}

static int copy_options(struct meridian_client *client, const struct meridian_options *options,
                        bool *ret_tls)
{
    client->options = *options;
    client->options.edges = NULL;
    client->options.cursor = NULL;
    client->options.token = NULL;
    client->options.ca_file = NULL;
    client->options.user = options->user == NULL ? NULL : strdup(options->user);
    client->options.device = options->device == NULL ? NULL : strdup(options->device);
    client->edges = calloc(options->edge_count, sizeof *client->edges);
    if (client->edges == NULL || (options->user != NULL && client->options.user == NULL) ||
        (options->device != NULL && client->options.device == NULL))
        return -ENOMEM;
    int err =
        options->token == NULL ? 0 : meridian_shown_set(&client->shown, options->token, false, 0);
    if (err < 0)
        return err;
    for (size_t i = 0; i < options->edge_count; i++) {
        if (meridian_url_parse(text_of(options->edges[i]), &client->edges[i]) < 0)
            return -EINVAL;
        *ret_tls |= client->edges[i].tls;
    }
    if (options->cursor != NULL)
        meridian_client_keep_cursor(client->cursor, options->cursor);
    if (client->options.connect_ms <= 0)
        client->options.connect_ms = 5000;
    if (client->options.answer_ms <= 0)
        client->options.answer_ms = 10000;
    return 0;
}

static int init(struct meridian_client *client, const struct meridian_options *options)
{
    const struct meridian_socket_events events = {.on_open = on_open,
                                                  .on_frame = on_frame,
                                                  .on_writable = on_writable,
                                                  .on_closed = on_closed,
                                                  .context = client};
    bool tls = false;
    int err = copy_options(client, options, &tls);

    if (err < 0)
        return err;
    client->retry_ms = RETRY_FIRST_MS;
    hash_random(&client->id_prefix, sizeof client->id_prefix);
    meridian_sends_init(&client->sends,
                        options->pending_max > 0 ? options->pending_max : PENDING_MAX,
                        client->options.answer_ms, options->give_up_ms);
    if (options->ca_file != NULL && access(options->ca_file, R_OK) != 0)
        return -errno;
    client->socket = meridian_socket_new(&events, tls, options->ca_file);
    return client->socket == NULL ? -ENOMEM : 0;
}

struct meridian_client *meridian_client_new(const struct meridian_options *options)
{
    if (!options_are_good(options)) {
        errno = EINVAL;
        return NULL;
    }
    struct meridian_client *client = calloc(1, sizeof *client);
    if (client == NULL)
        return NULL;
    list_init(&client->sends.list);
    meridian_reads_init(&client->reads);
    int err = init(client, options);
    if (err < 0) {
        meridian_client_free(client);
        errno = -err;
        return NULL;
    }
    return client;
}

void meridian_client_free(struct meridian_client *client)
{
    if (client == NULL)
        return;
    meridian_socket_free(client->socket);
    meridian_sends_done(&client->sends);
    meridian_reads_done(&client->reads);
    meridian_shown_done(&client->shown);
    buffer_free(&client->strings);
    buffer_free(&client->body);
    buffer_free(&client->output);
    free((char *)(uintptr_t)client->options.user);
    free((char *)(uintptr_t)client->options.device);
    free(client->edges);
    free(client);
}
