/* A mailbox and its view together, as a hub keeps them, for tests: it applies a log, saves, crashes
 * and starts again, and tells what was effected at each position; at a checkpoint also the hash of
 * what is saved there, and the notices that wait. */
#pragma once

#include "tests/support/mailbox/world.h"

struct view;

enum { TEST_HUB_POSITIONS_MAX = 1000 };
struct test_hub {
    const struct log *log; /* borrowed */
    char path[256];
    struct mailbox *mailbox;
    struct view *view;
    struct buffer effects[TEST_HUB_POSITIONS_MAX + 1]; /* at each position, as text */
    bool applied[TEST_HUB_POSITIONS_MAX + 1];
};

struct test_hub *test_hub_new(const struct log *log, const char *name); /* with a new view */
void test_hub_free(struct test_hub *hub);                               /* removes its files */
/* One transaction. What is applied once more must have the effects it had before: asserted. */
void test_hub_apply(struct test_hub *hub, size_t batches);
void test_hub_save(struct test_hub *hub);
/* In the middle of a transaction; starts again with what the files hold. */
void test_hub_crash(struct test_hub *hub);
/* All rows of the users, then all effects, as text. */
void test_hub_tell(struct test_hub *hub, const char *const *users, size_t count,
                   struct buffer *lines);
