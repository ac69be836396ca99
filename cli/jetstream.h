/* JetStream's API, as far as provisioning needs it. Calls are repeated while JetStream is not ready
 * (its meta leader is being elected, a region is still joining), until the patience is used up. */
#pragma once

#include "cli/link.h"

struct cli_jetstream {
    struct cli_link *link;
    int64_t patience_ms; /* of one call */
};

struct cli_js_error {
    uint64_t code;     /* 0: none */
    uint64_t err_code; /* JetStream's own */
    char description[192];
};
enum {
    CLI_JS_STREAM_NOT_FOUND = 10059,
    CLI_JS_NO_SUITABLE_PEERS = 10005,
    CLI_JS_NOT_AVAILABLE = 10008,
    CLI_JS_STREAM_OFFLINE = 10118,
};

/* The `error` of an answer: 0 with code 0 when there is none. -EBADMSG: it is no JSON object. */
MUST_USE int cli_js_error_read(struct text answer, struct cli_js_error *ret_error);
/* Whether the same call may succeed a moment later. */
bool cli_js_error_passes(const struct cli_js_error *error);

/* Calls $JS.API.<what>; `ret_answer` (cleared before) is the answer. -EREMOTEIO: JetStream refused;
 * `ret_error` tells why. -ETIMEDOUT: never ready. Both with a sentence. */
MUST_USE int cli_js_call(struct cli_jetstream *js, const char *what, struct text body,
                         struct buffer *ret_answer, struct cli_js_error *ret_error,
                         struct error_text *reterr_why);

/* Publishes into a stream, waits for the PubAck and repeats while there is none. `expect`: what the
 * last sequence of the whole stream must be, or -1. -ESTALE: it is another one; nothing was stored,
 * unless by an earlier attempt of this call. */
MUST_USE int cli_js_publish(struct cli_jetstream *js, const char *subject, int64_t expect,
                            struct text body, uint64_t *ret_position,
                            struct error_text *reterr_why);
/* The same, expecting the last sequence of this subject. */
MUST_USE int cli_js_publish_subject(struct cli_jetstream *js, const char *subject, uint64_t expect,
                                    struct text body, uint64_t *ret_position,
                                    struct error_text *reterr_why);

/* The same, of what is dropped after `keep_s` seconds; 0: never. The stream must allow it. */
MUST_USE int cli_js_publish_for(struct cli_jetstream *js, const char *subject, uint64_t expect,
                                int64_t keep_s, struct text body, uint64_t *ret_position,
                                struct error_text *reterr_why);

/* Copies the message at a position of a stream, or the last one of a subject. -ENOENT: there is
 * none. */
MUST_USE int cli_js_get(struct cli_jetstream *js, const char *stream, uint64_t position,
                        struct buffer *ret_data, struct error_text *reterr_why);
MUST_USE int cli_js_get_last(struct cli_jetstream *js, const char *stream, const char *subject,
                             struct buffer *ret_data, struct error_text *reterr_why);
