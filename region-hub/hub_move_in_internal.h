/* One user who comes here, and the copying of its mailbox. One shard thread. */
#pragma once

#include "region-hub/hub_move_internal.h"

enum { HUB_MOVE_RESULT_MS = 2000 }; /* how it ended is kept that long for who asked */

enum hub_move_in_waits { /* what the request is */
                         HUB_MOVE_WAITS_READ,
                         HUB_MOVE_WAITS_HOME,
                         HUB_MOVE_WAITS_ROWS,
                         HUB_MOVE_WAITS_DECIDED,
                         HUB_MOVE_WAITS_SETTLED,
                         HUB_MOVE_WAITS_TOLD,
};

struct hub_move_in {
    UT_hash_handle hh;
    struct hub_move *owner;
    struct bus_request request;
    enum hub_move_in_waits waits_for;
    struct hub_move_known known;
    uint8_t heard;       /* see hub_move_in_facts */
    uint64_t move;       /* 0: not known yet */
    uint64_t generation; /* the highest that was heard of the old home's owner */
    char old_home[TEXT_REGION_MAX + 1];
    bool is_told;
    unsigned tells;
    int64_t wanted_ms; /* an operator asked last */
    int64_t due_ms;
    int64_t pause_ms;
    struct hub_move_written written;
    bool is_finished;
    uint8_t code;                       /* how */
    char moves_to[TEXT_REGION_MAX + 1]; /* when it is that it moves elsewhere */

    /* hub_move_in_copy.c */
    struct wire_mailbox handed; /* by the old home; its devices are in `devices` */
    struct buffer devices;
    bool has_handed;
    struct buffer page;   /* a frame of rows that are not all handed to the log; empty: none */
    uint64_t copied_move; /* whose rows; 0: none */
    bool has_copied;      /* `copied` counts */
    uint64_t copied;      /* all rows up to this seq were handed to the log */
    bool has_hole;

    size_t size;
    char user[TEXT_USER_MAX];
};

static inline struct text hub_move_in_user(const struct hub_move_in *in)
{
    return (struct text){in->user, in->size};
}

/* hub_move_in_copy.c */
/* Begins where the log is: nothing else was written with effect. */
void hub_move_in_copy_resume(struct hub_move_in *in);
void hub_move_in_copy_free(struct hub_move_in *in);
/* Takes in the mailbox that the old home hands over. False: memory is short. */
bool hub_move_in_copy_mailbox(struct hub_move_in *in, const struct wire_move_state *state);
/* Takes in a page of rows, a whole frame. The same. */
bool hub_move_in_copy_page(struct hub_move_in *in, const struct bus_message *message);
/* Hands what came to the log, as far as it takes it. False: there is more. */
bool hub_move_in_copy_go_on(struct hub_move_in *in);
uint64_t hub_move_in_copy_from(const struct hub_move_in *in); /* the next row; 0: any first one */
bool hub_move_in_copy_is_whole(const struct hub_move_in *in);
/* Writes the record behind the rows. False: the queue is full. */
bool hub_move_in_copy_end(struct hub_move_in *in);
