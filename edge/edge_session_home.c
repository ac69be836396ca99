/* A session and its home: who it is, where its home is, and what the owner there says. */
#include "edge/edge_new_home.h"
#include "edge/edge_session_internal.h"

#include "base/hash.h"
#include "edge/edge_exchange.h"
#include "log/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Apart from the session: it is needed only while the directory is asked. */
struct finding {
    struct homes_lookup lookup;
    struct edge_session *session;
};

/* Who it is, and where its home is. */

void edge_session_end_finding(struct edge_session *session)
{
    if (session->finding == NULL)
        return;
    homes_cancel(&session->finding->lookup);
    free(session->finding);
    session->finding = NULL;
}

static void session_attach(struct edge_session *session, size_t region)
{
    struct edge_sessions *sessions = session->sessions;
    session->state = EDGE_SESSION_ATTACHING;
    int err = edge_home_attach(sessions->settings.home, &session->attach, region,
                               loop_now_ms(sessions->settings.loop));
    if (err != 0)
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
}

/* Nobody has seen the user, and the region that the token says does not exist. */
static void session_is_homeless(struct edge_session *session)
{
    static struct log_limit limit;
    log_limited(&limit, LOG_LEVEL_WARNING, "a new user's token names a home that is no region",
                LOG_TEXT("home", edge_token_home(session->token)));
    if (session->dialect->on_homeless != NULL)
        session->dialect->on_homeless(session);
    edge_session_close(session, EDGE_CLOSE_TOKEN, EDGE_NEW_HOME_MESSAGE);
}

static void session_found(struct edge_session *session, enum homes_found found, size_t region)
{
    const struct catalogue_region *home;
    if (found == HOMES_FOUND)
        session_attach(session, region);
    else if (found == HOMES_NOT_FOUND &&
             edge_new_home_of_token(session->sessions->settings.catalogue, session->token, &home) !=
                 0)
        session_is_homeless(session);
    else
        edge_session_look_in(session, EDGE_SESSION_FIND_AGAIN_MS);
}

static void on_home_found(struct homes_lookup *lookup, enum homes_found found, size_t region)
{
    struct finding *finding = container_of(lookup, struct finding, lookup);
    struct edge_session *session = finding->session;
    free(finding);
    session->finding = NULL;
    session_found(session, found, region);
}

void edge_session_find(struct edge_session *session)
{
    enum homes_found found;
    size_t region;
    struct finding *finding = calloc(1, sizeof *finding);
    if (finding == NULL) {
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
        return;
    }
    edge_session_end_finding(session); /* of a doubt that is settled */
    session->state = EDGE_SESSION_FINDING;
    session->finding = finding;
    finding->session = session;
    finding->lookup.on_found = on_home_found;
    finding->lookup.claim =
        edge_new_home(session->sessions->settings.catalogue, session->sessions->settings.near,
                      session->token, &session->client, &finding->lookup.home) == 0;
    edge_session_look_in(session, EDGE_SESSION_FIND_MAX_MS);
    int err = homes_find(session->sessions->settings.directory, edge_session_user(session),
                         &finding->lookup, &found, &region);
    if (err == -EINPROGRESS)
        return;
    edge_session_end_finding(session);
    if (err == 0)
        session_found(session, found, region);
    else
        edge_session_close(session, EDGE_CLOSE_LATER, "too many wait for the directory");
}

void edge_session_free_names(struct edge_session *session)
{
    free((void *)(uintptr_t)session->attach.names);
    session->attach.names = NULL;
}

int edge_session_name(struct edge_session *session, struct text user, struct text device)
{
    char *names = malloc(user.size + device.size + 1);
    if (names == NULL)
        return -ENOMEM;
    memcpy(names, user.data, user.size);
    if (device.size > 0)
        memcpy(names + user.size, device.data, device.size);
    edge_session_free_names(session);
    session->attach.names = names;
    session->attach.user_size = (uint8_t)user.size;
    session->attach.device_size = (uint8_t)device.size;
    return 0;
}

void edge_session_identify(struct edge_session *session, const struct edge_hello *hello)
{
    edge_session_is_known(session);
    if (edge_session_name(session, hello->user, hello->device) != 0) {
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
        return;
    }
    if (!edge_session_enter(session))
        return;
    session->attach.flags = hello->flags;
    session->attach.epoch = hello->epoch;
    session->attach.next = hello->seq + 1;
    edge_session_find(session);
}

static uint8_t home_of(const struct edge_session *session)
{
    struct edge_places places;
    edge_places_init(&places, session->sessions->settings.catalogue);
    return (uint8_t)edge_places_at(&places, session->attach.place).region;
}

const char *edge_session_home(const struct edge_session *session)
{
    return session->sessions->settings.catalogue->regions[home_of(session)].name;
}

/* What the owner says. */

static struct edge_session *session_of_attach(struct edge_attach *attach)
{
    return container_of(attach, struct edge_session, attach);
}

static void on_attached(struct edge_attach *attach, const struct wire_attached *attached,
                        bool again, bool resync)
{
    struct edge_session *session = session_of_attach(attach);
    session->state = EDGE_SESSION_OPEN;
    if (!session->welcomed) {
        session->welcomed = true;
        int64_t heartbeat = session->sessions->settings.edge->heartbeat_ms;
        uint16_t spread; /* so that clients that came together are not pinged together */
        hash_random(&spread, sizeof spread);
        edge_session_look_in(session, heartbeat / 2 + heartbeat / 2 * spread / UINT16_MAX);
        if (session->dialect->on_welcome != NULL)
            session->dialect->on_welcome(session, attached);
    } else if (session->home != home_of(session) && session->dialect->on_moved != NULL) {
        session->dialect->on_moved(session);
    }
    session->home = home_of(session);
    if (resync && session->dialect->on_resync != NULL)
        session->dialect->on_resync(session);
    /* Should the home move, what was written is where it goes on. */
    attach->flags |= WIRE_ATTACH_HAS_CURSOR;
    edge_exchange_attached(session->exchange, attached, again, resync);
}

static void on_deliver(struct edge_attach *attach, const struct wire_deliver *deliver)
{
    struct edge_session *session = session_of_attach(attach);
    session->active_ms = edge_sessions_now(session->sessions);
    session->dialect->on_deliver(session, deliver);
    edge_exchange_got(session->exchange);
}

static void on_confirmed(struct edge_attach *attach)
{
    struct edge_session *session = session_of_attach(attach);
    if (session->dialect->on_confirmed != NULL)
        session->dialect->on_confirmed(session);
}

static void on_gap(struct edge_attach *attach, const struct wire_gap *gap)
{
    struct edge_session *session = session_of_attach(attach);
    if (session->dialect->on_gap != NULL)
        session->dialect->on_gap(session, gap);
    edge_exchange_got(session->exchange);
}

static void on_lost(struct edge_attach *attach, enum edge_lost lost)
{
    struct edge_session *session = session_of_attach(attach);
    if (lost == EDGE_LOST_NOT_HOME) {
        const bool was_open = session->state == EDGE_SESSION_OPEN;
        homes_forget(session->sessions->settings.directory, edge_session_user(session));
        session->state = EDGE_SESSION_FINDING;
        if (was_open)
            edge_session_find(session);
        else /* not at once: a mirror may need a moment */
            edge_session_look_in(session, EDGE_SESSION_FIND_AGAIN_MS);
        return;
    }
    if (lost == EDGE_LOST_UNAUTHORIZED) {
        edge_session_refuse(session);
        return;
    }
    static const char *const reasons[] = {
        [EDGE_LOST_REPLACED] = "replaced by a newer connection of this device",
        [EDGE_LOST_REFUSED] = "refused",
        [EDGE_LOST_DROPPED] = "device dropped",
        [EDGE_LOST_ENDED] = "disconnected",
        [EDGE_LOST_RECONNECT] = "disconnected, come again",
    };
    if (lost == EDGE_LOST_DROPPED && session->dialect->on_dropped != NULL)
        session->dialect->on_dropped(session);
    edge_session_close(session,
                       lost == EDGE_LOST_RECONNECT ? EDGE_CLOSE_RECONNECT : EDGE_CLOSE_NEVER,
                       reasons[lost]);
}

static void session_doubted(struct edge_session *session, enum homes_found found, size_t region)
{
    if (found == HOMES_FOUND && region != home_of(session) &&
        session->attach.state != EDGE_DETACHED)
        edge_home_lose(session->sessions->settings.home, &session->attach);
}

static void on_home_doubted(struct homes_lookup *lookup, enum homes_found found, size_t region)
{
    struct finding *finding = container_of(lookup, struct finding, lookup);
    struct edge_session *session = finding->session;
    free(finding);
    session->finding = NULL;
    session_doubted(session, found, region);
}

static void on_doubt(struct edge_attach *attach)
{
    struct edge_session *session = session_of_attach(attach);
    struct homes *directory = session->sessions->settings.directory;
    enum homes_found found;
    size_t region;
    struct finding *finding = session->finding != NULL ? NULL : calloc(1, sizeof *finding);
    if (finding == NULL)
        return; /* the next time */
    session->finding = finding;
    finding->session = session;
    finding->lookup.on_found = on_home_doubted;
    homes_forget(directory, edge_session_user(session)); /* what was told may have been missed */
    int err = homes_find(directory, edge_session_user(session), &finding->lookup, &found, &region);
    if (err == -EINPROGRESS)
        return;
    edge_session_end_finding(session);
    if (err == 0)
        session_doubted(session, found, region);
}

static void on_reachable(struct edge_attach *attach, bool reachable)
{
    struct edge_session *session = session_of_attach(attach);
    if (session->dialect->on_reachable != NULL)
        session->dialect->on_reachable(session, reachable);
}

static struct text token_of_attach(struct edge_attach *attach)
{
    return edge_token_raw(session_of_attach(attach)->token);
}

const struct edge_attach_ops edge_session_attach_ops = {
    .token = token_of_attach,
    .on_attached = on_attached,
    .on_deliver = on_deliver,
    .on_confirmed = on_confirmed,
    .on_gap = on_gap,
    .on_lost = on_lost,
    .on_reachable = on_reachable,
    .on_doubt = on_doubt,
};
