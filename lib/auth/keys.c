#include "auth/keys.h"

#include "auth/jwks.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

void auth_keys_free(struct auth_keys *keys)
{
    if (keys == NULL)
        return;
    for (size_t i = 0; i < keys->count; i++)
        auth_key_done(&keys->keys[i]);
    free(keys->keys);
    free(keys);
}

int auth_keys_add(struct auth_keys *keys, struct auth_key **ret_key, struct error_text *reterr_why)
{
    if (keys->count == AUTH_KEYS_MAX)
        return error_text_set(reterr_why, -ENOSPC, "there are more than %d keys", AUTH_KEYS_MAX);
    struct auth_key *grown = reallocarray(keys->keys, keys->count + 1, sizeof *grown);
    if (grown == NULL)
        return error_text_set(reterr_why, -ENOMEM, "memory is short");
    keys->keys = grown;
    *ret_key = &grown[keys->count++];
    **ret_key = (struct auth_key){0};
    return 0;
}

const struct auth_key *auth_keys_find(const struct auth_keys *keys, struct text kid)
{
    bool one = keys->count == 1;
    if (one && (kid.size == 0 || keys->keys[0].kid[0] == '\0'))
        return &keys->keys[0];
    for (size_t i = 0; kid.size > 0 && i < keys->count; i++)
        if (text_equal(kid, text_of(keys->keys[i].kid)))
            return &keys->keys[i];
    return NULL;
}

/* Loading. */

static int read_into(int fd, struct buffer *out)
{
    while (out->size <= AUTH_KEY_FILE_MAX) {
        uint8_t *room = buffer_reserve(out, 16384);
        if (room == NULL)
            return -ENOMEM;
        ssize_t size = read(fd, room, 16384);
        if (size < 0 && errno != EINTR)
            return -errno;
        if (size == 0)
            return 0;
        out->size += size < 0 ? 0 : (size_t)size;
    }
    return -EFBIG;
}

int auth_file_read(const char *path, struct buffer *out, struct error_text *reterr_why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    int err = fd < 0 ? -errno : read_into(fd, out);
    if (fd >= 0)
        close(fd);
    return err == 0 ? 0 : error_text_set(reterr_why, err, "%s: %s", path, strerrordesc_np(-err));
}

int auth_file_check_private(const char *path, struct error_text *reterr_why)
{
    struct stat file;
    if (stat(path, &file) != 0)
        return error_text_set(reterr_why, -errno, "%s: %s", path, strerrordesc_np(errno));
    if ((file.st_mode & S_IRWXO) != 0)
        return error_text_set(reterr_why, -EPERM, "%s can be read by everybody: chmod 0600", path);
    return 0;
}

static int load_one(struct auth_keys *keys, const struct auth_key_settings *from, struct text bytes,
                    struct error_text *reterr_why)
{
    struct auth_key *key;
    if (from->format == AUTH_FORMAT_JWKS)
        return auth_jwks_read(keys, bytes, reterr_why);
    int err = auth_keys_add(keys, &key, reterr_why);
    if (err == 0)
        err = from->format == AUTH_FORMAT_PEM ? auth_key_of_pem(key, bytes, false, reterr_why)
                                              : auth_key_of_secret(key, bytes, reterr_why);
    return err == 0 ? text_put(key->kid, sizeof key->kid, text_of(from->kid)) : err;
}

static int load_file(struct auth_keys *keys, const struct auth_key_settings *from,
                     struct error_text *reterr_why)
{
    struct buffer bytes = {0};
    struct error_text why = {0};
    int err =
        from->format == AUTH_FORMAT_SECRET ? auth_file_check_private(from->file, reterr_why) : 0;
    if (err == 0)
        err = auth_file_read(from->file, &bytes, reterr_why);
    if (err == 0) {
        err = load_one(keys, from, buffer_text(&bytes), &why);
        if (err != 0)
            error_text_set(reterr_why, err, "%s: %s", from->file, why.text);
    }
    if (bytes.data != NULL)
        OPENSSL_cleanse(bytes.data, bytes.capacity);
    buffer_free(&bytes);
    return err;
}

/* A token must name one key and no other. */
static int check_kids(const struct auth_keys *keys, struct error_text *reterr_why)
{
    if (keys->count == 0)
        return error_text_set(reterr_why, -EINVAL, "there is no key that can be used");
    for (size_t i = 0; keys->count > 1 && i < keys->count; i++) {
        struct text kid = text_of(keys->keys[i].kid);
        if (kid.size == 0)
            return error_text_set(reterr_why, -EINVAL,
                                  "key %zu of %zu has no kid; with several keys each needs one",
                                  i + 1, keys->count);
        for (size_t j = 0; j < i; j++)
            if (text_equal(kid, text_of(keys->keys[j].kid)))
                return error_text_set(reterr_why, -EINVAL, "two keys have the kid '%s'",
                                      keys->keys[i].kid);
    }
    return 0;
}

struct auth_keys *auth_keys_load(const struct auth_settings *settings,
                                 struct error_text *reterr_why)
{
    struct auth_keys *keys = calloc(1, sizeof *keys);
    if (keys == NULL) {
        error_text_set(reterr_why, -ENOMEM, "memory is short");
        return NULL;
    }
    int err = 0;
    for (size_t i = 0; err == 0 && i < settings->key_count; i++)
        err = load_file(keys, &settings->keys[i], reterr_why);
    if (err == 0)
        err = check_kids(keys, reterr_why);
    if (err != 0) {
        auth_keys_free(keys);
        return NULL;
    }
    return keys;
}
