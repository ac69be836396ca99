/* What a shard has seen, over many segments: the price of each message, in memory and in time.
 *
 *   seen_bench [segments] [users] [folder]     defaults: 34 100000 /tmp
 *
 * A mailbox applies batches of 100 new messages, each closed segment (1,048,576 entries) is stored
 * in a file, as a hub's thread does it but at once, and not counted. With 0, 1, 8 and the last
 * number of segments stored it measures new messages, then repeats of messages taken at random from
 * all that came before, and how long a save of the state takes, into a view. Times of applying are
 * CPU seconds; memory is what the process has resident and is not of a file. */
#include "base/clock.h"
#include "mailbox/mailbox_segments.h"
#include "measure.h"
#include "store/segment.h"
#include "store/view.h"
#include "wire/record.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGES_A_BATCH = 100, NEW_MEASURED = 300000, REPEATS_MEASURED = 200000 };

struct bench {
    uint64_t users;
    uint64_t random;
    struct mailbox *mailbox;
    uint64_t position;
    uint64_t next; /* the number of the next new message */
    struct buffer out;
    int64_t applying_us; /* of CPU */
    char folder[300];
    char view_path[300];
    struct view *view;
    uint64_t stored;
    size_t filter_bytes;
    int64_t exporting_us;
    int64_t writing_us;
};

/* RssAnon, in bytes. */
static uint64_t memory_bytes(void)
{
    FILE *file = fopen("/proc/self/status", "r");
    char line[200];
    unsigned long kib = 0;
    must(file != NULL, "/proc/self/status");
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "RssAnon:", 8) == 0)
            kib = strtoul(line + 8, NULL, 10);
    }
    fclose(file);
    return (uint64_t)kib * 1024;
}

/* --- the store --- */

static int on_find(void *context, void *handle, const struct fingerprint *print,
                   uint32_t *ret_epoch, uint64_t *ret_seq)
{
    (void)context;
    return segment_find(handle, print, ret_epoch, ret_seq);
}

static void on_prefetch(void *context, void *handle, const struct fingerprint *print)
{
    (void)context;
    segment_prefetch(handle, print);
}

static void store_one(struct bench *bench, const struct mailbox_segment *closed)
{
    const struct segment_info info = {.id = closed->id,
                                      .start_ms = closed->start_ms,
                                      .end_ms = closed->end_ms,
                                      .count = closed->count,
                                      .sum = closed->sum};
    struct mailbox_held *held = mailbox_segment_hold(bench->mailbox, closed->id);
    struct buffer entries = {0};
    struct segment *segment = NULL;
    const int64_t start_us = clock_monotonic_us();
    must(mailbox_held_export(held, &entries) == 0, "export");
    const int64_t exported_us = clock_monotonic_us();
    must(segment_write(bench->folder, &info, entries.data, entries.size) == 0, "write");
    bench->exporting_us += exported_us - start_us;
    bench->writing_us += clock_monotonic_us() - exported_us;
    buffer_free(&entries);
    mailbox_held_release(held);
    must(segment_open(bench->folder, closed->id, &segment, NULL) == 0, "open");
    bench->filter_bytes += segment_memory(segment);
    must(mailbox_segment_stored(bench->mailbox, closed->id, segment) == 0, "stored");
    bench->stored++;
}

static void store_closed(struct bench *bench)
{
    struct mailbox_segment segment;
    for (size_t i = bench->stored; mailbox_segment_at(bench->mailbox, i, &segment); i++)
        store_one(bench, &segment);
}

/* --- messages --- */

static void apply(struct bench *bench, enum wire_writer writer)
{
    const struct mailbox_effects effects = {0};
    const struct mailbox_input input = {.position = ++bench->position,
                                        .time_ms = 1700000000000,
                                        .writer = writer,
                                        .data = bench->out.data,
                                        .size = bench->out.size};
    struct error_text why = {0};
    const int64_t start_us = cpu_us();
    must(mailbox_apply(bench->mailbox, &input, &effects, &why) == 0, why.text);
    bench->applying_us += cpu_us() - start_us;
}

static void apply_genesis(struct bench *bench)
{
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &bench->out);
    wire_genesis_write(&writer, &(struct wire_genesis){.region = TEXT("dub"),
                                                       .destination = TEXT(""),
                                                       .shards = 1,
                                                       .hash_name = TEXT(HASH_SHARD_NAME),
                                                       .hash_version = HASH_SHARD_VERSION});
    must(wire_batch_end(&writer) == 0, "genesis");
    apply(bench, WIRE_BY_HUB);
}

/* The same for the same number. */
static void write_message(struct bench *bench, struct wire_batch_writer *writer, uint64_t number)
{
    char to[32];
    char from[32];
    char id[32];
    snprintf(to, sizeof to, "user-%" PRIu64, number * 0x9e3779b97f4a7c15u % bench->users);
    snprintf(from, sizeof from, "user-%" PRIu64, number * 0xbf58476d1ce4e5b9u % bench->users);
    snprintf(id, sizeof id, "%016" PRIx64, number);
    const struct wire_recipient recipient = {WIRE_USER, text_of(to)};
    const struct wire_message message = {.sender = text_of(from),
                                         .device = TEXT("phone"),
                                         .id = text_of(id),
                                         .body = TEXT("\"a body that is not long\"")};
    wire_message_write(writer, &message, &recipient, 1);
}

static void apply_batch(struct bench *bench, bool is_new)
{
    struct wire_batch_writer writer;
    buffer_clear(&bench->out);
    wire_batch_begin(&writer, &bench->out);
    for (int i = 0; i < MESSAGES_A_BATCH; i++)
        write_message(bench, &writer,
                      is_new ? bench->next++
                             : next_random(&bench->random) % (bench->next / 100 * 100));
    must(wire_batch_end(&writer) == 0, "batch");
    apply(bench, WIRE_BY_EDGE);
}

/* --- measuring --- */

static double measure_apply(struct bench *bench, bool is_new, uint64_t messages)
{
    const uint64_t rows = mailbox_state(bench->mailbox).rows;
    bench->applying_us = 0;
    for (uint64_t i = 0; i < messages; i += MESSAGES_A_BATCH)
        apply_batch(bench, is_new);
    must(mailbox_state(bench->mailbox).rows == rows + (is_new ? messages : 0), "rows");
    return (double)bench->applying_us / (double)messages;
}

static void measure_save(struct bench *bench)
{
    struct buffer bytes = {0};
    const int64_t start_us = clock_monotonic_us();
    must(mailbox_save(bench->mailbox, &bytes) == 0, "save");
    const int64_t made_us = clock_monotonic_us();
    must(view_save_state(bench->view, bench->position, bytes.data, bytes.size) == 0, "view");
    const int64_t saved_us = clock_monotonic_us();
    printf("    save: %zu dedupe entries in memory: %.1f MB; %.1f ms to make, %.1f ms into the "
           "view\n",
           mailbox_state(bench->mailbox).dedupe_in_memory, (double)bytes.size / 1e6,
           (double)(made_us - start_us) / 1e3, (double)(saved_us - made_us) / 1e3);
    buffer_free(&bytes);
}

static void measure(struct bench *bench, uint64_t memory_before)
{
    const double new_us = measure_apply(bench, true, NEW_MEASURED);
    const double repeat_us = measure_apply(bench, false, REPEATS_MEASURED);
    const struct mailbox_state state = mailbox_state(bench->mailbox);
    printf("%2" PRIu64 " stored, %" PRIu64 " entries: new %.3f, repeated %.3f CPU-us a message\n",
           bench->stored, (uint64_t)state.dedupe_entries, new_us, repeat_us);
    printf("    memory: %.1f MB more than without a message: %.2f B an entry; filters %.2f B an "
           "entry stored\n",
           (double)(memory_bytes() - memory_before) / 1e6,
           (double)(memory_bytes() - memory_before) / (double)state.dedupe_entries,
           bench->stored == 0 ? 0 : (double)bench->filter_bytes / (double)state.dedupe_entries);
    measure_save(bench);
}

static void fill_to(struct bench *bench, uint64_t segments)
{
    while (bench->stored < segments) {
        apply_batch(bench, true);
        store_closed(bench);
    }
}

/* Two segments in memory, as it is while nothing is stored. */
static void measure_in_memory(struct bench *bench)
{
    const uint64_t before = memory_bytes();
    while (mailbox_state(bench->mailbox).dedupe_entries < 2000000)
        apply_batch(bench, true);
    const uint64_t full = memory_bytes();
    printf("2,000,000 in memory: %.1f B an entry\n", (double)(full - before) / 2e6);
    measure_save(bench);
    measure_save(bench);
}

static void make_users(struct bench *bench)
{
    for (uint64_t i = 0; i < bench->users; i++) {
        struct wire_batch_writer writer;
        char name[32];
        snprintf(name, sizeof name, "user-%" PRIu64, i);
        buffer_clear(&bench->out);
        wire_batch_begin(&writer, &bench->out);
        wire_ack_write(&writer, &(struct wire_ack){
                                    .user = text_of(name), .device = TEXT("phone"), .epoch = 1});
        must(wire_batch_end(&writer) == 0, "ack");
        apply(bench, WIRE_BY_HUB);
    }
}

static void begin(struct bench *bench)
{
    bench->mailbox = mailbox_new();
    must(bench->mailbox != NULL, "memory");
    bench->position = bench->next = bench->stored = 0;
    bench->filter_bytes = 0;
    bench->random = 88172645463325252u;
    buffer_clear(&bench->out);
    apply_genesis(bench);
    make_users(bench);
}

static void end(struct bench *bench)
{
    struct mailbox_segment segment;
    for (size_t i = 0; mailbox_segment_at(bench->mailbox, i, &segment); i++)
        segment_close(segment.handle);
    mailbox_free(bench->mailbox);
    (void)malloc_trim(0); /* so that the next one begins anew */
}

static void remove_all(const struct bench *bench)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[320];
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        snprintf(name, sizeof name, "%s%s", bench->view_path, suffixes[i]);
        (void)unlink(name);
    }
    must(segment_clean(bench->folder, NULL, NULL) == 0, "clean");
    (void)rmdir(bench->folder);
}

static void measure_stored(struct bench *bench, uint64_t segments)
{
    const uint64_t before = memory_bytes();
    mailbox_set_store(bench->mailbox,
                      &(struct mailbox_store){.find = on_find, .prefetch = on_prefetch});
    const uint64_t at[] = {0, 1, 8, segments};
    for (size_t i = 0; i < COUNT_OF(at); i++) {
        if (at[i] > segments || (i > 0 && at[i] <= at[i - 1]))
            continue;
        fill_to(bench, at[i]);
        measure(bench, before);
    }
    printf("a segment: %.0f ms to sort, %.0f ms to write and sync\n",
           (double)bench->exporting_us / 1e3 / (double)bench->stored,
           (double)bench->writing_us / 1e3 / (double)bench->stored);
}

int main(int argc, char **argv)
{
    struct bench bench = {.users = 100000};
    struct error_text why;
    uint64_t segments = 34;
    if (argc > 1)
        must(text_to_u64(text_of(argv[1]), 1000, &segments) == 0, "segments?");
    if (argc > 2)
        must(text_to_u64(text_of(argv[2]), 100000000, &bench.users) == 0, "users?");
    must(segments > 0 && bench.users > 0, "one at least");
    const char *folder = argc > 3 ? argv[3] : "/tmp";
    snprintf(bench.folder, sizeof bench.folder, "%s/seen-bench-%d.seen", folder, (int)getpid());
    snprintf(bench.view_path, sizeof bench.view_path, "%s/seen-bench-%d.view", folder,
             (int)getpid());
    must(view_open(bench.view_path, &bench.view, &why) == 0, "view");
    begin(&bench);
    measure_in_memory(&bench);
    end(&bench);
    begin(&bench);
    measure_stored(&bench, segments);
    end(&bench);
    view_close(bench.view);
    remove_all(&bench);
    buffer_free(&bench.out);
    return 0;
}
