/* The directory in a SQLite archive. */
#include "store/archive_sqlite.h"

#include "base/clock.h"

static void bind_bucket(sqlite3_stmt *query, const struct archive_bucket *bucket)
{
    sqlite_bind_u64(query, 1, bucket->number);
    sqlite_bind_u64(query, 2, bucket->of);
    sqlite_bind_text(query, 3, text_of(bucket->made));
}

/* Steps through a query's rows and makes it ready for the next time. */
static int each_row(struct sqlite_file *file, enum sqlite_query which,
                    void (*on_row)(void *context, sqlite3_stmt *query), void *context,
                    struct error_text *reterr_why)
{
    sqlite3_stmt *query = file->queries[which];
    int code;
    while ((code = sqlite3_step(query)) == SQLITE_ROW)
        on_row(context, query);
    int err = code == SQLITE_DONE ? 0 : sqlite_fail(file, code, reterr_why);
    (void)sqlite3_reset(query);
    (void)sqlite3_clear_bindings(query);
    return err;
}

static void take_position(void *context, sqlite3_stmt *query)
{
    struct archive_bucket *bucket = context;
    bucket->position = sqlite_column_u64(query, 0);
}

int sqlite_locate_bucket(struct archive *archive, struct archive_bucket *bucket,
                         struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    sqlite_start_call(file);
    bind_bucket(file->queries[ASK_ADD_BUCKET], bucket);
    int err = sqlite_run(file, ASK_ADD_BUCKET, NULL, reterr_why);
    if (err != 0)
        return err;
    bind_bucket(file->queries[ASK_FIND_BUCKET], bucket);
    return each_row(file, ASK_FIND_BUCKET, take_position, bucket, reterr_why);
}

static int move(struct sqlite_file *file, const struct archive_bucket *bucket, uint64_t position,
                struct error_text *reterr_why)
{
    sqlite3_stmt *query = file->queries[ASK_MOVE_BUCKET];
    uint64_t changes = 0;
    bind_bucket(query, bucket);
    sqlite_bind_u64(query, 4, bucket->position);
    sqlite_bind_u64(query, 5, position);
    sqlite_bind_u64(query, 6, (uint64_t)clock_wall_ms());
    int err = sqlite_run(file, ASK_MOVE_BUCKET, &changes, reterr_why);
    if (err == 0 && changes == 0)
        err =
            error_text_set(reterr_why, -ESTALE, "somebody else has moved the directory's archive");
    return err;
}

static int put(struct sqlite_file *file, const struct archive_home *home, uint64_t *stored,
               struct error_text *reterr_why)
{
    sqlite3_stmt *query = file->queries[ASK_PUT_HOME];
    uint64_t changes = 0;
    sqlite_bind_text(query, 1, home->user);
    sqlite_bind_text(query, 2, home->home);
    sqlite_bind_u64(query, 3, home->epoch);
    sqlite_bind_u64(query, 4, home->revision);
    int err = sqlite_run(file, ASK_PUT_HOME, &changes, reterr_why);
    *stored += changes;
    return err;
}

int sqlite_put_homes(struct archive *archive, const struct archive_bucket *bucket,
                     const struct archive_home *homes, size_t count, uint64_t position,
                     uint64_t *ret_stored, struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    uint64_t stored = 0;
    int err = sqlite_begin(file, reterr_why);
    if (err != 0)
        return err;
    err = move(file, bucket, position, reterr_why);
    for (size_t i = 0; err == 0 && i < count; i++)
        err = put(file, &homes[i], &stored, reterr_why);
    err = sqlite_end(file, err, reterr_why);
    if (err == 0)
        *ret_stored = stored;
    return err;
}

struct giving {
    archive_on_home *on_home;
    void *context;
};

static void give_home(void *context, sqlite3_stmt *query)
{
    const struct giving *giving = context;
    struct archive_home home = {.user = sqlite_column(query, 0)};
    if (sqlite3_column_count(query) > 1) {
        home.home = sqlite_column(query, 1);
        home.epoch = (uint32_t)sqlite_column_u64(query, 2);
        home.revision = sqlite_column_u64(query, 3);
    }
    giving->on_home(giving->context, &home);
}

static int give(struct archive *archive, enum sqlite_query which, struct text after, size_t max,
                struct giving *giving, struct error_text *reterr_why)
{
    struct sqlite_file *file = sqlite_file_of(archive);
    sqlite_start_call(file);
    sqlite_bind_text(file->queries[which], 1, after);
    sqlite_bind_u64(file->queries[which], 2, max);
    return each_row(file, which, give_home, giving, reterr_why);
}

int sqlite_homes_after(struct archive *archive, struct text after, size_t max,
                       archive_on_home *on_home, void *context, struct error_text *reterr_why)
{
    struct giving giving = {on_home, context};
    return give(archive, ASK_HOMES, after, max, &giving, reterr_why);
}

int sqlite_homeless_after(struct archive *archive, struct text after, size_t max,
                          archive_on_home *on_home, void *context, struct error_text *reterr_why)
{
    struct giving giving = {on_home, context};
    return give(archive, ASK_HOMELESS, after, max, &giving, reterr_why);
}

struct giving_buckets {
    archive_on_bucket *on_bucket;
    void *context;
};

static void give_bucket(void *context, sqlite3_stmt *query)
{
    const struct giving_buckets *giving = context;
    struct archive_bucket bucket = {.number = (unsigned)sqlite_column_u64(query, 0),
                                    .of = (unsigned)sqlite_column_u64(query, 1),
                                    .position = sqlite_column_u64(query, 3)};
    if (text_put(bucket.made, sizeof bucket.made, sqlite_column(query, 2)) == 0)
        giving->on_bucket(giving->context, &bucket);
}

int sqlite_each_bucket(struct archive *archive, archive_on_bucket *on_bucket, void *context,
                       struct error_text *reterr_why)
{
    struct giving_buckets giving = {on_bucket, context};
    struct sqlite_file *file = sqlite_file_of(archive);
    sqlite_start_call(file);
    return each_row(file, ASK_BUCKETS, give_bucket, &giving, reterr_why);
}
