#include "edge/edge_user_sessions.h"

#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { CHAINS_MIN = 64, EACH_MAX = 2 /* set, on average, before there are more chains */ };

struct edge_user_sessions {
    struct text (*user_of)(struct edge_user_session *session);
    struct edge_user_session **chains;
    size_t chain_count; /* a power of two, or 0 */
    size_t count;
};

struct edge_user_sessions *
    edge_user_sessions_new(struct text (*user_of)(struct edge_user_session *session))
{
    struct edge_user_sessions *set = calloc(1, sizeof *set);
    if (set != NULL)
        set->user_of = user_of;
    return set;
}

void edge_user_sessions_free(struct edge_user_sessions *set)
{
    if (set == NULL)
        return;
    free(set->chains);
    free(set);
}

static struct edge_user_session **chain_of(const struct edge_user_sessions *set, struct text user)
{
    size_t at = hash_local(user.data, user.size) & (set->chain_count - 1);
    return &set->chains[at];
}

struct edge_user_session *edge_user_sessions_next(const struct edge_user_sessions *set,
                                                  struct text user,
                                                  const struct edge_user_session *after)
{
    if (set->chain_count == 0)
        return NULL;
    struct edge_user_session *one = after == NULL ? *chain_of(set, user) : after->next;
    while (one != NULL && !text_equal(set->user_of(one), user))
        one = one->next;
    return one;
}

static void link_to(struct edge_user_sessions *set, struct edge_user_session *session)
{
    struct edge_user_session **chain = chain_of(set, set->user_of(session));
    session->next = *chain;
    *chain = session;
}

static int grow(struct edge_user_sessions *set)
{
    struct edge_user_sessions old = *set;
    size_t count = old.chain_count == 0 ? CHAINS_MIN : 2 * old.chain_count;
    struct edge_user_session **chains = calloc(count, sizeof *chains);
    if (chains == NULL)
        return -ENOMEM;
    set->chains = chains;
    set->chain_count = count;
    for (size_t i = 0; i < old.chain_count; i++) {
        for (struct edge_user_session *next, *one = old.chains[i]; one != NULL; one = next) {
            next = one->next;
            link_to(set, one);
        }
    }
    free(old.chains);
    return 0;
}

int edge_user_sessions_add(struct edge_user_sessions *set, struct edge_user_session *session)
{
    if (set->count >= EACH_MAX * set->chain_count && grow(set) != 0)
        return -ENOMEM;
    link_to(set, session);
    set->count++;
    return 0;
}

void edge_user_sessions_remove(struct edge_user_sessions *set, struct edge_user_session *session)
{
    struct edge_user_session **at = chain_of(set, set->user_of(session));
    while (*at != session) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = session->next;
    session->next = NULL;
    set->count--;
}
