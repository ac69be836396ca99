#include "edge/edge_siblings.h"

#include "base/hash.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum { CHAINS_MIN = 64, EACH_MAX = 2 /* siblings, on average, before there are more chains */ };

struct edge_siblings {
    struct text (*user_of)(struct edge_sibling *sibling);
    struct edge_sibling **chains;
    size_t chain_count; /* a power of two, or 0 */
    size_t count;
};

struct edge_siblings *edge_siblings_new(struct text (*user_of)(struct edge_sibling *sibling))
{
    struct edge_siblings *siblings = calloc(1, sizeof *siblings);
    if (siblings != NULL)
        siblings->user_of = user_of;
    return siblings;
}

void edge_siblings_free(struct edge_siblings *siblings)
{
    if (siblings == NULL)
        return;
    free(siblings->chains);
    free(siblings);
}

static struct edge_sibling **chain_of(const struct edge_siblings *siblings, struct text user)
{
    size_t at = hash_local(user.data, user.size) & (siblings->chain_count - 1);
    return &siblings->chains[at];
}

struct edge_sibling *edge_siblings_next(const struct edge_siblings *siblings, struct text user,
                                        const struct edge_sibling *after)
{
    if (siblings->chain_count == 0)
        return NULL;
    struct edge_sibling *one = after == NULL ? *chain_of(siblings, user) : after->next;
    while (one != NULL && !text_equal(siblings->user_of(one), user))
        one = one->next;
    return one;
}

static void link_to(struct edge_siblings *siblings, struct edge_sibling *sibling)
{
    struct edge_sibling **chain = chain_of(siblings, siblings->user_of(sibling));
    sibling->next = *chain;
    *chain = sibling;
}

static int grow(struct edge_siblings *siblings)
{
    struct edge_siblings old = *siblings;
    size_t count = old.chain_count == 0 ? CHAINS_MIN : 2 * old.chain_count;
    struct edge_sibling **chains = calloc(count, sizeof *chains);
    if (chains == NULL)
        return -ENOMEM;
    siblings->chains = chains;
    siblings->chain_count = count;
    for (size_t i = 0; i < old.chain_count; i++) {
        for (struct edge_sibling *next, *one = old.chains[i]; one != NULL; one = next) {
            next = one->next;
            link_to(siblings, one);
        }
    }
    free(old.chains);
    return 0;
}

int edge_siblings_add(struct edge_siblings *siblings, struct edge_sibling *sibling)
{
    if (siblings->count >= EACH_MAX * siblings->chain_count && grow(siblings) != 0)
        return -ENOMEM;
    link_to(siblings, sibling);
    siblings->count++;
    return 0;
}

void edge_siblings_remove(struct edge_siblings *siblings, struct edge_sibling *sibling)
{
    struct edge_sibling **at = chain_of(siblings, siblings->user_of(sibling));
    while (*at != sibling) {
        assert(*at != NULL);
        at = &(*at)->next;
    }
    *at = sibling->next;
    sibling->next = NULL;
    siblings->count--;
}
