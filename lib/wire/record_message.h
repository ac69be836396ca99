/* The payload of a message, for the readers of records in record.c alone. */
#pragma once

#include "wire/record.h"

/* False for a value this program does not know; what is malformed fails the cursor. */
bool wire_message_read(struct wire_cursor *in, struct wire_message *message);
