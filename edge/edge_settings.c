#include "edge/edge_settings.h"

#include "catalogue/catalogue.h"
#include "edge/edge_origins.h"
#include "edge/edge_routes.h"
#include "wire/batch.h"
#include "wire/frame.h"
#include "wire/record.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>

#define KIB(n) ((uint64_t)(n)*1024)
#define MIB(n) (KIB(n) * 1024)
#define SECONDS(n) ((uint64_t)(n)*1000)
#define HOURS(n) (SECONDS(n) * 3600)

static const char *const edge_log_levels[] = {"error", "warning", "info", "debug", NULL};
static const char *const edge_forwarded_headers[] = {"x-forwarded-for", "forwarded", NULL};

#define TEXT_ROW(member, key, least, doc)                                                          \
    SETTING_TEXT(struct edge_settings, member, key, "", least, doc)
#define NETWORKS_ROW(member, key, doc)                                                             \
    SETTING_TEXT_VALID(struct edge_settings, member, key, "", 0, networks_are_valid,               \
                       NETWORKS_RULE, doc)
#define U32(member, ...) SETTING_U32(struct edge_settings, member, __VA_ARGS__)
#define BYTES(member, ...) SETTING_BYTES(struct edge_settings, member, __VA_ARGS__)
#define DURATION(member, ...) SETTING_DURATION(struct edge_settings, member, __VA_ARGS__)

/* clang-format off */
const struct setting edge_settings_table[] = {
    SETTING_TEXT_VALID(struct edge_settings, region, "region", "", 0, text_is_region_name,
        "a region's name: 1 to 16 of a-z, 0-9 and -", "Region of the catalogue that this edge is in; usually given by --region."),
    SETTING_TEXT_VALID(struct edge_settings, name, "name", "", 0, text_is_process_name,
        "a process's name: 1 to 32 of a-z, 0-9 and -", "Name of this edge, unique over all regions; usually given by --name."),
    SETTING_TEXT_VALID(struct edge_settings, listen, "listen", "", 0, settings_is_address,
        SETTINGS_RULE_ADDRESS, "Where clients connect; empty: what the catalogue says of this edge."),
    SETTING_TEXT_VALID(struct edge_settings, origins, "origins", "", 0, edge_origins_are_valid,
        EDGE_ORIGINS_RULE, "Comma-separated origins of web pages that may use this edge, or *; empty: none is told that it may."),
    SETTING_BOOL(struct edge_settings, tokens_in_query, "tokens_in_query", false,
        "Whether a token may stand in the query of requests without a WebSocket; proxies log queries."),
    SETTING_TEXT_VALID(struct edge_settings, roles, "roles", "api, socket", 1, edge_roles_are_valid,
        EDGE_ROLES_RULE, "What this edge is there for: api, the calls of services; socket, the connections of clients."),
    U32(processes, "processes", 0, 0, CATALOGUE_PROCESSES_MAX,
        "Processes that share the port, at most as many as the catalogue gives this edge; 0: as many."),
    SETTING_ENUM(struct edge_settings, log_level, "log.level", 2, edge_log_levels,
        "Least severe events that are logged: error, warning, info or debug."),
    AUTH_SETTINGS_ROWS(struct edge_settings, auth),
    EDGE_TLS_SETTINGS_ROWS(struct edge_settings, tls),

    TEXT_ROW(nats_urls, "nats.urls", 0, "Comma-separated nats:// addresses; empty: the region's nodes of the catalogue."),
    TEXT_ROW(nats_user, "nats.user", 0, "User at NATS; empty: none."),
    TEXT_ROW(nats_password, "nats.password", 0, "Password at NATS."),
    TEXT_ROW(nats_credentials, "nats.credentials", 0,
        "Folder of ca.pem, certificate.pem and key.pem, with which it connects to NATS by TLS; empty: without."),
    BYTES(nats_pending_max, "nats.pending_max", MIB(8), KIB(64), MIB(256),
        "Output to NATS that its socket has not taken yet; past it publishes wait."),

    NETWORKS_ROW(proxy_networks, "proxy.networks",
        "Networks of balancers that begin each connection with a header of the PROXY protocol, which they then must."),
    DURATION(proxy_header_wait_ms, "proxy.header_wait", SECONDS(3), 100, SECONDS(60),
        "How long that header may take."),
    NETWORKS_ROW(forwarded_networks, "proxy.forwarded_networks",
        "Networks of balancers that are believed who the client of a request is."),
    SETTING_ENUM(struct edge_settings, forwarded_header, "proxy.forwarded_header", 0, edge_forwarded_headers,
        "The header that they say it in: x-forwarded-for or forwarded. The other one is never looked at."),

    U32(sessions_max, "limits.sessions_max", 50000, 1, 1000000,
        "Connections of clients; at the limit the listener rests until one goes."),
    U32(unfinished_max, "limits.unfinished_max", 2000, 1, 1000000,
        "Connections without a whole request; at the limit the listener rests, and one older than 1 s gives way."),
    U32(strangers_max, "limits.strangers_max", 8000, 1, 1000000,
        "WebSockets without a hello; one more is answered 503."),
    U32(handshakes_per_s, "limits.handshakes_per_s", 4000, 1, 1000000,
        "WebSockets and streams that open in a second; one more is answered 503."),
    U32(handshakes_burst, "limits.handshakes_burst", 8000, 1, 1000000,
        "How many may come at once, after a pause."),
    U32(logins_per_s, "limits.logins_per_s", 2000, 1, 1000000,
        "Clients that log in in a second; one more is told when to come again, and closed with 4001."),
    U32(logins_burst, "limits.logins_burst", 10000, 1, 1000000,
        "How many may at once, after a pause: all of it who resume, half of it who are new."),
    U32(drain_per_s, "limits.drain_per_s", 500, 1, 1000000,
        "Clients that a stopping edge sends away in a second: what the others can take in."),
    U32(sessions_near_max, "limits.sessions_near_max", 0, 0, 1000000,
        "WebSockets from one neighbourhood, a /24 or an IPv6 /48; one more is answered 429. 0: no limit."),
    U32(requests_max, "limits.requests_max", 4096, 1, 100000,
        "HTTP requests waiting for an answer; one more is answered 503."),
    BYTES(message_max, "limits.message_max", KIB(96), KIB(1), KIB(512),
        "A WebSocket message or a request's body; a larger one closes with 1009 or is answered 413."),
    BYTES(body_max, "limits.body_max", KIB(64), 64, WIRE_BODY_MAX,
        "The body of a message to a user; a larger one is rejected as too_large."),
    U32(recipients_max, "limits.recipients_max", WIRE_RECIPIENTS_MAX, 1, WIRE_RECIPIENTS_MAX,
        "Recipients of one send."),
    U32(ttl_max_s, "limits.ttl_max_s", 7 * 24 * 3600, 1, 366 * 24 * 3600,
        "The longest time to live a send may ask for, in seconds."),
    BYTES(pending_max, "limits.pending_max", KIB(256), KIB(16), MIB(64),
        "Output a client has not taken, judged after trying to write; past it the client is closed with 4000."),
    U32(sends_max, "limits.sends_max", 1024, 1, 100000,
        "Sends of one connection without an outcome; at the limit its socket is not read."),
    U32(sends_per_s, "limits.sends_per_s", 20, 0, 1000000,
        "Sends of one WebSocket in a second; one more is rejected as rate_limited. 0: no limit."),
    U32(sends_burst, "limits.sends_burst", 40, 1, 1000000,
        "How many at once, after a pause."),
    U32(user_sends_per_s, "limits.user_sends_per_s", 50, 0, 1000000,
        "Sends of one user in a second, by all connections and requests. 0: no limit."),
    U32(user_sends_burst, "limits.user_sends_burst", 100, 1, 1000000,
        "How many at once, after a pause."),
    U32(near_sends_per_s, "limits.near_sends_per_s", 500, 0, 1000000,
        "Sends from one neighbourhood, a /24 or an IPv6 /48, in a second; not of this machine. 0: no limit."),
    U32(near_sends_burst, "limits.near_sends_burst", 1000, 1, 1000000,
        "How many at once, after a pause."),
    U32(service_sends_per_s, "limits.service_sends_per_s", 2000, 0, 1000000,
        "Sends of one service (auth.service_scope) in a second, in place of those three. 0: no limit."),
    U32(service_sends_burst, "limits.service_sends_burst", 4000, 1, 1000000,
        "How many at once, after a pause."),
    U32(user_logins_per_min, "limits.user_logins_per_min", 10, 0, 60000,
        "Logins of one user in a minute, so many at once, twice as many who show a cursor; one more is told when. 0: no limit."),
    U32(user_sessions_max, "limits.user_sessions_max", 8, 0, 1000000,
        "WebSockets, streams and polls of one user; one more is answered 429, or closed with 4001. 0: no limit."),
    U32(remembered_max, "limits.remembered_max", 131072, 64, 4194304,
        "Connections, users and neighbourhoods whose sends and logins of the last moments are counted."),
    U32(pings_per_s, "limits.pings_per_s", 20, 1, 1000000,
        "Pings of one WebSocket in a second, and twice as many at once; one more closes it with 1008."),
    U32(reads_max, "limits.reads_max", 65536, 1, 10000000,
        "Receipts of reading that are not in a log yet, or were a second ago; one more is answered busy."),
    U32(reads_one_max, "limits.reads_one_max", 64, 1, 4096,
        "Those of one connection."),
    U32(post_messages_max, "limits.post_messages_max", 100, 1, 256,
        "Messages in one POST; with more none is sent, and it is answered 413."),
    U32(polls_max, "limits.polls_max", 1024, 1, 100000,
        "Requests that read a mailbox at one time; one more is answered 503."),
    U32(poll_messages_max, "limits.poll_messages_max", 256, 1, 256,
        "Messages in the answer to one such request."),
    DURATION(poll_wait_max_ms, "limits.poll_wait_max", SECONDS(60), 0, SECONDS(600),
        "The longest wait= such a request may ask for."),
    U32(frames_max, "limits.frames_max", 64, 1, 256,
        "Frames in the body of one POST /v1/frames; more are answered 413."),
    U32(histories_max, "limits.histories_max", 256, 1, 100000,
        "Pages of history that are asked for at one time; one more is answered busy."),
    U32(history_messages_max, "limits.history_messages_max", WIRE_HISTORY_ROWS_MAX, 1, WIRE_HISTORY_ROWS_MAX,
        "Messages of one such page."),

    DURATION(request_ms, "times.request", SECONDS(10), 100, SECONDS(60),
        "How long a connection may take to bring a whole request, from its beginning or the last answer on."),
    DURATION(hello_timeout_ms, "times.hello_timeout", SECONDS(5), 100, SECONDS(60),
        "How long a connection may stay without its hello."),
    DURATION(heartbeat_ms, "times.heartbeat", SECONDS(30), SECONDS(1), SECONDS(3600),
        "How often a silent client is pinged; after two without a sign of life it is closed."),
    DURATION(idle_ms, "times.idle", 0, 0, HOURS(24 * 7),
        "A client that neither sends nor receives a message for so long is closed with 4001; 0: never."),
    DURATION(progress_ms, "times.progress", SECONDS(10), 100, SECONDS(600),
        "A client that takes none of its pending output for so long is closed with 4000."),
    DURATION(flood_ms, "times.flood", SECONDS(10), SECONDS(1), HOURS(1),
        "A WebSocket that goes on sending faster than it may, for so long without a pause, is closed with 1008."),
    DURATION(close_ms, "times.close", SECONDS(2), 100, SECONDS(60),
        "How long a closed client may take to end its side."),
    DURATION(drain_ms, "times.drain", SECONDS(5), 0, SECONDS(60),
        "How long a stopping edge waits for the outcome of what it has sent, after all clients had their turn."),

    U32(queue_records_max, "outbound.records_max", 16384, 1, 1000000,
        "Sends waiting for one shard; one more is rejected as busy."),
    BYTES(queue_bytes_max, "outbound.bytes_max", MIB(8), KIB(512), MIB(1024),
        "Bytes of them."),
    DURATION(pace_max_ms, "outbound.pace_max", 5, 0, 1000,
        "The widest spacing of two publishes to a busy shard; the edge chooses up to it."),
    DURATION(resend_ms, "outbound.resend", 300, 50, SECONDS(60),
        "A batch not acknowledged for so long is published again, byte for byte; later where the log is slow."),
    DURATION(answer_ms, "outbound.answer", SECONDS(10), 100, SECONDS(60),
        "How long a POST waits for its outcome before it is answered as unknown."),
    U32(full_permille, "outbound.full_permille", 850, 1, 1000,
        "Use of a log or outbox from which on sends to it are rejected as storage_full."),
    DURATION(backlog_ms, "outbound.backlog", HOURS(48), SECONDS(1), HOURS(24 * 30),
        "Age of the oldest batch on its way to a region from which on sends are rejected as home_backlogged."),
    DURATION(lag_max_ms, "outbound.lag_max", SECONDS(2), 10, SECONDS(600),
        "Lag of a shard of this region from which on sends are rejected as busy."),

    U32(directory_users_max, "directory.users_max", 200000, 1, 50000000,
        "Users whose home is remembered."),
    U32(directory_waiting_max, "directory.waiting_max", 20000, 1, 1000000,
        "Sends and connections waiting for the directory; one more is rejected as busy."),
    BYTES(directory_waiting_bytes, "directory.waiting_bytes", MIB(16), KIB(64), MIB(1024),
        "Bytes of those sends."),

    TEXT_ROW(geo_database, "geo.database", 0,
        "A MaxMind DB file: clients are told which edges are near, new users get a near home. Empty: no such thing."),
    TEXT_ROW(geo_sign_key, "geo.sign_key", 0,
        "A file with a secret of 32 bytes or more that GET /v1/edges signs with (HS256); empty: it does not."),
    DURATION(geo_ttl_ms, "geo.ttl", SECONDS(60), SECONDS(1), HOURS(24),
        "How long what clients are told of edges is good."),
    DURATION(geo_drain_after_ms, "geo.drain_after", SECONDS(40), 0, SECONDS(3600),
        "How long names have to lead elsewhere before clients of a region that drains are sent away."),
    U32(geo_drain_rate, "geo.drain_rate", 100, 1, 100000,
        "Clients a second that are sent away while the region of this edge drains."),
    U32(geo_rebalance_rate, "geo.rebalance_rate", 10, 0, 100000,
        "Clients a second that are sent to a region that is nearer by a fifth or more; 0: none."),
    DURATION(geo_grace_ms, "geo.grace", SECONDS(2), 100, SECONDS(600),
        "How long a client that is sent away may stay; until then it should connect elsewhere."),
    DURATION(geo_apart_ms, "geo.apart", SECONDS(600), SECONDS(1), HOURS(24),
        "Who connected more lately than that is not sent away for nearness, nor again by one drain."),
    SETTINGS_END,
};
/* clang-format on */

bool edge_settings_is_loopback(struct text host)
{
    char name[SETTINGS_HOST_MAX + 1];
    struct in_addr v4;
    struct in6_addr v6;
    if (text_put(name, sizeof name, host) != 0)
        return false;
    if (inet_pton(AF_INET, name, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, name, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return false;
}

/* Its region, too. */
static const struct catalogue_edge *find_edge(const struct edge_settings *settings,
                                              const struct catalogue *catalogue,
                                              const struct catalogue_region **ret_region,
                                              uint32_t *ret_number)
{
    const struct catalogue_edge *edge =
        catalogue_edge_of(catalogue, text_of(settings->name), ret_region, ret_number);
    if (edge != NULL)
        return edge;
    *ret_number = 1;
    return catalogue_edge(catalogue, text_of(settings->name), ret_region);
}

const struct catalogue_edge *edge_settings_edge(const struct edge_settings *settings,
                                                const struct catalogue *catalogue,
                                                uint32_t *ret_number)
{
    const struct catalogue_region *region;
    return find_edge(settings, catalogue, &region, ret_number);
}

uint32_t edge_settings_processes(const struct edge_settings *settings,
                                 const struct catalogue *catalogue)
{
    const struct catalogue_edge *edge = catalogue_edge(catalogue, text_of(settings->name), NULL);
    if (edge == NULL || edge->processes == 1)
        return 0;
    return settings->processes == 0 ? edge->processes : settings->processes;
}

/* The setting, or what the catalogue says. */
static struct text own_address(const struct edge_settings *settings,
                               const struct catalogue *catalogue)
{
    uint32_t number;
    const struct catalogue_edge *self = edge_settings_edge(settings, catalogue, &number);
    if (settings->listen[0] == '\0' && self != NULL)
        return text_of(self->listen);
    return text_of(settings->listen);
}

struct text edge_settings_listen(const struct edge_settings *settings,
                                 const struct catalogue *catalogue)
{
    return settings->tls.only ? TEXT("") : own_address(settings, catalogue);
}

struct text edge_settings_listen_tls(const struct edge_settings *settings,
                                     const struct catalogue *catalogue)
{
    if (settings->tls.only && settings->tls.listen[0] == '\0')
        return own_address(settings, catalogue);
    return text_of(settings->tls.listen);
}

static int edge_settings_fit_name(const struct edge_settings *settings,
                                  const struct catalogue *catalogue, struct error_text *reterr_why)
{
    const struct catalogue_region *region;
    uint32_t number;
    const struct catalogue_edge *self = find_edge(settings, catalogue, &region, &number);
    if (catalogue_region(catalogue, text_of(settings->region)) == NULL)
        return error_text_set(reterr_why, -EINVAL, "'region' is '%s', must be one of the catalogue",
                              settings->region);
    /* Hubs answer an edge by the region that the catalogue gives it. */
    if (self == NULL || !text_equal(text_of(region->name), text_of(settings->region)))
        return error_text_set(reterr_why, -EINVAL,
                              "'name' is '%s', must be an edge of region '%s' in the catalogue",
                              settings->name, settings->region);
    if (settings->processes > self->processes)
        return error_text_set(reterr_why, -EINVAL,
                              "'processes' is %u, must be at most %u, which the catalogue gives "
                              "edge '%s': hubs and NATS know its processes by that",
                              settings->processes, self->processes, self->name);
    return 0;
}

static int edge_settings_fit_listen(const struct edge_settings *settings, const char *key,
                                    struct text listen, struct error_text *reterr_why)
{
    struct settings_address address;
    if (settings_address_parse(listen, &address) != 0)
        return error_text_set(reterr_why, -EINVAL, "'%s' is '%.*s', must be " SETTINGS_RULE_ADDRESS,
                              key, TEXT_ARGS(listen));
    if (!settings->auth.required && !edge_settings_is_loopback(text_of(address.host)))
        return error_text_set(reterr_why, -EINVAL,
                              "'%s' is '%.*s', must be a loopback address (127.0.0.0/8 or "
                              "::1) while 'auth.required' is false: anyone could be anyone there",
                              key, TEXT_ARGS(listen));
    return 0;
}

int edge_settings_fit(const struct edge_settings *settings, const struct catalogue *catalogue,
                      struct error_text *reterr_why)
{
    int err = edge_settings_fit_name(settings, catalogue, reterr_why);
    if (err == 0)
        err = edge_tls_settings_fit(&settings->tls, reterr_why);
    struct text plain = edge_settings_listen(settings, catalogue);
    struct text tls = edge_settings_listen_tls(settings, catalogue);
    if (err == 0 && !settings->tls.only)
        err = edge_settings_fit_listen(settings, "listen", plain, reterr_why);
    if (err == 0 && settings->tls.certificate[0] != '\0')
        err = edge_settings_fit_listen(
            settings, settings->tls.listen[0] == '\0' ? "listen" : "tls.listen", tls, reterr_why);
    if (err == 0)
        err = auth_settings_fit(&settings->auth, reterr_why);
    if (err == 0 && settings->body_max > settings->message_max)
        err = error_text_set(reterr_why, -EINVAL,
                             "'limits.body_max' is %llu, must be at most 'limits.message_max', "
                             "which is %llu",
                             (unsigned long long)settings->body_max,
                             (unsigned long long)settings->message_max);
    return err;
}
