/* What comes next for a user who moves: the decisions alone, for both regions. What is applied,
 * what the directory and the other region have said, and what is due come in; one step comes out.
 * Pure: whoever owns the shard next is given the same facts and goes on.
 *
 * Why nothing is lost, and no user has two homes: the compare-and-set of the directory decides. The
 * new home does it with a revision that it read BEFORE the old home said that the mailbox is frozen
 * by this move. The old home gives up only after it has written the entry anew, and from that
 * moment on says "frozen" no more: so a compare-and-set that was prepared before fails, and none is
 * prepared after. And an entry that a mirror gave, which may be old, ends nothing by itself: it
 * must be at least as new as the write that is asked about, or be written anew as it was read. */
#pragma once

#include "mailbox/mailbox.h"
#include "wire/move.h"

#include <stdbool.h>

enum hub_move_directory { /* what was read of it */
                          HUB_MOVE_UNREAD,
                          HUB_MOVE_NOBODY,
                          HUB_MOVE_HERE,      /* at home in our region */
                          HUB_MOVE_ELSEWHERE, /* in another */
};

/* --- the old home, which lets go --- */

struct hub_move_out_facts {
    enum mailbox_where where;
    enum hub_move_directory directory;
    bool is_sure;  /* written anew by us since it was read */
    bool is_new;   /* at least as new as the write of the new home that is asked about */
    bool freeze;   /* the new home asks for it */
    bool moved;    /* somebody says that it is decided */
    bool give_up;  /* asked for, or the new home is silent for too long */
    bool is_check; /* the time to look by oneself has come */
};
enum hub_move_out_step {
    HUB_MOVE_OUT_REST,
    HUB_MOVE_OUT_READ,    /* the directory */
    HUB_MOVE_OUT_SETTLE,  /* write the entry anew, as it was read */
    HUB_MOVE_OUT_FREEZE,  /* write the record */
    HUB_MOVE_OUT_DONE,    /* write the end: the user is elsewhere */
    HUB_MOVE_OUT_ABORTED, /* write the end: the user stays */
    HUB_MOVE_OUT_FINISH,  /* nothing is left to do */
};
enum hub_move_out_step hub_move_out_next(const struct hub_move_out_facts *facts);

/* --- the new home, which fetches --- */

enum { HUB_MOVE_UNHEARD = WIRE_MOVE_CODES };
struct hub_move_in_facts {
    enum mailbox_where where;
    bool has_messages; /* a mailbox that is at home here, as far as the log knows, has some */
    bool is_wanted;    /* somebody asked for the move a short while ago */
    enum hub_move_directory directory;
    bool is_sure;  /* written anew by us since it was read */
    uint8_t heard; /* enum wire_move_code, of the old home since then; HUB_MOVE_UNHEARD */
    bool is_whole; /* all rows are handed to our log */
    bool has_hole; /* a row is missing behind those that were copied: from the beginning again */
    bool is_told;  /* the old home knows the outcome, or needs no telling */
};
enum hub_move_in_step {
    HUB_MOVE_IN_READ,
    HUB_MOVE_IN_FREEZE,  /* ask the old home: is it frozen? */
    HUB_MOVE_IN_ROWS,    /* ask it for the next page */
    HUB_MOVE_IN_COPIED,  /* write the record that makes the rows a mailbox */
    HUB_MOVE_IN_DECIDE,  /* the compare-and-set */
    HUB_MOVE_IN_SETTLE,  /* write the entry anew, as it was read */
    HUB_MOVE_IN_DONE,    /* write the end */
    HUB_MOVE_IN_ABORTED, /* write the end */
    HUB_MOVE_IN_TELL,    /* the old home */
    HUB_MOVE_IN_AGAIN,   /* after a pause: read and ask anew */
    HUB_MOVE_IN_FINISH,  /* with `code` */
};
struct hub_move_in_next {
    enum hub_move_in_step step;
    uint8_t code; /* enum wire_move_code */
};
struct hub_move_in_next hub_move_in_next(const struct hub_move_in_facts *facts);
