#include "edge/edge_siblings.h"

#include "catalogue/catalogue.h"

#include <assert.h>
#include <stdatomic.h>
#include <sys/mman.h>

struct edge_siblings {
    uint32_t count;
    atomic_bool ready[CATALOGUE_PROCESSES_MAX];
};

struct edge_siblings *edge_siblings_new(uint32_t count)
{
    assert(count <= CATALOGUE_PROCESSES_MAX);
    struct edge_siblings *siblings =
        mmap(NULL, sizeof *siblings, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (siblings == MAP_FAILED)
        return NULL;
    siblings->count = count; /* the rest is zero */
    return siblings;
}

void edge_siblings_free(struct edge_siblings *siblings)
{
    if (siblings != NULL)
        (void)munmap(siblings, sizeof *siblings);
}

void edge_siblings_say(struct edge_siblings *siblings, uint32_t number, bool ready)
{
    if (siblings == NULL)
        return;
    assert(number >= 1 && number <= siblings->count);
    atomic_store(&siblings->ready[number - 1], ready);
}

bool edge_siblings_another_is_ready(const struct edge_siblings *siblings, uint32_t number)
{
    for (uint32_t i = 1; siblings != NULL && i <= siblings->count; i++)
        if (i != number && atomic_load(&siblings->ready[i - 1]))
            return true;
    return false;
}
