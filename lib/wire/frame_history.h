/* The entries of history, for the table of frame.c alone: as the readers and writers there. */
#pragma once

#include "wire/frame.h"

bool wire_history_ask_read(struct wire_cursor *in, struct wire_entry *entry);
void wire_history_ask_write(struct buffer *out, const struct wire_entry *entry);
bool wire_history_page_read(struct wire_cursor *in, struct wire_entry *entry);
void wire_history_page_write(struct buffer *out, const struct wire_entry *entry);
bool wire_history_row_read(struct wire_cursor *in, struct wire_entry *entry);
void wire_history_row_write(struct buffer *out, const struct wire_entry *entry);
