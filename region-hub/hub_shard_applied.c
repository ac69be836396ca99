/* What a shard does when something in its log was applied. */
#include "region-hub/hub_shard_internal.h"

#include "base/hash.h"
#include "log/log.h"

static void on_opened(void *context, const struct mailbox_state *state)
{
    struct hub_shard *shard = context;
    shard->trim = (struct hub_trim){0};
    shard->waits = (struct hub_waits){0};
    hub_ownership_loaded(&shard->ownership, state->generation, state->owner);
}

static void on_row(void *context, const struct mailbox_row *row)
{
    struct hub_shard *shard = context;
    hub_delivery_row(shard->delivery, row);
}

static void on_acked(void *context, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq)
{
    struct hub_shard *shard = context;
    hub_service_acked(shard->service, user, device, epoch, seq);
    hub_shown_acked(shard->shown, user, device, epoch, seq);
}

static void on_read(void *context, const struct wire_read *read)
{
    struct hub_shard *shard = context;
    hub_reads_applied(&shard->reads, read);
    hub_shown_read(shard->shown, read);
}

static void on_moved(void *context, const struct mailbox_move *move)
{
    struct hub_shard *shard = context;
    hub_home_moved(&shard->home, move);
}

static void on_owned(void *context, uint64_t generation, struct text hub, uint64_t start)
{
    struct hub_shard *shard = context;
    hub_shard_follow(shard, hub_ownership_applied(&shard->ownership, generation, hub, start,
                                                  hub_shard_now_ms(shard)));
}

static void on_checkpoint(void *context, const struct mailbox *mailbox)
{
    struct hub_shard *shard = context;
    hub_checkpoint_take(shard->checkpoint, mailbox);
}

static void on_applied(void *context, bool caught_up)
{
    struct hub_shard *shard = context;
    if (caught_up)
        hub_ownership_caught_up(&shard->ownership, hub_shard_now_ms(shard));
    hub_shard_follow(shard, hub_ownership_tick(&shard->ownership, hub_shard_now_ms(shard)));
    if (shard->notices != NULL)
        hub_notices_wake(shard->notices);
    if (shard->generation != 0 && shard->move != NULL)
        hub_move_wake(shard->move);
    if (shard->generation != 0 && shard->back != NULL)
        hub_return_wake(shard->back);
}

static void on_fell_behind(void *context)
{
    struct hub_shard *shard = context;
    hub_shard_follow(shard, hub_ownership_fell_behind(&shard->ownership));
}

static void on_dropped(void *context, struct text user, struct text device)
{
    struct hub_shard *shard = context;
    hub_service_dropped(shard->service, user, device);
}

struct hub_writer *hub_shard_make_writer(struct hub_shard *shard, unsigned to)
{
    uint64_t number;
    hash_random(&number, sizeof number);
    return hub_writer_new(&(struct hub_writer_settings){
        .loop = shard->loop,
        .bus = shard->bus,
        .region = shard->place.region->name,
        .shard = to,
        .process = shard->process,
        .first_number = number >> 17, /* below the numbers of lanes */
        .queue_max_bytes = shard->settings->writer_queue_max_bytes,
        .retry_ms = shard->settings->writer_retry_ms,
        .pace_ms = shard->settings->writer_pace_ms,
    });
}

/* A message in the wrong shard's log: an edge has counted the shards otherwise. The owner passes it
 * on, as far as it can; a repeat by its sender goes the same way, and the home drops what is
 * twice. */
static void on_misrouted(void *context, struct text user, const struct wire_message *message)
{
    struct hub_shard *shard = context;
    unsigned to = hash_shard(user, shard->place.region->shards);
    shard->misrouted++;
    shard->misrouted_ms = hub_shard_now_ms(shard);
    log_limited(&shard->passed_on_limit, LOG_LEVEL_WARNING,
                "a message came to the wrong shard and is passed on",
                LOG_U64("shard", shard->place.shard), LOG_U64("to", to));
    if (shard->generation == 0 || to == shard->place.shard)
        return;
    if (shard->passers[to] == NULL)
        shard->passers[to] = hub_shard_make_writer(shard, to);
    if (shard->passers[to] == NULL || hub_writer_message(shard->passers[to], message, user) != 0)
        log_error("a message in the wrong shard's log was not passed on", LOG_U64("to", to),
                  LOG_TEXT("id", message->id));
}

void hub_shard_listen_to_apply(struct hub_shard *shard, struct hub_apply_settings *settings)
{
    settings->context = shard;
    settings->on_opened = on_opened;
    settings->on_row = on_row;
    settings->on_acked = on_acked;
    settings->on_dropped = on_dropped;
    settings->on_read = on_read;
    settings->on_moved = on_moved;
    settings->on_misrouted = on_misrouted;
    settings->on_owned = on_owned;
    settings->on_checkpoint = on_checkpoint;
    settings->on_applied = on_applied;
    settings->on_fell_behind = on_fell_behind;
}
