#include "region-hub/hub_checkpoint_upload.h"

#include "log/log.h"
#include "region-hub/hub_stream.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    PARTS_ON_WAY = 4, /* 2 MiB */
    ASK_TIMEOUT_MS = 2000,
    PART_TIMEOUT_MS = 5000,
    PART_TRIES = 4,
};

struct part {
    struct bus_request request;
    struct hub_checkpoint_upload *upload;
    uint32_t number;
    unsigned tries;
};

struct hub_checkpoint_upload {
    struct hub_checkpoint_upload_settings settings;
    struct wire_name stream;
    struct hub_checkpoint_item item;
    struct wire_stored stored;
    bool runs;
    struct bus_request ask; /* for the `done` that is there */
    struct part parts[PARTS_ON_WAY];
    struct part done;
    uint32_t next; /* the part to leave next */
    uint32_t stored_parts;
    struct buffer scratch;
};

static void drop_item(struct hub_checkpoint_upload *upload)
{
    if (upload->item.fd >= 0)
        close(upload->item.fd);
    upload->item.fd = -1;
    buffer_free(&upload->item.done);
    buffer_free(&upload->scratch);
}

static void cancel(struct hub_checkpoint_upload *upload)
{
    bus_request_cancel(&upload->ask);
    bus_request_cancel(&upload->done.request);
    for (size_t i = 0; i < PARTS_ON_WAY; i++)
        bus_request_cancel(&upload->parts[i].request);
}

static void end(struct hub_checkpoint_upload *upload, int err)
{
    cancel(upload);
    drop_item(upload);
    upload->runs = false;
    upload->settings.on_end(upload->settings.context, err);
}

/* --- the parts --- */

/* The bytes of a part, in the scratch. */
static int read_part(struct hub_checkpoint_upload *upload, uint32_t number)
{
    uint64_t at = (uint64_t)number * WIRE_PART_SIZE;
    uint64_t left = upload->stored.size - at;
    size_t size = left < WIRE_PART_SIZE ? (size_t)left : WIRE_PART_SIZE;
    buffer_clear(&upload->scratch);
    uint8_t *room = buffer_reserve(&upload->scratch, size);
    if (room == NULL)
        return -ENOMEM;
    while (upload->scratch.size < size) {
        ssize_t got =
            pread(upload->item.fd, room + upload->scratch.size, size - upload->scratch.size,
                  upload->item.offset + (off_t)(at + upload->scratch.size));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return -EIO;
        upload->scratch.size += (size_t)got;
    }
    return 0;
}

static int send(struct hub_checkpoint_upload *upload, struct part *part)
{
    const struct hub_checkpoint_item *item = &upload->item;
    bool is_done = part == &upload->done;
    int err = is_done ? 0 : read_part(upload, part->number);
    if (err != 0)
        return err;
    const struct buffer *bytes = is_done ? &item->done : &upload->scratch;
    struct wire_name subject =
        is_done ? wire_stored_done(upload->settings.region, upload->settings.shard, item->kind,
                                   item->number)
                : wire_stored_part(upload->settings.region, upload->settings.shard, item->kind,
                                   item->number, part->number);
    part->tries++;
    return bus_request(upload->settings.bus, &part->request, subject.text, bytes->data, bytes->size,
                       PART_TIMEOUT_MS);
}

/* The next part on this place, or, when all of them are stored, the `done`. */
static int go_on(struct hub_checkpoint_upload *upload, struct part *part)
{
    if (upload->next < upload->stored.parts) {
        part->number = upload->next++;
        part->tries = 0;
        return send(upload, part);
    }
    return upload->stored_parts == upload->stored.parts ? send(upload, &upload->done) : 0;
}

static int judge_answer(enum bus_outcome outcome, const struct bus_message *message)
{
    struct bus_puback ack;
    if (outcome != BUS_ANSWER)
        return -ETIMEDOUT;
    if (bus_puback_read(message, &ack) != 0)
        return -EIO;
    if (ack.position > 0)
        return 0;
    return ack.err_code == BUS_ERR_STREAM_FULL ? -ENOSPC : -EIO;
}

static bool on_stored(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct part *part = container_of(request, struct part, request);
    struct hub_checkpoint_upload *upload = part->upload;
    int err = judge_answer(outcome, message);
    bus_request_cancel(request);
    if (err == -ETIMEDOUT && part->tries < PART_TRIES)
        err = send(upload, part);
    else if (err == 0 && part == &upload->done) {
        end(upload, 0);
        return false;
    } else if (err == 0) {
        upload->stored_parts++;
        err = go_on(upload, part);
    }
    if (err != 0)
        end(upload, err);
    return false;
}

/* --- is it there? --- */

static bool is_same(const struct hub_checkpoint_upload *upload, const struct bus_entry *entry)
{
    struct wire_stored found;
    if (wire_stored_read(entry->data, entry->size, &found) != 0 ||
        memcmp(found.incarnation, upload->item.incarnation, sizeof found.incarnation) != 0)
        return false;
    if (upload->item.not_before_ms > entry->time_ms)
        return false;
    return upload->item.done.size == 0 ||
           (upload->item.done.size == entry->size &&
            memcmp(upload->item.done.data, entry->data, entry->size) == 0);
}

static bool on_asked(struct bus_request *request, enum bus_outcome outcome,
                     const struct bus_message *message)
{
    struct hub_checkpoint_upload *upload = container_of(request, struct hub_checkpoint_upload, ask);
    struct bus_entry entry = {0};
    int err = outcome == BUS_ANSWER ? bus_entry_read(message, &entry, NULL) : -ETIMEDOUT;
    bool found = err == 0 && is_same(upload, &entry);
    bus_request_cancel(request);
    if (found || (err != 0 && err != -ENOENT)) {
        end(upload, found ? 0 : err);
        return false;
    }
    err = upload->item.fd < 0 ? -ENOENT : 0;
    for (size_t i = 0; i < PARTS_ON_WAY && err == 0 && upload->next < upload->stored.parts; i++)
        err = go_on(upload, &upload->parts[i]);
    if (err != 0)
        end(upload, err);
    return false;
}

void hub_checkpoint_upload_start(struct hub_checkpoint_upload *upload,
                                 struct hub_checkpoint_item *item)
{
    assert(!upload->runs);
    upload->item = *item;
    *item = (struct hub_checkpoint_item){.fd = -1};
    upload->runs = true;
    upload->next = upload->stored_parts = 0;
    upload->done.tries = 0;
    upload->stored = (struct wire_stored){0};
    int err = 0;
    if (upload->item.fd >= 0)
        err = wire_stored_read(upload->item.done.data, upload->item.done.size, &upload->stored);
    struct wire_name subject = wire_stored_done(upload->settings.region, upload->settings.shard,
                                                upload->item.kind, upload->item.number);
    if (err == 0)
        err = hub_stream_get_last(upload->settings.bus, &upload->ask, upload->stream.text,
                                  subject.text, ASK_TIMEOUT_MS);
    if (err != 0)
        end(upload, err);
}

bool hub_checkpoint_upload_runs(const struct hub_checkpoint_upload *upload)
{
    return upload->runs;
}

struct hub_checkpoint_upload *
hub_checkpoint_upload_new(const struct hub_checkpoint_upload_settings *settings)
{
    struct hub_checkpoint_upload *upload = calloc(1, sizeof *upload);
    if (upload == NULL)
        return NULL;
    upload->settings = *settings;
    upload->stream = wire_checkpoint_stream(settings->region);
    upload->item.fd = -1;
    upload->ask.on_answer = on_asked;
    upload->done = (struct part){.request.on_answer = on_stored, .upload = upload};
    for (size_t i = 0; i < PARTS_ON_WAY; i++)
        upload->parts[i] = (struct part){.request.on_answer = on_stored, .upload = upload};
    return upload;
}

void hub_checkpoint_upload_free(struct hub_checkpoint_upload *upload)
{
    if (upload == NULL)
        return;
    cancel(upload);
    drop_item(upload);
    free(upload);
}
