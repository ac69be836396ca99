#include "bus/bus_stream.h"

#include "base/buffer.h"
#include "bus/bus.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
    BATCH_MESSAGES = 256,
    BATCH_BYTES = 4 * 1024 * 1024,
    POLL_MS = 1000,
    ANSWER_TIMEOUT_MS = 2000,
    AGAIN_MIN_MS = 5,
    AGAIN_MAX_MS = 200,
};

struct bus_reader {
    struct bus *bus;
    struct loop *loop;
    struct bus_reader_settings settings;
    char *get;    /* the subject to ask at */
    char *filter; /* ours */
    struct bus_request request;
    struct loop_timer again;
    uint64_t next;       /* the position wanted next */
    uint64_t rung;       /* the highest position known to be stored */
    uint64_t batch_last; /* the last position of this batch so far, 0: none yet */
    int64_t again_ms;    /* the pause before asking again; 0: none so far */
    bool rang;           /* since the batch was asked for */
    bool hold;
};

/* What the end of a batch leads to. */
enum batch_end {
    BATCH_FULL,   /* there is more */
    BATCH_ENDED,  /* nothing more where we asked */
    BATCH_BROKEN, /* an answer is missing, or none came */
};

static void ask(struct bus_reader *reader);

static void ask_after(struct bus_reader *reader, int64_t delay_ms)
{
    if (!reader->hold)
        loop_timer_set(reader->loop, &reader->again, delay_ms);
}

/* A pause that doubles while nothing moves. */
static void ask_after_pause(struct bus_reader *reader)
{
    int64_t doubled = 2 * reader->again_ms;
    reader->again_ms = doubled < AGAIN_MIN_MS   ? AGAIN_MIN_MS
                       : doubled > AGAIN_MAX_MS ? AGAIN_MAX_MS
                                                : doubled;
    ask_after(reader, reader->again_ms);
}

static void end_batch(struct bus_reader *reader, enum batch_end end)
{
    bool behind_ring = reader->rung >= reader->next;
    bool moved = reader->batch_last != 0;
    bool caught_up = end == BATCH_ENDED && !behind_ring;
    if (moved)
        reader->again_ms = 0;
    if (end == BATCH_FULL || (end == BATCH_BROKEN && moved) || (behind_ring && reader->rang))
        ask_after(reader, 0);
    else if (caught_up)
        ask_after(reader, reader->settings.poll_ms);
    else
        ask_after_pause(reader);
    if (caught_up)
        reader->again_ms = 0;
    reader->settings.on_pause(reader->settings.context, caught_up); /* may close the reader */
}

/* Takes one message. False when the one before it in the batch did not arrive: core NATS loses
 * without a word, but each answer names the position of the one before. */
static bool take_entry(struct bus_reader *reader, const struct bus_message *message,
                       const struct bus_entry *entry)
{
    uint64_t before = 0;
    struct text header = bus_header(message, "Nats-Last-Sequence");
    if (text_to_u64(header, UINT64_MAX, &before) != 0 || before != reader->batch_last)
        return false;
    reader->batch_last = entry->position;
    if (entry->position < reader->next)
        return true;
    reader->next = entry->position + 1;
    reader->settings.on_entry(reader->settings.context, entry);
    return true;
}

static bool on_answer(struct bus_request *request, enum bus_outcome outcome,
                      const struct bus_message *message)
{
    struct bus_reader *reader = container_of(request, struct bus_reader, request);
    if (outcome != BUS_ANSWER) {
        reader->batch_last = 0; /* not to hurry where nobody answers */
        end_batch(reader, BATCH_BROKEN);
        return false;
    }
    struct bus_entry entry;
    uint64_t pending = 0;
    enum batch_end end = BATCH_BROKEN;
    int error = bus_entry_read(message, &entry, &pending);
    if (error == 0) {
        uint64_t token = request->token;
        if (take_entry(reader, message, &entry))
            return request->token == token; /* on_entry may have gone elsewhere by a seek */
    } else if (error == -ENODATA && entry.position == reader->batch_last) {
        end = pending > 0 ? BATCH_FULL : BATCH_ENDED;
    } else if (error == -ENOENT) {
        end = BATCH_ENDED;
    }
    bus_request_cancel(request); /* what still comes of this batch is nobody's */
    end_batch(reader, end);
    return false;
}

static void ask(struct bus_reader *reader)
{
    if (reader->hold || reader->request.bus != NULL)
        return;
    loop_timer_stop(reader->loop, &reader->again);
    struct buffer body = {0};
    buffer_printf(&body, "{\"seq\":%llu,\"batch\":%u,\"max_bytes\":%u,\"next_by_subj\":\"%s\"}",
                  (unsigned long long)reader->next, reader->settings.batch_max,
                  reader->settings.bytes_max, reader->filter);
    reader->batch_last = 0;
    reader->rang = false;
    int error = body.failed ? -ENOMEM
                            : bus_request(reader->bus, &reader->request, reader->get, body.data,
                                          body.size, ANSWER_TIMEOUT_MS);
    buffer_free(&body);
    if (error != 0) /* not connected, most likely */
        ask_after_pause(reader);
}

static void on_again(struct loop_timer *timer)
{
    ask(container_of(timer, struct bus_reader, again));
}

static bool is_plain(const char *string)
{
    for (; *string != '\0'; string++)
        if ((unsigned char)*string <= ' ' || *string == '"' || *string == '\\')
            return false;
    return true;
}

struct bus_reader *bus_reader_open(struct bus *bus, const struct bus_reader_settings *settings)
{
    const char *filter = settings->filter == NULL ? ">" : settings->filter;
    if (!is_plain(settings->stream) || !is_plain(filter))
        return NULL;
    struct bus_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return NULL;
    reader->bus = bus;
    reader->loop = bus_loop(bus);
    reader->settings = *settings;
    reader->next = settings->from == 0 ? 1 : settings->from;
    if (settings->batch_max == 0)
        reader->settings.batch_max = BATCH_MESSAGES;
    if (settings->bytes_max == 0)
        reader->settings.bytes_max = BATCH_BYTES;
    if (settings->poll_ms == 0)
        reader->settings.poll_ms = POLL_MS;
    reader->request.on_answer = on_answer;
    reader->again.on_due = on_again;
    reader->filter = strdup(filter);
    if (asprintf(&reader->get, "$JS.API.DIRECT.GET.%s", settings->stream) < 0)
        reader->get = NULL;
    if (reader->filter == NULL || reader->get == NULL) {
        bus_reader_close(reader);
        return NULL;
    }
    /* Its name belongs to the caller, who may go away. */
    reader->settings.stream = reader->settings.filter = NULL;
    ask(reader);
    return reader;
}

void bus_reader_close(struct bus_reader *reader)
{
    if (reader == NULL)
        return;
    bus_request_cancel(&reader->request);
    loop_timer_stop(reader->loop, &reader->again);
    free(reader->filter);
    free(reader->get);
    free(reader);
}

void bus_reader_ring(struct bus_reader *reader, uint64_t position)
{
    if (position <= reader->rung)
        return;
    reader->rung = position;
    if (position < reader->next)
        return;
    reader->again_ms = 0;
    reader->rang = true;
    ask(reader);
}

void bus_reader_hold(struct bus_reader *reader, bool hold)
{
    if (reader->hold == hold)
        return;
    reader->hold = hold;
    if (hold)
        loop_timer_stop(reader->loop, &reader->again);
    else
        ask(reader);
}

void bus_reader_seek(struct bus_reader *reader, uint64_t position)
{
    bus_request_cancel(&reader->request);
    reader->next = position == 0 ? 1 : position;
    reader->again_ms = 0;
    ask(reader);
}

uint64_t bus_reader_next(const struct bus_reader *reader)
{
    return reader->next;
}
