/* How fast one shard applies, and what its state costs.
 *
 *   apply_bench [messages] [users] [folder]     defaults: 2000000 100000 /tmp
 *
 * A log is made in memory: batches of 100 messages with bodies of 180 bytes, to users and from
 * senders at random, all ids new. It is applied by a mailbox alone, then by a mailbox whose rows go
 * into a view in the folder, a transaction for every 1,000 messages; then users are read as a
 * resume does. Memory is what malloc has handed out. */
#include "base/clock.h"
#include "mailbox/mailbox.h"
#include "measure.h"
#include "store/view.h"
#include "wire/record.h"

#include <inttypes.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MESSAGES_A_BATCH = 100, BODY_SIZE = 180, BATCHES_A_COMMIT = 10, RESUMES = 100000 };

struct bench {
    uint64_t messages;
    uint64_t users;
    uint64_t random;
    struct mailbox *mailbox;
    struct view *view;
    uint64_t position;
    struct buffer out;
    uint64_t bytes_read;
    int64_t writing_us;
};

static size_t memory_bytes(void)
{
    const struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static void on_appended(void *context, const struct mailbox_row *row)
{
    struct bench *bench = context;
    const struct wire_message *message = row->message;
    struct view_row stored = {.row = row->row,
                              .previous_row = row->previous_row,
                              .position = row->position,
                              .user = row->user,
                              .epoch = row->epoch,
                              .seq = row->seq,
                              .at_ms = row->at_ms,
                              .created_ms = message->created_ms,
                              .ttl_s = message->ttl_s,
                              .flags = message->flags,
                              .wants = message->wants,
                              .sender = message->sender,
                              .device = message->device,
                              .id = message->id,
                              .body = message->body};
    memcpy(stored.trace, message->trace, sizeof stored.trace);
    must(view_append(bench->view, &stored) == 0, "append");
}

static void apply(struct bench *bench, enum wire_writer writer)
{
    const struct mailbox_effects effects = {.context = bench,
                                            .appended = bench->view == NULL ? NULL : on_appended};
    const struct mailbox_input input = {.position = ++bench->position,
                                        .time_ms = 1700000000000 + (int64_t)bench->position,
                                        .writer = writer,
                                        .data = bench->out.data,
                                        .size = bench->out.size};
    struct error_text why = {0};
    must(mailbox_apply(bench->mailbox, &input, &effects, &why) == 0, why.text);
}

static void apply_genesis(struct bench *bench)
{
    struct wire_batch_writer writer;
    buffer_clear(&bench->out);
    wire_batch_begin(&writer, &bench->out);
    wire_genesis_write(&writer, &(struct wire_genesis){.region = TEXT("dub"),
                                                       .destination = TEXT(""),
                                                       .shards = 1,
                                                       .hash_name = TEXT(HASH_SHARD_NAME),
                                                       .hash_version = HASH_SHARD_VERSION});
    must(wire_batch_end(&writer) == 0, "genesis");
    apply(bench, WIRE_BY_HUB);
}

static void write_message(struct bench *bench, struct wire_batch_writer *writer, uint64_t number)
{
    static char body[BODY_SIZE + 1];
    if (body[0] == '\0')
        memset(body, '1', BODY_SIZE);
    char to[32];
    char from[32];
    char id[32];
    snprintf(to, sizeof to, "user-%" PRIu64, next_random(&bench->random) % bench->users);
    snprintf(from, sizeof from, "user-%" PRIu64, next_random(&bench->random) % bench->users);
    snprintf(id, sizeof id, "%016" PRIx64, number);
    const struct wire_recipient recipient = {WIRE_USER, text_of(to)};
    const struct wire_message message = {
        .sender = text_of(from), .device = TEXT("phone"), .id = text_of(id), .body = text_of(body)};
    wire_message_write(writer, &message, &recipient, 1);
}

/* Not counted: an edge does it. */
static void write_batch(struct bench *bench, uint64_t number)
{
    const int64_t start_us = cpu_us();
    struct wire_batch_writer writer;
    buffer_clear(&bench->out);
    wire_batch_begin(&writer, &bench->out);
    for (uint64_t i = 0; i < MESSAGES_A_BATCH; i++)
        write_message(bench, &writer, number + i);
    must(wire_batch_end(&writer) == 0, "batch");
    bench->writing_us += cpu_us() - start_us;
}

static void apply_all(struct bench *bench)
{
    apply_genesis(bench);
    for (uint64_t number = 0, batch = 0; number < bench->messages;
         number += MESSAGES_A_BATCH, batch++) {
        if (bench->view != NULL && batch % BATCHES_A_COMMIT == 0)
            must(view_begin(bench->view) == 0, "begin");
        write_batch(bench, number);
        apply(bench, WIRE_BY_EDGE);
        const bool last = number + MESSAGES_A_BATCH >= bench->messages;
        if (bench->view != NULL && (batch % BATCHES_A_COMMIT == BATCHES_A_COMMIT - 1 || last))
            must(view_commit(bench->view, bench->position) == 0, "commit");
    }
}

static void start(struct bench *bench)
{
    bench->mailbox = mailbox_new();
    must(bench->mailbox != NULL, "memory");
    bench->position = 0;
    bench->writing_us = 0;
    bench->random = 88172645463325252u;
}

/* Wall and CPU; the CPU is what to compare on a machine that others use. */
static void measure(struct bench *bench, const char *what)
{
    start(bench);
    const int64_t wall_us = clock_monotonic_us();
    const int64_t start_us = cpu_us();
    apply_all(bench);
    const int64_t busy_us = cpu_us() - start_us - bench->writing_us;
    const int64_t passed_us = clock_monotonic_us() - wall_us - bench->writing_us;
    const double messages = (double)bench->messages;
    printf("%-20s %9.0f messages/s by the wall clock, %9.0f by CPU, %.2f CPU-s per million\n", what,
           messages / ((double)passed_us / 1e6), messages / ((double)busy_us / 1e6),
           (double)busy_us / messages);
}

static void measure_alone(struct bench *bench)
{
    measure(bench, "mailbox alone");
    const struct mailbox_state state = mailbox_state(bench->mailbox);
    struct buffer bytes = {0};
    const int64_t start_us = clock_monotonic_us();
    must(mailbox_save(bench->mailbox, &bytes) == 0, "save");
    const int64_t saved_us = clock_monotonic_us();
    struct mailbox *loaded;
    must(mailbox_load(bytes.data, bytes.size, &loaded) == 0, "load");
    printf("saved state          %zu bytes for %zu users and %zu dedupe entries; save %.3f s, load "
           "%.3f s\n",
           bytes.size, state.users, state.dedupe_entries, (double)(saved_us - start_us) / 1e6,
           (double)(clock_monotonic_us() - saved_us) / 1e6);
    mailbox_free(loaded);
    mailbox_free(bench->mailbox);
    buffer_free(&bytes);
}

/* By acks users come into being without dedupe entries; then a message to each adds these. */
static void measure_memory(struct bench *bench)
{
    start(bench);
    apply_genesis(bench);
    const size_t empty = memory_bytes();
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
    const size_t with_users = memory_bytes();
    for (uint64_t number = 0; number < bench->messages; number += MESSAGES_A_BATCH) {
        write_batch(bench, number);
        apply(bench, WIRE_BY_EDGE);
    }
    const struct mailbox_state state = mailbox_state(bench->mailbox);
    printf("memory               %zu bytes empty, %.1f a user with a device, %.1f a dedupe entry\n",
           empty, (double)(with_users - empty) / (double)state.users,
           (double)(memory_bytes() - with_users) / (double)state.dedupe_entries);
    mailbox_free(bench->mailbox);
}

static bool on_row(void *context, const struct view_row *row)
{
    struct bench *bench = context;
    bench->bytes_read += row->body.size;
    return true;
}

/* False when the user, taken at random, has not so many messages. */
static bool resume(struct bench *bench, uint64_t missed)
{
    char name[32];
    struct mailbox_user user;
    snprintf(name, sizeof name, "user-%" PRIu64, next_random(&bench->random) % bench->users);
    if (!mailbox_find_user(bench->mailbox, text_of(name), &user) || user.head < missed)
        return false;
    const uint64_t from_seq = user.head - missed + 1;
    must(view_read(bench->view, user.last_row, from_seq, SIZE_MAX, SIZE_MAX, on_row, bench) == 0,
         "read");
    return true;
}

static void measure_resumes(struct bench *bench, uint64_t missed)
{
    const int64_t wall_us = clock_monotonic_us();
    const int64_t start_us = cpu_us();
    uint64_t done = 0;
    for (uint64_t i = 0; i < RESUMES; i++)
        done += resume(bench, missed);
    if (done < RESUMES / 2) {
        printf("resume, %2" PRIu64 " missed    not measured: too few messages a user\n", missed);
        return;
    }
    const double busy_s = (double)(cpu_us() - start_us) / 1e6;
    const double passed_s = (double)(clock_monotonic_us() - wall_us) / 1e6;
    printf("resume, %2" PRIu64 " missed    %9.0f resumes/s by the wall clock, %9.0f by CPU\n",
           missed, (double)done / passed_s, (double)done / busy_s);
}

static void remove_view(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm"};
    char name[512];
    for (size_t i = 0; i < COUNT_OF(suffixes); i++) {
        snprintf(name, sizeof name, "%s%s", path, suffixes[i]);
        (void)unlink(name);
    }
}

static void measure_with_view(struct bench *bench, const char *folder)
{
    char path[480];
    struct error_text why;
    snprintf(path, sizeof path, "%s/apply-bench-%d.db", folder, (int)getpid());
    remove_view(path);
    must(view_open(path, &bench->view, &why) == 0, "open the view");
    measure(bench, "mailbox and view");
    measure_resumes(bench, 1);
    measure_resumes(bench, 10);
    mailbox_free(bench->mailbox);
    view_close(bench->view);
    bench->view = NULL;
    const int64_t start_us = clock_monotonic_us();
    must(view_open(path, &bench->view, &why) == 0, "open the view again");
    printf("opening the view     %.3f s\n", (double)(clock_monotonic_us() - start_us) / 1e6);
    view_close(bench->view);
    remove_view(path);
}

int main(int argc, char **argv)
{
    struct bench bench = {.messages = 2000000, .users = 100000};
    if (argc > 1)
        must(text_to_u64(text_of(argv[1]), 100000000, &bench.messages) == 0, "messages?");
    if (argc > 2)
        must(text_to_u64(text_of(argv[2]), 100000000, &bench.users) == 0, "users?");
    must(bench.messages > 0 && bench.users > 0, "one at least");
    printf("%" PRIu64 " messages, %" PRIu64 " users, %d a batch, bodies of %d bytes\n",
           bench.messages, bench.users, MESSAGES_A_BATCH, BODY_SIZE);
    measure_memory(&bench);
    measure_alone(&bench);
    measure_with_view(&bench, argc > 3 ? argv[3] : "/tmp");
    buffer_free(&bench.out);
    return 0;
}
