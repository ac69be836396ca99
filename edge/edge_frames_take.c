/* What is made of the frames of a request. Sends leave at once; what needs the user's home waits
 * until the directory has said where that is. */
#include "edge/edge_frames_internal.h"

#include <errno.h>
#include <string.h>

/* --- what is read --- */

static void write_unknown(struct edge_frames *frames, struct edge_slot *slot)
{
    struct edge_session *session = edge_frames_session(frames);
    struct buffer *out = edge_session_scratch(session);
    frames->at = (size_t)(slot - frames->slots);
    buffer_append_text(out, TEXT("{\"t\":\"error\",\"code\":\"unknown\",\"retryable\":true"));
    if (slot->id[0] != '\0') {
        buffer_append_text(out, TEXT(",\"id\":"));
        json_write_string(out, text_of(slot->id));
    }
    buffer_append_text(out, TEXT(",\"message\":\"no outcome came in time: say it again\"}"));
    edge_session_write(session, buffer_text(out));
    slot->state = EDGE_SLOT_OVER;
}

static bool is_on_its_way(const struct edge_frames *frames, const char *id)
{
    for (size_t i = 0; i < frames->count; i++)
        if (frames->slots[i].state == EDGE_SLOT_SENT && strcmp(frames->slots[i].id, id) == 0)
            return true;
    return false;
}

/* Each returns false when what is behind it is not read. */

static bool take_now(struct edge_frames *frames, struct edge_slot *slot)
{
    edge_v1_on_text(edge_frames_session(frames), slot->text);
    return true;
}

static bool take_send(struct edge_frames *frames, struct edge_slot *slot)
{
    struct edge_session *session = edge_frames_session(frames);
    struct edge_outcome outcome = {.id = text_of(slot->id), .code = EDGE_BAD_REQUEST};
    const char *message = "the id is in this request twice";
    if (session->sender.pending_count >= session->sessions->settings.edge->sends_max) {
        outcome.code = EDGE_BUSY;
        message = NULL;
    } else if (!is_on_its_way(frames, slot->id)) {
        return take_now(frames, slot);
    }
    edge_v1_write_rejected(session, &outcome, message);
    return true;
}

static bool take_later(struct edge_frames *frames, struct edge_slot *slot)
{
    (void)frames;
    slot->state = EDGE_SLOT_HOME;
    return true;
}

static bool take_bye(struct edge_frames *frames, struct edge_slot *slot)
{
    edge_framing_array.write_close(&slot->json, EDGE_CLOSE_NORMAL, TEXT("bye"));
    (void)frames;
    return false;
}

static bool take_not(struct edge_frames *frames, struct edge_slot *slot)
{
    (void)slot;
    edge_v1_write_error(edge_frames_session(frames), "bad_request",
                        "the request itself says who it is");
    return true;
}

static const struct kind {
    const char *name;
    bool (*take)(struct edge_frames *frames, struct edge_slot *slot);
} kinds[] = {
    {"\"send\"", take_send},     {"\"ack\"", take_later}, {"\"receipt\"", take_later},
    {"\"history\"", take_later}, {"\"bye\"", take_bye},   {"\"hello\"", take_not},
    {"\"refresh\"", take_not},
};

static bool take(struct edge_frames *frames, struct edge_slot *slot)
{
    char room[TEXT_MESSAGE_ID_MAX];
    struct json_value t;
    struct json_value id;
    struct text read;
    const struct json_pick picks[] = {{"t", &t}, {"id", &id}};
    frames->at = (size_t)(slot - frames->slots);
    if (json_object_pick(slot->text, picks, COUNT_OF(picks)) != 0)
        return take_now(frames, slot); /* which says what is wrong */
    if (id.type == JSON_STRING && json_string_read(id, room, sizeof room, &read) == 0 &&
        text_is_message_id(read))
        (void)!text_put(slot->id, sizeof slot->id, read);
    for (size_t i = 0; i < COUNT_OF(kinds); i++)
        if (text_equal(t.raw, text_of(kinds[i].name)))
            return kinds[i].take(frames, slot);
    return take_now(frames, slot);
}

/* --- the home --- */

static void take_at_home(struct edge_frames *frames, size_t region)
{
    struct edge_session *session = edge_frames_session(frames);
    struct edge_places places;
    edge_places_init(&places, session->sessions->settings.catalogue);
    session->attach.place = (uint16_t)edge_places_of(&places, region, 0); /* for history */
    frames->region = region;
    for (size_t i = 0; i < frames->count && session->state < EDGE_SESSION_CLOSING; i++) {
        struct edge_slot *slot = &frames->slots[i];
        if (slot->state != EDGE_SLOT_HOME)
            continue;
        bool asked = session->recall != NULL;
        frames->at = i;
        slot->state = EDGE_SLOT_OVER;
        edge_v1_on_text(session, slot->text);
        if (!asked && session->recall != NULL)
            slot->state = EDGE_SLOT_PAGE;
    }
}

static void refuse_all(struct edge_frames *frames)
{
    for (size_t i = 0; i < frames->count; i++) {
        if (frames->slots[i].state != EDGE_SLOT_HOME)
            continue;
        frames->at = i;
        frames->slots[i].state = EDGE_SLOT_OVER;
        edge_v1_write_error(edge_frames_session(frames), "unknown_user",
                            "nobody has seen this user");
    }
}

static void found(struct edge_frames *frames, enum homes_found how, size_t region)
{
    if (how == HOMES_FOUND)
        take_at_home(frames, region);
    else if (how == HOMES_NOT_FOUND)
        refuse_all(frames);
    else
        edge_frames_find_in(frames, EDGE_SESSION_FIND_AGAIN_MS);
    edge_exchange_look_later(frames->exchange);
}

static void on_found(struct homes_lookup *lookup, enum homes_found how, size_t region)
{
    found(container_of(lookup, struct edge_frames, lookup), how, region);
}

static void find(struct edge_frames *frames)
{
    const struct edge_session *session = edge_frames_session(frames);
    enum homes_found how;
    size_t region;
    frames->find_ms = 0;
    homes_cancel(&frames->lookup);
    frames->lookup = (struct homes_lookup){.on_found = on_found};
    int err = homes_find(session->sessions->settings.directory, edge_session_user(session),
                         &frames->lookup, &how, &region);
    if (err == 0)
        found(frames, how, region);
    else if (err != -EINPROGRESS)
        edge_frames_find_in(frames, EDGE_SESSION_FIND_AGAIN_MS);
}

/* --- from the begin to the end --- */

static void frames_begin(struct edge_exchange *exchange, const struct edge_upgrade *who)
{
    struct edge_session *session = exchange->session;
    struct edge_frames *frames = exchange->frames;
    bool more = true;
    if (edge_session_name(session, who->user, who->device) != 0) {
        edge_session_close(session, EDGE_CLOSE_LATER, "memory is short");
        return;
    }
    session->state = EDGE_SESSION_OPEN;
    session->welcomed = true;
    frames->due_ms = edge_exchange_now(exchange) + session->sessions->settings.edge->answer_ms;
    for (size_t i = 0; i < frames->count && more && session->state < EDGE_SESSION_CLOSING; i++)
        more = take(frames, &frames->slots[i]);
    bool needs_home = false;
    for (size_t i = 0; i < frames->count; i++)
        needs_home = needs_home || frames->slots[i].state == EDGE_SLOT_HOME;
    if (needs_home && session->state < EDGE_SESSION_CLOSING)
        find(frames);
    edge_exchange_look_later(exchange);
}

static void frames_look(struct edge_exchange *exchange)
{
    struct edge_frames *frames = exchange->frames;
    int64_t now_ms = edge_exchange_now(exchange);
    bool late = now_ms >= frames->due_ms;
    bool over = true;
    if (frames->find_ms > 0 && now_ms >= frames->find_ms && !late)
        find(frames);
    for (size_t i = 0; i < frames->count; i++) {
        if (late && frames->slots[i].state != EDGE_SLOT_OVER)
            write_unknown(frames, &frames->slots[i]);
        over = over && frames->slots[i].state == EDGE_SLOT_OVER;
    }
    frames->at = frames->count;
    if (over) {
        edge_exchange_finish(exchange);
        return;
    }
    int64_t next_ms =
        frames->find_ms > 0 && frames->find_ms < frames->due_ms ? frames->find_ms : frames->due_ms;
    edge_exchange_look_in(exchange, next_ms > now_ms ? next_ms - now_ms : 0);
}

const struct edge_exchange_kind edge_exchange_frames = {.begin = frames_begin, .look = frames_look};
