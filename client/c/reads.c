#include "c/reads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void meridian_reads_init(struct meridian_reads *reads)
{
    list_init(&reads->list);
    reads->count = 0;
}

static void forget(struct meridian_reads *reads, struct meridian_read *read)
{
    list_remove(&read->link);
    reads->count--;
    free(read);
}

void meridian_reads_done(struct meridian_reads *reads)
{
    list_each(node, &reads->list) forget(reads, container_of(node, struct meridian_read, link));
}

static struct meridian_read *find(const struct meridian_reads *reads, const char *from)
{
    list_each(node, &reads->list)
    {
        struct meridian_read *read = container_of(node, struct meridian_read, link);
        if (strcmp(read->from, from) == 0)
            return read;
    }
    return NULL;
}

/* False when all of them are still to be said. */
static bool make_room(struct meridian_reads *reads)
{
    if (reads->count < MERIDIAN_READS_MAX)
        return true;
    list_each(node, &reads->list)
    {
        struct meridian_read *read = container_of(node, struct meridian_read, link);
        if (!read->said)
            continue;
        forget(reads, read);
        return true;
    }
    return false;
}

int meridian_reads_set(struct meridian_reads *reads, const char *from, const char *cursor)
{
    struct meridian_read *read = find(reads, from);

    if (strlen(cursor) >= sizeof read->cursor)
        return -EINVAL;
    if (read == NULL) {
        if (!make_room(reads))
            return -ENOBUFS;
        read = calloc(1, sizeof *read + strlen(from) + 1);
        if (read == NULL)
            return -ENOMEM;
        memcpy(read->from, from, strlen(from) + 1);
        reads->count++;
    }
    read->said = read->said && strcmp(read->cursor, cursor) == 0;
    snprintf(read->cursor, sizeof read->cursor, "%s", cursor);
    list_remove(&read->link);
    list_push(&reads->list, &read->link);
    return 0;
}

struct meridian_read *meridian_reads_next(const struct meridian_reads *reads)
{
    list_each(node, &reads->list)
    {
        struct meridian_read *read = container_of(node, struct meridian_read, link);
        if (!read->said)
            return read;
    }
    return NULL;
}

void meridian_reads_disconnected(struct meridian_reads *reads)
{
    list_each(node, &reads->list) container_of(node, struct meridian_read, link)->said = false;
}
