/*
 * How many connections each client address has on this shard: a hash table with a chain a bucket, seeded against
 * collisions.
 */
#ifndef PROTO_HTTP_SERVER_PEERS_H
#define PROTO_HTTP_SERVER_PEERS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

struct peer {
	uint8_t address[16]; /* IPv4 in the first 4 */
	uint32_t scope;      /* of a link-local IPv6 address */
	in_port_t port;      /* network order */
	sa_family_t family;
};

struct peers;

struct peer peer_of(const struct sockaddr_storage *address);
void peer_print(const struct peer *peer, struct sockaddr_storage *address);

/* NULL when memory is out. */
struct peers *peers_open(uint64_t seed);
void peers_close(struct peers *peers);

/* How many connections the address has with this one; 0 when memory is out, and nothing was counted. */
uint32_t peers_add(struct peers *peers, const struct peer *peer);
void peers_remove(struct peers *peers, const struct peer *peer);

#endif
