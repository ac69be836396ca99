/* Any bytes as a command: it is answered with one line of JSON, and whatever was set is within its
 * bounds. */
#include "wan/command.h"
#include "wan/net.h"
#include "json/json.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct wan_sites two_sites(void)
{
    struct wan_sites sites = {0};
    if (wan_sites_add(&sites, TEXT("sin=10.77.1.0/24@/a"), NULL) != 0 ||
        wan_sites_add(&sites, TEXT("iad=10.77.2.0/24@/b"), NULL) != 0)
        abort();
    return sites;
}

static void check_knobs(const struct wan_command *command)
{
    for (size_t i = 0; i < WAN_KNOBS; i++)
        if ((command->given >> i & 1) != 0)
            assert(command->knobs.value[i] >= wan_knob_rows[i].min &&
                   command->knobs.value[i] <= wan_knob_rows[i].max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct wan_sites sites = two_sites();
    struct text line = {.data = (const char *)data, .size = size};
    struct wan_command command;
    struct json_value said;
    struct buffer out = {0};
    int err = wan_command_parse(&sites, line, &command, NULL);
    if (err == 0)
        check_knobs(&command);
    struct wan_net *net = wan_net_new(&sites, 1, 1 << 20);
    if (net == NULL)
        abort();
    wan_net_tell(net, line, 0, &out);
    assert(out.size > 0 && memchr(out.data, '\n', out.size) == out.data + out.size - 1);
    assert(json_parse(buffer_text(&out), &said) == 0);
    assert((strncmp((const char *)out.data, "{\"ok\":true", 10) == 0) == (err == 0));
    wan_net_free(net);
    buffer_free(&out);
    return 0;
}
