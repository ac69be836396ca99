#include "edge/edge_reads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { ASK_APART_MS = 1000 };

struct text edge_read_of(const struct edge_read *read)
{
    return (struct text){.data = read->of, .size = read->of_size};
}

static bool waits(const struct edge_read *read)
{
    return read->noted < read->seq;
}

static struct edge_reader *find_reader(const struct edge_reads *reads, struct edge_attach *attach)
{
    struct edge_reader *reader = NULL;
    if (reads->readers != NULL)
        HASH_FIND_PTR(reads->readers, &attach, reader);
    return reader;
}

static struct edge_read *find(const struct edge_reader *reader, struct text of)
{
    list_each(node, &reader->reads)
    {
        struct edge_read *read = container_of(node, struct edge_read, link);
        if (text_equal(edge_read_of(read), of))
            return read;
    }
    return NULL;
}

static struct edge_reader *reader_new(struct edge_reads *reads, struct edge_attach *attach)
{
    struct edge_reader *reader = calloc(1, sizeof *reader);
    if (reader == NULL)
        return NULL;
    reader->attach = attach;
    list_init(&reader->reads);
    HASH_ADD_PTR(reads->readers, attach, reader);
    return reader;
}

static void forget(struct edge_reads *reads, struct edge_reader *reader, struct edge_read *read)
{
    list_remove(&read->link);
    reader->count--;
    reads->count--;
    free(read);
}

static void end_if_empty(struct edge_reads *reads, struct edge_reader *reader)
{
    if (reader->count > 0)
        return;
    HASH_DEL(reads->readers, reader);
    free(reader);
}

static int add_new(struct edge_reads *reads, struct edge_attach *attach, struct text of,
                   struct edge_read **ret_read)
{
    struct edge_reader *reader = find_reader(reads, attach);
    if (reads->count >= reads->count_max || (reader != NULL && reader->count >= reads->each_max))
        return -ENOBUFS;
    struct edge_read *read = calloc(1, sizeof *read + of.size);
    if (read != NULL && reader == NULL)
        reader = reader_new(reads, attach);
    if (reader == NULL) {
        free(read);
        return -ENOMEM;
    }
    if (read == NULL)
        return -ENOMEM;
    read->of_size = (uint8_t)of.size;
    memcpy(read->of, of.data, of.size);
    list_push(&reader->reads, &read->link);
    reader->count++;
    reads->count++;
    *ret_read = read;
    return 0;
}

int edge_reads_add(struct edge_reads *reads, struct edge_attach *attach, struct text of,
                   uint32_t epoch, uint64_t seq, int64_t now_ms, const struct edge_read **ret_ask)
{
    struct edge_reader *reader = find_reader(reads, attach);
    struct edge_read *read = reader == NULL ? NULL : find(reader, of);
    *ret_ask = NULL;
    if (read != NULL && read->epoch == epoch) {
        if (seq > read->seq)
            read->seq = seq;
        return 0;
    }
    if (read == NULL) {
        int err = add_new(reads, attach, of, &read);
        if (err != 0)
            return err;
    }
    read->epoch = epoch;
    read->seq = seq;
    read->noted = 0;
    read->asked_ms = now_ms;
    *ret_ask = read;
    return 0;
}

void edge_reads_noted(struct edge_reads *reads, struct edge_attach *attach, struct text of,
                      uint32_t epoch, uint64_t seq)
{
    struct edge_reader *reader = find_reader(reads, attach);
    struct edge_read *read = reader == NULL ? NULL : find(reader, of);
    if (read != NULL && read->epoch == epoch && read->noted < seq)
        read->noted = seq;
}

void edge_reads_renumber(struct edge_reads *reads, struct edge_attach *attach, uint32_t epoch)
{
    struct edge_reader *reader = find_reader(reads, attach);
    if (reader == NULL)
        return;
    list_each(node, &reader->reads) container_of(node, struct edge_read, link)->epoch = epoch;
}

void edge_reads_tick(struct edge_reads *reads, int64_t now_ms, edge_reads_on_due *on_due,
                     void *context)
{
    struct edge_reader *reader;
    struct edge_reader *next;
    HASH_ITER(hh, reads->readers, reader, next)
    {
        list_each(node, &reader->reads)
        {
            struct edge_read *read = container_of(node, struct edge_read, link);
            if (now_ms - read->asked_ms < ASK_APART_MS)
                continue;
            if (!waits(read)) {
                forget(reads, reader, read);
                continue;
            }
            read->asked_ms = now_ms;
            on_due(context, reader->attach, read);
        }
        end_if_empty(reads, reader);
    }
}

void edge_reads_drop(struct edge_reads *reads, struct edge_attach *attach,
                     edge_reads_on_due *on_due, void *context)
{
    struct edge_reader *reader = find_reader(reads, attach);
    if (reader == NULL)
        return;
    list_each(node, &reader->reads)
    {
        struct edge_read *read = container_of(node, struct edge_read, link);
        if (waits(read) && on_due != NULL)
            on_due(context, attach, read);
        forget(reads, reader, read);
    }
    end_if_empty(reads, reader);
}
