/* A loop and a bus for a command that asks one question at a time: each call turns the loop until
 * its answer is there. */
#pragma once

#include "base/error_text.h"
#include "bus/bus.h"
#include "catalogue/catalogue.h"

struct cli_link {
    struct loop *loop;
    struct bus *bus;
};

/* Connects to a node of `region`, with the certificate in the folder that the environment variable
 * MERIDIAN_NATS_CREDENTIALS names, if it does, waiting at most `wait_ms`. -ETIMEDOUT, -ENOMEM,
 * -EINVAL. After a failure there is nothing to close. */
MUST_USE int cli_link_open(struct cli_link *link, const struct catalogue_region *region,
                           int64_t wait_ms, struct error_text *reterr_why);
void cli_link_close(struct cli_link *link); /* a zeroed one is fine */

struct cli_question {
    const char *subject;
    struct bus_field headers[2];
    size_t header_count;
    struct text body;
    int64_t timeout_ms;
};
/* What becomes of the answer; the message is borrowed for the call. */
typedef int cli_on_answer(void *context, const struct bus_message *answer);
/* What on_answer returned; or -ETIMEDOUT, -ECONNREFUSED (nobody is there to answer), -ENOTCONN and
 * what else bus_publish() says. */
MUST_USE int cli_link_ask(struct cli_link *link, const struct cli_question *question,
                          cli_on_answer *on_answer, void *context);
/* The same for the last message of a subject, see bus_get_last(). */
MUST_USE int cli_link_get_last(struct cli_link *link, const char *stream, const char *subject,
                               int64_t timeout_ms, cli_on_answer *on_answer, void *context);
/* Lets what is going on go on for a while. */
void cli_link_rest(struct cli_link *link, int64_t rest_ms);
