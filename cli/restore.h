/* Puts back entries of the directory as somebody remembers them: the archive, or a mirror. Each by
 * compare-and-set, never lowering an epoch, many on their way at a time. To stop in the middle and
 * begin anew is fine. */
#pragma once

#include "cli/entry.h"

enum { CLI_RESTORE_PAGE = 256 };

/* What becomes of a remembered entry. */
enum cli_restore {
    CLI_RESTORE_MISSING,  /* there was none: written */
    CLI_RESTORE_DAMAGED,  /* it could not be read: written anew */
    CLI_RESTORE_LOWER,    /* its epoch was lower: written */
    CLI_RESTORE_SAME,     /* nothing to do */
    CLI_RESTORE_NEWER,    /* what is there has a higher epoch, and stays */
    CLI_RESTORE_CONFLICT, /* another home in the same epoch: it stays, and is told */
    CLI_RESTORE_VERDICTS,
};
/* Pure. */
enum cli_restore cli_restore_judge(const struct cli_entry *now, const char *home, uint32_t epoch);
bool cli_restore_writes(enum cli_restore verdict);

struct cli_restore_page;                                      /* opaque, see restore.c */
MUST_USE struct cli_restore_page *cli_restore_page_new(void); /* or NULL */
void cli_restore_page_free(struct cli_restore_page *page);    /* NULL is fine */
/* Copies an entry. False: it is no entry of a user, or the page is full. */
bool cli_restore_page_add(struct cli_restore_page *page, struct text user, struct text home,
                          uint32_t epoch);
size_t cli_restore_page_count(const struct cli_restore_page *page);

struct cli_restoring { /* what it works with, and what came of it; added to, not set */
    struct cli_link *link;
    unsigned buckets;
    bool dry_run; /* only look */
    uint64_t counts[CLI_RESTORE_VERDICTS];
};
/* Restores what is on the page, and empties it. Conflicts are printed. -ETIMEDOUT and others with a
 * sentence; what was done is counted. */
MUST_USE int cli_restore_page(struct cli_restoring *restoring, struct cli_restore_page *page,
                              struct error_text *reterr_why);
/* A line of what came of it all. */
void cli_restore_print(const struct cli_restoring *restoring);
