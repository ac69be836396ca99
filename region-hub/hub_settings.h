/* What an operator sets for a hub; hub_settings.c has a row for each, with bounds and default. */
#pragma once

#include "base/error_text.h"
#include "base/text.h"
#include "log/log.h"
#include "settings/address.h"
#include "settings/settings.h"

#include <stdint.h>

struct hub_settings {
    char catalogue[512]; /* path of the file of regions */
    char region[TEXT_REGION_MAX + 1];
    char name[TEXT_PROCESS_MAX + 1];
    char data[512];                     /* folder of the views */
    char listen[SETTINGS_ADDRESS_SIZE]; /* empty: as the catalogue says */
    unsigned log_level;                 /* enum log_level */

    char nats_urls[2048]; /* empty: as the catalogue says */
    char nats_user[128];
    char nats_password[128];
    uint64_t nats_pending_max_bytes;

    uint32_t devices_max; /* attached, of one shard */
    uint32_t claims_max;
    uint32_t acks_max;
    uint32_t shown_max;
    uint32_t credit_messages;
    uint64_t credit_bytes;
    int64_t repair_ms;
    int64_t edge_silent_ms;
    int64_t ack_interval_ms;
    uint64_t turn_bytes; /* of catching up, in one loop turn */

    int64_t beat_ms;
    int64_t owner_silent_ms;
    int64_t owner_step_ms;
    int64_t hand_over_ms;
    int64_t tick_ms;

    uint64_t writer_queue_max_bytes;
    int64_t writer_retry_ms;
    int64_t writer_pace_ms;

    uint64_t lane_window_bytes;
    uint32_t lane_window_batches;
    int64_t lane_stall_ms;
    int64_t lane_backoff_min_ms;
    int64_t lane_backoff_max_ms;
    int64_t trim_ms;
    int64_t stream_info_ms;
    int64_t log_doubt_ms;

    uint32_t moves_max;
    int64_t move_silent_ms;

    uint32_t notice_window;
    uint32_t notice_homes_max;
    int64_t noticed_ms;

    uint32_t save_rows;
    int64_t save_ms;
    int64_t log_check_ms;
    int64_t trim_turn_ms;

    int64_t checkpoint_interval_ms;
    int64_t checkpoint_retry_min_ms;
    int64_t checkpoint_retry_max_ms;

    uint32_t level_max; /* of records, 1 to WIRE_LEVEL */
    int64_t lane_hole_ms;

    char archive_url[1024]; /* empty: none */
    bool archive_migrate;
    uint32_t archive_batch_rows;
    uint64_t archive_batch_bytes;
    int64_t archive_connect_timeout_ms;
    int64_t archive_statement_timeout_ms;
    int64_t archive_pause_ms;
    int64_t archive_backoff_min_ms;
    int64_t archive_backoff_max_ms;
    int64_t archive_follow_ms;
    int64_t archive_hold_max_ms;
};

extern const struct setting hub_settings_table[];

/* Arguments of meridian-hub. -EINVAL with the reason; 0: `ret_settings` is complete and checked, or
 * (`*ret_done` is true) something was asked for and printed, and the program ends. */
MUST_USE int hub_settings_from_arguments(int argc, char **argv, struct hub_settings *ret_settings,
                                         bool *ret_done, struct error_text *reterr_why);
