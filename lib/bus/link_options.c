#include "bus/link_options.h"

#include "bus/credentials.h"

#include <stdlib.h>
#include <string.h>

enum {
    CONNECT_TIMEOUT_MS = 2000,
    /* A silent server is given up after 4 to 6 s. */
    PING_INTERVAL_MS = 2000,
    PINGS_OUT_MAX = 2,
    /* What one turn reads at most, too. More than a record of TLS: what the library had read from
     * the socket and kept back, nobody would tell us of. */
    IO_BUFFER_BYTES = 256 * 1024,
};

/* Without a handler the library writes to stderr. What it reports here (a permission, a slow
 * consumer) has no request to belong to; such a request runs into its timeout. It may call late,
 * so nothing of ours is handed to it. */
static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status,
                     void *context)
{
    (void)connection;
    (void)subscription;
    (void)status;
    (void)context;
}

static natsStatus set_urls(natsOptions *options, const char *urls)
{
    char *copy = strdup(urls);
    if (copy == NULL)
        return NATS_NO_MEMORY;
    const char *servers[64];
    int count = 0;
    char *rest = NULL;
    for (char *url = strtok_r(copy, ", ", &rest); url != NULL && count < (int)COUNT_OF(servers);
         url = strtok_r(NULL, ", ", &rest))
        servers[count++] = url;
    natsStatus status = natsOptions_SetServers(options, servers, count);
    free(copy);
    return status;
}

static natsStatus set_tls(natsOptions *options, const char *folder)
{
    struct bus_credentials files = bus_credentials_of(folder);
    natsStatus status = natsOptions_SetSecure(options, true);
    if (status == NATS_OK)
        status = natsOptions_LoadCATrustedCertificates(options, files.authority);
    if (status == NATS_OK)
        status = natsOptions_LoadCertificatesChain(options, files.certificate, files.key);
    return status;
}

static natsStatus set_options(natsOptions *options, const struct bus_link_settings *settings)
{
    natsStatus steps[] = {
        set_urls(options, settings->urls),
        natsOptions_SetName(options, settings->name),
        settings->user == NULL
            ? NATS_OK
            : natsOptions_SetUserInfo(options, settings->user, settings->password),
        settings->credentials == NULL ? NATS_OK : set_tls(options, settings->credentials),
        natsOptions_SetSendAsap(options, true),
        natsOptions_SetAllowReconnect(options, false),
        natsOptions_SetIgnoreDiscoveredServers(options, true),
        natsOptions_SetTimeout(options, CONNECT_TIMEOUT_MS),
        natsOptions_SetPingInterval(options, PING_INTERVAL_MS),
        natsOptions_SetMaxPingsOut(options, PINGS_OUT_MAX),
        natsOptions_SetIOBufSize(options, IO_BUFFER_BYTES),
        natsOptions_SetErrorHandler(options, on_error, NULL),
    };
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        if (steps[i] != NATS_OK)
            return steps[i];
    return NATS_OK;
}

natsStatus bus_link_options(natsOptions **ret_options, const struct bus_link_settings *settings)
{
    natsStatus status = natsOptions_Create(ret_options);
    return status == NATS_OK ? set_options(*ret_options, settings) : status;
}
