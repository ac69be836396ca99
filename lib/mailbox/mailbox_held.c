/* The entries of one segment in memory: densely in the order they came, in the form in which they
 * are saved, and an open-addressed index to them: one byte of the fingerprint (the tag, 0: free)
 * and the entry's number for each slot. A message nobody has seen, the common case, costs a look
 * at one cache line of tags; an entry costs 28 bytes and some 10 for the index. */
#include "mailbox_internal.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>

enum {
    BLOCK_ENTRIES = 1024,
    SLOTS_MIN = 1024,
    CURSOR_SIZE = 12, /* u32 epoch, u64 seq */
};

struct entry {
    struct fingerprint print;
    uint8_t cursor[CURSOR_SIZE];
};
_Static_assert(sizeof(struct entry) == MAILBOX_SEGMENT_ENTRY_SIZE, "an entry is dense");

struct mailbox_held {
    atomic_uint references;
    struct entry **blocks;
    uint32_t count;
    uint32_t slots; /* a power of two; 0 while there is no entry */
    uint8_t *tags;
    uint32_t *numbers;
};

struct mailbox_held *mailbox_held_new(void)
{
    struct mailbox_held *held = mailbox_allocate(NULL, sizeof *held);
    memset(held, 0, sizeof *held);
    atomic_init(&held->references, 1);
    return held;
}

struct mailbox_held *mailbox_held_hold(struct mailbox_held *held)
{
    atomic_fetch_add(&held->references, 1);
    return held;
}

void mailbox_held_release(struct mailbox_held *held)
{
    if (held == NULL || atomic_fetch_sub(&held->references, 1) > 1)
        return;
    for (size_t i = 0; i * BLOCK_ENTRIES < held->count; i++)
        free(held->blocks[i]);
    free(held->blocks);
    free(held->tags);
    free(held->numbers);
    free(held);
}

uint32_t mailbox_held_count(const struct mailbox_held *held)
{
    return held == NULL ? 0 : held->count;
}

static uint8_t tag_of(const struct fingerprint *print)
{
    return print->bytes[8] == 0 ? 1 : print->bytes[8];
}

static uint32_t first_slot(const struct fingerprint *print, uint32_t slots)
{
    uint32_t hash;
    memcpy(&hash, print->bytes, sizeof hash);
    return hash & (slots - 1);
}

static struct entry *entry_at(const struct mailbox_held *held, uint32_t number)
{
    return &held->blocks[number / BLOCK_ENTRIES][number % BLOCK_ENTRIES];
}

static void read_cursor(const struct entry *entry, uint32_t *ret_epoch, uint64_t *ret_seq)
{
    struct wire_cursor in = wire_cursor_of(entry->cursor, sizeof entry->cursor);
    *ret_epoch = wire_read_u32(&in);
    *ret_seq = wire_read_u64(&in);
}

bool mailbox_held_find(const struct mailbox_held *held, const struct fingerprint *print,
                       uint32_t *ret_epoch, uint64_t *ret_seq)
{
    if (held == NULL || held->slots == 0)
        return false;
    const uint8_t tag = tag_of(print);
    uint32_t slot = first_slot(print, held->slots);
    for (; held->tags[slot] != 0; slot = (slot + 1) & (held->slots - 1)) {
        if (held->tags[slot] != tag)
            continue;
        const struct entry *entry = entry_at(held, held->numbers[slot]);
        if (memcmp(&entry->print, print, sizeof *print) != 0)
            continue;
        read_cursor(entry, ret_epoch, ret_seq);
        return true;
    }
    return false;
}

static void index_entry(struct mailbox_held *held, uint32_t number)
{
    const struct fingerprint *print = &entry_at(held, number)->print;
    uint32_t slot = first_slot(print, held->slots);
    while (held->tags[slot] != 0)
        slot = (slot + 1) & (held->slots - 1);
    held->tags[slot] = tag_of(print);
    held->numbers[slot] = number;
}

static void grow_index(struct mailbox_held *held)
{
    held->slots = held->slots == 0 ? SLOTS_MIN : 2 * held->slots; /* a segment has a bound */
    held->tags = mailbox_allocate(held->tags, held->slots);
    held->numbers = mailbox_allocate(held->numbers, held->slots * sizeof *held->numbers);
    memset(held->tags, 0, held->slots);
    for (uint32_t i = 0; i < held->count; i++)
        index_entry(held, i);
}

static void add(struct mailbox_held *held, const struct entry *entry)
{
    if ((uint64_t)held->count * 4 >= (uint64_t)held->slots * 3)
        grow_index(held);
    const uint32_t number = held->count;
    const size_t block = number / BLOCK_ENTRIES;
    if (number % BLOCK_ENTRIES == 0) {
        held->blocks = mailbox_allocate(held->blocks, (block + 1) * sizeof(struct entry *));
        held->blocks[block] = mailbox_allocate(NULL, BLOCK_ENTRIES * sizeof *entry);
    }
    *entry_at(held, number) = *entry;
    held->count++;
    index_entry(held, number);
}

void mailbox_held_add(struct mailbox_held *held, const struct fingerprint *print, uint32_t epoch,
                      uint64_t seq, struct fingerprint *sum)
{
    struct entry entry = {.print = *print};
    for (size_t i = 0; i < sizeof epoch; i++)
        entry.cursor[i] = (uint8_t)(epoch >> (8 * i));
    for (size_t i = 0; i < sizeof seq; i++)
        entry.cursor[sizeof epoch + i] = (uint8_t)(seq >> (8 * i));
    add(held, &entry);
    hash_sum(sum, &entry, sizeof entry);
}

void mailbox_held_save(const struct mailbox_held *held, struct buffer *out)
{
    for (uint32_t at = 0; at < mailbox_held_count(held); at += BLOCK_ENTRIES) {
        const uint32_t left = held->count - at;
        const size_t size = (left < BLOCK_ENTRIES ? left : BLOCK_ENTRIES) * sizeof(struct entry);
        buffer_append(out, held->blocks[at / BLOCK_ENTRIES], size);
    }
}

void mailbox_held_load(struct mailbox_held *held, uint32_t count, struct wire_cursor *in)
{
    if (in->failed || count > in->left / sizeof(struct entry)) {
        wire_fail(in);
        return;
    }
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry;
        wire_read_bytes(in, &entry, sizeof entry);
        add(held, &entry);
    }
}

static int compare_entries(const void *a, const void *b)
{
    return memcmp(a, b, sizeof(struct fingerprint));
}

int mailbox_held_export(const struct mailbox_held *held, struct buffer *out)
{
    const size_t start = out->size;
    (void)buffer_reserve(out, held->count * sizeof(struct entry));
    mailbox_held_save(held, out);
    if (out->failed)
        return -ENOMEM;
    if (held->count > 0)
        qsort(out->data + start, held->count, sizeof(struct entry), compare_entries);
    return 0;
}
