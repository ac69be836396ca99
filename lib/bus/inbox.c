#include "bus/bus.h"

#include <string.h>

/* The second is where a server takes an answer for who asked out of another account. */
static const struct text places[] = {TEXT("_INBOX"), TEXT("_R_.")};

bool bus_is_inbox(struct text subject)
{
    for (size_t i = 0; i < COUNT_OF(places); i++)
        if (subject.size > places[i].size &&
            memcmp(subject.data, places[i].data, places[i].size) == 0)
            return true;
    return false;
}
