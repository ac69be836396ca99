/* Plain mode, for clients that speak no subprotocol: each text frame is an object with a
 * recipient_id, and the recipient gets that object, byte for byte. What was written counts as
 * acknowledged. */
#pragma once

#include "edge/edge_session.h"

extern const struct edge_dialect edge_plain_dialect;

/* A plain object that was read: what the letter needs. Texts are borrowed from it or the rooms. */
struct edge_plain_object {
    struct text raw; /* the object itself, no white space around */
    struct text recipient;
    struct text sender; /* sender_id; empty: not given, or (without `with_message`) no user id */
    bool names_sender;
    struct text id; /* empty: not given */
    char recipient_room[TEXT_USER_MAX];
    char sender_room[TEXT_USER_MAX];
    char id_room[TEXT_MESSAGE_ID_MAX];
};
/* NULL, or what is wrong with it. `with_message`: the member `message` must be there. */
const char *edge_plain_read(struct text text, bool with_message, struct edge_plain_object *ret);
/* An id for a message that came without: 32 hexadecimal digits. */
void edge_plain_make_id(char id[33]);
/* Appends what a plain client gets: the object as it was sent, or one made of a message of a client
 * that is not plain. */
void edge_plain_write(struct buffer *out, const struct wire_deliver *deliver);
