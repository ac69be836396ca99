#include "edge/edge_processes.h"

#include <errno.h>

void edge_processes_init(struct edge_processes *processes, uint32_t count, int64_t now_ms)
{
    *processes = (struct edge_processes){.count = count};
    for (uint32_t i = 0; i < count; i++)
        processes->each[i].since_ms = now_ms;
}

static bool is_due(const struct edge_processes *processes, const struct edge_process *process,
                   int64_t now_ms)
{
    return !processes->stopping && !process->runs && now_ms >= process->since_ms;
}

int edge_processes_next(const struct edge_processes *processes, int64_t now_ms, uint32_t *ret_at)
{
    for (uint32_t i = 0; i < processes->count; i++) {
        if (is_due(processes, &processes->each[i], now_ms)) {
            *ret_at = i;
            return 0;
        }
    }
    return -ENOENT;
}

void edge_processes_started(struct edge_processes *processes, uint32_t at, int64_t now_ms)
{
    struct edge_process *process = &processes->each[at];
    process->runs = true;
    process->since_ms = now_ms;
}

static int64_t wait_after(uint32_t bad_ends)
{
    int64_t wait_ms = bad_ends == 0 ? 0 : EDGE_PROCESSES_WAIT_MS;
    for (uint32_t i = 1; i < bad_ends && wait_ms < EDGE_PROCESSES_WAIT_MAX_MS; i++)
        wait_ms *= 2;
    return wait_ms < EDGE_PROCESSES_WAIT_MAX_MS ? wait_ms : EDGE_PROCESSES_WAIT_MAX_MS;
}

int64_t edge_processes_ended(struct edge_processes *processes, uint32_t at, int64_t now_ms)
{
    struct edge_process *process = &processes->each[at];
    bool well = process->runs && now_ms - process->since_ms >= EDGE_PROCESSES_WELL_MS;
    process->bad_ends = well ? 0 : process->bad_ends + 1;
    process->runs = false;
    int64_t wait_ms = wait_after(process->bad_ends);
    process->since_ms = now_ms + wait_ms;
    if (!processes->stopping)
        processes->restarts++;
    return wait_ms;
}

void edge_processes_stop(struct edge_processes *processes)
{
    processes->stopping = true;
}

bool edge_processes_are_done(const struct edge_processes *processes)
{
    for (uint32_t i = 0; i < processes->count; i++)
        if (processes->each[i].runs)
            return false;
    return processes->stopping;
}

int64_t edge_processes_wait_ms(const struct edge_processes *processes, int64_t now_ms,
                               int64_t most_ms)
{
    int64_t wait_ms = most_ms;
    for (uint32_t i = 0; i < processes->count; i++) {
        int64_t left_ms = processes->each[i].since_ms - now_ms;
        if (!processes->stopping && !processes->each[i].runs && left_ms < wait_ms)
            wait_ms = left_ms < 0 ? 0 : left_ms;
    }
    return wait_ms;
}
