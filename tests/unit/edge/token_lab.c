#include "token_lab.h"

#include "base/clock.h"

#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char secret[] = "a secret of the tests, 32 or more";

void token_lab_begin(struct token_lab *lab, bool required)
{
    *lab = (struct token_lab){.settings = {.required = required,
                                           .issuer = "https://login.example",
                                           .audience = "meridian",
                                           .lifetime_max_ms = 86400000,
                                           .expiring_ms = 60000,
                                           .key_count = 1},
                              .row = {.format = AUTH_FORMAT_SECRET}};
    lab->settings.keys = &lab->row;
    strcpy(lab->row.file, "/tmp/token_lab_XXXXXX");
    int fd = mkstemp(lab->row.file);
    assert_int_equal(write(fd, secret, strlen(secret)), strlen(secret));
    close(fd);
    assert_int_equal(auth_key_of_secret(&lab->key, text_of(secret), NULL), 0);
    lab->auth = edge_auth_new(&lab->settings, NULL);
    assert_non_null(lab->auth);
}

void token_lab_end(struct token_lab *lab)
{
    edge_auth_free(lab->auth);
    auth_key_done(&lab->key);
    unlink(lab->row.file);
}

const char *token_of(struct token_lab *lab, const char *user, const char *device, int left_s)
{
    static struct buffer token;
    static char kept[AUTH_TOKEN_MAX + 1];
    char claims[512];
    int64_t now_s = clock_wall_ms() / 1000;
    int size = snprintf(claims, sizeof claims,
                        "{\"iss\":\"%s\",\"aud\":\"%s\",\"sub\":\"%s\",\"iat\":%" PRIi64
                        ",\"exp\":%" PRIi64,
                        lab->settings.issuer, lab->settings.audience, user, now_s, now_s + left_s);
    bool named = device[0] != '\0';
    snprintf(claims + size, sizeof claims - (size_t)size, "%s%s%s}", named ? ",\"device\":\"" : "",
             device, named ? "\"" : "");
    assert_int_equal(auth_token_make(&lab->key, text_of(claims), &token), 0);
    assert_int_equal(text_put(kept, sizeof kept, buffer_text(&token)), 0);
    buffer_free(&token);
    return kept;
}
