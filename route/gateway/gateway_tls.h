/*
 * A configuration's TLS: what each listener shows, whom each provider's calls trust. Made on the control thread from
 * files, read-only afterwards. Not there without CONFIG_TLS.
 */
#ifndef ROUTE_GATEWAY_TLS_H
#define ROUTE_GATEWAY_TLS_H

#include "core/text.h"
#include "route/settings/settings.h"

struct gateway;
struct gateway_tls;
struct tls_client;
struct tls_server;
struct tls_tickets;

enum { GATEWAY_TRUST_BYTES = 2 * 4096 + 64 };

/* -errno and `why`, which names the listener or provider and the file. `tickets` outlive it; NULL: none. */
int gateway_tls_make(struct gateway_tls **tls, const struct settings *settings, const struct tls_tickets *tickets,
	char *why, size_t why_bytes);
void gateway_tls_free(struct gateway_tls *tls); /* NULL is let pass */

/* Borrowed from it, by index in the settings; NULL: plain. */
struct tls_server *gateway_tls_server(const struct gateway_tls *tls, unsigned listener);
struct tls_client *gateway_tls_client(const struct gateway_tls *tls, unsigned provider);

/* Whom calls to webhooks trust: the system's issuers. */
struct tls_client *gateway_tls_webhook(const struct gateway_tls *tls);

/* What tells apart whom calls to a provider trust: for http_client_origin(). */
void gateway_tls_trust(const struct provider_settings *provider, struct text *trust);

/* When the first of the listeners' certificates ends; INT64_MAX: there is none. */
int64_t gateway_tls_not_after_s(const struct gateway_tls *tls);

/* Says, a line each, which certificates have ended or will within 30 days of `now_s`. */
void gateway_tls_warn(const struct gateway_tls *tls, const struct settings *settings, int64_t now_s,
	void (*say)(void *context, const char *line), void *context);

/* Prometheus text: handshakes of all shards by how they ended, and when the certificates in force end. */
void gateway_tls_print(const struct gateway *gateway, struct text *text);

#endif
