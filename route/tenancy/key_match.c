/* What a key and the routing permit: globs on names, and address ranges. */
#include "route/tenancy/keys.h"

#include <arpa/inet.h>
#include <stdlib.h>

/*
 * Iterative, so that a pattern of many stars costs at most its length times the text's: only the last star is ever
 * retried.
 */
bool glob_match(const char *pattern, struct slice text)
{
	const char *star = NULL;
	size_t at = 0, star_at = 0;

	while (at < text.size) {
		if (*pattern == '*') {
			star = pattern++;
			star_at = at;
		} else if (*pattern && (*pattern == '?' || *pattern == text.data[at])) {
			pattern++;
			at++;
		} else if (star) {
			pattern = star + 1;
			at = ++star_at;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

static bool matches_any(const struct strings *patterns, struct slice text)
{
	for (unsigned i = 0; i < patterns->count; i++)
		if (glob_match(patterns->list[i], text))
			return true;
	return false;
}

bool key_allows_model(const struct key_settings *key, struct slice model_id)
{
	return matches_any(&key->models, model_id);
}

bool key_allows_endpoint(const struct key_settings *key, struct slice name)
{
	return matches_any(&key->endpoints, name);
}

bool routing_allows_model(const struct settings *settings, struct slice model_id)
{
	const struct routing_features *routing = &settings->routing.more;

	return (!routing->allowed_models.count || matches_any(&routing->allowed_models, model_id)) &&
	       !matches_any(&routing->blocked_models, model_id);
}

static bool is_among(const struct strings *names, const char *name)
{
	for (unsigned i = 0; i < names->count; i++)
		if (strcmp(names->list[i], name) == 0)
			return true;
	return false;
}

bool routing_allows_provider(const struct settings *settings, const char *name)
{
	const struct routing_features *routing = &settings->routing.more;

	return (!routing->allowed_providers.count || is_among(&routing->allowed_providers, name)) &&
	       !is_among(&routing->blocked_providers, name);
}

/* An address as the bits that prefixes compare; IPv4 mapped into IPv6 counts as IPv4. */
struct address_bits {
	unsigned bit_count; /* 32, 128; 0: no such address */
	uint8_t bytes[16];
};

static struct address_bits bits_of_v6(const uint8_t bytes[static 16])
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct address_bits bits = {.bit_count = 128};

	if (memcmp(bytes, mapped, sizeof(mapped)) == 0) {
		bits.bit_count = 32;
		memcpy(bits.bytes, bytes + sizeof(mapped), 4);
	} else {
		memcpy(bits.bytes, bytes, 16);
	}
	return bits;
}

static struct address_bits bits_of(const struct sockaddr_storage *address)
{
	struct address_bits bits = {0};

	if (address->ss_family == AF_INET) {
		bits.bit_count = 32;
		memcpy(bits.bytes, &((const struct sockaddr_in *)address)->sin_addr, 4);
	} else if (address->ss_family == AF_INET6) {
		bits = bits_of_v6(((const struct sockaddr_in6 *)address)->sin6_addr.s6_addr);
	}
	return bits;
}

/* "10.0.0.0/8", "2001:db8::/32", or an address alone. False when it is none of these. */
static bool parse_range(const char *range, struct address_bits *bits, unsigned *prefix_bits)
{
	char text[INET6_ADDRSTRLEN], *end;
	size_t size = strcspn(range, "/");
	unsigned long prefix = 0;
	uint8_t v6[16];
	bool plain = !range[size];

	if (size >= sizeof(text))
		return false;
	memcpy(text, range, size);
	text[size] = '\0';
	if (!plain) {
		prefix = strtoul(range + size + 1, &end, 10);
		if (range[size + 1] < '0' || range[size + 1] > '9' || *end)
			return false;
	}
	*bits = (struct address_bits){.bit_count = 32};
	if (inet_pton(AF_INET, text, bits->bytes) != 1) {
		if (inet_pton(AF_INET6, text, v6) != 1)
			return false;
		*bits = bits_of_v6(v6);
		if (!plain && bits->bit_count == 32) { /* ::ffff:10.0.0.0/104 */
			if (prefix < 96)
				return false;
			prefix -= 96;
		}
	}
	*prefix_bits = plain ? bits->bit_count : (unsigned)prefix;
	return plain || prefix <= bits->bit_count;
}

static bool in_range(const struct address_bits *address, const char *range)
{
	struct address_bits base;
	unsigned prefix_bits, whole_bytes, mask;

	if (!parse_range(range, &base, &prefix_bits) || base.bit_count != address->bit_count)
		return false;
	whole_bytes = prefix_bits / 8;
	mask = 0xff00u >> prefix_bits % 8 & 0xff;
	return memcmp(address->bytes, base.bytes, whole_bytes) == 0 &&
	       (!mask || ((address->bytes[whole_bytes] ^ base.bytes[whole_bytes]) & mask) == 0);
}

bool address_allowed(const struct strings *allow, const struct sockaddr_storage *address)
{
	struct address_bits bits = bits_of(address);

	if (!allow->count)
		return true;
	for (unsigned i = 0; bits.bit_count && i < allow->count; i++)
		if (in_range(&bits, allow->list[i]))
			return true;
	return false;
}
