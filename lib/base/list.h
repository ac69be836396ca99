/* An intrusive, doubly linked, circular list: the node is a member of the object. */
#pragma once

#include "base/macros.h"

#include <stdbool.h>
#include <stddef.h>

struct list {
    struct list *next;
    struct list *previous;
};

static inline void list_init(struct list *head)
{
    head->next = head->previous = head;
}

static inline bool list_empty(const struct list *head)
{
    return head->next == head;
}

/* Appends `node` at the end. */
static inline void list_push(struct list *head, struct list *node)
{
    node->previous = head->previous;
    node->next = head;
    head->previous->next = node;
    head->previous = node;
}

/* Unlinks `node`; it may be removed again or asked list_linked() afterwards. */
static inline void list_remove(struct list *node)
{
    if (node->next == NULL)
        return;
    node->previous->next = node->next;
    node->next->previous = node->previous;
    node->next = node->previous = NULL;
}

/* A node that was zeroed, or removed, is in no list. */
static inline bool list_linked(const struct list *node)
{
    return node->next != NULL;
}

/* The first node, removed, or NULL. */
static inline struct list *list_pop(struct list *head)
{
    if (list_empty(head))
        return NULL;
    struct list *node = head->next;
    list_remove(node);
    return node;
}

/* `node` may be removed inside the loop. */
#define list_each(node, head)                                                                      \
    for (struct list *node = (head)->next, *node##_next = node->next; node != (head);              \
         node = node##_next, node##_next = node->next)
