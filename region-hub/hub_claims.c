#include "region-hub/hub_claims.h"

#include "log/log.h"
#include "region-hub/hub_directory.h"
#include "wire/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    CLAIM_TIMEOUT_MS = 5000,
    AGAIN_MS = 100, /* a primary that does not answer, or a leader that has just changed */
    FIRST_EPOCH = 1,
};

struct claim {
    struct list link;
    struct hub_claims *claims;
    const struct hub_edge *edge;
    uint64_t number; /* the edge's own */
    struct bus_request request;
    struct loop_timer again;
    int64_t due_ms;
    bool reading; /* another was first: whose home is it? */
    size_t user_size;
    char user[TEXT_USER_MAX];
};

struct hub_claims {
    struct hub_claims_settings settings;
    struct list pending;
    size_t count;
    struct log_limit limit;
};

struct hub_claims *hub_claims_new(const struct hub_claims_settings *settings)
{
    struct hub_claims *claims = calloc(1, sizeof *claims);
    if (claims == NULL)
        return NULL;
    claims->settings = *settings;
    list_init(&claims->pending);
    return claims;
}

static void forget(struct claim *claim)
{
    struct hub_claims *claims = claim->claims;
    bus_request_cancel(&claim->request);
    loop_timer_stop(claims->settings.loop, &claim->again);
    list_remove(&claim->link);
    claims->count--;
    free(claim);
}

void hub_claims_reset(struct hub_claims *claims)
{
    list_each(node, &claims->pending) forget(container_of(node, struct claim, link));
}

void hub_claims_free(struct hub_claims *claims)
{
    if (claims == NULL)
        return;
    hub_claims_reset(claims);
    free(claims);
}

size_t hub_claims_count(const struct hub_claims *claims)
{
    return claims->count;
}

static struct text user_of(const struct claim *claim)
{
    return (struct text){claim->user, claim->user_size};
}

static void answer(struct claim *claim, uint8_t code, struct text home, uint32_t epoch)
{
    struct hub_claims *claims = claim->claims;
    const struct wire_claimed claimed = {
        .request = claim->number,
        .user = user_of(claim),
        .code = code,
        .home = home,
        .epoch = epoch,
    };
    claims->settings.on_claimed(claims->settings.context, claim->edge, &claimed);
    forget(claim);
}

static void answer_unsure(struct claim *claim)
{
    log_limited(&claim->claims->limit, LOG_LEVEL_WARNING,
                "a home could not be claimed: the directory's primary does not answer");
    answer(claim, WIRE_UNSURE, text_of(claim->claims->settings.region), 0);
}

static void read_entry(struct claim *claim)
{
    const struct hub_claims_settings *settings = &claim->claims->settings;
    claim->reading = true;
    if (hub_directory_read_primary(settings->bus, &claim->request, user_of(claim),
                                   settings->buckets) != 0)
        answer_unsure(claim);
}

static void read_again(struct claim *claim)
{
    struct loop *loop = claim->claims->settings.loop;
    if (loop_now_ms(loop) + AGAIN_MS >= claim->due_ms)
        answer_unsure(claim);
    else
        loop_timer_set(loop, &claim->again, AGAIN_MS);
}

static void on_again(struct loop_timer *timer)
{
    read_entry(container_of(timer, struct claim, again));
}

static void on_read(struct claim *claim, const struct bus_message *message)
{
    struct hub_directory_entry entry;
    uint8_t room[HUB_DIRECTORY_ROOM];
    if (hub_directory_found_at_primary(message, room, &entry) == HUB_DIRECTORY_FOUND)
        answer(claim, WIRE_OK, entry.home, entry.epoch);
    else
        read_again(claim);
}

static void on_written(struct claim *claim, const struct bus_message *message)
{
    struct hub_claims *claims = claim->claims;
    uint64_t revision;
    switch (hub_directory_written(message, &revision)) {
    case HUB_DIRECTORY_WRITTEN:
        hub_directory_tell(claims->settings.bus, user_of(claim), &claims->limit);
        answer(claim, WIRE_OK, text_of(claims->settings.region), FIRST_EPOCH);
        break;
    case HUB_DIRECTORY_CHANGED:
    case HUB_DIRECTORY_UNKNOWN: /* the outcome: what does the directory say? */
        read_entry(claim);
        break;
    case HUB_DIRECTORY_REFUSED:
        answer_unsure(claim);
        break;
    }
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct claim *claim = container_of(request, struct claim, request);
    if (outcome == BUS_ANSWER)
        bus_request_cancel(request); /* it may be used again at once */
    if (claim->reading)
        on_read(claim, message);
    else
        on_written(claim, message);
    return false;
}

static void write_entry(struct claim *claim)
{
    struct hub_claims *claims = claim->claims;
    const struct hub_directory_entry entry = {.home = text_of(claims->settings.region),
                                              .epoch = FIRST_EPOCH};
    if (hub_directory_write(claims->settings.bus, &claim->request, user_of(claim),
                            claims->settings.buckets, &entry) != 0)
        answer_unsure(claim);
}

static bool is_pending(const struct hub_claims *claims, const struct hub_edge *edge,
                       uint64_t number)
{
    list_each(node, &claims->pending)
    {
        const struct claim *claim = container_of(node, struct claim, link);
        if (claim->edge == edge && claim->number == number)
            return true;
    }
    return false;
}

static void refuse(struct hub_claims *claims, const struct hub_edge *edge,
                   const struct wire_claim *asked, uint8_t code)
{
    const struct wire_claimed claimed = {
        .request = asked->request,
        .user = asked->user,
        .code = code,
        .home = asked->home,
    };
    claims->settings.on_claimed(claims->settings.context, edge, &claimed);
}

void hub_claims_ask(struct hub_claims *claims, const struct hub_edge *edge,
                    const struct wire_claim *asked)
{
    if (is_pending(claims, edge, asked->request))
        return;
    if (!wire_is_person(asked->user) ||
        !text_equal(asked->home, text_of(claims->settings.region))) {
        refuse(claims, edge, asked, WIRE_REFUSED);
        return;
    }
    struct claim *claim =
        claims->count < claims->settings.claims_max ? calloc(1, sizeof *claim) : NULL;
    if (claim == NULL) {
        refuse(claims, edge, asked, WIRE_BUSY);
        return;
    }
    claim->claims = claims;
    claim->edge = edge;
    claim->number = asked->request;
    claim->request.on_answer = on_answer;
    claim->again.on_due = on_again;
    claim->due_ms = loop_now_ms(claims->settings.loop) + CLAIM_TIMEOUT_MS;
    claim->user_size = asked->user.size;
    memcpy(claim->user, asked->user.data, asked->user.size);
    list_push(&claims->pending, &claim->link);
    claims->count++;
    write_entry(claim);
}
