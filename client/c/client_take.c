/* What a client makes of the frames of its edge. */
#include "c/client_internal.h"

#include "base/clock.h"
#include "json/json.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { IDS_MAX = 256, HINTS_MAX_S = 3600 };

void meridian_client_keep_cursor(char to[CURSOR_MAX], const char *cursor)
{
    if (strlen(cursor) < CURSOR_MAX)
        snprintf(to, CURSOR_MAX, "%s", cursor);
}

static void on_welcome(struct meridian_client *client, const struct meridian_frame *frame)
{
    const struct meridian_welcome welcome = {.region = frame->region,
                                             .edge = frame->edge,
                                             .home = frame->home,
                                             .cursor = frame->cursor,
                                             .resumed = frame->resumed};

    client->state = CLIENT_READY;
    client->retry_ms = RETRY_FIRST_MS;
    meridian_hints_forget(&client->hints);
    /* The mailbox may have begun a new epoch, with the same messages up to here. */
    if (frame->resumed && client->acked[0] != '\0' && strcmp(client->acked, client->cursor) == 0)
        meridian_client_keep_cursor(client->acked, frame->cursor);
    meridian_client_keep_cursor(client->cursor, frame->cursor);
    /* The last acknowledgement may have been lost with the connection. */
    client->acknowledges = client->acked[0] != '\0' && strcmp(client->acked, frame->cursor) == 0;
    if (client->options.on_welcome != NULL)
        client->options.on_welcome(client->options.context, &welcome);
    meridian_socket_want_write(client->socket);
}

/* What has a cursor was seen, and given to the caller. */
static void on_seen(struct meridian_client *client, const char *cursor)
{
    if (cursor[0] == '\0')
        return;
    meridian_client_keep_cursor(client->cursor, cursor);
    if (!client->options.acknowledges_itself)
        (void)meridian_client_ack(client, cursor);
}

static void on_msg(struct meridian_client *client, const struct meridian_frame *frame)
{
    struct meridian_message message = {
        .cursor = frame->cursor, .id = frame->id, .from = frame->from, .at_ms = frame->at_ms};

    buffer_clear(&client->body);
    buffer_append_text(&client->body, frame->body);
    buffer_append(&client->body, "", 1);
    if (client->body.failed) { /* not seen: it comes again on the next connection */
        meridian_socket_close(client->socket);
        meridian_client_lose(client, RETRY_LATER_MS, "memory is short");
        return;
    }
    message.body = (const char *)client->body.data;
    message.body_size = client->body.size - 1;
    if (client->options.on_message != NULL)
        client->options.on_message(client->options.context, &message);
    on_seen(client, frame->cursor);
}

/* Appends the ids, each with its terminator. Returns how many; those past IDS_MAX are not told. */
static size_t read_ids(struct text ids, struct buffer *out)
{
    struct json_reader reader;
    struct json_value id;
    size_t count = 0;

    if (json_array_open(&reader, ids) < 0)
        return 0;
    while (count < IDS_MAX && json_array_next(&reader, &id) == 1) {
        if (id.type != JSON_STRING || json_string_decode(id, out) < 0)
            continue;
        buffer_append(out, "", 1);
        count++;
    }
    return count;
}

static void on_receipt(struct meridian_client *client, const struct meridian_frame *frame)
{
    const char *ids[IDS_MAX];
    struct meridian_receipt receipt = {.cursor = frame->cursor,
                                       .kind = frame->receipt,
                                       .by = frame->by,
                                       .of_cursor = frame->of_cursor,
                                       .device = frame->device,
                                       .ids = ids,
                                       .at_ms = frame->at_ms};

    buffer_clear(&client->body);
    receipt.id_count = read_ids(frame->ids, &client->body);
    if (client->body.failed) {
        meridian_socket_close(client->socket);
        meridian_client_lose(client, RETRY_LATER_MS, "memory is short");
        return;
    }
    const char *next = (const char *)client->body.data;
    for (size_t i = 0; i < receipt.id_count; i++, next += strlen(next) + 1)
        ids[i] = next;
    if (client->options.on_receipt != NULL)
        client->options.on_receipt(client->options.context, &receipt);
    on_seen(client, frame->cursor);
}

void meridian_client_tell_result(struct meridian_client *client, struct meridian_send *send,
                                 const struct meridian_frame *frame, enum meridian_outcome outcome)
{
    char id[TEXT_MESSAGE_ID_MAX + 1];
    struct meridian_result result = {.id = id,
                                     .outcome = outcome,
                                     .code = frame == NULL ? "" : frame->code,
                                     .message = frame == NULL ? "" : frame->message,
                                     .retryable = outcome == MERIDIAN_UNKNOWN,
                                     .attempts = send->attempts};

    if (outcome == MERIDIAN_REJECTED) {
        result.retryable = frame->retryable;
        result.retry_after_ms = frame->retry_after_ms;
    }
    memcpy(id, send->id, sizeof id);
    meridian_sends_end(&client->sends, send);
    if (client->options.on_result != NULL)
        client->options.on_result(client->options.context, &result);
}

/* What an edge asks for; not longer than is sensible. */
static int64_t wait_of(uint64_t asked_ms)
{
    return asked_ms < TURN_MAX_MS ? (int64_t)asked_ms : TURN_MAX_MS;
}

static void on_answer(struct meridian_client *client, const struct meridian_frame *frame)
{
    struct meridian_send *send = meridian_sends_find(&client->sends, text_of(frame->id));

    if (send != NULL && frame->kind == MERIDIAN_FRAME_REJECTED &&
        strcmp(frame->code, "rate_limited") == 0)
        meridian_sends_again(&client->sends, send, wait_of(frame->retry_after_ms),
                             clock_monotonic_ms());
    else if (send != NULL) /* else a second answer, to a repeat */
        meridian_client_tell_result(client, send, frame,
                                    frame->kind == MERIDIAN_FRAME_ACCEPTED ? MERIDIAN_ACCEPTED
                                                                           : MERIDIAN_REJECTED);
}

static void tell_history(struct meridian_client *client, const struct meridian_history *history)
{
    client->recall.waits = false; /* so the next page may be asked for at once */
    if (client->options.on_history != NULL)
        client->options.on_history(client->options.context, history);
}

static void on_history(struct meridian_client *client, const struct meridian_frame *frame)
{
    struct meridian_message *messages;
    struct meridian_history history = {
        .more = frame->more, .missing = frame->reason, .code = "", .message = ""};

    if (!meridian_recall_is(&client->recall, frame->id))
        return;
    if (meridian_recall_read(frame->messages, &client->body, &messages, &history.count) < 0) {
        meridian_socket_close(client->socket); /* it is asked again on the next connection */
        meridian_client_lose(client, RETRY_LATER_MS, "a page of history cannot be read");
        return;
    }
    history.messages = messages;
    tell_history(client, &history);
    free(messages);
}

/* Of an ask for history, or of a hello; the fatal ones are followed by a close. */
static void on_error(struct meridian_client *client, const struct meridian_frame *frame)
{
    const struct meridian_history history = {.missing = "",
                                             .code = frame->code,
                                             .message = frame->message,
                                             .retryable = frame->retryable};

    client->later_ms = wait_of(frame->retry_after_ms);
    if (meridian_recall_is(&client->recall, frame->id))
        tell_history(client, &history);
}

static void on_resync(struct meridian_client *client, const struct meridian_frame *frame)
{
    meridian_client_keep_cursor(client->cursor, frame->cursor);
    client->acked[0] = '\0';
    client->acknowledges = false;
    if (client->options.on_resync != NULL)
        client->options.on_resync(client->options.context, frame->cursor);
}

static void on_goaway(struct meridian_client *client, const struct meridian_frame *frame)
{
    const uint64_t ttl_s =
        frame->endpoints_ttl_s < HINTS_MAX_S ? frame->endpoints_ttl_s : HINTS_MAX_S;

    client->goaway_ms = frame->reconnect_ms > 0 && frame->reconnect_ms < TURN_MAX_MS
                            ? (int64_t)frame->reconnect_ms
                            : RETRY_LATER_MS;
    meridian_hints_take(&client->hints, frame->endpoints, client->tls,
                        clock_monotonic_ms() + (int64_t)ttl_s * 1000);
}

void meridian_client_take(struct meridian_client *client, const struct meridian_frame *frame)
{
    const struct meridian_options *options = &client->options;

    switch (frame->kind) {
    case MERIDIAN_FRAME_WELCOME:
        on_welcome(client, frame);
        break;
    case MERIDIAN_FRAME_ACCEPTED:
    case MERIDIAN_FRAME_REJECTED:
        on_answer(client, frame);
        break;
    case MERIDIAN_FRAME_MSG:
        on_msg(client, frame);
        break;
    case MERIDIAN_FRAME_RECEIPT:
        on_receipt(client, frame);
        break;
    case MERIDIAN_FRAME_ACKED:
        if (options->on_acked != NULL)
            options->on_acked(options->context, frame->cursor);
        break;
    case MERIDIAN_FRAME_GAP:
        if (options->on_gap != NULL)
            options->on_gap(options->context, frame->from, frame->to, frame->reason);
        break;
    case MERIDIAN_FRAME_RESYNC:
        on_resync(client, frame);
        break;
    case MERIDIAN_FRAME_STATE:
        /* Instead of a welcome, when the home region is not reached: it can send already. */
        client->state = CLIENT_READY;
        if (options->on_home != NULL)
            options->on_home(options->context, strcmp(frame->home, "reachable") == 0);
        break;
    case MERIDIAN_FRAME_GOAWAY:
        on_goaway(client, frame);
        break;
    case MERIDIAN_FRAME_THROTTLE:
        meridian_sends_slow_down(&client->sends, wait_of(frame->retry_after_ms), frame->sends_per_s,
                                 clock_monotonic_ms());
        break;
    case MERIDIAN_FRAME_HISTORY:
        on_history(client, frame);
        break;
    case MERIDIAN_FRAME_ERROR:
        on_error(client, frame);
        break;
    case MERIDIAN_FRAME_EXPIRING:
        if (options->on_token != NULL)
            options->on_token(options->context, frame->left_ms > 0 ? frame->left_ms : 1);
        break;
    case MERIDIAN_FRAME_REFRESHED:
        meridian_shown_answered(&client->shown);
        if (options->on_refreshed != NULL)
            options->on_refreshed(options->context, frame->expires_at_ms);
        break;
    case MERIDIAN_FRAME_OTHER:
        break;
    }
}
