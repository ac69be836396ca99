/* The processes of an edge, as their parent sees them: which it has to start, and when. One that
 * ended after it ran well is started again at once; one that ends again and again waits, twice as
 * long each time. Pure: the caller passes the time. */
#pragma once

#include "catalogue/catalogue.h"

enum {
    EDGE_PROCESSES_WELL_MS = 10000, /* who ran for so long ran well */
    EDGE_PROCESSES_WAIT_MS = 500,   /* after the first end that came sooner */
    EDGE_PROCESSES_WAIT_MAX_MS = 30000,
};

struct edge_process {
    bool runs;
    int64_t since_ms;  /* runs: since when; else: to be started then */
    uint32_t bad_ends; /* in a row */
};

struct edge_processes {
    uint32_t count;
    uint64_t restarts;
    bool stopping;
    struct edge_process each[CATALOGUE_PROCESSES_MAX];
};

/* All are to be started now. */
void edge_processes_init(struct edge_processes *processes, uint32_t count, int64_t now_ms);
/* One to start now, or -ENOENT. */
MUST_USE int edge_processes_next(const struct edge_processes *processes, int64_t now_ms,
                                 uint32_t *ret_at);
void edge_processes_started(struct edge_processes *processes, uint32_t at, int64_t now_ms);
/* It ended, or could not be started. In how many ms it is to be started again. */
int64_t edge_processes_ended(struct edge_processes *processes, uint32_t at, int64_t now_ms);
/* None is started any more. */
void edge_processes_stop(struct edge_processes *processes);
/* They are to stop, and none runs. */
bool edge_processes_are_done(const struct edge_processes *processes);
/* How long there is nothing to start, at most `most_ms`. */
int64_t edge_processes_wait_ms(const struct edge_processes *processes, int64_t now_ms,
                               int64_t most_ms);
