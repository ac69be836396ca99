#include "region-hub/hub_credit.h"

#include <string.h>

uint64_t hub_credit_messages(const struct hub_credit *credit, const struct hub_credit_limits *max)
{
    uint64_t on_way = credit->sent > credit->acked ? credit->sent - credit->acked : 0;
    return on_way >= max->messages ? 0 : max->messages - on_way;
}

bool hub_credit_allows(const struct hub_credit *credit, const struct hub_credit_limits *max,
                       size_t size)
{
    if (hub_credit_messages(credit, max) == 0)
        return false;
    return credit->sent <= credit->acked || credit->bytes == 0 ||
           (size <= max->bytes && credit->bytes <= max->bytes - size);
}

void hub_credit_send(struct hub_credit *credit, const struct hub_credit_limits *max, size_t size)
{
    credit->sent++;
    struct hub_credit_run *run =
        credit->run_count > 0 ? &credit->runs[credit->run_count - 1] : NULL;
    /* With all runs in use the newest grows: it is then released later, never too early. */
    if (run == NULL ||
        (run->bytes + size > max->bytes / HUB_CREDIT_RUNS && credit->run_count < HUB_CREDIT_RUNS)) {
        run = &credit->runs[credit->run_count++];
        run->bytes = 0;
    }
    run->last = credit->sent;
    run->bytes += size;
    credit->bytes += size;
}

void hub_credit_ack(struct hub_credit *credit, uint64_t seq)
{
    if (seq <= credit->acked)
        return;
    credit->acked = seq;
    if (credit->sent < seq)
        credit->sent = seq;
    uint32_t released = 0;
    while (released < credit->run_count && credit->runs[released].last <= seq)
        credit->bytes -= credit->runs[released++].bytes;
    credit->run_count -= released;
    memmove(credit->runs, credit->runs + released, credit->run_count * sizeof credit->runs[0]);
}

void hub_credit_go_back(struct hub_credit *credit, uint64_t seq)
{
    if (seq >= credit->sent)
        return;
    credit->sent = seq;
    if (credit->acked > seq)
        credit->acked = seq;
    while (credit->run_count > 0) {
        struct hub_credit_run *run = &credit->runs[credit->run_count - 1];
        bool earlier = credit->run_count > 1 && credit->runs[credit->run_count - 2].last >= seq;
        if (run->last <= seq)
            break;
        if (!earlier && seq > credit->acked) { /* a part of it was sent: it stays, counted whole */
            run->last = seq;
            break;
        }
        credit->bytes -= run->bytes;
        credit->run_count--;
    }
}
