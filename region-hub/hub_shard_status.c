/* What a shard tells of itself: to other threads, to the archiver, in its beat, by alarms. */
#include "region-hub/hub_shard_internal.h"

/* A shard that is stopped may have another log than its view: nothing of it is archived. */
static void tell_archiver(struct hub_shard *shard)
{
    const struct mailbox *mailbox = hub_apply_mailbox(shard->apply);
    if (mailbox == NULL)
        return;
    const struct mailbox_state state = mailbox_state(mailbox);
    const struct hub_archiver_news news = {
        .owns = shard->generation != 0 && !hub_apply_is_stopped(shard->apply),
        .incarnation = state.position > 0 ? state.incarnation : NULL,
        .row = state.rows,
    };
    hub_archiver_tell(shard->place.archiver, shard->place.shard, &news);
}

static void tell_moves(struct hub_shard *shard, const struct mailbox *mailbox)
{
    const struct mailbox_moving moving = mailbox_moving(mailbox);
    atomic_store(&shard->moving, moving.users);
    atomic_store(&shard->held, moving.held);
    atomic_store(&shard->to_pass_on, moving.to_pass_on);
    atomic_store(&shard->passed_on, shard->passed.sent);
    atomic_store(&shard->not_passed_on, shard->passed.over + shard->passed.missing);
}

void hub_shard_tell_status(struct hub_shard *shard)
{
    const char *trouble = hub_apply_trouble(shard->apply);
    bool connected = bus_is_connected(shard->bus);
    if (trouble == NULL && !connected)
        trouble = "bus_not_connected";
    atomic_store(&shard->connected, connected);
    atomic_store(&shard->stopped, hub_apply_is_stopped(shard->apply));
    atomic_store(&shard->ready, trouble == NULL);
    atomic_store(&shard->reason, trouble == NULL ? "" : trouble);
    atomic_store(&shard->warning, hub_checkpoint_warning(shard->checkpoint));
    atomic_store(&shard->state, (unsigned)shard->ownership.state);
    atomic_store(&shard->position, hub_apply_position(shard->apply));
    atomic_store(&shard->generation_now, shard->ownership.generation);
    atomic_store(&shard->attached, hub_presence_attached(shard->presence));
    tell_archiver(shard);
    const struct mailbox *mailbox = hub_apply_mailbox(shard->apply);
    if (mailbox != NULL)
        tell_moves(shard, mailbox);
    if (mailbox != NULL && mailbox_state(mailbox).position > 0)
        atomic_store(&shard->log_level, mailbox_state(mailbox).config.level);
}

void hub_shard_judge_alarms(struct hub_shard *shard)
{
    const struct mailbox *mailbox = hub_apply_mailbox(shard->apply);
    const struct view *view = hub_apply_view(shard->apply);
    const char *trouble = hub_apply_trouble(shard->apply);
    bool stopped = hub_apply_is_stopped(shard->apply);
    if (hub_shard_now_ms(shard) - shard->misrouted_ms >= HUB_SHARD_MISROUTED_MS)
        shard->misrouted = 0;
    struct hub_alarm_facts facts = {
        .stopped = stopped ? trouble : NULL,
        .trouble = stopped ? NULL : trouble,
        .position = hub_apply_position(shard->apply),
        .quarantined = view == NULL ? 0 : view_quarantined(view),
        .quarantine_position = view == NULL ? 0 : view_quarantined_last(view),
        .misrouted = shard->misrouted,
        .outboxes_regressed =
            shard->forwarder == NULL ? 0 : hub_forwarder_regressed(shard->forwarder),
    };
    facts.lane_holes = hub_holes_long(hub_apply_holes(shard->apply), shard->settings->lane_hole_ms,
                                      &facts.lane_hole_position);
    if (mailbox != NULL) {
        struct mailbox_state state = mailbox_state(mailbox);
        facts.notices_dropped = state.notices_dropped;
        if (state.checkpoint_position != 0)
            facts.checkpoint_age_ms = state.time_ms - state.checkpoint_ms;
        const struct mailbox_moving moving = mailbox_moving(mailbox);
        facts.moves_wait = hub_waits_long(&shard->waits, &moving, state.notices_first,
                                          hub_apply_now_ms(shard->apply), hub_shard_now_ms(shard));
    }
    hub_alarms_judge(&shard->alarms, &facts, hub_shard_now_ms(shard));
}

void hub_shard_fill_member_beat(void *context, struct wire_member_beat *beat)
{
    struct hub_shard *shard = context;
    bool stopped = hub_apply_is_stopped(shard->apply);
    const char *reason = atomic_load(&shard->reason);
    beat->flags = (uint8_t)((shard->generation != 0 ? WIRE_MEMBER_SERVES : 0) |
                            (atomic_load(&shard->ready) ? WIRE_MEMBER_READY : 0) |
                            (stopped ? WIRE_MEMBER_STOPPED : 0));
    beat->trouble = text_of(reason);
    if (shard->generation != 0)
        beat->log_permille = hub_beats_log_permille(shard->beats);
}

const struct hub_alarms *hub_shard_alarms(const struct hub_shard *shard)
{
    return &shard->alarms;
}

struct hub_shard_status hub_shard_status(const struct hub_shard *shard)
{
    return (struct hub_shard_status){
        .connected = atomic_load(&shard->connected),
        .ready = atomic_load(&shard->ready),
        .stopped = atomic_load(&shard->stopped),
        .state = hub_ownership_state_name((enum hub_ownership_state)atomic_load(&shard->state)),
        .reason = atomic_load(&shard->reason),
        .warning = atomic_load(&shard->warning),
        .position = atomic_load(&shard->position),
        .generation = atomic_load(&shard->generation_now),
        .attached = atomic_load(&shard->attached),
        .log_level = atomic_load(&shard->log_level),
        .moving = atomic_load(&shard->moving),
        .held = atomic_load(&shard->held),
        .to_pass_on = atomic_load(&shard->to_pass_on),
        .passed_on = atomic_load(&shard->passed_on),
        .not_passed_on = atomic_load(&shard->not_passed_on),
    };
}
