#include "edge/edge_limits.h"

#include "base/hash.h"
#include "edge/edge_shares.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

struct edge_limits {
    const struct edge_settings *settings;
    struct edge_shares *shares;
};

struct edge_limits *edge_limits_new(const struct edge_settings *settings)
{
    struct edge_limits *limits = calloc(1, sizeof *limits);
    if (limits == NULL)
        return NULL;
    limits->settings = settings;
    limits->shares = edge_shares_new(settings->remembered_max);
    if (limits->shares == NULL) {
        edge_limits_free(limits);
        return NULL;
    }
    return limits;
}

void edge_limits_free(struct edge_limits *limits)
{
    if (limits == NULL)
        return;
    edge_shares_free(limits->shares);
    free(limits);
}

void edge_limits_tick(struct edge_limits *limits, int64_t now_ms)
{
    edge_shares_tick(limits->shares, now_ms);
}

/* Whose share it is. All kinds are in one table. */
enum kind { OF_CONNECTION, OF_USER, OF_NEIGHBOURS, OF_SERVICE };

static uint64_t key_of(enum kind kind, const void *bytes, size_t size)
{
    uint8_t all[1 + TEXT_USER_MAX] = {(uint8_t)kind};
    assert(size < sizeof all);
    memcpy(all + 1, bytes, size);
    uint64_t key = hash_local(all, 1 + size);
    return key == 0 ? 1 : key;
}

static uint64_t key_of_user(enum kind kind, struct text user)
{
    return user.size == 0 ? 0 : key_of(kind, user.data, user.size);
}

static uint64_t key_of_connection(const void *connection)
{
    return connection == NULL ? 0 : key_of(OF_CONNECTION, &connection, sizeof connection);
}

static uint64_t key_of_neighbours(const struct address *client)
{
    if (address_is_loopback(client))
        return 0;
    struct network network = network_around(client);
    return key_of(OF_NEIGHBOURS, &network, sizeof network);
}

/* Sends. */

struct level {
    uint64_t key;   /* 0: it takes nothing there */
    uint32_t per_s; /* 0: there is no limit */
    uint32_t burst;
};
enum { LEVELS_MAX = 3 };

/* Those that count; returns how many. */
static size_t levels_of(const struct edge_settings *settings, const struct edge_limits_who *who,
                        struct level levels[LEVELS_MAX])
{
    const struct level of_service[] = {{key_of_user(OF_SERVICE, who->user),
                                        settings->service_sends_per_s,
                                        settings->service_sends_burst}};
    const struct level of_others[LEVELS_MAX] = {
        {key_of_connection(who->connection), settings->sends_per_s, settings->sends_burst},
        {key_of_user(OF_USER, who->user), settings->user_sends_per_s, settings->user_sends_burst},
        {key_of_neighbours(&who->client), settings->near_sends_per_s, settings->near_sends_burst},
    };
    const struct level *all = who->service ? of_service : of_others;
    size_t count = 0;
    for (size_t i = 0; i < (who->service ? COUNT_OF(of_service) : COUNT_OF(of_others)); i++)
        if (all[i].key != 0 && all[i].per_s > 0)
            levels[count++] = all[i];
    return count;
}

static struct edge_limits_wait wait_of(const struct edge_limits *limits, const struct level *level,
                                       int64_t now_ms)
{
    const struct edge_share *share = edge_shares_find(limits->shares, level->key);
    struct edge_rate rate = edge_rate_per_s(level->per_s, level->burst);
    if (share == NULL || edge_bucket_wait(&share->sends, rate, 1, now_ms) == 0)
        return (struct edge_limits_wait){0};
    uint32_t half = (level->burst + 1) / 2;
    return (struct edge_limits_wait){
        .again_ms = (uint32_t)edge_bucket_wait(&share->sends, rate, 1, now_ms),
        .calm_ms = (uint32_t)edge_bucket_wait(&share->sends, rate, half, now_ms),
        .per_s = level->per_s};
}

struct edge_limits_wait edge_limits_send(struct edge_limits *limits,
                                         const struct edge_limits_who *who, int64_t now_ms)
{
    struct level levels[LEVELS_MAX];
    struct edge_limits_wait longest = {0};
    if (limits == NULL)
        return longest;
    size_t count = levels_of(limits->settings, who, levels);
    for (size_t i = 0; i < count; i++) {
        struct edge_limits_wait wait = wait_of(limits, &levels[i], now_ms);
        if (wait.again_ms > longest.again_ms)
            longest = wait;
    }
    for (size_t i = 0; i < count && longest.again_ms == 0; i++) {
        struct edge_share *share = edge_shares_of(limits->shares, levels[i].key, now_ms);
        if (share != NULL) /* else so many are busy that nobody more can be counted */
            (void)edge_bucket_take(&share->sends, levels[i].per_s, levels[i].burst, now_ms);
    }
    return longest;
}

enum edge_flood edge_limits_flood(struct edge_limits *limits, const void *connection,
                                  int64_t now_ms)
{
    uint32_t now = (uint32_t)now_ms == 0 ? 1 : (uint32_t)now_ms;
    struct edge_share *share =
        edge_shares_of(limits->shares, key_of_connection(connection), now_ms);
    if (share == NULL)
        return EDGE_FLOOD_GOES_ON;
    bool goes_on = share->flood_ms != 0 && now - share->last_ms <= EDGE_SHARE_QUIET_MS;
    share->last_ms = now;
    if (!goes_on) {
        share->flood_ms = now;
        return EDGE_FLOOD_BEGINS;
    }
    return now - share->flood_ms >= limits->settings->flood_ms ? EDGE_FLOOD_TOO_LONG
                                                               : EDGE_FLOOD_GOES_ON;
}

void edge_limits_forget(struct edge_limits *limits, const void *connection)
{
    if (limits == NULL)
        return;
    struct edge_share *share = edge_shares_find(limits->shares, key_of_connection(connection));
    if (share != NULL)
        *share = (struct edge_share){.key = share->key};
}

/* Logins. */

static struct edge_rate login_rate(const struct edge_limits *limits, bool resumes)
{
    uint32_t per_min = limits->settings->user_logins_per_min;
    return edge_rate_per_min(per_min, resumes ? 2 * per_min : per_min);
}

static bool counts_logins(const struct edge_limits *limits, struct text user)
{
    return limits != NULL && limits->settings->user_logins_per_min > 0 && user.size > 0;
}

uint32_t edge_limits_login_wait(const struct edge_limits *limits, struct text user, bool resumes,
                                int64_t now_ms)
{
    if (!counts_logins(limits, user))
        return 0;
    const struct edge_share *share = edge_shares_find(limits->shares, key_of_user(OF_USER, user));
    if (share == NULL)
        return 0;
    return (uint32_t)edge_bucket_wait(&share->logins, login_rate(limits, resumes), 1, now_ms);
}

struct edge_login edge_limits_login(struct edge_limits *limits, struct edge_admission *admission,
                                    struct text user, bool resumes, int64_t now_ms)
{
    struct edge_login login = {.of_user = true,
                               .again_ms = edge_limits_login_wait(limits, user, resumes, now_ms)};
    if (login.again_ms > 0)
        return login;
    login.of_user = false;
    if (admission != NULL)
        login.again_ms = edge_admission_login(admission, resumes, now_ms);
    if (login.again_ms > 0 || !counts_logins(limits, user))
        return login;
    struct edge_share *share = edge_shares_of(limits->shares, key_of_user(OF_USER, user), now_ms);
    if (share != NULL)
        (void)edge_bucket_draw(&share->logins, login_rate(limits, resumes), now_ms);
    return login;
}
