#include "region-hub/hub_history_internal.h"

#include "base/hash.h"
#include "bus/bus.h"
#include "region-hub/hub_home.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void on_turn(struct loop_later *later);

struct hub_history *hub_history_new(const struct hub_history_settings *settings)
{
    struct hub_history *history = calloc(1, sizeof *history);
    if (history == NULL)
        return NULL;
    history->settings = *settings;
    history->turn.on_later = on_turn;
    list_init(&history->asks);
    list_init(&history->ready);
    return history;
}

/* --- the end of an ask --- */

static void end(struct hub_history_asking *asking)
{
    hub_archive_job_cancel(asking->job);
    hub_page_done(&asking->page);
    list_remove(&asking->link);
    list_remove(&asking->ready);
    asking->history->count--;
    free(asking);
}

void hub_history_serve(struct hub_history *history, uint64_t generation)
{
    history->generation = generation;
    loop_later_cancel(&history->turn);
    list_each(node, &history->asks) end(container_of(node, struct hub_history_asking, link));
}

void hub_history_free(struct hub_history *history)
{
    if (history == NULL)
        return;
    hub_history_serve(history, 0);
    free(history);
}

static void send(struct hub_history *history, const char *reply, const struct hub_page *page,
                 enum wire_answer code)
{
    const struct hub_history_settings *settings = &history->settings;
    const struct wire_frame head = {
        .generation = history->generation,
        .shard = (uint16_t)settings->shard,
        .region = text_of(settings->region->name),
        .from = text_of(settings->hub),
    };
    struct buffer bytes = {0};
    struct wire_frame_writer frame;
    wire_frame_begin(&frame, &bytes, &head);
    hub_page_write(page, code, &frame);
    int err = wire_frame_end(&frame);
    if (err == 0)
        err = bus_publish(settings->bus, reply, NULL, bytes.data, bytes.size);
    if (err != 0) /* it is asked again */
        log_limited(&history->dropped_limit, LOG_LEVEL_WARNING, "a page of history was dropped",
                    LOG_ERRNO(err));
    buffer_free(&bytes);
}

static void answer(struct hub_history_asking *asking, enum wire_answer code)
{
    send(asking->history, asking->reply, &asking->page, code);
    end(asking);
}

/* --- how it goes on --- */

/* The ask may be gone then; and, when the view has failed, the service. */
static void follow(struct hub_history_asking *asking, enum hub_history_next next, int error)
{
    struct hub_history *history = asking->history;
    switch (next) {
    case HUB_HISTORY_AGAIN:
        list_push(&history->ready, &asking->ready);
        loop_later(history->settings.loop, &history->turn);
        break;
    case HUB_HISTORY_WAITS:
        break;
    case HUB_HISTORY_DONE:
        answer(asking, WIRE_OK);
        break;
    case HUB_HISTORY_BUSY:
        answer(asking, WIRE_BUSY);
        break;
    case HUB_HISTORY_FAILED:
        answer(asking, WIRE_BUSY);
        hub_apply_view_failed(history->settings.apply, error);
        break;
    }
}

/* One read of the view a turn. */
static void on_turn(struct loop_later *later)
{
    struct hub_history *history = container_of(later, struct hub_history, turn);
    struct list *node = history->generation == 0 ? NULL : list_pop(&history->ready);
    if (node == NULL || hub_apply_mailbox(history->settings.apply) == NULL)
        return; /* without a mailbox nothing is served, and soon dropped */
    if (!list_empty(&history->ready))
        loop_later(history->settings.loop, &history->turn);
    struct hub_history_asking *asking = container_of(node, struct hub_history_asking, ready);
    int error = 0;
    const enum hub_history_next next = hub_history_read(asking, &error);
    follow(asking, next, error);
}

void hub_history_on_answer(void *context, const struct hub_archive_answer *answer)
{
    struct hub_history_asking *asking = context;
    asking->job = NULL;
    follow(asking, hub_history_archived(asking, answer), 0);
}

static void give_up(struct hub_history_asking *asking)
{
    struct hub_page *page = &asking->page;
    if (asking->stage == HUB_HISTORY_ARCHIVE) {
        hub_archive_job_cancel(asking->job);
        asking->job = NULL;
        asking->due_ms += asking->history->settings.answer_max_ms; /* for what the view has */
        follow(asking, hub_history_archived(asking, NULL), 0);
        return;
    }
    page->full = page->rows.count > 0;
    answer(asking, page->full ? WIRE_OK : WIRE_BUSY);
}

void hub_history_tick(struct hub_history *history)
{
    const int64_t now_ms = loop_now_ms(history->settings.loop);
    list_each(node, &history->asks)
    {
        struct hub_history_asking *asking = container_of(node, struct hub_history_asking, link);
        if (now_ms >= asking->due_ms)
            give_up(asking);
    }
}

/* --- the begin of one --- */

static struct hub_history_asking *new_asking(struct hub_history *history, struct text reply,
                                             const struct wire_history_ask *ask)
{
    struct hub_history_asking *asking = calloc(1, sizeof *asking);
    if (asking == NULL)
        return NULL;
    if (text_put(asking->reply, sizeof asking->reply, reply) != 0) {
        free(asking);
        return NULL;
    }
    asking->history = history;
    memcpy(asking->user, ask->user.data, ask->user.size);
    asking->user_size = ask->user.size;
    asking->due_ms = loop_now_ms(history->settings.loop) + history->settings.answer_max_ms;
    hub_page_init(&asking->page, ask, hub_apply_now_ms(history->settings.apply));
    struct mailbox_user user;
    if (mailbox_find_user(hub_apply_mailbox(history->settings.apply), ask->user, &user))
        hub_page_set_base(&asking->page, (struct archive_cursor){user.epoch, user.base});
    list_push(&history->asks, &asking->link);
    history->count++;
    return asking;
}

static void refuse(struct hub_history *history, struct text reply,
                   const struct wire_history_ask *ask, enum wire_answer code)
{
    char subject[WIRE_NAME_MAX];
    const struct hub_page page = {.request = ask->request};
    if (text_put(subject, sizeof subject, reply) == 0)
        send(history, subject, &page, code);
}

void hub_history_refuse(struct hub_history *history, struct text reply,
                        const struct wire_history_ask *ask)
{
    if (history->generation != 0 && reply.size > 0)
        refuse(history, reply, ask, WIRE_REFUSED);
}

void hub_history_ask(struct hub_history *history, struct text reply,
                     const struct wire_history_ask *ask)
{
    const struct hub_history_settings *settings = &history->settings;
    int error = 0;
    if (history->generation == 0 || !bus_is_inbox(reply))
        return;
    if (!wire_is_person(ask->user)) {
        refuse(history, reply, ask, WIRE_REFUSED);
        return;
    }
    if (hash_shard(ask->user, settings->region->shards) != settings->shard ||
        !hub_home_serves(hub_apply_mailbox(settings->apply), ask->user)) {
        refuse(history, reply, ask, WIRE_NOT_HOME);
        return;
    }
    struct hub_history_asking *asking =
        history->count >= HUB_HISTORY_ASKS_MAX ? NULL : new_asking(history, reply, ask);
    if (asking == NULL) {
        refuse(history, reply, ask, WIRE_BUSY);
        return;
    }
    const enum hub_history_next next = hub_history_begin(asking, &error);
    follow(asking, next, error);
}
