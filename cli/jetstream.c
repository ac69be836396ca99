#include "cli/jetstream.h"

#include "base/clock.h"
#include "bus/bus_stream.h"
#include "wire/names.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { CALL_MS = 5000, PAUSE_MS = 250, GET_MS = 2000 };

int cli_js_error_read(struct text answer, struct cli_js_error *ret_error)
{
    struct cli_js_error error = {0};
    struct json_value member, code, err_code, description;
    const struct json_pick outer[] = {{"error", &member}};
    const struct json_pick inner[] = {
        {"code", &code}, {"err_code", &err_code}, {"description", &description}};
    struct text words = {0};

    if (json_object_pick(answer, outer, COUNT_OF(outer)) < 0)
        return -EBADMSG;
    if (member.type == JSON_ABSENT) {
        *ret_error = error;
        return 0;
    }
    if (json_object_pick(member.raw, inner, COUNT_OF(inner)) < 0 ||
        json_to_u64(code, UINT32_MAX, &error.code) < 0)
        return -EBADMSG;
    if (err_code.type != JSON_ABSENT && json_to_u64(err_code, UINT32_MAX, &error.err_code) < 0)
        return -EBADMSG;
    char room[sizeof error.description];
    if (json_string_read(description, room, sizeof room, &words) == 0)
        snprintf(error.description, sizeof error.description, "%.*s", TEXT_ARGS(words));
    *ret_error = error;
    return 0;
}

bool cli_js_error_passes(const struct cli_js_error *error)
{
    return error->code == 503 || error->err_code == CLI_JS_NOT_AVAILABLE ||
           error->err_code == CLI_JS_NO_SUITABLE_PEERS;
}

static int on_bytes(void *context, const struct bus_message *answer)
{
    struct buffer *into = context;
    buffer_append(into, answer->data, answer->size);
    return into->failed ? -ENOMEM : 0;
}

/* One try: 0, -EREMOTEIO with the error, or why there is no answer. */
static int try_call(struct cli_jetstream *js, const char *subject, struct text body,
                    struct buffer *answer, struct cli_js_error *error)
{
    struct cli_question question = {.subject = subject, .body = body, .timeout_ms = CALL_MS};

    buffer_clear(answer);
    *error = (struct cli_js_error){0};
    int err = cli_link_ask(js->link, &question, on_bytes, answer);
    if (err == 0)
        err = cli_js_error_read(buffer_text(answer), error);
    return err == 0 && error->code != 0 ? -EREMOTEIO : err;
}

/* `error` is what -EREMOTEIO stands for; NULL where that cannot be. */
static bool passes(int err, const struct cli_js_error *error)
{
    if (err == -EREMOTEIO)
        return error != NULL && cli_js_error_passes(error);
    return err == -ETIMEDOUT || err == -ECONNREFUSED || err == -ENOTCONN;
}

static int explain(int err, const char *what, const struct cli_js_error *error,
                   struct error_text *reterr_why)
{
    if (err == -EREMOTEIO)
        return error_text_set(reterr_why, err, "%s: JetStream says: %s (%" PRIu64 ")", what,
                              error->description, error->err_code);
    if (err == -ECONNREFUSED || err == -ENOTCONN || err == -ETIMEDOUT)
        return error_text_set(reterr_why, -ETIMEDOUT, "%s: JetStream does not answer", what);
    return error_text_set(reterr_why, err, "%s: %s", what, strerror(-err));
}

int cli_js_call(struct cli_jetstream *js, const char *what, struct text body,
                struct buffer *ret_answer, struct cli_js_error *ret_error,
                struct error_text *reterr_why)
{
    int64_t until = clock_monotonic_ms() + js->patience_ms;
    char subject[WIRE_NAME_MAX + 32];

    snprintf(subject, sizeof subject, "$JS.API.%s", what);
    int err = try_call(js, subject, body, ret_answer, ret_error);
    while (passes(err, ret_error) && clock_monotonic_ms() < until) {
        cli_link_rest(js->link, PAUSE_MS);
        err = try_call(js, subject, body, ret_answer, ret_error);
    }
    return err == 0 ? 0 : explain(err, what, ret_error, reterr_why);
}

static int on_puback(void *context, const struct bus_message *answer)
{
    return bus_puback_read(answer, context);
}

static int publish(struct cli_jetstream *js, const struct cli_question *question,
                   uint64_t *ret_position, struct error_text *reterr_why)
{
    int64_t until = clock_monotonic_ms() + js->patience_ms;
    struct bus_puback ack = {0};
    int err = cli_link_ask(js->link, question, on_puback, &ack);
    while ((passes(err, NULL) || ack.code == 503) && clock_monotonic_ms() < until) {
        cli_link_rest(js->link, PAUSE_MS);
        ack = (struct bus_puback){0};
        err = cli_link_ask(js->link, question, on_puback, &ack);
    }

    if (err < 0)
        return error_text_set(reterr_why, err, "no answer to a publish to %s: %s",
                              question->subject, strerror(-err));
    if (ack.err_code == BUS_ERR_WRONG_LAST_SEQUENCE)
        return error_text_set(reterr_why, -ESTALE, "somebody else wrote to %s meanwhile",
                              question->subject);
    if (ack.code != 0)
        return error_text_set(reterr_why, -EREMOTEIO, "cannot write to %s: %s (%d)",
                              question->subject, ack.description, ack.err_code);
    *ret_position = ack.position;
    return 0;
}

int cli_js_publish(struct cli_jetstream *js, const char *subject, int64_t expect, struct text body,
                   uint64_t *ret_position, struct error_text *reterr_why)
{
    char value[24];
    struct cli_question question = {.subject = subject, .body = body, .timeout_ms = CALL_MS};

    snprintf(value, sizeof value, "%" PRId64, expect);
    if (expect >= 0)
        question.headers[question.header_count++] =
            (struct bus_field){"Nats-Expected-Last-Sequence", value};
    return publish(js, &question, ret_position, reterr_why);
}

int cli_js_publish_subject(struct cli_jetstream *js, const char *subject, uint64_t expect,
                           struct text body, uint64_t *ret_position, struct error_text *reterr_why)
{
    return cli_js_publish_for(js, subject, expect, 0, body, ret_position, reterr_why);
}

int cli_js_publish_for(struct cli_jetstream *js, const char *subject, uint64_t expect,
                       int64_t keep_s, struct text body, uint64_t *ret_position,
                       struct error_text *reterr_why)
{
    char value[24], keep[24];
    struct cli_question question = {.subject = subject, .body = body, .timeout_ms = CALL_MS};

    snprintf(value, sizeof value, "%" PRIu64, expect);
    question.headers[question.header_count++] =
        (struct bus_field){"Nats-Expected-Last-Subject-Sequence", value};
    snprintf(keep, sizeof keep, "%" PRId64, keep_s);
    if (keep_s > 0)
        question.headers[question.header_count++] = (struct bus_field){"Nats-TTL", keep};
    return publish(js, &question, ret_position, reterr_why);
}

static int on_entry(void *context, const struct bus_message *answer)
{
    struct bus_entry entry;
    int err = bus_entry_read(answer, &entry, NULL);

    if (err == 0)
        buffer_append(context, entry.data, entry.size);
    return err;
}

static int get(struct cli_jetstream *js, const char *stream, const char *body,
               struct buffer *ret_data, struct error_text *reterr_why)
{
    int64_t until = clock_monotonic_ms() + js->patience_ms;
    char subject[WIRE_NAME_MAX + 32];
    struct cli_question question = {
        .subject = subject, .body = text_of(body), .timeout_ms = GET_MS};

    snprintf(subject, sizeof subject, "$JS.API.DIRECT.GET.%s", stream);
    buffer_clear(ret_data);
    int err = cli_link_ask(js->link, &question, on_entry, ret_data);
    while ((err == -EAGAIN || passes(err, NULL)) && clock_monotonic_ms() < until) {
        cli_link_rest(js->link, PAUSE_MS);
        buffer_clear(ret_data);
        err = cli_link_ask(js->link, &question, on_entry, ret_data);
    }
    if (err == 0 || err == -ENOENT)
        return err;
    return error_text_set(reterr_why, err, "cannot read %s: %s", stream, strerror(-err));
}

int cli_js_get(struct cli_jetstream *js, const char *stream, uint64_t position,
               struct buffer *ret_data, struct error_text *reterr_why)
{
    char body[48];
    snprintf(body, sizeof body, "{\"seq\":%" PRIu64 "}", position);
    return get(js, stream, body, ret_data, reterr_why);
}

int cli_js_get_last(struct cli_jetstream *js, const char *stream, const char *subject,
                    struct buffer *ret_data, struct error_text *reterr_why)
{
    char body[WIRE_NAME_MAX + 32];
    snprintf(body, sizeof body, "{\"last_by_subj\":\"%s\"}", subject);
    return get(js, stream, body, ret_data, reterr_why);
}
