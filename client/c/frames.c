#include "c/frames.h"

#include "json/json.h"

#include <errno.h>
#include <string.h>

enum {
    MEMBER_T,
    MEMBER_REGION,
    MEMBER_EDGE,
    MEMBER_HOME,
    MEMBER_CURSOR,
    MEMBER_ID,
    MEMBER_FROM,
    MEMBER_TO,
    MEMBER_CODE,
    MEMBER_MESSAGE,
    MEMBER_REASON,
    MEMBER_KIND,
    MEMBER_BY,
    MEMBER_OF_CURSOR,
    MEMBER_DEVICE,
    MEMBER_STRINGS, /* those before are strings */
    MEMBER_BODY = MEMBER_STRINGS,
    MEMBER_IDS,
    MEMBER_MESSAGES,
    MEMBER_ENDPOINTS,
    MEMBER_ENDPOINTS_TTL_S,
    MEMBER_AT,
    MEMBER_RESUMED,
    MEMBER_RETRYABLE,
    MEMBER_MORE,
    MEMBER_RETRY_AFTER_MS,
    MEMBER_RECONNECT_MS,
    MEMBER_SENDS_PER_S,
    MEMBER_EXPIRES_AT,
    MEMBER_LEFT_MS,
    MEMBERS,
};

static const char *const member_names[MEMBERS] = {
    [MEMBER_T] = "t",
    [MEMBER_REGION] = "region",
    [MEMBER_EDGE] = "edge",
    [MEMBER_HOME] = "home",
    [MEMBER_CURSOR] = "cursor",
    [MEMBER_ID] = "id",
    [MEMBER_FROM] = "from",
    [MEMBER_TO] = "to",
    [MEMBER_CODE] = "code",
    [MEMBER_MESSAGE] = "message",
    [MEMBER_REASON] = "reason",
    [MEMBER_KIND] = "kind",
    [MEMBER_BY] = "by",
    [MEMBER_OF_CURSOR] = "of_cursor",
    [MEMBER_DEVICE] = "device",
    [MEMBER_BODY] = "body",
    [MEMBER_IDS] = "ids",
    [MEMBER_MESSAGES] = "messages",
    [MEMBER_ENDPOINTS] = "endpoints",
    [MEMBER_ENDPOINTS_TTL_S] = "endpoints_ttl_s",
    [MEMBER_AT] = "at",
    [MEMBER_RESUMED] = "resumed",
    [MEMBER_RETRYABLE] = "retryable",
    [MEMBER_MORE] = "more",
    [MEMBER_RETRY_AFTER_MS] = "retry_after_ms",
    [MEMBER_RECONNECT_MS] = "reconnect_ms",
    [MEMBER_SENDS_PER_S] = "sends_per_s",
    [MEMBER_EXPIRES_AT] = "expires_at",
    [MEMBER_LEFT_MS] = "left_ms",
};

static const struct {
    const char *name;
    enum meridian_frame_kind kind;
} kinds[] = {
    {"welcome", MERIDIAN_FRAME_WELCOME},   {"accepted", MERIDIAN_FRAME_ACCEPTED},
    {"rejected", MERIDIAN_FRAME_REJECTED}, {"msg", MERIDIAN_FRAME_MSG},
    {"acked", MERIDIAN_FRAME_ACKED},       {"gap", MERIDIAN_FRAME_GAP},
    {"resync", MERIDIAN_FRAME_RESYNC},     {"state", MERIDIAN_FRAME_STATE},
    {"goaway", MERIDIAN_FRAME_GOAWAY},     {"error", MERIDIAN_FRAME_ERROR},
    {"receipt", MERIDIAN_FRAME_RECEIPT},   {"history", MERIDIAN_FRAME_HISTORY},
    {"expiring", MERIDIAN_FRAME_EXPIRING}, {"refreshed", MERIDIAN_FRAME_REFRESHED},
    {"throttle", MERIDIAN_FRAME_THROTTLE},
};

/* Appends each string with its terminator, and notes where it begins: the buffer may still move.
 * What is not a string, as `to` of another version may be, counts as not there. */
static void read_strings(const struct json_value members[MEMBERS], struct buffer *strings,
                         size_t ret_at[MEMBER_STRINGS])
{
    for (size_t i = 0; i < MEMBER_STRINGS; i++) {
        ret_at[i] = strings->size;
        if (members[i].type == JSON_STRING)
            (void)!json_string_decode(members[i], strings);
        buffer_append(strings, "", 1);
    }
}

static enum meridian_frame_kind kind_of(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(kinds); i++) {
        if (strcmp(kinds[i].name, name) == 0)
            return kinds[i].kind;
    }
    return MERIDIAN_FRAME_OTHER;
}

static uint64_t number_of(struct json_value value)
{
    uint64_t number = 0;
    return json_to_u64(value, UINT64_MAX, &number) == 0 ? number : 0;
}

static int64_t time_of(struct json_value value)
{
    int64_t time_ms = 0;
    return json_to_i64(value, &time_ms) == 0 ? time_ms : 0;
}

static struct text array_of(struct json_value value)
{
    return value.type == JSON_ARRAY ? value.raw : TEXT("[]");
}

static bool flag_of(struct json_value value)
{
    bool flag = false;
    return json_to_bool(value, &flag) == 0 && flag;
}

int meridian_frame_read(struct text bytes, struct buffer *strings, struct meridian_frame *ret_frame)
{
    struct json_value members[MEMBERS];
    struct json_pick picks[MEMBERS];
    size_t at[MEMBER_STRINGS];
    int64_t at_ms = 0;

    for (size_t i = 0; i < MEMBERS; i++)
        picks[i] = (struct json_pick){member_names[i], &members[i]};
    if (json_object_pick(bytes, picks, MEMBERS) < 0 || members[MEMBER_T].type != JSON_STRING)
        return -EBADMSG;
    buffer_clear(strings);
    read_strings(members, strings, at);
    if (strings->failed)
        return -ENOMEM;
    if (members[MEMBER_AT].type == JSON_NUMBER && json_to_i64(members[MEMBER_AT], &at_ms) < 0)
        return -EBADMSG;

    const char *base = (const char *)strings->data;
    *ret_frame = (struct meridian_frame){
        .kind = kind_of(base + at[MEMBER_T]),
        .region = base + at[MEMBER_REGION],
        .edge = base + at[MEMBER_EDGE],
        .home = base + at[MEMBER_HOME],
        .cursor = base + at[MEMBER_CURSOR],
        .id = base + at[MEMBER_ID],
        .from = base + at[MEMBER_FROM],
        .to = base + at[MEMBER_TO],
        .code = base + at[MEMBER_CODE],
        .message = base + at[MEMBER_MESSAGE],
        .reason = base + at[MEMBER_REASON],
        .receipt = base + at[MEMBER_KIND],
        .by = base + at[MEMBER_BY],
        .of_cursor = base + at[MEMBER_OF_CURSOR],
        .device = base + at[MEMBER_DEVICE],
        .ids = array_of(members[MEMBER_IDS]),
        .body = members[MEMBER_BODY].raw,
        .messages = array_of(members[MEMBER_MESSAGES]),
        .endpoints = array_of(members[MEMBER_ENDPOINTS]),
        .endpoints_ttl_s = number_of(members[MEMBER_ENDPOINTS_TTL_S]),
        .at_ms = at_ms,
        .retry_after_ms = number_of(members[MEMBER_RETRY_AFTER_MS]),
        .reconnect_ms = number_of(members[MEMBER_RECONNECT_MS]),
        .sends_per_s = number_of(members[MEMBER_SENDS_PER_S]),
        .expires_at_ms = time_of(members[MEMBER_EXPIRES_AT]),
        .left_ms = time_of(members[MEMBER_LEFT_MS]),
        .resumed = flag_of(members[MEMBER_RESUMED]),
        .retryable = flag_of(members[MEMBER_RETRYABLE]),
        .more = flag_of(members[MEMBER_MORE]),
    };
    return 0;
}

/* NULL is left out. */
static void write_member(struct buffer *out, const char *key, const char *value)
{
    if (value == NULL)
        return;
    buffer_printf(out, ",\"%s\":", key);
    json_write_string(out, text_of(value));
}

void meridian_frame_hello(struct buffer *out, const struct meridian_hello *hello)
{
    buffer_append_text(out, TEXT("{\"t\":\"hello\""));
    write_member(out, "token", hello->token);
    write_member(out, "user", hello->user);
    write_member(out, "device", hello->device);
    write_member(out, "cursor", hello->cursor);
    write_member(out, "start", hello->from_head ? "head" : NULL);
    buffer_append_text(out, TEXT("}"));
}

void meridian_frame_refresh(struct buffer *out, const char *token)
{
    buffer_append_text(out, TEXT("{\"t\":\"refresh\""));
    write_member(out, "token", token);
    buffer_append_text(out, TEXT("}"));
}

static void write_wants(struct buffer *out, unsigned wants)
{
    static const char *const names[] = {"stored", "delivered", "read"}; /* bits 1, 2 and 4 */
    const char *comma = "";

    buffer_append_text(out, TEXT(",\"want\":["));
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if ((wants & (1U << i)) == 0)
            continue;
        buffer_printf(out, "%s\"%s\"", comma, names[i]);
        comma = ",";
    }
    buffer_append_text(out, TEXT("]"));
}

void meridian_frame_send(struct buffer *out, const char *id, const char *to, unsigned wants,
                         struct text body)
{
    buffer_append_text(out, TEXT("{\"t\":\"send\""));
    write_member(out, "id", id);
    write_member(out, "to", to);
    if (wants != 0)
        write_wants(out, wants);
    buffer_append_text(out, TEXT(",\"body\":"));
    buffer_append_text(out, body);
    buffer_append_text(out, TEXT("}"));
}

void meridian_frame_ack(struct buffer *out, const char *cursor)
{
    buffer_append_text(out, TEXT("{\"t\":\"ack\""));
    write_member(out, "cursor", cursor);
    buffer_append_text(out, TEXT("}"));
}

void meridian_frame_read_up_to(struct buffer *out, const char *from, const char *cursor)
{
    buffer_append_text(out, TEXT("{\"t\":\"receipt\",\"kind\":\"read\""));
    write_member(out, "from", from);
    write_member(out, "cursor", cursor);
    buffer_append_text(out, TEXT("}"));
}

bool meridian_is_cursor(const char *cursor)
{
    const char *colon = strchr(cursor, ':');
    uint64_t number;

    return colon != NULL &&
           text_to_u64((struct text){cursor, (size_t)(colon - cursor)}, UINT32_MAX, &number) == 0 &&
           text_to_u64(text_of(colon + 1), UINT64_MAX, &number) == 0;
}
