#include "cli/pki_folder.h"

#include "auth/certificate.h"
#include "cli/dev_folder.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    DAY_S = 24 * 60 * 60,
    AUTHORITY_DAYS = 10 * 365,
    EARLY_S = 60 * 60, /* for clocks that are behind */
};

static const char *const authority_names[] = {
    [CLI_PKI_NODES] = "nodes",
    [CLI_PKI_CLIENTS] = "clients",
};

bool cli_pki_is_due(int64_t from_s, int64_t to_s, int64_t now_s)
{
    return to_s - now_s < (to_s - from_s) / 3;
}

/* --- files --- */

/* Written aside and put in place, so that nobody reads half of it. */
static int write_file(const char *path, mode_t mode, const struct buffer *content,
                      struct error_text *reterr_why)
{
    struct cli_path aside;
    int err = 0;

    if (snprintf(aside.text, sizeof aside.text, "%s.new", path) >= (int)sizeof aside.text)
        return error_text_set(reterr_why, -ENAMETOOLONG, "the path '%s' is too long", path);
    (void)unlink(aside.text); /* of a run that was killed: its mode may be another */
    int fd = open(aside.text, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);
    if (fd < 0)
        err = -errno;
    if (err == 0 && write(fd, content->data, content->size) != (ssize_t)content->size)
        err = -EIO;
    if (err == 0 && fsync(fd) != 0)
        err = -errno;
    if (fd >= 0)
        close(fd);
    if (err == 0 && rename(aside.text, path) != 0)
        err = -errno;
    return err == 0 ? 0
                    : error_text_set(reterr_why, err, "cannot write %s: %s", path,
                                     strerrordesc_np(-err));
}

/* Nothing is there: an empty text. */
static int read_file(const char *path, struct buffer *out, struct error_text *reterr_why)
{
    int err = cli_read_file(path, out);
    if (err == 0 || err == -ENOENT)
        return 0;
    return error_text_set(reterr_why, err, "cannot read %s: %s", path, strerrordesc_np(-err));
}

static int make_folder(const char *path, struct error_text *reterr_why)
{
    int err = cli_make_folders(path);
    return err == 0
               ? 0
               : error_text_set(reterr_why, err, "cannot make %s: %s", path, strerrordesc_np(-err));
}

static int span_of(const char *path, const struct buffer *pem,
                   struct auth_certificate_span *ret_span, struct error_text *reterr_why)
{
    int err = auth_certificate_span(buffer_text(pem), ret_span);
    return err == 0 ? 0 : error_text_set(reterr_why, err, "%s holds no certificate", path);
}

static bool is_due(const struct cli_pki *pki, struct auth_certificate_span span)
{
    return cli_pki_is_due(span.from_s, span.to_s, pki->now_s);
}

/* Key first: a certificate whose key did not get written would be taken for a good one. */
static int write_pair(const char *certificate_path, const char *key_path,
                      const struct auth_certificate *made, struct error_text *reterr_why)
{
    int err = write_file(key_path, 0600, &made->key, reterr_why);
    return err == 0 ? write_file(certificate_path, 0644, &made->certificate, reterr_why) : err;
}

/* --- authorities --- */

struct authority_paths {
    struct cli_path certificates;
    struct cli_path key;
};

static struct authority_paths paths_of(const struct cli_pki *pki, enum cli_pki_authority which)
{
    const char *name = authority_names[which];
    return (struct authority_paths){
        .certificates = cli_path_of(pki->folder, "authority/%s.pem", name),
        .key = cli_path_of(pki->folder, "authority/%s.key", name),
    };
}

/* Those that are believed still. */
static void keep_living(const struct cli_pki *pki, struct text bundle, struct buffer *out)
{
    struct text pem;
    struct auth_certificate_span span;
    while (auth_certificate_next(&bundle, &pem))
        if (auth_certificate_span(pem, &span) == 0 && span.to_s > pki->now_s)
            buffer_append_text(out, pem);
}

static int make_authority(const struct cli_pki *pki, enum cli_pki_authority which,
                          const struct buffer *older, struct error_text *reterr_why)
{
    struct authority_paths paths = paths_of(pki, which);
    struct auth_certificate made = {0};
    const struct auth_certificate_wish wish = {
        .unit = "authority",
        .name = authority_names[which],
        .from_s = pki->now_s - EARLY_S,
        .to_s = pki->now_s + (int64_t)AUTHORITY_DAYS * DAY_S,
    };
    int err = auth_certificate_make(&wish, NULL, &made);
    if (err != 0)
        error_text_set(reterr_why, err, "cannot make an authority for %s: %s", wish.name,
                       strerrordesc_np(-err));
    keep_living(pki, buffer_text(older), &made.certificate);
    if (err == 0)
        err = make_folder(cli_path_of(pki->folder, "authority").text, reterr_why);
    if (err == 0)
        err = write_pair(paths.certificates.text, paths.key.text, &made, reterr_why);
    auth_certificate_free(&made);
    return err == 0 ? 1 : err;
}

int cli_pki_authority(const struct cli_pki *pki, enum cli_pki_authority which,
                      enum cli_pki_when when, struct error_text *reterr_why)
{
    struct authority_paths paths = paths_of(pki, which);
    struct buffer older = {0};
    struct auth_certificate_span span;
    int err = read_file(paths.certificates.text, &older, reterr_why);

    if (err == 0 && older.size > 0)
        err = span_of(paths.certificates.text, &older, &span, reterr_why);
    if (err == 0 && (older.size == 0 || when == CLI_PKI_ALWAYS || is_due(pki, span)))
        err = make_authority(pki, which, &older, reterr_why);
    buffer_free(&older);
    return err;
}

/* --- what a process shows --- */

static int write_changed(const char *path, const struct buffer *content,
                         struct error_text *reterr_why)
{
    struct buffer there = {0};
    int err = read_file(path, &there, reterr_why);
    bool same = err == 0 && text_equal(buffer_text(&there), buffer_text(content));
    buffer_free(&there);
    if (err != 0 || same)
        return err;
    err = write_file(path, 0644, content, reterr_why);
    return err == 0 ? 1 : err;
}

/* Copies an authority's certificates into the holder's folder. */
static int write_trust(const struct cli_pki *pki, const struct cli_pki_holder *holder,
                       enum cli_pki_authority which, const char *file,
                       struct error_text *reterr_why)
{
    struct buffer bundle = {0}, living = {0};
    int err = read_file(paths_of(pki, which).certificates.text, &bundle, reterr_why);
    keep_living(pki, buffer_text(&bundle), &living);
    if (err == 0)
        err = write_changed(cli_path_of(pki->folder, "%s/%s", holder->name, file).text, &living,
                            reterr_why);
    buffer_free(&bundle);
    buffer_free(&living);
    return err;
}

static bool is_node(const struct cli_pki_holder *holder)
{
    return holder->hosts != NULL;
}

static int issue(const struct cli_pki *pki, const struct cli_pki_holder *holder,
                 const char *certificate_path, struct error_text *reterr_why)
{
    struct authority_paths paths = paths_of(pki, is_node(holder) ? CLI_PKI_NODES : CLI_PKI_CLIENTS);
    struct cli_path key_path = cli_path_of(pki->folder, "%s/key.pem", holder->name);
    struct auth_certificate authority = {0}, made = {0};
    const struct auth_certificate_wish wish = {
        .unit = holder->unit,
        .name = holder->name,
        .hosts = holder->hosts,
        .serves = is_node(holder),
        .from_s = pki->now_s - EARLY_S,
        .to_s = pki->now_s + pki->days * DAY_S,
    };
    int err = read_file(paths.certificates.text, &authority.certificate, reterr_why);
    if (err == 0)
        err = read_file(paths.key.text, &authority.key, reterr_why);
    if (err == 0 && (err = auth_certificate_make(&wish, &authority, &made)) != 0)
        error_text_set(reterr_why, err, "cannot issue for %s with %s", holder->name,
                       paths.key.text);
    if (err == 0)
        err = write_pair(certificate_path, key_path.text, &made, reterr_why);
    auth_certificate_free(&authority);
    auth_certificate_free(&made);
    return err == 0 ? 1 : err;
}

static int issue_when_due(const struct cli_pki *pki, const struct cli_pki_holder *holder,
                          enum cli_pki_when when, struct error_text *reterr_why)
{
    struct cli_path path = cli_path_of(pki->folder, "%s/certificate.pem", holder->name);
    struct buffer there = {0};
    struct auth_certificate_span span;
    int err = read_file(path.text, &there, reterr_why);

    if (err == 0 && there.size > 0)
        err = span_of(path.text, &there, &span, reterr_why);
    if (err == 0 && (there.size == 0 || when == CLI_PKI_ALWAYS || is_due(pki, span)))
        err = issue(pki, holder, path.text, reterr_why);
    buffer_free(&there);
    return err;
}

int cli_pki_holder(const struct cli_pki *pki, const struct cli_pki_holder *holder,
                   enum cli_pki_when when, struct error_text *reterr_why)
{
    int err = make_folder(cli_path_of(pki->folder, "%s", holder->name).text, reterr_why);
    bool any = false;

    if (err >= 0)
        err = write_trust(pki, holder, CLI_PKI_NODES, "ca.pem", reterr_why);
    any = err == 1;
    if (err >= 0 && is_node(holder))
        err = write_trust(pki, holder, CLI_PKI_CLIENTS, "clients.pem", reterr_why);
    any = any || err == 1;
    if (err >= 0)
        err = issue_when_due(pki, holder, when, reterr_why);
    return err < 0 ? err : any || err == 1;
}
