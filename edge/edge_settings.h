/* What an operator may set for an edge; the rows are in edge_settings.c. */
#pragma once

#include "auth/settings.h"
#include "base/error_text.h"
#include "base/networks.h"
#include "base/text.h"
#include "edge/edge_tls_settings.h"
#include "settings/address.h"
#include "settings/settings.h"

#include <stdint.h>

struct edge_settings {
    char region[TEXT_REGION_MAX + 1];
    char name[TEXT_PROCESS_MAX + 1];
    char listen[SETTINGS_ADDRESS_SIZE]; /* empty: as the catalogue says */
    char origins[2048];                 /* empty: of no web page's scripts */
    bool tokens_in_query;
    char roles[32];
    uint32_t processes; /* 0: as the catalogue says */
    unsigned log_level; /* enum log_level */
    struct auth_settings auth;
    struct edge_tls_settings tls;
    char nats_urls[1024]; /* empty: as the catalogue says */
    char nats_user[64];
    char nats_password[128];
    char nats_credentials[512]; /* a folder; empty: none */
    uint64_t nats_pending_max;

    char proxy_networks[1024];
    int64_t proxy_header_wait_ms;
    char forwarded_networks[1024];
    unsigned forwarded_header; /* enum edge_forwarded_header */

    uint32_t sessions_max;
    uint32_t unfinished_max;
    uint32_t strangers_max;
    uint32_t handshakes_per_s;
    uint32_t handshakes_burst;
    uint32_t logins_per_s;
    uint32_t logins_burst;
    uint32_t drain_per_s;
    uint32_t sessions_near_max;
    uint32_t requests_max;
    uint64_t message_max;
    uint64_t body_max;
    uint32_t recipients_max;
    uint32_t ttl_max_s;
    uint64_t pending_max;
    uint32_t sends_max;
    uint32_t sends_per_s;
    uint32_t sends_burst;
    uint32_t user_sends_per_s;
    uint32_t user_sends_burst;
    uint32_t near_sends_per_s;
    uint32_t near_sends_burst;
    uint32_t service_sends_per_s;
    uint32_t service_sends_burst;
    uint32_t user_logins_per_min;
    uint32_t user_sessions_max;
    uint32_t remembered_max;
    uint32_t pings_per_s;
    uint32_t reads_max;
    uint32_t reads_one_max;
    uint32_t post_messages_max;
    uint32_t polls_max;
    uint32_t poll_messages_max;
    int64_t poll_wait_max_ms;
    uint32_t frames_max;
    uint32_t histories_max;
    uint32_t history_messages_max;

    int64_t request_ms;
    int64_t hello_timeout_ms;
    int64_t heartbeat_ms;
    int64_t idle_ms;
    int64_t progress_ms;
    int64_t flood_ms;
    int64_t close_ms;
    int64_t drain_ms;

    uint32_t queue_records_max;
    uint64_t queue_bytes_max;
    int64_t pace_max_ms;
    int64_t resend_ms;
    int64_t answer_ms;
    uint32_t full_permille;
    int64_t backlog_ms;
    int64_t lag_max_ms;

    uint32_t directory_users_max;
    uint32_t directory_waiting_max;
    uint64_t directory_waiting_bytes;

    char geo_database[512];
    char geo_sign_key[512];
    int64_t geo_ttl_ms;
    int64_t geo_drain_after_ms;
    uint32_t geo_drain_rate;
    uint32_t geo_rebalance_rate;
    int64_t geo_grace_ms;
    int64_t geo_apart_ms;
};

extern const struct setting edge_settings_table[];

/* What no row can say by itself: the edge stands in the catalogue, and the rules between settings.
 * -EINVAL with the reason. */
struct catalogue;
MUST_USE int edge_settings_fit(const struct edge_settings *settings,
                               const struct catalogue *catalogue, struct error_text *reterr_why);
/* The edge in the catalogue that it is, or a process of: then `ret_number` says which, else 1.
 * NULL: none. */
const struct catalogue_edge *edge_settings_edge(const struct edge_settings *settings,
                                                const struct catalogue *catalogue,
                                                uint32_t *ret_number);
/* How many processes it is to start; 0: it is one, and starts none. */
uint32_t edge_settings_processes(const struct edge_settings *settings,
                                 const struct catalogue *catalogue);
/* Where it listens without TLS: the setting, or what the catalogue says of it; empty: nowhere.
 * Borrowed from either. */
struct text edge_settings_listen(const struct edge_settings *settings,
                                 const struct catalogue *catalogue);
/* Where it listens with TLS; empty: nowhere. */
struct text edge_settings_listen_tls(const struct edge_settings *settings,
                                     const struct catalogue *catalogue);
/* An address of 127.0.0.0/8, or ::1: only this machine can reach it. */
bool edge_settings_is_loopback(struct text host);
