#include "bus/litter.h"

void bus_litter_add(struct bus_litter *litter, natsMsg *message)
{
    litter->messages[litter->count++] = message;
    litter->bytes += (size_t)natsMsg_GetDataLength(message);
    if (litter->count == BUS_LITTER_MESSAGES || litter->bytes > BUS_LITTER_BYTES)
        bus_litter_empty(litter);
}

void bus_litter_empty(struct bus_litter *litter)
{
    for (size_t i = 0; i < litter->count; i++)
        natsMsg_Destroy(litter->messages[i]);
    litter->count = litter->bytes = 0;
}
