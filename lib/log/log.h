/* One line an event, to standard error: UTC time, level, process, a sentence, then key=value pairs.
 *
 *     log_warning("lane has a hole", LOG_TEXT("src", region), LOG_U64("position", n));
 *     2026-01-31T09:30:00.125Z warning hub-dub-1: lane has a hole src=sin position=57
 *
 * Values are made safe: control characters, marks that turn the direction of a line, quotes and
 * bytes that are no UTF-8 are escaped, values with spaces quoted, long values cut. Any thread may
 * log; a line is one write(2) of at most LOG_LINE_MAX bytes, so lines of several threads and
 * processes do not mix. No memory is taken. */
#pragma once

#include "base/macros.h"
#include "base/text.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    LOG_LINE_MAX = 4096, /* PIPE_BUF: what a pipe takes whole */
    LOG_VALUE_MAX = 1024,
    LOG_NAME_MAX = 63,
};

enum log_level {
    LOG_LEVEL_ERROR,
    LOG_LEVEL_WARNING,
    LOG_LEVEL_INFO,
    LOG_LEVEL_DEBUG,
};

/* Before the first thread starts. Lines above `level` are dropped; at first: LOG_LEVEL_INFO. */
void log_set_level(enum log_level level);
/* "error", "warning", "info" or "debug", else -EINVAL. */
MUST_USE int log_level_parse(struct text name, enum log_level *ret_level);
/* The process, as it stands in each line. Copied, cut to LOG_NAME_MAX; at first: "meridian". */
void log_set_name(const char *name);

/* A key=value pair. Made by the macros below; what it points to is read before the call returns. */
struct log_field {
    const char *key; /* NULL ends a list */
    enum {
        LOG_KIND_TEXT,
        LOG_KIND_U64,
        LOG_KIND_I64,
        LOG_KIND_F64,
        LOG_KIND_BOOL,
        LOG_KIND_ERRNO
    } kind;
    union {
        struct text text;
        uint64_t u64;
        int64_t i64;
        double f64;
        bool flag;
    } value;
};

/* clang-format off */
#define LOG_TEXT(name, t)    ((struct log_field){.key = (name), .kind = LOG_KIND_TEXT, .value.text = (t)})
/* A terminated string; NULL is written as an empty one. */
#define LOG_STRING(name, s)  ((struct log_field){.key = (name), .kind = LOG_KIND_TEXT, .value.text = log_text_of(s)})
#define LOG_U64(name, n)     ((struct log_field){.key = (name), .kind = LOG_KIND_U64, .value.u64 = (n)})
#define LOG_I64(name, n)     ((struct log_field){.key = (name), .kind = LOG_KIND_I64, .value.i64 = (n)})
#define LOG_F64(name, x)     ((struct log_field){.key = (name), .kind = LOG_KIND_F64, .value.f64 = (x)})
#define LOG_BOOL(name, b)    ((struct log_field){.key = (name), .kind = LOG_KIND_BOOL, .value.flag = (b)})
/* error="Connection refused"; `number` is an errno, positive or negative. */
#define LOG_ERRNO(number)    ((struct log_field){.key = "error", .kind = LOG_KIND_ERRNO, .value.i64 = (number)})
#define LOG_FIELDS(...)      ((const struct log_field[]){__VA_ARGS__ __VA_OPT__(,) {.key = NULL}})

#define log_error(sentence, ...)   log_event(LOG_LEVEL_ERROR, (sentence), LOG_FIELDS(__VA_ARGS__))
#define log_warning(sentence, ...) log_event(LOG_LEVEL_WARNING, (sentence), LOG_FIELDS(__VA_ARGS__))
#define log_info(sentence, ...)    log_event(LOG_LEVEL_INFO, (sentence), LOG_FIELDS(__VA_ARGS__))
#define log_debug(sentence, ...)   log_event(LOG_LEVEL_DEBUG, (sentence), LOG_FIELDS(__VA_ARGS__))
/* For what the network can cause: log_limited(&limit, LOG_LEVEL_WARNING, "sentence", fields...) */
#define log_limited(limit, level, sentence, ...) \
    log_event_limited((limit), (level), (sentence), LOG_FIELDS(__VA_ARGS__))
/* clang-format on */

void log_event(enum log_level level, const char *sentence, const struct log_field *fields);

/* Lets one line through an interval; the next one that passes tells how many did not, as
 * suppressed=N. Usually static beside the call; zeroed means one line a second. Any thread. */
struct log_limit {
    int64_t interval_ms;      /* 0: 1000 */
    _Atomic int64_t due_ms;   /* before it, lines are counted only */
    _Atomic uint64_t skipped; /* since the last line that passed */
};
void log_event_limited(struct log_limit *limit, enum log_level level, const char *sentence,
                       const struct log_field *fields);
/* The decision alone: true when a line may pass at `now_ms` (monotonic). */
bool log_limit_pass(struct log_limit *limit, int64_t now_ms, uint64_t *ret_skipped);

/* Writes the line, with its newline and without a terminator, and returns its size, at most `size`
 * (LOG_LINE_MAX is enough for all; what does not fit is cut, the newline stays). `wall_ms` is UTC
 * since 1970. log_event() is this and a write. */
size_t log_format(char *line, size_t size, int64_t wall_ms, enum log_level level,
                  const char *sentence, const struct log_field *fields);

static inline struct text log_text_of(const char *string)
{
    return string == NULL ? (struct text){"", 0} : text_of(string);
}
