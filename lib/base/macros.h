/* What every file may need: a few words the compiler checks. */
#pragma once

#include <stddef.h>

#define MUST_USE __attribute__((warn_unused_result))
#define PRINTF_LIKE(which, first) __attribute__((format(printf, which, first)))
#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* The object that embeds `member`, which `pointer` points to. */
#define container_of(pointer, type, member)                                                        \
    ((type *)(void *)((char *)(pointer)-offsetof(type, member)))
