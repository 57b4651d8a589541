/*
 * How many handshakes may begin: at most a rate in all, and a rate from each address, each with a burst of a second's
 * worth (the generic cell rate algorithm: a time for each that moves on with every one that begins). Pure: time is an
 * argument.
 *
 * Addresses are remembered in a table of fixed size, for as long as they have begun more than they may at leisure.
 * IPv6 addresses count by their first 64 bits, which one site has. When a flood from more addresses than there is room
 * for drives some out, those begin anew: the rate in all bounds them.
 */
#ifndef TLS_RATION_H
#define TLS_RATION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

enum { TLS_RATION_SETS = 1024, TLS_RATION_WAYS = 4 };

struct tls_ration_slot {
	uint64_t address; /* hashed */
	uint64_t full_ns; /* its next may begin a second before that */
};

struct tls_ration {
	uint32_t per_s, per_ip_per_s; /* 0: no bound */
	uint64_t seed;
	uint64_t full_ns;
	struct tls_ration_slot slots[TLS_RATION_SETS][TLS_RATION_WAYS];
};

/* `seed`: what nobody outside knows, so that nobody can aim at a set. No bounds yet. */
void tls_ration_init(struct tls_ration *ration, uint64_t seed);

/* One begins now; false: none may. */
bool tls_ration_take(struct tls_ration *ration, uint64_t now_ns);

/* When the next may. */
uint64_t tls_ration_next_ns(const struct tls_ration *ration);

/* One from this address begins now; false: it has had its share. An address of another family has no bound. */
bool tls_ration_take_from(struct tls_ration *ration, const struct sockaddr_storage *address, uint64_t now_ns);

#endif
