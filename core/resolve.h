/*
 * Names to addresses, off the shards: c-ares on the control thread's ring-less worker. An answer is posted to the
 * asking shard as a letter. Literal addresses and "localhost" are answered as well, without a query.
 */
#ifndef CORE_RESOLVE_H
#define CORE_RESOLVE_H

#include "core/shard.h"
#include "core/slice.h"

enum { RESOLVE_ADDRESSES_MAX = 8, RESOLVE_NAME_MAX = 255 };

struct resolver;

struct resolve_query {
	struct letter letter;
	struct shard *shard; /* where done() runs */
	void (*done)(struct resolve_query *query);
	char name[RESOLVE_NAME_MAX + 1]; /* in */
	uint16_t port;                   /* in */
	int result;                      /* 0, -ENOENT, -ETIMEDOUT, -EIO */
	unsigned count;
	struct sockaddr_storage addresses[RESOLVE_ADDRESSES_MAX];
	uint32_t ttl_s; /* ask again after this */
	struct resolver *resolver;
};

int resolver_open(struct resolver **resolver, char *why, size_t why_bytes);
void resolver_close(struct resolver *resolver); /* unanswered queries complete with -EIO first */
void resolve_start(struct resolver *resolver, struct resolve_query *query);

/* True when `name` is an IPv4 or IPv6 literal; then fills in the address. */
bool resolve_literal(struct slice name, uint16_t port, struct sockaddr_storage *address);
void resolve_set_port(struct sockaddr_storage *address, uint16_t port);

/* Makes a new query empty; true when its name needs no asking: then it has its answer and `result`. */
bool resolve_known(struct resolve_query *query);

#endif
