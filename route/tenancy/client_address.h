/*
 * Who a request comes from: the peer, unless that is a trusted proxy (http.trusted_proxies); then whom the proxy names.
 */
#ifndef ROUTE_CLIENT_ADDRESS_H
#define ROUTE_CLIENT_ADDRESS_H

#include "core/config_values.h"
#include "core/text.h"
#include "proto/http/http.h"

#include <sys/socket.h>

/*
 * Each proxy appends its own peer to X-Forwarded-For, so the list is read from its end as long as who speaks is
 * trusted; what stands before the first address that is not could be anybody's invention. An entry that is no address
 * ends it.
 */
void client_address(const struct strings *proxies, const struct http_head *head, const struct sockaddr_storage *peer,
	struct sockaddr_storage *client);

enum { CLIENT_ADDRESS_TEXT_BYTES = 46 };

/* Without a port; nothing when it is no internet address. */
void client_address_print(const struct sockaddr_storage *address, struct text *text);

#endif
