/* What the two roles of a move share: the table of who asks and is asked. One shard thread. */
#pragma once

#include "base/table.h"
#include "log/log.h"
#include "region-hub/hub_directory.h"
#include "region-hub/hub_heard.h"
#include "region-hub/hub_move.h"
#include "region-hub/hub_move_plan.h"
#include "region-hub/hub_rescue.h"
#include "wire/frame.h"

#include <string.h>

enum {
    HUB_MOVE_LEVEL = 3,      /* of the log, from which on hubs know these records */
    HUB_MOVE_ASK_MS = 2000,  /* an owner that does not answer is asked again */
    HUB_MOVE_AGAIN_MS = 100, /* the first pause; doubled... */
    HUB_MOVE_AGAIN_MAX_MS = 2000,
    HUB_MOVE_CHECK_MS = 2000, /* frozen for that long: the old home looks by itself; doubled... */
    HUB_MOVE_CHECK_MAX_MS = 30000,
    HUB_MOVE_WRITTEN_MS = 5000, /* a record that was written is applied by then, or has no effect */
    HUB_MOVE_QUEUE_MS = 20,     /* the writer's queue was full */
    HUB_MOVE_SCAN_MS = 1000,
};

struct hub_move {
    struct hub_move_settings settings;
    struct hub_move_out *outs; /* by user */
    struct hub_move_in *ins;   /* by user */
    struct hub_rescue *rescue;
    struct hub_heard heard;
    int64_t scanned_ms;
    struct log_limit limit;
};

/* What is known of a user's entry in the directory. */
struct hub_move_known {
    enum hub_move_directory directory;
    bool is_sure;
    uint64_t revision;
    uint32_t epoch;
    char home[TEXT_REGION_MAX + 1];
};
/* A record that was written: nothing is done until it has had its effect, or will have none. */
struct hub_move_written {
    int64_t until_ms; /* 0: none */
    enum mailbox_where where;
};

/* hub_move.c */
static inline int64_t hub_move_now_ms(const struct hub_move *move)
{
    return loop_now_ms(move->settings.loop);
}
/* A region's name out of a frame, or of what is applied: within its bound, as the reader has seen
 * to. */
static inline void hub_move_keep_region(char to[TEXT_REGION_MAX + 1], struct text region)
{
    memset(to, 0, TEXT_REGION_MAX + 1);
    if (region.size <= TEXT_REGION_MAX && region.size > 0)
        memcpy(to, region.data, region.size);
}
/* The user's move as applied; where is AT_HOME when there is none. */
struct mailbox_move hub_move_of(const struct hub_move *move, struct text user);
void hub_move_answer(struct hub_move *move, const char *reply, const struct wire_move_state *state);
/* The same, with rows of the user from `from` on. */
void hub_move_answer_rows(struct hub_move *move, const char *reply,
                          const struct wire_move_state *state, const struct mailbox_user *user,
                          uint64_t from);
/* What the directory says of a mailbox of ours in so many words. One that another region went on
 * with in a later epoch is none of this: hub_return.h has it leave. */
enum hub_move_directory hub_move_directory_of(const struct hub_move *move,
                                              const struct hub_move_known *known, struct text user);
/* Takes in what was read. False: nothing of use. */
bool hub_move_known_read(const struct hub_move *move, struct hub_move_known *known,
                         const struct bus_message *message);
void hub_move_wrote(const struct hub_move *move, struct hub_move_written *written,
                    enum mailbox_where where);
/* True while it is to be waited for; at its end `*ret_late`: it had no effect. */
bool hub_move_is_pending(const struct hub_move *move, struct hub_move_written *written,
                         enum mailbox_where where, bool *ret_late);
int64_t hub_move_longer_ms(int64_t pause_ms, int64_t max_ms);

/* hub_move_out.c: as the old home */
void hub_move_out_ask(struct hub_move *move, const struct wire_move_ask *ask, const char *reply);
void hub_move_out_take(struct hub_move *move, struct text user); /* it is frozen */
void hub_move_out_step_all(struct hub_move *move);
void hub_move_out_free_all(struct hub_move *move);

/* hub_move_in.c: as the new home */
void hub_move_in_ask(struct hub_move *move, const struct wire_move_ask *ask, const char *reply);
void hub_move_in_take(struct hub_move *move, struct text user); /* it is staged, or has arrived */
void hub_move_in_heard(struct hub_move *move, struct text region, unsigned shard,
                       uint64_t generation);
void hub_move_in_step_all(struct hub_move *move);
void hub_move_in_free_all(struct hub_move *move);
