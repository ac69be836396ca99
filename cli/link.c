#include "cli/link.h"

#include "base/clock.h"
#include "bus/bus_stream.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static int open_bus(struct cli_link *link, const struct catalogue_region *region,
                    struct error_text *reterr_why)
{
    struct buffer urls = {0};
    char name[64];
    int err = 0;

    snprintf(name, sizeof name, "meridian-%ld", (long)getpid());
    catalogue_nats_urls(region, &urls);
    if (urls.failed) {
        buffer_free(&urls);
        return error_text_set(reterr_why, -ENOMEM, "out of memory");
    }
    const struct bus_settings settings = {.urls = (const char *)urls.data,
                                          .name = name,
                                          .credentials = getenv("MERIDIAN_NATS_CREDENTIALS")};
    link->bus = bus_open(link->loop, &settings, reterr_why);
    if (link->bus == NULL)
        err = -EINVAL;
    buffer_free(&urls);
    return err;
}

int cli_link_open(struct cli_link *link, const struct catalogue_region *region, int64_t wait_ms,
                  struct error_text *reterr_why)
{
    int64_t until = clock_monotonic_ms() + wait_ms;

    *link = (struct cli_link){.loop = loop_new()};
    if (link->loop == NULL)
        return error_text_set(reterr_why, -ENOMEM, "cannot make an event loop");
    int err = open_bus(link, region, reterr_why);
    while (err == 0 && !bus_is_connected(link->bus)) {
        int64_t left = until - clock_monotonic_ms();
        if (left <= 0)
            err =
                error_text_set(reterr_why, -ETIMEDOUT, "no NATS server of region %s answers at %s",
                               region->name, region->nodes[0].client);
        else
            loop_turn(link->loop, (int)left);
    }
    if (err < 0)
        cli_link_close(link);
    return err;
}

void cli_link_close(struct cli_link *link)
{
    if (link->bus != NULL)
        bus_close(link->bus);
    if (link->loop != NULL)
        loop_free(link->loop);
    *link = (struct cli_link){0};
}

struct waiting {
    struct bus_request request;
    cli_on_answer *on_answer;
    void *context;
    bool done;
    int result;
};

static bool on_request_answer(struct bus_request *request, enum bus_outcome outcome,
                              const struct bus_message *message)
{
    struct waiting *waiting = container_of(request, struct waiting, request);

    switch (outcome) {
    case BUS_ANSWER:
        waiting->result = waiting->on_answer(waiting->context, message);
        break;
    case BUS_TIMEOUT:
        waiting->result = -ETIMEDOUT;
        break;
    case BUS_NO_RESPONDERS:
        waiting->result = -ECONNREFUSED;
        break;
    }
    waiting->done = true;
    return false;
}

static int wait_for(struct cli_link *link, struct waiting *waiting)
{
    while (!waiting->done)
        loop_turn(link->loop, -1);
    return waiting->result;
}

int cli_link_ask(struct cli_link *link, const struct cli_question *question,
                 cli_on_answer *on_answer, void *context)
{
    struct waiting waiting = {
        .request.on_answer = on_request_answer, .on_answer = on_answer, .context = context};
    int err = bus_request_with_headers(
        link->bus, &waiting.request, question->subject, question->headers, question->header_count,
        question->body.data, question->body.size, question->timeout_ms);
    return err < 0 ? err : wait_for(link, &waiting);
}

int cli_link_get_last(struct cli_link *link, const char *stream, const char *subject,
                      int64_t timeout_ms, cli_on_answer *on_answer, void *context)
{
    struct waiting waiting = {
        .request.on_answer = on_request_answer, .on_answer = on_answer, .context = context};
    int err = bus_get_last(link->bus, &waiting.request, stream, subject, timeout_ms);
    return err < 0 ? err : wait_for(link, &waiting);
}

void cli_link_rest(struct cli_link *link, int64_t rest_ms)
{
    int64_t until = clock_monotonic_ms() + rest_ms;
    for (int64_t left = rest_ms; left > 0; left = until - clock_monotonic_ms())
        loop_turn(link->loop, (int)left);
}
