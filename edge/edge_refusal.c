#include "edge/edge_refusal.h"

#include "json/json.h"

enum { MOMENT_MS = 1000 };

struct edge_refusal edge_refusal(int status, const char *code, const char *message)
{
    bool retryable = status == 503 || status == 429;
    return (struct edge_refusal){.status = status,
                                 .code = code,
                                 .message = message,
                                 .retryable = retryable,
                                 .retry_after_ms = retryable ? MOMENT_MS : 0};
}

struct edge_refusal edge_refusal_of_message(enum edge_code code, struct text id)
{
    const struct edge_code_row *row = edge_code_row(code);
    return (struct edge_refusal){.status = row->http_status,
                                 .code = row->name,
                                 .message = row->message,
                                 .retryable = row->retryable,
                                 .retry_after_ms = row->retry_after_ms,
                                 .outcome = "rejected",
                                 .id = id};
}

struct edge_refusal edge_refusal_unknown(struct text id)
{
    return (struct edge_refusal){.status = 504,
                                 .code = "unknown",
                                 .message = "not known in time: send it again with this id",
                                 .retryable = true,
                                 .outcome = "unknown",
                                 .id = id};
}

void edge_refusal_write(struct buffer *json, const struct edge_refusal *refusal)
{
    buffer_append_text(json, TEXT("{"));
    if (refusal->outcome != NULL) {
        buffer_append_text(json, TEXT("\"status\":"));
        json_write_string(json, text_of(refusal->outcome));
        buffer_append_text(json, TEXT(","));
    }
    if (refusal->id.size > 0) {
        buffer_append_text(json, TEXT("\"id\":"));
        json_write_string(json, refusal->id);
        buffer_append_text(json, TEXT(","));
    }
    buffer_append_text(json, TEXT("\"code\":"));
    json_write_string(json, text_of(refusal->code));
    buffer_append_text(json, TEXT(",\"message\":"));
    json_write_string(json, text_of(refusal->message));
    buffer_printf(json, ",\"retryable\":%s}", refusal->retryable ? "true" : "false");
}
