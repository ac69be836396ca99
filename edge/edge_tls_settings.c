#include "edge/edge_tls_settings.h"

#include <errno.h>

const char *const edge_tls_versions[] = {"1.2", "1.3", NULL};

int edge_tls_settings_fit(const struct edge_tls_settings *settings, struct error_text *reterr_why)
{
    bool certificate = settings->certificate[0] != '\0';
    bool key = settings->key[0] != '\0';
    bool listen = settings->listen[0] != '\0';
    if (certificate != key)
        return error_text_set(reterr_why, -EINVAL, "'%s' is empty, must be given where 'tls.%s' is",
                              key ? "tls.certificate" : "tls.key", key ? "key" : "certificate");
    if ((listen || settings->only) && !certificate)
        return error_text_set(reterr_why, -EINVAL,
                              "'tls.certificate' is empty, must be given where 'tls.%s' is",
                              listen ? "listen" : "only");
    if (certificate && !listen && !settings->only)
        return error_text_set(reterr_why, -EINVAL,
                              "'tls.listen' is empty, must be given where 'tls.certificate' is and "
                              "'tls.only' is false");
    if (settings->ticket_lifetime_ms > 0 && settings->ticket_lifetime_ms < 1000)
        return error_text_set(reterr_why, -EINVAL,
                              "'tls.ticket_lifetime' is %lldms, must be 0 or at least 1s",
                              (long long)settings->ticket_lifetime_ms);
    return 0;
}
