/* See ration.h. */
#include "tls/ration.h"

#include "core/clock.h"

#include <netinet/in.h>
#include <string.h>

#define BURST_NS NS_PER_S

void tls_ration_init(struct tls_ration *r, uint64_t seed)
{
	memset(r, 0, sizeof(*r));
	r->seed = seed;
}

/* Whether one may begin now that moves `full_ns` on, and that it did. */
static bool take(uint64_t *full_ns, uint32_t per_s, uint64_t now_ns)
{
	uint64_t from_ns = *full_ns > now_ns ? *full_ns : now_ns, step_ns = NS_PER_S / per_s;

	if (from_ns + step_ns > now_ns + BURST_NS)
		return false;
	*full_ns = from_ns + step_ns;
	return true;
}

bool tls_ration_take(struct tls_ration *r, uint64_t now_ns)
{
	return !r->per_s || take(&r->full_ns, r->per_s, now_ns);
}

uint64_t tls_ration_next_ns(const struct tls_ration *r)
{
	return r->per_s ? r->full_ns + NS_PER_S / r->per_s - BURST_NS : 0;
}

/* What counts of an address: IPv4, also within IPv6, or an IPv6 network of 64 bits. False: neither. */
static bool network_of(const struct sockaddr_storage *address, uint64_t *network)
{
	const struct sockaddr_in *v4 = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)address;
	uint32_t short_address;

	if (address->ss_family == AF_INET) {
		*network = v4->sin_addr.s_addr;
		return true;
	}
	if (address->ss_family != AF_INET6)
		return false;
	if (IN6_IS_ADDR_V4MAPPED(&v6->sin6_addr)) {
		memcpy(&short_address, v6->sin6_addr.s6_addr + 12, sizeof(short_address));
		*network = short_address;
	} else {
		memcpy(network, v6->sin6_addr.s6_addr, sizeof(*network));
	}
	return true;
}

/* Two rounds of multiply and fold, keyed. One to one, so that no two networks share a slot. */
static uint64_t hash_of(const struct tls_ration *r, uint64_t network)
{
	uint64_t hash = network ^ r->seed;

	for (unsigned i = 0; i < 2; i++) {
		hash *= 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
		hash *= r->seed | 1;
		hash ^= hash >> 29;
	}
	return hash;
}

/* Its own slot, or else the one that is missed least. */
static struct tls_ration_slot *slot_of(struct tls_ration *r, uint64_t hash)
{
	struct tls_ration_slot *set = r->slots[hash % TLS_RATION_SETS], *least = set;

	for (unsigned i = 0; i < TLS_RATION_WAYS; i++) {
		if (set[i].address == hash && set[i].full_ns)
			return &set[i];
		if (set[i].full_ns < least->full_ns)
			least = &set[i];
	}
	*least = (struct tls_ration_slot){.address = hash};
	return least;
}

bool tls_ration_take_from(struct tls_ration *r, const struct sockaddr_storage *address, uint64_t now_ns)
{
	uint64_t network;

	if (!r->per_ip_per_s || !network_of(address, &network))
		return true;
	return take(&slot_of(r, hash_of(r, network))->full_ns, r->per_ip_per_s, now_ns);
}
