/* The entries of who is attached, for the table of frame.c alone: as the readers and writers
 * there. */
#pragma once

#include "wire/frame.h"

bool wire_who_ask_read(struct wire_cursor *in, struct wire_entry *entry);
void wire_who_ask_write(struct buffer *out, const struct wire_entry *entry);
bool wire_who_read(struct wire_cursor *in, struct wire_entry *entry);
void wire_who_write(struct buffer *out, const struct wire_entry *entry);
bool wire_connection_read(struct wire_cursor *in, struct wire_entry *entry);
void wire_connection_write(struct buffer *out, const struct wire_entry *entry);
