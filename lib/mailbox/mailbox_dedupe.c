/* Dedupe. Per generation: the entries densely in the order they came, and an open-addressed index
 * to them: one byte of the fingerprint (the tag, 0: free) and the entry's number for each slot. A
 * message nobody has seen, the common case, costs a look at one cache line of tags for each
 * generation; an entry costs 28 bytes and some 10 for the index. */
#include "mailbox_internal.h"

#include <assert.h>
#include <string.h>

enum {
    BLOCK_ENTRIES = 1024,
    SLOTS_MIN = 1024,
    GENERATIONS = 8, /* in a window */
};

struct entry {
    struct fingerprint print;
    uint32_t epoch;
    uint32_t seq_low;
    uint32_t seq_high;
};
_Static_assert(sizeof(struct entry) == 28, "an entry is dense");

struct mailbox_dedupe_generation {
    int64_t start_ms;
    int64_t end_ms; /* the first one not in it */
    struct entry **blocks;
    uint32_t count;
    uint32_t slots; /* a power of two; 0 while there is no entry */
    uint8_t *tags;
    uint32_t *numbers;
};

struct fingerprint mailbox_dedupe_print(const uint8_t key[16], struct text recipient,
                                        struct text sender, struct text id)
{
    uint8_t bytes[3 + 3 * UINT8_MAX];
    size_t size = 0;
    const struct text parts[] = {recipient, sender, id};
    for (size_t i = 0; i < COUNT_OF(parts); i++) {
        assert(parts[i].size <= UINT8_MAX); /* the decoder's bounds are lower */
        bytes[size++] = (uint8_t)parts[i].size;
        if (parts[i].size > 0)
            memcpy(bytes + size, parts[i].data, parts[i].size);
        size += parts[i].size;
    }
    return hash_fingerprint(key, bytes, size);
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

static struct entry *entry_at(const struct mailbox_dedupe_generation *generation, uint32_t number)
{
    return &generation->blocks[number / BLOCK_ENTRIES][number % BLOCK_ENTRIES];
}

static const struct entry *find(const struct mailbox_dedupe_generation *generation,
                                const struct fingerprint *print)
{
    if (generation->slots == 0)
        return NULL;
    const uint8_t tag = tag_of(print);
    uint32_t slot = first_slot(print, generation->slots);
    for (; generation->tags[slot] != 0; slot = (slot + 1) & (generation->slots - 1)) {
        if (generation->tags[slot] != tag)
            continue;
        const struct entry *entry = entry_at(generation, generation->numbers[slot]);
        if (memcmp(&entry->print, print, sizeof *print) == 0)
            return entry;
    }
    return NULL;
}

bool mailbox_dedupe_find(const struct mailbox_dedupe *dedupe, const struct fingerprint *print,
                         uint32_t *ret_epoch, uint64_t *ret_seq)
{
    for (size_t i = dedupe->count; i-- > 0;) { /* most repeats come soon */
        const struct entry *entry = find(&dedupe->generations[i], print);
        if (entry == NULL)
            continue;
        *ret_epoch = entry->epoch;
        *ret_seq = (uint64_t)entry->seq_high << 32 | entry->seq_low;
        return true;
    }
    return false;
}

static void index_entry(struct mailbox_dedupe_generation *generation, uint32_t number)
{
    const struct fingerprint *print = &entry_at(generation, number)->print;
    uint32_t slot = first_slot(print, generation->slots);
    while (generation->tags[slot] != 0)
        slot = (slot + 1) & (generation->slots - 1);
    generation->tags[slot] = tag_of(print);
    generation->numbers[slot] = number;
}

static void grow_index(struct mailbox_dedupe_generation *generation)
{
    if (generation->slots > UINT32_MAX / 2)
        abort(); /* memory ends long before */
    generation->slots = generation->slots == 0 ? SLOTS_MIN : 2 * generation->slots;
    generation->tags = mailbox_allocate(generation->tags, generation->slots);
    generation->numbers =
        mailbox_allocate(generation->numbers, generation->slots * sizeof *generation->numbers);
    memset(generation->tags, 0, generation->slots);
    for (uint32_t i = 0; i < generation->count; i++)
        index_entry(generation, i);
}

static void add(struct mailbox_dedupe_generation *generation, const struct entry *entry)
{
    if ((uint64_t)generation->count * 4 >= (uint64_t)generation->slots * 3)
        grow_index(generation);
    const uint32_t number = generation->count;
    const size_t block = number / BLOCK_ENTRIES;
    if (number % BLOCK_ENTRIES == 0) {
        generation->blocks =
            mailbox_allocate(generation->blocks, (block + 1) * sizeof(struct entry *));
        generation->blocks[block] = mailbox_allocate(NULL, BLOCK_ENTRIES * sizeof *entry);
    }
    *entry_at(generation, number) = *entry;
    generation->count++;
    index_entry(generation, number);
}

static struct mailbox_dedupe_generation *open_generation(struct mailbox_dedupe *dedupe,
                                                         int64_t start_ms, int64_t end_ms)
{
    if (dedupe->count == dedupe->capacity) {
        dedupe->capacity += GENERATIONS + 2;
        dedupe->generations =
            mailbox_allocate(dedupe->generations, dedupe->capacity * sizeof *dedupe->generations);
    }
    struct mailbox_dedupe_generation *generation = &dedupe->generations[dedupe->count++];
    *generation = (struct mailbox_dedupe_generation){.start_ms = start_ms, .end_ms = end_ms};
    return generation;
}

/* The one that `time_ms` belongs to. A window changed meanwhile counts from the next one on. */
static struct mailbox_dedupe_generation *current(struct mailbox_dedupe *dedupe, int64_t time_ms,
                                                 uint32_t window_s)
{
    if (dedupe->count > 0 && time_ms < dedupe->generations[dedupe->count - 1].end_ms)
        return &dedupe->generations[dedupe->count - 1];
    int64_t length_ms = (int64_t)window_s * 1000 / GENERATIONS;
    if (length_ms == 0)
        length_ms = 1;
    const int64_t start_ms = time_ms / length_ms * length_ms;
    return open_generation(dedupe, start_ms,
                           start_ms > INT64_MAX - length_ms ? INT64_MAX : start_ms + length_ms);
}

void mailbox_dedupe_add(struct mailbox_dedupe *dedupe, int64_t time_ms, uint32_t window_s,
                        const struct fingerprint *print, uint32_t epoch, uint64_t seq)
{
    const struct entry entry = {.print = *print,
                                .epoch = epoch,
                                .seq_low = (uint32_t)seq,
                                .seq_high = (uint32_t)(seq >> 32)};
    add(current(dedupe, time_ms, window_s), &entry);
    dedupe->entries++;
}

static void free_generation(struct mailbox_dedupe_generation *generation)
{
    for (size_t i = 0; i * BLOCK_ENTRIES < generation->count; i++)
        free(generation->blocks[i]);
    free(generation->blocks);
    free(generation->tags);
    free(generation->numbers);
}

void mailbox_dedupe_expire(struct mailbox_dedupe *dedupe, int64_t time_ms, uint32_t window_s)
{
    size_t gone = 0;
    while (gone < dedupe->count &&
           dedupe->generations[gone].end_ms <= time_ms - (int64_t)window_s * 1000) {
        dedupe->entries -= dedupe->generations[gone].count;
        free_generation(&dedupe->generations[gone++]);
    }
    if (gone == 0)
        return;
    dedupe->count -= gone;
    memmove(dedupe->generations, dedupe->generations + gone,
            dedupe->count * sizeof *dedupe->generations);
}

void mailbox_dedupe_free(struct mailbox_dedupe *dedupe)
{
    for (size_t i = 0; i < dedupe->count; i++)
        free_generation(&dedupe->generations[i]);
    free(dedupe->generations);
    *dedupe = (struct mailbox_dedupe){0};
}

static void save_generation(const struct mailbox_dedupe_generation *generation, struct buffer *out)
{
    wire_write_i64(out, generation->start_ms);
    wire_write_i64(out, generation->end_ms);
    wire_write_u32(out, generation->count);
    for (uint32_t i = 0; i < generation->count; i++) {
        const struct entry *entry = entry_at(generation, i);
        buffer_append(out, entry->print.bytes, sizeof entry->print.bytes);
        wire_write_u32(out, entry->epoch);
        wire_write_u32(out, entry->seq_low);
        wire_write_u32(out, entry->seq_high);
    }
}

void mailbox_dedupe_save(const struct mailbox_dedupe *dedupe, struct buffer *out)
{
    wire_write_u32(out, (uint32_t)dedupe->count);
    for (size_t i = 0; i < dedupe->count; i++)
        save_generation(&dedupe->generations[i], out);
}

static void load_generation(struct mailbox_dedupe *dedupe, struct wire_cursor *in)
{
    const int64_t start_ms = wire_read_i64(in);
    const int64_t end_ms = wire_read_i64(in);
    const uint32_t count = wire_read_u32(in);
    if (in->failed || count > in->left / sizeof(struct entry)) {
        in->failed = true;
        return;
    }
    struct mailbox_dedupe_generation *generation = open_generation(dedupe, start_ms, end_ms);
    for (uint32_t i = 0; i < count; i++) {
        struct entry entry;
        wire_read_bytes(in, entry.print.bytes, sizeof entry.print.bytes);
        entry.epoch = wire_read_u32(in);
        entry.seq_low = wire_read_u32(in);
        entry.seq_high = wire_read_u32(in);
        add(generation, &entry);
    }
    dedupe->entries += count;
}

bool mailbox_dedupe_load(struct mailbox_dedupe *dedupe, struct wire_cursor *in)
{
    const uint32_t count = wire_read_u32(in);
    for (uint32_t i = 0; i < count && !in->failed; i++)
        load_generation(dedupe, in);
    return !in->failed;
}
