/* A row of a view as the archive has it. Pure. */
#pragma once

#include "store/archive.h"
#include "store/view.h"

/* Borrows what `row` borrows. */
struct archive_row hub_archive_row(const struct view_row *row);
