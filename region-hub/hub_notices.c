#include "region-hub/hub_notices.h"

#include "log/log.h"
#include "region-hub/hub_notice.h"
#include "region-hub/hub_post.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

enum {
    TURN_STEPS = 64,        /* of one turn of the loop: each a read of the view at most */
    TURN_COST = 256 * 1024, /* of one turn: bytes of bodies that are read, and what follows */
    ROW_COST = 512,
    STEP_COST = 1024,
    LEVEL_NOTICES = 2, /* of the log, from which on hubs know these records */
};

/* The notice that is being made: a range of seqs is read in parts. */
struct making {
    bool open;
    struct hub_gather gather;
    uint64_t next;                 /* seq wanted next */
    struct hub_notice_about about; /* of the part; its user is asked for anew in each step */
};

struct hub_notices {
    struct hub_notices_settings settings;
    struct hub_post *post;
    struct making making;
    uint64_t next;    /* the number that is made next or being made */
    uint64_t done;    /* all up to here are settled */
    uint64_t written; /* all up to here were said to be, in the log */
    int64_t written_ms;
    uint32_t *unsettled; /* of the numbers after `done`: a ring of `window` */
    uint32_t window;
    size_t turn_cost;
    struct loop_later work;
    struct log_limit memory_limit;
};

static void on_work(struct loop_later *later);
static void on_settled(void *context, uint64_t number);

static struct hub_post *post_new(struct hub_notices *notices)
{
    const struct hub_notices_settings *settings = &notices->settings;
    return hub_post_new(&(struct hub_post_settings){
        .loop = settings->loop,
        .bus = settings->bus,
        .settings = settings->settings,
        .catalogue = settings->catalogue,
        .region = settings->region,
        .process = settings->process,
        .first_number = settings->first_number,
        .context = notices,
        .on_settled = on_settled,
    });
}

struct hub_notices *hub_notices_new(const struct hub_notices_settings *settings)
{
    struct hub_notices *notices = calloc(1, sizeof *notices);
    if (notices == NULL)
        return NULL;
    notices->settings = *settings;
    notices->window = settings->settings->notice_window;
    notices->written_ms = INT64_MIN / 2;
    notices->work.on_later = on_work;
    notices->unsettled = calloc(notices->window, sizeof *notices->unsettled);
    notices->post = post_new(notices);
    if (notices->unsettled == NULL || notices->post == NULL) {
        hub_notices_free(notices);
        return NULL;
    }
    loop_later(settings->loop, &notices->work);
    return notices;
}

void hub_notices_free(struct hub_notices *notices)
{
    if (notices == NULL)
        return;
    loop_later_cancel(&notices->work);
    hub_gather_drop(&notices->making.gather);
    hub_post_free(notices->post);
    free(notices->unsettled);
    free(notices);
}

/* Numbers. */

static uint32_t *unsettled_of(struct hub_notices *notices, uint64_t number)
{
    return &notices->unsettled[number % notices->window];
}

static void advance(struct hub_notices *notices)
{
    while (notices->done + 1 < notices->next && *unsettled_of(notices, notices->done + 1) == 0)
        notices->done++;
}

static void on_settled(void *context, uint64_t number)
{
    struct hub_notices *notices = context;
    if (number <= notices->done)
        return; /* the queue has dropped it meanwhile */
    assert(*unsettled_of(notices, number) > 0);
    --*unsettled_of(notices, number);
    advance(notices);
    loop_later(notices->settings.loop, &notices->work);
}

static void end_number(struct hub_notices *notices)
{
    hub_gather_drop(&notices->making.gather);
    notices->making = (struct making){0};
    notices->next++;
    advance(notices);
}

/* The queue begins later than what is made: for want of room, or this hub begins. */
static void follow_queue(struct hub_notices *notices, const struct mailbox_state *state)
{
    if (notices->done + 1 >= state->notices_first)
        return;
    uint64_t done = state->notices_first - 1;
    for (uint64_t i = 0; i < notices->window && notices->done + 1 + i <= done; i++)
        *unsettled_of(notices, notices->done + 1 + i) = 0;
    notices->done = done;
    if (notices->next <= done) {
        hub_gather_drop(&notices->making.gather);
        notices->making = (struct making){0};
        notices->next = done + 1;
    }
    advance(notices);
}

static void send_made(struct hub_notices *notices, struct list *made)
{
    for (struct list *node; (node = list_pop(made)) != NULL;) {
        struct hub_notice *notice = container_of(node, struct hub_notice, link);
        ++*unsettled_of(notices, notices->next);
        if (hub_post_add(notices->post, notice, notices->next) == 0)
            continue;
        --*unsettled_of(notices, notices->next);
        log_limited(&notices->memory_limit, LOG_LEVEL_ERROR,
                    "memory is short: somebody is not told");
    }
}

/* Making. */

struct reading {
    struct hub_notices *notices;
    uint64_t end; /* the last seq wanted */
    uint32_t epoch;
    bool failed;
};

static bool on_row(void *context, const struct view_row *row)
{
    struct reading *reading = context;
    struct making *making = &reading->notices->making;
    if (row->epoch != reading->epoch || row->seq > reading->end)
        return false;
    if (row->seq < making->next)
        return true;
    const struct hub_gather_row gathered = {
        .sender = row->sender, .id = row->id, .wants = row->wants, .flags = row->flags};
    reading->failed = hub_gather_add(&making->gather, &gathered) != 0;
    reading->notices->turn_cost += ROW_COST + row->body.size;
    if (!reading->failed)
        making->next = row->seq + 1;
    return !reading->failed;
}

/* Reads on in the part that is open. 0; -EAGAIN: try again later. */
static int read_part(struct hub_notices *notices, uint64_t start_row)
{
    struct making *making = &notices->making;
    struct reading reading = {
        .notices = notices, .end = making->about.to, .epoch = making->about.epoch};
    uint64_t before = making->next;
    int err = view_read(hub_apply_view(notices->settings.apply), start_row, before,
                        (size_t)(reading.end - before + 1), TURN_COST, on_row, &reading);
    if (err != 0) {
        hub_apply_view_failed(notices->settings.apply, err);
        return -EAGAIN;
    }
    if (reading.failed)
        return -EAGAIN;
    if (making->next == before) /* gone: trimmed, or never in this view */
        making->next++;
    return 0;
}

static int end_part(struct hub_notices *notices, struct text user)
{
    struct making *making = &notices->making;
    struct hub_notice_about about = making->about;
    struct list made;
    about.user = user;
    list_init(&made);
    making->open = false;
    if (hub_gather_end(&making->gather, &about, &made) != 0)
        log_limited(&notices->memory_limit, LOG_LEVEL_ERROR,
                    "memory is short: somebody is not told");
    send_made(notices, &made);
    return 0;
}

/* The part that begins with making->next. */
static void begin_part(struct hub_notices *notices, const struct mailbox_notice *notice)
{
    struct making *making = &notices->making;
    uint64_t from = notice->from;
    uint64_t to = notice->to;
    uint8_t want = WIRE_WANT_STORED;
    size_t ids_max = 1;
    if (notice->kind == MAILBOX_NOTICE_DELIVERED) {
        uint64_t end = hub_notice_chunk_end(making->next);
        uint64_t begin = end - HUB_NOTICE_CHUNK + 1;
        from = begin > from ? begin : from;
        to = end < to ? end : to;
        want = WIRE_WANT_DELIVERED;
        ids_max = HUB_NOTICE_CHUNK;
    } else if (notice->kind == MAILBOX_NOTICE_READ) {
        want = WIRE_WANT_READ;
        ids_max = HUB_NOTICE_READ_IDS;
    }
    making->open = true;
    making->about = (struct hub_notice_about){
        .kind = notice->kind, .epoch = notice->epoch, .from = from, .to = to};
    hub_gather_begin(&making->gather, want, ids_max);
}

/* The first seq that a notice looks at. */
static uint64_t first_seq(const struct mailbox_notice *notice, const struct mailbox_user *user)
{
    uint64_t first = notice->from;
    if (notice->kind == MAILBOX_NOTICE_READ)
        first = notice->to > HUB_NOTICE_READ_SEQS ? notice->to - HUB_NOTICE_READ_SEQS + 1 : 1;
    return first > user->oldest ? first : user->oldest;
}

/* One step of a notice about rows. */
static int step_rows(struct hub_notices *notices, const struct mailbox_notice *notice)
{
    struct making *making = &notices->making;
    struct mailbox_user user;
    if (!mailbox_find_user(hub_apply_mailbox(notices->settings.apply), notice->user, &user) ||
        user.epoch != notice->epoch || user.head < notice->to) {
        end_number(notices);
        return 0;
    }
    if (making->next == 0)
        making->next = first_seq(notice, &user);
    if (making->next > notice->to && !making->open) {
        end_number(notices);
        return 0;
    }
    if (!making->open)
        begin_part(notices, notice);
    /* `of` is borrowed from the state, for this step. */
    making->gather.of = notice->kind == MAILBOX_NOTICE_READ ? notice->other : TEXT("");
    uint64_t row =
        notice->kind == MAILBOX_NOTICE_STORED ? notice->row : mailbox_row_near(&user, making->next);
    int err = read_part(notices, row);
    if (err == 0 && making->next > making->about.to)
        err = end_part(notices, notice->user);
    return err;
}

static int step_dropped(struct hub_notices *notices, const struct mailbox_notice *notice)
{
    const struct hub_notice_about about = {.kind = notice->kind,
                                           .user = notice->user,
                                           .epoch = notice->epoch,
                                           .from = notice->from,
                                           .to = notice->to};
    struct hub_notice *made = hub_notice_dropped(&about, notice->other);
    struct list list;
    if (made == NULL)
        return -EAGAIN;
    list_init(&list);
    list_push(&list, &made->link);
    send_made(notices, &list);
    end_number(notices);
    return 0;
}

static int post_passed(void *context, const struct hub_pass_on *passed)
{
    struct hub_notices *notices = context;
    ++*unsettled_of(notices, notices->next);
    int err = passed->by_directory
                  ? hub_post_add(notices->post, passed->made, notices->next)
                  : hub_post_add_to(notices->post, passed->region, passed->made, notices->next);
    if (err == 0) {
        notices->settings.passed->sent++;
        return 0;
    }
    --*unsettled_of(notices, notices->next);
    return -EAGAIN; /* memory is short: nobody's message is lost for that */
}

/* The messages of a mailbox that has left behind what the other one went on from. */
static int step_pass_on_range(struct hub_notices *notices, const struct mailbox_notice *notice)
{
    const struct hub_notices_settings *settings = &notices->settings;
    struct hub_pass_on_range range = {.notice = notice,
                                      .next = notices->making.next,
                                      .bytes_max = TURN_COST,
                                      .context = notices,
                                      .post = post_passed};
    int err = hub_pass_on_range(settings->apply, settings->catalogue, settings->region,
                                &notices->memory_limit, &range);
    notices->turn_cost += ROW_COST + range.bytes;
    notices->making.next = range.next;
    if (err == 0 && range.next > notice->to)
        end_number(notices);
    return err;
}

/* A message, and no notice. */
static int step_pass_on(struct hub_notices *notices, const struct mailbox_notice *notice)
{
    const struct hub_notices_settings *settings = &notices->settings;
    struct hub_pass_on passed;
    if (notice->from > 0)
        return step_pass_on_range(notices, notice);
    int err = hub_pass_on(settings->apply, settings->catalogue, settings->region, notice,
                          &notices->memory_limit, settings->passed, &passed);
    notices->turn_cost += ROW_COST + passed.bytes;
    if (err != 0)
        return err;
    if (passed.made != NULL && (err = post_passed(notices, &passed)) != 0)
        return err;
    end_number(notices);
    return 0;
}

/* 0: one step was made; -EAGAIN: not now; -ENODATA: nothing to do, or enough is on its way. */
static int step(struct hub_notices *notices)
{
    const struct mailbox *mailbox = hub_apply_mailbox(notices->settings.apply);
    if (mailbox == NULL)
        return -ENODATA;
    struct mailbox_state state = mailbox_state(mailbox);
    struct mailbox_notice notice;
    follow_queue(notices, &state);
    if (state.config.level < LEVEL_NOTICES || notices->next > state.notices_last ||
        notices->next - notices->done > notices->window ||
        hub_post_waiting(notices->post) >= notices->window)
        return -ENODATA;
    if (!mailbox_notice(mailbox, notices->next, &notice)) {
        end_number(notices);
        return 0;
    }
    if (notice.kind == MAILBOX_NOTICE_DROPPED)
        return step_dropped(notices, &notice);
    if (notice.kind == MAILBOX_NOTICE_PASS_ON)
        return step_pass_on(notices, &notice);
    return step_rows(notices, &notice);
}

static void on_work(struct loop_later *later)
{
    struct hub_notices *notices = container_of(later, struct hub_notices, work);
    int err = 0;
    notices->turn_cost = 0;
    for (int i = 0; i < TURN_STEPS && notices->turn_cost < TURN_COST && err == 0; i++) {
        notices->turn_cost += STEP_COST;
        err = step(notices);
    }
    if (err == 0)
        loop_later(notices->settings.loop, &notices->work);
}

void hub_notices_wake(struct hub_notices *notices)
{
    loop_later(notices->settings.loop, &notices->work);
}

/* From outside. */

bool hub_notices_puback(struct hub_notices *notices, uint64_t number, const struct bus_puback *ack)
{
    return hub_post_puback(notices->post, number, ack);
}

void hub_notices_connected(struct hub_notices *notices)
{
    hub_post_connected(notices->post);
}

/* What was lost is made again, with all that followed it. */
static void begin_again(struct hub_notices *notices)
{
    struct hub_post *post = post_new(notices);
    if (post == NULL)
        return; /* the next tick tries again */
    hub_post_free(notices->post);
    notices->post = post;
    hub_gather_drop(&notices->making.gather);
    notices->making = (struct making){0};
    notices->next = notices->done + 1;
    for (uint32_t i = 0; i < notices->window; i++)
        notices->unsettled[i] = 0;
}

static void write_noticed(struct hub_notices *notices)
{
    const struct hub_notices_settings *settings = &notices->settings;
    int64_t now_ms = loop_now_ms(settings->loop);
    const struct wire_noticed noticed = {.generation = settings->generation,
                                         .number = notices->done};
    const struct mailbox *mailbox = hub_apply_mailbox(settings->apply);
    if (mailbox == NULL || now_ms - notices->written_ms < settings->settings->noticed_ms)
        return;
    if (notices->written < mailbox_state(mailbox).notices_first - 1)
        notices->written = mailbox_state(mailbox).notices_first - 1;
    if (notices->done <= notices->written || hub_writer_noticed(settings->writer, &noticed) != 0)
        return; /* nothing new, or no room: the next tick tries again */
    notices->written = notices->done;
    notices->written_ms = now_ms;
}

void hub_notices_tick(struct hub_notices *notices)
{
    if (hub_post_has_lost(notices->post))
        begin_again(notices);
    hub_post_tick(notices->post);
    write_noticed(notices);
    loop_later(notices->settings.loop, &notices->work);
}
