/* Reads a view row by row in its order, beside the hub that writes it: a connection of its own that
 * only reads, so that the archiver's thread holds up nobody. Each call is a short transaction: one
 * that stayed open would keep the writer's journal from being taken in.
 *
 * One thread uses a scan. The view may be put aside and made again meanwhile: the scan notices. */
#pragma once

#include "store/view.h"

struct view_scan; /* opaque, see view_scan.c */

/* `path` is copied. Opens nothing yet. NULL when memory is short. */
MUST_USE struct view_scan *view_scan_new(const char *path);
void view_scan_free(struct view_scan *scan); /* NULL is fine */
/* Gives the rows from number `from_row` on, at most rows_max and about bytes_max of bodies (at
 * least one), as far as they are committed. -ENOENT: there is no view yet; -EBUSY: not now; -EILSEQ
 * damaged, -EIO. */
MUST_USE int view_scan_read(struct view_scan *scan, uint64_t from_row, size_t rows_max,
                            size_t bytes_max, view_on_row *on_row, void *context);
