/* Who a request comes from: see client_address.h. */
#include "route/tenancy/client_address.h"

#include "core/resolve.h"
#include "route/tenancy/keys.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static struct slice trim(struct slice s)
{
	while (s.size && (s.data[0] == ' ' || s.data[0] == '\t'))
		s = slice_after(s, 1);
	while (s.size && (s.data[s.size - 1] == ' ' || s.data[s.size - 1] == '\t'))
		s.size--;
	return s;
}

static bool is_port(struct slice s)
{
	bool digits = s.size >= 1 && s.size <= 5;

	for (size_t i = 0; digits && i < s.size; i++)
		digits = s.data[i] >= '0' && s.data[i] <= '9';
	return digits;
}

/* Some proxies add the port: "192.0.2.1:5000", "[2001:db8::1]:5000". An IPv6 address without brackets has none. */
static struct slice without_port(struct slice s)
{
	const char *last = s.size ? memrchr(s.data, ':', s.size) : NULL;
	size_t host_bytes = last ? (size_t)(last - s.data) : 0;

	if (!last || !is_port(slice_after(s, host_bytes + 1)))
		return s;
	if (s.data[0] == '[' ? host_bytes && last[-1] == ']' : memchr(s.data, ':', s.size) == last)
		s.size = host_bytes;
	return s;
}

/* Takes the last of a comma-separated list off its end. */
static struct slice take_last(struct slice *list)
{
	const char *comma = list->size ? memrchr(list->data, ',', list->size) : NULL;
	struct slice last = *list;

	list->size = comma ? (size_t)(comma - list->data) : 0;
	return trim(comma ? slice_after(last, list->size + 1) : last);
}

/* False when the walk ends: who speaks is not trusted, or names nobody. */
static bool step(const struct strings *proxies, struct slice named, struct sockaddr_storage *client)
{
	struct sockaddr_storage address;

	if (!address_allowed(proxies, client) || !resolve_literal(without_port(named), 0, &address))
		return false;
	*client = address;
	return true;
}

void client_address(const struct strings *proxies, const struct http_head *head, const struct sockaddr_storage *peer,
	struct sockaddr_storage *client)
{
	*client = *peer;
	if (!proxies->count) /* an empty list would mean everybody */
		return;
	for (unsigned i = head->header_count; i-- > 0;) {
		struct slice list = head->headers[i].value;

		if (!slice_equal_nocase(head->headers[i].name, SLICE("x-forwarded-for")))
			continue;
		while (list.size)
			if (!step(proxies, take_last(&list), client))
				return;
	}
}

void client_address_print(const struct sockaddr_storage *address, struct text *text)
{
	const uint8_t *v4 = (const uint8_t *)&((const struct sockaddr_in *)address)->sin_addr;
	char v6[INET6_ADDRSTRLEN];

	if (address->ss_family == AF_INET6 &&
		inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)address)->sin6_addr, v6, sizeof(v6)))
		text_string(text, v6);
	for (unsigned i = 0; address->ss_family == AF_INET && i < 4; i++) {
		if (i)
			text_char(text, '.');
		text_u64(text, v4[i]);
	}
}
