/* Names that nobody has to be asked for: literal addresses, localhost, and what is never a name. */
#include "core/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

enum { KNOWN_TTL_S = 86400 };

void resolve_set_port(struct sockaddr_storage *address, uint16_t port)
{
	if (address->ss_family == AF_INET)
		((struct sockaddr_in *)address)->sin_port = htons(port);
	else
		((struct sockaddr_in6 *)address)->sin6_port = htons(port);
}

bool resolve_literal(struct slice name, uint16_t port, struct sockaddr_storage *address)
{
	struct sockaddr_in *v4 = (struct sockaddr_in *)address;
	struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)address;
	char text[INET6_ADDRSTRLEN];

	if (name.size >= 2 && name.data[0] == '[' && name.data[name.size - 1] == ']')
		name = slice_of(name.data + 1, name.size - 2); /* as URLs spell IPv6 addresses */
	if (name.size == 0 || name.size >= sizeof(text) || memchr(name.data, '\0', name.size))
		return false;
	memcpy(text, name.data, name.size);
	text[name.size] = '\0';
	memset(address, 0, sizeof(*address));
	if (inet_pton(AF_INET, text, &v4->sin_addr) == 1)
		address->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, text, &v6->sin6_addr) == 1)
		address->ss_family = AF_INET6;
	else
		return false;
	resolve_set_port(address, port);
	return true;
}

/* The top-level domain itself or any name in it, with or without the root's dot. */
static bool is_in(struct slice name, struct slice domain)
{
	if (name.size && name.data[name.size - 1] == '.')
		name.size--;
	if (name.size > domain.size && name.data[name.size - domain.size - 1] == '.')
		name = slice_after(name, name.size - domain.size);
	return slice_equal_nocase(name, domain);
}

/* Loopback whatever files and servers say, so that it needs neither (RFC 6761 section 6.3). */
static void answer_localhost(struct resolve_query *query)
{
	resolve_literal(SLICE("127.0.0.1"), query->port, &query->addresses[0]);
	resolve_literal(SLICE("::1"), query->port, &query->addresses[1]);
	query->count = 2;
}

bool resolve_known(struct resolve_query *query)
{
	struct slice name = slice_of_string(query->name);

	query->count = 0;
	query->ttl_s = KNOWN_TTL_S;
	query->result = 0;
	if (is_in(name, SLICE("localhost")))
		answer_localhost(query);
	else if (resolve_literal(name, query->port, &query->addresses[0]))
		query->count = 1;
	else if (is_in(name, SLICE("invalid")))
		query->result = -ENOENT; /* RFC 6761 section 6.4 */
	else
		query->ttl_s = 0;
	return query->ttl_s > 0;
}
