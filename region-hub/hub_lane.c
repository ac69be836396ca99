#include "region-hub/hub_lane.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum event {
    ANSWERED,
    DOUBTED, /* answered, by a home that did not take what was sent last */
    SILENT,
    HEARD,
    STORED,
    REFUSED,
    STALLED,
    RESTED,
    HALTED,
    EVENTS
};

/* Row: where the lane is. Column: what happened. Cell: where it goes. */
static const enum hub_lane_state table[HUB_LANE_STATES][EVENTS] = {
/* clang-format off */
#define ASK   HUB_LANE_ASKING
#define UNR   HUB_LANE_UNREACHED
#define BACK  HUB_LANE_BACKOFF
#define PROBE HUB_LANE_PROBING
#define OPEN  HUB_LANE_OPEN
    /*                      ANSWERED DOUBTED SILENT HEARD  STORED REFUSED STALLED RESTED HALTED */
    [HUB_LANE_ASKING]    = {OPEN,    PROBE,  UNR,   ASK,   ASK,   ASK,    ASK,    ASK,   UNR},
    [HUB_LANE_UNREACHED] = {UNR,     UNR,    UNR,   ASK,   UNR,   UNR,    UNR,    ASK,   UNR},
    [HUB_LANE_BACKOFF]   = {BACK,    BACK,   BACK,  BACK,  BACK,  BACK,   BACK,   ASK,   UNR},
    [HUB_LANE_PROBING]   = {PROBE,   PROBE,  PROBE, PROBE, OPEN,  BACK,   BACK,   PROBE, UNR},
    [HUB_LANE_OPEN]      = {OPEN,    OPEN,   OPEN,  OPEN,  OPEN,  BACK,   ASK,    OPEN,  UNR},
#undef ASK
#undef UNR
#undef BACK
#undef PROBE
#undef OPEN
    /* clang-format on */
};

/* A home that does not answer is asked at least that often: a link that heals is used at once. */
static const int64_t unreached_max_ms = 1000;
/* A home that lags is given that many stalls before it is asked all the same. */
static const int64_t lag_stalls = 10;

const char *hub_lane_state_name(enum hub_lane_state state)
{
    static const char *const names[] = {"asking", "unreached", "backoff", "probing", "open"};
    return names[state];
}

static void pause_lane(struct hub_lane *lane, int64_t longest_ms, int64_t now_ms)
{
    int64_t pause_ms = lane->backoff_ms < longest_ms ? lane->backoff_ms : longest_ms;
    lane->due_ms = now_ms + pause_ms;
    lane->backoff_ms *= 2;
    if (lane->backoff_ms > lane->settings.backoff_max_ms)
        lane->backoff_ms = lane->settings.backoff_max_ms;
}

static void move(struct hub_lane *lane, enum event event, int64_t now_ms)
{
    enum hub_lane_state from = lane->state;
    lane->state = table[from][event];
    if (lane->state == from)
        return;
    if (event == REFUSED || event == STALLED)
        lane->doubted = true;
    else if (lane->state == HUB_LANE_OPEN)
        lane->doubted = false;
    if (lane->state == HUB_LANE_ASKING)
        lane->ask = true;
    else if (lane->state == HUB_LANE_BACKOFF)
        pause_lane(lane, lane->settings.backoff_max_ms, now_ms);
    else if (lane->state == HUB_LANE_UNREACHED)
        pause_lane(lane, unreached_max_ms, now_ms);
}

int hub_lane_init(struct hub_lane *lane, const struct hub_lane_settings *settings,
                  uint64_t first_number, int64_t now_ms)
{
    *lane = (struct hub_lane){
        .settings = *settings,
        .state = HUB_LANE_ASKING,
        .ask = true,
        .next = 1,
        .first_number = first_number,
        .heard_ms = now_ms,
        .progress_ms = now_ms,
        .backoff_ms = settings->backoff_min_ms,
    };
    lane->batches = calloc(settings->window_batches, sizeof lane->batches[0]);
    return lane->batches == NULL ? -ENOMEM : 0;
}

void hub_lane_done(struct hub_lane *lane)
{
    free(lane->batches);
    lane->batches = NULL;
}

bool hub_lane_wants(const struct hub_lane *lane)
{
    if (lane->state == HUB_LANE_PROBING)
        return lane->count == 0;
    return lane->state == HUB_LANE_OPEN && lane->count < lane->settings.window_batches &&
           lane->bytes < lane->settings.window_bytes;
}

/* What was offered and not taken is read again as soon as there is room. */
static void seek_when_wanted(struct hub_lane *lane)
{
    if (!lane->missed || !hub_lane_wants(lane))
        return;
    lane->missed = false;
    lane->missed_ms = 0;
    lane->seek = true;
}

struct hub_lane_orders hub_lane_orders(struct hub_lane *lane)
{
    seek_when_wanted(lane);
    struct hub_lane_orders orders = {.ask = lane->ask, .seek = lane->seek};
    lane->ask = lane->seek = false;
    return orders;
}

static struct hub_lane_batch *batch_at(const struct hub_lane *lane, uint32_t index)
{
    return &lane->batches[(lane->first + index) % lane->settings.window_batches];
}

bool hub_lane_take(struct hub_lane *lane, uint64_t sequence, uint32_t size, int64_t time_ms,
                   int64_t now_ms, uint64_t *ret_number, uint64_t *ret_previous)
{
    if (sequence < lane->next)
        return false;
    /* Behind one that was missed none is taken: it would leave a hole. */
    if (lane->missed || lane->seek || !hub_lane_wants(lane)) {
        if (!lane->missed)
            lane->missed_ms = time_ms;
        lane->missed = true;
        return false;
    }
    *ret_number = lane->first_number + lane->count;
    *ret_previous = lane->last;
    *batch_at(lane, lane->count) =
        (struct hub_lane_batch){.sequence = sequence, .time_ms = time_ms, .size = size};
    if (lane->count++ == 0)
        lane->progress_ms = now_ms;
    lane->bytes += size;
    lane->last = sequence;
    lane->next = sequence + 1;
    return true;
}

void hub_lane_puback(struct hub_lane *lane, uint64_t number, uint64_t position, int64_t now_ms)
{
    if (number < lane->first_number || number - lane->first_number >= lane->count)
        return;
    struct hub_lane_batch *batch = batch_at(lane, (uint32_t)(number - lane->first_number));
    if (position == 0) {
        if (batch->position == 0)
            move(lane, REFUSED, now_ms);
        return;
    }
    if (batch->position == 0)
        lane->bytes -= batch->size;
    batch->position = position;
    move(lane, STORED, now_ms);
}

static void drop_first(struct hub_lane *lane)
{
    const struct hub_lane_batch *batch = batch_at(lane, 0);
    if (batch->position == 0)
        lane->bytes -= batch->size;
    lane->first = (lane->first + 1) % lane->settings.window_batches;
    lane->first_number++;
    lane->count--;
}

static void advance(struct hub_lane *lane, uint64_t applied, int64_t now_ms)
{
    if (applied <= lane->applied)
        return;
    lane->applied = applied;
    lane->progress_ms = now_ms;
    lane->backoff_ms = lane->settings.backoff_min_ms;
    bool probed = lane->count > 0 && batch_at(lane, 0)->sequence <= applied;
    while (lane->count > 0 && batch_at(lane, 0)->sequence <= applied)
        drop_first(lane);
    if (probed)
        move(lane, STORED, now_ms);
}

/* The home has applied its log past the place of the oldest batch, and yet not the batch. */
static bool passed_over(const struct hub_lane *lane)
{
    return lane->count > 0 && batch_at(lane, 0)->position != 0 &&
           batch_at(lane, 0)->position <= lane->home_position;
}

void hub_lane_heard(struct hub_lane *lane, uint64_t home_position, const uint8_t incarnation[16],
                    uint64_t sequence, int64_t now_ms)
{
    lane->home_position = home_position;
    lane->heard_ms = now_ms;
    move(lane, HEARD, now_ms);
    if (lane->state != HUB_LANE_PROBING && lane->state != HUB_LANE_OPEN)
        return;
    if (memcmp(incarnation, lane->outbox, sizeof lane->outbox) == 0)
        advance(lane, sequence, now_ms);
    if (passed_over(lane))
        move(lane, STALLED, now_ms);
}

void hub_lane_answered(struct hub_lane *lane, const uint8_t outbox[16],
                       const uint8_t incarnation[16], uint64_t sequence, int64_t now_ms)
{
    if (lane->state != HUB_LANE_ASKING)
        return;
    bool same = memcmp(incarnation, outbox, sizeof lane->outbox) == 0;
    uint64_t applied = same ? sequence : 0; /* else nothing of this outbox was ever applied */
    if (applied > lane->applied)
        lane->backoff_ms = lane->settings.backoff_min_ms;
    memcpy(lane->outbox, outbox, sizeof lane->outbox);
    lane->first_number += lane->count;
    lane->first = lane->count = 0;
    lane->bytes = 0;
    lane->applied = lane->last = applied;
    lane->next = applied + 1;
    lane->missed = false;
    lane->missed_ms = 0;
    lane->seek = true;
    lane->progress_ms = now_ms;
    move(lane, lane->doubted ? DOUBTED : ANSWERED, now_ms);
}

void hub_lane_ask_failed(struct hub_lane *lane, int64_t now_ms)
{
    move(lane, SILENT, now_ms);
}

void hub_lane_halt(struct hub_lane *lane, int64_t now_ms)
{
    move(lane, HALTED, now_ms);
}

static bool stalled(const struct hub_lane *lane, int64_t now_ms)
{
    if (lane->count == 0)
        return false;
    int64_t patience_ms = lane->settings.stall_ms;
    /* Stored, and the home is heard, but has not come to it: it lags, and asking speeds up
     * nothing. */
    if (batch_at(lane, 0)->position > lane->home_position &&
        now_ms - lane->heard_ms < 2 * lane->settings.stall_ms)
        patience_ms *= lag_stalls;
    return now_ms - lane->progress_ms >= patience_ms;
}

void hub_lane_tick(struct hub_lane *lane, int64_t now_ms)
{
    if (lane->state == HUB_LANE_PROBING || lane->state == HUB_LANE_OPEN) {
        if (stalled(lane, now_ms))
            move(lane, STALLED, now_ms);
    } else if (lane->state != HUB_LANE_ASKING && now_ms >= lane->due_ms) {
        move(lane, RESTED, now_ms);
    }
}

int64_t hub_lane_oldest_ms(const struct hub_lane *lane)
{
    return lane->count > 0 ? batch_at(lane, 0)->time_ms : lane->missed_ms;
}
