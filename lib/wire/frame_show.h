/* The entries about what devices show without an attach, for the table of frame.c alone: as the
 * readers and writers there. */
#pragma once

#include "wire/frame.h"

bool wire_show_read(struct wire_cursor *in, struct wire_entry *entry);
void wire_show_write(struct buffer *out, const struct wire_entry *entry);
bool wire_shown_read(struct wire_cursor *in, struct wire_entry *entry);
void wire_shown_write(struct buffer *out, const struct wire_entry *entry);
