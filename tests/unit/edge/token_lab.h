/* Tokens for an edge that verifies them, and who issues them, with a secret in a file. */
#pragma once

#include "edge/edge_auth.h"

struct token_lab {
    struct auth_settings settings;
    struct auth_key_settings row;
    struct auth_key key;
    struct edge_auth *auth;
};

/* The keys are read; `required` as given. */
void token_lab_begin(struct token_lab *lab, bool required);
void token_lab_end(struct token_lab *lab);
/* A token of a user, and of a device unless it is empty, issued now, that ends in `left_s`. Good
 * until the next call. */
const char *token_of(struct token_lab *lab, const char *user, const char *device, int left_s);
