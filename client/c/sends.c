#include "c/sends.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { MS_PER_S = 1000 };

static struct meridian_send *send_of(struct list *node)
{
    return container_of(node, struct meridian_send, link);
}

void meridian_sends_init(struct meridian_sends *sends, size_t max, int64_t answer_ms,
                         int64_t give_up_ms)
{
    *sends = (struct meridian_sends){.max = max, .answer_ms = answer_ms, .give_up_ms = give_up_ms};
    list_init(&sends->list);
}

static void free_send(struct meridian_send *send)
{
    free(send->frame);
    free(send);
}

void meridian_sends_done(struct meridian_sends *sends)
{
    list_each(node, &sends->list) free_send(send_of(node));
    list_init(&sends->list);
    sends->count = 0;
}

int meridian_sends_add(struct meridian_sends *sends, struct text id, struct text frame,
                       int64_t now_ms, struct meridian_send **ret_send)
{
    if (meridian_sends_find(sends, id) != NULL)
        return -EEXIST;
    if (sends->count >= sends->max)
        return -ENOBUFS;
    struct meridian_send *send = calloc(1, sizeof *send);
    if (send == NULL || text_put(send->id, sizeof send->id, id) < 0 ||
        (send->frame = malloc(frame.size)) == NULL) {
        free(send);
        return -ENOMEM;
    }
    memcpy(send->frame, frame.data, frame.size);
    send->size = frame.size;
    send->first_ms = now_ms;
    send->waiting = true;
    list_push(&sends->list, &send->link);
    sends->count++;
    *ret_send = send;
    return 0;
}

struct meridian_send *meridian_sends_find(const struct meridian_sends *sends, struct text id)
{
    list_each(node, &sends->list)
    {
        if (text_equal(text_of(send_of(node)->id), id))
            return send_of(node);
    }
    return NULL;
}

void meridian_sends_end(struct meridian_sends *sends, struct meridian_send *send)
{
    list_remove(&send->link);
    sends->count--;
    free_send(send);
}

struct meridian_send *meridian_sends_next(struct meridian_sends *sends, int64_t now_ms)
{
    if (now_ms < sends->pause_ms)
        return NULL;
    list_each(node, &sends->list)
    {
        struct meridian_send *send = send_of(node);
        if (send->waiting || now_ms >= send->due_ms)
            return send;
    }
    return NULL;
}

void meridian_sends_written(struct meridian_sends *sends, struct meridian_send *send,
                            int64_t now_ms)
{
    send->waiting = false;
    send->due_ms = now_ms + sends->answer_ms;
    send->attempts++;
    sends->pause_ms = sends->apart_ms > 0 ? now_ms + sends->apart_ms : 0;
}

static void pause_until(struct meridian_sends *sends, int64_t until_ms)
{
    if (until_ms > sends->pause_ms)
        sends->pause_ms = until_ms;
}

void meridian_sends_slow_down(struct meridian_sends *sends, int64_t wait_ms, uint64_t per_s,
                              int64_t now_ms)
{
    if (per_s > 0)
        sends->apart_ms = per_s >= MS_PER_S ? 1 : (int64_t)((MS_PER_S + per_s - 1) / per_s);
    pause_until(sends, now_ms + wait_ms);
}

void meridian_sends_again(struct meridian_sends *sends, struct meridian_send *send, int64_t wait_ms,
                          int64_t now_ms)
{
    send->waiting = true;
    pause_until(sends, now_ms + wait_ms);
}

void meridian_sends_disconnected(struct meridian_sends *sends)
{
    list_each(node, &sends->list) send_of(node)->waiting = true;
    sends->pause_ms = sends->apart_ms = 0;
}

struct meridian_send *meridian_sends_expired(const struct meridian_sends *sends, int64_t now_ms)
{
    if (sends->give_up_ms == 0 || list_empty(&sends->list))
        return NULL;
    struct meridian_send *oldest = send_of(sends->list.next);
    return now_ms - oldest->first_ms >= sends->give_up_ms ? oldest : NULL;
}

int64_t meridian_sends_due_ms(const struct meridian_sends *sends)
{
    int64_t due_ms = -1;

    list_each(node, &sends->list)
    {
        const struct meridian_send *send = send_of(node);
        if (send->waiting && sends->pause_ms == 0)
            continue; /* as soon as it can be written */
        int64_t next_ms = send->waiting ? sends->pause_ms : send->due_ms;
        if (due_ms < 0 || next_ms < due_ms)
            due_ms = next_ms;
    }
    if (sends->give_up_ms > 0 && !list_empty(&sends->list)) {
        int64_t end_ms = send_of(sends->list.next)->first_ms + sends->give_up_ms;
        if (due_ms < 0 || end_ms < due_ms)
            due_ms = end_ms;
    }
    return due_ms;
}
