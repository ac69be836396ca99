#include "cli/look.h"

#include "base/clock.h"
#include "bus/bus_stream.h"
#include "cli/buckets.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

enum { SILENT_MS = 6000, GONE_MS = 30000, PAUSE_MS = 250 };

/* "2026-11-24T05:36:14.744202417Z", with a fraction of 0 to 9 digits. */
static int read_time(struct text text, int64_t *ret_ns)
{
    struct tm utc = {0};
    int64_t fraction = 0, weight = 100000000;
    char room[40];

    if (text_put(room, sizeof room, text) < 0)
        return -EBADMSG;
    const char *at = strptime(room, "%Y-%m-%dT%H:%M:%S", &utc);
    if (at != NULL && *at == '.')
        for (at++; *at >= '0' && *at <= '9'; at++, weight /= 10)
            fraction += weight * (*at - '0');
    if (at == NULL || strcmp(at, "Z") != 0)
        return -EBADMSG;
    *ret_ns = (int64_t)timegm(&utc) * 1000000000 + fraction;
    return 0;
}

/* A member of an object, where both are there; else `into` is left empty. */
static int read_inner(struct json_value object, const char *key, char *into, size_t size)
{
    struct json_value value = {.type = JSON_ABSENT};
    const struct json_pick picks[] = {{key, &value}};
    struct text words;
    char room[WIRE_NAME_MAX];

    if (object.type != JSON_OBJECT)
        return 0;
    if (json_object_pick(object.raw, picks, COUNT_OF(picks)) < 0)
        return -EBADMSG;
    if (value.type == JSON_ABSENT)
        return 0;
    if (json_string_read(value, room, sizeof room, &words) < 0 || text_put(into, size, words) < 0)
        return -EBADMSG;
    return 0;
}

int cli_look_read(struct text answer, struct cli_look *ret_look)
{
    struct cli_look look = {.state = CLI_LOOK_THERE};
    struct json_value created, config, state, placement, mirror, last, messages;
    const struct json_pick outer[] = {
        {"created", &created}, {"config", &config}, {"state", &state}};
    const struct json_pick settings[] = {{"placement", &placement}, {"mirror", &mirror}};
    const struct json_pick figures[] = {{"last_seq", &last}, {"messages", &messages}};
    struct text made;
    char room[40];

    if (json_object_pick(answer, outer, COUNT_OF(outer)) < 0 ||
        json_object_pick(config.raw, settings, COUNT_OF(settings)) < 0 ||
        json_object_pick(state.raw, figures, COUNT_OF(figures)) < 0 ||
        json_string_read(created, room, sizeof room, &made) < 0 ||
        read_time(made, &look.made_ns) < 0 ||
        read_inner(placement, "cluster", look.cluster, sizeof look.cluster) < 0 ||
        read_inner(mirror, "name", look.mirror.text, sizeof look.mirror.text) < 0 ||
        json_to_u64(last, UINT64_MAX, &look.last) < 0 ||
        json_to_u64(messages, UINT64_MAX, &look.messages) < 0)
        return -EBADMSG;
    *ret_look = look;
    return 0;
}

static int ask(struct cli_jetstream *js, int64_t patience_ms, const char *stream,
               struct buffer *answer, struct cli_js_error *error, struct error_text *reterr_why)
{
    struct cli_jetstream asking = {.link = js->link, .patience_ms = patience_ms};
    char call[WIRE_NAME_MAX + 16];
    snprintf(call, sizeof call, "STREAM.INFO.%s", stream);
    return cli_js_call(&asking, call, TEXT(""), answer, error, reterr_why);
}

int cli_look_ready(struct cli_jetstream *js, struct error_text *reterr_why)
{
    struct buffer answer = {0};
    struct cli_js_error error;
    /* Only the leader says of a stream that there is none. */
    int err = ask(js, js->patience_ms, "MERIDIAN_NONE", &answer, &error, reterr_why);
    buffer_free(&answer);
    return err == -EREMOTEIO && error.err_code == CLI_JS_STREAM_NOT_FOUND ? 0 : err;
}

int cli_look(struct cli_jetstream *js, const char *stream, struct cli_look *ret_look,
             struct error_text *reterr_why)
{
    struct buffer answer = {0};
    struct cli_js_error error;
    int err = ask(js, SILENT_MS, stream, &answer, &error, reterr_why);

    if (err == -EREMOTEIO && error.err_code == CLI_JS_STREAM_NOT_FOUND) {
        *ret_look = (struct cli_look){.state = CLI_LOOK_GONE};
        err = 0;
    } else if (err == -ETIMEDOUT ||
               (err == -EREMOTEIO &&
                (error.err_code == CLI_JS_STREAM_OFFLINE || cli_js_error_passes(&error)))) {
        *ret_look = (struct cli_look){.state = CLI_LOOK_SILENT};
        err = 0;
    } else if (err == 0 && (err = cli_look_read(buffer_text(&answer), ret_look)) < 0) {
        error_text_set(reterr_why, err, "%s: cannot read what JetStream says of it", stream);
    }
    buffer_free(&answer);
    return err;
}

int cli_stream_call(struct cli_jetstream *js, const char *verb, const struct cli_stream *stream,
                    struct error_text *reterr_why)
{
    struct buffer notes = {0}, config = {0}, answer = {0};
    struct cli_js_error error;
    char call[WIRE_NAME_MAX + 16];

    if (stream->buckets > 0)
        cli_buckets_note(stream->buckets, &notes);
    cli_stream_write(stream, buffer_text(&notes), &config);
    snprintf(call, sizeof call, "STREAM.%s.%s", verb, stream->name.text);
    int err = notes.failed || config.failed
                  ? error_text_set(reterr_why, -ENOMEM, "out of memory")
                  : cli_js_call(js, call, buffer_text(&config), &answer, &error, reterr_why);
    buffer_free(&notes);
    buffer_free(&config);
    buffer_free(&answer);
    return err;
}

int cli_stream_delete(struct cli_jetstream *js, const char *stream, struct error_text *reterr_why)
{
    struct cli_jetstream asking = {.link = js->link}; /* once: the answer may never come */
    int64_t until = clock_monotonic_ms() + GONE_MS;
    struct cli_look look = {.state = CLI_LOOK_SILENT};
    struct cli_js_error error;
    struct buffer answer = {0};
    char call[WIRE_NAME_MAX + 16];
    int err = 0;

    snprintf(call, sizeof call, "STREAM.DELETE.%s", stream);
    while (look.state != CLI_LOOK_GONE && err == 0) {
        (void)!cli_js_call(&asking, call, TEXT(""), &answer, &error, NULL);
        err = cli_look(js, stream, &look, reterr_why);
        if (err == 0 && look.state != CLI_LOOK_GONE && clock_monotonic_ms() > until)
            err = error_text_set(reterr_why, -ETIMEDOUT, "%s cannot be deleted", stream);
        if (err == 0 && look.state != CLI_LOOK_GONE)
            cli_link_rest(js->link, PAUSE_MS);
    }
    buffer_free(&answer);
    return err;
}
