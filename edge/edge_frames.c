/* The client's frames in the body of a request, and what answers each, in their order. */
#include "edge/edge_frames_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- the body --- */

/* How many frames there are; -EBADMSG. */
static int count_frames(struct text body, size_t *ret_count)
{
    struct json_reader reader;
    struct json_value value;
    int more = json_parse(body, &value);
    *ret_count = 1;
    if (more != 0 || (value.type != JSON_OBJECT && value.type != JSON_ARRAY))
        return -EBADMSG;
    if (value.type == JSON_OBJECT)
        return 0;
    *ret_count = 0;
    more = json_array_open(&reader, body) == 0 ? 1 : -EBADMSG;
    while (more == 1 && (more = json_array_next(&reader, &value)) == 1)
        ++*ret_count;
    return more;
}

static void take_texts(struct edge_frames *frames, struct text body)
{
    struct json_reader reader;
    struct json_value value;
    bool array = json_array_open(&reader, body) == 0;
    for (size_t i = 0; i < frames->count; i++) {
        frames->slots[i].frames = frames;
        frames->slots[i].text = body;
        if (array && json_array_next(&reader, &value) == 1)
            frames->slots[i].text = value.raw;
    }
}

struct edge_frames *edge_frames_new(struct edge_exchange *exchange, struct text body,
                                    uint32_t frames_max, struct edge_refusal *reterr_refusal)
{
    size_t count;
    if (count_frames(body, &count) != 0) {
        *reterr_refusal = edge_refusal(400, "bad_request",
                                       "the body is neither a frame nor a JSON array of frames");
        return NULL;
    }
    if (count > frames_max) {
        *reterr_refusal =
            edge_refusal(413, "too_large", "more frames than this edge takes at once");
        return NULL;
    }
    struct edge_frames *frames = calloc(1, sizeof *frames + count * sizeof frames->slots[0]);
    if (frames == NULL) {
        *reterr_refusal = edge_refusal(503, "busy", "memory is short");
        return NULL;
    }
    frames->exchange = exchange;
    frames->count = frames->at = count;
    take_texts(frames, body);
    return frames;
}

size_t edge_frames_count(const struct edge_frames *frames)
{
    return frames->count;
}

void edge_frames_leave(struct edge_frames *frames)
{
    homes_cancel(&frames->lookup);
    for (size_t i = 0; i < frames->count; i++)
        edge_home_unshow(edge_frames_session(frames)->sessions->settings.home,
                         &frames->slots[i].show);
}

void edge_frames_free(struct edge_frames *frames)
{
    for (size_t i = 0; frames != NULL && i < frames->count; i++)
        buffer_free(&frames->slots[i].json);
    free(frames);
}

/* --- what answers --- */

struct buffer *edge_frames_output(struct edge_frames *frames)
{
    return frames->at < frames->count ? &frames->slots[frames->at].json : NULL;
}

void edge_frames_write(const struct edge_frames *frames, struct buffer *out)
{
    bool first = true;
    for (size_t i = 0; i < frames->count; i++) {
        const struct buffer *json = &frames->slots[i].json;
        out->failed = out->failed || json->failed;
        if (json->size == 0)
            continue;
        if (!first)
            buffer_append_text(out, TEXT(","));
        buffer_append_text(out, buffer_text(json));
        first = false;
    }
}

void edge_frames_sends(struct edge_frames *frames, size_t recipients)
{
    frames->slots[frames->at].state = EDGE_SLOT_SENT;
    frames->slots[frames->at].left = recipients;
}

void edge_frames_outcome(struct edge_frames *frames, struct text id)
{
    for (size_t i = 0; i < frames->count; i++) {
        struct edge_slot *slot = &frames->slots[i];
        if (slot->state != EDGE_SLOT_SENT || !text_equal(text_of(slot->id), id))
            continue;
        frames->at = i;
        if (--slot->left == 0)
            slot->state = EDGE_SLOT_OVER;
        return;
    }
}

void edge_frames_page(struct edge_frames *frames)
{
    for (size_t i = 0; i < frames->count; i++) {
        if (frames->slots[i].state != EDGE_SLOT_PAGE)
            continue;
        frames->at = i;
        frames->slots[i].state = EDGE_SLOT_OVER;
    }
}

/* --- what devices show --- */

void edge_frames_find_in(struct edge_frames *frames, int64_t delay_ms)
{
    frames->find_ms = edge_exchange_now(frames->exchange) + delay_ms;
    edge_exchange_look_later(frames->exchange); /* which sets the timer */
}

static void on_shown(struct edge_show *show, enum wire_answer answer, uint32_t epoch, uint64_t seq)
{
    struct edge_slot *slot = container_of(show, struct edge_slot, show);
    struct edge_frames *frames = slot->frames;
    struct edge_session *session = edge_frames_session(frames);
    frames->at = (size_t)(slot - frames->slots);
    slot->state = answer == WIRE_NOT_HOME ? EDGE_SLOT_HOME : EDGE_SLOT_OVER;
    if (answer == WIRE_NOT_HOME) {
        homes_forget(session->sessions->settings.directory, edge_session_user(session));
        edge_frames_find_in(frames, EDGE_SESSION_FIND_AGAIN_MS);
        return;
    }
    if (answer == WIRE_REFUSED) {
        edge_v1_write_error(session, "bad_cursor", "nothing was delivered with this cursor");
    } else if (show->of.size == 0) {
        session->attach.epoch = epoch;
        session->attach.confirmed = seq;
        edge_v1_write_acked(session);
    }
    edge_exchange_look_later(frames->exchange);
}

void edge_frames_show(struct edge_frames *frames, struct text of, uint32_t epoch, uint64_t seq)
{
    struct edge_session *session = edge_frames_session(frames);
    struct edge_slot *slot = &frames->slots[frames->at];
    if (of.size > 0)
        memcpy(slot->of, of.data, of.size);
    slot->show = (struct edge_show){.on_shown = on_shown,
                                    .user = edge_session_user(session),
                                    .device = edge_session_device(session),
                                    .of = {slot->of, of.size},
                                    .token = edge_token_raw(session->token),
                                    .epoch = epoch,
                                    .seq = seq};
    slot->state = EDGE_SLOT_SHOWN;
    edge_home_show(session->sessions->settings.home, &slot->show, frames->region,
                   edge_exchange_now(frames->exchange));
}
