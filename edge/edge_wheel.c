#include "edge/edge_wheel.h"

void edge_wheel_init(struct edge_wheel *wheel, int64_t now_ms)
{
    for (size_t i = 0; i < EDGE_WHEEL_SLOTS; i++)
        list_init(&wheel->slots[i]);
    wheel->tick = now_ms / EDGE_WHEEL_TICK_MS;
}

void edge_wheel_set(struct edge_wheel *wheel, struct list *node, int64_t now_ms, int64_t delay_ms)
{
    int64_t latest = wheel->tick + EDGE_WHEEL_SLOTS - 1;
    int64_t tick = (now_ms + (delay_ms < 0 ? 0 : delay_ms)) / EDGE_WHEEL_TICK_MS + 1;
    if (tick <= wheel->tick)
        tick = wheel->tick + 1;
    if (tick > latest)
        tick = latest;
    list_remove(node);
    list_push(&wheel->slots[(uint64_t)tick % EDGE_WHEEL_SLOTS], node);
}

struct list *edge_wheel_next(struct edge_wheel *wheel, int64_t now_ms)
{
    int64_t now = now_ms / EDGE_WHEEL_TICK_MS;
    while (wheel->tick < now) {
        /* The slot is emptied before the wheel moves on, so that what is set again meanwhile goes
         * into a later one. */
        struct list *node = list_pop(&wheel->slots[(uint64_t)(wheel->tick + 1) % EDGE_WHEEL_SLOTS]);
        if (node != NULL)
            return node;
        wheel->tick++;
    }
    return NULL;
}
