/* Where users are at home: the cache of lib/directory, with the asking done. Who wants to know
 * waits here; all who ask for one user are answered in the order they came, by one question.
 *
 * The region's mirror is asked. Where it has no such user, but may be behind (after a cut NATS may
 * take minutes to fill a mirror again), the primary region is asked, and counts.
 *
 * A user nobody has is claimed where the caller allows it: for this region, or for another one that
 * suits the user better, whose hub is asked then. */
#pragma once

#include "base/list.h"
#include "base/text.h"
#include "catalogue/catalogue.h"
#include "directory/directory.h"
#include "loop/loop.h"
#include "wire/frame.h"

struct bus;
struct homes; /* opaque, see homes.c */

struct homes_settings { /* all borrowed */
    struct loop *loop;
    struct bus *bus;
    const struct catalogue *catalogue;
    const struct catalogue_region *region; /* where claims are made, mostly that of the process */
    const char *process;                   /* who claims; hubs answer edges only */
    size_t users_max;                      /* homes that are remembered */
    size_t waiting_max;                    /* lookups that wait */
};

enum homes_found {
    HOMES_FOUND,
    HOMES_NOT_FOUND,
    HOMES_UNSURE, /* may exist: the mirror may be behind, and the primary does not answer */
};

/* One who waits, embedded, zeroed but for on_found. */
struct homes_lookup {
    /* `region` is an index in the catalogue. It no longer waits, and may be freed or used again. */
    void (*on_found)(struct homes_lookup *lookup, enum homes_found found, size_t region);
    bool claim;                          /* give the user a home if nobody has */
    const struct catalogue_region *home; /* where; NULL: here */
    struct list link;
    struct homes *homes; /* while it waits */
};

MUST_USE struct homes *homes_new(const struct homes_settings *settings);
/* Nobody waits any more, or is cancelled: not answered. */
void homes_free(struct homes *homes);

/* 0: answered already, on return: `ret_found` and `ret_region` hold it and on_found is not called.
 * -EINPROGRESS: on_found will be called. -ENOBUFS: too many wait. -ENOMEM. */
MUST_USE int homes_find(struct homes *homes, struct text user, struct homes_lookup *lookup,
                        enum homes_found *ret_found, size_t *ret_region);
/* The quick way: true when the home is remembered and nobody before us waits for it. */
bool homes_known(struct homes *homes, struct text user, size_t *ret_region);
/* What is known of a user in this moment; false: nothing, and nobody is asked. */
bool homes_remembers(struct homes *homes, struct text user, struct directory_home *ret_home);
void homes_cancel(struct homes_lookup *lookup); /* fine when it does not wait */
/* A hub said that the user is not at home where we thought. */
void homes_forget(struct homes *homes, struct text user);
/* A hub's answer to a claim. */
void homes_claimed(struct homes *homes, const struct wire_claimed *claimed);
/* Call it about ten times a second: it asks again what was not answered, and reads the
 * heartbeat. */
void homes_tick(struct homes *homes, int64_t now_ms);
bool homes_is_current(const struct homes *homes, int64_t now_ms); /* the mirror */
/* Whether it can be said of a user that there is none: by the mirror or by the primary. */
bool homes_can_tell(const struct homes *homes, int64_t now_ms);
size_t homes_waiting(const struct homes *homes);
