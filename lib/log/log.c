#include "log/log.h"

#include "base/clock.h"

#include <errno.h>
#include <stdio.h>
#include <unistd.h>

enum { LOG_LIMIT_DEFAULT_MS = 1000 };

static _Atomic int log_threshold = LOG_LEVEL_INFO;

void log_set_level(enum log_level level)
{
    atomic_store(&log_threshold, (int)level);
}

static bool is_wanted(enum log_level level)
{
    return (int)level <= atomic_load_explicit(&log_threshold, memory_order_relaxed);
}

/* A line that cannot be written is lost: there is nobody to tell, and waiting would stop a loop. */
static void write_line(const char *line, size_t size)
{
    ssize_t written;
    do
        written = write(STDERR_FILENO, line, size);
    while (written < 0 && errno == EINTR);
}

void log_event(enum log_level level, const char *sentence, const struct log_field *fields)
{
    if (!is_wanted(level))
        return;
    int saved_errno = errno; /* a log line between a failure and its handling changes nothing */
    char line[LOG_LINE_MAX];
    size_t size = log_format(line, sizeof line, clock_wall_ms(), level, sentence, fields);
    write_line(line, size);
    errno = saved_errno;
}

bool log_limit_pass(struct log_limit *limit, int64_t now_ms, uint64_t *ret_skipped)
{
    int64_t interval_ms = limit->interval_ms == 0 ? LOG_LIMIT_DEFAULT_MS : limit->interval_ms;
    int64_t due_ms = atomic_load(&limit->due_ms);
    /* Of threads that come at once, the one whose exchange succeeds writes. */
    if (now_ms < due_ms ||
        !atomic_compare_exchange_strong(&limit->due_ms, &due_ms, now_ms + interval_ms)) {
        atomic_fetch_add(&limit->skipped, 1);
        return false;
    }
    *ret_skipped = atomic_exchange(&limit->skipped, 0);
    return true;
}

/* More fields than this in a limited line are cut. */
enum { LIMITED_FIELDS_MAX = 24 };

void log_event_limited(struct log_limit *limit, enum log_level level, const char *sentence,
                       const struct log_field *fields)
{
    uint64_t skipped = 0;
    if (!is_wanted(level) || !log_limit_pass(limit, clock_monotonic_ms(), &skipped))
        return;
    if (skipped == 0) {
        log_event(level, sentence, fields);
        return;
    }
    struct log_field with_count[LIMITED_FIELDS_MAX + 2];
    size_t count = 0;
    for (; fields[count].key != NULL && count < LIMITED_FIELDS_MAX; count++)
        with_count[count] = fields[count];
    with_count[count++] = LOG_U64("suppressed", skipped);
    with_count[count] = (struct log_field){.key = NULL};
    log_event(level, sentence, with_count);
}
