#include "wire/names.h"
#include "base/hash.h"
#include "wire/cursor.h"
#include "wire/key.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { DIRECTORY_ENTRY_VERSION = 1 };

PRINTF_LIKE(1, 2) static struct wire_name name_of(const char *format, ...)
{
    struct wire_name name;
    va_list args;
    va_start(args, format);
    int size = vsnprintf(name.text, sizeof name.text, format, args);
    va_end(args);
    assert(size > 0 && (size_t)size < sizeof name.text);
    return name;
}

/* A name from outside was checked where it came in; a '.' or '*' here is our mistake. */
static const char *region_of(const char *region)
{
    assert(text_is_region_name(text_of(region)));
    return region;
}

static const char *process_of(const char *process)
{
    assert(text_is_process_name(text_of(process)));
    return process;
}

struct wire_name wire_log_stream(const char *region, unsigned shard)
{
    return name_of("LOG_%s_%u", region_of(region), shard);
}

struct wire_name wire_outbox_stream(const char *region, const char *to)
{
    return name_of("OUT_%s_%s", region_of(region), region_of(to));
}

struct wire_name wire_checkpoint_stream(const char *region)
{
    return name_of("CKPT_%s", region_of(region));
}

/* "DIRECTORY", or "DIRECTORY_3": what the key-value bucket is called. */
static struct wire_name bucket_of(struct wire_bucket bucket)
{
    assert(bucket.of >= 1 && bucket.of <= WIRE_DIRECTORY_BUCKETS_MAX && bucket.number < bucket.of);
    return bucket.of == 1 ? name_of("DIRECTORY") : name_of("DIRECTORY_%u", bucket.number);
}

struct wire_bucket wire_directory_bucket(struct text user, unsigned of)
{
    return (struct wire_bucket){.number = hash_shard(user, of), .of = of};
}

struct wire_name wire_directory_stream(struct wire_bucket bucket)
{
    return name_of("KV_%s", bucket_of(bucket).text);
}

struct wire_name wire_directory_mirror(struct wire_bucket bucket, const char *region)
{
    return name_of("KV_%s_%s", bucket_of(bucket).text, region_of(region));
}

struct wire_name wire_directory_subjects(struct wire_bucket bucket)
{
    return name_of("$KV.%s.>", bucket_of(bucket).text);
}

struct wire_name wire_directory_users(struct wire_bucket bucket)
{
    return name_of("$KV.%s.u.*", bucket_of(bucket).text);
}

struct wire_name wire_directory_beat(struct wire_bucket bucket)
{
    return name_of("$KV.%s.beat", bucket_of(bucket).text);
}

struct wire_name wire_directory_drains(unsigned buckets)
{
    return name_of("$KV.%s.drains", bucket_of((struct wire_bucket){.of = buckets}).text);
}

struct wire_name wire_directory_edge_drains(unsigned buckets)
{
    return name_of("$KV.%s.edge_drains", bucket_of((struct wire_bucket){.of = buckets}).text);
}

struct wire_name wire_revoked_mirror(const char *region)
{
    return name_of(WIRE_REVOKED_STREAM "_%s", region_of(region));
}

static void put_key(char room[WIRE_KEY_MAX + 1], struct text text)
{
    room[wire_key_encode(text, room)] = '\0';
}

struct wire_name wire_revoked_subject(const struct wire_revoked *revoked)
{
    char user[WIRE_KEY_MAX + 1], other[WIRE_KEY_MAX + 1];
    put_key(user, revoked->user);
    put_key(other, revoked->kind == WIRE_REVOKED_DEVICE ? revoked->device : revoked->token_id);
    switch (revoked->kind) {
    case WIRE_REVOKED_USER:
        return name_of("$KV.REVOKED.u.%s", user);
    case WIRE_REVOKED_DEVICE:
        return name_of("$KV.REVOKED.d.%s.%s", user, other);
    case WIRE_REVOKED_TOKEN:
        return name_of("$KV.REVOKED.t.%s", other);
    case WIRE_REVOKED_BEFORE:
        return name_of("$KV.REVOKED.b.%s", user);
    case WIRE_REVOKED_ALL_BEFORE:
        break;
    }
    return name_of("$KV.REVOKED.a");
}

struct wire_name wire_log_subjects(const char *region, unsigned shard)
{
    return name_of("log.%s.%u.>", region_of(region), shard);
}

struct wire_name wire_log_from_edges(const char *region, unsigned shard)
{
    return name_of("log.%s.%u.e", region_of(region), shard);
}

struct wire_name wire_log_from_hubs(const char *region, unsigned shard)
{
    return name_of("log.%s.%u.h", region_of(region), shard);
}

struct wire_name wire_log_from_lane(const char *region, unsigned shard, const char *source)
{
    return name_of("log.%s.%u.l.%s", region_of(region), shard, region_of(source));
}

struct wire_name wire_outbox_subjects(const char *region, const char *to)
{
    return name_of("out.%s.%s.>", region_of(region), region_of(to));
}

struct wire_name wire_outbox_lane(const char *region, const char *to, unsigned shard)
{
    return name_of("out.%s.%s.%u", region_of(region), region_of(to), shard);
}

struct wire_name wire_outbox_lanes(const char *region, const char *to)
{
    return name_of("out.%s.%s.*", region_of(region), region_of(to));
}

struct wire_name wire_outbox_genesis(const char *region, const char *to)
{
    return name_of("out.%s.%s.genesis", region_of(region), region_of(to));
}

/* Takes what stands before the next dot. Nothing is left after the last one. */
static struct text take_token(struct text *rest)
{
    const char *dot = rest->size == 0 ? NULL : memchr(rest->data, '.', rest->size);
    struct text token = *rest;
    if (dot == NULL) {
        *rest = TEXT("");
        return token;
    }
    token.size = (size_t)(dot - rest->data);
    *rest = (struct text){.data = dot + 1, .size = rest->size - token.size - 1};
    return token;
}

static bool is_shard(struct text token)
{
    uint64_t shard;
    return text_to_u64(token, UINT16_MAX, &shard) == 0;
}

struct wire_name wire_checkpoint_subjects(const char *region)
{
    return name_of("ckpt.%s.>", region_of(region));
}

struct wire_name wire_checkpoint_dones(const char *region, unsigned shard)
{
    return name_of("ckpt.%s.%u.*.done", region_of(region), shard);
}

static const char *stored_prefix(enum wire_stored_kind kind)
{
    return kind == WIRE_STORED_SEGMENT ? "d" : "";
}

struct wire_name wire_stored_subjects(const char *region, unsigned shard,
                                      enum wire_stored_kind kind, uint64_t number)
{
    return name_of("ckpt.%s.%u.%s%llu.*", region_of(region), shard, stored_prefix(kind),
                   (unsigned long long)number);
}

struct wire_name wire_stored_part(const char *region, unsigned shard, enum wire_stored_kind kind,
                                  uint64_t number, uint32_t part)
{
    return name_of("ckpt.%s.%u.%s%llu.%u", region_of(region), shard, stored_prefix(kind),
                   (unsigned long long)number, part);
}

struct wire_name wire_stored_done(const char *region, unsigned shard, enum wire_stored_kind kind,
                                  uint64_t number)
{
    return name_of("ckpt.%s.%u.%s%llu.done", region_of(region), shard, stored_prefix(kind),
                   (unsigned long long)number);
}

int wire_stored_subject_read(struct text subject, struct wire_stored_subject *ret_subject)
{
    struct wire_stored_subject found = {.kind = WIRE_STORED_CHECKPOINT};
    struct text rest = subject;
    uint64_t part = 0;
    bool good = text_equal(take_token(&rest), TEXT("ckpt"));
    good = text_is_region_name(take_token(&rest)) && good;
    good = is_shard(take_token(&rest)) && good;
    struct text number = take_token(&rest);
    if (number.size > 0 && number.data[0] == 'd') {
        found.kind = WIRE_STORED_SEGMENT;
        number.data++;
        number.size--;
    }
    if (!good || text_to_u64(number, UINT64_MAX, &found.number) != 0)
        return -EBADMSG;
    found.is_done = text_equal(rest, TEXT("done"));
    if (!found.is_done && text_to_u64(rest, UINT32_MAX, &part) != 0)
        return -EBADMSG;
    found.part = (uint32_t)part;
    *ret_subject = found;
    return 0;
}

int wire_log_writer(struct text subject, enum wire_writer *ret_writer, struct text *ret_source)
{
    struct text rest = subject;
    bool good = text_equal(take_token(&rest), TEXT("log"));
    good = text_is_region_name(take_token(&rest)) && good;
    good = is_shard(take_token(&rest)) && good;
    if (!good)
        return -EBADMSG;
    if (text_equal(rest, TEXT("e")) || text_equal(rest, TEXT("h"))) {
        *ret_writer = rest.data[0] == 'e' ? WIRE_BY_EDGE : WIRE_BY_HUB;
        *ret_source = TEXT("");
        return 0;
    }
    if (!text_equal(take_token(&rest), TEXT("l")) || !text_is_region_name(rest))
        return -EBADMSG;
    *ret_writer = WIRE_BY_LANE;
    *ret_source = rest;
    return 0;
}

struct wire_name wire_log_puback(const char *region, unsigned shard, const char *process,
                                 uint64_t n)
{
    return name_of("pa.%s.%u.%s.%llu", region_of(region), shard, process_of(process),
                   (unsigned long long)n);
}

struct wire_name wire_outbox_puback(const char *region, const char *to, unsigned shard,
                                    const char *process, uint64_t n)
{
    return name_of("pa.%s_%s.%u.%s.%llu", region_of(region), region_of(to), shard,
                   process_of(process), (unsigned long long)n);
}

struct wire_name wire_pubacks_of(const char *process)
{
    return name_of("pa.*.*.%s.*", process_of(process));
}

struct wire_name wire_log_doorbell(const char *region, unsigned shard)
{
    return name_of("pa.%s.%u.>", region_of(region), shard);
}

struct wire_name wire_outbox_doorbell(const char *region, const char *to, unsigned shard)
{
    return name_of("pa.%s_%s.%u.>", region_of(region), region_of(to), shard);
}

struct wire_name wire_log_ring(const char *region, unsigned shard)
{
    return name_of("pa.%s.%u._.>", region_of(region), shard);
}

struct wire_name wire_outbox_ring(const char *region, const char *to)
{
    return name_of("pa.%s_%s.{{wildcard(1)}}._", region_of(region), region_of(to));
}

int wire_puback_number(struct text subject, uint64_t *ret_n)
{
    struct text rest = subject;
    bool good = text_equal(take_token(&rest), TEXT("pa"));
    good = take_token(&rest).size > 0 && good; /* the stream */
    good = is_shard(take_token(&rest)) && good;
    good = text_is_process_name(take_token(&rest)) && good;
    if (!good || text_to_u64(rest, UINT64_MAX, ret_n) != 0)
        return -EBADMSG;
    return 0;
}

struct wire_name wire_hub_subject(const char *region, unsigned shard, const char *verb)
{
    return name_of("hub.%s.%u.%s", region_of(region), shard, process_of(verb));
}

struct wire_name wire_hub_subjects(const char *region, unsigned shard)
{
    return name_of("hub.%s.%u.*", region_of(region), shard);
}

struct wire_name wire_move_subject(const char *region, unsigned shard)
{
    return name_of("move.%s.%u", region_of(region), shard);
}

struct wire_name wire_edge_subject(const char *region, const char *edge)
{
    return name_of("edge.%s.%s", region_of(region), process_of(edge));
}

struct wire_name wire_hub_beat_subject(const char *region, unsigned shard)
{
    return name_of("beat.hub.%s.%u", region_of(region), shard);
}

struct wire_name wire_member_beat_subject(const char *region, unsigned shard, const char *hub)
{
    return name_of("beat.hub.%s.%u.%s", region_of(region), shard, process_of(hub));
}

struct wire_name wire_member_beats_of(const char *region, unsigned shard)
{
    return name_of("beat.hub.%s.%u.*", region_of(region), shard);
}

struct wire_name wire_edge_beat_subject(const char *region, const char *edge)
{
    return name_of("beat.edge.%s.%s", region_of(region), process_of(edge));
}

struct wire_name wire_directory_subject(struct text user, unsigned buckets)
{
    char key[WIRE_KEY_MAX];
    assert(text_is_user_id(user));
    size_t size = wire_key_encode(user, key);
    struct wire_name bucket = bucket_of(wire_directory_bucket(user, buckets));
    return name_of("$KV.%s.u.%.*s", bucket.text, (int)size, key);
}

/* Of any bucket: which one it should be in is the reader's to know. */
static bool is_bucket(struct text token)
{
    const struct text numbered = TEXT("DIRECTORY_");
    uint64_t number;
    if (text_equal(token, TEXT("DIRECTORY")))
        return true;
    if (token.size <= numbered.size || memcmp(token.data, numbered.data, numbered.size) != 0)
        return false;
    struct text number_text = {token.data + numbered.size, token.size - numbered.size};
    return text_to_u64(number_text, WIRE_DIRECTORY_BUCKETS_MAX - 1, &number) == 0;
}

int wire_directory_user(struct text subject, char ret_user[TEXT_USER_MAX + 1])
{
    struct text rest = subject;
    bool good = text_equal(take_token(&rest), TEXT("$KV"));
    good = is_bucket(take_token(&rest)) && good;
    good = text_equal(take_token(&rest), TEXT("u")) && good;
    char user[TEXT_USER_MAX];
    size_t size;
    if (!good || wire_key_decode(rest, user, &size) != 0)
        return -EBADMSG;
    struct text decoded = {.data = user, .size = size};
    if (!text_is_user_id(decoded))
        return -EBADMSG;
    return text_put(ret_user, TEXT_USER_MAX + 1, decoded);
}

/* Directory entry: u8 version 1, text8 home, u32 epoch, u8 flags 0 */
void wire_directory_entry_write(struct buffer *out, const struct wire_directory_entry *entry)
{
    wire_write_u8(out, DIRECTORY_ENTRY_VERSION);
    wire_write_checked(out, entry->home, text_is_region_name);
    wire_write_u32(out, entry->epoch);
    wire_write_u8(out, 0);
}

int wire_directory_entry_read(const void *bytes, size_t size,
                              struct wire_directory_entry *ret_entry)
{
    struct wire_cursor in = wire_cursor_of(bytes, size);
    if (wire_read_u8(&in) != DIRECTORY_ENTRY_VERSION)
        return in.failed ? -EBADMSG : -EPROTO;
    struct wire_directory_entry entry = {.home = wire_read_checked(&in, text_is_region_name)};
    entry.epoch = wire_read_u32(&in);
    uint8_t flags = wire_read_u8(&in);
    if (!wire_done(&in))
        return -EBADMSG;
    if (flags != 0)
        return -EPROTO;
    *ret_entry = entry;
    return 0;
}
