#include "bus/bus.h"

#include <string.h>

bool bus_is_inbox(struct text subject)
{
    const struct text inboxes = TEXT("_INBOX");
    return subject.size > inboxes.size && memcmp(subject.data, inboxes.data, inboxes.size) == 0;
}
