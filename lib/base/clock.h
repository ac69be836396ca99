/* The two clocks. Decisions take times as arguments; only loops and daemons ask here. */
#pragma once

#include <stdint.h>

int64_t clock_monotonic_us(void); /* never steps; for intervals */
int64_t clock_monotonic_ms(void);
int64_t clock_wall_ms(void); /* since 1970; may step; for people */
