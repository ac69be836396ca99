/* Where users are at home: the cache of lib/directory, with the asking done. Who wants to know
 * waits here; all who ask for one user are answered in the order they came, by one question.
 *
 * A user nobody has is claimed for this region where the caller allows it. */
#pragma once

#include "base/list.h"
#include "base/text.h"
#include "catalogue/catalogue.h"
#include "directory/directory.h"
#include "edge/edge_settings.h"
#include "loop/loop.h"
#include "wire/frame.h"

struct bus;
struct edge_directory; /* opaque */

struct edge_directory_settings {
    struct loop *loop;
    struct bus *bus;
    const struct edge_settings *edge;
    const struct catalogue *catalogue;
    const struct catalogue_region *region; /* this edge's: where claims are made */
};

enum edge_found {
    EDGE_FOUND,
    EDGE_NOT_FOUND,
    EDGE_UNSURE, /* may exist: the mirror may be behind, or does not answer */
};

/* One who waits, embedded, zeroed but for on_found. */
struct edge_lookup {
    /* `region` is an index in the catalogue. It no longer waits, and may be freed or used again. */
    void (*on_found)(struct edge_lookup *lookup, enum edge_found found, size_t region);
    bool claim; /* give the user a home here if nobody has */
    struct list link;
    struct edge_directory *directory; /* while it waits */
};

MUST_USE struct edge_directory *edge_directory_new(const struct edge_directory_settings *settings);
/* Nobody waits any more, or is cancelled: not answered. */
void edge_directory_free(struct edge_directory *directory);

/* 0: answered already, on return: `ret_found` and `ret_region` hold it and on_found is not called.
 * -EINPROGRESS: on_found will be called. -ENOBUFS: too many wait. -ENOMEM. */
MUST_USE int edge_directory_find(struct edge_directory *directory, struct text user,
                                 struct edge_lookup *lookup, enum edge_found *ret_found,
                                 size_t *ret_region);
/* The quick way: true when the home is remembered and nobody before us waits for it. */
bool edge_directory_known(struct edge_directory *directory, struct text user, size_t *ret_region);
void edge_directory_cancel(struct edge_lookup *lookup); /* fine when it does not wait */
/* A hub said that the user is not at home where we thought. */
void edge_directory_forget(struct edge_directory *directory, struct text user);
/* A hub's answer to a claim. */
void edge_directory_claimed(struct edge_directory *directory, const struct wire_claimed *claimed);
/* Call it about ten times a second: it asks again what was not answered, and reads the
 * heartbeat. */
void edge_directory_tick(struct edge_directory *directory, int64_t now_ms);
bool edge_directory_is_current(const struct edge_directory *directory, int64_t now_ms);
size_t edge_directory_waiting(const struct edge_directory *directory);
