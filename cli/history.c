#include "cli/history.h"

#include "cli/edges.h"
#include "cli/http.h"
#include "cli/login.h"
#include "json/json.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

enum { TIMEOUT_MS = 10000, UNAVAILABLE = 503 };

static void put_encoded(const char *text, struct buffer *out)
{
    for (const char *at = text; *at != '\0'; at++) {
        if (isascii(*at) && (isalnum(*at) || strchr("-._~:", *at) != NULL))
            buffer_append(out, at, 1);
        else
            buffer_printf(out, "%%%02X", (unsigned)(unsigned char)*at);
    }
}

void cli_history_path(const char *user, const char *before, const char *limit, struct buffer *out)
{
    buffer_append_text(out, TEXT("/api/messages/"));
    put_encoded(user, out);
    buffer_append_text(out, TEXT("?before="));
    put_encoded(before, out);
    if (limit != NULL) {
        buffer_append_text(out, TEXT("&limit="));
        put_encoded(limit, out);
    }
}

static bool is(struct json_value value, bool expected)
{
    bool flag;
    return json_to_bool(value, &flag) == 0 && flag == expected;
}

static int put_messages(struct json_value messages, struct buffer *out, struct text *ret_first)
{
    struct json_reader reader;
    struct json_value message, cursor;
    const struct json_pick picks[] = {{"cursor", &cursor}};
    int got = json_array_open(&reader, messages.raw);

    if (messages.type != JSON_ARRAY || got < 0)
        return -EBADMSG;
    while ((got = json_array_next(&reader, &message)) == 1) {
        if (message.type != JSON_OBJECT ||
            json_object_pick(message.raw, picks, COUNT_OF(picks)) < 0 || cursor.type != JSON_STRING)
            return -EBADMSG;
        if (ret_first->size == 0)
            *ret_first = (struct text){cursor.raw.data + 1, cursor.raw.size - 2};
        buffer_append_text(out, message.raw);
        buffer_append_text(out, TEXT("\n"));
    }
    return got < 0 ? -EBADMSG : 0;
}

int cli_history_lines(struct text body, struct buffer *out, struct buffer *notes)
{
    struct json_value messages, more, complete, reason;
    const struct json_pick picks[] = {
        {"messages", &messages}, {"more", &more}, {"complete", &complete}, {"reason", &reason}};
    struct text first = {"", 0};

    if (json_object_pick(body, picks, COUNT_OF(picks)) < 0 ||
        put_messages(messages, out, &first) < 0)
        return -EBADMSG;
    if (is(more, true) && first.size > 0)
        buffer_printf(notes, "there are older ones: --before %.*s\n", TEXT_ARGS(first));
    if (!is(complete, true))
        buffer_printf(notes, "older ones are missing: %.*s\n", TEXT_ARGS(reason.raw));
    return 0;
}

static void put(struct text text, FILE *to)
{
    if (text.size > 0)
        fwrite(text.data, 1, text.size, to);
}

static int print(struct text body)
{
    struct buffer out = {0}, notes = {0};
    int err = cli_history_lines(body, &out, &notes);

    if (err == 0 && (out.failed || notes.failed))
        err = -ENOMEM;
    if (err == 0) {
        put(buffer_text(&out), stdout);
        put(buffer_text(&notes), stderr);
    }
    buffer_free(&out);
    buffer_free(&notes);
    return err;
}

/* What an edge says when it refuses. */
static void say_refused(const char *url, int status, struct text body)
{
    struct json_value code, message;
    const struct json_pick picks[] = {{"code", &code}, {"message", &message}};

    if (json_object_pick(body, picks, COUNT_OF(picks)) == 0 && message.type == JSON_STRING)
        fprintf(stderr, "meridian history: %s: %.*s: %.*s\n", url, TEXT_ARGS(code.raw),
                TEXT_ARGS(message.raw));
    else
        fprintf(stderr, "meridian history: %s answers %d\n", url, status);
}

/* 0: it was printed; -EAGAIN: another edge may know; else it is of no use to ask on. */
static int ask(const char *url, const char *path, const char *token)
{
    static const char scheme[] = "http://";
    struct buffer body = {0};

    if (strncmp(url, scheme, sizeof scheme - 1) != 0) {
        fprintf(stderr, "meridian history: %s is not http://HOST:PORT\n", url);
        return -EAGAIN;
    }
    const struct cli_http_ask get = {
        .address = url + sizeof scheme - 1, .path = path, .token = token, .timeout_ms = TIMEOUT_MS};
    int status = cli_http_ask(&get, &body);
    int err = status == 200 ? print(buffer_text(&body)) : 0;
    if (status < 0)
        fprintf(stderr, "meridian history: %s: %s\n", url, strerror(-status));
    else if (status != 200)
        say_refused(url, status, buffer_text(&body));
    else if (err < 0)
        fprintf(stderr, "meridian history: %s: %s\n", url, strerror(-err));
    buffer_free(&body);
    if (status < 0 || status == UNAVAILABLE)
        return -EAGAIN;
    return status == 200 ? err : -EINVAL;
}

int cli_history(const struct cli_arguments *arguments)
{
    struct error_text why = {0};
    struct cli_edges edges = {0};
    struct cli_login login = {0};
    struct buffer path = {0};
    int err = -EAGAIN;

    cli_history_path(arguments->operands[0], cli_value_or(arguments, "before", ""),
                     cli_value(arguments, "limit"), &path);
    buffer_append(&path, "", 1);
    if (cli_login_choose(&login, arguments, &why) < 0 ||
        cli_edges_choose(&edges, arguments, &why) < 0 || path.failed)
        fprintf(stderr, "meridian history: %s\n", path.failed ? "out of memory" : why.text);
    else
        for (size_t i = 0; i < edges.count && err == -EAGAIN; i++)
            err = ask(edges.urls[i], (const char *)path.data, cli_login_token(&login));
    cli_edges_done(&edges);
    buffer_free(&path);
    return err == 0 ? CLI_OK : CLI_FAILED;
}
