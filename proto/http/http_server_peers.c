/* The table of http_server_peers.h. Entries live as long as an address has a connection. */
#include "proto/http/http_server_peers.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum { BUCKETS = 4096 }; /* a power of two; chains stay short up to some ten thousand addresses a shard */

struct entry {
	struct entry *next;
	struct peer peer;
	uint32_t count;
};

struct peers {
	uint64_t seed;
	struct entry *buckets[BUCKETS];
};

struct peer peer_of(const struct sockaddr_storage *address)
{
	struct peer peer = {.family = address->ss_family};

	if (address->ss_family == AF_INET) {
		const struct sockaddr_in *in = (const struct sockaddr_in *)address;

		memcpy(peer.address, &in->sin_addr, sizeof(in->sin_addr));
		peer.port = in->sin_port;
	} else if (address->ss_family == AF_INET6) {
		const struct sockaddr_in6 *in = (const struct sockaddr_in6 *)address;

		memcpy(peer.address, &in->sin6_addr, sizeof(in->sin6_addr));
		peer.port = in->sin6_port;
		peer.scope = in->sin6_scope_id;
	}
	return peer;
}

void peer_print(const struct peer *peer, struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	if (peer->family == AF_INET) {
		*in = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = peer->port};
		memcpy(&in->sin_addr, peer->address, sizeof(in->sin_addr));
	} else if (peer->family == AF_INET6) {
		*in6 = (struct sockaddr_in6){.sin6_family = AF_INET6, .sin6_port = peer->port};
		in6->sin6_scope_id = peer->scope;
		memcpy(&in6->sin6_addr, peer->address, sizeof(in6->sin6_addr));
	} else {
		address->ss_family = AF_UNSPEC;
	}
}

/* Two rounds of multiply and fold, keyed: enough that a client who does not know the seed cannot aim at a bucket. */
static unsigned bucket_of(const struct peers *peers, const struct peer *peer)
{
	uint64_t halves[2];
	uint64_t hash = peers->seed;

	memcpy(halves, peer->address, sizeof(halves));
	for (unsigned i = 0; i < 2; i++) {
		hash = (hash ^ halves[i]) * 0x9e3779b97f4a7c15ull;
		hash ^= hash >> 32;
		hash = hash * (peers->seed | 1);
		hash ^= hash >> 29;
	}
	return (unsigned)(hash & (BUCKETS - 1));
}

static struct entry **find(struct peers *peers, const struct peer *peer)
{
	struct entry **at = &peers->buckets[bucket_of(peers, peer)];

	while (*at && ((*at)->peer.family != peer->family ||
			      memcmp((*at)->peer.address, peer->address, sizeof(peer->address)) != 0))
		at = &(*at)->next;
	return at;
}

struct peers *peers_open(uint64_t seed)
{
	struct peers *peers = calloc(1, sizeof(*peers));

	if (peers)
		peers->seed = seed;
	return peers;
}

void peers_close(struct peers *peers)
{
	if (!peers)
		return;
	for (unsigned i = 0; i < BUCKETS; i++)
		assert(!peers->buckets[i]);
	free(peers);
}

uint32_t peers_add(struct peers *peers, const struct peer *peer)
{
	struct entry **at = find(peers, peer);

	if (!*at) {
		*at = calloc(1, sizeof(**at));
		if (!*at)
			return 0;
		(*at)->peer = *peer;
	}
	return ++(*at)->count;
}

void peers_remove(struct peers *peers, const struct peer *peer)
{
	struct entry **at = find(peers, peer);
	struct entry *entry = *at;

	assert(entry && entry->count > 0);
	if (--entry->count == 0) {
		*at = entry->next;
		free(entry);
	}
}
