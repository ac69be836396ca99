#include "region-hub/hub_notice.h"

#include "json/json.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const kind_names[] = {
    [MAILBOX_NOTICE_STORED] = "stored",
    [MAILBOX_NOTICE_DELIVERED] = "delivered",
    [MAILBOX_NOTICE_READ] = "read",
    [MAILBOX_NOTICE_DROPPED] = "device_dropped",
};

struct group { /* of one sender */
    struct list link;
    struct list ids;
    size_t count;
    size_t sender_size;
    char sender[];
};

struct named { /* an id */
    struct list link;
    size_t size;
    char id[];
};

static struct hub_notice *notice_new(struct text to)
{
    struct hub_notice *notice = calloc(1, sizeof *notice + to.size);
    if (notice == NULL)
        return NULL;
    notice->to_size = to.size;
    memcpy(notice->to, to.data, to.size);
    return notice;
}

void hub_notice_free(struct hub_notice *notice)
{
    if (notice == NULL)
        return;
    buffer_free(&notice->body);
    buffer_free(&notice->passed);
    free(notice);
}

struct text hub_notice_to(const struct hub_notice *notice)
{
    return (struct text){.data = notice->to, .size = notice->to_size};
}

void hub_notice_message(const struct hub_notice *notice, struct wire_message *ret_message)
{
    if (notice->passed.size > 0) {
        int err = wire_message_decode(wire_cursor_of(notice->passed.data, notice->passed.size),
                                      ret_message);
        assert(err == 0); /* hub_notice_pass_on() has written it */
        (void)err;
        return;
    }
    *ret_message = (struct wire_message){
        .message_class = WIRE_DURABLE,
        .flags = WIRE_FLAG_NOTICE,
        .sender = TEXT(WIRE_NOTICE_SENDER),
        .device = TEXT(""),
        .id = text_of(notice->id),
        .body = buffer_text(&notice->body),
    };
}

uint64_t hub_notice_chunk_end(uint64_t seq)
{
    return (seq - 1) / HUB_NOTICE_CHUNK * HUB_NOTICE_CHUNK + HUB_NOTICE_CHUNK;
}

/* The id of a notice: SipHash-2-4-128 under a key of zeros, in hexadecimal, of
 *
 *   u8 kind, text8 user, u32 epoch, u64 from, u64 to, text8 addressee, text8 device
 *
 * little-endian, where a text8 is its size in a byte and then its bytes. */
static int write_id(struct hub_notice *notice, const struct hub_notice_about *about,
                    struct text device)
{
    static const uint8_t key[16];
    struct buffer bytes = {0};
    wire_write_u8(&bytes, (uint8_t)about->kind);
    wire_write_text8(&bytes, about->user);
    wire_write_u32(&bytes, about->epoch);
    wire_write_u64(&bytes, about->from);
    wire_write_u64(&bytes, about->to);
    wire_write_text8(&bytes, hub_notice_to(notice));
    wire_write_text8(&bytes, device);
    struct fingerprint print = hash_fingerprint(key, bytes.data, bytes.size);
    for (size_t i = 0; i < sizeof print.bytes; i++)
        (void)snprintf(notice->id + 2 * i, 3, "%02x", print.bytes[i]);
    int err = bytes.failed ? -ENOMEM : 0;
    buffer_free(&bytes);
    return err;
}

static void begin_body(struct buffer *body, enum mailbox_notice_kind kind)
{
    buffer_printf(body, "{\"kind\":\"%s\"", kind_names[kind]);
}

struct hub_notice *hub_notice_dropped(const struct hub_notice_about *about, struct text device)
{
    struct hub_notice *notice = notice_new(about->user);
    if (notice == NULL)
        return NULL;
    begin_body(&notice->body, about->kind);
    buffer_append_text(&notice->body, TEXT(",\"device\":"));
    json_write_string(&notice->body, device);
    buffer_append_text(&notice->body, TEXT("}"));
    if (write_id(notice, about, device) == 0 && !notice->body.failed)
        return notice;
    hub_notice_free(notice);
    return NULL;
}

/* Gathering. */

void hub_gather_begin(struct hub_gather *gather, uint8_t want, size_t ids_max)
{
    list_init(&gather->groups);
    gather->want = want;
    gather->of = TEXT("");
    gather->ids_max = ids_max;
}

static void group_free(struct group *group)
{
    for (struct list *node; (node = list_pop(&group->ids)) != NULL;)
        free(container_of(node, struct named, link));
    free(group);
}

void hub_gather_drop(struct hub_gather *gather)
{
    if (!list_linked(&gather->groups))
        return; /* never begun */
    for (struct list *node; (node = list_pop(&gather->groups)) != NULL;)
        group_free(container_of(node, struct group, link));
}

static struct group *find_group(struct hub_gather *gather, struct text sender)
{
    list_each(node, &gather->groups)
    {
        struct group *group = container_of(node, struct group, link);
        if (text_equal((struct text){group->sender, group->sender_size}, sender))
            return group;
    }
    struct group *group = calloc(1, sizeof *group + sender.size);
    if (group == NULL)
        return NULL;
    group->sender_size = sender.size;
    memcpy(group->sender, sender.data, sender.size);
    list_init(&group->ids);
    list_push(&gather->groups, &group->link);
    return group;
}

int hub_gather_add(struct hub_gather *gather, const struct hub_gather_row *row)
{
    if ((row->wants & gather->want) == 0 || (row->flags & WIRE_FLAG_NOTICE) != 0 ||
        !wire_is_person(row->sender) || row->sender.size > TEXT_USER_MAX ||
        (gather->of.size > 0 && !text_equal(row->sender, gather->of)))
        return 0;
    struct group *group = find_group(gather, row->sender);
    struct named *named = group == NULL ? NULL : malloc(sizeof *named + row->id.size);
    if (named == NULL)
        return -ENOMEM;
    *named = (struct named){.size = row->id.size};
    memcpy(named->id, row->id.data, row->id.size);
    list_push(&group->ids, &named->link);
    if (++group->count > gather->ids_max) {
        group->count--;
        free(container_of(list_pop(&group->ids), struct named, link));
    }
    return 0;
}

static struct hub_notice *notice_of(const struct group *group, const struct hub_notice_about *about)
{
    struct hub_notice *notice = notice_new((struct text){group->sender, group->sender_size});
    if (notice == NULL)
        return NULL;
    struct buffer *body = &notice->body;
    const char *comma = "";
    begin_body(body, about->kind);
    buffer_append_text(body, TEXT(",\"by\":"));
    json_write_string(body, about->user);
    buffer_append_text(body, TEXT(",\"ids\":["));
    list_each(node, &group->ids)
    {
        const struct named *named = container_of(node, struct named, link);
        buffer_append_text(body, text_of(comma));
        json_write_string(body, (struct text){named->id, named->size});
        comma = ",";
    }
    buffer_printf(body, "],\"cursor\":\"%" PRIu32 ":%" PRIu64 "\"}", about->epoch, about->to);
    if (write_id(notice, about, TEXT("")) == 0 && !body->failed)
        return notice;
    hub_notice_free(notice);
    return NULL;
}

int hub_gather_end(struct hub_gather *gather, const struct hub_notice_about *about,
                   struct list *notices)
{
    struct list made;
    bool failed = false;
    list_init(&made);
    list_each(node, &gather->groups)
    {
        const struct group *group = container_of(node, struct group, link);
        struct hub_notice *notice = group->count == 0 ? NULL : notice_of(group, about);
        if (notice != NULL)
            list_push(&made, &notice->link);
        failed = failed || (notice == NULL && group->count > 0);
    }
    hub_gather_drop(gather);
    for (struct list *node; (node = list_pop(&made)) != NULL;) {
        if (failed)
            hub_notice_free(container_of(node, struct hub_notice, link));
        else
            list_push(notices, node);
    }
    return failed ? -ENOMEM : 0;
}

struct hub_notice *hub_notice_pass_on(struct text to, const struct wire_message *message)
{
    const struct wire_recipient recipient = {.kind = WIRE_USER, .name = to};
    struct hub_notice *notice = notice_new(to);
    if (notice == NULL)
        return NULL;
    wire_message_encode(&notice->passed, message, &recipient, 1);
    if (!notice->passed.failed)
        return notice;
    hub_notice_free(notice);
    return NULL;
}
