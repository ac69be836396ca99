#include "region-hub/hub_checkpoint_load.h"

#include "log/log.h"
#include "region-hub/hub_checkpoint_plan.h"
#include "wire/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 3, /* a replica that is behind does not hold yet what is there */
    AGAIN_MS = 500,
};

struct hub_checkpoint_load {
    struct hub_checkpoint_load_settings settings;
    struct wire_name stream;
    struct bus_reader *reader;
    struct loop_timer again;
    unsigned tries;
    struct log_limit unreachable_limit;

    struct hub_checkpoint_list list;
    uint64_t wanted; /* the checkpoint that is fetched; 0: the list is read */
    struct hub_checkpoint_done done;
    struct buffer bytes;
    bool *has; /* by part */
    uint32_t has_count;
};

static void read_list(struct hub_checkpoint_load *load);
static void fetch(struct hub_checkpoint_load *load);

static void stop_reading(struct hub_checkpoint_load *load)
{
    bus_reader_close(load->reader);
    load->reader = NULL;
}

static void forget_bytes(struct hub_checkpoint_load *load)
{
    buffer_free(&load->bytes);
    free(load->has);
    load->has = NULL;
    load->has_count = 0;
}

/* Reads what the stream holds of a subject, from its beginning. */
static void read_subject(struct hub_checkpoint_load *load, const char *subject,
                         void (*on_entry)(void *context, const struct bus_entry *entry),
                         void (*on_pause)(void *context, bool caught_up))
{
    stop_reading(load);
    load->reader = bus_reader_open(load->settings.bus, &(struct bus_reader_settings){
                                                           .stream = load->stream.text,
                                                           .filter = subject,
                                                           .from = 1,
                                                           .on_entry = on_entry,
                                                           .on_pause = on_pause,
                                                           .context = load,
                                                       });
    if (load->reader == NULL)
        loop_timer_set(bus_loop(load->settings.bus), &load->again, AGAIN_MS);
}

static void say_unreachable(struct hub_checkpoint_load *load)
{
    log_limited(&load->unreachable_limit, LOG_LEVEL_WARNING,
                "waiting for the stream of checkpoints", LOG_STRING("stream", load->stream.text),
                LOG_U64("shard", load->settings.shard));
}

/* What was not found may be found in a moment. False: it was looked for often enough. */
static bool try_again(struct hub_checkpoint_load *load)
{
    stop_reading(load);
    if (++load->tries >= TRIES)
        return false;
    loop_timer_set(bus_loop(load->settings.bus), &load->again, AGAIN_MS);
    return true;
}

static void on_again(struct loop_timer *timer)
{
    struct hub_checkpoint_load *load = container_of(timer, struct hub_checkpoint_load, again);
    if (load->wanted == 0)
        read_list(load);
    else
        fetch(load);
}

/* --- which one --- */

static void choose(struct hub_checkpoint_load *load, uint64_t from)
{
    const struct hub_checkpoint_done *done = hub_checkpoint_list_from(&load->list, from);
    stop_reading(load);
    forget_bytes(load);
    if (done == NULL) {
        load->settings.on_loaded(load->settings.context, NULL, NULL);
        return;
    }
    load->wanted = done->position;
    load->done = *done;
    load->tries = 0;
    fetch(load);
}

static void on_listed(void *context, const struct bus_entry *entry)
{
    struct hub_checkpoint_load *load = context;
    struct wire_stored_subject subject;
    struct wire_stored stored;
    if (wire_stored_subject_read(entry->subject, &subject) != 0 ||
        subject.kind != WIRE_STORED_CHECKPOINT || !subject.is_done)
        return;
    int err = wire_stored_read(entry->data, entry->size, &stored);
    if (err == 0 && stored.position != subject.number)
        err = -EBADMSG;
    if (err == 0)
        err = hub_checkpoint_list_add(&load->list, &stored);
    if (err != 0)
        log_error("a stored checkpoint is passed over", LOG_TEXT("subject", entry->subject),
                  LOG_ERRNO(err));
}

static void on_list_read(void *context, bool caught_up)
{
    struct hub_checkpoint_load *load = context;
    if (!caught_up) {
        say_unreachable(load);
        return;
    }
    if (hub_checkpoint_list_from(&load->list, load->settings.from) == NULL && try_again(load))
        return;
    choose(load, load->settings.from);
}

static void read_list(struct hub_checkpoint_load *load)
{
    struct wire_name dones = wire_checkpoint_dones(load->settings.region, load->settings.shard);
    read_subject(load, dones.text, on_listed, on_list_read);
}

/* --- its parts --- */

static void pass_over(struct hub_checkpoint_load *load, const char *why)
{
    log_error("a stored checkpoint is damaged and passed over",
              LOG_STRING("stream", load->stream.text), LOG_U64("shard", load->settings.shard),
              LOG_U64("position", load->wanted), LOG_STRING("why", why));
    choose(load, load->wanted + 1);
}

static void on_part(void *context, const struct bus_entry *entry)
{
    struct hub_checkpoint_load *load = context;
    struct wire_stored_subject subject;
    if (wire_stored_subject_read(entry->subject, &subject) != 0 || subject.is_done ||
        subject.part >= load->done.parts)
        return;
    size_t at = (size_t)subject.part * WIRE_PART_SIZE;
    size_t left = (size_t)load->done.size - at;
    if (entry->size != (left < WIRE_PART_SIZE ? left : WIRE_PART_SIZE))
        return; /* it stays missing */
    memcpy(load->bytes.data + at, entry->data, entry->size);
    if (!load->has[subject.part])
        load->has_count++;
    load->has[subject.part] = true;
}

/* All parts are there. */
static void open_checkpoint(struct hub_checkpoint_load *load)
{
    struct fingerprint found = wire_stored_fingerprint(load->bytes.data, load->bytes.size);
    if (memcmp(found.bytes, load->done.fingerprint.bytes, sizeof found.bytes) != 0) {
        pass_over(load, "its bytes do not have its fingerprint");
        return;
    }
    struct mailbox *mailbox = NULL;
    if (mailbox_load(load->bytes.data, load->bytes.size, &mailbox) != 0) {
        pass_over(load, "it is of another version, or damaged");
        return;
    }
    struct mailbox_state state = mailbox_state(mailbox);
    if (state.position != load->wanted || state.shard != load->settings.shard ||
        !text_equal(state.region, text_of(load->settings.region)) ||
        memcmp(state.incarnation, load->list.incarnation, sizeof state.incarnation) != 0) {
        mailbox_free(mailbox);
        pass_over(load, "it is of another log or position than it says");
        return;
    }
    load->settings.on_loaded(load->settings.context, mailbox, &load->bytes); /* may free it */
}

static void on_parts_read(void *context, bool caught_up)
{
    struct hub_checkpoint_load *load = context;
    if (load->has_count == load->done.parts) {
        stop_reading(load);
        open_checkpoint(load);
    } else if (!caught_up) {
        say_unreachable(load);
    } else if (!try_again(load)) {
        pass_over(load, "parts of it are missing");
    }
}

static void fetch(struct hub_checkpoint_load *load)
{
    struct wire_name subjects = wire_stored_subjects(load->settings.region, load->settings.shard,
                                                     WIRE_STORED_CHECKPOINT, load->wanted);
    if (load->has == NULL) {
        size_t size = (size_t)load->done.size;
        load->has = calloc(load->done.parts, sizeof *load->has);
        if (load->has == NULL || buffer_reserve(&load->bytes, size) == NULL) {
            pass_over(load, "memory is short");
            return;
        }
        load->bytes.size = size;
    }
    read_subject(load, subjects.text, on_part, on_parts_read);
}

struct hub_checkpoint_load *
hub_checkpoint_load_start(const struct hub_checkpoint_load_settings *settings)
{
    struct hub_checkpoint_load *load = calloc(1, sizeof *load);
    if (load == NULL)
        return NULL;
    load->settings = *settings;
    load->stream = wire_checkpoint_stream(settings->region);
    load->again.on_due = on_again;
    read_list(load);
    return load;
}

void hub_checkpoint_load_free(struct hub_checkpoint_load *load)
{
    if (load == NULL)
        return;
    stop_reading(load);
    loop_timer_stop(bus_loop(load->settings.bus), &load->again);
    hub_checkpoint_list_clear(&load->list);
    forget_bytes(load);
    free(load);
}
