/* Recipients whose home is asked for. Those of one list are gathered for a moment, so that they go
 * as one record a shard, with one body, also when each is asked for. A sender's letters leave in
 * the order in which they came: whatever leaves takes along what was gathered of those before
 * it. */
#include "edge/edge_dispatch_internal.h"

#include "base/hash.h"

#include <stdlib.h>
#include <string.h>

enum {
    GATHER_MS = 50,     /* what is known waits that long for the other recipients of its list */
    GATHERING_MAX = 64, /* lists that gather; with one more the first to come gathers no more */
};

static size_t kept_size(const struct edge_letter *letter)
{
    return sizeof(struct edge_kept) + letter->sender.size + letter->device.size + letter->id.size +
           letter->body.size;
}

static struct text keep(char **next, struct text from)
{
    struct text kept = {.data = *next, .size = from.size};
    if (from.size > 0)
        memcpy(*next, from.data, from.size);
    *next += from.size;
    return kept;
}

struct edge_kept *edge_kept_new(struct edge_dispatch *dispatch, const struct edge_letter *letter,
                                const uint8_t trace[16])
{
    size_t size = kept_size(letter);
    if (dispatch->waiting_bytes + size > dispatch->settings.edge->directory_waiting_bytes)
        return NULL;
    struct edge_kept *kept = malloc(size);
    if (kept == NULL)
        return NULL;
    char *next = kept->bytes;
    kept->gathering = (struct list){0};
    list_init(&kept->found);
    kept->asked = 0;
    kept->number = ++dispatch->letters;
    kept->references = 0;
    kept->size = size;
    kept->letter = *letter;
    kept->letter.sender = keep(&next, letter->sender);
    kept->letter.device = keep(&next, letter->device);
    kept->letter.id = keep(&next, letter->id);
    kept->letter.body = keep(&next, letter->body);
    kept->letter.recipients = NULL;
    memcpy(kept->trace, trace, sizeof kept->trace);
    dispatch->waiting_bytes += size;
    return kept;
}

void edge_kept_drop(struct edge_dispatch *dispatch, struct edge_kept *kept)
{
    if (--kept->references > 0)
        return;
    dispatch->waiting_bytes -= kept->size;
    free(kept);
}

void edge_waiting_free(struct edge_waiting *waiting)
{
    list_remove(&waiting->of_dispatch);
    list_remove(&waiting->of_found);
    if (waiting->kept != NULL)
        edge_kept_drop(waiting->dispatch, waiting->kept);
    free(waiting);
}

/* One record for those of the first one's shard. */
static void gather_leave_some(struct edge_dispatch *dispatch, struct edge_kept *kept)
{
    struct wire_recipient recipients[WIRE_RECIPIENTS_MAX];
    struct list leaving;
    const struct edge_waiting *first =
        container_of(kept->found.next, struct edge_waiting, of_found);
    size_t region = first->region;
    uint32_t shard = first->shard;
    struct edge_sender *sender = NULL;
    size_t count = 0;
    list_init(&leaving);
    list_each(node, &kept->found)
    {
        struct edge_waiting *waiting = container_of(node, struct edge_waiting, of_found);
        if (waiting->region != region || waiting->shard != shard || count == WIRE_RECIPIENTS_MAX)
            continue;
        list_remove(&waiting->of_found);
        list_push(&leaving, &waiting->of_found);
        sender = edge_pending_end(&waiting->pending); /* the same one for all */
        recipients[count++] = (struct wire_recipient){
            .kind = WIRE_USER, .name = {.data = waiting->name, .size = waiting->name_size}};
    }
    edge_dispatch_group(dispatch, sender, &kept->letter, kept->trace, region, shard, recipients,
                        count);
    for (struct list *node; (node = list_pop(&leaving)) != NULL;)
        edge_waiting_free(container_of(node, struct edge_waiting, of_found));
}

static void gather_leave(struct edge_dispatch *dispatch, struct edge_kept *kept)
{
    if (!list_linked(&kept->gathering))
        return;
    list_remove(&kept->gathering);
    dispatch->gathering_count--;
    kept->references++; /* until all of it has left */
    while (!list_empty(&kept->found))
        gather_leave_some(dispatch, kept);
    edge_kept_drop(dispatch, kept);
}

/* What was gathered of this sender's letters before `number` leaves. */
void edge_gather_leave_before(struct edge_dispatch *dispatch, struct text sender, uint64_t number)
{
    list_each(node, &dispatch->gathering)
    {
        struct edge_kept *kept = container_of(node, struct edge_kept, gathering);
        if (kept->number >= number)
            return;
        if (text_equal(kept->letter.sender, sender))
            gather_leave(dispatch, kept);
    }
}

void edge_gather_on_timer(struct loop_timer *timer)
{
    struct edge_dispatch *dispatch = container_of(timer, struct edge_dispatch, gather_timer);
    list_each(node, &dispatch->gathering)
        gather_leave(dispatch, container_of(node, struct edge_kept, gathering));
}

/* Puts it among those that gather, in the order of their numbers; it is one of the last. */
static void gather_begin(struct edge_dispatch *dispatch, struct edge_kept *kept)
{
    struct list *after = dispatch->gathering.previous;
    if (list_linked(&kept->gathering))
        return;
    while (after != &dispatch->gathering &&
           container_of(after, struct edge_kept, gathering)->number > kept->number)
        after = after->previous;
    list_push(after->next, &kept->gathering); /* which is: before that */
    if (dispatch->gathering_count++ == 0)
        loop_timer_set(dispatch->settings.loop, &dispatch->gather_timer, GATHER_MS);
}

void edge_gather(struct edge_waiting *waiting, size_t region)
{
    struct edge_dispatch *dispatch = waiting->dispatch;
    struct text name = {.data = waiting->name, .size = waiting->name_size};
    waiting->region = region;
    waiting->shard = hash_shard(name, dispatch->settings.catalogue->regions[region].shards);
    list_push(&waiting->kept->found, &waiting->of_found);
    gather_begin(dispatch, waiting->kept);
}

/* Of this letter nobody is asked for any more, or it is no list, or too many gather. */
void edge_gather_look(struct edge_dispatch *dispatch, struct edge_kept *kept)
{
    bool whole = kept->asked == 0 || !kept->letter.listed;
    if (!whole && dispatch->gathering_count > GATHERING_MAX)
        kept = container_of(dispatch->gathering.next, struct edge_kept, gathering);
    else if (!whole || !list_linked(&kept->gathering))
        return;
    edge_gather_leave_before(dispatch, kept->letter.sender, kept->number);
    gather_leave(dispatch, kept);
}

static void on_home_found(struct homes_lookup *lookup, enum homes_found found, size_t region)
{
    struct edge_waiting *waiting = container_of(lookup, struct edge_waiting, lookup);
    struct edge_dispatch *dispatch = waiting->dispatch;
    struct edge_kept *kept = waiting->kept;
    kept->asked--;
    kept->references++; /* until it was looked at */
    if (found == HOMES_FOUND) {
        edge_gather(waiting, region);
    } else {
        edge_dispatch_tell(edge_pending_end(&waiting->pending), &kept->letter,
                           (struct text){.data = waiting->name, .size = waiting->name_size},
                           found == HOMES_UNSURE ? EDGE_DIRECTORY_UNSURE : EDGE_UNKNOWN_RECIPIENT);
        edge_waiting_free(waiting);
    }
    edge_gather_look(dispatch, kept);
    edge_kept_drop(dispatch, kept);
}

struct edge_waiting *edge_waiting_new(struct edge_dispatch *dispatch, struct text name)
{
    struct edge_waiting *waiting = calloc(1, sizeof *waiting + name.size);
    if (waiting == NULL)
        return NULL;
    waiting->dispatch = dispatch;
    waiting->lookup.on_found = on_home_found;
    waiting->lookup.claim = dispatch->settings.catalogue->unknown_recipients == CATALOGUE_ADOPT;
    waiting->name_size = (uint8_t)name.size;
    memcpy(waiting->name, name.data, name.size);
    return waiting;
}
