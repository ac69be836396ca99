/* Bytes become a log. Each step: a byte that says what, a byte for its writer and lane, a u16 of
 * time, then what it needs. Records may be written from numbers, so that the fuzzer gets past the
 * CRCs, or be the raw bytes of a body or of a whole batch.
 *
 * What must hold: nothing crashes; a batch that stops leaves the state as it was; the state that
 * was saved half-way and loaded goes on to be equal to the one that was not. */
#include "mailbox/mailbox.h"
#include "wire/record.h"

#include <stdlib.h>
#include <string.h>

enum { STEPS_MAX = 200, RAW_MAX = 4096 };

/* New ones come last, so that the corpus keeps its meaning. */
enum step {
    MESSAGES,
    ACK,
    OWN,
    TICK,
    CONFIG,
    GENESIS,
    RAW_BODY,
    RAW_BATCH,
    SAVE_AND_LOAD,
    RICH_MESSAGES, /* with what they want, flags, and bodies of any size */
    CONFIG_2,
    CHECKPOINT,
    NOTICED,
    READ,
    STEPS
};

struct run {
    struct mailbox *mailbox;
    struct mailbox *twin; /* never saved */
    struct wire_cursor in;
    struct buffer out;
    int64_t now_ms;
    uint64_t effects;
};

static void require(bool holds)
{
    if (!holds)
        abort();
}

/* Reads what it is given, so that a bad pointer shows. */
static void look_at(struct run *run, struct text text)
{
    for (size_t i = 0; i < text.size; i++)
        run->effects = run->effects * 31 + (uint8_t)text.data[i];
}

static void on_appended(void *context, const struct mailbox_row *row)
{
    struct run *run = context;
    require(row->seq > 0 && row->previous_row < row->row);
    look_at(run, row->user);
    look_at(run, row->message->body);
    run->effects += row->seq;
}

static void on_repeated(void *context, struct text user, const struct wire_message *message,
                        uint32_t epoch, uint64_t seq)
{
    struct run *run = context;
    require(epoch == 1 && seq > 0);
    look_at(run, user);
    look_at(run, message->id);
}

static void on_acked(void *context, struct text user, struct text device, uint32_t epoch,
                     uint64_t seq)
{
    struct run *run = context;
    struct mailbox_user found;
    require(mailbox_find_user(run->mailbox, user, &found) || run->twin != NULL);
    look_at(run, device);
    run->effects += epoch + seq;
}

static void on_device_dropped(void *context, struct text user, struct text device)
{
    look_at(context, user);
    look_at(context, device);
}

static void on_passed(void *context, const struct mailbox_input *input, enum mailbox_passed why,
                      const char *reason)
{
    struct run *run = context;
    require(reason != NULL && input->data != NULL);
    run->effects += why;
}

static void on_misrouted(void *context, struct text user, const struct wire_message *message)
{
    look_at(context, user);
    look_at(context, message->sender);
}

static void on_checkpoint(void *context, uint64_t position)
{
    struct run *run = context;
    run->effects = run->effects * 31 + position;
}

static void on_read(void *context, const struct wire_read *read)
{
    struct run *run = context;
    look_at(run, read->user);
    look_at(run, read->of);
    run->effects += read->seq;
}

static struct mailbox_effects effects_of(struct run *run)
{
    return (struct mailbox_effects){.context = run,
                                    .appended = on_appended,
                                    .repeated = on_repeated,
                                    .acked = on_acked,
                                    .device_dropped = on_device_dropped,
                                    .passed = on_passed,
                                    .misrouted = on_misrouted,
                                    .checkpoint = on_checkpoint,
                                    .read = on_read};
}

static void save(const struct mailbox *mailbox, struct buffer *bytes)
{
    require(mailbox_save(mailbox, bytes) == 0);
}

static void require_equal(const struct mailbox *a, const struct mailbox *b)
{
    struct buffer of_a = {0};
    struct buffer of_b = {0};
    save(a, &of_a);
    save(b, &of_b);
    require(text_equal(buffer_text(&of_a), buffer_text(&of_b)));
    buffer_free(&of_a);
    buffer_free(&of_b);
}

static void save_and_load(struct run *run)
{
    struct buffer bytes = {0};
    save(run->mailbox, &bytes);
    mailbox_free(run->mailbox);
    require(mailbox_load(bytes.data, bytes.size, &run->mailbox) == 0);
    buffer_free(&bytes);
}

/* Damage of a saved state is noticed. */
static void load_damaged(struct run *run)
{
    struct buffer bytes = {0};
    struct mailbox *loaded;
    save(run->mailbox, &bytes);
    bytes.data[wire_read_u16(&run->in) % bytes.size] ^= (uint8_t)(1 + wire_read_u8(&run->in) % 255);
    require(mailbox_load(bytes.data, bytes.size, &loaded) != 0);
    buffer_free(&bytes);
}

static struct text name_of(uint8_t number, char *to)
{
    to[0] = 'u';
    to[1] = (char)('a' + number % 16);
    return (struct text){to, 2};
}

static void write_messages(struct run *run, struct wire_batch_writer *writer)
{
    for (size_t count = 1 + wire_read_u8(&run->in) % 8; count > 0; count--) {
        char names[3][2];
        const uint8_t id = wire_read_u8(&run->in);
        const uint8_t to = wire_read_u8(&run->in);
        const char id_text[] = {'m', (char)('!' + id % 64)};
        const struct wire_message message = {.sender = name_of(id >> 6, names[0]),
                                             .message_class = to == 255 ? WIRE_EPHEMERAL : 0,
                                             .id = {id_text, sizeof id_text},
                                             .body = TEXT("1")};
        const struct wire_recipient recipients[] = {{WIRE_USER, name_of(to & 15, names[1])},
                                                    {WIRE_USER, name_of(to >> 4, names[2])}};
        wire_message_write(writer, &message, recipients, 1 + (to & 1));
    }
}

static void write_rich_messages(struct run *run, struct wire_batch_writer *writer)
{
    static char body[WIRE_BODY_MAX];
    for (size_t count = 1 + wire_read_u8(&run->in) % 4; count > 0; count--) {
        char name[2];
        const uint8_t kind = wire_read_u8(&run->in);
        const uint16_t id = wire_read_u16(&run->in);
        const char id_text[] = {'r', (char)('!' + id % 64), (char)('!' + id / 64 % 64)};
        const size_t body_size = (size_t)wire_read_u8(&run->in) * 512; /* four fit a batch */
        const struct wire_message message = {.sender = (kind & 8) != 0 ? TEXT(WIRE_NOTICE_SENDER)
                                                                       : TEXT("ub"),
                                             .flags = (kind & 16) != 0 ? WIRE_FLAG_NOTICE : 0,
                                             .wants = kind & 7,
                                             .id = {id_text, sizeof id_text},
                                             .body = {body, body_size}};
        const struct wire_recipient recipient = {WIRE_USER, name_of(kind >> 5, name)};
        wire_message_write(writer, &message, &recipient, 1);
    }
}

static uint64_t read_generation(struct run *run)
{
    const uint8_t back = wire_read_u8(&run->in);
    const uint64_t generation = mailbox_state(run->mailbox).generation;
    return back > 200 && generation > 0 ? generation - 1 : generation;
}

static void write_ack(struct run *run, struct wire_batch_writer *writer)
{
    char user[2];
    char device[2];
    struct wire_ack ack = {.generation = read_generation(run)};
    ack.user = name_of(wire_read_u8(&run->in), user);
    ack.device = name_of(wire_read_u8(&run->in), device);
    ack.epoch = wire_read_u8(&run->in) > 250 ? 2 : 1;
    ack.seq = wire_read_u8(&run->in);
    wire_ack_write(writer, &ack);
}

static void write_config(struct run *run, struct wire_batch_writer *writer)
{
    struct wire_config config = {.level = 1};
    config.dedupe_window_s = wire_read_u16(&run->in);
    config.mailbox_max_messages = wire_read_u8(&run->in);
    config.devices_max = wire_read_u8(&run->in) % 5;
    config.dedupe_key[0] = wire_read_u8(&run->in) % 2;
    wire_config_write(writer, &config);
}

static void write_config_2(struct run *run, struct wire_batch_writer *writer)
{
    struct wire_config config = {.level = 2, .dedupe_window_s = 3600};
    config.retention_s = wire_read_u8(&run->in);
    config.mailbox_max_messages = wire_read_u16(&run->in);
    config.mailbox_max_bytes = wire_read_u8(&run->in) * (uint64_t)65536;
    config.devices_max = 3;
    wire_config_write(writer, &config);
}

static void write_noticed(struct run *run, struct wire_batch_writer *writer)
{
    struct wire_noticed noticed = {.generation = read_generation(run)};
    noticed.number = mailbox_state(run->mailbox).notices_first + wire_read_u8(&run->in) - 1;
    wire_noticed_write(writer, &noticed);
}

static void write_read(struct run *run, struct wire_batch_writer *writer)
{
    char user[2];
    struct wire_read read = {.generation = read_generation(run), .of = TEXT("ub"), .epoch = 1};
    read.user = name_of(wire_read_u8(&run->in), user);
    read.seq = wire_read_u8(&run->in);
    wire_read_write(writer, &read);
}

static void write_genesis(struct run *run, struct wire_batch_writer *writer)
{
    struct wire_genesis genesis = {.region = TEXT("dub"),
                                   .destination = TEXT(""),
                                   .hash_name = TEXT(HASH_SHARD_NAME),
                                   .hash_version = HASH_SHARD_VERSION};
    genesis.shards = 1 + wire_read_u8(&run->in) % 2;
    genesis.incarnation[0] = wire_read_u8(&run->in);
    wire_genesis_write(writer, &genesis);
}

static void write_raw(struct run *run, struct buffer *out)
{
    size_t size = wire_read_u16(&run->in) % RAW_MAX;
    if (size > run->in.left)
        size = run->in.left;
    buffer_append(out, run->in.next, size);
    (void)wire_read_part(&run->in, size);
}

/* False: it is none of these. */
static bool write_step_of_level_2(struct run *run, enum step step, struct wire_batch_writer *writer)
{
    if (step == RICH_MESSAGES)
        write_rich_messages(run, writer);
    else if (step == CONFIG_2)
        write_config_2(run, writer);
    else if (step == CHECKPOINT)
        wire_checkpoint_write(writer,
                              &(struct wire_checkpoint){.generation = read_generation(run)});
    else if (step == NOTICED)
        write_noticed(run, writer);
    else if (step == READ)
        write_read(run, writer);
    else
        return false;
    return true;
}

static void write_step(struct run *run, enum step step, struct wire_batch_writer *writer)
{
    if (write_step_of_level_2(run, step, writer))
        return;
    const struct mailbox_state state = mailbox_state(run->mailbox);
    if (step == MESSAGES)
        write_messages(run, writer);
    else if (step == ACK)
        write_ack(run, writer);
    else if (step == OWN)
        wire_own_write(writer,
                       &(struct wire_own){.hub = TEXT("h1"), .expects = read_generation(run)});
    else if (step == TICK)
        wire_tick_write(writer, &(struct wire_tick){.generation = read_generation(run),
                                                    .position = state.position,
                                                    .hash = state.hash});
    else if (step == CONFIG)
        write_config(run, writer);
    else if (step == GENESIS)
        write_genesis(run, writer);
    else {
        writer->count = (uint16_t)(1 + wire_read_u8(&run->in) % 16);
        write_raw(run, writer->out);
    }
}

static void write_stamp(struct run *run, struct mailbox_input *input, uint8_t lane)
{
    static const char *const sources[] = {"sin", "iad", "gru", "-no-"};
    uint8_t incarnation[16] = {0};
    uint64_t sequence = 0;
    input->source = text_of(sources[lane % COUNT_OF(sources)]);
    (void)mailbox_lane(run->mailbox, input->source, incarnation, &sequence);
    struct wire_stamp stamp = {.previous = sequence, .sequence = sequence + 1};
    memset(stamp.incarnation, 'a', sizeof stamp.incarnation);
    if (lane >= 128) {
        stamp.incarnation[0] = wire_read_u8(&run->in);
        stamp.previous = wire_read_u8(&run->in);
        stamp.sequence = wire_read_u8(&run->in);
    }
    wire_batch_stamp(run->out.data, &stamp);
}

/* All that wait, and none but these. */
static void look_at_notices(struct run *run)
{
    const struct mailbox_state state = mailbox_state(run->mailbox);
    struct mailbox_notice notice;
    require(state.expired_rows <= state.rows && state.notices_first <= state.notices_last + 1);
    for (uint64_t number = state.notices_first; number <= state.notices_last; number++) {
        require(mailbox_notice(run->mailbox, number, &notice) && notice.from <= notice.to);
        look_at(run, notice.user);
        look_at(run, notice.other);
    }
    require(!mailbox_notice(run->mailbox, state.notices_first - 1, &notice));
    require(!mailbox_notice(run->mailbox, state.notices_last + 1, &notice));
}

/* Both get it; both must say the same. */
static void apply(struct run *run, const struct mailbox_input *input)
{
    const struct mailbox_effects effects = effects_of(run);
    struct error_text why;
    struct buffer before = {0};
    struct buffer after = {0};
    save(run->mailbox, &before);
    run->effects = 0;
    const int error = mailbox_apply(run->mailbox, input, &effects, &why);
    const uint64_t first = run->effects;
    run->effects = 0;
    require(mailbox_apply(run->twin, input, &effects, &why) == error && run->effects == first);
    look_at_notices(run);
    save(run->mailbox, &after);
    require((error != 0) == text_equal(buffer_text(&before), buffer_text(&after)));
    buffer_free(&before);
    buffer_free(&after);
}

static void take_step(struct run *run)
{
    const enum step step = wire_read_u8(&run->in) % STEPS;
    if (step == SAVE_AND_LOAD) {
        save_and_load(run);
        load_damaged(run);
        return;
    }
    const uint8_t lane = wire_read_u8(&run->in);
    run->now_ms += wire_read_u16(&run->in) * (int64_t)10 - 1000;
    buffer_clear(&run->out);
    struct mailbox_input input = {.position = mailbox_state(run->mailbox).position + 1,
                                  .time_ms = run->now_ms,
                                  .writer = lane % 3};
    struct wire_batch_writer writer;
    if (step == RAW_BATCH) {
        write_raw(run, &run->out);
    } else {
        wire_batch_begin(&writer, &run->out);
        write_step(run, step, &writer);
        require(wire_batch_end(&writer) == 0);
        if (input.writer == WIRE_BY_LANE)
            write_stamp(run, &input, lane);
    }
    if (run->out.data == NULL)
        return;
    input.data = run->out.data;
    input.size = run->out.size;
    apply(run, &input);
}

static void begin(struct run *run)
{
    struct wire_batch_writer writer;
    wire_batch_begin(&writer, &run->out);
    write_genesis(run, &writer);
    require(wire_batch_end(&writer) == 0);
    const struct mailbox_input input = {.position = 1,
                                        .time_ms = run->now_ms,
                                        .writer = WIRE_BY_HUB,
                                        .data = run->out.data,
                                        .size = run->out.size};
    apply(run, &input);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct mailbox *loaded = NULL;
    if (mailbox_load(data, size, &loaded) == 0)
        mailbox_free(loaded);
    struct run run = {.mailbox = mailbox_new(),
                      .twin = mailbox_new(),
                      .in = wire_cursor_of(data, size),
                      .now_ms = 1700000000000};
    if (size > 0 && data[0] % 8 != 7) /* else the log begins with whatever comes */
        begin(&run);
    for (size_t i = 0; i < STEPS_MAX && run.in.left > 0; i++)
        take_step(&run);
    require_equal(run.mailbox, run.twin);
    mailbox_free(run.mailbox);
    mailbox_free(run.twin);
    buffer_free(&run.out);
    return 0;
}
