#include "region-hub/hub_checkpoint_load.h"

#include "log/log.h"
#include "mailbox/mailbox_segments.h"
#include "region-hub/hub_checkpoint_plan.h"
#include "store/segment.h"
#include "wire/names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
    TRIES = 3, /* a replica that is behind does not hold yet what is there */
    AGAIN_MS = 500,
    DISK_AGAIN_MS = 5000,
};

struct hub_checkpoint_load {
    struct hub_checkpoint_load_settings settings;
    struct wire_name stream;
    struct bus_reader *reader;
    struct loop_timer again;
    unsigned tries;
    struct log_limit unreachable_limit;

    struct log_limit disk_limit;

    struct hub_checkpoint_list list;
    struct hub_checkpoint_list segments; /* by their ids */
    uint64_t wanted;                     /* the checkpoint chosen; 0: the list is read */

    struct mailbox *mailbox; /* of the checkpoint, when it is fetched; then its segments are */
    struct buffer state;     /* its bytes */
    size_t segment;          /* which of them */
    struct segment_info expected;

    enum wire_stored_kind kind; /* what is fetched */
    struct hub_checkpoint_done done;
    struct buffer bytes;
    bool *has; /* by part */
    uint32_t has_count;
};

static void read_list(struct hub_checkpoint_load *load);
static void fetch(struct hub_checkpoint_load *load);
static void next_segment(struct hub_checkpoint_load *load);

static void stop_reading(struct hub_checkpoint_load *load)
{
    bus_reader_close(load->reader);
    load->reader = NULL;
}

static void forget_mailbox(struct hub_checkpoint_load *load)
{
    mailbox_free(load->mailbox);
    load->mailbox = NULL;
    buffer_free(&load->state);
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

static void begin(struct hub_checkpoint_load *load, enum wire_stored_kind kind,
                  const struct hub_checkpoint_done *done)
{
    forget_bytes(load);
    load->kind = kind;
    load->done = *done;
    load->tries = 0;
    fetch(load);
}

/* --- which one --- */

static void choose(struct hub_checkpoint_load *load, uint64_t from)
{
    const struct hub_checkpoint_done *done = hub_checkpoint_list_from(&load->list, from);
    stop_reading(load);
    forget_mailbox(load);
    if (done == NULL) {
        load->settings.on_loaded(load->settings.context, NULL, NULL);
        return;
    }
    load->wanted = done->position;
    begin(load, WIRE_STORED_CHECKPOINT, done);
}

static void on_listed(void *context, const struct bus_entry *entry)
{
    struct hub_checkpoint_load *load = context;
    struct wire_stored_subject subject;
    struct wire_stored stored;
    if (wire_stored_subject_read(entry->subject, &subject) != 0 || !subject.is_done)
        return;
    bool is_segment = subject.kind == WIRE_STORED_SEGMENT;
    int err = wire_stored_read(entry->data, entry->size, &stored);
    if (err == 0 && stored.position != subject.number)
        err = -EBADMSG;
    if (err == 0)
        err = hub_checkpoint_list_add(is_segment ? &load->segments : &load->list, &stored);
    if (err != 0)
        log_error("what is said to be stored is passed over", LOG_TEXT("subject", entry->subject),
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

static bool has_fingerprint(const struct hub_checkpoint_load *load)
{
    struct fingerprint found = wire_stored_fingerprint(load->bytes.data, load->bytes.size);
    return memcmp(found.bytes, load->done.fingerprint.bytes, sizeof found.bytes) == 0;
}

static bool is_ours(const struct hub_checkpoint_load *load, const struct mailbox_state *state)
{
    return state->position == load->wanted && state->shard == load->settings.shard &&
           text_equal(state->region, text_of(load->settings.region)) &&
           memcmp(state->incarnation, load->list.incarnation, sizeof state->incarnation) == 0;
}

/* All parts of the checkpoint are there. */
static void open_checkpoint(struct hub_checkpoint_load *load)
{
    if (!has_fingerprint(load)) {
        pass_over(load, "its bytes do not have its fingerprint");
        return;
    }
    if (mailbox_load(load->bytes.data, load->bytes.size, &load->mailbox) != 0) {
        load->mailbox = NULL;
        pass_over(load, "it is of another version, or damaged");
        return;
    }
    struct mailbox_state state = mailbox_state(load->mailbox);
    if (!is_ours(load, &state)) {
        pass_over(load, "it is of another log or position than it says");
        return;
    }
    load->state = load->bytes;
    load->bytes = (struct buffer){0};
    load->segment = 0;
    next_segment(load);
}

/* --- what it refers to --- */

static bool is_on_disk(const struct hub_checkpoint_load *load)
{
    struct segment *segment = NULL;
    if (segment_open(load->settings.segments, load->expected.id, &segment, NULL) != 0)
        return false;
    bool whole = segment_is(segment, &load->expected) && segment_verify(segment) == 0;
    segment_close(segment);
    return whole;
}

static void end(struct hub_checkpoint_load *load)
{
    struct mailbox *mailbox = load->mailbox;
    load->mailbox = NULL;
    load->settings.on_loaded(load->settings.context, mailbox, &load->state); /* may free it */
}

static void next_segment(struct hub_checkpoint_load *load)
{
    struct mailbox_segment wanted;
    for (; mailbox_segment_at(load->mailbox, load->segment, &wanted); load->segment++) {
        load->expected = (struct segment_info){.id = wanted.id,
                                               .start_ms = wanted.start_ms,
                                               .end_ms = wanted.end_ms,
                                               .count = wanted.count,
                                               .sum = wanted.sum};
        if (!wanted.is_stored || is_on_disk(load))
            continue;
        const struct hub_checkpoint_done *done =
            hub_checkpoint_list_from(&load->segments, wanted.id);
        if (done == NULL || done->position != wanted.id)
            pass_over(load, "a segment that it refers to is not stored");
        else
            begin(load, WIRE_STORED_SEGMENT, done);
        return;
    }
    end(load);
}

static void install_segment(struct hub_checkpoint_load *load)
{
    int err = segment_install(load->settings.segments, &load->expected, load->bytes.data,
                              load->bytes.size);
    if (err == 0) {
        load->segment++;
        next_segment(load);
    } else if (err == -EILSEQ) {
        pass_over(load, "a segment that it refers to is damaged");
    } else { /* the disk: it may have room in a while */
        log_limited(&load->disk_limit, LOG_LEVEL_ERROR, "cannot write a segment; trying again",
                    LOG_STRING("folder", load->settings.segments), LOG_ERRNO(err));
        loop_timer_set(bus_loop(load->settings.bus), &load->again, DISK_AGAIN_MS);
    }
}

static void on_parts_read(void *context, bool caught_up)
{
    struct hub_checkpoint_load *load = context;
    if (load->has_count == load->done.parts) {
        stop_reading(load);
        if (load->kind == WIRE_STORED_SEGMENT)
            install_segment(load);
        else
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
                                                     load->kind, load->done.position);
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
    hub_checkpoint_list_clear(&load->segments);
    forget_mailbox(load);
    forget_bytes(load);
    free(load);
}
