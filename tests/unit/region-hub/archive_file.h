/* An archive in a file, with rows of bob's, for the tests of who reads it. */
#pragma once

#include "region-hub/hub_settings.h"
#include "store/archive.h"

struct archive_file {
    char path[300];
    uint32_t ttl_s;               /* of what is added from now on; 0: none */
    struct hub_settings settings; /* archive_url and what else a reader needs */
};

/* A new one, with the schema. */
void archive_file_init(struct archive_file *file, const char *name);
void archive_file_done(struct archive_file *file); /* removes it */
/* Adds (epoch, first) to (epoch, last): the body is the cursor as a number, `epoch`.`seq`. */
void archive_file_add(struct archive_file *file, uint32_t epoch, uint64_t first, uint64_t last);
