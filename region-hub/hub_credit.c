#include "region-hub/hub_credit.h"

#include <string.h>

/* The most messages of a run that may lie after `before`. */
static uint64_t count_after(const struct hub_credit_run *run, uint64_t before)
{
    uint64_t seqs = run->last > before ? run->last - before : 0;
    return run->count < seqs ? run->count : seqs;
}

uint64_t hub_credit_messages(const struct hub_credit *credit, const struct hub_credit_limits *max)
{
    uint64_t on_way = 0;
    for (uint32_t i = 0; i < credit->run_count; i++)
        on_way += count_after(&credit->runs[i], credit->acked);
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
        *run = (struct hub_credit_run){0};
    }
    run->holed = run->holed || (run->count > 0 && run->last + 1 != credit->sent);
    run->last = credit->sent;
    run->bytes += size;
    run->count++;
    credit->bytes += size;
}

void hub_credit_skip(struct hub_credit *credit, uint64_t to)
{
    if (credit->sent < to)
        credit->sent = to;
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
        uint64_t before = credit->run_count > 1 ? credit->runs[credit->run_count - 2].last : 0;
        if (before < credit->acked)
            before = credit->acked;
        if (run->last <= seq)
            break;
        /* A part of it was sent: it stays, its bytes counted whole. With a gap in it nobody knows
         * how large a part, and what never arrives must not hold up what does. */
        if (seq > before && !run->holed) {
            run->last = seq;
            run->count = count_after(run, before);
            break;
        }
        credit->bytes -= run->bytes;
        credit->run_count--;
    }
}
