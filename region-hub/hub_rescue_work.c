/* The steps of a rescue: the directory is read and written, the archive read, the log written. */
#include "region-hub/hub_directory.h"
#include "region-hub/hub_rescue_internal.h"

#include <string.h>

enum { PAGE_ROWS = 1024, PAGE_BYTES = 512 * 1024 };

/* --- the directory --- */

static enum hub_rescue_directory judge_home(const struct hub_rescue_user *user, struct text home)
{
    if (text_equal(home, text_of(user->rescue->settings.region->name)))
        return HUB_RESCUE_HERE;
    return text_equal(home, user->gone) ? HUB_RESCUE_THERE : HUB_RESCUE_ELSEWHERE;
}

static void on_found(struct hub_rescue_user *user, const struct bus_message *message)
{
    struct hub_directory_entry entry;
    switch (hub_directory_found(message, &entry)) {
    case HUB_DIRECTORY_FOUND:
        if (user->measured && entry.epoch != user->epoch)
            user->measured = false; /* of another epoch than was thought */
        user->directory = judge_home(user, entry.home);
        user->revision = entry.revision;
        user->epoch = entry.epoch;
        user->home = catalogue_region(user->rescue->settings.catalogue, entry.home);
        break;
    case HUB_DIRECTORY_NOBODY:
        user->directory = HUB_RESCUE_NOBODY;
        break;
    case HUB_DIRECTORY_SILENT:
        user->again_ms = hub_rescue_now_ms(user->rescue) + HUB_RESCUE_AGAIN_MS;
        return;
    }
    hub_rescue_advanced(user);
}

static void on_decided(struct hub_rescue_user *user, const struct bus_message *message)
{
    struct hub_rescue *rescue = user->rescue;
    switch (hub_directory_written(message, &user->revision)) {
    case HUB_DIRECTORY_WRITTEN:
        user->directory = HUB_RESCUE_HERE;
        hub_directory_tell(rescue->settings.bus, hub_rescue_name(user), &rescue->limit);
        hub_rescue_advanced(user);
        break;
    case HUB_DIRECTORY_CHANGED:
    case HUB_DIRECTORY_REFUSED:
    case HUB_DIRECTORY_UNKNOWN:
        user->directory = HUB_RESCUE_UNREAD;
        user->again_ms = hub_rescue_now_ms(rescue) + HUB_RESCUE_AGAIN_MS;
        break;
    }
}

bool hub_rescue_on_answer(struct bus_request *request, enum bus_outcome outcome,
                          const struct bus_message *message)
{
    struct hub_rescue_user *user = container_of(request, struct hub_rescue_user, request);
    const struct bus_message *answer = outcome == BUS_ANSWER ? message : NULL;
    if (user->writes)
        on_decided(user, answer);
    else
        on_found(user, answer);
    loop_later(user->rescue->settings.loop, &user->rescue->work); /* the request ends with this */
    return false;
}

int hub_rescue_decide(struct hub_rescue_user *user)
{
    const struct hub_rescue_settings *settings = &user->rescue->settings;
    const struct hub_directory_entry entry = {.revision = user->revision,
                                              .epoch = user->epoch + 1,
                                              .home = text_of(settings->region->name)};
    user->writes = true;
    return hub_directory_write(settings->bus, &user->request, hub_rescue_name(user),
                               settings->catalogue->directory_buckets, &entry);
}

int hub_rescue_read(struct hub_rescue_user *user)
{
    user->writes = false;
    const struct hub_rescue_settings *settings = &user->rescue->settings;
    return hub_directory_read(settings->bus, &user->request, hub_rescue_name(user),
                              settings->catalogue->directory_buckets);
}

/* --- the archive --- */

static int ask_archive(struct hub_rescue_user *user, const struct archive_range *range,
                       void (*on_rows)(void *context, const struct hub_archive_answer *answer))
{
    const struct hub_rescue_settings *settings = &user->rescue->settings;
    return hub_archive_reader_ask(settings->reader,
                                  &(struct hub_archive_question){.user = hub_rescue_name(user),
                                                                 .range = *range,
                                                                 .bytes_max = PAGE_BYTES,
                                                                 .loop = settings->loop,
                                                                 .on_answer = on_rows,
                                                                 .context = user},
                                  &user->job);
}

/* Whether there is one. An archive that cannot be read ends it: the operator asks again. */
static bool take_answer(struct hub_rescue_user *user, const struct hub_archive_answer *answer)
{
    user->job = NULL;
    if (answer->error == 0) {
        hub_rescue_advanced(user);
        return true;
    }
    log_limited(&user->rescue->limit, LOG_LEVEL_WARNING,
                "a user could not be fetched out of the archive",
                LOG_TEXT("user", hub_rescue_name(user)), LOG_ERRNO(answer->error));
    hub_rescue_finish(user, WIRE_MOVE_UNSURE);
    return false;
}

static void on_measured(void *context, const struct hub_archive_answer *answer)
{
    struct hub_rescue_user *user = context;
    if (!take_answer(user, answer))
        return;
    bool more = answer->more;
    for (size_t i = 0; i < answer->rows->count; i++) {
        const struct archive_row row = archive_batch_row(answer->rows, i);
        user->below = (struct archive_cursor){.epoch = row.epoch, .seq = row.seq};
        if (!hub_rescue_tail_add(&user->tail, &row)) {
            more = false;
            break;
        }
    }
    user->measured = !more;
    user->next = hub_rescue_oldest(&user->tail);
    hub_rescue_go(user);
}

int hub_rescue_measure(struct hub_rescue_user *user)
{
    struct hub_apply *apply = user->rescue->settings.apply;
    const struct wire_config config = mailbox_state(hub_apply_mailbox(apply)).config;
    const int64_t retention_ms = (int64_t)config.retention_s * 1000;
    if (user->below.epoch == 0)
        hub_rescue_tail_begin(
            &user->tail,
            &(struct hub_rescue_limits){
                .epoch = user->epoch,
                .rows_max = config.mailbox_max_messages,
                .bytes_max = config.mailbox_max_bytes,
                .since_ms = retention_ms == 0 ? 0 : hub_apply_now_ms(apply) - retention_ms});
    return ask_archive(user, &(struct archive_range){.before = user->below, .rows_max = PAGE_ROWS},
                       on_measured);
}

static int hand_over(struct hub_rescue_user *user, const struct archive_row *row)
{
    const struct hub_rescue_settings *settings = &user->rescue->settings;
    struct wire_move_row copy = {.generation = settings->generation,
                                 .move = user->move,
                                 .epoch = user->epoch + 1,
                                 .seq = row->seq,
                                 .at_ms = row->at_ms,
                                 .user = hub_rescue_name(user),
                                 .message = {.flags = row->flags,
                                             .ttl_s = row->ttl_s,
                                             .created_ms = row->created_ms,
                                             .sender = row->sender,
                                             .device = row->device,
                                             .id = row->id,
                                             .body = row->body}};
    memcpy(copy.message.trace, row->trace, sizeof copy.message.trace);
    return hub_writer_move_row(settings->writer, &copy);
}

/* What does not go into the log's queue now is asked for again. */
static void on_rows(void *context, const struct hub_archive_answer *answer)
{
    struct hub_rescue_user *user = context;
    if (!take_answer(user, answer))
        return;
    const struct hub_rescue_part *part = hub_rescue_part_of(&user->tail, user->next);
    const uint64_t before = user->next;
    for (size_t i = 0; i < answer->rows->count && part != NULL; i++) {
        const struct archive_row row = archive_batch_row(answer->rows, i);
        if (row.epoch != part->epoch || row.seq != user->next || row.seq > part->to ||
            hand_over(user, &row) != 0)
            break;
        user->next++;
    }
    if (user->next == before && answer->rows->count == 0)
        hub_rescue_finish(user, WIRE_MOVE_UNSURE); /* what was there a moment ago is not */
}

/* Nothing is on its way to the log but what is applied: the next page. */
int hub_rescue_copy(struct hub_rescue_user *user)
{
    struct mailbox_user mailbox;
    struct mailbox_move move;
    const enum mailbox_where where = hub_rescue_look(user, &mailbox, &move);
    const bool is_ours = where == MAILBOX_STAGED && move.move == user->move;
    if (user->next > hub_rescue_oldest(&user->tail) && (!is_ours || mailbox.head + 1 != user->next))
        return 0; /* not applied yet */
    const struct hub_rescue_part *part = hub_rescue_part_of(&user->tail, user->next);
    const struct archive_range range = {.after = {.epoch = part->epoch, .seq = user->next - 1},
                                        .rows_max = PAGE_ROWS};
    return ask_archive(user, &range, on_rows);
}

/* --- the log --- */

int hub_rescue_write_arrival(struct hub_rescue_user *user)
{
    const struct hub_rescue_settings *settings = &user->rescue->settings;
    const struct wire_move_in move = {.generation = settings->generation,
                                      .move = user->move,
                                      .user = hub_rescue_name(user),
                                      .from = user->gone,
                                      .mailbox = {.epoch = user->epoch + 1,
                                                  .head = user->tail.head,
                                                  .oldest = hub_rescue_oldest(&user->tail),
                                                  .base = hub_rescue_base(&user->tail)}};
    return hub_writer_move_in(settings->writer, &move);
}

int hub_rescue_write_end(struct hub_rescue_user *user)
{
    const struct hub_rescue_settings *settings = &user->rescue->settings;
    struct mailbox_user mailbox;
    struct mailbox_move move;
    (void)hub_rescue_look(user, &mailbox, &move);
    return hub_writer_move_end(settings->writer,
                               &(struct wire_move_end){.generation = settings->generation,
                                                       .move = move.move,
                                                       .user = hub_rescue_name(user),
                                                       .outcome = WIRE_MOVE_DONE,
                                                       .home = text_of(settings->region->name)});
}
