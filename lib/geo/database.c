#include "geo/database.h"

#include "geo/country.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <maxminddb.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

struct geo_database {
    MMDB_s file;
    char *path;
    struct stat status;  /* which file it is */
    struct stat refused; /* which file was no good, the last time */
};

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
           a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static int copy_bytes(int from, int to)
{
    ssize_t size = 1;
    while (size > 0) {
        size = sendfile(to, from, NULL, 1 << 24);
        if (size < 0 && errno == EINTR)
            size = 1;
    }
    return size < 0 ? -errno : 0;
}

/* -EAGAIN: it changed meanwhile. */
static int copy_file(int from, int to, struct stat *ret_status)
{
    struct stat after;
    if (fstat(from, ret_status) != 0)
        return -errno;
    if (!S_ISREG(ret_status->st_mode))
        return -EINVAL;
    if (ret_status->st_size > (off_t)GEO_DATABASE_MIB_MAX << 20)
        return -EFBIG;
    int err = copy_bytes(from, to);
    if (err == 0 && fstat(from, &after) != 0)
        err = -errno;
    return err == 0 && !is_same_file(ret_status, &after) ? -EAGAIN : err;
}

/* A copy that no other process can change, by the name that the library can open. */
static int open_copy(const char *path, int memory, MMDB_s *file, struct stat *ret_status,
                     struct error_text *reterr_why)
{
    char name[32];
    int from = open(path, O_RDONLY | O_CLOEXEC);
    int err = from < 0 ? -errno : copy_file(from, memory, ret_status);
    if (from >= 0)
        close(from);
    if (err != 0)
        return error_text_set(reterr_why, err, "%s: %s", path, strerror(-err));
    (void)snprintf(name, sizeof name, "/proc/self/fd/%d", memory);
    err = MMDB_open(name, MMDB_MODE_MMAP, file);
    if (err != MMDB_SUCCESS)
        return error_text_set(reterr_why, -EILSEQ, "%s: %s", path, MMDB_strerror(err));
    return 0;
}

static int open_file(const char *path, MMDB_s *file, struct stat *ret_status,
                     struct error_text *reterr_why)
{
    int memory = memfd_create("geo", MFD_CLOEXEC);
    if (memory < 0)
        return error_text_set(reterr_why, -errno, "%s: %s", path, strerror(errno));
    int err = open_copy(path, memory, file, ret_status, reterr_why);
    close(memory);
    return err;
}

struct geo_database *geo_database_open(const char *path, struct error_text *reterr_why)
{
    struct geo_database *database = calloc(1, sizeof *database);
    if (database != NULL)
        database->path = text_copy(text_of(path));
    if (database == NULL || database->path == NULL) {
        free(database);
        (void)error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    if (open_file(path, &database->file, &database->status, reterr_why) != 0) {
        free(database->path);
        free(database);
        return NULL;
    }
    return database;
}

void geo_database_close(struct geo_database *database)
{
    if (database == NULL)
        return;
    MMDB_close(&database->file);
    free(database->path);
    free(database);
}

int geo_database_reload(struct geo_database *database, struct error_text *reterr_why)
{
    struct stat status;
    if (stat(database->path, &status) == 0 &&
        (is_same_file(&status, &database->status) || is_same_file(&status, &database->refused)))
        return 0;
    MMDB_s file;
    int err = open_file(database->path, &file, &status, reterr_why);
    if (err != 0) {
        if (err == -EILSEQ)
            database->refused = status;
        return err;
    }
    MMDB_close(&database->file);
    database->file = file;
    database->status = status;
    return 1;
}

struct geo_database_facts geo_database_facts(const struct geo_database *database)
{
    const MMDB_metadata_s *metadata = &database->file.metadata;
    return (struct geo_database_facts){
        .type = metadata->database_type,
        .built_s = (int64_t)metadata->build_epoch,
        .ip_version = metadata->ip_version,
        .nodes = metadata->node_count,
    };
}

/* --- reading an entry --- */

/* What is there under the path. A type that is none of ours reads as absent. */
static int get(MMDB_entry_s *entry, const char *const *path, MMDB_entry_data_s *ret_data,
               bool *ret_found)
{
    int err = MMDB_aget_value(entry, ret_data, path);
    *ret_found = err == MMDB_SUCCESS && ret_data->has_data;
    if (err == MMDB_SUCCESS || err == MMDB_LOOKUP_PATH_DOES_NOT_MATCH_DATA_ERROR)
        return 0;
    return err == MMDB_OUT_OF_MEMORY_ERROR ? -ENOMEM : -EILSEQ;
}

/* Two capital letters, or "". */
static int get_code(MMDB_entry_s *entry, const char *const *path, char ret_code[3])
{
    MMDB_entry_data_s data;
    bool found;
    int err = get(entry, path, &data, &found);
    if (err == 0 && found && data.type == MMDB_DATA_TYPE_UTF8_STRING && data.data_size == 2 &&
        data.utf8_string[0] >= 'A' && data.utf8_string[0] <= 'Z' && data.utf8_string[1] >= 'A' &&
        data.utf8_string[1] <= 'Z')
        memcpy(ret_code, data.utf8_string, 2);
    return err;
}

static int get_degrees(MMDB_entry_s *entry, const char *const *path, double most,
                       double *ret_degrees, bool *ret_found)
{
    MMDB_entry_data_s data;
    bool found;
    int err = get(entry, path, &data, &found);
    double degrees = 0;
    if (err == 0 && found && data.type == MMDB_DATA_TYPE_DOUBLE)
        degrees = data.double_value;
    else if (err == 0 && found && data.type == MMDB_DATA_TYPE_FLOAT)
        degrees = (double)data.float_value;
    else
        found = false;
    *ret_found = found && isfinite(degrees) && fabs(degrees) <= most;
    if (*ret_found)
        *ret_degrees = degrees;
    return err;
}

static int get_coordinates(MMDB_entry_s *entry, const char *const *latitude,
                           const char *const *longitude, struct geo_place *place)
{
    bool has_latitude;
    bool has_longitude = false;
    int err = get_degrees(entry, latitude, 90, &place->latitude, &has_latitude);
    if (err == 0)
        err = get_degrees(entry, longitude, 180, &place->longitude, &has_longitude);
    place->has_coordinates = err == 0 && has_latitude && has_longitude;
    return err;
}

static int read_geoip2(MMDB_entry_s *entry, struct geo_place *place)
{
    static const char *const country[] = {"country", "iso_code", NULL};
    static const char *const registered[] = {"registered_country", "iso_code", NULL};
    static const char *const continent[] = {"continent", "code", NULL};
    static const char *const latitude[] = {"location", "latitude", NULL};
    static const char *const longitude[] = {"location", "longitude", NULL};
    int err = get_code(entry, country, place->country);
    if (err == 0 && place->country[0] == '\0')
        err = get_code(entry, registered, place->country);
    if (err == 0)
        err = get_code(entry, continent, place->continent);
    if (err == 0)
        err = get_coordinates(entry, latitude, longitude, place);
    return err;
}

static int read_flat(MMDB_entry_s *entry, struct geo_place *place)
{
    static const char *const country[] = {"country_code", NULL};
    static const char *const latitude[] = {"latitude", NULL};
    static const char *const longitude[] = {"longitude", NULL};
    int err = get_code(entry, country, place->country);
    if (err == 0)
        err = get_coordinates(entry, latitude, longitude, place);
    return err;
}

static bool is_empty(const struct geo_place *place)
{
    return place->country[0] == '\0' && place->continent[0] == '\0' && !place->has_coordinates;
}

static int read_entry(MMDB_entry_s *entry, struct geo_place *place)
{
    int err = read_geoip2(entry, place);
    if (err == 0 && is_empty(place))
        err = read_flat(entry, place);
    if (err == 0 && place->continent[0] == '\0' && place->country[0] != '\0')
        memcpy(place->continent, geo_country_continent(place->country), sizeof place->continent);
    return err;
}

/* The address as the library wants it. In a file of IPv6 it finds IPv4 by itself. */
static void to_sockaddr(const struct address *address, struct sockaddr_storage *ret_to)
{
    memset(ret_to, 0, sizeof *ret_to);
    if (address_is_v4(address)) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)ret_to;
        v4->sin_family = AF_INET;
        memcpy(&v4->sin_addr, address->bytes + 12, 4);
    } else {
        struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret_to;
        v6->sin6_family = AF_INET6;
        memcpy(&v6->sin6_addr, address->bytes, sizeof address->bytes);
    }
}

int geo_database_find(const struct geo_database *database, const struct address *address,
                      struct geo_place *ret_place)
{
    struct geo_place place = {.prefix = 0};
    if (!address_is_v4(address) && database->file.metadata.ip_version == 4)
        return -EAFNOSUPPORT;
    struct sockaddr_storage to;
    int library_error = MMDB_SUCCESS;
    to_sockaddr(address, &to);
    MMDB_lookup_result_s found =
        MMDB_lookup_sockaddr(&database->file, (const struct sockaddr *)&to, &library_error);
    if (library_error != MMDB_SUCCESS)
        return -EILSEQ;
    /* Of an IPv4 address the library counts in the tree's bits: 96 more in a file of IPv6. */
    unsigned prefix = found.netmask;
    if (address_is_v4(address) && database->file.metadata.ip_version == 4)
        prefix += 96;
    place.prefix = (uint8_t)(prefix <= 128 ? prefix : 128);
    int err = found.found_entry ? read_entry(&found.entry, &place) : 0;
    if (err != 0)
        return err;
    *ret_place = place;
    return is_empty(&place) ? -ENOENT : 0;
}

/* --- the tree --- */

static int branch_of(uint8_t type, uint64_t record, const MMDB_entry_s *entry,
                     struct geo_branch *ret_branch)
{
    switch (type) {
    case MMDB_RECORD_TYPE_SEARCH_NODE:
        *ret_branch = (struct geo_branch){.number = (uint32_t)record};
        return 0;
    case MMDB_RECORD_TYPE_EMPTY:
        *ret_branch = (struct geo_branch){.leaf = true};
        return 0;
    case MMDB_RECORD_TYPE_DATA:
        *ret_branch = (struct geo_branch){.leaf = true, .known = true, .number = entry->offset};
        return 0;
    default:
        return -EILSEQ;
    }
}

int geo_database_split(const struct geo_database *database, const struct geo_branch *branch,
                       struct geo_branch children[2])
{
    MMDB_search_node_s node;
    if (MMDB_read_node(&database->file, branch->number, &node) != MMDB_SUCCESS)
        return -EILSEQ;
    int err =
        branch_of(node.left_record_type, node.left_record, &node.left_record_entry, &children[0]);
    return err != 0 ? err
                    : branch_of(node.right_record_type, node.right_record, &node.right_record_entry,
                                &children[1]);
}

int geo_database_roots(const struct geo_database *database, struct geo_branch *ret_v4,
                       struct geo_branch *ret_v6)
{
    struct geo_branch at = {.number = 0};
    *ret_v6 = (struct geo_branch){.leaf = true};
    if (database->file.metadata.ip_version == 4) {
        *ret_v4 = at;
        return 0;
    }
    *ret_v6 = at;
    for (int depth = 0; depth < 96 && !at.leaf; depth++) {
        struct geo_branch children[2];
        int err = geo_database_split(database, &at, children);
        if (err != 0)
            return err;
        at = children[0];
    }
    *ret_v4 = at;
    return 0;
}

int geo_database_place(const struct geo_database *database, const struct geo_branch *branch,
                       struct geo_place *ret_place)
{
    struct geo_place place = {.prefix = 0};
    MMDB_entry_s entry = {.mmdb = &database->file, .offset = branch->number};
    int err = branch->known ? read_entry(&entry, &place) : 0;
    if (err != 0)
        return err;
    *ret_place = place;
    return is_empty(&place) ? -ENOENT : 0;
}
