#include "homes/homes.h"

#include "base/table.h"
#include "bus/bus.h"
#include "bus/bus_stream.h"
#include "homes/heartbeats.h"
#include "homes/primary.h"
#include "log/log.h"
#include "wire/names.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    GET_TIMEOUT_MS = 2000,
    RETRY_MS = 250, /* the bus did not take the question */
    CLAIM_REPEAT_MS = 1000,
    QUESTION_MAX_MS = 5000, /* then the answer is: unsure */
    HEARTBEAT_MS = 1000,
    PRIMARY_TIMEOUT_MS = 2000, /* some oceans */
    ENTRY_MAX = 512,           /* bytes of a directory entry */
};

/* A user whose home is being found out. */
struct question {
    UT_hash_handle hh;
    struct homes *homes;
    struct bus_request get; /* the mirror is asked, or the primary */
    bool of_primary;        /* the primary is */
    struct list waiting;
    struct list open;                    /* in the order of asking */
    uint64_t claim;                      /* the request's number while a claim is open; 0: none */
    const struct catalogue_region *home; /* what is claimed for it */
    int64_t since_ms;
    int64_t again_ms; /* when to ask again by itself; INT64_MAX: an answer will come */
    uint8_t user_size;
    char user[];
};

struct homes {
    struct homes_settings settings;
    struct directory *cache;
    struct question *questions; /* by user */
    struct list open;
    struct list ended; /* freed by the tick: their request may be in its own callback */
    size_t waiting;
    uint64_t claims; /* the last number given */
    struct bus_subscription *changes;
    int64_t heartbeat_ms;
    struct homes_heartbeats heartbeats;
    struct homes_primary primary;
};

static struct text question_user(const struct question *question)
{
    return (struct text){.data = question->user, .size = question->user_size};
}

static void on_directory_changed(void *context, const struct bus_message *message)
{
    struct homes *homes = context;
    struct text user = {.data = (const char *)message->data, .size = message->size};
    if (text_is_user_id(user))
        directory_forget(homes->cache, user);
}

static unsigned buckets_of(const struct homes *homes)
{
    return homes->settings.catalogue->directory_buckets;
}

struct homes *homes_new(const struct homes_settings *settings)
{
    struct homes *homes = calloc(1, sizeof *homes);
    if (homes == NULL)
        return NULL;
    homes->settings = *settings;
    list_init(&homes->open);
    list_init(&homes->ended);
    hash_random(&homes->claims, sizeof homes->claims);
    homes->claims >>= 1; /* never runs over, and never is 0 */
    homes->cache = directory_new(&(struct directory_settings){.users_max = settings->users_max,
                                                              .unknown_ms = 2000,
                                                              .current_ms = 5000,
                                                              .buckets = buckets_of(homes)});
    homes_heartbeats_init(&homes->heartbeats, settings->bus, homes->cache, buckets_of(homes));
    homes_primary_init(&homes->primary, settings->bus, buckets_of(homes));
    homes->changes =
        bus_subscribe(settings->bus, WIRE_DIRECTORY_CHANGED, on_directory_changed, homes);
    if (homes->cache == NULL || homes->changes == NULL) {
        homes_free(homes);
        return NULL;
    }
    return homes;
}

static void question_leave_primary(struct question *question)
{
    if (question->of_primary)
        question->homes->primary.asked--;
    question->of_primary = false;
}

static void question_end(struct question *question)
{
    struct homes *homes = question->homes;
    bus_request_cancel(&question->get);
    question_leave_primary(question);
    HASH_DEL(homes->questions, question);
    list_remove(&question->open);
    list_push(&homes->ended, &question->open);
}

static void homes_free_ended(struct homes *homes)
{
    list_each(node, &homes->ended) free(container_of(node, struct question, open));
    list_init(&homes->ended);
}

void homes_free(struct homes *homes)
{
    if (homes == NULL)
        return;
    for (struct list *node; (node = list_pop(&homes->open)) != NULL;) {
        struct question *question = container_of(node, struct question, open);
        for (struct list *waiting; (waiting = list_pop(&question->waiting)) != NULL;)
            container_of(waiting, struct homes_lookup, link)->homes = NULL;
        question_end(question);
    }
    homes_free_ended(homes);
    homes_heartbeats_done(&homes->heartbeats);
    homes_primary_done(&homes->primary);
    bus_unsubscribe(homes->changes);
    directory_free(homes->cache);
    free(homes);
}

/* Answers all that wait, in their order; with `claimers` false, those that would claim stay. */
static void question_tell(struct question *question, enum homes_found found, size_t region,
                          bool claimers)
{
    struct homes *homes = question->homes;
    struct list told;
    list_init(&told);
    list_each(node, &question->waiting)
    {
        if (claimers || !container_of(node, struct homes_lookup, link)->claim) {
            list_remove(node);
            list_push(&told, node);
        }
    }
    if (list_empty(&question->waiting))
        question_end(question);
    /* Lookups cancelled by a callback leave `told` by themselves. */
    for (struct list *node; (node = list_pop(&told)) != NULL;) {
        struct homes_lookup *lookup = container_of(node, struct homes_lookup, link);
        lookup->homes = NULL;
        homes->waiting--;
        lookup->on_found(lookup, found, region);
    }
}

static void question_unsure(struct question *question)
{
    question_tell(question, HOMES_UNSURE, 0, true);
}

/* Tells a home by its name, and remembers it. */
static void question_found(struct question *question, struct text home, uint32_t epoch)
{
    struct homes *homes = question->homes;
    struct directory_home known = {.epoch = epoch};
    size_t region;
    if (catalogue_region_index(homes->settings.catalogue, home, &region) != 0 ||
        text_put(known.region, sizeof known.region, home) != 0) {
        static struct log_limit limit;
        log_limited(&limit, LOG_LEVEL_ERROR, "a user's home is a region that no catalogue knows",
                    LOG_TEXT("home", home));
        question_unsure(question);
        return;
    }
    directory_learn(homes->cache, question_user(question), &known,
                    loop_now_ms(homes->settings.loop));
    question_tell(question, HOMES_FOUND, region, true);
}

/* The first one who would claim says where. */
static const struct catalogue_region *home_wanted(const struct question *question)
{
    list_each(node, &question->waiting)
    {
        const struct homes_lookup *lookup = container_of(node, struct homes_lookup, link);
        if (lookup->claim && lookup->home != NULL)
            return lookup->home;
    }
    return question->homes->settings.region;
}

static void question_claim(struct question *question)
{
    struct homes *homes = question->homes;
    struct text user = question_user(question);
    struct buffer bytes = {0};
    struct wire_frame_writer writer;
    if (question->claim == 0) {
        question->claim = ++homes->claims;
        question->home = home_wanted(question);
    }
    const struct catalogue_region *home = question->home;
    uint32_t shard = hash_shard(user, home->shards);
    wire_frame_begin(&writer, &bytes,
                     &(struct wire_frame){.shard = (uint16_t)shard,
                                          .region = text_of(home->name),
                                          .from = text_of(homes->settings.process)});
    wire_entry_write(&writer, &(struct wire_entry){.kind = WIRE_CLAIM,
                                                   .claim = {.request = question->claim,
                                                             .user = user,
                                                             .home = text_of(home->name)}});
    if (wire_frame_end(&writer) == 0) {
        struct wire_name subject = wire_hub_subject(home->name, shard, "claim");
        /* A claim that is lost is repeated by the tick. */
        (void)!bus_publish(homes->settings.bus, subject.text, NULL, bytes.data, bytes.size);
    }
    buffer_free(&bytes);
    question->again_ms = loop_now_ms(homes->settings.loop) + CLAIM_REPEAT_MS;
}

static bool would_claim(const struct question *question)
{
    list_each(node, &question->waiting)
    {
        if (container_of(node, struct homes_lookup, link)->claim)
            return true;
    }
    return false;
}

/* Nobody has this user, says the primary. */
static void question_unknown(struct question *question)
{
    const int64_t now_ms = loop_now_ms(question->homes->settings.loop);
    if (!directory_learn_absent(question->homes->cache, question_user(question), now_ms)) {
        question->again_ms = now_ms;
        return;
    }
    if (would_claim(question))
        question_claim(question);
    question_tell(question, HOMES_NOT_FOUND, 0, false);
}

static struct wire_name question_stream(const struct question *question)
{
    return wire_directory_stream(
        wire_directory_bucket(question_user(question), buckets_of(question->homes)));
}

static struct wire_name question_subject(const struct question *question)
{
    return wire_directory_subject(question_user(question), buckets_of(question->homes));
}

/* The mirror does not know the user. */
static void question_ask_primary(struct question *question)
{
    struct homes *homes = question->homes;
    int64_t now_ms = loop_now_ms(homes->settings.loop);
    enum homes_primary_may may = homes_primary_may(&homes->primary, now_ms);
    if (may == HOMES_PRIMARY_SILENT) {
        question_unsure(question);
        return;
    }
    question->again_ms = now_ms + RETRY_MS;
    if (may == HOMES_PRIMARY_BUSY)
        return;                         /* the mirror is asked again meanwhile */
    bus_request_cancel(&question->get); /* used again at once */
    if (bus_get_last_of_leader(homes->settings.bus, &question->get, question_stream(question).text,
                               question_subject(question).text, PRIMARY_TIMEOUT_MS) != 0)
        return;
    question->of_primary = true;
    homes->primary.asked++;
    question->again_ms = INT64_MAX;
}

static void on_primary(struct question *question, enum bus_outcome outcome,
                       const struct bus_message *message)
{
    struct homes *homes = question->homes;
    struct wire_directory_entry value;
    uint8_t room[ENTRY_MAX];
    uint64_t position;
    size_t size;
    int err = outcome == BUS_ANSWER
                  ? bus_leader_entry_read(message, room, sizeof room, &position, &size)
                  : -EAGAIN;
    question_leave_primary(question);
    homes_primary_answered(&homes->primary, err == 0 || err == -ENOENT,
                           loop_now_ms(homes->settings.loop));
    if (err == 0 && wire_directory_entry_read(room, size, &value) == 0) {
        question_found(question, value.home, value.epoch);
    } else if (err == -ENOENT) {
        question_unknown(question);
    } else {
        question_unsure(question);
    }
}

static void on_mirror(struct question *question, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct homes *homes = question->homes;
    int64_t now_ms = loop_now_ms(homes->settings.loop);
    struct bus_entry entry;
    struct wire_directory_entry value;
    int err = outcome == BUS_ANSWER ? bus_entry_read(message, &entry, NULL) : -EAGAIN;
    if (err == 0 && wire_directory_entry_read(entry.data, entry.size, &value) == 0) {
        question_found(question, value.home, value.epoch);
    } else if (err == -ENOENT) {
        /* Who else waits learns what the claim finds. */
        if (would_claim(question) &&
            directory_is_current_of(homes->cache, question_user(question), now_ms))
            question_claim(question);
        else
            question_ask_primary(question);
    } else {
        question->again_ms = now_ms + RETRY_MS;
    }
}

static bool on_get_answer(struct bus_request *request, enum bus_outcome outcome,
                          const struct bus_message *message)
{
    struct question *question = container_of(request, struct question, get);
    if (question->of_primary && outcome == BUS_ANSWER && bus_leader_answers_again(message))
        return true;
    if (question->of_primary)
        on_primary(question, outcome, message);
    else
        on_mirror(question, outcome, message);
    return false;
}

static void question_ask(struct question *question)
{
    struct homes *homes = question->homes;
    int err = bus_get_last(homes->settings.bus, &question->get, question_stream(question).text,
                           question_subject(question).text, GET_TIMEOUT_MS);
    question->again_ms =
        err == 0 || err == -EBUSY ? INT64_MAX : loop_now_ms(homes->settings.loop) + RETRY_MS;
}

static struct question *question_new(struct homes *homes, struct text user)
{
    struct question *question = calloc(1, sizeof *question + user.size);
    if (question == NULL)
        return NULL;
    question->homes = homes;
    question->since_ms = loop_now_ms(homes->settings.loop);
    question->user_size = (uint8_t)user.size;
    memcpy(question->user, user.data, user.size);
    question->get.on_answer = on_get_answer;
    list_init(&question->waiting);
    list_push(&homes->open, &question->open);
    HASH_ADD_KEYPTR(hh, homes->questions, question->user, question->user_size, question);
    return question;
}

static void question_wait(struct question *question, struct homes_lookup *lookup)
{
    list_push(&question->waiting, &lookup->link);
    lookup->homes = question->homes;
    question->homes->waiting++;
}

/* What the cache says, when nobody waits for this user. */
static int homes_recall(struct homes *homes, struct text user, const struct homes_lookup *lookup,
                        enum homes_found *ret_found, size_t *ret_region, bool *ret_claim)
{
    struct directory_home home;
    switch (directory_look_up(homes->cache, user, loop_now_ms(homes->settings.loop), &home)) {
    case DIRECTORY_FOUND:
        if (catalogue_region_index(homes->settings.catalogue, text_of(home.region), ret_region) !=
            0)
            break;
        *ret_found = HOMES_FOUND;
        return 0;
    case DIRECTORY_UNKNOWN:
        *ret_claim = lookup->claim;
        if (lookup->claim)
            break;
        *ret_found = HOMES_NOT_FOUND;
        return 0;
    case DIRECTORY_ASK:
        break;
    }
    return -EINPROGRESS;
}

int homes_find(struct homes *homes, struct text user, struct homes_lookup *lookup,
               enum homes_found *ret_found, size_t *ret_region)
{
    assert(lookup->homes == NULL && text_is_user_id(user));
    struct question *question;
    bool claim = false;
    HASH_FIND(hh, homes->questions, user.data, user.size, question);
    if (question == NULL && homes_recall(homes, user, lookup, ret_found, ret_region, &claim) == 0)
        return 0;
    if (homes->waiting >= homes->settings.waiting_max)
        return -ENOBUFS;
    bool made = question == NULL;
    if (made)
        question = question_new(homes, user);
    if (question == NULL)
        return -ENOMEM;
    question_wait(question, lookup);
    if (claim)
        question_claim(question);
    else if (made)
        question_ask(question);
    return -EINPROGRESS;
}

bool homes_known(struct homes *homes, struct text user, size_t *ret_region)
{
    struct question *question = NULL;
    struct directory_home home;
    if (homes->questions != NULL)
        HASH_FIND(hh, homes->questions, user.data, user.size, question);
    return question == NULL &&
           directory_look_up(homes->cache, user, loop_now_ms(homes->settings.loop), &home) ==
               DIRECTORY_FOUND &&
           catalogue_region_index(homes->settings.catalogue, text_of(home.region), ret_region) == 0;
}

bool homes_remembers(struct homes *homes, struct text user, struct directory_home *ret_home)
{
    return directory_look_up(homes->cache, user, loop_now_ms(homes->settings.loop), ret_home) ==
           DIRECTORY_FOUND;
}

void homes_cancel(struct homes_lookup *lookup)
{
    if (lookup->homes == NULL)
        return;
    lookup->homes->waiting--;
    lookup->homes = NULL;
    list_remove(&lookup->link); /* a question nobody waits for ends with its answer */
}

void homes_forget(struct homes *homes, struct text user)
{
    directory_forget(homes->cache, user);
}

void homes_claimed(struct homes *homes, const struct wire_claimed *claimed)
{
    struct question *question;
    HASH_FIND(hh, homes->questions, claimed->user.data, claimed->user.size, question);
    if (question == NULL || question->claim == 0 || question->claim != claimed->request)
        return;
    if (claimed->code == WIRE_OK)
        question_found(question, claimed->home, claimed->epoch);
    else if (claimed->code == WIRE_UNSURE || claimed->code == WIRE_REFUSED)
        question_unsure(question);
    /* WIRE_BUSY: the claim is repeated by itself. */
}

static void question_tick(struct question *question, int64_t now_ms)
{
    if (list_empty(&question->waiting)) {
        question_end(question);
    } else if (now_ms - question->since_ms >= QUESTION_MAX_MS) {
        question_unsure(question);
    } else if (now_ms >= question->again_ms) {
        if (question->claim != 0)
            question_claim(question);
        else
            question_ask(question);
    }
}

void homes_tick(struct homes *homes, int64_t now_ms)
{
    /* Answering may open new questions, at the end, and ends this one only. */
    struct list old;
    list_init(&old);
    homes_free_ended(homes);
    for (struct list *node; (node = list_pop(&homes->open)) != NULL;)
        list_push(&old, node);
    for (struct list *node; (node = list_pop(&old)) != NULL;) {
        list_push(&homes->open, node);
        question_tick(container_of(node, struct question, open), now_ms);
    }
    if (now_ms - homes->heartbeat_ms < HEARTBEAT_MS)
        return;
    homes->heartbeat_ms = now_ms;
    homes_heartbeats_ask(&homes->heartbeats);
    if (!homes_is_current(homes, now_ms))
        homes_primary_probe(&homes->primary);
}

bool homes_is_current(const struct homes *homes, int64_t now_ms)
{
    return directory_is_current(homes->cache, now_ms);
}

bool homes_can_tell(const struct homes *homes, int64_t now_ms)
{
    return homes_is_current(homes, now_ms) || homes_primary_is_heard(&homes->primary, now_ms);
}

size_t homes_waiting(const struct homes *homes)
{
    return homes->waiting;
}
