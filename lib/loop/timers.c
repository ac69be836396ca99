#include "loop/timers.h"

#include <stdio.h>
#include <stdlib.h>

/* Places are counted from 1, as timer->slot is: the parent of place p is p / 2. */
static void put(struct loop_timers *timers, size_t place, struct loop_timer *timer)
{
    timers->heap[place - 1] = timer;
    timer->slot = place;
}

static struct loop_timer *at(const struct loop_timers *timers, size_t place)
{
    return timers->heap[place - 1];
}

static void move_up(struct loop_timers *timers, struct loop_timer *timer)
{
    size_t place = timer->slot;
    while (place > 1 && at(timers, place / 2)->due_ms > timer->due_ms) {
        put(timers, place, at(timers, place / 2));
        place /= 2;
    }
    put(timers, place, timer);
}

static void move_down(struct loop_timers *timers, struct loop_timer *timer)
{
    size_t place = timer->slot;
    for (;;) {
        size_t child = 2 * place;
        if (child > timers->count)
            break;
        if (child < timers->count && at(timers, child + 1)->due_ms < at(timers, child)->due_ms)
            child++;
        if (at(timers, child)->due_ms >= timer->due_ms)
            break;
        put(timers, place, at(timers, child));
        place = child;
    }
    put(timers, place, timer);
}

static void grow(struct loop_timers *timers)
{
    size_t capacity = timers->capacity == 0 ? 64 : 2 * timers->capacity;
    struct loop_timer **heap = realloc(timers->heap, capacity * sizeof(struct loop_timer *));
    if (heap == NULL) {
        fputs("out of memory for timers\n", stderr);
        abort();
    }
    timers->heap = heap;
    timers->capacity = capacity;
}

void loop_timers_free(struct loop_timers *timers)
{
    for (size_t i = 0; i < timers->count; i++)
        timers->heap[i]->slot = 0;
    free(timers->heap);
    *timers = (struct loop_timers){0};
}

void loop_timers_set(struct loop_timers *timers, struct loop_timer *timer, int64_t due_ms)
{
    timer->due_ms = due_ms;
    if (timer->slot == 0) {
        if (timers->count == timers->capacity)
            grow(timers);
        put(timers, ++timers->count, timer);
    }
    move_up(timers, timer);
    move_down(timers, timer);
}

void loop_timers_stop(struct loop_timers *timers, struct loop_timer *timer)
{
    if (timer->slot == 0)
        return;
    struct loop_timer *last = at(timers, timers->count--);
    if (last != timer) {
        put(timers, timer->slot, last);
        move_up(timers, last);
        move_down(timers, last);
    }
    timer->slot = 0;
}

struct loop_timer *loop_timers_first(const struct loop_timers *timers)
{
    return timers->count == 0 ? NULL : at(timers, 1);
}
