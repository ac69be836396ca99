/* What model.c and model_moves.c share. */
#pragma once

#include "model.h"

void *model_grow(void *items, size_t count, size_t size);
void model_pass(struct model *model, const char *why);
void model_note(struct model *model, const struct model_notice *notice);
const struct model_seen *model_seen(const struct model *model, const struct model_record *record,
                                    int recipient);
void model_remember(struct model *model, const struct model_record *record, int recipient,
                    uint64_t seq);
struct model_user *model_take_user(struct model *model, int number);
bool model_is_ours(const struct model *model, int number);
void model_weigh(const struct model *model, struct model_user *user, size_t body_size);
void model_ask(struct model *model, const struct model_record *record, int number);

bool model_is_here(const struct model_user *user);
void model_hold(struct model *model, const struct model_record *record, int to);
bool model_is_move(enum wire_kind kind);
void model_apply_move(struct model *model, const struct model_record *record);
void model_free_user(struct model_user *user);
