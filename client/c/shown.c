#include "c/shown.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static bool is_token(const char *token)
{
    size_t size = strnlen(token, MERIDIAN_TOKEN_MAX + 1);
    for (size_t i = 0; i < size; i++)
        if (token[i] <= ' ' || token[i] > '~')
            return false;
    return size > 0 && size <= MERIDIAN_TOKEN_MAX;
}

int meridian_shown_set(struct meridian_shown *shown, const char *token, bool connected,
                       int64_t now_ms)
{
    if (!is_token(token))
        return -EINVAL;
    char *copy = strdup(token);
    if (copy == NULL)
        return -ENOMEM;
    free(shown->token);
    shown->token = copy;
    shown->tries = connected ? MERIDIAN_SHOWN_TRIES : 0;
    shown->waits = false;
    shown->due_ms = now_ms > shown->apart_ms ? now_ms : shown->apart_ms;
    return 0;
}

void meridian_shown_done(struct meridian_shown *shown)
{
    free(shown->token);
}

void meridian_shown_forget(struct meridian_shown *shown)
{
    shown->tries = 0;
    shown->waits = false;
    shown->apart_ms = 0;
}

bool meridian_shown_is_due(const struct meridian_shown *shown, int64_t now_ms)
{
    return shown->tries > 0 && now_ms >= shown->due_ms;
}

void meridian_shown_said(struct meridian_shown *shown, int64_t now_ms)
{
    shown->tries--;
    shown->waits = true;
    shown->apart_ms = now_ms + MERIDIAN_SHOWN_APART_MS;
    shown->due_ms = now_ms + MERIDIAN_SHOWN_ANSWER_MS;
}

void meridian_shown_answered(struct meridian_shown *shown)
{
    if (shown->waits) /* else it is an answer to the one of before */
        shown->tries = 0;
    shown->waits = false;
}

int64_t meridian_shown_due_ms(const struct meridian_shown *shown)
{
    return shown->tries > 0 ? shown->due_ms : -1;
}
