/* The first pass over a batch: the whole of it is read and weighed before any of it applies. Three
 * ends: it applies, it is passed over, or the shard must stop. What is wrong for every program that
 * will ever read it is passed over; what a newer one may understand stops the shard. */
#include "mailbox_internal.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

enum { LOG_OF_A_SHARD = 0 }; /* genesis.stream */

static int pass(struct mailbox_verdict *verdict, enum mailbox_passed why, const char *reason)
{
    verdict->passed = true;
    verdict->why = why;
    verdict->reason = reason;
    return 0;
}

/* As a program that knows no more than the level this one is held to. */
static bool is_within_limit(const struct mailbox *mailbox, const struct wire_record *record)
{
    return record->level <= mailbox->level_max &&
           (record->kind != WIRE_CONFIG || record->config.level <= mailbox->level_max);
}

/* What edges, and so lanes, may never write, also where this program does not know what it is: a
 * breached edge must not be able to stop a shard. All of the level of the log is known here, or the
 * shard had stopped at the config that raised it; and a new value of a field has a new level. NULL:
 * it may be. */
static const char *find_trespass(const struct mailbox *mailbox, enum wire_writer writer,
                                 const struct wire_record *record, int error)
{
    if (writer == WIRE_BY_HUB || (error != 0 && error != -EPROTO))
        return NULL;
    if (record->kind != WIRE_MESSAGE)
        return "a kind that only hubs may write";
    if (record->level > mailbox->config.level)
        return "a message of a level that the log does not have";
    return error == -EPROTO ? "a message with a value that its level does not have" : NULL;
}

/* Decodes all records into mailbox->records. -EBADMSG: malformed; -EPROTO: a kind, level or value
 * this program does not know, in a batch that is well-formed else and that its writer may write. */
static int decode(struct mailbox *mailbox, const struct wire_batch *batch, enum wire_writer writer,
                  struct wire_record *ret_unknown, const char **ret_trespass)
{
    struct wire_cursor body = batch->body;
    bool known = true;
    *ret_trespass = NULL;
    for (size_t i = 0; i < batch->count; i++) {
        int error = wire_record_next(&body, &mailbox->records[i]);
        const char *trespass = find_trespass(mailbox, writer, &mailbox->records[i], error);
        if (trespass != NULL) {
            *ret_trespass = trespass;
            continue;
        }
        if (error == 0 && !is_within_limit(mailbox, &mailbox->records[i]))
            error = -EPROTO;
        if (error == -EPROTO && known) {
            known = false;
            *ret_unknown = mailbox->records[i];
        }
        if (error != 0 && error != -EPROTO)
            return -EBADMSG;
    }
    if (!wire_done(&body))
        return -EBADMSG;
    return known || *ret_trespass != NULL ? 0 : -EPROTO;
}

/* Notices are what the service itself says: edges, which speak for users, must not be able to write
 * one, and nobody may write what could be taken for one. NULL when all is well. */
static const char *find_forgery(enum wire_writer writer, const struct wire_message *message)
{
    const bool is_notice = (message->flags & WIRE_FLAG_NOTICE) != 0;
    if (is_notice != text_equal(message->sender, TEXT(WIRE_NOTICE_SENDER)))
        return "a notice of another sender, or a message in the name of notices";
    return is_notice && writer == WIRE_BY_EDGE ? "a notice written by an edge" : NULL;
}

/* What no program will ever apply. NULL when all is well. */
static const char *find_fault(const struct mailbox *mailbox, enum wire_writer writer,
                              uint16_t count)
{
    for (size_t i = 0; i < count; i++) {
        const struct wire_record *record = &mailbox->records[i];
        if (record->kind == WIRE_MESSAGE && record->message.message_class == WIRE_EPHEMERAL)
            return "an ephemeral message in the log";
        if (record->kind == WIRE_MESSAGE && mailbox_at_level_2(mailbox)) {
            const char *forgery = find_forgery(writer, &record->message);
            if (forgery != NULL)
                return forgery;
        }
    }
    return NULL;
}

static bool is_our_hash(const struct wire_genesis *genesis)
{
    return text_equal(genesis->hash_name, TEXT(HASH_SHARD_NAME)) &&
           genesis->hash_version == HASH_SHARD_VERSION;
}

/* A genesis that comes again says the same, or this is another log. */
static bool is_same_genesis(const struct mailbox *mailbox, const struct wire_genesis *genesis)
{
    return genesis->stream == LOG_OF_A_SHARD && is_our_hash(genesis) &&
           memcmp(genesis->incarnation, mailbox->incarnation, sizeof mailbox->incarnation) == 0 &&
           text_equal(genesis->region, text_of(mailbox->region)) &&
           genesis->shard == mailbox->shard && genesis->shards == mailbox->shards;
}

static int check_genesis(const struct mailbox *mailbox, const struct wire_genesis *genesis,
                         struct error_text *reterr_why)
{
    if (mailbox->position > 0) {
        if (is_same_genesis(mailbox, genesis))
            return 0;
        return error_text_set(reterr_why, -EPROTO,
                              "a genesis of region %.*s, shard %u of %u, in the log of region %s, "
                              "shard %u of %u, or of another incarnation",
                              TEXT_ARGS(genesis->region), genesis->shard, genesis->shards,
                              mailbox->region, mailbox->shard, mailbox->shards);
    }
    if (genesis->stream != LOG_OF_A_SHARD)
        return error_text_set(reterr_why, -EPROTO, "the genesis is not of a shard's log");
    if (!is_our_hash(genesis))
        return error_text_set(reterr_why, -EPROTO, "users are spread by a hash not known: %.*s %u",
                              TEXT_ARGS(genesis->hash_name), genesis->hash_version);
    return 0;
}

/* The owner tells the hash of the log up to a position: is it ours? */
static int check_tick(const struct mailbox *mailbox, const struct mailbox_input *input,
                      const struct wire_tick *tick, struct error_text *reterr_why)
{
    if (tick->position >= input->position)
        return error_text_set(reterr_why, -EILSEQ,
                              "the log has lost records: the owner had applied position %" PRIu64
                              " before it wrote position %" PRIu64,
                              tick->position, input->position);
    if (tick->position < mailbox->hashes_from)
        return 0;
    const struct fingerprint *ours = &mailbox->hashes[tick->position % MAILBOX_HASHES];
    if (memcmp(ours, &tick->hash, sizeof *ours) == 0)
        return 0;
    return error_text_set(reterr_why, -EILSEQ,
                          "our log differs from the owner's at or before position %" PRIu64,
                          tick->position);
}

/* What stops the shard, in a batch that is well-formed. */
static int check_records(const struct mailbox *mailbox, const struct mailbox_input *input,
                         uint16_t count, struct error_text *reterr_why)
{
    uint64_t generation = mailbox->generation; /* as it will be at each record */
    int error = 0;
    for (size_t i = 0; i < count && error == 0; i++) {
        const struct wire_record *record = &mailbox->records[i];
        if (record->kind == WIRE_OWN && record->own.expects == generation)
            generation = input->position;
        else if (record->kind == WIRE_GENESIS && (i > 0 || mailbox->position > 0))
            error = mailbox->position == 0
                        ? error_text_set(reterr_why, -EPROTO, "more than one genesis at position 1")
                        : check_genesis(mailbox, &record->genesis, reterr_why);
        else if (record->kind == WIRE_TICK && record->tick.generation == generation)
            error = check_tick(mailbox, input, &record->tick, reterr_why);
    }
    return error;
}

/* Nothing is known before the genesis, so nothing can be passed over there. */
static int check_first(const struct mailbox *mailbox, const struct mailbox_input *input,
                       const struct mailbox_verdict *verdict, struct error_text *reterr_why)
{
    if (verdict->passed || input->writer != WIRE_BY_HUB || mailbox->records[0].kind != WIRE_GENESIS)
        return error_text_set(reterr_why, -EPROTO, "the log does not begin with a genesis");
    return check_genesis(mailbox, &mailbox->records[0].genesis, reterr_why);
}

static int judge_body(struct mailbox *mailbox, const struct mailbox_input *input,
                      const struct wire_batch *batch, struct mailbox_verdict *verdict,
                      struct error_text *reterr_why)
{
    struct wire_record unknown = {0};
    const char *fault;
    int error = decode(mailbox, batch, input->writer, &unknown, &fault);
    if (error == -EPROTO)
        return error_text_set(reterr_why, -EPROTO,
                              "position %" PRIu64
                              " holds a record of kind %u and level %u that this "
                              "program does not apply (its level is %u)",
                              input->position, unknown.kind, unknown.level, mailbox->level_max);
    if (error != 0)
        return pass(verdict, MAILBOX_QUARANTINED, "malformed record");
    if (fault == NULL)
        fault = find_fault(mailbox, input->writer, batch->count);
    if (fault != NULL)
        return pass(verdict, MAILBOX_QUARANTINED, fault);
    verdict->count = batch->count;
    return check_records(mailbox, input, batch->count, reterr_why);
}

static int judge_batch(struct mailbox *mailbox, const struct mailbox_input *input,
                       struct mailbox_verdict *verdict, struct error_text *reterr_why)
{
    struct wire_batch batch;
    int error = wire_batch_read(input->data, input->size, &batch);
    if (error == -EPROTO && input->writer == WIRE_BY_EDGE) /* it has a level, as records do */
        return pass(verdict, MAILBOX_QUARANTINED, "a batch of a version the log does not have");
    if (error == -EPROTO)
        return error_text_set(reterr_why, -EPROTO,
                              "position %" PRIu64 " holds a batch of a version not known",
                              input->position);
    if (error != 0 && error != -EILSEQ)
        return pass(verdict, MAILBOX_QUARANTINED, "not a batch, or its header is damaged");
    if (input->writer == WIRE_BY_LANE) {
        enum mailbox_passed why;
        const char *reason;
        if (!mailbox_lanes_is_next(mailbox, input->source, &batch.stamp, &why, &reason))
            return pass(verdict, why, reason);
        verdict->stamp = batch.stamp;
        verdict->lane_moves = true; /* also past a damaged body */
    }
    if (error == -EILSEQ)
        return pass(verdict, MAILBOX_QUARANTINED, "damaged body");
    return judge_body(mailbox, input, &batch, verdict, reterr_why);
}

int mailbox_judge(struct mailbox *mailbox, const struct mailbox_input *input,
                  struct mailbox_verdict *ret_verdict, struct error_text *reterr_why)
{
    if (input->position != mailbox->position + 1)
        return error_text_set(reterr_why, -ESTALE,
                              "position %" PRIu64 " does not follow position %" PRIu64,
                              input->position, mailbox->position);
    if (mailbox->config.level > mailbox->level_max) /* a state saved by one that goes further */
        return error_text_set(reterr_why, -EPROTO,
                              "the log is at level %u, and this program's level is %u",
                              mailbox->config.level, mailbox->level_max);
    struct mailbox_verdict verdict = {0};
    int error = judge_batch(mailbox, input, &verdict, reterr_why);
    if (error == 0 && mailbox->position == 0)
        error = check_first(mailbox, input, &verdict, reterr_why);
    if (error == 0)
        *ret_verdict = verdict;
    return error;
}
