/* History: the answer of an owner, and the query of a URL, by the first byte. What is taken of an
 * answer is whole, and can be told; what is taken of a query is within its bounds. */
#include "edge/edge_history.h"

#include <stdlib.h>
#include <string.h>

static const uint64_t request = 0x0a0b0c0d0e0f0102; /* of the golden file of a page */

static void require(bool holds)
{
    if (!holds)
        abort();
}

static void try_answer(const uint8_t *data, size_t size)
{
    struct edge_history_page page;
    struct buffer json = {0};
    enum wire_answer code;
    if (edge_history_read(data, size, request, &code, &page) != 0 || code != WIRE_OK)
        return;
    edge_history_write(&json, &page);
    require(!json.failed && json.size >= page.rows.entries.left / 2);
    require(page.reason.size == 0 || text_is_word(page.reason));
    buffer_free(&json);
}

static void try_query(struct text text)
{
    struct edge_settings settings;
    struct edge_history_query query;
    settings_defaults(edge_settings_table, &settings);
    if (edge_history_query_url(text, &settings, &query) != NULL)
        return;
    require(query.limit >= 1 && query.limit <= settings.history_messages_max);
    require(query.flags == WIRE_HISTORY_BEFORE || (query.flags == 0 && query.seq == 0));
    require(query.flags == 0 || edge_history_is_wanted(text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    if (data[0] % 2 == 0)
        try_answer(data + 1, size - 1);
    else
        try_query((struct text){(const char *)data + 1, size - 1});
    return 0;
}
