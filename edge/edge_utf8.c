#include "edge/edge_utf8.h"

#include <string.h>

static bool edge_utf8_begin(struct edge_utf8 *state, uint8_t byte)
{
    state->low = 0x80;
    state->high = 0xbf;
    if (byte >= 0xc2 && byte <= 0xdf) {
        state->left = 1;
    } else if (byte >= 0xe0 && byte <= 0xef) {
        state->left = 2;
        if (byte == 0xe0) /* below would be an overlong form */
            state->low = 0xa0;
        if (byte == 0xed) /* above are the surrogates */
            state->high = 0x9f;
    } else if (byte >= 0xf0 && byte <= 0xf4) {
        state->left = 3;
        if (byte == 0xf0) /* below would be an overlong form */
            state->low = 0x90;
        if (byte == 0xf4) /* above is past U+10FFFF */
            state->high = 0x8f;
    } else {
        return false;
    }
    return true;
}

/* How many bytes at the start are plain ASCII, found eight at a time. */
static size_t edge_utf8_ascii(const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (size - at >= sizeof(uint64_t)) {
        uint64_t word;
        memcpy(&word, bytes + at, sizeof word);
        if ((word & 0x8080808080808080U) != 0)
            break;
        at += sizeof word;
    }
    while (at < size && bytes[at] < 0x80)
        at++;
    return at;
}

bool edge_utf8_feed(struct edge_utf8 *state, const uint8_t *bytes, size_t size)
{
    size_t at = 0;
    while (at < size) {
        if (state->left == 0) {
            at += edge_utf8_ascii(bytes + at, size - at);
            if (at == size)
                break;
            if (!edge_utf8_begin(state, bytes[at]))
                return false;
        } else {
            if (bytes[at] < state->low || bytes[at] > state->high)
                return false;
            state->left--;
            state->low = 0x80;
            state->high = 0xbf;
        }
        at++;
    }
    return true;
}

bool edge_utf8_complete(const struct edge_utf8 *state)
{
    return state->left == 0;
}
