#include "edge/edge_token.h"

#include <stdlib.h>
#include <string.h>

static char *append(char *to, const char *from, size_t size)
{
    memcpy(to, from, size);
    return to + size;
}

struct edge_token *edge_token_new(const struct auth_identity *identity, struct text raw,
                                  int64_t leeway_ms, int64_t wall_ms, int64_t now_ms)
{
    size_t user_size = strlen(identity->user);
    size_t device_size = strlen(identity->device);
    size_t id_size = strlen(identity->token_id);
    size_t home_size = strlen(identity->home);
    size_t tenant_size = strlen(identity->tenant);
    struct edge_token *token = calloc(1, sizeof *token + user_size + device_size + id_size +
                                             home_size + tenant_size + raw.size);
    if (token == NULL)
        return NULL;
    token->expires_at_ms = identity->expires_at_s * 1000;
    token->expires_ms = token->expires_at_ms - wall_ms + now_ms;
    token->end_ms = token->expires_ms + leeway_ms;
    token->issued_at_s = identity->issued_at_s;
    token->admin = identity->admin;
    token->service = identity->service;
    token->id_size = (uint8_t)id_size;
    token->user_size = (uint8_t)user_size;
    token->device_size = (uint8_t)device_size;
    token->home_size = (uint8_t)home_size;
    token->tenant_size = (uint8_t)tenant_size;
    token->raw_size = (uint16_t)raw.size; /* at most AUTH_TOKEN_MAX, or it was not good */
    char *to = append(token->names, identity->user, user_size);
    to = append(to, identity->device, device_size);
    to = append(to, identity->token_id, id_size);
    to = append(to, identity->home, home_size);
    to = append(to, identity->tenant, tenant_size);
    append(to, raw.data, raw.size);
    return token;
}

struct text edge_token_user(const struct edge_token *token)
{
    return (struct text){.data = token->names, .size = token->user_size};
}

struct text edge_token_device(const struct edge_token *token)
{
    return (struct text){.data = token->names + token->user_size, .size = token->device_size};
}

static const char *behind_id(const struct edge_token *token)
{
    return token->names + token->user_size + token->device_size + token->id_size;
}

struct text edge_token_home(const struct edge_token *token)
{
    return (struct text){.data = behind_id(token), .size = token->home_size};
}

struct text edge_token_tenant(const struct edge_token *token)
{
    if (token == NULL)
        return TEXT("");
    return (struct text){.data = behind_id(token) + token->home_size, .size = token->tenant_size};
}

struct text edge_token_raw(const struct edge_token *token)
{
    if (token == NULL)
        return TEXT("");
    return (struct text){.data = behind_id(token) + token->home_size + token->tenant_size,
                         .size = token->raw_size};
}

struct auth_holder edge_token_holder(const struct edge_token *token, struct text device)
{
    const char *id = token->names + token->user_size + token->device_size;
    return (struct auth_holder){.user = edge_token_user(token),
                                .device = device.size > 0 ? device : edge_token_device(token),
                                .token_id = {.data = id, .size = token->id_size},
                                .issued_at_s = token->issued_at_s};
}

bool edge_token_fits(const struct edge_token *token, struct text user, struct text device)
{
    return (user.size == 0 || text_equal(user, edge_token_user(token))) &&
           (device.size == 0 || token->device_size == 0 ||
            text_equal(device, edge_token_device(token)));
}

enum edge_token_due edge_token_due(const struct edge_token *token, int64_t expiring_ms,
                                   int64_t now_ms)
{
    if (now_ms >= token->end_ms)
        return EDGE_TOKEN_ENDED;
    return !token->told && now_ms >= token->expires_ms - expiring_ms ? EDGE_TOKEN_EXPIRING
                                                                     : EDGE_TOKEN_GOOD;
}

int64_t edge_token_wait_ms(const struct edge_token *token, int64_t expiring_ms, int64_t now_ms)
{
    if (edge_token_due(token, expiring_ms, now_ms) != EDGE_TOKEN_GOOD)
        return 0;
    return (token->told ? token->end_ms : token->expires_ms - expiring_ms) - now_ms;
}
