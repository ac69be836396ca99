/* Every subject, stream, bucket and key name of the bus, made in one place. Regions and processes
 * are names ([a-z0-9-]); user ids never stand in a name as they are. */
#pragma once

#include "base/text.h"
#include "wire/revoked.h"

#include <stdbool.h>
#include <stdint.h>

enum { WIRE_NAME_MAX = 288 };
struct wire_name {
    char text[WIRE_NAME_MAX];
};

/* Streams */
struct wire_name wire_log_stream(const char *region, unsigned shard);    /* LOG_dub_3 */
struct wire_name wire_outbox_stream(const char *region, const char *to); /* OUT_sin_dub */
struct wire_name wire_checkpoint_stream(const char *region);             /* CKPT_dub */
#define WIRE_REVOKED_STREAM "KV_REVOKED"
struct wire_name wire_revoked_mirror(const char *region); /* KV_REVOKED_sin */
/* $KV.REVOKED. and u.<user>, d.<user>.<device>, t.<token id>, b.<user> or a, each as a key. */
struct wire_name wire_revoked_subject(const struct wire_revoked *revoked);
#define WIRE_REVOKED_SUBJECTS "$KV.REVOKED.>"

/* Subjects of the log and of outboxes */
struct wire_name wire_log_subjects(const char *region, unsigned shard);   /* log.dub.3.> */
struct wire_name wire_log_from_edges(const char *region, unsigned shard); /* log.dub.3.e */
struct wire_name wire_log_from_hubs(const char *region, unsigned shard);  /* log.dub.3.h */
struct wire_name wire_log_from_lane(const char *region, unsigned shard, const char *source);
struct wire_name wire_outbox_subjects(const char *region, const char *to); /* out.sin.dub.> */
struct wire_name wire_outbox_lane(const char *region, const char *to, unsigned shard);
struct wire_name wire_outbox_lanes(const char *region, const char *to);   /* out.sin.dub.* */
struct wire_name wire_outbox_genesis(const char *region, const char *to); /* out.sin.dub.genesis */

/* Subjects of CKPT_<r>: what is stored in parts 0, 1, 2... and a `done` behind them. It is called
 * by its position, a segment by "d" and its id. */
struct wire_name wire_checkpoint_subjects(const char *region);              /* ckpt.dub.> */
struct wire_name wire_checkpoint_dones(const char *region, unsigned shard); /* ckpt.dub.3.*.done */
enum wire_stored_kind { WIRE_STORED_CHECKPOINT, WIRE_STORED_SEGMENT };
struct wire_name wire_stored_subjects(const char *region, unsigned shard,
                                      enum wire_stored_kind kind, uint64_t number);
struct wire_name wire_stored_part(const char *region, unsigned shard, enum wire_stored_kind kind,
                                  uint64_t number, uint32_t part);
struct wire_name wire_stored_done(const char *region, unsigned shard, enum wire_stored_kind kind,
                                  uint64_t number);
struct wire_stored_subject { /* such a subject, taken apart */
    enum wire_stored_kind kind;
    uint64_t number; /* position or id */
    bool is_done;
    uint32_t part; /* else */
};
/* -EBADMSG when it is none. */
MUST_USE int wire_stored_subject_read(struct text subject, struct wire_stored_subject *ret_subject);

/* Who wrote a message of a log, by its subject. */
enum wire_writer { WIRE_BY_EDGE, WIRE_BY_HUB, WIRE_BY_LANE };
/* -EBADMSG when it is no subject of a log. `ret_source` is the lane's region, else empty. */
MUST_USE int wire_log_writer(struct text subject, enum wire_writer *ret_writer,
                             struct text *ret_source);

/* PubAcks: pa.<r>.<s>.<process>.<n> for logs, pa.<src>_<dst>.<s>.<process>.<n> for outboxes; so a
 * process hears its own by pa.*.*.<process>.*, an owner its doorbell by pa.<r>.<s>.> There the
 * stream itself rings as well, for whoever's PubAcks the owner does not hear: pa.<r>.<s>._.> */
struct wire_name wire_log_puback(const char *region, unsigned shard, const char *process,
                                 uint64_t n);
struct wire_name wire_outbox_puback(const char *region, const char *to, unsigned shard,
                                    const char *process, uint64_t n);
struct wire_name wire_pubacks_of(const char *process);
struct wire_name wire_log_doorbell(const char *region, unsigned shard);
struct wire_name wire_outbox_doorbell(const char *region, const char *to, unsigned shard);
struct wire_name wire_log_ring(const char *region, unsigned shard);
struct wire_name wire_outbox_ring(const char *region, const char *to); /* of wire_outbox_lanes() */
/* The number of a PubAck's subject. -EBADMSG. */
MUST_USE int wire_puback_number(struct text subject, uint64_t *ret_n);

/* Core subjects */
struct wire_name wire_hub_subject(const char *region, unsigned shard, const char *verb);
struct wire_name wire_hub_subjects(const char *region, unsigned shard); /* hub.dub.3.* */
struct wire_name wire_move_subject(const char *region, unsigned shard); /* move.dub.3 */
struct wire_name wire_edge_subject(const char *region, const char *edge);
struct wire_name wire_hub_beat_subject(const char *region, unsigned shard);
#define WIRE_HUB_BEATS "beat.hub.*.*"
/* beat.hub.dub.3.dub-h1: of each hub, the owner or not */
struct wire_name wire_member_beat_subject(const char *region, unsigned shard, const char *hub);
struct wire_name wire_member_beats_of(const char *region, unsigned shard); /* beat.hub.dub.3.* */
#define WIRE_MEMBER_BEATS "beat.hub.*.*.*"
struct wire_name wire_edge_beat_subject(const char *region, const char *edge);
#define WIRE_EDGE_BEATS "beat.edge.*.*"
#define WIRE_DIRECTORY_CHANGED "dir.changed"

/* The directory: one bucket, or several by the hash of the user id. One alone is KV_DIRECTORY, one
 * of several has its number: KV_DIRECTORY_3. */
enum { WIRE_DIRECTORY_BUCKETS_MAX = 64 };
struct wire_bucket {
    unsigned number; /* 0 to of - 1 */
    unsigned of;     /* 1 to WIRE_DIRECTORY_BUCKETS_MAX */
};
struct wire_bucket wire_directory_bucket(struct text user, unsigned of);
struct wire_name
wire_directory_stream(struct wire_bucket bucket); /* KV_DIRECTORY, KV_DIRECTORY_3 */
struct wire_name wire_directory_mirror(struct wire_bucket bucket, const char *region);
struct wire_name wire_directory_subjects(struct wire_bucket bucket); /* $KV.DIRECTORY.> */
struct wire_name wire_directory_users(struct wire_bucket bucket);    /* $KV.DIRECTORY.u.* */
struct wire_name wire_directory_beat(struct wire_bucket bucket);     /* $KV.DIRECTORY.beat */
/* Which regions drain, in the first bucket. */
struct wire_name wire_directory_drains(unsigned buckets);      /* $KV.DIRECTORY.drains */
struct wire_name wire_directory_edge_drains(unsigned buckets); /* $KV.DIRECTORY.edge_drains */

/* $KV.DIRECTORY.u.<key>; the key is the user id in base64url without padding (RFC
 * 4648, section 5), behind "u."; "beat" is the primary's heartbeat. */
struct wire_name wire_directory_subject(struct text user, unsigned buckets);
/* The user of such a subject. -EBADMSG. */
MUST_USE int wire_directory_user(struct text subject, char ret_user[TEXT_USER_MAX + 1]);

/* The value of a directory entry: u8 version 1, text8 home, u32 epoch, u8 flags (0). */
struct wire_directory_entry {
    struct text home;
    uint32_t epoch;
};
struct buffer;
void wire_directory_entry_write(struct buffer *out, const struct wire_directory_entry *entry);
MUST_USE int wire_directory_entry_read(const void *bytes, size_t size,
                                       struct wire_directory_entry *ret_entry);
