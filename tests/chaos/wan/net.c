#include "wan/net.h"

#include "wan/command.h"
#include "json/json.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* Packets of a site that took no line. */
struct strays {
    uint64_t not_ipv4;
    uint64_t unroutable; /* for an address nobody has, or the site's own */
};

struct wan_net {
    struct wan_sites sites;
    uint64_t seed;
    struct strays strays[WAN_SITES_MAX];
    struct wan_line lines[]; /* from site i to site j at i * count + j */
};

static struct wan_line *line_of(struct wan_net *net, size_t from, size_t to)
{
    return &net->lines[from * net->sites.count + to];
}

static void seed_lines(struct wan_net *net, uint64_t seed)
{
    net->seed = seed;
    for (size_t from = 0; from < net->sites.count; from++)
        for (size_t to = 0; to < net->sites.count; to++)
            wan_line_seed(line_of(net, from, to), seed, from * WAN_SITES_MAX + to);
}

struct wan_net *wan_net_new(const struct wan_sites *sites, uint64_t seed, uint64_t held_max_bytes)
{
    size_t lines = sites->count * sites->count;
    struct wan_net *net = calloc(1, sizeof *net + lines * sizeof net->lines[0]);
    if (net == NULL)
        return NULL;
    net->sites = *sites;
    for (size_t i = 0; i < lines; i++)
        wan_line_init(&net->lines[i], held_max_bytes);
    seed_lines(net, seed);
    return net;
}

void wan_net_free(struct wan_net *net)
{
    free(net);
}

const struct wan_sites *wan_net_sites(const struct wan_net *net)
{
    return &net->sites;
}

struct wan_line *wan_net_route(struct wan_net *net, size_t from, const uint8_t *packet, size_t size,
                               size_t *ret_to)
{
    int to = wan_sites_route(&net->sites, packet, size);
    if (to == -EBADMSG)
        net->strays[from].not_ipv4++;
    else if (to < 0 || (size_t)to == from)
        net->strays[from].unroutable++;
    if (to < 0 || (size_t)to == from)
        return NULL;
    *ret_to = (size_t)to;
    return line_of(net, from, (size_t)to);
}

static void change_line(struct wan_line *line, const struct wan_command *command, int64_t now_ns)
{
    switch (command->verb) {
    case WAN_SET:
        for (size_t i = 0; i < WAN_KNOBS; i++)
            if ((command->given >> i & 1) != 0)
                wan_line_set(line, (enum wan_knob)i, command->knobs.value[i]);
        return;
    case WAN_CUT:
    case WAN_ISOLATE:
        line->cut = true;
        return;
    case WAN_FLAP:
        line->flap_since_ns = now_ns;
        line->flap_down_ns = command->down_ns;
        line->flap_up_ns = command->up_ns;
        return;
    case WAN_HEAL:
        line->cut = false;
        line->flap_down_ns = line->flap_up_ns = 0;
        return;
    case WAN_SEED:
    case WAN_SHOW:
    case WAN_VERBS:
        return;
    }
}

static void change(struct wan_net *net, const struct wan_command *command, int64_t now_ns)
{
    if (command->verb == WAN_SEED)
        seed_lines(net, command->seed);
    for (size_t from = 0; from < net->sites.count; from++)
        for (size_t to = 0; to < net->sites.count; to++)
            if (wan_command_concerns(command, from, to))
                change_line(line_of(net, from, to), command, now_ns);
}

static void show_sites(const struct wan_net *net, struct buffer *out)
{
    for (size_t i = 0; i < net->sites.count; i++) {
        const struct wan_site *site = &net->sites.site[i];
        char network[NETWORK_TEXT_SIZE];
        network_text(&site->network, network);
        buffer_printf(out,
                      "%s{\"name\":\"%s\",\"network\":\"%s\",\"not_ipv4\":%" PRIu64
                      ",\"unroutable\":%" PRIu64 "}",
                      i == 0 ? "" : ",", site->name, network, net->strays[i].not_ipv4,
                      net->strays[i].unroutable);
    }
}

static void show(struct wan_net *net, const struct wan_command *command, int64_t now_ns,
                 struct buffer *out)
{
    const char *comma = "";
    buffer_printf(out, ",\"seed\":%" PRIu64 ",\"sites\":[", net->seed);
    show_sites(net, out);
    buffer_append_text(out, TEXT("],\"lines\":["));
    for (size_t from = 0; from < net->sites.count; from++) {
        for (size_t to = 0; to < net->sites.count; to++) {
            if (!wan_command_concerns(command, from, to))
                continue;
            buffer_printf(out, "%s{\"from\":\"%s\",\"to\":\"%s\",", comma,
                          net->sites.site[from].name, net->sites.site[to].name);
            wan_line_write(line_of(net, from, to), now_ns, out);
            buffer_append_text(out, TEXT("}"));
            comma = ",";
        }
    }
    buffer_append_text(out, TEXT("]"));
}

void wan_net_tell(struct wan_net *net, struct text line, int64_t now_ns, struct buffer *out)
{
    struct wan_command command;
    struct error_text why = {0};
    if (wan_command_parse(&net->sites, line, &command, &why) != 0) {
        buffer_append_text(out, TEXT("{\"ok\":false,\"error\":"));
        json_write_string(out, text_of(why.text));
    } else {
        buffer_append_text(out, TEXT("{\"ok\":true"));
        change(net, &command, now_ns);
        if (command.verb == WAN_SHOW)
            show(net, &command, now_ns, out);
    }
    buffer_append_text(out, TEXT("}\n"));
}
